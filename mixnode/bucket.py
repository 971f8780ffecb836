"""How much a client may send: a token bucket (spec/06-providers.md 6.2).

Promises: over any span of t seconds at most `burst + rate * t` frames pass; a client that keeps to its rates is never
refused more than chance makes it exceed the burst. Time is an argument: the module knows no clock.
"""

from __future__ import annotations


class TokenBucket:
    """Tokens that refill at `rate` a second up to `burst`."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """Start full."""
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._when = now

    def adapt(self, rate: float, burst: float) -> None:
        """Go by another rate and burst from now on."""
        self._rate, self._burst = rate, burst

    def take(self, wanted: int, now: float) -> int:
        """How many of `wanted` frames may pass at `now` (seconds); those tokens are gone."""
        self._tokens = min(self._burst, self._tokens + self._rate * max(0.0, now - self._when))
        self._when = max(self._when, now)
        granted = min(wanted, int(self._tokens))
        self._tokens -= granted
        return granted
