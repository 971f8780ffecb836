"""A voice message as a file: Ogg/Opus in one form only, so that its size says how many steps long it is, and no more.

See spec/07-client.md 7.22.

Promises: two recordings of the same number of steps have the same size to the byte, whatever is heard in them; what is
parsed is what `pack` makes, byte for byte but for the packets and the length, so that no parser of a library sees what
a stranger made. Any player of Ogg/Opus plays it. Pure.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from mixnet.errors import RemoteError

RATE = 16_000  # samples a second that are recorded
FRAME = RATE // 25  # samples of a packet: 40 ms
PACKET_SIZE = 80  # bytes: 16 kbit/s, always
STEP_PACKETS = 125
STEP = STEP_PACKETS * FRAME // RATE  # seconds: what a length is rounded up to
STEPS_LIMIT = 60
LONGEST = STEP * STEPS_LIMIT  # seconds
ENDING = ".opus"

PLAYED = 48_000  # samples a second that come out of a decoder; in files they are counted at this rate, too
PLAYED_FRAME = FRAME * PLAYED // RATE
SKIPPED = 312  # of those, which an encoder puts before the sound
_STEP_CLOCK = STEP * PLAYED
_HEAD_SIZE, _GRANULE, _CRC = 27, slice(6, 14), slice(22, 26)
_SERIAL = b"mixn"
_FIRST, _LAST = 2, 4
_OPUS_HEAD = b"OpusHead\x01\x01" + SKIPPED.to_bytes(2, "little") + RATE.to_bytes(4, "little") + bytes(3)
_OPUS_TAGS = b"OpusTags" + (6).to_bytes(4, "little") + b"mixnet" + bytes(4)
_MIRRORED = bytes(int(f"{one:08b}"[::-1], 2) for one in range(256))
# The length of a frame in an Opus packet by its configuration (RFC 6716, table 2), in units of 2.5 ms.
_SPEECH, _HYBRID, _MUSIC = (4, 8, 16, 24), (4, 8), (1, 2, 4, 8)
_FRAME_LENGTHS = _SPEECH * 3 + _HYBRID * 2 + _MUSIC * 4
_UNITS = 16  # 40 ms


class NoVoice(RemoteError):
    """This is no voice message of this program, so it is not played here: open the file with a player of your own."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Packets of 40 ms each, of which `length` samples at `RATE` are the recording; silence follows."""

    packets: tuple[bytes, ...] = field(repr=False)
    length: int

    @property
    def seconds(self) -> float:
        """How long it is heard."""
        return self.length / RATE


def steps(length: int) -> int:
    """How many steps a recording of so many samples takes."""
    return max(1, -(-(length * PLAYED // RATE + SKIPPED) // _STEP_CLOCK))


def pack(voice: Voice) -> bytes:
    """The file; the packets are those of whole steps."""
    pages = [_page(0, 0, _FIRST, (_OPUS_HEAD,)), _page(1, 0, 0, (_OPUS_TAGS,))]
    count = len(voice.packets) // STEP_PACKETS
    for number in range(count):
        last = number == count - 1
        heard = voice.length * PLAYED // RATE + SKIPPED if last else (number + 1) * _STEP_CLOCK
        packets = voice.packets[number * STEP_PACKETS : (number + 1) * STEP_PACKETS]
        pages.append(_page(number + 2, heard, _LAST if last else 0, packets))
    return b"".join(pages)


def parse_untrusted(raw: bytes) -> Voice:
    """The voice message in a file, if it is exactly what `pack` makes of one; NoVoice."""
    count, rest = divmod(len(raw) - _START, _PAGE_SIZE)
    if rest or not 1 <= count <= STEPS_LIMIT:
        raise NoVoice
    last = raw[-_PAGE_SIZE:]
    heard = int.from_bytes(last[_GRANULE], "little") - SKIPPED
    length, odd = divmod(heard * RATE, PLAYED)
    if heard <= 0 or odd or steps(length) != count:
        raise NoVoice
    packets = []
    for page in range(count):
        at = _START + page * _PAGE_SIZE + _HEAD_SIZE + STEP_PACKETS
        packets += [raw[at + n * PACKET_SIZE : at + (n + 1) * PACKET_SIZE] for n in range(STEP_PACKETS)]
    voice = Voice(tuple(packets), length)
    if pack(voice) != raw or not all(_lasts(packet) for packet in packets):
        raise NoVoice
    return voice


def size_of(count: int) -> int:
    """The bytes of a file of so many steps."""
    return _START + count * _PAGE_SIZE


def _lasts(packet: bytes) -> bool:
    """Whether a packet says that it is of 40 ms (RFC 6716, section 3.1), in one channel."""
    frames = (1, 2, 2, packet[1] & 63)[packet[0] & 3]
    return not packet[0] & 4 and frames * _FRAME_LENGTHS[packet[0] >> 3] == _UNITS


def _page(number: int, granule: int, flags: int, packets: tuple[bytes, ...]) -> bytes:
    """A page of Ogg (RFC 3533): each packet is shorter than 255 bytes, so it is one segment."""
    page = bytearray(b"OggS\0" + bytes([flags]) + granule.to_bytes(8, "little") + _SERIAL)
    page += number.to_bytes(4, "little") + bytes(4) + bytes([len(packets), *map(len, packets)])
    page += b"".join(packets)
    page[_CRC] = _checksum(page)
    return bytes(page)


def _checksum(page: bytes | bytearray) -> bytes:
    """Ogg's, which is the usual CRC-32 with all bits mirrored and nothing inverted."""
    found = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return found.to_bytes(4, "little").translate(_MIRRORED)[::-1]


_START = len(_page(0, 0, _FIRST, (_OPUS_HEAD,))) + len(_page(1, 0, 0, (_OPUS_TAGS,)))
_PAGE_SIZE = _HEAD_SIZE + STEP_PACKETS * (1 + PACKET_SIZE)
