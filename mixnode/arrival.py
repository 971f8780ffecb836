"""What a node knows of a packet when it comes in (SPEC.md section 4). It never leaves memory."""

from __future__ import annotations

from typing import NamedTuple

from mixnet.link import Role


class Arrived(NamedTuple):
    """A packet (3,072 bytes), when it came (seconds of Trio's clock), and from what kind of peer."""

    packet: bytes
    when: float
    origin: Role
