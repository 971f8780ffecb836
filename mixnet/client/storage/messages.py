"""The table of messages, and the search in their texts.

Promises: a message's state changes by the table of messages.py only; a number is never given twice, and never leaves
the profile: contacts know a message by a random identifier of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from mixnet.client.e2e.bodies import SURE, MessageEvent, WireId
from mixnet.client.e2e.bodies import after as state_after
from mixnet.client.model.errors import UnknownMessage
from mixnet.client.model.views import (
    Conversation,
    ConversationKind,
    MessageInfo,
    MessageKind,
    MessageState,
    ReceiptState,
)
from mixnet.client.storage.database import Row, Store
from mixnet.client.storage.search import ANY, TIME, Filter, expression

_SELECT = """
SELECT m.id, c.name, m.outgoing, m.kind, m.state, m.text, m.path, m.size, m.done, m.error, m.created_at, m.sent_at,
       m.drawn_delay, m.received_at, coalesce(s.receipt, ''), g.author, g.members, g.reached,
       (SELECT count(*) FROM group_reads r WHERE r.message = m.id),
       CASE WHEN NOT m.outgoing AND a.role = 'reader' THEN coalesce(
           (SELECT max(b.expires) FROM anonymous_blocks b WHERE b.contact = m.contact), 0.0) END,
       m.state = 'received' OR m.news, coalesce(m.place, 0),
       m.edited, m.withdrawn, m.period, m.disappears
FROM messages m JOIN contacts c ON c.id = m.contact LEFT JOIN anonymous a ON a.contact = m.contact
LEFT JOIN signed s ON s.message = m.id LEFT JOIN group_messages g ON g.message = m.id
"""
_UNREAD = "(m.state IN ('received', 'receiving') OR m.news)"  # or may be soon: as the index `messages_unread` has it
_CONVERSATIONS = f"""
SELECT c.name, c.role,
       (SELECT count(*) FROM messages m WHERE m.contact = c.id AND {_UNREAD} AND m.state <> 'receiving'),
       coalesce(m.id, 0), coalesce({TIME}, 0.0),
       EXISTS (SELECT 1 FROM drafts d WHERE d.contact = c.id)
FROM contacts c LEFT JOIN messages m ON m.id = (SELECT max(n.id) FROM messages n WHERE n.contact = c.id)
WHERE c.role <> 'member' AND c.id NOT IN (SELECT contact FROM devices) ORDER BY c.id
"""  # noqa: S608


DRAWN = (
    1 << 32
)  # identifiers of messages are larger, but for one in 2^30; numbers from before they were drawn are smaller


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be filed: `text` is the name of a file, `path` where it is; `remote` what its sender calls it."""

    contact: int
    kind: MessageKind
    state: MessageState
    text: str
    path: str = ""
    size: int = 0
    received_at: float = 0.0
    remote: int | None = None
    period: int = 0


