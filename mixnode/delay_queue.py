"""The queue in which packets wait for their time (spec/04-mixing.md 4.1).

Promises: a packet comes out at its time and not before, with all else that is due; what comes in later and is due
earlier wakes nobody before that. `put` never waits: the queue is bounded, few long delays can't fill it, and what it
refuses is dropped and counted. What comes out late, because the machine had no core for it in time, is counted too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import trio

from mixnet.counters import Counters, Dropped, Event
from mixnet.timer import Timer
from mixnode.delays import Delays
from mixnode.outgoing import Outgoing

HELD = 8192  # packets that may be held: 25 MB
LONGEST_DELAYS = 40  # in means: an exponential delay is longer once in 10^17 packets, so a longer one is an attack
ORDINARY_DELAYS = 8  # in means: longer ones (3 in 10,000) may take half of the queue only, since they keep it for long
LATE = 0.002  # seconds: a node that is later than this once in a hundred times is overloaded
SHORTEST_LIMIT = 10.0  # seconds that are always allowed, since the mean changes between documents


class Due(NamedTuple):
    """A packet to be forwarded, and when: seconds of Trio's clock."""

    when: float
    delay: float
    outgoing: Outgoing


class DelayQueue:
    """Packets that are held; one task takes them out."""

    def __init__(self, timer: Timer, mean_delay: Callable[[], float], counters: Counters) -> None:
        """Wake the taker by `timer`; `mean_delay` says what an ordinary delay is at the moment, in seconds."""
        self._timer = timer
        self._mean_delay = mean_delay
        self._counters = counters
        self._delays: Delays[Outgoing] = Delays()

    def __len__(self) -> int:
        return len(self._delays)

    def put(self, packets: Sequence[Due]) -> None:
        """Let packets in, as far as their delays are allowed and there is room."""
        longest, ordinary = (
            max(SHORTEST_LIMIT, LONGEST_DELAYS * self._mean_delay()),
            ORDINARY_DELAYS * self._mean_delay(),
        )
        for when, delay, outgoing in packets:
            if delay > longest:
                self._counters.drop(Dropped.LONG_DELAY)
            elif len(self._delays) >= (HELD if delay <= ordinary else HELD // 2):
                self._counters.drop(Dropped.HOLD_FULL)
            else:
                self._delays.add(when, outgoing)
        self._timer.set(self._delays.next_due)

    async def take(self) -> list[Outgoing]:
        """Wait until something is due; all that is, in the order of its due time."""
        due: list[Outgoing] = []
        while not due:
            self._timer.set(self._delays.next_due)
            await self._timer.wait()
            now = trio.current_time()
            late = self._delays.expire(now - LATE)
            self._counters.add(Event.HELD_LATE, len(late))
            due = late + self._delays.expire(now)
        return due
