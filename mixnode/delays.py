"""A heap of items that are held until their due times (spec/04-mixing.md 4.1).

Promises: whatever is due comes out, in the order of its due time, together with everything else that is due; equal
times come out in the order they went in; never early. Time is an argument: the module knows no clock.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Delays(Generic[T]):
    """Items with due times."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_due(self) -> float:
        """When the next item is due; infinity if none is held."""
        return self._heap[0][0] if self._heap else float("inf")

    def add(self, due: float, item: T) -> None:
        """Hold `item` until `due` (same clock as that of `expire`)."""
        heapq.heappush(self._heap, (due, next(self._order), item))

    def expire(self, now: float) -> list[T]:
        """Take out everything due at `now` or before."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due
