"""Sends files: offers them, reads them chunk by chunk, ends them.

Promises: a chunk is read only when the one before it is under way, so a file of any size takes the memory of one chunk;
several files to a contact take turns, a few at a time; a file that vanishes or changes is given up, its receiver told.
"""

from __future__ import annotations

from pathlib import Path

from mixnet.client.arq.sender import USER
from mixnet.client.core.conversation import Parcel
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import REASONS, Abort, Body, Chunk, End, Offer, Reason, SignedEnd, encode
from mixnet.client.e2e.statements import NAME_LIMIT
from mixnet.client.files.disk import START_DIGEST, FileTrouble, chain, examine, read_chunk
from mixnet.client.files.transfers import Transfers
from mixnet.client.model.errors import FileTooLarge
from mixnet.client.model.failures import GivenUp
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.database import Row
from mixnet.client.storage.messages import NewMessage

FILE_LANE = 1
_FILES_AT_ONCE = 8  # of one contact: more than those wait for their turn
_NEXT = (
    "WHERE message IN (SELECT message FROM sending WHERE contact = ? ORDER BY offered DESC, message LIMIT ?)"
    " ORDER BY served, message LIMIT 1"
)
_SELECT = "SELECT message, path, stamp, size, position, digest, offered, expires FROM sending "


class FileSender:
    """All files that are being sent."""

    def __init__(self, core: Core, transfers: Transfers) -> None:
        self._core, self._transfers = core, transfers

    def start(
        self, contact: int, path: Path, now: float, lifetime: float | None = None, *, signed: bool = False
    ) -> int:
        """Queue a file, for `lifetime` seconds, and return its message's number; FileMissing, FileTooLarge."""
        core = self._core
        path = path.expanduser().absolute()
        size, stamp = examine(path)
        if size > core.settings.file_limit:
            raise FileTooLarge
        expires = now + (core.settings.message_lifetime if lifetime is None else lifetime)
        with core.change():
            period = core.contacts.get(contact).period
            said = (MessageKind.FILE, MessageState.QUEUED, path.name, str(path), size)
            entry = NewMessage(contact, *said, period=period)
            number = core.messages.add(entry, now)
            core.messages.name_for_contact(number)
            query = "INSERT INTO sending VALUES (?, ?, ?, ?, ?, 0, ?, 0, 0, ?)"
            core.store.run(query, number, contact, str(path), stamp, size, START_DIGEST, expires)
            if signed:
                core.signatures.promise(number)
            core.files.add(contact)
            core.expires(expires)
        return number

    def next_parcel(self, contact: int, now: float) -> Parcel | None:
        """What to send next of the contact's files: of the one whose turn it is; None if there are none."""
        core = self._core
        while True:
            row = core.store.one(_SELECT + _NEXT, contact, _FILES_AT_ONCE)
            if row is None:
                core.files.discard(contact)
                return None
            turn = "UPDATE sending SET served = (SELECT max(served) + 1 FROM sending) WHERE message = ?"
            core.store.run(turn, row[0])
            try:
                return self._parcel(row, now)
            except FileTrouble as trouble:
                self.give_up(row[0], trouble.reason, now)
                if core.store.one("SELECT 1 FROM waiting WHERE contact = ? AND lane = ?", contact, FILE_LANE):
                    return None  # the receiver is told first

    def give_up(self, message: int, reason: Reason, now: float, error: str | GivenUp = "") -> None:
        """Stop sending a file, and tell the receiver `reason` if it knows of the file; `error` is for our user."""
        core = self._core
        row = core.store.one("SELECT offered FROM sending WHERE message = ?", message)
        offered = row is None or bool(row[0])
        if core.fail_message(message, error or REASONS[reason]) and offered:
            contact = core.messages.contact_of(message)
            abort = Abort(core.messages.wire_id(message), reason)
            core.enqueue(contact, FILE_LANE, abort, None, now, account=USER)

    def delivered(self, message: int, size: int, now: float) -> None:
        """`size` more bytes of a file are across."""
        core = self._core
        done = core.messages.get(message).done + size
        self._transfers.came(message, done, now)

    def _parcel(self, row: Row, now: float) -> Parcel:
        message, path, stamp, size, position, digest, offered, expires = row
        run, wire = self._core.store.run, self._core.messages.wire_id(message)
        body: Body
        read = 0
        if not offered:
            run("UPDATE sending SET offered = 1 WHERE message = ?", message)
            body = Offer(wire, Path(path).name[:NAME_LIMIT], size, self._core.messages.get(message).period)
        elif position < size:
            chunk = read_chunk(Path(path), position, stamp)
            read = len(chunk)
            digest = chain(bytes(digest), chunk)
            run("UPDATE sending SET position = ?, digest = ? WHERE message = ?", position + read, digest, message)
            body = Chunk(wire, position, chunk)
        else:
            run("DELETE FROM sending WHERE message = ?", message)
            receiver = self._core.contacts.get(self._core.messages.contact_of(message)).identity
            body = self._core.signatures.end(
                message, End(wire, bytes(digest)), receiver, (Path(path).name[:NAME_LIMIT], size), now
            )
        return Parcel(FILE_LANE, encode(body), message, isinstance(body, End | SignedEnd), read, expires)
