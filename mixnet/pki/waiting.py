"""Waiting for a time of day, for the next attempt, and for something to change (spec/05-directory.md 5.10).

Promises: all of it is Trio's time, so it passes at once under a virtual clock; a machine that slept notices within a
minute that the time of day has moved on.
"""

from __future__ import annotations

import random

import trio

from mixnet.clock import Clock

_LONGEST_NAP = 60.0  # seconds: Trio's clock stands still while a machine sleeps, the time of day doesn't


async def sleep_until(clock: Clock, when: float) -> None:
    """Return when `clock` says `when` (seconds since the Unix epoch), or at once if that is past."""
    await trio.lowlevel.checkpoint()
    while (left := when - clock.now()) > 0:  # noqa: ASYNC110
        await trio.sleep(min(left, _LONGEST_NAP))  # no event tells that the time of day jumped


class Backoff:
    """Pauses between attempts: from `first` seconds, doubled each time up to `most`, each drawn from its upper half."""

    def __init__(self, rng: random.Random, *, first: float = 0.1, most: float = 2.0) -> None:
        self._rng = rng
        self._next = first
        self._most = most

    async def pause(self) -> None:
        """Wait before the next attempt; jitter keeps many that failed together from trying together."""
        await trio.sleep(self._next * self._rng.uniform(0.5, 1.0))
        self._next = min(2 * self._next, self._most)


class Broadcast:
    """Wakes all who wait whenever something they might wait for has changed."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def wake(self) -> None:
        """Wake all that wait now."""
        self._event.set()
        self._event = trio.Event()

    async def wait(self) -> None:
        """Return at the next `wake`; look at the state between two waits, without a checkpoint, and none is missed."""
        await self._event.wait()
