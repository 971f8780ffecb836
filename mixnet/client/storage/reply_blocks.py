"""The tables of the reply blocks of anonymous conversations.

Two sides: `Pool` has those that came with anonymous messages and may be answered through; `Given` has the keys of those
that this profile gave out. Promises: a block is used once and is gone from the store before its packet leaves; keys
outlive a restart, and an answer that waited in our mailbox still opens; both are bounded in number and time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from mixnet.client.arq.fragments import ReplyBlock
from mixnet.client.model.durations import DAY
from mixnet.client.storage.database import Store
from mixnet.clock import Epochs
from mixnet.errors import RemoteError
from mixnet.sphinx import SurbKeys

HELD = 24  # reply blocks of one conversation that its reader keeps
STOCK = 4  # unused blocks of one epoch that a writer has out
EACH_EPOCH = 12  # blocks of one epoch that a writer gives in all, however many were used
KEPT = DAY  # seconds after its epoch for which a block's answer may wait in our mailbox


@dataclass(frozen=True, slots=True)
class OwnSurb:
    """A reply block, and what recognises (32 bytes) and opens what comes back through it."""

    block: ReplyBlock
    surb_id: bytes
    keys: SurbKeys = field(repr=False)


class SurbMaker(Protocol):
    """Who makes reply blocks for later epochs, and opens what comes back through them."""

    @property
    def epochs(self) -> Epochs:
        """The network's."""

    def open_epochs(self, now: float) -> list[int]:
        """The epochs for which blocks can be made now: those of which the nodes' keys are known."""

    def make(self, entry: bytes, epoch: int) -> OwnSurb:
        """A block for a replier at provider `entry` (32 bytes), to be used in `epoch` only; Unavailable."""

    def open_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        """The plaintext that came back; RemoteError if it was altered."""


def end_of(epochs: Epochs, epoch: int) -> int:
    """What a block for `epoch` says in `until`: whole seconds since 1970."""
    return int(epochs.end(epoch))


class Pool:
    """The reply blocks through which the owner of an address may answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, contact: int, blocks: Iterable[ReplyBlock]) -> None:
        """Store new blocks, up to HELD of a conversation; the same one again is ignored."""
        for block in blocks:
            held = self._store.value(int, "SELECT count(*) FROM anonymous_blocks WHERE contact = ?", contact) or 0
            if held < HELD:
                query = "INSERT OR IGNORE INTO anonymous_blocks (contact, surb, expires) VALUES (?, ?, ?)"
                self._store.run(query, contact, block.surb, block.until)

    def take(self, contact: int, now: float, length: float) -> ReplyBlock | None:
        """A block whose epoch, of `length` seconds, is now; it is gone from the store."""
        query = "SELECT id, surb, expires FROM anonymous_blocks WHERE contact = ? AND expires BETWEEN ? AND ?"
        row = self._store.one(query + " ORDER BY expires, id LIMIT 1", contact, now, now + length)
        if row is None:
            return None
        self._store.run("DELETE FROM anonymous_blocks WHERE id = ?", row[0])
        return ReplyBlock(bytes(row[1]), int(row[2]))

    def next_time(self, contact: int, length: float) -> float | None:
        """When a block may be used: the start of its epoch, perhaps past; None if there is none left."""
        first = self._store.value(float, "SELECT min(expires) FROM anonymous_blocks WHERE contact = ?", contact)
        return None if first is None else first - length

    def until(self, contact: int) -> float:
        """When the last of a conversation's blocks expires; 0.0 if there is none."""
        return self._store.value(float, "SELECT max(expires) FROM anonymous_blocks WHERE contact = ?", contact) or 0.0


class Given:
    """The reply blocks that an anonymous sender gave out. A used one stays without keys while its epoch counts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lacks(self, contact: int, until: int) -> int:
        """How many more blocks of the epoch that ends at `until` may be given now."""
        query = "SELECT count(*), count(keys) FROM anonymous_given WHERE contact = ? AND until = ?"
        ((given, unused),) = self._store.all(query, contact, until)
        return max(0, min(STOCK - int(unused), EACH_EPOCH - int(given)))

    def add(self, contact: int, made: OwnSurb, kept: float) -> float:
        """Await an answer through a block, for `kept` seconds after its end; gives when it is forgotten."""
        until = made.block.until
        values = (made.surb_id, contact, made.keys.expose(), until, until + kept)
        self._store.run("INSERT INTO anonymous_given VALUES (?, ?, ?, ?, ?)", *values)
        return until + kept

    def find(self, surb_id: bytes) -> tuple[int, SurbKeys]:
        """(contact, keys) of a block that was not used yet; UnknownBlock."""
        query = "SELECT contact, keys FROM anonymous_given WHERE surb_id = ? AND keys IS NOT NULL"
        row = self._store.one(query, surb_id)
        if row is None:
            raise UnknownBlock
        return int(row[0]), SurbKeys(bytes(row[1]))

    def used(self, surb_id: bytes) -> None:
        """It came back: it opens nothing from now on."""
        self._store.run("UPDATE anonymous_given SET keys = NULL WHERE surb_id = ?", surb_id)


class UnknownBlock(RemoteError):
    """Something came through a reply block that was used before, has expired, or never was ours."""
