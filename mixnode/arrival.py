"""An incoming packet, and how many of one link may wait in the first queue (spec/04-mixing.md 4.1).

Promises: it never leaves memory; of one link no more than its share waits in the first queue, however fast it sends, so
that the others' packets find room there. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mixnet.link import Role


@dataclass(slots=True, eq=False)
class Share:
    """How many packets of one link may still enter the first queue."""

    left: int


class Arrived(NamedTuple):
    """A packet (3,072 bytes), when it came (seconds of Trio's clock), from what kind of peer, and from whose share."""

    packet: bytes
    when: float
    origin: Role
    share: Share | None = None
