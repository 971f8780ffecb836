"""The client's loops: which came back, which late, which not, and when that is an attack (spec/04-mixing.md 4.6).

Promises: a loop counts as late, or as lost, only when the mailbox was seen empty after its time, or long after it. A
mailbox that others keep full warns and never pauses, as long as any loop comes back: else whoever can write to us could
stop our messages. Loops in flight while the link was down count for nothing, and time in which nothing came down,
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

from mixnet.client.traffic.loop_times import LoopTimes
from mixnet.cusum import Cusum
from mixnet.pki.parameters import Parameters

LOOPS_BETWEEN_FALSE_ALARMS = 1e6
THRESHOLD = math.log(LOOPS_BETWEEN_FALSE_ALARMS)
PENDING_LIMIT = 10_000
DUMMIES = 3  # in a row that say that a mailbox is empty: a single one may only mean that the provider's disk is slow
SHORTEST_STALL = 0.75  # seconds without a frame, and ten slots, after which this machine or its link stood still
GIVE_UP = 10.0  # times the allowed time, after which a loop is overdue even if the mailbox never seemed empty


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
    drained: (
        float  # for a full mailbox to come down: if no loop does for so long, it isn't others' mail that holds them
    )


def loop_allowance(parameters: Parameters) -> LoopAllowance:
    """How long a loop may take: on time, what links and busy machines need; not lost, generously more."""
    slots = 10 / parameters.downlink_rate if parameters.downlink_rate else 0.0
    lost = 5.0 + 2 * parameters.path_delay + slots
    drained = parameters.mailbox_messages / parameters.downlink_rate if parameters.downlink_rate else 0.0
    return LoopAllowance(parameters.loop_lateness, lost, max(SHORTEST_STALL, slots), drained)


@dataclass(slots=True)
class _Awaited:
    """A loop under way."""

    drawn: float  # seconds, the sum of its delays
    due: float  # when it would be back if links and machines took no time
    late: bool = False
    overdue: bool = False  # it is very late, and the mailbox was not seen empty since


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
    times: LoopTimes = field(default_factory=LoopTimes)
    _dummies: int = 0
    _heard: float = math.inf  # when the newest frame came down; infinity if none did on this link
    _returned: float = math.inf  # when the newest loop did, or the first one left on this link
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
        self._returned = min(self._returned, now)
        if len(self._pending) < PENDING_LIMIT:
            self._pending[loop] = _Awaited(drawn_delay, now + drawn_delay)

    def on_returned(self, loop: bytes, now: float) -> bool:
        """A loop came back; False if it is none of those that are awaited, a copy for instance.

        Of one that comes after its time but might have waited in the mailbox nothing is known: it is neither.
        """
        awaited = self._pending.pop(loop, None)
        if awaited is None:
            return False
        self.returned += 1
        self._returned = now
        self.times.add(awaited.drawn, awaited.drawn + now - awaited.due)
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
            self._returned += gap
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
        """Some time went by: what is very late is lost if nothing returns, and else perhaps behind others' mail."""
        if now - self._returned > self.allowed.drained:
            self._expire(now - GIVE_UP * self.allowed.lost, dark=True)
            return
        for awaited in self._pending.values():
            if not awaited.overdue and awaited.due + (1 + GIVE_UP) * self.allowed.lost < now:
                awaited.overdue = True
                self._suspicion.add(True)
                self._step()

    def on_link_lost(self) -> None:
        """The link to the provider broke: what was in flight says nothing about the network."""
        self._pending.clear()
        self._heard = self._returned = math.inf

    def _expire(self, now: float, *, dark: bool = False) -> None:
        """What was due long before `now` is lost; `dark`: nothing returns at all."""
        for loop in [loop for loop, one in self._pending.items() if one.due + self.allowed.lost < now]:
            overdue = self._pending.pop(loop).overdue
            self.lost += 1
            if not overdue:
                self._judge(lost=True)
            elif dark:  # the suspicion has heard of it; otherwise the mailbox was full and took no more
                self._blackout.add(True)
                self._step()

    def _judge(self, *, lost: bool) -> None:
        self._suspicion.add(lost)
        self._blackout.add(lost)
        self._step()

    def _step(self) -> None:
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
