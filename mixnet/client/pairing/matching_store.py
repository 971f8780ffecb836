"""The table of matching: the entries, and the state of each (spec/07-client.md 7.13).

Promises: while matching is off nothing is stored; an exchange that is under way survives a restart, secrets and all, in
the encrypted store alone. Synchronous, like the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from mixnet.client.model.address_entries import Entry
from mixnet.client.model.match_states import TRANSITIONS, MatchInfo, MatchState
from mixnet.client.storage.database import Row, Store
from mixnet.errors import LocalError

_ME = "matching"


class Offering(msgspec.Struct, frozen=True, tag="offering"):
    """Our offer: what is in the slot, and the first side with its secret."""

    body: bytes
    side: bytes


class Replying(msgspec.Struct, frozen=True, tag="replying"):
    """Our reply to somebody's offer, and the key that follows from them."""

    slot: bytes
    body: bytes
    context: bytes
    offer: bytes
    reply: bytes
    key: bytes
    placed: bool = False


class Answering(msgspec.Struct, frozen=True, tag="answering"):
    """Our sealed invitation, and the channel by which it is known when it is used."""

    slot: bytes
    body: bytes
    channel: bytes
    placed: bool = False


class Spoiled(msgspec.Struct, frozen=True, tag="spoiled"):
    """Nothing more is tried on this day."""


Progress = Offering | Replying | Answering | Spoiled
_PROGRESS: msgspec.msgpack.Decoder[Progress | None] = msgspec.msgpack.Decoder(Progress | None)


@dataclass(frozen=True, slots=True)
class Look:
    """One entry, and what was done for it on `day` (whole days since 1970); `secret` is that day's, 32 bytes."""

    address: str
    label: str
    state: MatchState
    contact: int | None
    error: str
    day: int
    secret: bytes | None = field(repr=False)
    progress: Progress | None = field(repr=False)


class MatchTable:
    """The entries of one profile."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def me(self) -> str | None:
        """The user's own address; None while matching is off."""
        raw = self._store.setting(_ME)
        return None if raw is None else raw.decode()

    def begin(self, me: str, entries: Iterable[Entry]) -> None:
        """Look for these and no others; what was found stays so, unless the user's own address is another one."""
        wanted = {entry.address: entry for entry in entries if entry.address != me}
        with self._store.transaction():
            if self.me != me:
                self._store.run("DELETE FROM matching")
            self._store.set_setting(_ME, me.encode())
            for (address,) in self._store.all("SELECT address FROM matching"):
                if address not in wanted:
                    self._store.run("DELETE FROM matching WHERE address = ?", address)
            for entry in wanted.values():
                self._store.run(
                    "INSERT INTO matching (address, label) VALUES (?, ?) "
                    "ON CONFLICT (address) DO UPDATE SET label = excluded.label",
                    entry.address,
                    entry.label,
                )
        self._store.forget_remnants()

    def end(self) -> None:
        """Forget all of it."""
        with self._store.transaction():
            self._store.delete_setting(_ME)
            self._store.run("DELETE FROM matching")
        self._store.forget_remnants()

    def all(self) -> list[Look]:
        """All entries."""
        return [_look(row) for row in self._store.all(_SELECT + "ORDER BY address")]

    def get(self, address: str) -> Look | None:
        """One entry, if it is still there."""
        return self._store.row(_look, _SELECT + "WHERE address = ?", address)

    def infos(self) -> list[MatchInfo]:
        """As the user sees them."""
        names: dict[int | None, str] = dict(self._store.all("SELECT id, name FROM contacts"))
        return [
            MatchInfo(one.address, one.label, one.state, names.get(one.contact, ""), one.error) for one in self.all()
        ]

    def begin_day(self, address: str, day: int, secret: bytes) -> None:
        """A new day, with its own secret, and nothing done yet."""
        query = "UPDATE matching SET state = ?, error = '', day = ?, secret = ?, progress = NULL WHERE address = ?"
        self._store.run(query, MatchState.LOOKING.value, day, secret, address)

    def keep(self, address: str, progress: Progress, state: MatchState, error: str = "") -> None:
        """So far it has come."""
        self._check(address, state)
        query = "UPDATE matching SET progress = ?, state = ?, error = ? WHERE address = ?"
        self._store.run(query, msgspec.msgpack.encode(progress), state.value, error, address)

    def settle(self, address: str, state: MatchState, contact: str, error: str = "") -> None:
        """It led to the contact of this name (or to none): nothing is kept of the exchange."""
        self._check(address, state)
        query = (
            "UPDATE matching SET progress = NULL, secret = NULL, state = ?, error = ?, "
            "contact = (SELECT id FROM contacts WHERE name = ?) WHERE address = ?"
        )
        self._store.run(query, state.value, error, contact, address)

    def _check(self, address: str, state: MatchState) -> None:
        look = self.get(address)
        if look is not None and state not in TRANSITIONS[look.state]:
            raise LocalError(f"an entry can't become {state} after {look.state}")


_SELECT = "SELECT address, label, state, contact, error, day, secret, progress FROM matching "


def _look(row: Row) -> Look:
    address, label, state, contact, error, day, secret, progress = row
    done = None if progress is None else _PROGRESS.decode(bytes(progress))
    return Look(address, label, MatchState(state), contact, error, day, secret, done)
