"""Fragments: the parts of an encrypted message that travel in one packet each.

Promises: a message splits in one way only, known from its length; every SURB_PERIOD-th fragment and the last one
leave room for a reply block, the others use the whole packet; a fragment carries a MAC of its channel, so a changed or
foreign one is refused before it touches any state. Never: a name or key of a user; and only the recipient sees any of
it, since all of it is the innermost layer of a packet.

    fragment = kind 1 · channel 16 · MAC 16 · transmission 4 · [reply block 404 · until 4] ·
               lane 1 · message number 4 · number - floor 1 · index 1 · message length 4 · part of the message
    probe    = kind 1 · channel 16 · MAC 16 · transmission 4 · floor of each lane 4 · [reply block 404 · until 4]

The highest bit of a kind, of these and of an acknowledgement: its sender knows that the session is broken.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Self

from mixnet import crypto
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY

CHANNEL_SIZE = 16
LANES = 2  # 0 for texts and control, 1 for files: what is short never waits behind what is long
WINDOW = 16  # messages of a lane that may be under way at once
MAX_FRAGMENTS = 24  # of a message: its bitmap fits into 4 bytes of an acknowledgement
NUMBER_LIMIT = 1 << 31  # of messages in a lane
SURB_PERIOD = 8  # one fragment in this many has room for a reply block


class PlaintextKind(IntEnum):
    """The first byte of whatever a packet delivers; LOOP is the daemon's."""

    LOOP = 0
    FRAGMENT = 1
    FRAGMENT_WITH_SURB = 2
    PROBE = 3  # asks for an acknowledgement and carries nothing but its reply block
    ACK = 4
    RENEWAL = 5  # of a restored client, which can use no other key of the session (client/e2e/renewal_request.py)


BROKEN = 0x80
_PREFIX = struct.Struct(f">B{CHANNEL_SIZE}s{crypto.MAC_SIZE}sI")
PREFIX_SIZE = _PREFIX.size
_PLACE = struct.Struct(">BIBBI")
_FLOORS = struct.Struct(f">{LANES}I")
_UNTIL = struct.Struct(">I")
REPLY_SIZE = GEOMETRY.surb_size + _UNTIL.size
_MAC_AT = 1 + CHANNEL_SIZE
MAC_END = _MAC_AT + crypto.MAC_SIZE
LARGE = GEOMETRY.message_size - PREFIX_SIZE - _PLACE.size
SMALL = LARGE - REPLY_SIZE


def has_room(index: int, count: int) -> bool:
    """Whether fragment `index` of `count` leaves room for a reply block."""
    return index % SURB_PERIOD == SURB_PERIOD - 1 or index == count - 1


@lru_cache(maxsize=256)
def spans(length: int) -> tuple[tuple[int, int], ...]:
    """(start, end) of each fragment of a message of `length` bytes; LocalError for a length no message has."""
    if not 0 < length <= MESSAGE_LIMIT:
        raise LocalError(f"a message has 1 to {MESSAGE_LIMIT} bytes")
    parts: list[tuple[int, int]] = []
    start = 0
    while length - start > SMALL:
        size = SMALL if len(parts) % SURB_PERIOD == SURB_PERIOD - 1 else min(LARGE, length - start - 1)
        parts.append((start, start + size))
        start += size
    parts.append((start, length))
    return tuple(parts)


def _capacity(count: int) -> int:
    """How many bytes `count` fragments carry."""
    return sum(SMALL if has_room(index, count) else LARGE for index in range(count))


MESSAGE_LIMIT = _capacity(MAX_FRAGMENTS)


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """One direction of a session, or an invitation: a 16-byte name and the 32-byte key of its MACs."""

    channel: bytes
    key: crypto.SymmetricKey = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a name of another length."""
        if len(self.channel) != CHANNEL_SIZE:
            raise LocalError(f"a channel has {CHANNEL_SIZE} bytes")

    def tag(self, unsigned: bytes) -> bytes:
        """The MAC of a plaintext whose own MAC is left out."""
        return crypto.mac(self.key.expose(), unsigned)


def seal(channel: ChannelKey, kind: int, transmission: int, rest: bytes) -> bytes:
    """A plaintext with its MAC: over kind (and BROKEN), channel, transmission and all that follows."""
    tag = channel.tag(_PREFIX.pack(kind, channel.channel, bytes(crypto.MAC_SIZE), transmission) + rest)
    return _PREFIX.pack(kind, channel.channel, tag, transmission) + rest


@dataclass(frozen=True, slots=True)
class ReplyBlock:
    """A serialized reply block, and the wall time (whole seconds, 32 bits) until which it may be used.

    Later its keys may be gone. The first hop, which is the replier's provider, would drop the packet as malformed, and
    see by that that it was an acknowledgement and no cover.
    """

    surb: bytes = field(repr=False)
    until: int

    def serialize(self) -> bytes:
        """REPLY_SIZE bytes; LocalError for a block or a time of another size."""
        if len(self.surb) != GEOMETRY.surb_size or not 0 <= self.until < 1 << 32:
            raise LocalError(f"a reply block has {GEOMETRY.surb_size} bytes, and its end 32 bits")
        return self.surb + _UNTIL.pack(self.until)

    @classmethod
    def parse_untrusted(cls, raw: bytes) -> Self:
        """The block in REPLY_SIZE bytes; RemoteError for another size. What is in it only the network can judge."""
        if len(raw) != REPLY_SIZE:
            raise RemoteError("a reply block of the wrong size")
        return cls(raw[: GEOMETRY.surb_size], _UNTIL.unpack_from(raw, GEOMETRY.surb_size)[0])


@dataclass(frozen=True, slots=True)
class Fragment:
    """Part `index` of message `number` in a lane; the sender has given up every message below `floor`."""

    lane: int
    number: int
    floor: int
    index: int
    length: int
    part: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Probe:
    """No part of any message; the sender has given up every message of a lane below its floor."""

    floors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FragmentToSend:
    """A fragment and the channel that authenticates it, waiting for its reply block."""

    channel: ChannelKey
    transmission: int
    fragment: Fragment
    broken: bool = False

    def encode(self, block: ReplyBlock | None) -> bytes:
        """The plaintext of a packet; LocalError for a reply block where there is no room."""
        f = self.fragment
        kind = PlaintextKind.FRAGMENT if block is None else PlaintextKind.FRAGMENT_WITH_SURB
        place = _PLACE.pack(f.lane, f.number, f.number - f.floor, f.index, f.length)
        raw = seal(self.channel, kind | self.broken * BROKEN, self.transmission, _serialized(block) + place + f.part)
        if len(raw) > GEOMETRY.message_size:
            raise LocalError("a fragment without room for a reply block got one")
        return raw


@dataclass(frozen=True, slots=True)
class ProbeToSend:
    """A request for an acknowledgement, with the floor of each lane."""

    channel: ChannelKey
    transmission: int
    floors: tuple[int, ...]
    broken: bool = False

    def encode(self, block: ReplyBlock | None) -> bytes:
        """The plaintext of a packet; without a reply block it can't be answered, and only tells the floors."""
        rest = _FLOORS.pack(*self.floors) + _serialized(block)
        return seal(self.channel, PlaintextKind.PROBE | self.broken * BROKEN, self.transmission, rest)


