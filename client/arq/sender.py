"""The sending half of reliable delivery: chooses the next fragment, and decides which are lost.

Promises: pure: times come in, choices go out. A message stays until the other side has delivered it, or its owner
withdraws it; no more than WINDOW messages of a lane are under way, so that the receiver's memory is bounded; without
loss each fragment leaves once. Never: bytes of a message; it deals in lanes, numbers and indices.

A fragment is lost when an acknowledgement shows that one sent well after it has arrived. When no acknowledgement comes
at all, a few reply blocks go out again, over other routes, and nothing else: only an answer can tell what is missing.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from client.arq.acks import Ack, LaneReport
from client.arq.fragments import LANES, SURB_PERIOD, WINDOW, has_room, spans
from client.arq.timers import RoundTripTimer
from mixnet.errors import LocalError

_BURST = 6  # reply blocks that leave at a timeout, at most: each finds a route of its own
_TIRED = 24  # timeouts in a row after which one is enough: the other side is away
_REMEMBERED = 4096  # transmissions whose times are kept
_TRANSMISSIONS = 1 << 32


@dataclass(frozen=True, slots=True)
class Transmission:
    """What to send now. Without a place it is a probe, and always wants a reply block."""

    id: int
    place: tuple[int, int, int] | None  # lane, message number, fragment index
    wants_surb: bool


@dataclass(slots=True)
class _Message:
    """A message under way: fragments not yet sent start at `cursor`."""

    length: int
    acked: int
    cursor: int = 0
    flying: dict[int, int] = field(default_factory=dict)  # index → its newest transmission
    lost: deque[int] = field(default_factory=deque)

    @property
    def count(self) -> int:
        return len(spans(self.length))

    def has(self, index: int) -> bool:
        """Whether the other side has the fragment."""
        return bool(self.acked >> index & 1)

    def take(self) -> int | None:
        """The next fragment to send: a lost one, or one never sent."""
        while self.lost:
            index = self.lost.popleft()
            if not self.has(index):
                return index
        while self.cursor < self.count:
            index, self.cursor = self.cursor, self.cursor + 1
            if not self.has(index):
                return index
        return None

    def waits(self) -> bool:
        """Whether `take` has something."""
        return any(not self.has(index) for index in self.lost) or any(
            not self.has(index) for index in range(self.cursor, self.count)
        )


@dataclass(slots=True)
class _Lane:
    next_number: int
    messages: dict[int, _Message] = field(default_factory=dict)  # in the order of their numbers

    @property
    def floor(self) -> int:
        """The lowest number that is still under way."""
        return next(iter(self.messages), self.next_number)


class Sender:
    """All that is under way to one contact in one session."""

    def __init__(self, timing: RoundTripTimer, jitter: random.Random, next_numbers: tuple[int, ...]) -> None:
        """Start with nothing under way; `next_numbers` has the number of the next message of each lane."""
        self._timing = timing
        self._lanes = [_Lane(number) for number in next_numbers]
        # A start at random, so that an answer to a transmission before a restart is not taken for one after it.
        self._next_id = jitter.randrange(_TRANSMISSIONS)
        self._sent: dict[int, float] = {}  # transmission → when it left
        self._silent = 0  # fragments sent since a reply block last went along
        self._unanswered = 0  # timeouts in a row
        self._burst = 0  # transmissions with reply blocks that are due now
        self._deadline: float | None = None

    def next_number(self, lane: int) -> int:
        """The number that the next message of a lane gets."""
        return self._lanes[lane].next_number

    def floors(self) -> tuple[int, ...]:
        """Of each lane, the lowest number still under way: the receiver need not wait for any below."""
        return tuple(lane.floor for lane in self._lanes)

    def busy(self) -> bool:
        """Whether anything is under way."""
        return any(lane.messages for lane in self._lanes)

    def has_window(self, lane: int) -> bool:
        """Whether one more message may get under way."""
        it = self._lanes[lane]
        return it.next_number - it.floor < WINDOW

    def add(self, lane: int, number: int, length: int, acked: int = 0) -> None:
        """Put a message under way, in the order of numbers; `acked` are fragments known to have arrived."""
        it = self._lanes[lane]
        if it.messages and number <= next(reversed(it.messages)):
            raise LocalError("messages get under way in the order of their numbers")
        it.messages[number] = _Message(length, acked)
        it.next_number = max(it.next_number, number + 1)

    def withdraw(self, lane: int, number: int) -> None:
        """Give a message up; the next fragment of the lane tells the receiver not to wait for it."""
        self._lanes[lane].messages.pop(number, None)
        self._disarm_if_idle()

    def waits(self, lane: int) -> bool:
        """Whether a lane has a fragment to send now."""
        return any(message.waits() for message in self._lanes[lane].messages.values())

    def next(self, lane: int, now: float) -> Transmission | None:
        """The next fragment of a lane: what is lost first, then what was never sent, in the order of messages."""
        for number, message in self._lanes[lane].messages.items():
            index = message.take()
            if index is not None:
                return self._launch(lane, number, message, index, now)
        return None

    def next_solicitation(self, now: float) -> Transmission | None:
        """A transmission that only asks for an answer, if one is due: at a timeout, or after fragments without one."""
        if self._deadline is not None and now >= self._deadline:
            self._unanswered += 1
            self._burst = 1 if self._unanswered > _TIRED else min(1 + self._unanswered, _BURST)
            self._arm(now)
        if self._burst:
            self._burst -= 1
            return self._solicit(now)
        return self._solicit(now) if self._too_silent() else None

    def sent(self, transmission: int, when: float) -> None:
        """The transmission left at `when`, which is later than it was chosen."""
        if transmission in self._sent:
            self._sent[transmission] = when
            if self._deadline is not None:
                self._arm(when)

    def acknowledged(self, ack: Ack, now: float) -> list[tuple[int, int]]:
        """Take an answer in; gives (lane, number) of the messages that the other side has delivered by it."""
        delivered = [place for lane, report in enumerate(ack.lanes) for place in self._take_report(lane, report)]
        left_at = self._sent.pop(ack.newest, None)
        if left_at is not None:
            self._timing.measured(max(0.0, now - left_at - ack.held))
            self._find_lost(left_at + ack.held - self._timing.reordering)
        self._unanswered = self._burst = 0
        self._arm(now)
        self._disarm_if_idle()
        return delivered

    def acked(self, lane: int, number: int) -> int | None:
        """The bitmap of fragments of a message that have arrived; None if it is not under way."""
        message = self._lanes[lane].messages.get(number)
        return None if message is None else message.acked

    def length(self, lane: int, number: int) -> int:
        """The bytes of a message under way."""
        return self._lanes[lane].messages[number].length

    def wake(self, now: float) -> None:
        """The other side shows signs of life: wait no longer than for a fresh timeout."""
        if self._deadline is not None and self._unanswered:
            self._unanswered = 0
            self._deadline = min(self._deadline, now + self._timing.timeout(0))

    def wake_at(self) -> float | None:
        """When `next_solicitation` has something by the passing of time alone: 0.0 for at once."""
        return 0.0 if self._burst or self._too_silent() else self._deadline

    def _too_silent(self) -> bool:
        """Whether fragments left without a reply block, and no other one will bring it along soon."""
        if self._silent >= SURB_PERIOD:
            return True
        return self._silent > 0 and not any(self.waits(lane) for lane in range(LANES))

    def _take_report(self, lane: int, report: LaneReport) -> list[tuple[int, int]]:
        it = self._lanes[lane]
        delivered = [number for number in it.messages if number < min(report.next_number, it.next_number)]
        for number in delivered:
            del it.messages[number]
        for number, bitmap in report.partial.items():
            if number in it.messages:
                it.messages[number].acked |= bitmap
        return [(lane, number) for number in delivered]

    def _find_lost(self, before: float) -> None:
        """Whatever left before that time, and has not arrived by now, is lost."""
        for lane in self._lanes:
            for message in lane.messages.values():
                gone = [i for i, id_ in message.flying.items() if message.has(i) or self._sent.get(id_, 0.0) < before]
                for index in sorted(gone):
                    del message.flying[index]
                    if not message.has(index):
                        message.lost.append(index)

    def _solicit(self, now: float) -> Transmission:
        """Of the fragments with room for a reply block that may be missing, the one sent longest ago; else a probe."""
        candidates = [
            (self._sent.get(message.flying.get(index, -1), 0.0), lane, number, index)
            for lane, it in enumerate(self._lanes)
            for number, message in it.messages.items()
            for index in range(message.cursor)
            if has_room(index, message.count) and not message.has(index) and self._resendable(message, index)
        ]
        if not candidates:
            return self._register(None, now, wants_surb=True)
        _, lane, number, index = min(candidates)
        return self._launch(lane, number, self._lanes[lane].messages[number], index, now)

    def _resendable(self, message: _Message, index: int) -> bool:
        """After a timeout everything may be sent again; else only what is known to be lost."""
        return self._unanswered > 0 or index in message.lost

    def _launch(self, lane: int, number: int, message: _Message, index: int, now: float) -> Transmission:
        if index in message.lost:
            message.lost.remove(index)
        wants_surb = has_room(index, message.count)
        made = self._register((lane, number, index), now, wants_surb=wants_surb)
        message.flying[index] = made.id
        return made

    def _register(self, place: tuple[int, int, int] | None, now: float, *, wants_surb: bool) -> Transmission:
        made = Transmission(self._next_id, place, wants_surb)
        self._next_id = (self._next_id + 1) % _TRANSMISSIONS
        self._sent[made.id] = now
        if len(self._sent) > _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self._silent = 0 if wants_surb else self._silent + 1
        if wants_surb or self._deadline is None:
            self._arm(now)
        return made

    def _arm(self, now: float) -> None:
        self._deadline = now + self._timing.timeout(self._unanswered)

    def _disarm_if_idle(self) -> None:
        if not self.busy():
            self._deadline, self._burst, self._silent, self._unanswered = None, 0, 0, 0
