"""3, 5 and 7 authorities, as many of them slow as the model allows: late by a moment, late for some, late by a step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from mixnet.directory.authority import Authority
from mixnet.directory.requests import WAIT
from mixnet.directory.schedule import regular
from mixnet.directory.voting import faults, step_count
from mixnet.link import Peer
from mixnet.pki.requests import AskStep, RoundReport, StepAnswer, encode, parse_request_untrusted
from mixnet.simulated import DEFAULT_LATENCY
from tests.directory.authority_world import Alter, AuthorityWorld
from tests.mixnet.pki.builders import Town

TOWNS = {count: Town(count, mixes=3, providers=1) for count in (3, 5, 7)}
EPOCH = 1  # the slow ones are slow in the round for it, which is the first regular one
MOMENT = 0.001  # seconds
each_town = pytest.mark.parametrize("town", TOWNS.values(), ids=lambda town: f"{town.authority_count} authorities")
# Seven differ from five in one more round of relays: the test in which most depends on it has all three.
most_towns = pytest.mark.parametrize(
    "town", (TOWNS[3], TOWNS[5]), ids=lambda town: f"{town.authority_count} authorities"
)

Lateness = Callable[[int, bytes], float | None]  # (step, who asks) -> seconds after the deadline; None: at once


def slow(world: AuthorityWorld, lateness: Lateness) -> Alter:
    """Makes an authority's words for the round arrive so long after the end of their step."""
    plan = regular(world.town.bootstrap.epochs, EPOCH, step_count(world.town.authority_count))

    def alter(authority: Authority) -> None:
        prompt = authority._requests._answer_untrusted

        async def answer(peer: Peer, raw: bytes) -> bytes:
            said, request = await prompt(peer, raw), parse_request_untrusted(raw)
            if not isinstance(request, AskStep) or request.epoch != EPOCH:
                return said
            late = lateness(request.step, peer.identity)
            if late is None:
                return said
            rest = plan.step_ends[request.step] + late - DEFAULT_LATENCY - world.clock.now()
            await trio.sleep(min(max(rest, 0.0), WAIT))
            return said if rest <= WAIT else encode(StepAnswer(None))  # there is nothing yet: ask again

        authority._requests._answer_untrusted = answer  # type: ignore[method-assign]

    return alter


def one_step_behind(authority: Authority) -> None:
    """What it should have said in a step it says in the next one."""
    prompt = authority._requests._step

    def step(request: AskStep) -> bytes | None:
        if request.epoch != EPOCH:
            return prompt(request)
        return prompt(AskStep(request.epoch, request.attempt, max(request.step - 1, 0))) if request.step else b""

    authority._requests._step = step  # type: ignore[method-assign]


def sides(town: Town) -> tuple[range, range]:
    """(the slow ones, the others)."""
    bad = range(faults(town.authority_count))
    return bad, range(len(bad), town.authority_count)


def identities(town: Town, numbers: range) -> set[bytes]:
    return {town.authorities[number].public for number in numbers}


async def hold(world: AuthorityWorld, alter: Alter) -> list[RoundReport]:
    """How the round for `EPOCH` ended for each of the others, who made one document."""
    bad, good = sides(world.town)
    for number in bad:
        await world.start(number, alter=alter)
    await world.start(*good)
    world.enter(*world.town.nodes)
    await world.fetch_when_ready()
    await trio.sleep(world.town.epoch_length - world.elapsed)
    documents = [(await world.fetch_from(number, EPOCH))[0] for number in good]
    assert {document.digest for document in documents} == {documents[0].digest}
    assert not any(world.authorities[number].snapshot()["suspects"] for number in good)
    reports = [world.authorities[number]._context.ledger.reports(EPOCH) for number in good]
    assert all(len(rounds) == 1 for rounds in reports)
    return [report for (report,) in reports]


@most_towns
async def test_what_arrives_a_moment_before_the_deadline_counts(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    world = AuthorityWorld(town, nursery)
    everybody = set(town.bootstrap.identities)
    for report in await hold(world, slow(world, lambda _step, _asker: -MOMENT)):
        assert set(report.voted) == set(report.revealed) == set(report.signed) == everybody


@most_towns
async def test_what_arrives_a_moment_after_the_deadline_counts_for_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    world = AuthorityWorld(town, nursery)
    on_time = identities(town, sides(town)[1])
    for report in await hold(world, slow(world, lambda _step, _asker: MOMENT)):
        assert set(report.voted) == set(report.revealed) == set(report.signed) == on_time


@each_town
async def test_what_is_in_time_for_one_counts_for_all(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    """The one relays it. A signature is nobody's to relay: those who were told in time have one more."""
    world = AuthorityWorld(town, nursery)
    good = sides(town)[1]
    favourite, everybody = town.authorities[good[0]].public, set(town.bootstrap.identities)
    reports = await hold(world, slow(world, lambda _step, asker: -MOMENT if asker == favourite else MOMENT))
    for report in reports:
        assert set(report.voted) == set(report.revealed) == everybody
    assert [set(report.signed) == everybody for report in reports] == [True] + [False] * (len(good) - 1)


@most_towns
async def test_one_late_word_costs_no_later_one(autojump_clock: MockClock, nursery: trio.Nursery, town: Town) -> None:
    """The word that comes when the next step is open isn't taken for that step's."""
    world = AuthorityWorld(town, nursery)
    before_signing = step_count(town.authority_count) - 2
    for report in await hold(world, slow(world, lambda step, _asker: MOMENT if step == before_signing else None)):
        assert set(report.signed) == set(town.bootstrap.identities)


@most_towns
async def test_a_vote_that_comes_a_step_late_counts_for_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town
) -> None:
    on_time = identities(town, sides(town)[1])
    for report in await hold(AuthorityWorld(town, nursery), one_step_behind):
        assert set(report.voted) == set(report.revealed) == set(report.signed) == on_time
