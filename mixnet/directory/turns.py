"""Whose question is next, and how many bytes may be spent on all of them (spec/05-directory.md 5.9).

Promises: over any span of t seconds what is let through costs at most `burst + rate * t` and one more question; those
who wait share that equally by what they cost, however many questions each of them asks and however large the answers
are: start-time fair queueing (Goyal, Vin, Cheng 1996). Who asks seldom goes before who asks all the time.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

import trio

_SHORTEST_WAIT = 0.001  # seconds
_FEW = 64  # owners that may be remembered in vain


@dataclass(slots=True, eq=False)
class _Waiter:
    owner: bytes | str
    cost: int
    turn: trio.Event = field(default_factory=trio.Event)
    gone: bool = False


class Turns:
    """One budget, shared by all that wait for it."""

    def __init__(self, rate: float, burst: float) -> None:
        """`rate` in bytes a second, `burst` in bytes at once."""
        self._rate, self._burst = rate, burst
        self._left, self._when = burst, trio.current_time()
        self._waiting: list[tuple[float, int, _Waiter]] = []  # by the time at which each begins, in bytes served
        self._served = 0.0
        self._ends: dict[bytes | str, float] = {}  # when the last one of an owner ends, if that is to come
        self._numbers = itertools.count()
        self._gone = 0  # of those that wait, at most: they gave up
        self._work = trio.Event()

    async def take(self, owner: bytes | str, cost: int) -> None:
        """Wait until it is the turn of `owner` for something that costs so many bytes."""
        waiter = _Waiter(owner, cost)
        begins = max(self._served, self._ends.get(owner, 0.0))
        self._ends[owner] = begins + cost
        heapq.heappush(self._waiting, (begins, next(self._numbers), waiter))
        self._work.set()
        try:
            await waiter.turn.wait()
        except trio.Cancelled:
            waiter.gone = True
            self._gone += 1
            if self._gone > len(self._waiting) // 2 + _FEW:
                self._waiting = [one for one in self._waiting if not one[2].gone]
                heapq.heapify(self._waiting)
                self._gone = 0
            raise

    async def run(self) -> None:
        """Give turns until cancelled."""
        while True:
            while self._waiting:
                await self._recover()
                if not self._waiting:
                    break  # they gave up meanwhile
                begins, _, waiter = heapq.heappop(self._waiting)
                if not waiter.gone:
                    self._left -= waiter.cost
                    # It goes on by an equal part of the cost: new owners, however many, don't stay before old ones.
                    self._served = max(begins, self._served + waiter.cost / (1 + len(self._waiting)))
                    waiter.turn.set()
                if len(self._ends) > 2 * (len(self._waiting) + _FEW):
                    self._forget()
            self._served, self._ends = 0.0, {}  # nobody waits: all begin anew
            self._work = trio.Event()
            await self._work.wait()

    def _forget(self) -> None:
        """Forget owners whose last one has begun to end: they are as everybody who comes anew."""
        self._ends = {owner: end for owner, end in self._ends.items() if end > self._served}

    async def _recover(self) -> None:
        """Wait until something is left of the budget: the last one may have taken more than there was."""
        while True:
            now = trio.current_time()
            self._left = min(self._burst, self._left + self._rate * (now - self._when))
            self._when = now
            if self._left > 0:
                return
            await trio.sleep(max(-self._left / self._rate, _SHORTEST_WAIT))
