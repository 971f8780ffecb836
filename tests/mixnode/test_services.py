"""A provider answers each question once, through the reply block in it, and drops whatever is none."""

import pytest
import trio
from trio.testing import MockClock

from mixnet.counters import Counters, Dropped, Event
from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError
from mixnet.link import Role
from mixnet.services import Operation, Question, ServiceAnswer, ServiceStatus
from mixnet.sphinx import Command, Forward, Hop, Kind, Reply, SphinxEngine
from mixnode.arrival import Arrived
from mixnode.queues import DropQueue
from mixnode.services import BURST, HOUR, RATE, Services, SlotService

HERE, MIX = bytes([1]) * 32, bytes([2]) * 32
ENGINE = SphinxEngine()
PROVIDER, OWNER = SphinxSecret(bytes([3]) * 32), SphinxSecret(bytes([4]) * 32)
SLOT = bytes([5]) * 32


class Provided:
    """The services of one provider, and what they put on their way."""

    def __init__(self, handlers=None) -> None:
        self.counters = Counters()
        self.queue: DropQueue[Arrived] = DropQueue(10_000, self.counters, Dropped.PEEL_FULL)
        slots = SlotService()
        self.services = Services(HERE, ENGINE, self.queue, self.counters, handlers or slots.handlers)

    async def ask(self, operation: int, body: bytes = b"", subject: bytes = SLOT) -> ServiceAnswer:
        """The answer, as the owner of the block opens it."""
        surb, keys = reply_block(HERE)
        self.services.take_untrusted(Question(operation, subject, body).encode(surb))
        (arrived,) = await self.queue.take()
        assert arrived.origin is Role.CLIENT
        forward = ENGINE.peel_untrusted(PROVIDER, arrived.packet)
        assert isinstance(forward, Forward)
        assert (forward.next_hop, forward.delay) == (MIX, 0.25)
        reply = ENGINE.peel_untrusted(OWNER, forward.packet)
        assert isinstance(reply, Reply)
        return ServiceAnswer.parse_untrusted(ENGINE.open_reply_untrusted(keys, reply.body))


def reply_block(first_hop: bytes):
    hops = [Hop(PROVIDER.public, Command(Kind.FORWARD, MIX, 250_000)), Hop(OWNER.public, Command(Kind.REPLY, SLOT, 0))]
    surb, keys = ENGINE.create_surb(first_hop, hops, seed=bytes(64))
    return surb.serialize(), keys


async def test_what_was_put_can_be_read_by_place_until_it_is_over(autojump_clock: MockClock) -> None:
    provided = Provided()
    assert await provided.ask(Operation.PUT, b"one") == ServiceAnswer(ServiceStatus.DONE, b"\0")
    assert await provided.ask(Operation.PUT, b"two") == ServiceAnswer(ServiceStatus.DONE, b"\1")
    assert await provided.ask(Operation.PUT, b"one") == ServiceAnswer(ServiceStatus.DONE, b"\0")
    assert await provided.ask(Operation.READ, b"\1") == ServiceAnswer(ServiceStatus.DONE, b"two")
    assert await provided.ask(Operation.READ, b"\2") == ServiceAnswer(ServiceStatus.NOTHING)
    assert await provided.ask(Operation.READ_DAY, b"\0") == ServiceAnswer(ServiceStatus.NOTHING)
    assert await provided.ask(Operation.PUT_DAY, b"long") == ServiceAnswer(ServiceStatus.DONE, b"\0")
    await trio.sleep(HOUR + 1)
    assert await provided.ask(Operation.READ, b"\0") == ServiceAnswer(ServiceStatus.NOTHING)
    assert await provided.ask(Operation.READ_DAY, b"\0") == ServiceAnswer(ServiceStatus.DONE, b"long")
    assert provided.counters[Event.QUESTIONS] == 9


async def test_what_was_asked_wrongly_is_answered_so(autojump_clock: MockClock) -> None:
    provided = Provided()
    assert await provided.ask(200) == ServiceAnswer(ServiceStatus.UNKNOWN)
    assert await provided.ask(Operation.READ) == ServiceAnswer(ServiceStatus.UNKNOWN)
    assert await provided.ask(Operation.READ, b"\0\0") == ServiceAnswer(ServiceStatus.UNKNOWN)


async def test_another_service_is_one_more_entry(autojump_clock: MockClock) -> None:
    def dated(question: Question, now: float) -> ServiceAnswer:
        return ServiceAnswer(ServiceStatus.DONE, question.subject + str(now).encode())

    provided = Provided({77: dated})
    assert await provided.ask(77) == ServiceAnswer(ServiceStatus.DONE, SLOT + str(trio.current_time()).encode())
    assert await provided.ask(Operation.PUT) == ServiceAnswer(ServiceStatus.UNKNOWN)


@pytest.mark.parametrize(
    "message",
    [b"", b"\x08", Question(1, SLOT).encode(reply_block(HERE)[0])[:-1], Question(1, SLOT).encode(reply_block(MIX)[0])],
)
async def test_what_is_no_question_or_has_a_block_for_elsewhere_is_dropped(autojump_clock, message: bytes) -> None:
    provided = Provided()
    provided.services.take_untrusted(message)
    assert len(provided.queue) == 0
    assert provided.counters[Dropped.UNWANTED] == 1
    assert provided.counters[Event.QUESTIONS] == 0


async def test_questions_above_the_rate_are_dropped_without_work(autojump_clock: MockClock) -> None:
    provided = Provided()
    surb, _ = reply_block(HERE)
    for _ in range(int(BURST) + 100):
        provided.services.take_untrusted(Question(Operation.READ, SLOT, b"\0").encode(surb))
    assert provided.counters[Dropped.SERVICE_LIMIT] == 100
    assert len(provided.queue) == BURST
    await trio.sleep(2.0)
    for _ in range(200):
        provided.services.take_untrusted(Question(Operation.READ, SLOT, b"\0").encode(surb))
    assert len(provided.queue) == BURST + 2 * RATE


async def test_a_handler_that_refuses_is_no_crash(autojump_clock: MockClock) -> None:
    def refuse(question: Question, now: float) -> ServiceAnswer:
        raise RemoteError("no")

    assert await Provided({1: refuse}).ask(1) == ServiceAnswer(ServiceStatus.UNKNOWN)
