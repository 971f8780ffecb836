"""Looks at the headers of TLS records before OpenSSL does: frames bound the work (spec/03-links.md 3.2). Pure.

Promises: a handshake has at most 16 records and 8 KiB in a direction, 640 bytes of them sealed, and is given out one
record at a time; after it each record holds one to five whole frames, and what has another size is refused by its
header, before any of it is opened. Kept are a handshake's record that has begun, and then no more than the beginning of
a header. Never: a judgement about what is in a record.
"""

from __future__ import annotations

from mixnet.errors import RemoteError
from mixnet.link.frames import FRAME_SIZE

HEADER_SIZE = 5  # type 1, version 2, length 2 (RFC 8446 section 5.1)
SEAL_SIZE = 17  # content type 1, tag 16
RECORD_OVERHEAD = HEADER_SIZE + SEAL_SIZE
FRAMES_OF_A_RECORD = 5
RECORD_SIZE = FRAMES_OF_A_RECORD * FRAME_SIZE  # the most plaintext of a record; TLS allows 16,384
SHORTEST_RECORD = FRAME_SIZE + RECORD_OVERHEAD
MOST_TICKETS = 2
MOST_HANDSHAKE_RECORDS = 16  # our own initiator sends 5 and our responder 6
MOST_HANDSHAKE_BYTES = 8192
# Of them in sealed records: our initiator sends 398 and our responder 503. They hold the certificate, and OpenSSL takes
# keys apart before it shows us whose they are: for explicit curves that is a millisecond for each 400 bytes.
MOST_SEALED_BYTES = 640

_TYPES = range(20, 24)  # change_cipher_spec, alert, handshake, application_data: all that TLS 1.3 has
_SEALED = b"\x17\x03\x03"
_TICKET_SIZE = 74  # as OpenSSL's server sends two of
_TICKET = _SEALED + _TICKET_SIZE.to_bytes(2)
_PLAINTEXTS = {
    _SEALED + (FRAME_SIZE * frames + SEAL_SIZE).to_bytes(2): FRAME_SIZE * frames
    for frames in range(1, FRAMES_OF_A_RECORD + 1)
}


class HandshakeRecords:
    """The records of one direction until TLS is done."""

    def __init__(self) -> None:
        """At the beginning of a stream."""
        self._data = b""
        self._records = 0
        self._bytes = 0
        self._sealed = 0

    @property
    def missing(self) -> int:
        """How many bytes must come before there can be another record."""
        return max(HEADER_SIZE, self._next) - len(self._data)

    @property
    def rest(self) -> bytes:
        """What came behind the last record that was taken."""
        return self._data

    def put(self, data: bytes) -> None:
        """Take what came; `take_untrusted` must have said None before."""
        self._data += data

    def take_untrusted(self) -> bytes | None:
        """The next record; None if it isn't whole yet, RemoteError if it is none of TLS or beyond the bounds."""
        size = self._next
        if not size:
            return None
        known = self._data[0] in _TYPES and self._data[1] == 3
        if not known or self._records == MOST_HANDSHAKE_RECORDS or self._bytes + size > MOST_HANDSHAKE_BYTES:
            raise RemoteError("a handshake that is none of TLS, or too long")
        sealed = size if self._data[0] == _SEALED[0] else 0
        if self._sealed + sealed > MOST_SEALED_BYTES:
            raise RemoteError("a certificate that is longer than ours")
        if len(self._data) < size:
            return None
        record, self._data = self._data[:size], self._data[size:]
        self._records += 1
        self._bytes += size
        self._sealed += sealed
        return record

    @property
    def _next(self) -> int:
        """The size of the record that has begun; 0 before its header is whole."""
        data = self._data
        return HEADER_SIZE + int.from_bytes(data[3:HEADER_SIZE]) if len(data) >= HEADER_SIZE else 0


class FrameRecords:
    """The records of one direction after TLS is done: frames, and before them the responder's tickets."""

    def __init__(self, *, tickets: int) -> None:
        """At the beginning of a record; `tickets` may come first."""
        self.tickets = 0  # that were let through
        self._most_tickets = tickets
        self._missing = 0  # bytes of the record that has begun
        self._begun = b""  # of a header of which a part is missing
        self._size = 0  # the plaintext of the record that has begun

    @property
    def missing(self) -> int:
        """How many bytes must come before there can be a whole record of frames."""
        return self._missing or SHORTEST_RECORD - len(self._begun)

    def completed_untrusted(self, data: bytes) -> list[int]:
        """The sizes of the plaintexts of the records of frames that end in `data`, which follows all that came before.

        RemoteError for a header of anything else: nothing of `data` may be opened then.
        """
        data, at = self._begun + data, self._missing
        sizes = [self._size] if self._size and 0 < at <= len(data) else []
        while len(data) - at >= HEADER_SIZE:
            header = data[at : at + HEADER_SIZE]
            size = _PLAINTEXTS.get(header)
            if size is None:
                self._let_through_untrusted(header)
                at += HEADER_SIZE + _TICKET_SIZE
                size = 0
            else:
                self._most_tickets = 0
                at += size + RECORD_OVERHEAD
                if at <= len(data):
                    sizes.append(size)
            self._size = size
        self._missing = max(0, at - len(data))
        self._begun = data[at:]
        return sizes

    def _let_through_untrusted(self, header: bytes) -> None:
        """Refuse what is no ticket, or one too many."""
        if header != _TICKET or self.tickets >= self._most_tickets:
            raise RemoteError("a record that holds no whole frames")
        self.tickets += 1
