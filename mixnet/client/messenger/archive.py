"""Verbs on the whole archive: export, import, deletion.

Promises: what came from a file is past: it is never sent, and its sender never told of it; a message is taken in once,
whoever filed it first; what is still under way is not deleted; what is deleted is gone from the table, the index, the
free pages and the journal when the call returns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mixnet.client.core.state import Core
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.model.errors import StillUnderWay, UnknownContact
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.database import Row
from mixnet.client.storage.export_jsonl import Record, settled
from mixnet.client.storage.retention import SWEEP_EVERY, check_period
from mixnet.client.storage.search import TIME, Filter

CLEAN_EVERY = 3600.0  # seconds between sweeps after which the store is written anew: it is much to write
BATCH = 500  # messages that one transaction deletes: mail waits for it
_SELECT = """
SELECT coalesce(i.origin, ?), coalesce(i.number, m.id), c.identity, c.name, m.outgoing, m.kind, m.state, m.text, m.size,
       m.done, m.error, m.created_at, m.sent_at, m.drawn_delay, m.received_at, m.edited,
       m.withdrawn, m.id
FROM messages m JOIN contacts c ON c.id = m.contact LEFT JOIN imported i ON i.message = m.id
"""
_UNDER_WAY = " UNION ALL ".join(
    f"SELECT message FROM {table} WHERE message IS NOT NULL"  # noqa: S608  # our own names
    for table in ("waiting", "outbound", "stranded", "sending", "receiving")
)
_SETTLED = f"m.state NOT IN ('queued', 'sent', 'receiving') AND m.id NOT IN ({_UNDER_WAY})"


class ArchiveOps:
    """What is done with many messages at once."""

    def __init__(self, core: Core, receiving: FileReceiver) -> None:
        self._core, self._store, self._receiving = core, core.store, receiving
        self._cleaned, self._unclean = -math.inf, False  # when a sweep left no remnants last, and whether it has since

    # files

    def page(self, where: Filter, after: int, limit: int) -> list[tuple[int, Record]]:
        """(number here, record) of the first messages above `after` that `where` lets through; UnknownContact."""
        if where.contact is not None:
            where = msgspec.structs.replace(where, contact=self._core.contacts.named(where.contact).name)
        condition, values = where.condition()
        order = f"WHERE m.id > ? AND {condition} ORDER BY m.id LIMIT ?"
        rows = self._store.all(_SELECT + order, self._core.identity_public, after, *values, limit)
        return [(row[-1], _record(row)) for row in rows]

    def strangers(self, identities: Sequence[bytes]) -> list[bytes]:
        """Those of the identities that no contact has."""
        return [identity for identity in identities if self._core.contacts.known(identity) is None]

    def take_in(self, records: Sequence[Record]) -> int:
        """File past messages with known contacts, in one transaction; how many were new. UnknownContact."""
        with self._core.change():
            return sum(self._take_in(record) for record in records)

    def _take_in(self, record: Record) -> bool:
        contact = self._core.contacts.known(bytes.fromhex(record.identity))
        if contact is None:
            raise UnknownContact("there is no contact with the identity of this conversation: become contacts first")
        origin = bytes.fromhex(record.origin)
        if self._has(origin, record.number):
            return False
        past = settled(record)
        query = (
            "INSERT INTO messages (contact, outgoing, kind, state, text, path, size, done, error, created_at, sent_at,"
            " drawn_delay, received_at, edited, withdrawn) VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        said = (past.outgoing, past.kind.value, past.state.value, past.text, past.size, past.done, past.error)
        times = (past.created_at, past.sent_at, past.drawn_delay, past.received_at)
        later = (past.edited, past.withdrawn)
        number = self._store.insert(query, contact.id, *said, *times, *later)
        self._store.run("INSERT INTO imported VALUES (?, ?, ?)", number, origin, record.number)
        return True

    def _has(self, origin: bytes, number: int) -> bool:
        known = "SELECT 1 FROM imported WHERE origin = ? AND number = ?"
        ours = "SELECT 1 FROM messages WHERE id = ? AND id NOT IN (SELECT message FROM imported)"
        return self._store.has(known, origin, number) or (
            origin == self._core.identity_public and self._store.has(ours, number)
        )

    # deletion

    def delete(self, number: int) -> None:
        """Delete one message; UnknownMessage, StillUnderWay."""
        self._core.messages.contact_of(number)
        if not self._delete("m.id = ?", (number,)):
            raise StillUnderWay
        self._store.forget_remnants()

    def clear(self, contact: str) -> tuple[int, int]:
        """Delete up to BATCH messages of a conversation: how many, and how many are left; UnknownContact."""
        whom = self._core.contacts.named(contact).id
        with self._core.change():
            self._store.run("DELETE FROM drafts WHERE contact = ?", whom)
            deleted = self._delete("m.contact = ?", (whom,))
        if deleted < BATCH:
            self._store.forget_remnants()
        return deleted, self._store.value(int, "SELECT count(*) FROM messages WHERE contact = ?", whom) or 0

    def sweep(self, now: float) -> bool:
        """Delete up to BATCH messages that are past their or their conversation's period; whether there may be more."""
        disappearing = self._disappear(now)
        past = "m.contact IN (SELECT contact FROM retention) AND m.created_at < ? AND"
        period = "(SELECT seconds FROM retention r WHERE r.contact = m.contact)"
        deleted = self._delete(f"{past} {TIME} < ? - {period}", (now, now))
        with self._core.change():
            kept = "contact IN (SELECT contact FROM retention) AND changed <"
            before = self._store.changes
            self._store.run(f"DELETE FROM drafts AS m WHERE {kept} ? - {period}", now)  # noqa: S608
            drafts = self._store.changes - before
        fresh = deleted or disappearing or drafts or self._core.messages.unclean
        deleted = max(deleted, disappearing)
        self._unclean, self._core.messages.unclean = self._unclean or bool(fresh), False
        if self._unclean and now >= self._cleaned + CLEAN_EVERY:
            self._cleaned, self._unclean = now, False
            self._store.forget_remnants()
        elif fresh:
            self._store.truncate_journal()
        return deleted == BATCH

    def next_sweep(self, now: float) -> float:
        """In how many seconds there is something to sweep again, as far as one knows: at least one."""
        due = self._core.messages.next_to_disappear()
        return SWEEP_EVERY if due is None or now == -math.inf else min(SWEEP_EVERY, max(1.0, due - now))

    def _disappear(self, now: float) -> int:
        """Delete up to BATCH messages whose period is over. None lasts longer than that, whatever the clock was."""
        if now == -math.inf:
            return 0
        late = "UPDATE messages SET disappears = ? + period WHERE disappears > ? + period"
        self._store.run(late, now, now)
        return self._delete("m.disappears <= ?", (now,))

    def _delete(self, condition: str, values: tuple[object, ...]) -> int:
        """The partial file of what came is removed first; the finished one belongs to the user."""
        self._receiving.sweep()
        query = f"SELECT m.id FROM messages m WHERE {condition} AND {_SETTLED} ORDER BY m.id LIMIT {BATCH}"  # noqa: S608
        found = [row[0] for row in self._store.all(query, *values)]
        if found:
            with self._core.change():
                self._core.delete_messages(found)
        return len(found)

    # how long

    def retention(self, contact: str) -> float | None:
        """For how many seconds messages with a contact are kept; None: for ever. UnknownContact."""
        whom = self._core.contacts.named(contact).id
        return self._store.value(float, "SELECT seconds FROM retention WHERE contact = ?", whom)

    def retain(self, contact: str, seconds: float | None) -> None:
        """Keep messages with a contact for so long; UnknownContact, BadPeriod."""
        whom = self._core.contacts.named(contact).id
        with self._core.change():
            self._store.run("DELETE FROM retention WHERE contact = ?", whom)
            if seconds is not None:
                self._store.run("INSERT INTO retention VALUES (?, ?)", whom, check_period(seconds))


def _record(row: Row) -> Record:
    origin, number, identity, contact, outgoing, kind, state, *rest = row[:15]
    later = {"edited": row[15] > 0, "withdrawn": bool(row[16])}
    head = (bytes(origin).hex(), number, bytes(identity).hex(), contact, bool(outgoing), MessageKind(kind))
    return Record(*head, MessageState(state), *rest, **later)
