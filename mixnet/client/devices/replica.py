"""A satellite's copy of its home's contacts and archive.

Promises: what the home tells replaces what is here, in the order in which it was told; a message has one row, whoever
wrote it and however often it is told; a record that makes no sense changes nothing, and its user learns of it. History
keeps the numbers that it has at home; what comes later gets the next number here.
"""

from __future__ import annotations

from functools import partial

from mixnet.client.contacts.deletion import delete
from mixnet.client.core.state import Core
from mixnet.client.devices.bodies import (
    GoneRecord,
    GroupMessageRecord,
    GroupRecord,
    MessageRecord,
    Record,
    Sync,
    Welcome,
    records_untrusted,
)
from mixnet.client.devices.contacts import CONTACT_COLUMNS, ContactRecord, GoneContactRecord
from mixnet.client.devices.replica_groups import GroupReplica
from mixnet.client.model.names import free_for_user, same
from mixnet.client.model.views import MessageInfo, MessageReceived, MessageState, MessageStateChanged
from mixnet.client.storage.contacts import Contact
from mixnet.client.storage.devices import PROBLEMS, Broken

_NEWEST = "newest message at home"  # a setting: as the history began
_COMPLETE = (MessageState.RECEIVED, MessageState.READ)


class Replica:
    """What a home's messages do here."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.groups = GroupReplica(core)

    def welcome(self, home: int, welcome: Welcome) -> None:
        """Keep numbers free for the history."""
        store = self._core.store
        self._core.device_table.set_history(home, welcome.newest)
        store.set_setting(_NEWEST, str(welcome.newest).encode())
        # From here SQLite takes the next number: those up to `newest` stay free for the messages that had them at home.
        store.run("DELETE FROM sqlite_sequence WHERE name = 'messages'")
        store.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', ?)", welcome.newest)

    def apply(self, home: int, sync: Sync) -> None:
        """Take records in."""
        core = self._core
        records, unknown = records_untrusted(sync)
        if unknown:
            core.device_table.trouble(home, PROBLEMS[Broken.NEWER])
        core.device_table.set_history(home, sync.left)
        for record in records:
            if core.attempt(partial(self._take, home, record, history=sync.history)) is not None:
                core.device_table.trouble(home, PROBLEMS[Broken.MALFORMED])

    def _take(self, home: int, record: Record, *, history: bool) -> None:
        match record:
            case ContactRecord():
                self._contact(record)
            case GroupRecord():
                self._group(home, record)
            case MessageRecord():
                self._message(home, record, history=history)
            case GoneContactRecord():
                self._gone_contact(record)
            case GoneRecord():
                self._gone(record.number)

    def local(self, number: int) -> int | None:
        """The number here of a message of the home."""
        return self._core.store.value(int, "SELECT message FROM mirrored WHERE number = ?", number)

    def remote(self, message: int) -> int | None:
        """The home's number of a message here; None as long as the home has not taken it over."""
        return self._core.store.value(int, "SELECT number FROM mirrored WHERE message = ?", message)

    def link(self, message: int, number: int) -> None:
        """A message that was written here has a number at home now."""
        core = self._core
        core.store.run("INSERT OR IGNORE INTO mirrored VALUES (?, ?)", message, number)
        core.store.run("INSERT OR IGNORE INTO imported VALUES (?, ?, ?)", message, core.identity_public, number)

    def _contact(self, record: ContactRecord) -> None:
        core, run = self._core, self._core.store.run
        # Former identities first: their messages must be under this one before its row is looked for.
        for former in record.former:
            self._follow(former, record.identity)
        known = core.contacts.known(record.identity)
        if known is not None and (known.id in core.siblings or known.role != "contact"):
            return
        self._make_way(record)
        before = known
        if known is None:
            known = core.contacts.add(record.name, record.identity, record.state, record.added_at)
        core.contacts.overwrite(known.id, {name: getattr(record, name) for name in CONTACT_COLUMNS})
        run("DELETE FROM retention WHERE contact = ?", known.id)
        if record.retention is not None:
            run("INSERT INTO retention VALUES (?, ?)", known.id, record.retention)
        current = core.contacts.get(known.id)
        (core.blocked.add if current.blocked else core.blocked.discard)(known.id)
        if before != current:
            core.contact_changed(known.id)
        if before is not None and (before.name, before.note) != (current.name, current.note):
            core.store.forget_remnants()

    def _gone_contact(self, record: GoneContactRecord) -> None:
        known = self._core.contacts.known(record.identity)
        if known is not None and known.id not in self._core.siblings and known.role == "contact":
            delete(self._core, known, in_group=False)
            self._core.store.forget_remnants()

    def _follow(self, former: bytes, identity: bytes) -> None:
        """A contact has another identity from now on: what was filed under the one is filed under the other."""
        core, run = self._core, self._core.store.run
        old, new = core.contacts.known(former), core.contacts.known(identity)
        if old is None or old.id in core.siblings or old.role != "contact":
            return
        if new is not None:
            for table in ("messages", "device_asks"):
                run(f"UPDATE {table} SET contact = ? WHERE contact = ?", old.id, new.id)  # noqa: S608  # our own names
            run("UPDATE OR IGNORE drafts SET contact = ? WHERE contact = ?", old.id, new.id)
            run("DELETE FROM retention WHERE contact = ?", new.id)
            run("DELETE FROM contacts WHERE id = ?", new.id)
        run("UPDATE contacts SET identity = ? WHERE id = ?", identity, old.id)
        core.contact_changed(old.id)

    def _group(self, home: int, record: GroupRecord) -> None:
        self._make_way(record)
        if not self.groups.take(record):
            self._core.device_table.trouble(home, PROBLEMS[Broken.MALFORMED])

    def _make_way(self, record: ContactRecord | GroupRecord) -> None:
        """Names are exchanged one record at a time: who still has the name gets its own new one by a later record."""
        contacts = self._core.contacts
        for other in contacts.all():
            if same(other.name) == same(record.name) and other.identity != record.identity:
                contacts.rename(other, free_for_user(other.name, contacts.names()))

    def _message(self, home: int, record: MessageRecord, *, history: bool) -> None:
        core = self._core
        contact = core.contacts.known(record.identity)
        group = isinstance(record, GroupMessageRecord)
        if contact is None or contact.id in core.siblings or (contact.role == "group") is not group:
            core.device_table.trouble(home, PROBLEMS[Broken.MALFORMED])
            return
        local = self.local(record.number)
        known = None if local is None else core.messages.get(local)
        before = None if known is None else known.state
        number = self._insert(contact, record) if local is None else local
        # What was read here stays so, though the home may not have heard of it.
        state = MessageState.READ if before is MessageState.READ else record.state
        news = record.news and (known is None or before is not record.state or known.unread)
        times = (record.created_at, record.sent_at, record.drawn_delay, record.received_at)
        query = (
            "UPDATE messages SET state = ?, done = ?, error = ?, created_at = ?, sent_at = ?, drawn_delay = ?,"
            " received_at = ?, news = ?, edited = ?, withdrawn = ?, period = ?, disappears = coalesce(disappears, ?)"
            " WHERE id = ?"
        )
        later = (news, record.edited, record.withdrawn, record.period, record.disappears)
        core.store.run(query, state.value, record.done, record.error, *times, *later, number)
        if core.messages.get(number).text != record.text:
            core.store.run("UPDATE messages SET text = ? WHERE id = ?", record.text, number)
            core.messages.unclean = True
        if record.withdrawn:
            core.store.run("UPDATE messages SET path = '', size = 0 WHERE id = ?", number)
        if isinstance(record, GroupMessageRecord):
            self.groups.file(number, record)
        info = core.messages.get(number)
        same = known is not None and _seen(known) == _seen(info)
        if history or (same and not (group and record.outgoing)):
            return
        fresh = not record.outgoing and record.state in _COMPLETE and before not in _COMPLETE
        core.emit(MessageReceived(info) if fresh else MessageStateChanged(info))

    def _insert(self, contact: Contact, record: MessageRecord) -> int:
        newest = int(self._core.store.setting(_NEWEST) or 0)
        query = (
            "INSERT INTO messages (id, contact, outgoing, kind, state, text, path, size, done, error, created_at,"
            " sent_at, drawn_delay, received_at, remote)"
            " VALUES (?, ?, ?, ?, ?, ?, '', ?, 0, '', 0.0, 0.0, 0.0, 0.0, ?)"
        )
        here, theirs = record.number if record.number <= newest else None, None if record.outgoing else record.number
        said = (record.outgoing, record.kind.value, record.state.value, record.text, record.size)
        number = self._core.store.insert(query, here, contact.id, *said, theirs)
        self.link(number, record.number)
        return number

    def _gone(self, number: int) -> None:
        local = self.local(number)
        if local is not None:
            self._core.delete_messages([local])
            self._core.store.forget_remnants()


def _seen(one: MessageInfo) -> tuple[object, ...]:
    """What a user sees of a message that may change."""
    return one.state, one.unread, one.text, one.edited, one.withdrawn, one.disappears
