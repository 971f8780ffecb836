"""The time by which things are destroyed: whatever is done to the machine's clock, nothing is over before it is."""

from __future__ import annotations

import random
from math import inf

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as some
from trio.testing import MockClock

from mixnet.benchmarks.simulation import virtual
from mixnet.clock import VirtualClock
from mixnet.pki.agreed_clock import ALONE, AgreedClock
from mixnet.pki.errors import ClockWrong
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.requests import NEWEST
from mixnet.pki.trust import Trust
from tests.mixnet.pki.sources import LENGTH, TOWN, Wrong

TOLERANCE = 0.05 * LENGTH
MONTH = 30 * 86_400.0
SOON = 1.5 * LENGTH  # in which a running keeper gets the next document


def keeping(right: VirtualClock, wall: Wrong, initial: bytes | None, nursery: trio.Nursery) -> AgreedClock:
    """The clock of somebody with a keeper of documents, which are there when they should be."""

    async def fetch(epoch: int, _newest: int) -> bytes:
        await trio.lowlevel.checkpoint()
        present = TOWN.bootstrap.epochs.at(right.now())
        if epoch > TOWN.bootstrap.epochs.at(right.now() + 0.1 * LENGTH):
            raise ClockWrong
        if epoch == NEWEST and abs(wall.by) > LENGTH:  # it would be refused
            raise ClockWrong
        return TOWN.signed(present if epoch == NEWEST else epoch)

    agreed, trust = AgreedClock(wall, TOLERANCE), Trust(TOWN.bootstrap)
    keeper = DocumentKeeper(trust, fetch, clock=wall, rng=random.Random(1), agreed=agreed, initial=initial)
    nursery.start_soon(keeper.run)
    return agreed


def town_clock() -> VirtualClock:
    """Of the middle of epoch 12."""
    return VirtualClock(TOWN.bootstrap.epochs.start(12) + 0.5 * LENGTH - trio.current_time())


@pytest.mark.parametrize("leap", [MONTH, -MONTH, 3 * LENGTH, -3 * LENGTH, 2.5 * LENGTH, -2.5 * LENGTH])
@pytest.mark.parametrize("lasts", [90.0, 3 * LENGTH])
async def test_a_leap_while_it_runs_moves_no_deadline(
    autojump_clock: MockClock, nursery: trio.Nursery, leap: float, lasts: float
) -> None:
    right = town_clock()
    wall = Wrong(right)
    agreed = keeping(right, wall, None, nursery)
    await trio.sleep(SOON)
    assert agreed.past() == wall.now()
    wall.by = leap
    for _ in range(20):
        await trio.sleep(lasts / 20)
        assert agreed.past() == agreed.now() == pytest.approx(right.now(), abs=TOLERANCE)
    wall.by = 0.0
    await trio.sleep(SOON)
    assert agreed.past() == agreed.now() == wall.now()


@pytest.mark.parametrize("by", [MONTH, -MONTH])
@pytest.mark.parametrize("known", [None, 11])
async def test_at_a_start_nothing_is_over_until_the_directory_agrees(
    autojump_clock: MockClock, nursery: trio.Nursery, by: float, known: int | None
) -> None:
    right = town_clock()
    wall = Wrong(right, by)
    agreed, settled = keeping(right, wall, None if known is None else TOWN.signed(known), nursery), []
    agreed.when_settled(lambda: settled.append(trio.current_time()))
    await trio.sleep(SOON)
    assert agreed.past() == -inf and not settled
    if known is not None:  # a document was in use: it can't be earlier than that
        assert agreed.now() >= TOWN.bootstrap.epochs.start(known)
    wall.by = 0.0
    await trio.sleep(SOON)
    assert agreed.past() == agreed.now() == wall.now()
    assert len(settled) == 1


async def test_a_machine_that_slept_has_the_new_time_with_the_next_document(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    right = town_clock()
    wall = Wrong(right)
    agreed = keeping(right, wall, None, nursery)
    await trio.sleep(SOON)
    right._start += 20 * LENGTH  # everybody's time, but for what has passed here
    assert agreed.now() < wall.now() - 19 * LENGTH
    await trio.sleep(90.0)
    assert agreed.past() == agreed.now() == wall.now()


async def test_a_leap_within_the_epoch_is_believed_since_no_document_can_tell(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    right = town_clock()
    wall = Wrong(right)
    agreed = keeping(right, wall, None, nursery)
    await trio.sleep(1.0)
    wall.by = 0.3 * LENGTH
    assert agreed.past() == wall.now()


def test_a_machine_that_nobody_answers_believes_its_clock_after_a_day() -> None:
    async def run() -> None:
        wall = Wrong(VirtualClock(), MONTH)
        agreed = AgreedClock(wall, 60.0)
        agreed.not_before(wall.now() - MONTH)
        for _ in range(30):  # one that is set now and then is never believed
            agreed.now()
            await trio.sleep(ALONE * 0.9)
            wall.by += 3600.0
        assert agreed.past() == -inf
        await trio.sleep(ALONE * 0.9)
        agreed.contradict()
        agreed.now()
        await trio.sleep(ALONE * 0.9)
        assert agreed.past() == -inf
        await trio.sleep(ALONE * 0.2)
        assert agreed.past() == wall.now()
        wall.by -= 10 * MONTH  # earlier than a document that was in use
        agreed.now()
        await trio.sleep(2 * ALONE)
        assert agreed.now() == pytest.approx(wall.now() + 10 * MONTH)

    virtual.run(run, seed=1)


FAR = 20 * LENGTH  # farther than what passes below


@given(
    some.lists(some.tuples(some.floats(0.0, LENGTH), some.floats(FAR, 1e8), some.sampled_from((-1, 0, 1))), max_size=9)
)
def test_however_often_a_clock_is_set_it_moves_no_deadline(steps: list[tuple[float, float, int]]) -> None:
    async def run() -> None:
        right = VirtualClock(1000 * LENGTH)
        wall = Wrong(right)
        agreed = AgreedClock(wall, TOLERANCE)
        agreed.agree(right.now(), right.now() + LENGTH)
        for passes, by, where in steps:
            wall.by = by * where
            assert abs(agreed.past() - right.now()) <= TOLERANCE
            await trio.sleep(passes)
            assert abs(agreed.past() - right.now()) <= TOLERANCE

    virtual.run(run, seed=1)
