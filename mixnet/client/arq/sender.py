"""The sending half of reliable delivery: chooses the next fragment, and decides which are lost.

Promises: pure: times come in, choices go out. A message stays until the other side has delivered it, or its owner
withdraws it; no more than WINDOW messages of a lane are under way, so that the receiver's memory is bounded; without
loss each fragment leaves once. Never: bytes of a message; it deals in lanes, numbers and indices.

A fragment is lost when an acknowledgement shows that one sent well after it has arrived. When no acknowledgement comes
at all, a few reply blocks go out again, over other routes, and nothing else: only an answer can tell what is missing.
A hushed sender sends nothing again by itself: it does so when it is told to, so that neither its start nor an answer of
the other side shows that it is there.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.fragments import LANES, SURB_PERIOD, WINDOW, has_room, spans
from mixnet.client.arq.timers import RoundTripTimer
from mixnet.errors import LocalError

_BURST = 6  # reply blocks that leave at a timeout, at most: each finds a route of its own
_TIRED = 24  # timeouts in a row after which one is enough: the other side is away
_REMEMBERED = 4096  # transmissions whose times are kept
_PATIENCE = 8  # transmissions that may be repeated without any progress before they are the other side's affair
USER, PEER = -1, 0  # on whose account a message leaves: above these are other accounts
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
    account: int
    cursor: int = 0
    flying: dict[int, int] = field(default_factory=dict)  # index → its newest transmission
    lost: deque[int] = field(default_factory=deque)
    parked: bool = False  # nothing of it leaves until a retry

    @property
    def count(self) -> int:
        return len(spans(self.length))

    def has(self, index: int) -> bool:
        """Whether the other side has the fragment."""
        return bool(self.acked >> index & 1)

    def next(self) -> int | None:
        """The next fragment to send: a lost one, or one never sent."""
        if self.parked:
            return None
        while self.lost and self.has(self.lost[0]):
            self.lost.popleft()
        if self.lost:
            return self.lost[0]
        while self.cursor < self.count and self.has(self.cursor):
            self.cursor += 1
        return self.cursor if self.cursor < self.count else None

    def take(self, index: int) -> None:
        """It is sent now."""
        if index in self.lost:
            self.lost.remove(index)
        elif index == self.cursor:
            self.cursor += 1


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
        self._patience = _PATIENCE
        self._deadline: float | None = None
        self._hushed = False
        self.closed = False  # nothing more may get under way
        self._lost_before = 0.0  # when hushed: what left before and has not arrived is lost, at the next retry

    def hush(self) -> None:
        """From now on send again, and what is under way go on with, only when told to by `retry`."""
        self._hushed, self._burst, self._silent = True, 0, 0
        for lane in self._lanes:
            for message in lane.messages.values():
                message.parked = True

    def speak(self) -> None:
        """Send again as soon as there is a reason to."""
        self._hushed = False
        self._unpark()

    def waits_for_retry(self) -> bool:
        """Whether it needs `retry` to go on."""
        return self._hushed and self.busy()

    def retry(self, now: float) -> None:
        """A hushed one sends now again what is lost or unanswered, and what waited since a start."""
        if not self._hushed:
            return
        self._unpark()
        self._find_lost(self._lost_before)
        if self._deadline is not None and now >= self._deadline:
            self._time_out(now)

    def _unpark(self) -> None:
        for lane in self._lanes:
            for message in lane.messages.values():
                message.parked = False

    def room(self, lane: int) -> int:
        """How many more messages may get under way."""
        it = self._lanes[lane]
        return 0 if self.closed else max(0, WINDOW - (it.next_number - it.floor))

    def next_number(self, lane: int) -> int:
        """The number that the next message of a lane gets."""
        return self._lanes[lane].next_number

    def floors(self) -> tuple[int, ...]:
        """Of each lane, the lowest number still under way: the receiver need not wait for any below."""
        return tuple(lane.floor for lane in self._lanes)

    def busy(self) -> bool:
        """Whether anything is under way."""
        return any(lane.messages for lane in self._lanes)

    def has_window(self, lane: int, spare: int = 0) -> bool:
        """Whether one more message may get under way, and `spare` others beside it."""
        return self.room(lane) > spare

    def add(self, lane: int, number: int, length: int, acked: int = 0, account: int = USER) -> None:
        """Put a message under way, in the order of numbers; `acked` are fragments known to have arrived.

        Its slots are on the user's `account`, on that of the other side, which ordered it, or on another one.
        """
        it = self._lanes[lane]
        if it.messages and number <= next(reversed(it.messages)):
            raise LocalError("messages get under way in the order of their numbers")
        it.messages[number] = _Message(length, acked, account)
        it.next_number = max(it.next_number, number + 1)
        if account == USER:
            self._patience = _PATIENCE

    def withdraw(self, lane: int, number: int) -> None:
        """Give a message up; the next fragment of the lane tells the receiver not to wait for it."""
        self._lanes[lane].messages.pop(number, None)
        self._disarm_if_idle()

    def waits(self, lane: int, account: int | None = None) -> bool:
        """Whether a lane has a fragment to send now, on this account if one is given."""
        return any(True for _ in self._next(lane, account))

    def accounts(self, lane: int) -> set[int]:
        """The accounts on which a lane has fragments to send now."""
        return {self._charged(message, index) for _, message, index in self._next(lane, None)}

    def next(self, lane: int, now: float, account: int | None = None) -> Transmission | None:
        """The next fragment of a lane: what is lost first, then what was never sent, in the order of messages."""
        found = next(self._next(lane, account), None)
        if found is None:
            return None
        number, message, index = found
        if index in message.lost and message.account == USER:
            self._patience = max(self._patience - 1, 0)
        return self._launch(lane, number, message, index, now)

    def _next(self, lane: int, account: int | None) -> Iterator[tuple[int, _Message, int]]:
        """(number, message, fragment) of the messages that have a fragment to send now."""
        for number, message in self._lanes[lane].messages.items():
            index = message.next()
            if index is not None and account in (None, self._charged(message, index)):
                yield number, message, index

    def _charged(self, message: _Message, index: int) -> int:
        """On whose account a fragment leaves: to repeat the user's again and again is the other side's affair."""
        again = message.account == USER and index in message.lost and not self._patience
        return PEER if again else message.account

    def unfinished(self, lane: int) -> list[int]:
        """The numbers of those messages, neither the user's nor the other side's, that have not left whole."""
        return [number for number, message, _ in self._next(lane, None) if message.account not in (USER, PEER)]

    @property
    def asker(self) -> int:
        """On whose account `next_solicitation` is."""
        accounts = [message.account for lane in self._lanes for message in lane.messages.values()]
        if USER in accounts:
            return USER if self._patience else PEER
        return accounts[0] if accounts else PEER

    def next_solicitation(self, now: float) -> Transmission | None:
        """A transmission that only asks for an answer, if one is due: at a timeout, or after fragments without one."""
        if self._deadline is not None and now >= self._deadline and not self._hushed:
            self._time_out(now)
        if not self._burst and not self._too_silent():
            return None
        self._burst = max(self._burst - 1, 0)
        self._patience = max(self._patience - 1, 0)
        return self._solicit(now)

    def _time_out(self, now: float) -> None:
        self._unanswered += 1
        self._burst = 1 if self._unanswered > _TIRED else min(1 + self._unanswered, _BURST)
        self._arm(now)

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
        if ack.broken:  # nothing more gets across: what is under way is tried ever more seldom, until a renewal
            self._disarm_if_idle()
            return delivered
        if left_at is not None:
            if ack.held is None:
                self._timing.paused(now - left_at)
            else:
                self._timing.measured(max(0.0, now - left_at - ack.held))
            self._lost_before = left_at + (ack.held or 0.0) - self._timing.reordering
            if not self._hushed:
                self._find_lost(self._lost_before)
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
        if self._burst or self._too_silent():
            return 0.0
        return None if self._hushed else self._deadline

    def _too_silent(self) -> bool:
        """Whether fragments left without a reply block, and no other one will bring it along soon."""
        if self._silent >= SURB_PERIOD:
            return True
        return self._silent > 0 and not any(self.waits(lane) for lane in range(LANES))

    def _take_report(self, lane: int, report: LaneReport) -> list[tuple[int, int]]:
        it = self._lanes[lane]
        delivered = [number for number in it.messages if number < min(report.next_number, it.next_number)]
        for number in delivered:
            message = it.messages.pop(number)
            self._progress(message, (1 << message.count) - 1)
        for number, bitmap in report.partial.items():
            if number in it.messages:
                self._progress(it.messages[number], bitmap)
        return [(lane, number) for number in delivered]

    def _progress(self, message: _Message, acked: int) -> None:
        news = acked & ~message.acked & ((1 << message.count) - 1)
        message.acked |= acked
        if message.account == USER:
            self._patience = min(self._patience + news.bit_count(), _PATIENCE)

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
        message.take(index)
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
