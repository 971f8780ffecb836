"""What fills a client's slots: packets are made here, before they are needed (SPEC.md section 4).

Promises: every schedule has cover ready at all times, and the next payload slot has the most urgent thing that waits: a
question to the directory, then what the messenger wants sent (acknowledgements before fragments), then cover. No packet
is made while a slot is about to come. A message counts as sent only once its slot took it.
While the loops say that the network is under attack, messages wait and the cover goes on.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import trio

from client.bell import Bell
from client.desk import Desk
from client.emitters import Emitter, Prepared, Schedule, Sent, Shelf, quiet_passed
from client.loops import Alarm, LoopMonitor
from client.messenger import Event, Messenger
from client.outgoing import Outgoing, OutgoingReply
from client.packer import Packer
from client.requests import Requests
from client.session import Session
from mixnet.clock import Clock
from mixnet.errors import Unavailable
from mixnet.link.frames import FrameKind
from mixnet.pki.parameters import Parameters
from mixnet.randomness import Source

RESERVE_TIME = 0.2  # seconds of slots for which cover is kept ready
OLDEST = 30.0  # seconds after which a prepared packet is made anew
TICK = 1.0  # seconds after which a lost loop is noticed even if nothing rings
SHORTEST_NAP = 0.01  # seconds between two visits to a messenger that had nothing to send


@dataclass(slots=True)
class Line:
    """One schedule, its shelf, and how its cover is made."""

    name: str
    schedule: Schedule
    make: Callable[[float, float], Prepared]
    shelf: Shelf = field(default_factory=Shelf)


class Preparer:
    """Keeps the shelves full and tells the messenger and the loop monitor what left."""

    def __init__(
        self,
        *,
        parameters: Parameters,
        rng: Source,
        clock: Clock,
        packer: Packer,
        messenger: Messenger,
        desk: Desk,
        loops: LoopMonitor,
        requests: Requests,
        session: Session,
        bell: Bell,
        publish: Callable[[list[Event]], None],
    ) -> None:
        """Start the three schedules now; each draws from a stream that nothing else touches."""
        start = trio.current_time()
        self._payload = Line("payload", Schedule(parameters.payload_rate, rng.stream("payload"), start), packer.cover)
        self._lines = [
            self._payload,
            Line("loop", Schedule(parameters.loop_rate, rng.stream("loop"), start), packer.loop),
            Line("drop", Schedule(parameters.drop_rate, rng.stream("drop"), start), packer.drop),
        ]
        self._clock = clock
        self._packer = packer
        self._messenger = messenger
        self._desk = desk
        self._loops = loops
        self._requests = requests
        self._session = session
        self._bell = bell
        self._publish = publish
        self._left: deque[Sent] = deque(maxlen=4096)
        self._oldest = OLDEST
        self._stirred = True
        self._wake_at = math.inf
        self.counts: Counter[str] = Counter()
        self.adopt(parameters)

    @property
    def schedules(self) -> list[Schedule]:
        """The three schedules."""
        return [line.schedule for line in self._lines]

    def adopt(self, parameters: Parameters) -> None:
        """Take the rates of a new document, from the next draw of each schedule on."""
        rates = (parameters.payload_rate, parameters.loop_rate, parameters.drop_rate)
        for line, rate in zip(self._lines, rates, strict=True):
            line.schedule.change_rate(rate)
        self._oldest = min(OLDEST, parameters.epoch_length / 10)

    def stir(self) -> None:
        """The messenger may have something new to send."""
        self._stirred = True
        self._bell.ring()

    async def run(self) -> None:
        """Emit and prepare, for ever."""
        await self._refill()
        async with trio.open_nursery() as nursery:
            for line in self._lines:
                nursery.start_soon(Emitter(line.schedule, line.shelf, self._emit).run)
            while True:
                rung = self._bell.listen()
                await self._refill()
                await self._account()
                await self._prepare_message()
                self._loops.on_tick(trio.current_time())
                with trio.move_on_after(self._nap()):
                    await rung.wait()

    def _emit(self, sent: Sent) -> None:
        """A slot came. The same for every kind of frame."""
        if self._session.offer(sent.prepared.frame):
            self._left.append(sent)
        self._bell.ring()

    async def _refill(self) -> None:
        """Make cover until every shelf has enough, none of it old."""
        for line in self._lines:
            # What is old goes only when its successors are there: a slot may come at any time.
            oldest = trio.current_time() - self._oldest
            while line.shelf.newer(oldest) < line.schedule.reserve(RESERVE_TIME):
                await quiet_passed(self.schedules)
                try:
                    line.shelf.add_cover(line.make(self._clock.now(), trio.current_time()))
                except Unavailable:  # no document of this time: its slots carry padding until there is one
                    break
            line.shelf.drop_older(oldest)

    async def _account(self) -> None:
        """Say what left, to those who count and to the messenger."""
        ahead = self._clock.now() - trio.current_time()
        messages = []
        while self._left:
            sent = self._left.popleft()
            self.counts[kind_of(sent.prepared)] += 1
            if sent.prepared.loop:
                self._loops.on_sent(sent.prepared.loop, sent.slot, sent.prepared.drawn_delay)
            if sent.prepared.outgoing is not None:
                messages.append((sent.prepared.outgoing, sent.slot + ahead, sent.prepared.drawn_delay))
        if messages:
            self._publish(await self._desk.call(_report, self._messenger, messages))

    async def _prepare_message(self) -> None:
        """Put what is most urgent in front of the cover."""
        shelf = self._payload.shelf
        if shelf.has_message() or not self._session.connected:
            return
        question = self._requests.next_frame()
        if question is not None:
            shelf.put_front(Prepared(question, trio.current_time()))
            return
        outgoing = await self._ask_messenger()
        if outgoing is None:
            return
        await quiet_passed(self.schedules)
        try:
            shelf.put_front(self._packer.message(outgoing, self._clock.now(), trio.current_time()))
        except Unavailable:  # no way to this contact now: like a lost slot, it comes again, and others get their turn
            self._bell.ring()

    def _nap(self) -> float:
        """How long nothing is to be done unless the bell rings, in seconds."""
        if self._payload.shelf.has_message() or not self._may_send():
            return TICK
        return min(TICK, max(0.0, self._wake_at - self._clock.now()))

    def _may_send(self) -> bool:
        return self._session.connected and self._loops.alarm is not Alarm.PAUSED

    async def _ask_messenger(self) -> Outgoing | None:
        """What it wants sent, unless it was asked before and nothing has happened since."""
        now = self._clock.now()
        if not self._may_send() or not (self._stirred or now >= self._wake_at):
            return None
        self._stirred = False
        asked = await self._desk.call(_next, self._messenger, now)
        self._publish(asked.events)
        self._wake_at = math.inf if asked.wake_at is None else max(asked.wake_at, now + SHORTEST_NAP)
        if asked.outgoing is not None:
            self._stirred = True  # there may be more behind it
        return asked.outgoing


class _Asked(NamedTuple):
    outgoing: Outgoing | None
    wake_at: float | None
    events: list[Event]


def _next(messenger: Messenger, now: float) -> _Asked:
    """All that one visit to the messenger can learn."""
    return _Asked(messenger.next_outgoing(now), messenger.wake_at(), messenger.take_events())


def _report(messenger: Messenger, messages: list[tuple[Outgoing, float, float]]) -> list[Event]:
    for message in messages:
        messenger.transmitted(*message)
    return messenger.take_events()


def kind_of(prepared: Prepared) -> str:
    """The name under which a frame that left is counted."""
    if prepared.loop:
        return "loop"
    if prepared.outgoing is not None:
        return "acknowledgement" if isinstance(prepared.outgoing, OutgoingReply) else "message"
    return {FrameKind.REQUEST: "request", FrameKind.PAD: "padding"}.get(prepared.frame.kind, "drop")
