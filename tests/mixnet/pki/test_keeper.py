"""A process has the document of the epoch, from its first second to the end of its validity."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import VirtualClock
from mixnet.errors import Unavailable
from mixnet.link import Role
from mixnet.pki.errors import NoDocument
from mixnet.pki.keeper import EARLIEST, LATEST, DocumentKeeper, keeper_of_authorities
from mixnet.pki.requests import NEWEST
from tests.mixnet.pki.builders import START, Town, key
from tests.mixnet.pki.liars import Liars, gives

TOWN = Town()
LENGTH = TOWN.epoch_length


class Source:
    """Gives the document that `has` says is there at a time; keeps who asked when for what."""

    def __init__(self, has: Callable[[int, float], bool] = lambda epoch, now: True, seed: int = 1) -> None:
        self.clock = VirtualClock(START - trio.current_time())
        self.asked: list[tuple[float, int]] = []
        self.keeper = DocumentKeeper(TOWN.bootstrap, self.fetch, clock=self.clock, rng=random.Random(seed))
        self._has = has

    @property
    def elapsed(self) -> float:
        return self.clock.now() - START

    async def fetch(self, epoch: int, newest_epoch: int) -> bytes:
        await trio.lowlevel.checkpoint()
        self.asked.append((self.elapsed, epoch))
        present = TOWN.bootstrap.epochs.at(self.clock.now())
        wanted = range(present, -1, -1) if epoch == NEWEST else [epoch]
        for number in wanted:
            if self._has(number, self.elapsed):
                return TOWN.signed(number)
        raise Unavailable


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
        TOWN.bootstrap, source.fetch, clock=source.clock, rng=random.Random(1), initial=TOWN.signed(0)
    )
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(0)
    assert source.asked == []


@pytest.mark.parametrize("initial", [b"garbage", TOWN.signed(9), TOWN.signed(0, count=1)])
async def test_one_that_cannot_be_relied_on_is_not(
    autojump_clock: MockClock, nursery: trio.Nursery, initial: bytes
) -> None:
    source = Source()
    keeper = DocumentKeeper(TOWN.bootstrap, source.fetch, clock=source.clock, rng=random.Random(1), initial=initial)
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(0)


async def test_a_source_that_lies_is_asked_again(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    source = Source()
    honest = source.fetch

    async def fetch(epoch: int, newest_epoch: int) -> bytes:
        raw = await honest(epoch, newest_epoch)
        return raw if len(source.asked) > 3 else raw[:-1]

    keeper = DocumentKeeper(TOWN.bootstrap, fetch, clock=source.clock, rng=random.Random(1))
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

    keeper = DocumentKeeper(TOWN.bootstrap, fetch, clock=source.clock, rng=random.Random(1))
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(3)


async def test_a_node_asks_the_authorities(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = Liars(TOWN, nursery)
    await liars.start(a0=gives(TOWN.signed(0)), a1=gives(None))
    keeper = keeper_of_authorities(
        TOWN.bootstrap,
        network=liars.network,
        clock=liars.clock,
        identity=key("node"),
        role=Role.NODE,
        rng=random.Random(1),
    )
    await nursery.start(keeper.run)
    assert keeper.current == TOWN.document(0)
