"""A satellite's copy of its home's groups (spec/07-client.md 7.16).

Promises: a group is what the home says of it, whole; here it is a conversation with a name, as at home, so that search,
deletion and export work on it. Never: a key of a group, or a session with a member.
"""

from __future__ import annotations

import msgspec

from mixnet.client.core.state import Core
from mixnet.client.devices.bodies import GroupMemberRecord, GroupMessageRecord, GroupRecord
from mixnet.client.groups.registry import UnknownGroup
from mixnet.client.model.group_views import GroupChanged, GroupInfo, GroupMember, GroupState
from mixnet.client.model.views import ContactState
from mixnet.client.storage.database import Row

_SELECT = """
SELECT c.name, g.title, g.state, c.identity, g.members, c.period
FROM mirrored_groups g JOIN contacts c ON c.id = g.contact
"""
_MEMBERS = msgspec.msgpack.Decoder(tuple[GroupMemberRecord, ...])


class GroupReplica:
    """The home's groups."""

    def __init__(self, core: Core) -> None:
        self._core, self._store = core, core.store

    def all(self) -> list[GroupInfo]:
        """All of them, oldest first."""
        return [_info(row) for row in self._store.all(_SELECT + "ORDER BY c.added_at, g.contact")]

    def get(self, contact: int) -> GroupInfo | None:
        """The group of a conversation's row of contacts."""
        return self._store.row(_info, _SELECT + "WHERE g.contact = ?", contact)

    def named(self, name: str) -> tuple[int, GroupInfo]:
        """The row of contacts of a group's name, and the group; UnknownGroup."""
        contact = self._core.contacts.find_named(name)
        group = None if contact is None else self.get(contact.id)
        if contact is None or group is None:
            raise UnknownGroup(f"there is no group named {name!r}: `mixnet group list PROFILE` shows those there are")
        return contact.id, group

    def take(self, record: GroupRecord) -> bool:
        """What the home says of a group, inside of a change; False if it makes no sense. Its name must be free."""
        core, run = self._core, self._store.run
        known = core.contacts.known(record.identity)
        if known is not None and known.role != "group":
            return False
        before = None if known is None else self.get(known.id)
        if known is None:
            known = core.contacts.add(record.name, record.identity, ContactState.ESTABLISHED, record.added_at)
        values = (record.name, record.added_at, record.period, known.id)
        run("UPDATE contacts SET role = 'group', name = ?, added_at = ?, period = ? WHERE id = ?", *values)
        run("DELETE FROM retention WHERE contact = ?", known.id)
        if record.retention is not None:
            run("INSERT INTO retention VALUES (?, ?)", known.id, record.retention)
        members = msgspec.msgpack.encode(record.members)
        query = "INSERT OR REPLACE INTO mirrored_groups VALUES (?, ?, ?, ?)"
        run(query, known.id, record.title, record.state.value, members)
        current = self.get(known.id)
        if current is not None and current != before:
            core.emit(GroupChanged(current))
        return True

    def file(self, message: int, record: GroupMessageRecord) -> None:
        """What a message of a group has besides; readers have no keys here, only names."""
        run = self._store.run
        values = (message, record.author, record.members, record.reached)
        run("INSERT OR REPLACE INTO group_messages VALUES (?, ?, ?, ?, NULL, NULL)", *values)
        run("DELETE FROM group_reads WHERE message = ?", message)
        for place, name in enumerate(record.readers):
            run("INSERT INTO group_reads VALUES (?, ?, ?)", message, place.to_bytes(2, "big"), name)


def _info(row: Row) -> GroupInfo:
    name, title, state, identity, members, period = row
    known = tuple(GroupMember(one.name, one.admin, one.you, one.connected) for one in _MEMBERS.decode(members))
    return GroupInfo(name, title, GroupState(state), bytes(identity).hex(), known, period)
