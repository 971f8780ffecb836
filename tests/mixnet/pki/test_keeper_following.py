"""A process goes by those who succeed the authorities from their first epoch on, once that is written down."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import VirtualClock
from mixnet.errors import Unavailable
from mixnet.pki.keeper import SPLIT_VIEW, DocumentKeeper
from mixnet.pki.requests import NEWEST
from mixnet.pki.trust import Trust
from mixnet.pki.views import Contradiction
from tests.mixnet.pki.builders import START, Town
from tests.mixnet.pki.lineage import Lineage

TOWN = Town()
LENGTH = TOWN.epoch_length
FIRST = 3
LINEAGE = Lineage(TOWN.bootstrap, *TOWN.authorities)
LINEAGE.succeed(FIRST, announced=1, count=3)
ROOT, NEXT = LINEAGE.sets
OTHERS = Lineage(TOWN.bootstrap).succeed(FIRST, announced=1, count=3, name="others")
INTRODUCTION = LINEAGE.sign(TOWN.document(1))
Makes = Callable[[int], bytes]  # the document for an epoch


def honest(epoch: int) -> bytes:
    return LINEAGE.sign(TOWN.document(epoch))


def stolen(epoch: int) -> bytes:
    """What a thief of all old keys makes."""
    return LINEAGE.sign(TOWN.document(epoch), ROOT)


def other(epoch: int) -> bytes:
    """What the old set makes if it introduces others than before."""
    return LINEAGE.sign(TOWN.document(epoch, successor=OTHERS.successor), ROOT)


class Reader:
    """A keeper, where its documents come from, and its disk. `events` has what was written, in order."""

    def __init__(self, makes: Makes = honest, *, written: list[bytes] | None = None, root: Trust | None = None) -> None:
        self.clock = VirtualClock(START)
        self.makes = makes
        self.full = False
        self.events: list[tuple[str, bytes]] = []
        self.introductions = [] if written is None else written
        self.accused: list[Contradiction] = []
        self.trust = root or Trust(TOWN.bootstrap, self.introductions)

    def keeper(self, initial: bytes | None = None) -> DocumentKeeper:
        return DocumentKeeper(
            self.trust, self.fetch, clock=self.clock, rng=random.Random(1), initial=initial, memory=self
        )

    async def fetch(self, epoch: int, newest_epoch: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.makes(TOWN.bootstrap.epochs.at(self.clock.now()) if epoch == NEWEST else epoch)

    async def keep(self, raw: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.events.append(("document", raw))

    async def introduced(self, raw: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.full:
            raise Unavailable
        self.introductions.append(raw)
        self.events.append(("introduction", raw))

    async def accuse(self, contradiction: Contradiction) -> None:
        await trio.lowlevel.checkpoint()
        self.accused.append(contradiction)


async def test_it_is_written_down_before_it_counts(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    reader = Reader()
    keeper = reader.keeper()
    await nursery.start(keeper.run)
    await trio.sleep((FIRST + 1.5) * LENGTH)
    assert keeper.current.epoch == FIRST + 1
    assert set(keeper.current.authorities) == set(NEXT.identities)
    introduced = [("introduction", INTRODUCTION)]
    assert reader.events == [
        ("document", honest(0)),
        *introduced,
        *[("document", honest(epoch)) for epoch in range(1, FIRST + 2)],
    ]
    assert (keeper.problem, keeper.warnings) == ("", [])


async def test_as_long_as_the_disk_refuses_the_old_set_is_gone_by(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """A crash would bring the old set back, whose keys may be stolen by then."""
    reader = Reader()
    reader.full = True
    keeper = reader.keeper()
    await nursery.start(keeper.run)
    await trio.sleep((FIRST + 0.5) * LENGTH)
    assert keeper.current.epoch == FIRST - 1  # what the old set made is used as long as it is valid
    assert keeper.problem
    reader.full = False
    await trio.sleep(0.1 * LENGTH)
    assert keeper.current.epoch == FIRST
    assert reader.introductions == [INTRODUCTION]


@pytest.mark.parametrize("epoch", [FIRST, FIRST + 1])
async def test_stolen_keys_of_the_old_set_are_refused(
    autojump_clock: MockClock, nursery: trio.Nursery, epoch: int
) -> None:
    """From the first epoch of the others on; also by a reader that slept until then."""
    reader = Reader(lambda number: honest(number) if number < epoch else stolen(number))
    keeper = reader.keeper()
    await nursery.start(keeper.run)
    await trio.sleep((epoch + 0.5) * LENGTH)
    assert keeper.current.epoch == epoch - 1
    assert keeper.problem
    reader.makes = honest
    await trio.sleep(0.1 * LENGTH)
    assert keeper.current.epoch == epoch


async def test_they_are_refused_after_a_restart_too(autojump_clock: MockClock) -> None:
    """Without the written introduction they would not be, which is why it is kept."""
    await trio.sleep((FIRST + 0.5) * LENGTH)
    for written, believed in (([INTRODUCTION], False), ([b"damaged", INTRODUCTION], False), ([], True)):
        reader = Reader(stolen, written=list(written))
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(20.0) as waiting:
                await nursery.start(reader.keeper(initial=honest(0)).run)
            assert waiting.cancelled_caught != believed
            nursery.cancel_scope.cancel()


async def test_the_restarted_goes_on_with_the_document_of_the_new_set(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    await trio.sleep((FIRST + 0.5) * LENGTH)
    reader = Reader(written=[INTRODUCTION])
    reader.makes = lambda _epoch: b"nothing"
    keeper = reader.keeper(initial=honest(FIRST))
    await nursery.start(keeper.run)
    assert keeper.raw() == honest(FIRST)
    assert reader.introductions == [INTRODUCTION]  # not once more


async def test_a_document_in_use_introduces_again_what_was_not_written(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    await trio.sleep((FIRST - 0.5) * LENGTH)
    reader = Reader()
    keeper = reader.keeper(initial=honest(FIRST - 1))
    await nursery.start(keeper.run)
    await trio.sleep(LENGTH)
    assert reader.introductions == [honest(FIRST - 1)]
    assert keeper.current.epoch == FIRST


async def test_the_first_introduction_counts_and_another_is_proof(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    reader = Reader(lambda epoch: other(epoch) if epoch == FIRST - 1 else honest(epoch))
    keeper = reader.keeper()
    await nursery.start(keeper.run)
    await trio.sleep((FIRST + 0.5) * LENGTH)
    assert keeper.current.epoch == FIRST
    assert reader.trust.sets == (ROOT, NEXT)
    assert reader.accused == [Contradiction(FIRST - 1, INTRODUCTION, other(FIRST - 1))]
    assert keeper.warnings == [SPLIT_VIEW]


async def test_a_document_that_introduces_nobody_contradicts_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    reader = Reader(lambda epoch: stolen(epoch) if epoch == FIRST - 1 else honest(epoch))
    keeper = reader.keeper()
    await nursery.start(keeper.run)
    await trio.sleep((FIRST + 0.5) * LENGTH)
    assert keeper.current.epoch == FIRST
    assert (reader.accused, keeper.warnings) == ([], [])


async def test_two_readers_that_heard_of_different_sets_part_in_their_first_epoch(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """A majority of the old set that introduces two sets can do that; both readers have the proof, once they meet."""
    readers = [Reader(), Reader(lambda epoch: other(epoch) if epoch >= 1 else honest(epoch))]
    keepers = [reader.keeper() for reader in readers]
    for keeper in keepers:
        await nursery.start(keeper.run)
    await trio.sleep(1.5 * LENGTH)
    assert [reader.trust.newest for reader in readers] == [NEXT, OTHERS]
    readers[0].makes, readers[1].makes = readers[1].makes, readers[0].makes
    await trio.sleep(0.5 * LENGTH)
    assert [len(reader.accused) for reader in readers] == [1, 1]


@pytest.mark.parametrize("initial", [FIRST, FIRST + 1])
async def test_a_fresh_bootstrap_file_does_with_what_was_kept(
    autojump_clock: MockClock, nursery: trio.Nursery, initial: int
) -> None:
    """The operators' new file names the new set; the document in use is its own, the introduction is of no use."""
    await trio.sleep((FIRST + 1.5) * LENGTH)
    reader = Reader(written=[INTRODUCTION], root=Trust(NEXT, [INTRODUCTION]))
    keeper = reader.keeper(initial=honest(initial))
    await nursery.start(keeper.run)
    assert reader.events[0] == ("document", honest(initial))  # the keeper may have fetched the present one already
    assert reader.trust.sets == (NEXT,)
    await trio.sleep(LENGTH)
    assert keeper.current.epoch == FIRST + 2
