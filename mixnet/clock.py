"""Wall clock, virtual clock, and epochs (spec/01-rooms.md 1.2, spec/05-directory.md 5.5).

Promises: an actor learns the time of day only from the clock it was given; durations and deadlines are Trio's, so that
under a virtual clock both move together. What must wait to less than a millisecond asks the clock for a timer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import trio

from mixnet.errors import LocalError
from mixnet.timer import Timer, TrioTimer, timerfd


class Clock(Protocol):
    """The time of day, and how to wait."""

    def now(self) -> float:
        """Seconds since the Unix epoch, in UTC."""

    def past(self) -> float:
        """What was over before this time may be destroyed; it is `now`, unless that is doubtful."""

    def timer(self) -> Timer:
        """A new timer, as exact as this clock has them."""


class WallClock:
    """The machine's own clock, for real processes."""

    def now(self) -> float:
        """Seconds since the Unix epoch, as the operating system has them."""
        return time.time()

    def past(self) -> float:
        """The same."""
        return time.time()

    def timer(self) -> Timer:
        """One of the kernel's; one of Trio's, a millisecond less exact, where the kernel gives none."""
        return timerfd() or TrioTimer()


class VirtualClock:
    """A time of day that moves with Trio's clock: under `MockClock` hours pass in seconds."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        """Let the run begin at `start`, in seconds since the Unix epoch."""
        self._start = start

    def now(self) -> float:
        """`start` plus what Trio's clock says; call it inside a Trio run only."""
        return self._start + trio.current_time()

    def past(self) -> float:
        """The same."""
        return self.now()

    def timer(self) -> Timer:
        """One of Trio's, which virtual time makes exact."""
        return TrioTimer()


@dataclass(frozen=True, slots=True)
class Epochs:
    """The division of time into epochs: number 0 starts at `genesis` and each lasts `length` seconds."""

    genesis: float
    length: float

    def __post_init__(self) -> None:
        """Refuse a length that would never advance."""
        if not self.length > 0:
            raise LocalError("an epoch lasts longer than 0 seconds: correct `epoch_length`")

    def at(self, when: float) -> int:
        """The number of the epoch in which `when` (seconds since the Unix epoch) lies; negative before genesis."""
        return int((when - self.genesis) // self.length)

    def start(self, epoch: int) -> float:
        """When `epoch` starts, in seconds since the Unix epoch."""
        return self.genesis + epoch * self.length

    def end(self, epoch: int) -> float:
        """When `epoch` ends and the next one starts."""
        return self.start(epoch + 1)