def _serialized(block: ReplyBlock | None) -> bytes:
    return b"" if block is None else block.serialize()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified plaintext: its transmission number, the reply block that came along, and the fragment or floors.

    `broken`: its sender knows that the session is broken.
    """

    transmission: int
    block: ReplyBlock | None
    content: Fragment | Probe
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Unverified:
    """A plaintext of which only the channel was read: find the channel's key, then `verify_untrusted`."""

    channel: bytes
    raw: bytes = field(repr=False)

    @classmethod
    def parse_untrusted(cls, raw: bytes) -> Self:
        """Read the channel; RemoteError for anything that is no fragment or probe."""
        if not PREFIX_SIZE <= len(raw) <= GEOMETRY.message_size:
            raise RemoteError("a fragment of the wrong size")
        if raw[0] & ~BROKEN not in _ARRIVING:
            raise RemoteError("a plaintext of an unknown kind")
        return cls(raw[1:_MAC_AT], raw)

    def verify_untrusted(self, channel: ChannelKey) -> Arrival:
        """What it carries; RemoteError unless the MAC and every field are right."""
        check_mac_untrusted(channel, self.raw)
        first, _, _, transmission = _PREFIX.unpack_from(self.raw)
        kind, broken = first & ~BROKEN, bool(first & BROKEN)
        rest = self.raw[PREFIX_SIZE:]
        if kind == PlaintextKind.FRAGMENT:
            return Arrival(transmission, None, _parse_place_untrusted(rest), broken)
        if kind == PlaintextKind.PROBE:
            floors, rest = rest[: _FLOORS.size], rest[_FLOORS.size :]
            block = ReplyBlock.parse_untrusted(rest) if rest else None
            return Arrival(transmission, block, _parse_probe_untrusted(floors), broken)
        block = ReplyBlock.parse_untrusted(rest[:REPLY_SIZE])
        return Arrival(transmission, block, _parse_place_untrusted(rest[REPLY_SIZE:]), broken)


_ARRIVING = frozenset({PlaintextKind.FRAGMENT, PlaintextKind.FRAGMENT_WITH_SURB, PlaintextKind.PROBE})


def check_mac_untrusted(channel: ChannelKey, raw: bytes) -> None:
    """Raise RemoteError unless `raw` (a whole plaintext) was sealed for `channel`."""
    unsigned = raw[:_MAC_AT] + bytes(crypto.MAC_SIZE) + raw[MAC_END:]
    if raw[1:_MAC_AT] != channel.channel or not crypto.equal(channel.tag(unsigned), raw[_MAC_AT:MAC_END]):
        raise RemoteError("a fragment that is not genuine")


def _parse_probe_untrusted(rest: bytes) -> Probe:
    if len(rest) != _FLOORS.size:
        raise RemoteError("a probe of the wrong size")
    floors: tuple[int, ...] = _FLOORS.unpack_from(rest)
    if max(floors) >= NUMBER_LIMIT:
        raise RemoteError("a probe with an impossible floor")
    return Probe(floors)


def _parse_place_untrusted(rest: bytes) -> Fragment:
    if len(rest) < _PLACE.size:
        raise RemoteError("a fragment that ends early")
    lane, number, behind, index, length = _PLACE.unpack_from(rest)
    part = rest[_PLACE.size :]
    if lane >= LANES or number >= NUMBER_LIMIT or behind > number:
        raise RemoteError("a fragment with an impossible number")
    if behind >= WINDOW or not 0 < length <= MESSAGE_LIMIT:
        raise RemoteError("a fragment of an impossible message")
    parts = spans(length)
    if index >= len(parts) or parts[index][1] - parts[index][0] != len(part):
        raise RemoteError("a fragment with an impossible part")
    return Fragment(lane, number, number - behind, index, length, part)
