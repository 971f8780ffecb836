"""Handshakes under way, before anybody knows who comes (spec/03-links.md 3.6). Pure.

Promises: handshakes from origins at which members are or were (`familiar`) and those from anywhere else have budgets
of their own, so that however many others knock, members come in. All origins at which one member proved itself have one
budget together: a corrupt one gains nothing by coming from many. So many begin in a second from one origin, and so many
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
ORIGINS_EACH = 4  # of one of them, beside where it is listed


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
        self.under_way: dict[T, str | bytes] = {}  # oldest first
        self._limits = limits
        self._together = together
        self._each: TokenBuckets[str | bytes] = TokenBuckets(limits.origin_rate, limits.origin_burst, now)

    def knock(self, handshake: T, who: str | bytes, now: float) -> Knock[T]:
        if not self._each.take(who, 1, now) or (self._together and not self._together.take(1, now)):
            return Knock(admitted=False)
        displaced = self._busiest() if len(self.under_way) >= self._limits.under_way else None
        if displaced is not None:
            del self.under_way[displaced]
        self.under_way[handshake] = who
        return Knock(True, displaced)

    def _busiest(self) -> T:
        number = Counter(self.under_way.values())
        most = max(number.values())
        return next(one for one, who in self.under_way.items() if number[who] == most)


class Doorstep(Generic[T]):
    """The handshakes of one server; what stands for one is any hashable thing."""

    def __init__(self, limits: KnockLimits, now: float) -> None:
        self._proved: dict[str, bytes] = {}  # who proved itself at an origin last; the newest last
        # Members are not many: together they need no bound, and so none of them takes the others' part.
        self._members: _Kind[T] = _Kind(limits, now, together=None)
        self._others: _Kind[T] = _Kind(limits, now, together=TokenBucket(limits.rate, limits.burst, now))

    def expect(self, origin: str, identity: bytes) -> None:
        """The member with this identity proved itself at an origin."""
        self._proved.pop(origin, None)
        self._proved[origin] = identity
        mine = [one for one, owner in self._proved.items() if owner == identity]
        for one in mine[:-ORIGINS_EACH] or list(self._proved)[:-MOST_ORIGINS]:
            del self._proved[one]

    def knock(self, handshake: T, origin: str, now: float, *, familiar: bool = False) -> Knock[T]:
        """Whether a handshake with somebody at `origin` may begin; who gives way has no place here any more.

        `familiar`: whether a member is listed there.
        """
        if familiar:
            return self._members.knock(handshake, origin, now)
        if origin in self._proved:
            return self._members.knock(handshake, self._proved[origin], now)
        return self._others.knock(handshake, origin, now)

    def leave(self, handshake: T) -> None:
        """A handshake is over, however."""
        self._members.under_way.pop(handshake, None)
        self._others.under_way.pop(handshake, None)
