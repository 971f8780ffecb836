"""Questions to providers cross a whole network of real nodes, and nothing of them shows on a client's link."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.client.traffic.provider_queries import (
    OUTSTANDING,
    SLOT_PATIENCE,
    TRIES,
    NotAnswered,
    ProviderQueries,
    TooManyQuestions,
)
from mixnet.counters import Event
from mixnet.errors import RemoteError
from mixnet.services import Operation, Question, ServiceAnswer, ServiceStatus
from tests.benchmarks.simulation.traces import around
from tests.client.worlds.whole import RULES

CONFIG = WorldConfig(seed=5, parameters=RULES, codec="plain")
SLOT = bytes(32)


def services_of(world: World, client: int) -> ProviderQueries:
    services = world.clients[client]._channel._daemon.codes.rendezvous._queries  # type: ignore[attr-defined]
    assert isinstance(services, ProviderQueries)
    return services


def test_two_clients_meet_in_a_slot_and_their_links_look_as_if_nobody_asked() -> None:
    answers: list[ServiceAnswer] = []

    async def meet(world: World) -> None:
        one, other = services_of(world, 0), services_of(world, 1)
        provider = one.provider_for(b"7")
        assert provider == other.provider_for(b"7")
        answers.append(await one.ask(provider, Question(Operation.PUT, SLOT, b"hello")))
        answers.append(await other.ask(provider, Question(Operation.READ, SLOT, b"\0")))
        await trio.sleep_until(40)

    async def idle(world: World) -> None:
        await trio.sleep_until(40)

    busy, quiet = run_world(meet, CONFIG), run_world(idle, CONFIG)
    assert answers == [ServiceAnswer(ServiceStatus.DONE, b"\0"), ServiceAnswer(ServiceStatus.DONE, b"hello")]
    asked = [node.counters[Event.QUESTIONS] for node in busy.nodes.values()]
    assert sum(asked) == 2
    for client in ("client-1", "client-2"):
        seen = around(busy.trace, client)
        assert len(seen) > 200
        assert seen == around(quiet.trace, client)


async def test_a_question_is_asked_again_with_another_block_until_it_is_answered(autojump_clock: MockClock) -> None:
    async def provider(services: ProviderQueries, answer_at: int) -> None:
        for number in range(TRIES):
            await trio.testing.wait_all_tasks_blocked()
            while (asked := services.next_question()) is None:
                await trio.sleep(0.1)
            block = bytes([number])
            services.packed(asked, block)
            if number == answer_at:
                # An answer to an earlier try that took very long is as good.
                assert services.answered_untrusted(bytes([number - 1]), ServiceAnswer(ServiceStatus.NOTHING).encode())

    for answer_at in (2, TRIES - 1):
        services = ProviderQueries(lambda: None, _document)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider, services, answer_at)
            assert await services.ask(bytes(32), Question(1, SLOT)) == ServiceAnswer(ServiceStatus.NOTHING)
            nursery.cancel_scope.cancel()
        assert not services.answered_untrusted(b"\0", ServiceAnswer(ServiceStatus.NOTHING).encode())


async def test_it_is_given_up_without_an_answer_or_a_slot(autojump_clock: MockClock) -> None:
    services, asked_times = ProviderQueries(lambda: None, _document), 0

    async def swallow() -> None:
        nonlocal asked_times
        while True:
            asked = services.next_question()
            if asked is not None:
                asked_times += 1
                services.unsendable(asked)
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(swallow)
        with pytest.raises(NotAnswered):
            await services.ask(bytes(32), Question(1, SLOT))
        nursery.cancel_scope.cancel()
    assert asked_times == TRIES
    begun = trio.current_time()
    with pytest.raises(NotAnswered):
        await services.ask(bytes(32), Question(1, SLOT))
    assert trio.current_time() - begun == pytest.approx(SLOT_PATIENCE)
    assert services.next_question() is None


async def test_what_is_outstanding_is_bounded_and_forgotten() -> None:
    services = ProviderQueries(lambda: None, lambda: None)  # type: ignore[arg-type, return-value]
    async with trio.open_nursery() as nursery:
        for _ in range(OUTSTANDING):
            nursery.start_soon(services.ask, bytes(32), Question(1, SLOT))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(TooManyQuestions):
            await services.ask(bytes(32), Question(1, SLOT))
        nursery.cancel_scope.cancel()
    assert services.next_question() is None


async def test_only_the_reply_through_its_own_block_is_its_answer() -> None:
    services = ProviderQueries(lambda: None, _document)
    answers: list[ServiceAnswer] = []

    async def ask() -> None:
        answers.append(await services.ask(bytes(32), Question(1, SLOT)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        asked = services.next_question()
        assert asked is not None
        services.packed(asked, b"mine")
        assert not services.answered_untrusted(b"else", ServiceAnswer(ServiceStatus.FULL).encode())
        with pytest.raises(RemoteError):
            services.answered_untrusted(b"mine", b"\x09 nonsense")
        done = ServiceAnswer(ServiceStatus.DONE).encode()
        assert not services.answered_untrusted(b"mine", done)  # a block is used once
        services.packed(asked, b"again")
        assert services.answered_untrusted(b"again", ServiceAnswer(ServiceStatus.DONE).encode())
    assert answers == [ServiceAnswer(ServiceStatus.DONE)]


class _document:  # noqa: N801  # stands for a function that gives a directory document
    parameters = RULES
