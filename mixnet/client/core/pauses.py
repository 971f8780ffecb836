"""Random pauses: when that may leave whose moment a contact shall not learn.

Promises: a moment is drawn before anybody can know what will wait for it, from a stream of its own and an exponential
distribution, which has no memory: it says nothing of when something came, was read or was asked for. None outlives the
process: one that had passed while the daemon was off would tell when the daemon came on. What waits together leaves
together.
"""

from __future__ import annotations

import random

_LONGEST = 10  # means: one pause in 22,000 is cut


class Pauses:
    """For each contact for whom something waits, the next moment at which it may leave."""

    def __init__(self, mean: float, rng: random.Random) -> None:
        """Pauses of `mean` seconds on average."""
        self._mean, self._rng = mean, rng
        self._moments: dict[int, float] = {}

    def moment(self, contact: int, now: float) -> float:
        """When what waits for a contact may leave."""
        if contact not in self._moments:
            self._moments[contact] = now + min(self._rng.expovariate(1 / self._mean), _LONGEST * self._mean)
        return self._moments[contact]

    def drawn(self, contact: int) -> bool:
        """Whether a moment is set for a contact."""
        return contact in self._moments

    def passed(self, now: float) -> list[int]:
        """The contacts whose moment has come, each of them once."""
        come = [contact for contact, moment in self._moments.items() if moment <= now]
        for contact in come:
            del self._moments[contact]
        return come

    def next(self) -> float | None:
        """The first moment of all."""
        return min(self._moments.values(), default=None)
