"""Packets that come back to whoever sent them, made cheaply and kept compactly (spec/13-measurements.md 13.8).

Pure. Promises: every node on the route finds a genuine header, with delays drawn as senders draw them, and no two
packets share a key; what comes out of the last one tells its number to whoever made it, without any more arithmetic.
Bodies are random bytes, as in the middle of any route; one packet in `WHOLE_EVERY` has a body that comes out as
`Stock.body`, so that a node which spoils bodies is noticed. The route ends where a recipient's hop would be, so no
route of a load has more than five.
"""

from __future__ import annotations

import os
import random
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from mixnet.link import FRAME_HEADER_SIZE, Frame, FrameKind
from mixnet.sphinx import GEOMETRY, Command, Kind, header, microseconds, payload
from mixnet.sphinx.keys import establish

WHOLE_EVERY = 64
MARK_SIZE = 8
_NUMBER = struct.Struct(">Q")
_GAMMA = slice(GEOMETRY.alpha_size + GEOMETRY.beta_size, GEOMETRY.header_size)
_FRAME = Frame(FrameKind.PACKET, bytes(GEOMETRY.packet_size)).encode()[:FRAME_HEADER_SIZE]
_CLEAR = struct.Struct(f">{GEOMETRY.target_size}sI")


@dataclass(frozen=True, slots=True)
class Way:
    """The hops of a load: their Sphinx keys (32 bytes each), and to whom each sends (32 bytes each).

    `holds` of them, the first ones, hold a packet for an exponential time of mean `mean_delay` seconds.
    """

    keys: tuple[bytes, ...]
    following: tuple[bytes, ...]
    holds: int
    mean_delay: float


class Stock:
    """Packets of one way, numbered from 0, to be sent once each."""

    def __init__(self) -> None:
        """Begin with none; `mark` tells the packets of this stock from all others."""
        self.mark = os.urandom(MARK_SIZE)
        self.body = os.urandom(GEOMETRY.body_size)
        self.delays = array("d")
        self._headers = bytearray()
        self._whole: dict[int, bytes] = {}
        self._next = 0

    def __len__(self) -> int:
        """How many are left."""
        return len(self.delays) - self._next

    @property
    def taken(self) -> int:
        """How many were taken: the number of the next one."""
        return self._next

    def add(self, way: Way, rng: random.Random) -> None:
        """Make one packet; `rng` draws its delays."""
        number = len(self.delays)
        delays = [_draw(rng, way.mean_delay) for _ in range(way.holds)] + [0] * (len(way.keys) - way.holds)
        commands = [
            Command(Kind.FORWARD, target, delay).serialize()
            for target, delay in zip(way.following, delays, strict=True)
        ]
        alpha, secrets = establish(os.urandom(32), way.keys)
        # The last hop takes the first bytes of the padding for the gamma of one more.
        last = _NUMBER.pack(number) + self.mark
        padding = last + os.urandom(GEOMETRY.padding_size(len(way.keys)) - len(last))
        beta, gamma = header.build(secrets, commands, padding)
        self._put(alpha + beta + gamma, sum(delays))
        if number % WHOLE_EVERY == 0:
            keys = [secret.pi() for secret in reversed(secrets)]
            self._whole[number] = payload.permute_all(keys, self.body)

    def add_clear(self, following: bytes, mean_delay: float, rng: random.Random) -> None:
        """Make one packet for a node without cryptography (altered_nodes.py), or for nobody but its sender."""
        number, delay = len(self.delays), _draw(rng, mean_delay)
        plain = _CLEAR.pack(following, delay).ljust(_GAMMA.start, b"\0")
        self._put(plain + _NUMBER.pack(number) + self.mark, delay)

    def take(self, most: int) -> list[bytes]:
        """The frames of the next packets, `most` at most."""
        end = min(self._next + most, len(self.delays))
        numbers = range(self._next, end)
        self._next = end
        size = GEOMETRY.header_size
        return [
            _FRAME + self._headers[number * size : (number + 1) * size] + self._whole.get(number, self.body)
            for number in numbers
        ]

    def number_untrusted(self, packet: bytes) -> int | None:
        """The number of a packet that came back; None if it is none of this stock that was taken."""
        gamma = packet[_GAMMA]
        number: int = _NUMBER.unpack_from(gamma)[0]
        return number if gamma[_NUMBER.size :] == self.mark and number < self._next else None

    def spoilt(self, number: int, packet: bytes) -> bool:
        """Whether a packet whose body should have come out as it was meant to has another one."""
        return number in self._whole and packet[GEOMETRY.header_size :] != self.body

    def _put(self, head: bytes, delay_us: int) -> None:
        self._headers += head
        self.delays.append(delay_us / 1e6)


def open_clear(packet: bytes) -> tuple[bytes, float]:
    """(next hop, delay in seconds) of a packet that `add_clear` made."""
    following, delay_us = _CLEAR.unpack_from(packet)
    return following, delay_us / 1e6


def clear_tag(packet: bytes) -> bytes:
    """16 bytes that no two packets of `add_clear` share."""
    return packet[_GAMMA]


def mark_untrusted(packet: bytes) -> bytes:
    """The mark of the stock that a packet may belong to, wherever it comes from."""
    return packet[_GAMMA][_NUMBER.size :]


def even(count: int, most: int) -> Sequence[int]:
    """At most `most` positions spread evenly over `count`."""
    step = max(1, -(-count // most))
    return range(0, count, step)


def _draw(rng: random.Random, mean: float) -> int:
    return microseconds(rng.expovariate(1 / mean)) if mean > 0 else 0
