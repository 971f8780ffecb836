"""Loops: what came back, what did not, and when that is an attack (SPEC.md section 4).

Promises: a loop counts as lost only when the mailbox was seen empty after its time, or long after it, so a backlog is
no alarm; loops in flight while the link was down count for nothing; the false-alarm rate is bounded by construction.
Each detector is a CUSUM of log-likelihood ratios between a harmless loss p0 and a harmful one p1. From rest, whatever
the true loss up to p0, it takes e^h loops or more on average to a false alarm (Lorden 1971, theorem 2). With h =
ln 10^6 and two loops a second, each detector is wrong once in 5.8 days at most.
Pure: time comes in as an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

LOOPS_BETWEEN_FALSE_ALARMS = 1e6
PENDING_LIMIT = 10_000
DUMMIES = 3  # in a row that say that a mailbox is empty: a single one may only mean that the provider's disk is slow
GIVE_UP = 10.0  # times the allowed time, after which a loop is lost even if the mailbox never seemed empty


class Alarm(StrEnum):
    """What the loops say about the network."""

    CALM = "calm"
    WARNED = "warned"
    PAUSED = "paused"


class Event(StrEnum):
    """What a detector found."""

    SUSPICION = "suspicion"  # more loops are lost than chance explains
    BLACKOUT = "blackout"  # next to none return: more than the crash of one mix of two explains
    RELIEF = "relief"  # loops return again, but too many are still lost
    RECOVERY = "recovery"  # both detectors are back at rest


TRANSITIONS: dict[tuple[Alarm, Event], Alarm] = {
    (Alarm.CALM, Event.SUSPICION): Alarm.WARNED,
    (Alarm.CALM, Event.BLACKOUT): Alarm.PAUSED,
    (Alarm.CALM, Event.RELIEF): Alarm.CALM,
    (Alarm.CALM, Event.RECOVERY): Alarm.CALM,
    (Alarm.WARNED, Event.SUSPICION): Alarm.WARNED,
    (Alarm.WARNED, Event.BLACKOUT): Alarm.PAUSED,
    (Alarm.WARNED, Event.RELIEF): Alarm.WARNED,
    (Alarm.WARNED, Event.RECOVERY): Alarm.CALM,
    (Alarm.PAUSED, Event.SUSPICION): Alarm.PAUSED,
    (Alarm.PAUSED, Event.BLACKOUT): Alarm.PAUSED,
    (Alarm.PAUSED, Event.RELIEF): Alarm.WARNED,
    (Alarm.PAUSED, Event.RECOVERY): Alarm.CALM,
}


@dataclass(slots=True)
class Cusum:
    """Page's test of loss `harmless` against loss `harmful`, both probabilities."""

    harmless: float
    harmful: float
    threshold: float = math.log(LOOPS_BETWEEN_FALSE_ALARMS)
    value: float = 0.0

    def add(self, lost: bool) -> None:
        """Take one more outcome; the value stays between 0 and the threshold, which bounds how long recovery takes."""
        ratio = self.harmful / self.harmless if lost else (1 - self.harmful) / (1 - self.harmless)
        self.value = min(max(0.0, self.value + math.log(ratio)), self.threshold)

    @property
    def fired(self) -> bool:
        """Whether the evidence reached the threshold."""
        return self.value >= self.threshold

    @property
    def at_rest(self) -> bool:
        """Whether there is no evidence left."""
        return self.value == 0.0


def suspicion() -> Cusum:
    """Tells a loss of a fifth from the hundredth that a healthy network may lose."""
    return Cusum(harmless=0.01, harmful=0.2)


def blackout() -> Cusum:
    """Tells a loss of nine tenths from six: one mix of two in a layer that crashed costs half, and is no attack."""
    return Cusum(harmless=0.6, harmful=0.9)


@dataclass(slots=True)
class LoopMonitor:
    """Accounts for every loop that was sent."""

    allowed: float  # seconds from a loop's slot to its return, generously
    alarm: Alarm = Alarm.CALM
    sent: int = 0
    returned: int = 0
    lost: int = 0
    _dummies: int = 0
    _pending: dict[bytes, float] = field(default_factory=dict)
    _suspicion: Cusum = field(default_factory=suspicion)
    _blackout: Cusum = field(default_factory=blackout)

    def on_sent(self, loop: bytes, now: float, drawn_delay: float) -> None:
        """A loop left at `now`; it may take what its sender drew and the allowance on top."""
        self.sent += 1
        if len(self._pending) < PENDING_LIMIT:
            self._pending[loop] = now + drawn_delay + self.allowed

    def on_returned(self, loop: bytes) -> bool:
        """A loop came back; False if it is none of those that are awaited, a copy for instance."""
        if self._pending.pop(loop, None) is None:
            return False
        self.returned += 1
        self._judge(lost=False)
        return True

    def on_mail(self) -> None:
        """The mailbox was not empty."""
        self._dummies = 0

    def on_dummy(self, now: float) -> None:
        """The provider had nothing to send. A few times in a row: what should have come by now is lost."""
        self._dummies += 1
        if self._dummies >= DUMMIES:
            self._expire(now)

    def on_tick(self, now: float) -> None:
        """Some time went by: whatever the provider says, what is very late is lost."""
        self._expire(now - GIVE_UP * self.allowed)

    def on_link_lost(self) -> None:
        """The link to the provider broke: what was in flight says nothing about the network."""
        self._pending.clear()

    def _expire(self, now: float) -> None:
        for loop in [loop for loop, due in self._pending.items() if due < now]:
            del self._pending[loop]
            self.lost += 1
            self._judge(lost=True)

    def _judge(self, *, lost: bool) -> None:
        self._suspicion.add(lost)
        self._blackout.add(lost)
        for event in self._events():
            self.alarm = TRANSITIONS[self.alarm, event]

    def _events(self) -> list[Event]:
        events = []
        if self._blackout.fired:
            events.append(Event.BLACKOUT)
        elif self._blackout.at_rest:
            events.append(Event.RECOVERY if self._suspicion.at_rest else Event.RELIEF)
        if self._suspicion.fired:
            events.append(Event.SUSPICION)
        return events
