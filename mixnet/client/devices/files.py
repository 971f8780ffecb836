"""Files between a user's devices: those that a satellite sends, and those that it fetches.

Promises: as for files of contacts (client/files/): read and written a chunk at a time, on disk before it is
acknowledged, whole under its name at once or not at all, bounded in size and number. Files that a satellite sends stay
at home, in the folder `sent` of the downloads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mixnet import crypto
from mixnet.client.core.state import Core
from mixnet.client.devices.channel import FILE_LANE, has_room, post
from mixnet.client.devices.pending_requests import PendingRequests
from mixnet.client.devices.replica import Replica
from mixnet.client.e2e.bodies import REASONS, Abort, Body, Chunk, DevicePiece, End, Offer, Reason, Refuse, WireId
from mixnet.client.files.disk import START_DIGEST, FileTrouble, chain, discard, examine, finish, read_chunk, write_chunk
from mixnet.client.files.transfers import Transfers
from mixnet.client.model.errors import NotAtHome
from mixnet.client.model.views import DeviceRole, FileProgress

_AT_ONCE = 32  # files of a device
_NAME_LIMIT = 255
_SENT = "sent"
_OPEN, _WHOLE, _DONE = 0, 1, 2  # an incoming file: comes, is here, and only its partial name is left to remove


class DeviceFiles:
    """Files under way between devices."""

    def __init__(self, core: Core, transfers: Transfers, replica: Replica, pending: PendingRequests) -> None:
        """Use the messenger's shared state; `pending` learns of what a satellite can't send."""
        self._core, self._transfers, self._replica, self._pending = core, transfers, replica, pending

    # out

    def start(self, device: int, number: int, path: str, request: bytes | None) -> None:
        """Let a file go across, and then `request`; one that is on its way already goes on. FileMissing."""
        size, stamp = examine(Path(path))
        values = (device, number, path, stamp, size, START_DIGEST, request)
        self._core.store.run("INSERT OR IGNORE INTO device_outgoing VALUES (?, ?, ?, ?, ?, 0, ?, 0, ?)", *values)

    def due(self, device: int) -> bool:
        """Whether there is something to send, and room for it."""
        query = "SELECT 1 FROM device_outgoing WHERE device = ?"
        return self._core.store.has(query, device) and has_room(self._core, device, FILE_LANE)

    def send_next(self, device: int) -> None:
        """Let the next part of a file wait for its turn; the oldest file goes first."""
        store = self._core.store
        row = store.one(
            "SELECT number, path, stamp, size, position, digest, offered, request FROM device_outgoing"
            " WHERE device = ? ORDER BY number LIMIT 1",
            device,
        )
        if row is None:
            return
        number, path, stamp, size, position, digest, offered, request = row
        wire = WireId(number)  # between a user's own devices a file goes by a number that both know
        body: Body
        if not offered:
            store.run("UPDATE device_outgoing SET offered = 1 WHERE device = ? AND number = ?", device, number)
            body = Offer(wire, Path(path).name[:_NAME_LIMIT], size)
        elif position < size:
            try:
                chunk = read_chunk(Path(path), position, stamp)
            except FileTrouble as trouble:
                self.give_up(device, number, trouble.reason)
                return
            digest = chain(bytes(digest), chunk)
            query = "UPDATE device_outgoing SET position = ?, digest = ? WHERE device = ? AND number = ?"
            store.run(query, position + len(chunk), digest, device, number)
            body = Chunk(wire, position, chunk)
        else:
            store.run("DELETE FROM device_outgoing WHERE device = ? AND number = ?", device, number)
            body = End(wire, bytes(digest))
        post(self._core, device, FILE_LANE, body)
        # The request goes behind the end, in the same lane: the home has the whole file when it is asked to send it.
        if isinstance(body, End) and request is not None:
            post(self._core, device, FILE_LANE, DevicePiece(FILE_LANE, 0, bytes(request)))

    def give_up(self, device: int, number: int, reason: Reason, error: str = "") -> bool:
        """Stop sending a file, and tell the other device; `error` is for our user. Whether it was still to be sent."""
        store = self._core.store
        if not store.has("SELECT 1 FROM device_outgoing WHERE device = ? AND number = ?", device, number):
            return False
        store.run("DELETE FROM device_outgoing WHERE device = ? AND number = ?", device, number)
        post(self._core, device, FILE_LANE, Abort(WireId(number), reason))
        self._failed(device, number, error or REASONS[reason])
        return True

    def _failed(self, device: int, number: int, error: str) -> None:
        """On a satellite the request has failed, with the message that is about it."""
        core = self._core
        core.device_table.trouble(device, error)
        if not self._is_satellite(device):
            self._pending.failed(number, error)

    # in

    def heard(self, device: int, body: Offer | Chunk | End | Abort | Refuse, now: float) -> None:
        """Take a part of a file, inside of a change."""
        match body:
            case Offer():
                self._offered(device, body)
                self._came(device, body.id, 0, now)
            case Chunk():
                self._chunk(device, body)
                self._came(device, body.id, body.position + len(body.content), now)
            case End():
                self._ended(device, body)
            case Abort():
                self.drop_incoming(device, body.id)
            case Refuse():
                row = "DELETE FROM device_outgoing WHERE device = ? AND number = ?"
                self._core.store.run(row, device, body.id)
                self._failed(device, body.id, REASONS[body.reason])

    def _offered(self, device: int, offer: Offer) -> None:
        core = self._core
        folder = core.settings.downloads
        row = core.store.one("SELECT count(*) FROM device_incoming WHERE device = ?", device)
        if folder is None or row is None or row[0] >= _AT_ONCE or offer.size > core.settings.file_limit:
            reason = Reason.TOO_LARGE if offer.size > core.settings.file_limit else Reason.NO_ROOM
            post(core, device, FILE_LANE, Refuse(offer.id, reason))
            return
        if self._is_satellite(device):
            folder = folder / _SENT
        partial = folder.absolute() / f".{os.urandom(12).hex()}.part"
        values = (device, offer.id, str(partial), offer.name, offer.size, START_DIGEST, _OPEN)
        core.store.run("INSERT OR IGNORE INTO device_incoming VALUES (?, ?, ?, ?, ?, 0, ?, ?)", *values)

    def _chunk(self, device: int, chunk: Chunk) -> None:
        found = self._incoming(device, chunk.id, _OPEN)
        if found is None:
            return
        partial, _, size, position, digest = found
        end = position + len(chunk.content)
        try:
            if chunk.position != position or end > size:
                raise FileTrouble(Reason.DAMAGED)
            write_chunk(partial, position, chunk.content)
        except FileTrouble as trouble:
            self._refuse(device, chunk.id, trouble.reason)
            return
        query = "UPDATE device_incoming SET position = ?, digest = ? WHERE device = ? AND number = ?"
        self._core.store.run(query, end, chain(digest, chunk.content), device, chunk.id)

    def _came(self, device: int, number: int, done: int, now: float) -> None:
        """On a satellite so many bytes of a file that it fetches are here."""
        core = self._core
        if self._is_satellite(device) or self._incoming(device, number, _OPEN) is None:
            return
        message = self._replica.local(number)
        if message is not None:
            self._transfers.note(message, done, now)
            core.emit(FileProgress(core.messages.get(message)))

    def _ended(self, device: int, end: End) -> None:
        """At home the file is whole, and its request follows; on a satellite it appears."""
        core = self._core
        found = self._incoming(device, end.id, _OPEN)
        if found is None:
            return
        _, _, size, position, digest = found
        if position != size or not crypto.equal(digest, end.digest):
            self._refuse(device, end.id, Reason.DAMAGED)
            return
        self._set(device, end.id, _WHOLE)
        if self._is_satellite(device):
            return
        try:
            path = self.finish(device, end.id)
        except FileTrouble as trouble:
            self._refuse(device, end.id, trouble.reason)
            return
        message = self._replica.local(end.id)
        if message is not None:
            core.store.run("UPDATE messages SET path = ?, done = size WHERE id = ?", str(path), message)
            core.message_changed(message)

    def finish(self, device: int, number: int) -> Path:
        """Let a whole file appear under its name; NotAtHome if there is none, FileTrouble."""
        found = self._incoming(device, number, _WHOLE)
        if found is None:
            raise NotAtHome
        partial, name, size, *_ = found
        path = finish(partial, size, name)
        self._set(device, number, _DONE)
        return path

    def drop_incoming(self, device: int, number: int) -> None:
        """Take no more of a file."""
        self._set(device, number, _DONE)

    def forget(self, messages: Sequence[int]) -> None:
        """The user has deleted messages: their files go no further between devices, and nobody keeps their names."""
        for message in messages:
            number = self._replica.remote(message) or message  # of a satellite's, the home's
            asked = self._pending.made(message)
            for device in self._core.device_table.all():
                at_home = device.role is DeviceRole.SATELLITE
                out, back = (message, None) if at_home else (asked, number)
                if out is not None:
                    self.give_up(device.contact, out, Reason.CANCELLED)
                if back is not None:
                    self.drop_incoming(device.contact, back)

    def drop_all(self, device: int) -> None:
        """Neither send nor take files any more."""
        self._core.store.run("DELETE FROM device_outgoing WHERE device = ?", device)
        self._core.store.run("UPDATE device_incoming SET complete = ? WHERE device = ?", _DONE, device)

    def sweep(self) -> None:
        """Remove the partial names of what is done with; outside of any change, when that is on disk."""
        store = self._core.store
        rows = store.all("SELECT device, number, partial FROM device_incoming WHERE complete = ?", _DONE)
        for _, _, partial in rows:
            discard(Path(partial))
        if rows:
            with self._core.change():
                for device, number, _ in rows:
                    store.run("DELETE FROM device_incoming WHERE device = ? AND number = ?", device, number)

    def _incoming(self, device: int, number: int, complete: int) -> tuple[Path, str, int, int, bytes] | None:
        query = (
            "SELECT partial, name, size, position, digest FROM device_incoming"
            " WHERE device = ? AND number = ? AND complete = ?"
        )
        row = self._core.store.one(query, device, number, complete)
        return None if row is None else (Path(row[0]), row[1], row[2], row[3], bytes(row[4]))

    def _set(self, device: int, number: int, complete: int) -> None:
        query = "UPDATE device_incoming SET complete = ? WHERE device = ? AND number = ?"
        self._core.store.run(query, complete, device, number)

    def _refuse(self, device: int, number: int, reason: Reason) -> None:
        self.drop_incoming(device, number)
        post(self._core, device, FILE_LANE, Refuse(WireId(number), reason))

    def _is_satellite(self, device: int) -> bool:
        known = self._core.device_table.get(device)
        return known is not None and known.role is DeviceRole.SATELLITE
