"""Messages longer than a frame, split into REQUEST or RESPONSE frames and put together again (spec/03-links.md 3.5).

Pure. Promises: what comes back is exactly what was split, or RemoteError; parts of several messages may alternate, but
those of one message come in order, as links keep it; no more is kept than the limits allow, whatever a peer announces.
The frames' counters stay free for whoever sends them: parts are numbered in their bodies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from mixnet.errors import LocalError, RemoteError
from mixnet.link.frames import PACKET_SIZE, Frame, FrameKind

MESSAGE_LIMIT = 4 * 1024 * 1024  # bytes
STREAMS_LIMIT = 8  # messages that may be incomplete at a time
_PART = struct.Struct(">III")  # stream id, part number, length of the whole message
PART_SIZE = PACKET_SIZE - _PART.size
_LARGEST_ID = 2**32 - 1
_KINDS = (FrameKind.REQUEST, FrameKind.RESPONSE)


def split(message: bytes, kind: FrameKind, stream_id: int) -> list[Frame]:
    """All frames of a message, as `parts` gives them."""
    return list(parts(message, kind, stream_id))


def parts(message: bytes, kind: FrameKind, stream_id: int) -> Iterator[Frame]:
    """The frames of `message` (at most 4 MiB), which the peer's `Assembler` tells apart by `stream_id` (32 bits).

    Each is made when it is taken: a peer that takes nothing holds no copy of the message.
    """
    if kind not in _KINDS or not 0 <= stream_id <= _LARGEST_ID:
        raise LocalError("a message travels in REQUEST or RESPONSE frames, under a number of 32 bits")
    if len(message) > MESSAGE_LIMIT:
        raise LocalError(f"a message has at most {MESSAGE_LIMIT} bytes, not {len(message)}")
    starts = range(0, max(len(message), 1), PART_SIZE)
    return (
        Frame(kind, _PART.pack(stream_id, number, len(message)) + message[start : start + PART_SIZE])
        for number, start in enumerate(starts)
    )


@dataclass(slots=True)
class _Partial:
    """What came of a message so far."""

    total: int
    parts: int = 0
    data: bytearray = field(default_factory=bytearray)


class Assembler:
    """Puts the messages of one link together; keeps `limit` bytes and `streams` incomplete messages at most."""

    def __init__(self, *, limit: int = MESSAGE_LIMIT, streams: int = STREAMS_LIMIT) -> None:
        self._limit = limit
        self._streams = streams
        self._partial: dict[tuple[FrameKind, int], _Partial] = {}
        self._kept = 0

    def feed_untrusted(self, frame: Frame) -> tuple[int, bytes] | None:
        """(stream id, message) when `frame` completes one; RemoteError for a part that is wrong, or one too many."""
        if frame.kind not in _KINDS or len(frame.body) < _PART.size:
            raise RemoteError("a frame that is no part of a message")
        stream_id, number, total = _PART.unpack_from(frame.body)
        part = frame.body[_PART.size :]
        key = (frame.kind, stream_id)
        partial = self._partial.get(key) or self._begin_untrusted(key, total)
        if number != partial.parts or total != partial.total:
            raise RemoteError("a part of a message out of order")
        if len(part) != min(PART_SIZE, total - len(partial.data)):
            raise RemoteError("a part of a message of the wrong length")
        if self._kept + len(part) > self._limit:
            raise RemoteError("more incomplete messages than are kept")
        partial.data += part
        partial.parts += 1
        self._kept += len(part)
        if len(partial.data) < total:
            return None
        del self._partial[key]
        self._kept -= total
        return stream_id, bytes(partial.data)

    def _begin_untrusted(self, key: tuple[FrameKind, int], total: int) -> _Partial:
        if total > self._limit:
            raise RemoteError("a message that is too long")
        if len(self._partial) >= self._streams:
            raise RemoteError("more incomplete messages than are kept")
        partial = self._partial[key] = _Partial(total)
        return partial
