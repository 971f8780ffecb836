"""Packets that have come in, and whose turn it is to be peeled (spec/04-mixing.md 4.1).

Promises: they never leave memory. `put` never waits; of one link no more than its share of the room waits, which is
smaller the more links have something waiting, and what finds none is dropped and counted. `take` gives each link that
waits a packet in turn, so that who sends more than its part of a busy node loses its own packets and nobody else's; of
a batch links of nodes have three quarters, as far as they use them, since each carries many people's. What comes alone
to an empty queue is dealt with then and there, as in any queue of a node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import trio

from mixnet.counters import Counters, Dropped
from mixnet.link import Role
from mixnode.queues import BATCH

SHARE = 256  # packets of one link that may wait, if few links have any
LEAST = 4  # and however many have
ROOM = 768  # packets of links of one kind, divided among them
NODES_PART = BATCH * 3 // 4  # of a batch, if both kinds wait


@dataclass(slots=True, eq=False)
class Sender:
    """A link from which packets come; `failed` is told how many of them no key of ours opens."""

    role: Role
    failed: Callable[[int], None] = lambda _number: None


NODES, CLIENTS = Sender(Role.NODE), Sender(Role.CLIENT)


class Arrived(NamedTuple):
    """A packet (3,072 bytes), when it came (seconds of Trio's clock), and on whose link."""

    packet: bytes
    when: float
    sender: Sender

    @property
    def origin(self) -> Role:
        """The kind of its sender."""
        return self.sender.role


class Entrance(Protocol):
    """Where packets of one sender are put."""

    def put(self, items: Sequence[Arrived], /) -> int:
        """How many found room."""


class _Lane:
    """What waits of links of one kind; the one whose turn is next is first."""

    def __init__(self) -> None:
        self._waiting: dict[Sender, deque[Arrived]] = {}
        self.length = 0

    def put(self, sender: Sender, items: Sequence[Arrived]) -> int:
        mine = self._waiting.get(sender)
        if mine is None:
            mine = self._waiting[sender] = deque()
        share = max(LEAST, min(SHARE, ROOM // len(self._waiting)))
        admitted = items[: max(0, share - len(mine))]
        mine.extend(admitted)
        self.length += len(admitted)
        return len(admitted)

    def take(self, most: int) -> list[Arrived]:
        taken: list[Arrived] = []
        while self._waiting and len(taken) < most:
            sender, packets = next(iter(self._waiting.items()))
            del self._waiting[sender]
            taken.append(packets.popleft())
            if packets:
                self._waiting[sender] = packets
        self.length -= len(taken)
        return taken


class ArrivalQueue:
    """All that waits to be peeled; one task takes from it."""

    def __init__(self, counters: Counters) -> None:
        self._nodes, self._clients = _Lane(), _Lane()
        self._counters = counters
        self._taker = trio.lowlevel.ParkingLot()
        self._alone: Callable[[list[Arrived]], None] | None = None
        self._in_a_row = 0

    def __len__(self) -> int:
        return self._nodes.length + self._clients.length

    def when_alone(self, act: Callable[[list[Arrived]], None]) -> None:
        """Have `act` deal with a packet that comes alone to the empty queue, before `put` returns."""
        self._alone = act

    def put(self, items: Sequence[Arrived]) -> int:
        """Let packets of one sender in, in order, as far as it has room; how many came in."""
        if not items:
            return 0
        if self._alone is not None and len(items) == 1 and not len(self) and self._in_a_row < BATCH:
            self._in_a_row += 1
            self._alone([items[0]])
            return 1
        sender = items[0].sender
        admitted = (self._nodes if sender.role is Role.NODE else self._clients).put(sender, items)
        if len(self):
            self._taker.unpark()
        if admitted < len(items):
            self._counters.drop(Dropped.PEEL_FULL, len(items) - admitted)
        return admitted

    async def take(self) -> list[Arrived]:
        """Wait for a packet; it and what else waits, `BATCH` at most. A take that is cancelled takes nothing."""
        if len(self):
            await trio.lowlevel.checkpoint()
        while not len(self):
            await self._taker.park()
        self._in_a_row = 0
        clients = min(self._clients.length, max(BATCH - NODES_PART, BATCH - self._nodes.length))
        return [*self._nodes.take(BATCH - clients), *self._clients.take(clients)]
