"""How long a part that failed is left alone, so that it neither stops others nor is tried again and again.

Pure. In memory only: after a restart everything is tried once more.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
FIRST, LONGEST = 1.0, 600.0  # seconds


class Setbacks(Generic[K]):
    """The parts that have failed since they last succeeded; each pause of one is twice as long as the one before."""

    def __init__(self) -> None:
        self._of: dict[K, tuple[float, float]] = {}  # until when, and for how long

    def failed(self, part: K, now: float) -> None:
        """It is left alone for a while."""
        _, before = self._of.get(part, (0.0, 0.0))
        pause = min(max(FIRST, 2 * before), LONGEST)
        self._of[part] = (now + pause, pause)

    def succeeded(self, part: K) -> None:
        """It works, again."""
        self._of.pop(part, None)

    def waits(self, part: K, now: float) -> bool:
        """Whether it is to be left alone; never because a clock was set back, by however much."""
        until, pause = self._of.get(part, (0.0, 0.0))
        return until - pause <= now < until

    def until(self, part: K) -> float:
        """When it may be tried again; 0.0 if nothing is known against it."""
        return self._of.get(part, (0.0, 0.0))[0]
