"""Counts complete TLS records in a stream of bytes, so that OpenSSL needn't be asked in vain (spec/03-links.md 3.2).

Promises: as many as have come whole are counted, however the bytes were cut; nothing is kept but the beginning of a
header (RFC 8446 section 5.2: type 23, version 0x0303, length). What is no header counts as a record that is there, so
that it is refused at once by whoever opens it. Pure. Never: a judgement about what is in a record.
"""

from __future__ import annotations

_HEADER_SIZE = 5
_FIRST = b"\x17\x03\x03"
_LONGEST = 16384 + 256  # bytes after the header


class RecordCounter:
    """Counts the records of one direction."""

    def __init__(self) -> None:
        """At the beginning of a record."""
        self._missing = 0  # bytes of the record that has begun
        self._begun = b""  # of a header of which a part is missing

    def completed_untrusted(self, data: bytes) -> int:
        """How many records end in `data`, which follows all that was counted before."""
        data, at = self._begun + data, self._missing
        number = int(0 < at <= len(data))
        while len(data) - at >= _HEADER_SIZE:
            size = int.from_bytes(data[at + len(_FIRST) : at + _HEADER_SIZE])
            wrong = size > _LONGEST or not data.startswith(_FIRST, at)
            at += _HEADER_SIZE + size
            number += wrong or at <= len(data)
        self._missing = max(0, at - len(data))
        self._begun = data[at:]
        return number
