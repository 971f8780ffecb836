"""How much somebody may do in a time: token buckets (spec/03-links.md 3.6; spec/06-providers.md 6.2).

Promises: over any span of t seconds at most `burst + rate * t` pass; who keeps to the rate is never refused more than
chance makes it exceed the burst. A bucket in a table outlives its owner's connections, so that to come again gives
nothing; one that is full again is forgotten, so that the table holds only who did something lately. Time is an
argument: the module knows no clock.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")
MOST_BUCKETS = 65_536  # of a table, about 20 MB


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
        self._fill(now)
        granted = min(wanted, max(0, int(self._tokens)))
        self._tokens -= granted
        return granted

    def has(self, now: float) -> bool:
        """Whether one may pass at `now` (seconds); no token is gone by that."""
        self._fill(now)
        return self._tokens >= 1

    def charge(self, number: float) -> None:
        """Take tokens for what has been done already: they may be owed, but never more than `burst`."""
        self._tokens = max(self._tokens - number, -self._burst)

    def full(self, now: float) -> bool:
        """Whether it has been refilled by `now`, so that a new one is the same."""
        return self._tokens + self._rate * max(0.0, now - self._when) >= self._burst

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + self._rate * max(0.0, now - self._when))
        self._when = max(self._when, now)


class TokenBuckets(Generic[T]):
    """A bucket for each owner, as long as it is not full."""

    def __init__(self, rate: float, burst: float, now: float, *, most: int = MOST_BUCKETS) -> None:
        """Keep at most `most` buckets; owners beyond them share one."""
        self._rate, self._burst, self._most = rate, burst, most
        self._buckets: dict[T, TokenBucket] = {}  # who took something last comes last
        self._shared = TokenBucket(rate, burst, now)

    def __len__(self) -> int:
        return len(self._buckets)

    def adapt(self, rate: float, burst: float) -> None:
        """Go by another rate and burst from now on, all of them."""
        if (rate, burst) != (self._rate, self._burst):
            self._rate, self._burst = rate, burst
            for bucket in (*self._buckets.values(), self._shared):
                bucket.adapt(rate, burst)

    def take(self, owner: T, wanted: int, now: float) -> int:
        """How many of `wanted` may pass for `owner` at `now` (seconds); those tokens are gone."""
        bucket = self._buckets.pop(owner, None)
        if bucket is None:
            self._forget_full(now)
            if len(self._buckets) >= self._most:
                return self._shared.take(wanted, now)
            bucket = TokenBucket(self._rate, self._burst, now)
        granted = bucket.take(wanted, now)
        self._buckets[owner] = bucket
        return granted

    def charge(self, owner: T, number: float) -> None:
        """Take tokens of `owner` for what it has done already."""
        bucket = self._buckets.get(owner)
        if bucket is not None:  # a new one would be full; who has done something has one, or shares one
            bucket.charge(number)

    def _forget_full(self, now: float) -> None:
        """Forget the oldest buckets that are full again: two at most, so that a take is never long work."""
        for _ in range(2):
            oldest = next(iter(self._buckets), None)
            if oldest is None or not self._buckets[oldest].full(now):
                return
            del self._buckets[oldest]
