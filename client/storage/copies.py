"""What makes a store a copy: it was made of a backup or of another folder, so that its keys may have been used since.

Promises: a marked store encrypts nothing in the sessions that it came with; what can be used once alone (prekeys of
open invitations, offers of matching) is gone from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from client.storage.database import Store

_COPY = "copy"  # a setting
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
    return held


def copy_of(store: Store) -> Copy | None:
    """What this store is a copy of, if it is one."""
    raw = store.setting(_COPY)
    return None if raw is None else msgspec.msgpack.decode(raw, type=Copy)


def settled(store: Store) -> None:
    """What can't go on was given up."""
    known = copy_of(store)
    if known is not None:
        store.set_setting(_COPY, msgspec.msgpack.encode(msgspec.structs.replace(known, settled=True)))
