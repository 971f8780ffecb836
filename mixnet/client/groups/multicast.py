"""The author's side of a group message: plans the tree, waits for acknowledgements, plans again around absent members.

Promises: pure: times and randomness come in, branches go out. A member that doesn't answer in time is in doubt; those
behind it get a tree of their own at once, with members in doubt on its leaves only; who is in doubt twice is written to
directly, once, and the session's own retransmission does the rest (spec/07-client.md 7.17; Rollercoaster's fault
tolerance). Plans are few, so nobody forwards a message for ever.

A time-out is several times a packet's way, so where many of those in the inner places of the first tree may be away it
comes too late. Then the first tree is hedged: after its own children everybody sends spare copies to a few others,
drawn at random, so those behind somebody who is away get the message before anybody knows that they lack it.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.groups.rollercoaster import LATENCY_LIMIT, Branch, TreePlace, arrange, places, split

T = TypeVar("T", bytes, int)
_MISSES = 2  # time-outs after which a member is written to directly
PLANS = 48  # trees and direct messages for one message, at most
_PATIENCE = 4.0  # standard deviations of one way that an answer may be late
_QUEUE = 2  # slots that a receipt waits at each level: behind acknowledgements, and for its turn
SPARE_PLAN = 60  # what a spare copy has for the number of its tree
SPARES = 7  # packets that everybody spends on spare copies of a message, if it is hedged
_SURE = 0.05  # of those who should pass a message on this share may be unheard of without a hedge


@dataclass(frozen=True, slots=True)
class TreeTiming:
    """Seconds: between payload slots, of mixing and the down-link, of one way with all links, and its deviation.

    Who passes a message on gathers for `gather` seconds the receipts of those behind it.
    """

    slot: float
    mixing: float
    one_way: float
    spread: float
    gather: float

    @classmethod
    def of(cls, settings: MessengerSettings) -> TreeTiming:
        """What the network's parameters say; what they allow for links counts for time-outs only."""
        mixing = 4 * settings.mean_delay + 1 / settings.downlink_rate
        slot = 1 / settings.payload_rate
        return cls(slot, mixing, settings.one_way, settings.spread, max(settings.ack_delay, _QUEUE * slot))

    @property
    def latency(self) -> int:
        """How many slots pass while a packet is under way: what a tree is planned for."""
        return min(LATENCY_LIMIT, round(self.mixing / self.slot))


@dataclass(frozen=True, slots=True)
class TreePlan(Generic[T]):
    """What the source sends now: `number` tells this tree from others for the same message.

    Whoever gets the message for the first time sends `spares` copies more, to members drawn at random.
    """

    number: int
    branches: list[Branch[T]]
    spares: int = 0


