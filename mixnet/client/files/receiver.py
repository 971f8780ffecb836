"""Receives files: chunk by chunk into a hidden partial file, which is then given its name.

Promises: a chunk is on disk before it is acknowledged; what is refused, aborted or damaged leaves nothing behind; sizes
and the number of files at a time are limited, whatever a contact offers. A file that can't be stored, or of which no
further piece comes, fails alone: its sender is told, and messages go on.
"""

from __future__ import annotations

import os
from pathlib import Path

from mixnet import crypto
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import (
    REASONS_HERE,
    Abort,
    Chunk,
    End,
    MessageEvent,
    Offer,
    Reason,
    Refuse,
    SignedEnd,
    WireId,
)
from mixnet.client.files.disk import START_DIGEST, FileTrouble, chain, discard, finish, free_space, write_chunk
from mixnet.client.files.transfers import Transfers
from mixnet.client.model.durations import DAY
from mixnet.client.model.views import MessageKind, MessageReceived, MessageState
from mixnet.client.storage.messages import NewMessage

CONTROL_LANE = 0
_FILES_AT_ONCE = 32  # of one contact
_PATIENCE = 3600.0  # seconds after a start in which pieces that waited at the provider may still come
_BLOCK = 4096  # bytes that the smallest file takes
_TOO_MANY = (
    "refused: with this file it would be more of this contact within a day than `daily_files` in profile.toml allows"
    " ({limit:,} bytes): raise it and start the daemon again, or ask for the file tomorrow"
)
_NO_SPACE = (
    "refused: it would leave less of the disk free than `disk_reserve` in profile.toml says ({limit:,} bytes): free"
    " some space, then ask for the file again"
)
_OF_A_DAY = (
    "SELECT coalesce(sum(max(size, ?)), 0) FROM messages WHERE contact = ? AND NOT outgoing AND kind = 'file'"
    " AND (state = 'receiving' OR (state IN ('received', 'read') AND received_at > ?))"
)
_COMING = (
    "SELECT coalesce(sum(r.size - r.position), 0) FROM receiving r JOIN messages m ON m.id = r.message"
    " WHERE m.state = 'receiving'"
)
_WITHDRAWN = "SELECT 1 FROM withdrawals WHERE contact = ? AND named = ?"
_KNOWN = "SELECT 1 FROM receiving WHERE contact = ? AND remote = ?"
_SELECT = (
    "SELECT r.message, r.partial, r.size, r.position, r.digest FROM receiving r JOIN messages m ON m.id = r.message"
    " WHERE r.contact = ? AND r.remote = ? AND m.state = 'receiving'"
)


