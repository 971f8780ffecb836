"""The times of a Poisson process, from a random stream of its own (spec/04-mixing.md 4.4, spec/06-providers.md 6.3).

Promises: the times depend on the stream and the rate alone, never on what is sent or on how long that took. A slot that
is late by up to `PATIENCE` seconds is used at once; one that is later is gone, so that a machine that stood still
doesn't make up for it with a burst. Pure: the time is an argument.
"""

from __future__ import annotations

import math
import random

PATIENCE = 0.25  # seconds


class PoissonSchedule:
    """Slots with exponential gaps."""

    def __init__(self, stream: random.Random, start: float) -> None:
        """The first gap begins at `start`, in seconds of any clock."""
        self._stream = stream
        self._last = start

    def next(self, rate: float, now: float) -> tuple[float, int]:
        """(when the next slot is, how many before it were too late to be used), for `rate` slots a second."""
        if rate <= 0:
            return math.inf, 0
        skipped = -1
        while skipped < 0 or self._last < now - PATIENCE:
            self._last += self._stream.expovariate(rate)
            skipped += 1
        return self._last, skipped
