"""The doors between a node's rooms: bounded channels that drop instead of waiting (SPEC.md section 4).

Promises: `put` never waits, so no room can hold up the one before it: what finds the room full is dropped and counted
under the room's own reason. `take` gives all that waits, up to a batch, so that work at load is done in batches and at
idle at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import trio

from mixnet.counters import Counters, Dropped

T = TypeVar("T")
BATCH = 32  # one write of a link; also bounds how long a room computes before others run


class Room(Generic[T]):
    """A bounded queue with one task that takes from it."""

    def __init__(self, size: int, counters: Counters, full: Dropped) -> None:
        """Hold up to `size` items; further ones are counted as `full`."""
        self._in, self._out = trio.open_memory_channel[T](size)
        self._counters = counters
        self._full = full

    def put(self, items: Sequence[T]) -> int:
        """Let `items` in, in order, as far as there is room; how many came in."""
        for position, item in enumerate(items):
            try:
                self._in.send_nowait(item)
            except trio.WouldBlock:
                self._counters.drop(self._full, len(items) - position)
                return position
        return len(items)

    async def take(self) -> list[T]:
        """Wait for an item; it and what else waits, `BATCH` items at most."""
        batch = [await self._out.receive()]
        while len(batch) < BATCH:
            try:
                batch.append(self._out.receive_nowait())
            except trio.WouldBlock:
                break
        return batch

    def clear(self) -> int:
        """Empty the room; how many items were in it."""
        dropped = 0
        while len(self):
            self._out.receive_nowait()
            dropped += 1
        return dropped

    def __len__(self) -> int:
        return self._out.statistics().current_buffer_used
