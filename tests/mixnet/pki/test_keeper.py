"""A process has the document of the epoch, from its first second to the end of its validity."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import VirtualClock
from mixnet.link import Role
from mixnet.pki.errors import NoDocument
from mixnet.pki.keeper import (
    CLOCK_WRONG,
    EARLIEST,
    LATEST,
    SPLIT_VIEW,
    DocumentKeeper,
    keeper_of_authorities,
)
from mixnet.pki.trust import Trust
from mixnet.pki.views import Contradiction, Views
from tests.mixnet.pki.builders import START, Town, key
from tests.mixnet.pki.liars import Liars, gives
from tests.mixnet.pki.sources import LENGTH, TOWN, Notes, Source


async def test_there_is_none_before_the_first(autojump_clock: MockClock) -> None:
    await trio.lowlevel.checkpoint()
    keeper = Source().keeper
    assert keeper.raw() is None
    with pytest.raises(NoDocument):
        assert keeper.current


async def test_it_starts_with_a_document_and_switches_when_the_epoch_begins(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    source = Source()
    await trio.sleep(2.5 * LENGTH)
    await nursery.start(source.keeper.run)
    assert source.keeper.current == TOWN.document(2)
    for epoch in range(3, 8):
        document = await source.keeper.wait_for_next()
        assert (document.epoch, source.elapsed) == (epoch, pytest.approx(epoch * LENGTH))
        assert source.keeper.current == document == TOWN.document(epoch)
        assert source.keeper.raw() == TOWN.signed(epoch)
        assert source.keeper.raw(epoch - 1) is None


async def test_the_next_one_is_fetched_ahead_at_times_of_ones_own(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    sources = [Source(seed=seed) for seed in range(20)]
    for source in sources:
        await nursery.start(source.keeper.run)
    await trio.sleep(1.5 * LENGTH)
    times = [time for source in sources for time, epoch in source.asked if epoch == 1]
    assert len(times) == len(set(times)) == 20
    assert all(LENGTH * (1 - EARLIEST) <= time <= LENGTH * (1 - LATEST) for time in times)
    assert max(times) - min(times) > LENGTH * (EARLIEST - LATEST) / 2


async def test_the_coming_document_is_held_for_others_before_it_is_current(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    source = Source()
    await nursery.start(source.keeper.run)
    await trio.sleep(0.99 * LENGTH)
    assert source.keeper.current.epoch == 0
    assert source.keeper.raw(1) == TOWN.signed(1)
    assert source.keeper.raw() == TOWN.signed(0)


async def test_it_waits_for_the_first_document(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    source = Source(lambda epoch, now: now > 33.0)
    await nursery.start(source.keeper.run)
    assert 33.0 < source.elapsed < 36.0


async def test_a_missed_epoch_is_bridged_and_caught_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    source = Source(lambda epoch, now: epoch != 1 and (epoch != 2 or now > 2 * LENGTH + 100))
    await nursery.start(source.keeper.run)
    await trio.sleep(1.9 * LENGTH)
    assert source.keeper.current.epoch == 0
    document = await source.keeper.wait_for_next()
    assert document.epoch == 2
    assert 2 * LENGTH + 100 < source.elapsed < 2 * LENGTH + 200


async def test_an_expired_document_is_not_current(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    source = Source(lambda epoch, now: epoch == 0)
    await nursery.start(source.keeper.run)
    await trio.sleep(1.99 * LENGTH)
    assert source.keeper.current.epoch == 0
    await trio.sleep(0.02 * LENGTH)
    with pytest.raises(NoDocument):
        assert source.keeper.current
    assert len(source.asked) < 200


async def test_a_document_of_an_earlier_run_is_used_at_once(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    source = Source(lambda epoch, now: False)
    keeper = DocumentKeeper(
        Trust(TOWN.bootstrap), source.fetch, clock=source.clock, rng=random.Random(1), initial=TOWN.signed(0)
    )
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(0)
    assert source.asked == []


@pytest.mark.parametrize("initial", [b"garbage", Town(name="other ").signed(9), TOWN.signed(9, count=1)])
async def test_one_that_cannot_be_relied_on_is_not(
    autojump_clock: MockClock, nursery: trio.Nursery, initial: bytes
) -> None:
    source = Source()
    keeper = DocumentKeeper(
        Trust(TOWN.bootstrap), source.fetch, clock=source.clock, rng=random.Random(1), initial=initial
    )
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(0)


async def test_a_source_that_lies_is_asked_again(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    source = Source()
    honest = source.fetch

    async def fetch(epoch: int, newest_epoch: int) -> bytes:
        raw = await honest(epoch, newest_epoch)
        return raw if len(source.asked) > 3 else raw[:-1]

    keeper = DocumentKeeper(Trust(TOWN.bootstrap), fetch, clock=source.clock, rng=random.Random(1))
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(0)
    assert len(source.asked) == 4


async def test_a_slow_clock_within_the_tolerance_gets_a_document(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    source = Source()
    source.clock = VirtualClock(START + 3 * LENGTH - 30.0 - trio.current_time())

    async def fetch(epoch: int, newest_epoch: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return TOWN.signed(3)

    keeper = DocumentKeeper(Trust(TOWN.bootstrap), fetch, clock=source.clock, rng=random.Random(1))
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(3)


@pytest.mark.parametrize("full", [False, True])
async def test_what_came_into_use_outlasts_the_process(
    autojump_clock: MockClock, nursery: trio.Nursery, full: bool
) -> None:
    """And a full disk stops nothing."""
    notes, source = Notes(full), Source()
    keeper = notes.keeper(source)
    await nursery.start(keeper.run)
    await trio.sleep(1.99 * LENGTH)
    assert keeper.raw(2) is not None  # the coming one: not yet in use, so not remembered
    assert notes.kept == ([] if full else [TOWN.signed(0), TOWN.signed(1)])
    assert keeper.current.epoch == 1


@pytest.mark.parametrize("used", [None, 4, 5, 6, 40])
async def test_after_a_restart_nothing_older_is_accepted(
    autojump_clock: MockClock, nursery: trio.Nursery, used: int | None
) -> None:
    """Whoever sets our clock back and gives us the documents of then, nodes and keys included, gets nowhere."""
    source, notes = Source(lambda epoch, now: epoch == 5), Notes()
    await trio.sleep(5.1 * LENGTH)
    keeper = notes.keeper(source, initial=None if used is None else TOWN.signed(used))
    with trio.move_on_after(20.0) as waiting:
        await nursery.start(keeper.run)
    if used is None or used <= 5:
        assert not waiting.cancelled_caught
        return
    assert waiting.cancelled_caught
    with pytest.raises(NoDocument):
        assert keeper.current
    assert "behind the network's" in keeper.problem
    assert notes.warned == [CLOCK_WRONG]


async def test_whoever_was_away_comes_back_alone(autojump_clock: MockClock) -> None:
    for away in (72, 72 * 30):
        source, notes = Source(), Notes()
        await trio.sleep(away * LENGTH)
        keeper = notes.keeper(source, initial=TOWN.signed(0))
        before = source.elapsed
        async with trio.open_nursery() as back:
            await back.start(keeper.run)
            assert source.elapsed - before < 1.0
            assert keeper.current.epoch == TOWN.bootstrap.epochs.at(source.clock.now())
            assert notes.kept == [TOWN.sign(keeper.current)]
            back.cancel_scope.cancel()


async def test_whoever_was_cut_off_says_so_and_comes_back_alone(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    source = Source(lambda epoch, now: not 0.5 * LENGTH < now < 72 * LENGTH)
    await nursery.start(source.keeper.run)
    assert source.keeper.problem == ""
    await trio.sleep(71 * LENGTH)
    assert source.keeper.problem
    with pytest.raises(NoDocument):
        assert source.keeper.current
    assert len(source.asked) < 72 * 80
    await trio.sleep(1.5 * LENGTH)
    assert source.keeper.current.epoch == 72
    assert source.keeper.problem == ""


# Contradictions.


async def test_the_first_document_of_an_epoch_is_kept_and_the_second_is_evidence(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """A provider that has no document for the coming epoch gives the present one: here, another than before."""
    source, notes = Source(), Notes()
    other = TOWN.signed(0, randomness=bytes(range(32)))

    async def fetch(epoch: int, newest_epoch: int) -> bytes:
        raw = await source.fetch(epoch, newest_epoch)
        return other if len(source.asked) in (2, 3) else raw

    keeper = notes.keeper(source, fetch)
    await nursery.start(keeper.run)
    await trio.sleep(0.99 * LENGTH)
    assert keeper.raw() == TOWN.signed(0)
    assert notes.accused == [(0, TOWN.signed(0), other)]
    assert keeper.warnings == notes.warned == [SPLIT_VIEW]
    assert "contradict" in keeper.problem
    await trio.sleep(LENGTH)
    assert keeper.current == TOWN.document(1)
    assert keeper.warnings == [SPLIT_VIEW]


async def test_it_is_noticed_after_a_restart_too(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    other = TOWN.signed(0, randomness=bytes(range(32)))
    source, notes = Source(), Notes()
    await trio.sleep(0.5 * LENGTH)

    async def fetch(epoch: int, newest_epoch: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return TOWN.signed(1, previous=TOWN.document(0).digest)

    keeper = notes.keeper(source, fetch, initial=other)
    await nursery.start(keeper.run)
    await trio.sleep(LENGTH)
    assert keeper.current.epoch == 1
    assert notes.accused == [(1, other, TOWN.signed(1, previous=TOWN.document(0).digest))]
    assert keeper.warnings == [SPLIT_VIEW]


async def test_a_contradiction_of_an_earlier_run_is_warned_of_at_once_and_not_kept_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    source, notes = Source(), Notes()
    proof = Contradiction(0, TOWN.signed(0), TOWN.signed(0, randomness=bytes(range(32))))
    keeper = DocumentKeeper(
        Trust(TOWN.bootstrap),
        source.fetch,
        clock=source.clock,
        rng=random.Random(1),
        initial=TOWN.signed(0),
        memory=notes,
        views=Views(TOWN.bootstrap, [proof]),
        warn=notes.warn,
    )
    await nursery.start(keeper.run)
    assert keeper.warnings == notes.warned == [SPLIT_VIEW]
    await trio.sleep(2.5 * LENGTH)
    assert keeper.current.epoch == 2
    assert keeper.warnings == notes.warned == [SPLIT_VIEW]
    assert notes.accused == []


async def test_a_node_asks_the_authorities(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = Liars(TOWN, nursery)
    await liars.start(a0=gives(TOWN.signed(0)), a1=gives(None))
    keeper = keeper_of_authorities(
        Trust(TOWN.bootstrap),
        network=liars.network,
        clock=liars.clock,
        identity=key("node"),
        role=Role.NODE,
        rng=random.Random(1),
    )
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(0)
