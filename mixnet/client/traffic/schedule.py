"""When a client sends: three Poisson schedules that don't depend on what the user does (spec/04-mixing.md 4.5).

Promises: the times of a schedule follow from its seed, its rate and its start alone, each being the one before plus an
exponential draw, never "now" plus one; at a slot a packet that was ready before goes to the link, and the same steps
are taken whatever that packet is; a slot always sends one frame while the link is up, padding if nothing is ready.
Never: cryptography, storage or a decision at a slot. What fills the slots is prepared elsewhere (packets.py).
"""

from __future__ import annotations

import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from mixnet.errors import LocalError
from mixnet.link.frames import Frame, FrameKind

if TYPE_CHECKING:
    from mixnet.client.core.outgoing import Outgoing
    from mixnet.client.traffic.provider_queries import OutgoingQuestion

STALL = 1.0  # seconds: slots that passed while the machine slept are left out, a burst would tell nothing but that
LEAST_RESERVE = 4  # of packets: that more slots come within the few milliseconds of making one is next to impossible
MOST_RESERVE = 64
QUIET = 0.004  # seconds before a slot in which no packet is made, so that making one never delays the slot


class Schedule:
    """The absolute times of one Poisson process, in seconds of Trio's clock."""

    def __init__(self, rate: float, stream: random.Random, start: float) -> None:
        """`rate` slots a second on average (0: never), drawn from `stream`, which nothing else may touch."""
        if not rate >= 0:
            raise LocalError("the rate of a schedule is 0 or more a second")
        self._rate, self._stream, self.next = rate, stream, start
        self.advance()

    def advance(self) -> float:
        """Give the slot that came and draw the one after it."""
        slot = self.next
        self.next = slot + self._stream.expovariate(self._rate) if self._rate else math.inf
        return slot

    def reserve(self, seconds: float) -> int:
        """How much to keep ready for the next `seconds`: at least enough for some slots in quick succession."""
        return min(max(LEAST_RESERVE, math.ceil(self._rate * seconds)), MOST_RESERVE) if self._rate else 0

    def change_rate(self, rate: float) -> None:
        """Draw at another rate from the next draw on: the slot that is drawn already stays."""
        self._rate = rate


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame that waits for its slot; `made` is in Trio's time, `drawn_delay` in seconds."""

    frame: Frame = field(repr=False)
    made: float
    outgoing: Outgoing | None = field(default=None, repr=False)
    drawn_delay: float = 0.0
    loop: bytes = field(default=b"", repr=False)  # what identifies a loop when it returns
    question: OutgoingQuestion | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A prepared frame whose slot has come, at `slot` of Trio's clock."""

    prepared: Prepared
    slot: float


class ReadyQueue:
    """What waits for the slots of one schedule: first come, first served, but messages go in front of the cover."""

    def __init__(self) -> None:
        self._waiting: deque[Prepared] = deque()
        self.messages = 0  # so many at the front are more than cover

    def __len__(self) -> int:
        return len(self._waiting)

    def add_cover(self, prepared: Prepared) -> None:
        """Keep a cover packet for a slot that nothing else needs."""
        self._waiting.append(prepared)

    def put_front(self, prepared: Prepared) -> None:
        """Let this leave before all cover, and after what was put in front before it."""
        self._waiting.insert(self.messages, prepared)
        self.messages += 1

    def in_front(self) -> list[Prepared]:
        """What is more than cover, the next to leave first."""
        return list(itertools.islice(self._waiting, self.messages))

    def take_back(self, unwanted: list[Prepared]) -> None:
        """Let those not leave; what has left already is past that."""
        for one in unwanted:
            place = next((at for at, other in enumerate(self.in_front()) if other is one), None)
            if place is not None:
                del self._waiting[place]
                self.messages -= 1

    def take(self) -> Prepared | None:
        """What the slot sends."""
        self.messages -= self.messages > 0
        return self._waiting.popleft() if self._waiting else None

    def newer(self, made: float) -> int:
        """How many packets here were made at `made` or later."""
        return sum(one.made >= made for one in self._waiting)

    def drop_older(self, made: float) -> None:
        """Forget what was made before `made`: its keys and routes may be those of an epoch that is over."""
        in_front = itertools.islice(self._waiting, self.messages)
        self.messages = sum(one.made >= made for one in in_front)
        self._waiting = deque(one for one in self._waiting if one.made >= made)


def is_message(prepared: Prepared) -> bool:
    """Whether this carries something of the user's or of the directory's, not cover."""
    carries = prepared.outgoing is not None or prepared.question is not None
    return carries or prepared.frame.kind is FrameKind.REQUEST


PADDING = Prepared(Frame(FrameKind.PAD, b""), -math.inf)


@dataclass(frozen=True, slots=True)
class Emitter:
    """One schedule, what waits for its slots, and what to call at each slot (it must not wait)."""

    schedule: Schedule
    queue: ReadyQueue
    emit: Callable[[Sent], None]

    async def emit_slots(self) -> None:
        """Emit at every slot, for ever."""
        while True:
            await trio.sleep_until(self.schedule.next)
            slot = self.schedule.advance()
            if trio.current_time() - slot < STALL:
                self.emit(Sent(self.queue.take() or PADDING, slot))


async def quiet_passed(schedules: Sequence[Schedule]) -> None:
    """Wait, if a slot is about to come, until it has passed: for work that would delay it.

    Bounded: after a few slots in a row the work goes on all the same, or a fast schedule would starve it.
    """
    for _ in range(8):
        upcoming = min(schedule.next for schedule in schedules)
        if upcoming - trio.current_time() > QUIET:
            return
        await trio.sleep_until(upcoming)
        await trio.lowlevel.checkpoint()
