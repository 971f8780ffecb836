"""What a provider does for people who ask through the mixnet (spec/06-providers.md 6.5).

Promises: the provider doesn't learn who asks: a question came through the mixes, and its one answer goes back through
the reply block in it, as a packet that enters here like those of clients and is held for the time that the asker drew.
All questions together have one rate; one above it, or one that is malformed, is dropped without an answer.
Never: a word in a log about a question, or a figure for one operation.

Another service is one more entry in the table that `Services` is given: an operation, and what answers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from mixnet.bucket import TokenBucket
from mixnet.counters import Counters, Dropped, Event
from mixnet.errors import RemoteError
from mixnet.services import QUESTION, Operation, Question, ServiceAnswer, ServiceStatus
from mixnet.sphinx import Engine
from mixnode.arrival import CLIENTS, Arrived, Entrance
from mixnode.slots import Slots

RATE, BURST = 50.0, 500.0  # questions a second, and at once
SWEEP = 60.0  # seconds between two looks for slots that are over
HOUR, DAY = 3600.0, 86_400.0
MEMORY = 16 << 20  # bytes of the slots of an hour, and again for those of a day
_QUESTION = bytes([QUESTION])
# (question, now in Trio's seconds); RemoteError for one asked wrongly.
Handler = Callable[[Question, float], ServiceAnswer]


def is_question(message: bytes) -> bool:
    """Whether a delivered plaintext is for the services, by its first byte."""
    return message[:1] == _QUESTION


class SlotService:
    """Slots of an hour and of a day (`slots.py`)."""

    def __init__(self) -> None:
        """Start empty, as a provider does."""
        self.hour, self.day = Slots(HOUR, MEMORY), Slots(DAY, MEMORY)

    @property
    def handlers(self) -> dict[int, Handler]:
        """Operation to handler."""
        return {
            Operation.PUT: lambda question, now: self.hour.put(question.subject, question.body, now),
            Operation.READ: lambda question, now: self.hour.read(question.subject, _place_untrusted(question), now),
            Operation.PUT_DAY: lambda question, now: self.day.put(question.subject, question.body, now),
            Operation.READ_DAY: lambda question, now: self.day.read(question.subject, _place_untrusted(question), now),
        }

    async def sweep(self) -> None:
        """Delete the slots whose time is over, until cancelled."""
        while True:
            await trio.sleep(SWEEP)
            self.hour.sweep(trio.current_time())
            self.day.sweep(trio.current_time())


def _place_untrusted(question: Question) -> int:
    if len(question.body) != 1:
        raise RemoteError("a place has one byte")
    return question.body[0]


class Services:
    """Answers questions at one provider."""

    def __init__(
        self,
        identity: bytes,
        engine: Engine,
        arrived: Entrance,
        counters: Counters,
        handlers: Mapping[int, Handler],
    ) -> None:
        """`identity` is this provider's; its answers go into the queue `arrived`; `handlers` has the operations."""
        self._identity = identity
        self._engine = engine
        self._arrived = arrived
        self._counters = counters
        self._handlers = handlers
        self._bucket = TokenBucket(RATE, BURST, trio.current_time())

    def take_untrusted(self, message: bytes) -> None:
        """Answer a delivered question. What can't be answered is dropped and counted."""
        now = trio.current_time()
        if not self._bucket.take(1, now):
            self._counters.drop(Dropped.SERVICE_LIMIT)
            return
        try:
            question, surb = Question.parse_untrusted(message)
            if surb.first_hop != self._identity:
                raise RemoteError("a reply block that begins somewhere else")
        except RemoteError:
            self._counters.drop(Dropped.UNWANTED)
            return
        answer = self._answer_untrusted(question, now)
        packet = self._engine.use_surb(surb, answer.encode())
        # As a client's: so it can only be forwarded. What ended here would reach a mailbox by no mix at all.
        self._arrived.put([Arrived(packet, now, CLIENTS)])
        self._counters.add(Event.QUESTIONS)

    def _answer_untrusted(self, question: Question, now: float) -> ServiceAnswer:
        handler = self._handlers.get(question.operation)
        try:
            return ServiceAnswer(ServiceStatus.UNKNOWN) if handler is None else handler(question, now)
        except RemoteError:
            return ServiceAnswer(ServiceStatus.UNKNOWN)