class FileReceiver:
    """All files that are being received."""

    def __init__(self, core: Core, transfers: Transfers) -> None:
        """Use the messenger's shared state, and clear away what a crash left."""
        self._core, self._transfers = core, transfers
        self._finished = True
        self._overdue_since: float | None = None  # in this process
        self.sweep()

    def offered(self, contact: int, offer: Offer, now: float) -> None:
        """Make room for a file, or refuse it; one that is being received and offered again begins anew."""
        core = self._core
        row = core.store.one(_SELECT, contact, offer.id)
        if row is not None and row[2] == offer.size:
            anew = "UPDATE receiving SET position = 0, digest = ?, expires = ? WHERE message = ?"
            core.store.run(anew, START_DIGEST, self._heard(now), row[0])
            self._transfers.came(row[0], 0, now)
            return
        reason, error = self._objection(contact, offer, now)
        state = MessageState.RECEIVING if reason is None else MessageState.FAILED
        entry = NewMessage(contact, MessageKind.FILE, state, offer.name, "", offer.size, 0.0, offer.id, offer.period)
        if core.store.has(_KNOWN, contact, offer.id) or core.store.has(_WITHDRAWN, contact, offer.id):
            return
        number = core.messages.add(entry, now)
        if reason is not None or core.settings.downloads is None:
            refused = reason or Reason.NO_ROOM
            core.messages.explain(number, error or REASONS_HERE[refused])
            core.message_changed(number)
            core.enqueue(contact, CONTROL_LANE, Refuse(offer.id, refused), None, now)
            return
        partial = core.settings.downloads.absolute() / f".{os.urandom(12).hex()}.part"
        expires = self._heard(now)
        values = (number, contact, offer.id, str(partial), offer.size, START_DIGEST, expires)
        core.store.run("INSERT INTO receiving VALUES (?, ?, ?, ?, ?, 0, ?, ?)", *values)
        self._transfers.came(number, 0, now)

    def chunk(self, contact: int, chunk: Chunk, now: float) -> None:
        """Put a chunk in its place; one of a file that is not being received is ignored."""
        core = self._core
        row = core.store.one(_SELECT, contact, chunk.id)
        if row is None:
            return
        message, partial, size, position, digest = row
        end = position + len(chunk.content)
        if position < chunk.position < size:
            return  # the sender gave the file up: it says so, and why, in a moment
        try:
            if chunk.position != position or end > size:
                raise FileTrouble(Reason.DAMAGED)
            write_chunk(Path(partial), position, chunk.content)
        except FileTrouble as trouble:
            self._fail(contact, message, chunk.id, trouble.reason, now)
            return
        digest = chain(bytes(digest), chunk.content)
        taken = "UPDATE receiving SET position = ?, digest = ?, expires = ? WHERE message = ?"
        core.store.run(taken, end, digest, self._heard(now), message)
        self._transfers.came(message, end, now)

    def ended(self, contact: int, end: End | SignedEnd, now: float) -> None:
        """Check the whole file and show it under its name."""
        core = self._core
        row = core.store.one(_SELECT, contact, end.id)
        if row is None:
            return
        message, partial, size, position, digest = row
        try:
            if position != size or not crypto.equal(bytes(digest), end.digest):
                raise FileTrouble(Reason.DAMAGED)
            path = finish(Path(partial), size, core.messages.get(message).text)
        except FileTrouble as trouble:
            self._fail(contact, message, end.id, trouble.reason, now)
            return
        self._finished = True
        core.messages.arrived(message, str(path), now)
        core.messages.step(message, MessageEvent.COMPLETE)
        core.emit(MessageReceived(core.messages.get(message)))

    def aborted(self, contact: int, abort: Abort) -> None:
        """The sender gave a file up."""
        row = self._core.store.one(_SELECT, contact, abort.id)
        if row is not None:
            self._finished = True
            self._core.fail_message(row[0], REASONS_HERE[abort.reason])

    def number_of(self, contact: int, remote: WireId) -> int | None:
        """Our number of a file that is being received, by the sender's."""
        return self._core.store.value(int, _SELECT, contact, remote)

    def reject(self, message: int, error: str) -> None:
        """A file that is complete is not what it claims to be: `error` says what."""
        self._finished = True
        self._core.fail_message(message, error)

    def give_up(self, contact: int, error: str) -> None:
        """Stop taking files of a contact, which is not told."""
        query = (
            "SELECT r.message FROM receiving r JOIN messages m ON m.id = r.message WHERE r.contact = ? AND m.state = ?"
        )
        for (message,) in self._core.store.all(query, contact, MessageState.RECEIVING.value):
            self._finished = True
            self._core.fail_message(message, error)

    def forget(self) -> None:
        """Messages of files that were coming are deleted: remove what came of them."""
        self._finished = True
        self.sweep()

    def expire(self, now: float) -> None:
        """Give up files of which nothing has come for so long that their senders have given them up, or are gone.

        Not at once where this process finds them overdue: it may have been away, and the pieces may wait for it.
        """
        store = self._core.store
        overdue = store.all("SELECT message, contact, remote FROM receiving WHERE expires <= ?", now)
        if not overdue:
            return
        if self._overdue_since is None:
            self._overdue_since = now
        until = self._overdue_since + _PATIENCE
        if now < until:
            store.run("UPDATE receiving SET expires = ? WHERE expires <= ?", until, now)
            return
        store.run("UPDATE receiving SET expires = NULL WHERE expires <= ?", now)
        for message, contact, remote in overdue:
            if self._core.messages.get(message).state is MessageState.RECEIVING:
                self._fail(contact, message, remote, Reason.EXPIRED, now)

    def sweep(self) -> None:
        """Remove the partial files of what is received or has failed; outside of any change, when that is on disk."""
        if not self._finished or self._core.changing:
            return
        store = self._core.store
        query = (
            "SELECT r.message, r.partial FROM receiving r LEFT JOIN messages m ON m.id = r.message"
            " WHERE m.state IS NOT ?"
        )
        rows = store.all(query, MessageState.RECEIVING.value)
        for _, partial in rows:
            discard(Path(partial))
        if rows:
            with self._core.change():
                for message, _ in rows:
                    store.run("DELETE FROM receiving WHERE message = ?", message)
        self._finished = False

    def _heard(self, now: float) -> float:
        """Something of a file came: when it is given up if nothing further does."""
        expires = now + self._core.settings.message_lifetime
        self._core.expires(expires)
        return expires

    def _objection(self, contact: int, offer: Offer, now: float) -> tuple[Reason | None, str]:
        """Why a file can't be taken: for its sender, and for our user if that is another sentence."""
        settings, value = self._core.settings, self._core.store.value
        if offer.size > settings.file_limit:
            return Reason.TOO_LARGE, ""
        coming = value(int, "SELECT count(*) FROM receiving WHERE contact = ?", contact) or 0
        if settings.downloads is None or coming >= _FILES_AT_ONCE:
            return Reason.NO_ROOM, ""
        sent = value(int, _OF_A_DAY, _BLOCK, contact, now - DAY) or 0
        if sent + max(offer.size, _BLOCK) > settings.daily_files:
            return Reason.NO_ROOM, _TOO_MANY.format(limit=settings.daily_files)
        free = free_space(settings.downloads) - (value(int, _COMING) or 0)
        if free - offer.size < settings.disk_reserve:
            return Reason.NO_ROOM, _NO_SPACE.format(limit=settings.disk_reserve)
        return None, ""

    def _fail(self, contact: int, message: int, remote: WireId, reason: Reason, now: float) -> None:
        self._finished = True
        self._core.fail_message(message, REASONS_HERE[reason])
        self._core.enqueue(contact, CONTROL_LANE, Refuse(remote, reason), None, now)
