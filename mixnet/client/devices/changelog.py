"""The log of changes at home, and how it is told to satellites: first what changed, then what was before the link.

Promises: the log has few rows for each thing that changed, so it never grows beyond the archive; a thing is told as it
is when its record is made, in the order of the last changes, but a message for the first time in the order of numbers;
a contact or a group is told before its messages. A record and how far the log was read are stored together. What has
happened goes before history, which goes newest first.
"""

from __future__ import annotations

import msgspec

from mixnet.client.core.state import Core
from mixnet.client.devices.bodies import (
    ERROR_LIMIT,
    READERS_LIMIT,
    RECORDS,
    RECORDS_SIZE,
    GoneRecord,
    GroupMemberRecord,
    GroupMessageRecord,
    GroupRecord,
    MessageRecord,
    Record,
    Sync,
    raw,
)
from mixnet.client.devices.channel import CONTROL_LANE, has_room, tell
from mixnet.client.devices.contacts import CONTACT_COLUMNS, ContactRecord, GoneContactRecord
from mixnet.client.groups.groups import Groups
from mixnet.client.model.group_views import GroupInfo
from mixnet.client.model.views import DeviceRole, MessageKind, MessageState
from mixnet.client.storage.database import Row
from mixnet.client.storage.devices import LOGGED, Device

_MESSAGES = """
SELECT m.id, c.identity, m.outgoing, m.kind, m.state, m.text, m.size, m.done, m.error, m.created_at, m.sent_at,
       m.drawn_delay, m.received_at, m.news, m.edited, m.withdrawn, m.period, m.disappears,
       c.role, coalesce(g.author, ''), coalesce(g.members, 0), coalesce(g.reached, 0)
FROM messages m JOIN contacts c ON c.id = m.contact LEFT JOIN group_messages g ON g.message = m.id
WHERE c.role IN ('contact', 'group') AND
"""
_LEFT = (
    "SELECT count(*) FROM messages m JOIN contacts c ON c.id = m.contact"
    " WHERE c.role IN ('contact', 'group') AND m.id < ?"
)
_NEWS = "SELECT position, item FROM device_log WHERE kind = ? AND position > ? ORDER BY position LIMIT ?"


class _Batch:
    """The records of one message, as far as they fit."""

    def __init__(self) -> None:
        self.records: list[msgspec.Raw] = []
        self._size = 0

    def add(self, record: Record) -> bool:
        """Whether there was room for it; there is for the first."""
        one = raw(record)
        size = len(memoryview(one)) + 4
        if self.records and (len(self.records) >= RECORDS or self._size + size > RECORDS_SIZE):
            return False
        self.records.append(one)
        self._size += size
        return True