class Delivery(Generic[T]):
    """One message under way to all of a group."""

    def __init__(
        self,
        targets: Iterable[T],
        doubted: Collection[T],
        timing: TreeTiming,
        rng: random.Random,
        *,
        packets: int = 1,
        plans: int = 0,
    ) -> None:
        """`doubted` did not answer lately; the message takes `packets`; `plans` were made before a restart."""
        self._timing, self._rng, self._plans, self._packets = timing, rng, plans, packets
        self._deadline: dict[T, float] = dict.fromkeys(targets, math.inf)  # of all who have not answered
        self._parent: dict[T, T | None] = {}
        self._misses: dict[T, int] = {}
        self.doubted: set[T] = set(doubted)

    def copy(self) -> Delivery[T]:
        """The same, as it is now."""
        made = copy.copy(self)
        made._deadline, made._parent, made._misses = dict(self._deadline), dict(self._parent), dict(self._misses)
        made.doubted = set(self.doubted)
        return made

    @property
    def missing(self) -> frozenset[T]:
        """Who has not answered."""
        return frozenset(self._deadline)

    @property
    def next_due(self) -> float:
        """When `due` has something to say; infinite if never."""
        return min(self._deadline.values(), default=math.inf)

    def start(self, now: float, unheard: Collection[T] = ()) -> TreePlan[T]:
        """The first tree; hedged, if too many of those who should pass the message on may be away.

        `unheard`: who may be, as it neither answered lately nor failed to.
        """
        able = self._deadline.keys() - self.doubted
        unsure = len(able.intersection(unheard)) > _SURE * len(able)
        spares = min(SPARES // self._packets, len(self._deadline).bit_length())  # few are soon all reached
        return self._plan(self._deadline, now, spares if unsure else 0)

    def acknowledged(self, member: T) -> bool:
        """A member has the message; whether that is news."""
        self.doubted.discard(member)
        return self._deadline.pop(member, None) is not None

    def held_up(self, now: float) -> None:
        """Copies still wait for slots here: nobody is late before the last of them can have been answered."""
        earliest = now + self._timing.slot + self._timing.one_way + self._grace(1)
        for member, deadline in self._deadline.items():
            if deadline < math.inf:
                self._deadline[member] = max(deadline, earliest)

    def drop(self, member: T) -> None:
        """A member left the group."""
        self._deadline.pop(member, None)

    def due(self, now: float) -> list[TreePlan[T]]:
        """What to send because answers are late. Who is behind somebody who is late is not in doubt for that."""
        if self.next_due > now:
            return []
        soon = now + self._timing.spread  # what is late next would cost a tree of its own
        waited = {member for member, deadline in self._deadline.items() if deadline <= soon}
        late: set[T] = {member for member in waited if not self._is_behind(member, waited)}
        for member in late:
            self._misses[member] = self._misses.get(member, 0) + 1
        self.doubted |= late
        again: list[T] = [member for member in late if self._misses[member] < _MISSES]
        again += [member for member in self._deadline if member not in late and self._is_behind(member, late)]
        again = [member for member in again if self._misses.get(member, 0) < _MISSES]
        direct: list[T] = sorted(late - set(again))
        if self._plans >= PLANS - 2:  # it goes on and on: the last word is to write to everybody
            again, direct = [], sorted(self._deadline)
        self._deadline.update(dict.fromkeys(late.union(direct), math.inf))
        plans = [self._plan(again, now)] if again else []
        return plans + ([TreePlan(self._number(), [Branch(member, ()) for member in direct])] if direct else [])

    def _is_behind(self, member: T, late: Collection[T]) -> bool:
        """Whether the way to a member leads over one that is late."""
        above = self._parent.get(member)
        while above is not None and above not in late:
            above = self._parent.get(above)
        return above is not None

    def _plan(self, members: Iterable[T], now: float, spares: int = 0) -> TreePlan[T]:
        targets = sorted(members)
        self._rng.shuffle(targets)  # so that the work of passing on is spread
        able = [member for member in targets if member not in self.doubted]
        doubtful = [member for member in targets if member in self.doubted]
        order = arrange(able, doubtful, self._timing.latency)
        found = places(order, self._timing.latency)
        if all(place.parent is None for place in found.values()):
            spares = 0  # nobody is behind anybody
        self._expect(found, now, spares)
        return TreePlan(self._number(), split(order, self._timing.latency), spares)

    def _expect(self, found: Mapping[T, TreePlace[T]], now: float, spares: int) -> None:
        """When each must have answered: its place in the tree, the way back, and patience for both.

        A spare copy leaves when the tree is done, and its receipt takes one level more.
        """
        last = max((place.step for place in found.values()), default=0) + spares
        for member, place in found.items():
            depth, step = (place.depth + 1, last) if spares else (place.depth, place.step)
            self._parent[member] = place.parent
            self._deadline[member] = now + step * self._timing.slot + self._grace(depth)

    def _grace(self, depth: int) -> float:
        """How long after its slot somebody at this depth may answer: the way back, and patience for both."""
        timing = self._timing
        level = timing.one_way + (1 + _QUEUE) * timing.slot + timing.gather  # of the way back
        return depth * level + _PATIENCE * timing.spread * math.sqrt(2 * depth)

    def _number(self) -> int:
        self._plans += 1
        return min(self._plans, PLANS) - 1


def spare_targets(members: Sequence[T], spares: int, rng: random.Random) -> list[T]:
    """Whom somebody who has a hedged message for the first time sends it to, after those whom its tree names."""
    return rng.sample(members, min(spares, len(members)))