class MessageTable:
    """All messages of a profile."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.unclean = (
            False  # texts were overwritten, of which older pages may have copies (client/messenger/archive.py)
        )

    def add(self, entry: NewMessage, now: float) -> int:
        """File a message and return its number."""
        query = (
            "INSERT INTO messages (contact, outgoing, kind, state, text, path, size, done, error, created_at, sent_at,"
            " drawn_delay, received_at, remote, news, named, period)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, '', ?, 0.0, 0.0, ?, ?, ?, ?, ?)"
        )
        news = entry.remote is not None and entry.state is MessageState.FAILED
        said = (entry.remote is None, entry.kind.value, entry.state.value, entry.text, entry.path, entry.size)
        came = (entry.received_at, entry.remote, news, entry.remote or None, entry.period)
        return self._store.insert(query, entry.contact, *said, now, *came)

    def get(self, number: int) -> MessageInfo:
        """One message; UnknownMessage."""
        row = self._store.one(_SELECT + "WHERE m.id = ?", number)
        if row is None:
            raise UnknownMessage
        return _info(row)

    def after(
        self, contact: int | None, place: int, limit: int, since: float | None = None, *, unread: bool = False
    ) -> list[MessageInfo]:
        """The first `limit` messages (-1: all) behind `place`, of one contact or of all, as they were complete.

        `since`: only those written or complete from then on; `unread`: only those that came and that nobody was shown.
        """
        given = {
            "m.contact = ?": contact,
            "m.place > ?": place,
            f"{TIME} >= ?": since,
        }
        where = {sql: value for sql, value in given.items() if value is not None}
        query = f"{_SELECT}WHERE {' AND '.join([*where, *([_UNREAD] if unread else [])])} ORDER BY m.place LIMIT ?"
        return [_info(row) for row in self._store.all(query, *where.values(), limit)]

    def place(self, number: int) -> int:
        """The place of the message of this number; of none, the number, which may be a place."""
        return self._store.value(int, "SELECT coalesce(place, id) FROM messages WHERE id = ?", number) or number

    def before(self, contact: int | None, number: int, limit: int) -> list[MessageInfo]:
        """The last `limit` messages below `number`, of one contact or of all, newest first."""
        whose, values = ("", ()) if contact is None else ("m.contact = ? AND ", (contact,))
        query = f"{_SELECT}WHERE {whose}m.id < ? ORDER BY m.id DESC LIMIT ?"
        return [_info(row) for row in self._store.all(query, *values, number, limit)]

    def count(self, contact: int | None) -> tuple[int, int]:
        """How many of the messages that came are unread, and how many came, from one contact or from all."""
        whose, values = ("", ()) if contact is None else (" AND m.contact = ?", (contact,))
        came, unread = (
            "SELECT count(*) FROM messages m WHERE NOT m.outgoing",
            f" AND {_UNREAD} AND m.state <> 'receiving'",
        )
        found = (self._store.value(int, came + also + whose, *values) or 0 for also in (unread, ""))
        return next(found), next(found)

    def conversations(self) -> list[Conversation]:
        """All conversations, oldest contact first."""
        rows = self._store.all(_CONVERSATIONS)
        return [
            Conversation(name, ConversationKind(role), unread, newest, at, bool(draft))
            for name, role, unread, newest, at, draft in rows
        ]

    def search(self, words: str, limit: int, where: Filter = ANY) -> list[MessageInfo]:
        """The newest `limit` messages (-1: all) that match and that `where` lets through, newest first; SearchTooLong.

        search.py says what matches.
        """
        query = expression(words)
        if not query:
            return []
        condition, values = where.condition()
        found = f"WHERE m.id IN (SELECT rowid FROM found WHERE found MATCH ?) AND {condition}"  # noqa: S608
        order = f" ORDER BY {TIME} DESC, m.id DESC LIMIT ?"
        return [_info(row) for row in self._store.all(_SELECT + found + order, query, *values, limit)]

    def step(self, number: int, event: MessageEvent) -> MessageInfo | None:
        """Let `event` happen to a message: what it is now, or None if that changes nothing."""
        before = self._store.value(MessageState, "SELECT state FROM messages WHERE id = ?", number)
        if before is None or (state := state_after(before, event)) is before:
            return None
        news = state is MessageState.FAILED
        query = "UPDATE messages SET state = ?, news = ? AND NOT outgoing WHERE id = ?"
        self._store.run(query, state.value, news, number)
        return self.get(number)

    def left(self, number: int, sent_at: float, drawn_delay: float) -> None:
        """Record the slot and the mixing of a message's first fragment."""
        self._store.run("UPDATE messages SET sent_at = ?, drawn_delay = ? WHERE id = ?", sent_at, drawn_delay, number)
        self.begin_to_disappear([number], sent_at)

    def begin_to_disappear(self, numbers: Iterable[int], now: float) -> None:
        """They left, or were read: from now on their periods run, if they have any. Each runs once."""
        query = "UPDATE messages SET disappears = ? + period WHERE id = ? AND period > 0 AND disappears IS NULL"
        for number in numbers:
            self._store.run(query, now, number)

    def next_to_disappear(self) -> float | None:
        """When the period of the next one is over."""
        return self._store.value(float, "SELECT min(disappears) FROM messages WHERE disappears IS NOT NULL")

    # what their authors do to them later

    def named(self, wire: WireId, contact: int) -> int | None:
        """The number of the message that came from a contact, who calls it `wire`; None: there is none."""
        query = "SELECT max(id) FROM messages WHERE contact = ? AND named = ? AND NOT outgoing"
        return self._store.value(int, query, contact, wire)

    def version(self, number: int) -> int:
        """How often a text has been edited."""
        return self._store.value(int, "SELECT edited FROM messages WHERE id = ?", number) or 0

    def revise(self, number: int, version: int, text: str) -> bool:
        """A text has another content; False, and nothing happens, if it is deleted or a newer version is here."""
        where = "id = ? AND kind = 'text' AND NOT withdrawn AND edited <= ?"
        if not self._store.has(f"SELECT 1 FROM messages WHERE {where}", number, version):  # noqa: S608
            return False
        self._store.run("UPDATE messages SET text = ?, edited = ? WHERE id = ?", text, version, number)
        self.unclean = True
        return True

    def withdraw(self, number: int) -> None:
        """Its author has deleted it: a mark is left, which nobody has to read."""
        query = (
            "UPDATE messages SET text = '', path = '', error = '', size = 0, done = 0, edited = 0, withdrawn = 1,"
            " news = 0, state = iif(state = 'received', 'read', state) WHERE id = ?"
        )
        self._store.run(query, number)
        self.unclean = True

    def has_left(self, number: int) -> bool:
        """Whether anything of a message of ours has left."""
        return self._store.has("SELECT 1 FROM messages WHERE id = ? AND sent_at > 0.0", number)

    def explain(self, number: int, error: str) -> None:
        """Record why a message failed: the first reason stays, and what is delivered or read has none."""
        where = "id = ? AND error = '' AND state NOT IN ('delivered', 'read', 'received')"
        self._store.run(f"UPDATE messages SET error = ? WHERE {where}", error, number)  # noqa: S608

    def last_error(self, contact: int) -> str:
        """Why the newest incoming message of a contact has failed; empty if it has not, or there is none."""
        came = "contact = ? AND NOT outgoing AND remote IS NOT NULL"  # an imported one did not come from the contact
        newest = f"SELECT error FROM messages WHERE {came} ORDER BY id DESC LIMIT 1"  # noqa: S608
        return self._store.value(str, newest, contact) or ""

    def progress(self, number: int, done: int) -> MessageInfo:
        """Record how many bytes of a file are across."""
        self._store.run("UPDATE messages SET done = ? WHERE id = ?", done, number)
        return self.get(number)

    def arrived(self, number: int, path: str, now: float) -> None:
        """Record where a complete incoming file is."""
        self._store.run("UPDATE messages SET path = ?, received_at = ? WHERE id = ?", path, now, number)

    def contact_of(self, number: int) -> int:
        """The contact of a message; UnknownMessage."""
        contact = self._store.value(int, "SELECT contact FROM messages WHERE id = ?", number)
        if contact is None:
            raise UnknownMessage
        return contact

    def came(self, contact: int, wire: WireId) -> bool:
        """Whether a message that its sender calls `wire` is here: that of a restored profile comes again."""
        query = "SELECT 1 FROM messages WHERE contact = ? AND remote = ? AND NOT outgoing AND state <> 'failed'"
        return self._store.has(query, contact, wire)

    def delivered_since(self, contact: int, since: float) -> int:
        """How many messages of ours that left after a time a contact has."""
        query = "SELECT count(*) FROM messages WHERE contact = ? AND outgoing AND state IN ('delivered', 'read')"
        return self._store.value(int, query + " AND sent_at >= ?", contact, since) or 0

    def unread(self, contact: int, up_to: int) -> list[int]:
        """The unread messages of a contact up to one, oldest first."""
        query = f"SELECT m.id FROM messages m WHERE m.contact = ? AND m.id <= ? AND {_UNREAD} ORDER BY m.id"  # noqa: S608
        return [number for (number,) in self._store.all(query, contact, up_to)]

    def see(self, numbers: Iterable[int]) -> dict[int, list[tuple[int, int | None]]]:
        """Mark messages as read, as far as they are unread; those, by contact: (number, its sender's number).

        None for one that has failed: its sender can't be told that anybody read it.
        """
        seen: dict[int, list[tuple[int, int | None]]] = {}
        query = (
            "UPDATE messages SET state = iif(state = 'received', 'read', state), news = 0"
            " WHERE id = ? AND (state = 'received' OR news) RETURNING contact, id, state, remote"
        )
        for number in numbers:
            for contact, found, state, remote in self._store.all(query, number):
                whole = MessageState(state) is MessageState.READ
                seen.setdefault(contact, []).append((found, remote if whole else None))
        return seen

    def name_for_contact(self, number: int) -> WireId:
        """Give a message of ours the identifier by which its contact shall know it."""
        drawn = fresh_wire_id()
        self._store.run("UPDATE messages SET wire = ? WHERE id = ?", drawn, number)
        return drawn

    def wire_id(self, number: int) -> WireId:
        """By what its contact knows a message of ours; UnknownMessage."""
        wire = self._store.value(WireId, "SELECT wire FROM messages WHERE id = ?", number)
        if wire is None:
            raise UnknownMessage
        return wire

    def ours(self, wire: WireId, contact: int) -> int | None:
        """The number of the message of ours that this contact knows by `wire`; None: there is none."""
        return self._store.value(int, "SELECT id FROM messages WHERE contact = ? AND wire = ?", contact, wire)


def fresh_wire_id() -> WireId:
    """62 random bits, as only the operating system gives them: what a contact sees tells nothing of any other."""
    return WireId(int.from_bytes(os.urandom(8)) >> 2)


def _info(row: Row) -> MessageInfo:
    number, contact, outgoing, kind, state, *rest = row[:14]
    receipt, author, members, reached, readers, until, unread, place, *later = row[14:]
    error, sent_at = rest[4], rest[6]
    rest += [bool(receipt), ReceiptState(receipt) if receipt else None]
    rest += ["", 0, 0] if author is None else [author, members, reached]
    edited, withdrawn, period, disappears = later
    may_arrive = bool(outgoing) and state == "failed" and sent_at > 0.0 and bool(error) and error not in SURE
    rest += [until, readers, bool(unread), place, edited > 0, bool(withdrawn), period, disappears, may_arrive]
    return MessageInfo(number, contact, bool(outgoing), MessageKind(kind), MessageState(state), *rest)
