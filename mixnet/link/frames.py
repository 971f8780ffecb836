"""Frames: everything that travels on a link, in one size (spec/03-links.md 3.3). Pure.

Promises: each frame has `FRAME_SIZE` bytes, whatever it carries, and one encoding only. Never: more than one packet in
a frame.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from mixnet.errors import LocalError, RemoteError

PACKET_SIZE = 3072
FRAME_HEADER_SIZE = 24
FRAME_SIZE = FRAME_HEADER_SIZE + PACKET_SIZE
FRAME_VERSION = 1

_HEADER = struct.Struct(">BBHQQI")  # kind, version, length of the body, sequence, acknowledged, reserved
_ZEROS = bytes(PACKET_SIZE)
_LARGEST_COUNTER = 2**64 - 1


class FrameKind(IntEnum):
    """What the body of a frame is."""

    PAD = 0  # nothing: cover
    HELLO = 1  # the greeting of the handshake
    PACKET = 2  # a Sphinx packet that the receiver peels
    MAIL = 3  # a stored packet, from a provider to its client
    REQUEST = 4  # part of a longer message that asks
    RESPONSE = 5  # part of a longer message that answers
    MOVED = 6  # the only one on a link: the client's mailbox belongs to a restored copy of it


_KINDS = {int(kind): kind for kind in FrameKind}
_LENGTHS = {
    FrameKind.PAD: (0, 0),
    FrameKind.HELLO: (1, PACKET_SIZE),
    FrameKind.PACKET: (PACKET_SIZE, PACKET_SIZE),
    FrameKind.MAIL: (PACKET_SIZE, PACKET_SIZE),
    FrameKind.REQUEST: (1, PACKET_SIZE),
    FrameKind.RESPONSE: (1, PACKET_SIZE),
    FrameKind.MOVED: (0, 0),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A body of at most 3,072 bytes, and two counters (unsigned 64 bits) that its kind gives a meaning."""

    kind: FrameKind
    body: bytes = b""
    sequence: int = 0
    acknowledged: int = 0

    def encode(self) -> bytes:
        """`FRAME_SIZE` bytes, padded with zeros; LocalError if the body or a counter doesn't fit the kind."""
        size = len(self.body)
        least, most = _LENGTHS[self.kind]
        if not least <= size <= most:
            raise LocalError(f"the body of a {self.kind.name} frame has {least} to {most} bytes, not {size}")
        if not (0 <= self.sequence <= _LARGEST_COUNTER and 0 <= self.acknowledged <= _LARGEST_COUNTER):
            raise LocalError("a frame's counters are unsigned and have 64 bits")
        header = _HEADER.pack(self.kind, FRAME_VERSION, size, self.sequence, self.acknowledged, 0)
        return header + self.body if size == PACKET_SIZE else b"".join((header, self.body, _ZEROS[size:]))

    @classmethod
    def decode_untrusted(cls, data: bytes) -> Frame:
        """The frame that `FRAME_SIZE` bytes encode; RemoteError for any bytes that `encode` would not give."""
        if len(data) != FRAME_SIZE:
            raise RemoteError("a frame of the wrong size")
        return _decode_untrusted(data, 0)


def _decode_untrusted(data: bytes, start: int) -> Frame:
    """The frame at `start` of `data`, where `FRAME_SIZE` bytes are: it spares a copy of each frame of a batch."""
    number, version, size, sequence, acknowledged, reserved = _HEADER.unpack_from(data, start)
    kind = _KINDS.get(number)
    if kind is None or version != FRAME_VERSION or reserved:
        raise RemoteError("a frame of an unknown kind")
    least, most = _LENGTHS[kind]
    if not least <= size <= most:
        raise RemoteError("a frame whose length does not fit its kind")
    body = start + FRAME_HEADER_SIZE
    end = body + size
    if size < PACKET_SIZE and data[end : start + FRAME_SIZE] != _ZEROS[size:]:
        raise RemoteError("a frame whose padding is not zero")
    return Frame(kind, data[body:end], sequence, acknowledged)


class FrameReader:
    """Reads the frames that come on one link; a greeting may only come first."""

    def __init__(self) -> None:
        self._started = False

    def read_untrusted(self, data: bytes) -> list[Frame]:
        """The frames that `data` is made of; RemoteError for a wrong one, after which the link is of no use."""
        if len(data) % FRAME_SIZE:
            raise RemoteError("a part of a frame")
        frames = [_decode_untrusted(data, start) for start in range(0, len(data), FRAME_SIZE)]
        for frame in frames:
            if frame.kind is FrameKind.HELLO and self._started:
                raise RemoteError("a second greeting")
            self._started = True
        return frames
