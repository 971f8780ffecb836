"""Handshakes under way, before anybody knows who comes (spec/03-links.md 3.6). Pure.

Promises: handshakes from origins at which members are or were (`familiar`) and those from anywhere else have budgets
of their own, so that however many others knock, members come in. So many begin in a second from one origin, and so many
of strangers in all, which bounds what TLS costs; so many of a kind are under way: beyond, the oldest of the origin with
the most gives way, since an honest handshake is over soon. Never: a right that an origin gives: what counts is the
identity, once it is proven.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from mixnet.bucket import TokenBucket, TokenBuckets

T = TypeVar("T")
MOST_ORIGINS = 4096  # origins of members that are remembered


@dataclass(frozen=True, slots=True)
class KnockLimits:
    """Handshakes of one kind at a time; how many begin in a second and at once: of strangers, and from one origin."""

    under_way: int = 128
    rate: float = 100.0
    burst: float = 1024.0
    origin_rate: float = 25.0  # many people may share an address
    origin_burst: float = 768.0


class Knock(NamedTuple, Generic[T]):
    """Whether a handshake may begin, and which one gives way to it."""

    admitted: bool
    displaced: T | None = None


class _Kind(Generic[T]):
    """Handshakes of familiar origins, or those of all others."""

    def __init__(self, limits: KnockLimits, now: float, *, together: TokenBucket | None) -> None:
        self.under_way: dict[T, str] = {}  # oldest first
        self._limits = limits
        self._together = together
        self._origins: TokenBuckets[str] = TokenBuckets(limits.origin_rate, limits.origin_burst, now)

    def knock(self, handshake: T, origin: str, now: float) -> Knock[T]:
        if not self._origins.take(origin, 1, now) or (self._together and not self._together.take(1, now)):
            return Knock(admitted=False)
        displaced = self._busiest() if len(self.under_way) >= self._limits.under_way else None
        if displaced is not None:
            del self.under_way[displaced]
        self.under_way[handshake] = origin
        return Knock(True, displaced)

    def _busiest(self) -> T:
        number = Counter(self.under_way.values())
        most = max(number.values())
        return next(one for one, origin in self.under_way.items() if number[origin] == most)


class Doorstep(Generic[T]):
    """The handshakes of one server; what stands for one is any hashable thing."""

    def __init__(self, limits: KnockLimits, now: float) -> None:
        self._familiar: dict[str, None] = {}  # the last one last
        # Members' origins are not many: together they need no bound, and so none of them takes the others' part.
        self._members: _Kind[T] = _Kind(limits, now, together=None)
        self._others: _Kind[T] = _Kind(limits, now, together=TokenBucket(limits.rate, limits.burst, now))

    def expect(self, origin: str) -> None:
        """A member is at this origin, or proved itself there."""
        self._familiar.pop(origin, None)
        self._familiar[origin] = None
        while len(self._familiar) > MOST_ORIGINS:
            del self._familiar[next(iter(self._familiar))]

    def knock(self, handshake: T, origin: str, now: float, *, familiar: bool = False) -> Knock[T]:
        """Whether a handshake with somebody at `origin` may begin; who gives way has no place here any more."""
        kind = self._members if familiar or origin in self._familiar else self._others
        return kind.knock(handshake, origin, now)

    def leave(self, handshake: T) -> None:
        """A handshake is over, however."""
        self._members.under_way.pop(handshake, None)
        self._others.under_way.pop(handshake, None)
