"""The client's loops: which came back, which late, which not, and when that is an attack (spec/04-mixing.md 4.6).

Promises: a loop counts as late, or as lost, only when the mailbox was seen empty after its time, or long after it, so a
backlog is no alarm; loops in flight while the link was down count for nothing, and time in which nothing came down,
since this machine or its link stood still, doesn't count; the false-alarm rate is bounded by construction.
Each detector is a CUSUM (mixnet/cusum.py) with h = ln 10^6: with two loops a second, whatever the true share up to its
p0, it is wrong once in 5.8 days at most. What is late warns and never pauses: late packets do arrive, and a network of
slow machines must not stop.
Pure: time comes in as an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mixnet.cusum import Cusum
from mixnet.pki.parameters import Parameters

LOOPS_BETWEEN_FALSE_ALARMS = 1e6
THRESHOLD = math.log(LOOPS_BETWEEN_FALSE_ALARMS)
PENDING_LIMIT = 10_000
DUMMIES = 3  # in a row that say that a mailbox is empty: a single one may only mean that the provider's disk is slow
SHORTEST_STALL = 0.75  # seconds without a frame, and ten slots, after which this machine or its link stood still
GIVE_UP = 10.0  # times the allowed time, after which a loop is lost even if the mailbox never seemed empty


class Alarm(StrEnum):
    """What the loops say about the network."""

    CALM = "calm"
    WARNED = "warned"
    PAUSED = "paused"


class LoopEvent(StrEnum):
    """What a detector found."""

    SUSPICION = "suspicion"  # more loops are lost than chance explains
    BLACKOUT = "blackout"  # next to none return: more than the crash of one mix of two explains
    RELIEF = "relief"  # loops return again, but too many are still lost
    RECOVERY = "recovery"  # both detectors are back at rest


TRANSITIONS: dict[tuple[Alarm, LoopEvent], Alarm] = {
    (Alarm.CALM, LoopEvent.SUSPICION): Alarm.WARNED,
    (Alarm.CALM, LoopEvent.BLACKOUT): Alarm.PAUSED,
    (Alarm.CALM, LoopEvent.RELIEF): Alarm.CALM,
    (Alarm.CALM, LoopEvent.RECOVERY): Alarm.CALM,
    (Alarm.WARNED, LoopEvent.SUSPICION): Alarm.WARNED,
    (Alarm.WARNED, LoopEvent.BLACKOUT): Alarm.PAUSED,
    (Alarm.WARNED, LoopEvent.RELIEF): Alarm.WARNED,
    (Alarm.WARNED, LoopEvent.RECOVERY): Alarm.CALM,
    (Alarm.PAUSED, LoopEvent.SUSPICION): Alarm.PAUSED,
    (Alarm.PAUSED, LoopEvent.BLACKOUT): Alarm.PAUSED,
    (Alarm.PAUSED, LoopEvent.RELIEF): Alarm.WARNED,
    (Alarm.PAUSED, LoopEvent.RECOVERY): Alarm.CALM,
}


def suspicion() -> Cusum:
    """Tells a loss of a fifth from the hundredth that a healthy network may lose."""
    return Cusum(harmless=0.01, harmful=0.2, threshold=THRESHOLD)


def blackout() -> Cusum:
    """Tells a loss of nine tenths from six: one mix of two in a layer that crashed costs half, and is no attack."""
    return Cusum(harmless=0.6, harmful=0.9, threshold=THRESHOLD)


def lateness() -> Cusum:
    """Tells a twentieth that come late from a hundredth: a machine that stands still once makes less than nine late."""
    return Cusum(harmless=0.01, harmful=0.05, threshold=THRESHOLD)


class LoopAllowance(NamedTuple):
    """Seconds until a loop is late, or lost; and of silence after which this machine stood still."""

    late: float  # beyond the drawn delays, until a loop that is not back is late
    lost: float  # the same until it is lost, generously
    stall: float  # without a frame from the provider, after which nothing was to be seen meanwhile


def loop_allowance(parameters: Parameters) -> LoopAllowance:
    """How long a loop may take: on time, what links and busy machines need; not lost, generously more."""
    slots = 10 / parameters.downlink_rate if parameters.downlink_rate else 0.0
    lost = 5.0 + 2 * parameters.path_delay + slots
    return LoopAllowance(late=parameters.loop_lateness, lost=lost, stall=max(SHORTEST_STALL, slots))


@dataclass(slots=True)
class _Awaited:
    """A loop under way."""

    due: float  # when it would be back if links and machines took no time
    late: bool = False


@dataclass(slots=True)
class LoopMonitor:
    """Says of every loop that was sent whether it came back, late or not at all."""

    allowed: LoopAllowance
    alarm: Alarm = Alarm.CALM
    delayed: bool = False  # whether too many come late
    sent: int = 0
    returned: int = 0
    late: int = 0  # of those that returned
    lost: int = 0
    _dummies: int = 0
    _heard: float = math.inf  # when the newest frame came down; infinity if none did on this link
    _pending: dict[bytes, _Awaited] = field(default_factory=dict)
    _suspicion: Cusum = field(default_factory=suspicion)
    _blackout: Cusum = field(default_factory=blackout)
    _lateness: Cusum = field(default_factory=lateness)

    @property
    def warnings(self) -> list[str]:
        """What the user should know beside the alarm, by name."""
        return ["loops_late"] if self.delayed else []

    def on_sent(self, loop: bytes, now: float, drawn_delay: float) -> None:
        """A loop left at `now`; it may take what its sender drew and the allowance on top."""
        self.sent += 1
        if len(self._pending) < PENDING_LIMIT:
            self._pending[loop] = _Awaited(now + drawn_delay)

    def on_returned(self, loop: bytes, now: float) -> bool:
        """A loop came back; False if it is none of those that are awaited, a copy for instance.

        Of one that comes after its time but might have waited in the mailbox nothing is known: it is neither.
        """
        awaited = self._pending.pop(loop, None)
        if awaited is None:
            return False
        self.returned += 1
        self.late += awaited.late
        self._judge(lost=False)
        if awaited.late or now <= awaited.due + self.allowed.late:
            self._judge_lateness(awaited.late)
        return True

    def on_frame(self, now: float) -> None:
        """A frame came down. After a standstill what was under way has so much longer, and old dummies say nothing."""
        gap = now - self._heard
        if gap > self.allowed.stall:
            self._dummies = 0
            for awaited in self._pending.values():
                awaited.due += gap
        self._heard = now

    def on_mail(self) -> None:
        """It was a packet: the mailbox was not empty."""
        self._dummies = 0

    def on_dummy(self, now: float) -> None:
        """It was a dummy: the mailbox was empty. A few times in a row: what should have come is late, or lost."""
        self._dummies += 1
        if self._dummies >= DUMMIES:
            for awaited in self._pending.values():
                awaited.late |= awaited.due + self.allowed.late < now
            self._expire(now)

    def on_tick(self, now: float) -> None:
        """Some time went by: whatever the provider says, what is very late is lost."""
        self._expire(now - GIVE_UP * self.allowed.lost)

    def on_link_lost(self) -> None:
        """The link to the provider broke: what was in flight says nothing about the network."""
        self._pending.clear()
        self._heard = math.inf

    def _expire(self, now: float) -> None:
        for loop in [loop for loop, one in self._pending.items() if one.due + self.allowed.lost < now]:
            del self._pending[loop]
            self.lost += 1
            self._judge(lost=True)

    def _judge(self, *, lost: bool) -> None:
        self._suspicion.add(lost)
        self._blackout.add(lost)
        for event in self._events():
            self.alarm = TRANSITIONS[self.alarm, event]

    def _judge_lateness(self, late: bool) -> None:
        self._lateness.add(late)
        if self._lateness.fired:
            self.delayed = True
        elif self._lateness.at_rest:
            self.delayed = False

    def _events(self) -> list[LoopEvent]:
        events = []
        if self._blackout.fired:
            events.append(LoopEvent.BLACKOUT)
        elif self._blackout.at_rest:
            events.append(LoopEvent.RECOVERY if self._suspicion.at_rest else LoopEvent.RELIEF)
        if self._suspicion.fired:
            events.append(LoopEvent.SUSPICION)
        return events
