"""What makes a store a copy: it was made of a backup or of another folder, so that its keys may have been used since.

Promises: a marked store encrypts nothing in the sessions that it came with; what can be used once alone (prekeys of
open invitations, offers of matching) is gone from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import msgspec

from mixnet.client.storage.database import Store

_COPY, _CLAIM, _PLACE = "copy", "mailbox claim", "place"  # settings
_HOLDER = 16  # bytes
_OPEN = "prekeys IS NOT NULL"
_LIVE = "SELECT id, contact, NULL, NULL FROM sessions WHERE id NOT IN (SELECT session FROM retired)"


class Copy(msgspec.Struct, frozen=True, array_like=True):
    """When the copy was made, and when a profile was made of it; seconds since the Unix epoch.

    `settled`: the daemon has given up what can't go on.
    """

    made: float
    restored: float
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """How much a store holds; `invitations` are those that nobody has used."""

    contacts: int
    messages: int
    invitations: int


def contents(store: Store) -> Contents:
    """Count what users count."""
    people = "SELECT count(*) FROM contacts WHERE role = 'contact' AND id NOT IN (SELECT contact FROM devices)"
    return Contents(
        store.value(int, people) or 0,
        store.value(int, "SELECT count(*) FROM messages") or 0,
        store.value(int, f"SELECT count(*) FROM invitations WHERE {_OPEN}") or 0,  # noqa: S608  # our own words
    )


def mark(store: Store, made: float, now: float) -> Contents:
    """From now on this store knows that it is a copy of `made`; what it holds."""
    with store.transaction():
        held = contents(store)
        store.run(f"INSERT OR IGNORE INTO copied {_LIVE}")
        store.run("UPDATE copied SET invitation = NULL, asked = NULL")
        store.run(f"DELETE FROM invitations WHERE {_OPEN}")  # noqa: S608
        store.run("UPDATE matching SET day = 0, secret = NULL, progress = NULL")
        store.set_setting(_COPY, msgspec.msgpack.encode(Copy(made, now)))
        store.set_setting(_CLAIM, b"\1" + os.urandom(_HOLDER))
        store.delete_setting(_PLACE)
    return held


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a profile lies: the numbers of two of its files, and when the first one, which is written once, was made.

    A copy of a folder has others. Some file systems give new numbers at each start, but no new times; the store alone
    has another number where somebody has put an older one in its place.
    """

    key: int
    key_made: int  # nanoseconds
    store: int

    def is_copy_of(self, other: Place) -> bool:
        """Whether a profile that was there is here as a copy."""
        if self.key == other.key:
            return self.store != other.store
        return self.key_made != other.key_made


def recognise(store: Store, here: Place, now: float) -> bool:
    """At a daemon's start: whether the profile's folder is a copy that nobody has said to be one; it is marked then."""
    raw = store.setting(_PLACE)
    known = None if raw is None else msgspec.msgpack.decode(raw, type=Place)
    if known == here:
        return False
    with store.transaction():
        copied = known is not None and here.is_copy_of(known)
        if copied:
            mark(store, min(here.key_made / 1e9, now), now)
        store.set_setting(_PLACE, msgspec.msgpack.encode(here))
    return copied


def claim(store: Store) -> bytes:
    """What tells our provider that the mailbox belongs to this copy: 17 bytes, of which the first takes it over."""
    return store.setting(_CLAIM) or b""


def claimed(store: Store) -> bytes:
    """The provider has given the mailbox to this copy: from now on whoever takes it over has it; the claim as it is."""
    held = claim(store)
    if held[:1] == b"\1":
        with store.transaction():
            store.set_setting(_CLAIM, b"\0" + held[1:])
    return claim(store)


def copy_of(store: Store) -> Copy | None:
    """What this store is a copy of, if it is one."""
    raw = store.setting(_COPY)
    return None if raw is None else msgspec.msgpack.decode(raw, type=Copy)


def settled(store: Store) -> None:
    """What can't go on was given up."""
    known = copy_of(store)
    if known is not None:
        store.set_setting(_COPY, msgspec.msgpack.encode(msgspec.structs.replace(known, settled=True)))
