"""Bounded queues between a node's stages, which drop instead of waiting (spec/04-mixing.md 4.1).

Promises: `put` never waits, so no stage can hold up the one before it: what finds the queue full is dropped and counted
under the queue's own reason. `take` gives all that waits, up to a batch, so that work at load is done in batches and at
idle at once; whoever waits for something is woken once for all that was put at a time. Where a queue has a function
for it, an item that comes alone to an empty queue is dealt with then and there, which spares a turn of the scheduler,
but not more than a batch of them in a row, or those of many peers would make others wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import trio

from mixnet.counters import Counters, Dropped

T = TypeVar("T")
BATCH = 32  # one write of a link; also bounds how long a stage computes before others run


class DropQueue(Generic[T]):
    """A bounded queue with one task that takes from it."""

    def __init__(self, size: int, counters: Counters, full: Dropped) -> None:
        """Hold up to `size` items; further ones are counted as `full`."""
        self._items: deque[T] = deque()
        self._size = size
        self._taker = trio.lowlevel.ParkingLot()
        self._counters = counters
        self._full = full
        self._alone: Callable[[list[T]], None] | None = None
        self._in_a_row = 0

    def when_alone(self, act: Callable[[list[T]], None]) -> None:
        """Have `act` deal with an item that comes alone to the empty queue, before `put` returns."""
        self._alone = act

    def put(self, items: Sequence[T]) -> int:
        """Let `items` in, in order, as far as there is room; how many came in."""
        if self._alone is not None and len(items) == 1 and not self._items and self._in_a_row < BATCH:
            self._in_a_row += 1
            self._alone([items[0]])
            return 1
        admitted = items[: self._size - len(self._items)]
        self._items.extend(admitted)
        if self._items:
            self._taker.unpark()
        if len(admitted) < len(items):
            self._counters.drop(self._full, len(items) - len(admitted))
        return len(admitted)

    async def take(self) -> list[T]:
        """Wait for an item; it and what else waits, `BATCH` items at most. A take that is cancelled takes nothing."""
        if self._items:
            await trio.lowlevel.checkpoint()
        while not self._items:
            await self._taker.park()
        self._in_a_row = 0
        return [self._items.popleft() for _ in range(min(BATCH, len(self._items)))]

    def clear(self) -> int:
        """Empty the queue; how many items were in it."""
        dropped = len(self._items)
        self._items.clear()
        return dropped

    def __len__(self) -> int:
        return len(self._items)
