"""Acknowledgements: what a receiver has got, sent through a reply block of the contact.

Promises: one acknowledgement covers every lane of a session, cumulatively and fragment by fragment; it is authenticated
with the channel's key; older ones that arrive late do no harm, since they say less. It covers only what is stored.

    kind 1 · channel 16 · MAC 16 · newest transmission 4 · milliseconds held 2 (all ones: not told) ·
        for each lane: next message number 4 · n 1 · n times (number - next 1 · bitmap of fragments 4) ·
                       t 1 · t times (tag 8) of the t messages before `next`
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mixnet import crypto
from mixnet.client.arq.delivery_tags import TAG_SIZE
from mixnet.client.arq.fragments import (
    BROKEN,
    CHANNEL_SIZE,
    LANES,
    MAX_FRAGMENTS,
    WINDOW,
    ChannelKey,
    PlaintextKind,
    check_mac_untrusted,
    seal,
)
from mixnet.errors import RemoteError

_PREFIX_SIZE = 1 + CHANNEL_SIZE + crypto.MAC_SIZE + 4
_HELD = struct.Struct(">H")
_LANE = struct.Struct(">IB")
_PARTIAL = struct.Struct(">BI")
_NOT_TOLD = 0xFFFF
_HELD_LIMIT = _NOT_TOLD - 1
_TAGS = struct.Struct(">B")


@dataclass(frozen=True, slots=True)
class LaneReport:
    """All messages below `next_number` are delivered; of some later ones, the fragments in their bitmap are stored.

    `tags` tell what the last of the delivered messages were (client/storage/session_history.py), the newest last.
    """

    next_number: int
    partial: dict[int, int]
    tags: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Ack:
    """A receiver's report: the newest transmission it saw, for how long it held that (seconds), and its lanes.

    `held` is None if it doesn't tell: it answers at random moments, and the time of arrival would show it there then.
    `broken`: it knows that the session is broken.
    """

    newest: int
    held: float | None
    lanes: tuple[LaneReport, ...]
    broken: bool = False

    def encode(self, channel: ChannelKey) -> bytes:
        """The plaintext of a reply."""
        held = _NOT_TOLD if self.held is None else min(_HELD_LIMIT, max(0, round(self.held * 1000)))
        rest = bytearray(_HELD.pack(held))
        for lane in self.lanes:
            rest += _LANE.pack(lane.next_number, len(lane.partial))
            for number, bitmap in lane.partial.items():
                rest += _PARTIAL.pack(number - lane.next_number, bitmap)
            rest += _TAGS.pack(len(lane.tags)) + b"".join(lane.tags)
        return seal(channel, PlaintextKind.ACK | self.broken * BROKEN, self.newest, bytes(rest))


def channel_of_untrusted(raw: bytes) -> bytes:
    """The channel that a reply is about; RemoteError if it is no acknowledgement."""
    if len(raw) < _PREFIX_SIZE or raw[0] & ~BROKEN != PlaintextKind.ACK:
        raise RemoteError("a reply that is no acknowledgement")
    return raw[1 : 1 + CHANNEL_SIZE]


def parse_untrusted(raw: bytes, channel: ChannelKey) -> Ack:
    """The report in `raw`; RemoteError unless its MAC and every field are right."""
    channel_of_untrusted(raw)
    check_mac_untrusted(channel, raw)
    newest = int.from_bytes(raw[_PREFIX_SIZE - 4 : _PREFIX_SIZE], "big")
    try:
        (held,) = _HELD.unpack_from(raw, _PREFIX_SIZE)
        at = _PREFIX_SIZE + _HELD.size
        lanes = []
        for _ in range(LANES):
            lane, at = _parse_lane_untrusted(raw, at)
            lanes.append(lane)
    except struct.error:
        raise RemoteError("an acknowledgement that ends early") from None
    if at != len(raw):
        raise RemoteError("an acknowledgement with something behind it")
    told = None if held == _NOT_TOLD else held / 1000
    return Ack(newest, told, tuple(lanes), bool(raw[0] & BROKEN))


def _parse_lane_untrusted(raw: bytes, at: int) -> tuple[LaneReport, int]:
    next_number, count = _LANE.unpack_from(raw, at)
    at += _LANE.size
    partial: dict[int, int] = {}
    for _ in range(count):
        ahead, bitmap = _PARTIAL.unpack_from(raw, at)
        at += _PARTIAL.size
        if ahead >= WINDOW or bitmap >> MAX_FRAGMENTS or next_number + ahead in partial:
            raise RemoteError("an acknowledgement of what was never sent")
        partial[next_number + ahead] = bitmap
    (tags,) = _TAGS.unpack_from(raw, at)
    at += _TAGS.size
    end = at + tags * TAG_SIZE
    if tags > min(WINDOW, next_number) or end > len(raw):
        raise RemoteError("an acknowledgement with too many tags")
    return LaneReport(
        next_number, partial, tuple(raw[start : start + TAG_SIZE] for start in range(at, end, TAG_SIZE))
    ), end
