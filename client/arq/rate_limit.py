"""A rate limit for what strangers cause. Pure: time comes in as an argument.

Promises: of what any number of strangers do, at most `burst` happens at once and `burst` more in each `refill` seconds.
"""

from __future__ import annotations


class RateLimit:
    """A bucket of `burst` tokens that fills within `refill` seconds."""

    def __init__(self, burst: int, refill: float) -> None:
        self._burst, self._rate = float(burst), burst / refill
        self._level, self._at = float(burst), float("-inf")

    def has(self, now: float) -> bool:
        """Whether one more may happen."""
        self._fill(now)
        return self._level >= 1

    def spend(self, now: float) -> bool:
        """Let one happen; False, without a change, if none may."""
        if not self.has(now):
            return False
        self._level -= 1
        return True

    def _fill(self, now: float) -> None:
        if now > self._at:
            since = now - self._at
            self._level = self._burst if since == float("inf") else min(self._burst, self._level + since * self._rate)
            self._at = now
