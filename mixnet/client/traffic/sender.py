"""Prepares the packets for a client's slots, before they are needed (spec/04-mixing.md 4.5).

Promises: every schedule has cover ready at all times, and a few payload slots ahead what is most urgent of all that
waits: a question to the directory, one to a provider through the mixnet, then what the messenger wants sent
(acknowledgements before fragments), then cover.
No packet is made while a slot is about to come. A message counts as sent only once its slot took it; one that is given
up before that doesn't leave.
While the loops say that the network is under attack, or the store can't be written, messages wait; the cover goes on,
and never waits for the messenger.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, TypeVarTuple

import trio

from mixnet.client.concurrency.lasting import Lasting
from mixnet.client.concurrency.wakeup import Wakeup
from mixnet.client.concurrency.worker import Worker
from mixnet.client.core.outgoing import Outgoing, OutgoingAnswer, OutgoingReply
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.views import Event
from mixnet.client.storage.database import is_of_store
from mixnet.client.traffic.loops import Alarm, LoopMonitor
from mixnet.client.traffic.packets import Packer
from mixnet.client.traffic.provider_link import ProviderLink
from mixnet.client.traffic.provider_queries import ProviderQueries
from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnet.client.traffic.schedule import MOST_RESERVE, Emitter, Prepared, ReadyQueue, Schedule, Sent, quiet_passed
from mixnet.errors import RemoteError, Unavailable
from mixnet.link.frames import FrameKind
from mixnet.pki.agreed_clock import AgreedClock
from mixnet.pki.parameters import Parameters
from mixnet.randomness import Source

T = TypeVar("T")
Given = TypeVarTuple("Given")

RESERVE_TIME = 0.2  # seconds of slots for which cover is kept ready
OLDEST = 30.0  # seconds after which a prepared packet is made anew
OLDEST_SLOTS = 10  # of the slowest schedule: a message that is ready must not grow old before its slot comes
TICK = 1.0  # seconds after which a lost loop is noticed even if nothing wakes the sender; more where slots are rare
AHEAD_TIME = 0.1  # seconds of payload slots for which messages are ready, since several may come while one is made
RETRY = 2.0  # seconds after the store could not be written
FAULT = "this program failed at what it wanted to send: it tries again"
SHORTEST_NAP = 0.01  # seconds between two visits to a messenger that had nothing to send


@dataclass(slots=True)
class Stream:
    """One schedule, its queue, and how its cover is made."""

    schedule: Schedule
    make: Callable[[float, float], Prepared]
    queue: ReadyQueue = field(default_factory=ReadyQueue)


class PacketSender:
    """Keeps the queues full and tells the messenger and the loop monitor what left."""

    def __init__(
        self,
        *,
        parameters: Parameters,
        rng: Source,
        clock: AgreedClock,
        packer: Packer,
        messenger: Messenger,
        worker: Worker,
        loops: LoopMonitor,
        provider_requests: ProviderRequests,
        provider_queries: ProviderQueries,
        provider_link: ProviderLink,
        wakeup: Wakeup,
        publish: Callable[[list[Event]], None],
    ) -> None:
        """Start the three schedules now; each draws from a stream that nothing else touches.

        Packets are made for the time of the machine's clock, as documents are chosen by it; all else goes by `clock`.
        """
        start = trio.current_time()
        self._payload = Stream(Schedule(parameters.payload_rate, rng.stream("payload"), start), packer.cover)
        self._streams = [
            self._payload,
            Stream(Schedule(parameters.loop_rate, rng.stream("loop"), start), packer.loop),
            Stream(Schedule(parameters.drop_rate, rng.stream("drop"), start), packer.drop),
        ]
        self._clock, self._packer, self._messenger, self._worker = clock, packer, messenger, worker
        self._loops, self._requests, self._queries = loops, provider_requests, provider_queries
        self._link, self._wakeup = provider_link, wakeup
        self._slot = Wakeup()
        self._publish = publish
        self._left: deque[Sent] = deque(maxlen=4096)
        self._oldest, self._tick = OLDEST, TICK
        self._stirred = True
        self._doubtful = False  # what is ready may have been given up
        self._expires_at = 0.0  # when something may expire although nothing may be sent
        self._wake_at = math.inf
        self._ahead = 1
        self.problem = ""
        self.faults = 0  # visits to the messenger that failed for errors that are faults of this program
        self.counts: Counter[str] = Counter()
        self.adopt(parameters)

    @property
    def schedules(self) -> list[Schedule]:
        """The three schedules."""
        return [stream.schedule for stream in self._streams]

    def adopt(self, parameters: Parameters) -> None:
        """Take the rates of a new document, from the next draw of each schedule on."""
        rates = (parameters.payload_rate, parameters.loop_rate, parameters.drop_rate)
        for stream, rate in zip(self._streams, rates, strict=True):
            stream.schedule.change_rate(rate)
        slowest = min((rate for rate in rates if rate), default=1.0)
        self._oldest = min(max(OLDEST, OLDEST_SLOTS / slowest), parameters.epoch_length / 10)
        self._tick = max(TICK, (self._oldest - OLDEST) / 10)
        self._ahead = min(max(1, math.ceil(parameters.payload_rate * AHEAD_TIME)), MOST_RESERVE)

    def stir(self) -> None:
        """The messenger may have something new to send."""
        self._stirred = self._doubtful = True
        self._wakeup.wake()

    async def send_slots(self, lasting: Lasting) -> None:
        """Emit and prepare, for ever. What fails in one of these tasks stops none of the others."""
        await self._refill()
        async with trio.open_nursery() as nursery:
            for stream in self._streams:
                nursery.start_soon(lasting.run, Emitter(stream.schedule, stream.queue, self._emit).emit_slots)
            nursery.start_soon(lasting.run, self._keep_cover)
            nursery.start_soon(lasting.run, self._keep_messages)

    async def _keep_messages(self) -> None:
        while True:
            rung = self._wakeup.listen()
            await self._account()
            await self._give_up()
            while self._has_place() and await self._prepare_message():
                pass
            self._loops.on_tick(trio.current_time())
            with trio.move_on_after(self._nap()):
                await rung.wait()

    def _emit(self, sent: Sent) -> None:
        """A slot came. The same for every kind of frame."""
        if self._link.offer(sent.prepared.frame):
            self._left.append(sent)
        self._slot.wake()
        self._wakeup.wake()

    async def _keep_cover(self) -> None:
        """A task of its own: when cover is made must not depend on how long the messenger works."""
        while True:
            passed = self._slot.listen()
            await self._refill()
            with trio.move_on_after(self._tick):
                await passed.wait()

    async def _refill(self) -> None:
        """Make cover until every queue has enough, none of it old."""
        for stream in self._streams:
            # What is old goes only when its successors are there: a slot may come at any time.
            oldest = trio.current_time() - self._oldest
            while stream.queue.newer(oldest) < stream.schedule.reserve(RESERVE_TIME):
                await quiet_passed(self.schedules)
                try:
                    stream.queue.add_cover(stream.make(self._clock.wall.now(), trio.current_time()))
                except (
                    Unavailable,
                    RemoteError,
                ):  # no document of this time, or a node's key is none: padding, for now
                    break
            stream.queue.drop_older(oldest)

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
        if messages:  # what can't be noted did leave, and its acknowledgement will say so
            self._publish(await self._visit(_report, messages) or [])

    async def _give_up(self) -> None:
        """Take back what was given up before its slot; while nothing may be sent, let expire what waits."""
        queue, now = self._payload.queue, self._clock.now()
        doubtful, self._doubtful = self._doubtful, False
        if doubtful and queue.messages:
            queue.take_back(await self._visit(_unwanted, queue.in_front()) or [])
        if self._may_send():
            self._expires_at = 0.0
        elif doubtful or now >= self._expires_at:
            done = await self._visit(_expire, now)
            if done is None:
                self._expires_at = now + RETRY
            else:
                events, expiry = done
                self._publish(events)
                self._expires_at = math.inf if expiry is None else expiry

    def _has_place(self) -> bool:
        """Whether one more message may be ready: what is not ready yet can still give way to what is more urgent."""
        return self._link.connected and self._payload.queue.messages < self._ahead

    async def _prepare_message(self) -> bool:
        """Put what is most urgent in front of the cover; False if nothing waits."""
        queue = self._payload.queue
        question = self._requests.next_frame()
        if question is not None:
            queue.put_front(Prepared(question, trio.current_time()))
            return True
        if self._may_send() and await self._prepare_question():
            return True
        outgoing = await self._ask_messenger()
        if outgoing is None:
            return False
        await quiet_passed(self.schedules)
        try:
            queue.put_front(self._packer.message(outgoing, self._clock.wall.now(), trio.current_time()))
        except (Unavailable, RemoteError):  # no way to this contact now: like a lost slot, others get their turn
            self._wakeup.wake()
            return False
        return True

    async def _prepare_question(self) -> bool:
        """Put a question to a provider in front of the cover; False if none waits."""
        asked = self._queries.next_question()
        if asked is None:
            return False
        await quiet_passed(self.schedules)
        try:
            prepared, block = self._packer.question(asked, self._clock.wall.now(), trio.current_time())
        except (Unavailable, RemoteError):
            self._queries.unsendable(asked)
        else:
            self._payload.queue.put_front(prepared)
            self._queries.packed(asked, block)
        return True

    def _nap(self) -> float:
        """How long nothing is to be done unless somebody wakes the sender, in seconds."""
        if not self._has_place() or not self._may_send():
            return self._tick
        return min(self._tick, max(0.0, self._wake_at - self._clock.now()))

    def _may_send(self) -> bool:
        return self._link.connected and self._loops.alarm is not Alarm.PAUSED

    async def _ask_messenger(self) -> Outgoing | None:
        """What it wants sent, unless it was asked before and nothing has happened since."""
        now = self._clock.now()
        if not self._may_send() or not (self._stirred or now >= self._wake_at):
            return None
        self._stirred = False
        said = await self._visit(_next, now)
        if said is None:
            return None
        outgoing, wake_at, events = said
        self.problem = ""
        self._publish(events)
        self._wake_at = math.inf if wake_at is None else max(wake_at, now + SHORTEST_NAP)
        if outgoing is not None:
            self._stirred = True  # there may be more behind it
        return outgoing

    async def _visit(self, ask: Callable[[Messenger, *Given], T], *given: *Given) -> T | None:
        """What the messenger says; None if it can't now: messages wait for a while, and the slots go on.

        Nothing can be written, or it is a fault of this program, which must not end it: that may be what a peer wants.
        """
        try:
            return await self._worker.call(ask, self._messenger, *given)
        except Exception as error:
            if not isinstance(error, Unavailable):
                if is_of_store(error):
                    raise
                self.faults += 1
            self.problem = str(error) if isinstance(error, Unavailable) else FAULT
            self._wake_at = self._clock.now() + RETRY
            return None


def _next(messenger: Messenger, now: float) -> tuple[Outgoing | None, float | None, list[Event]]:
    """All that one visit to the messenger can learn: what to send, when to ask again, and what happened."""
    return messenger.next_outgoing(now), messenger.wake_at(), messenger.take_events()


def _expire(messenger: Messenger, now: float) -> tuple[list[Event], float | None]:
    messenger.expire(now)
    return messenger.take_events(), messenger.next_expiry


def _unwanted(messenger: Messenger, prepared: list[Prepared]) -> list[Prepared]:
    return [one for one in prepared if one.outgoing is not None and not messenger.wants(one.outgoing)]


def _report(messenger: Messenger, messages: list[tuple[Outgoing, float, float]]) -> list[Event]:
    for message in messages:
        messenger.transmitted(*message)
    return messenger.take_events()


def kind_of(prepared: Prepared) -> str:
    """The name under which a frame that left is counted."""
    if prepared.loop:
        return "loop"
    if prepared.question is not None:
        return "question"
    if prepared.outgoing is not None:
        reply = isinstance(prepared.outgoing, OutgoingReply) and not isinstance(prepared.outgoing, OutgoingAnswer)
        return "acknowledgement" if reply else "message"
    return {FrameKind.REQUEST: "request", FrameKind.PAD: "padding"}.get(prepared.frame.kind, "drop")