class ChangeFeed:
    """The log, and how far each satellite was told of it."""

    def __init__(self, core: Core, groups: Groups) -> None:
        self._core, self._groups = core, groups

    def touch(self, kind: str, item: int) -> None:
        """Tell all satellites of a thing again, although it has not changed."""
        self._core.store.run("DELETE FROM device_log WHERE kind = ? AND item = ?", kind, item)
        self._core.store.run("INSERT INTO device_log (kind, item) VALUES (?, ?)", kind, item)

    def due(self, device: Device) -> bool:
        """Whether there is something to tell, and room to tell it."""
        if not has_room(self._core, device.contact, CONTROL_LANE):
            return False
        return device.history > 0 or any(self._news(device, kind, 1) for kind in LOGGED)

    def tell_next(self, device: Device) -> None:
        """Let the next records wait for their turn."""
        if not self._tell_news(device):
            self._tell_history(device)

    def tell_group(self, device: Device, identifier: bytes) -> None:
        """Tell a satellite what has become of a group, before the answer to its request, inside of a change."""
        contact, batch = self._core.contacts.known(identifier), _Batch()
        record = None if contact is None else self._contact(contact.id)
        if record is not None:
            batch.add(record)
            self._send(device, batch, history=False, left=device.history)

    def tell_deleted(self, identity: bytes) -> None:
        """Tell all satellites at once that a contact is deleted, inside of the change: nothing of it is left to log."""
        for device in self._core.device_table.all():
            if device.role is DeviceRole.SATELLITE and not device.revoked:
                batch = _Batch()
                batch.add(GoneContactRecord(identity))
                self._send(device, batch, history=False, left=device.history)

    def _news(self, device: Device, kind: str, limit: int) -> list[Row]:
        query = "SELECT position FROM device_cursors WHERE device = ? AND kind = ?"
        told = self._core.store.value(int, query, device.contact, kind)
        return [] if told is None else self._core.store.all(_NEWS, kind, told, limit)

    def _tell_news(self, device: Device) -> bool:
        batch = _Batch()
        for kind in LOGGED:
            told = None
            for position, item in self._news(device, kind, RECORDS):
                record = self._contact(item) if kind == "contact" else self._message(item)
                if record is not None and not batch.add(record):
                    self._advance(device, kind, told)
                    self._send(device, batch, history=False, left=device.history)
                    return True
                told = position
            self._advance(device, kind, told)
        if batch.records:
            self._send(device, batch, history=False, left=device.history)
        return bool(batch.records)

    def _tell_history(self, device: Device) -> None:
        store, batch, reached = self._core.store, _Batch(), 0
        for row in store.all(_MESSAGES + "m.id < ? ORDER BY m.id DESC LIMIT ?", device.history, RECORDS):
            if not batch.add(self._message_record(row)):
                break
            reached = row[0]
        self._core.device_table.set_history(device.contact, reached)
        self._send(device, batch, history=True, left=reached)

    def _send(self, device: Device, batch: _Batch, *, history: bool, left: int) -> None:
        count = self._core.store.value(int, _LEFT, left) or 0
        tell(self._core, device.contact, Sync(history, count, tuple(batch.records)))

    def _advance(self, device: Device, kind: str, position: int | None) -> None:
        """Remember how far the log was read, and forget what everybody has read."""
        if position is None:
            return
        run = self._core.store.run
        run("UPDATE device_cursors SET position = ? WHERE device = ? AND kind = ?", position, device.contact, kind)
        everybody = (
            "SELECT min(c.position) FROM device_cursors c JOIN devices d ON d.contact = c.device"
            " WHERE c.kind = ? AND NOT d.revoked"
        )
        run(f"DELETE FROM device_log WHERE kind = ? AND position <= ({everybody})", kind, kind)  # noqa: S608

    def _contact(self, number: int) -> Record | None:
        """None for a device, or who is known by a group only."""
        group = self._groups.behind(number)
        if group is not None:
            return self._group(number, group)
        contacts = self._core.contacts
        contact = contacts.find(number)
        if contact is None or contact.role != "contact" or number in self._core.siblings:
            return None
        return ContactRecord(
            identity=contact.identity,
            retention=self._core.store.value(float, "SELECT seconds FROM retention WHERE contact = ?", number),
            former=contacts.former(number),
            **{column: getattr(contact, column) for column in CONTACT_COLUMNS},
        )

    def _group(self, number: int, group: GroupInfo) -> GroupRecord:
        query = (
            "SELECT c.added_at, r.seconds, c.period FROM contacts c LEFT JOIN retention r ON r.contact = c.id"
            " WHERE c.id = ?"
        )
        row = self._core.store.one(query, number)
        assert row is not None  # noqa: S101  a group has a conversation
        members = tuple(GroupMemberRecord(one.name, one.admin, one.you, one.connected) for one in group.members)
        added_at, seconds, period = row
        identity = bytes.fromhex(group.identifier)
        return GroupRecord(identity, group.name, group.title, group.state, added_at, seconds, members, period)

    def _message(self, number: int) -> Record | None:
        """None for a message with somebody anonymous."""
        row = self._core.store.one(_MESSAGES + "m.id = ?", number)
        if row is not None:
            return self._message_record(row)
        return None if self._core.store.has("SELECT 1 FROM messages WHERE id = ?", number) else GoneRecord(number)

    def _message_record(self, row: Row) -> MessageRecord:
        (number, identity, outgoing, kind, state, text, size, done, error), rest = row[:9], row[9:]
        created_at, sent_at, drawn_delay, received_at, news, edited, withdrawn, period, disappears = rest[:9]
        role, author, members, reached = rest[9:]
        head = (number, bytes(identity), bool(outgoing), MessageKind(kind), MessageState(state), text)
        told = (size, done, error[:ERROR_LIMIT], created_at, sent_at, drawn_delay, received_at)
        later = (bool(news), edited, bool(withdrawn), period, disappears)
        if role != "group":
            return MessageRecord(*head, *told, *later)
        readers = tuple(self._groups.reading.readers(number)[:READERS_LIMIT])
        return GroupMessageRecord(*head, *told, *later, author, members, reached, readers)
