"""A mix stays in its layer, whenever the network starts up and whoever was away (spec/05-directory.md 5.6 and 5.7)."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from mixnet.counters import Counters
from mixnet.directory.authority import Authority
from mixnet.directory.schedule import late
from mixnet.pki.document import Document, parse_untrusted
from mixnet.pki.views import Views
from mixnet.randomness import SeededSource
from tests.directory.authority_world import AuthorityWorld
from tests.directory.builders import authority_config
from tests.mixnet.pki.builders import Town

SHORT = Town(epoch_length=20.0, mixes=9)
LONG = Town(mixes=9)


async def made(world: AuthorityWorld, epochs: range, number: int = 0) -> list[tuple[Document, bytes]]:
    """The documents for these epochs that there are, a third into the last one."""
    last = world.town.bootstrap.epochs.start(epochs[-1]) + world.town.epoch_length / 3
    await trio.sleep(last - world.clock.now())
    held = [world.authorities[number]._archive.raw(epoch) for epoch in epochs]
    return [(parse_untrusted(raw)[0], raw) for raw in held if raw is not None]


def moved(first: Document, second: Document) -> int:
    return sum(second.layer_of(node.identity) != first.layer_of(node.identity) for node in first.nodes)


def assert_steady(documents: list[tuple[Document, bytes]], town: Town) -> None:
    """Nobody moves, and no reader finds fault with these documents of successive epochs."""
    views = Views(town.bootstrap)
    for (first, _), (second, _) in itertools.pairwise(documents):
        assert second.epoch == first.epoch + 1
        assert moved(first, second) == 0
    assert all(views.fits(document, raw) for document, raw in documents)
    assert not views.evidence


# The late round for epoch 0 and the regular one for epoch 1 run at the same time after these starts.
@pytest.mark.parametrize(
    ("town", "start", "there"),
    [
        *((SHORT, start, 3) for start in (7.1, 9.1, 10.1, 11.1, 13.1)),
        *((SHORT, start, 2) for start in (7.1, 10.1, 11.1)),
        *((LONG, start, 3) for start in (600.1, 689.0, 715.0, 719.0)),
        *((LONG, start, 2) for start in (600.1, 715.0)),
    ],
)
async def test_the_second_document_continues_the_first_whenever_that_is_made(
    autojump_clock: MockClock, nursery: trio.Nursery, town: Town, start: float, there: int
) -> None:
    world = AuthorityWorld(town, nursery)
    await trio.sleep(start)
    await world.start(*range(there))
    world.enter(*town.nodes)
    documents = await made(world, range(4))
    assert len(documents) == 4
    assert [second.previous for second, _ in documents[1:]] == [first.digest for first, _ in documents[:-1]]
    assert_steady(documents, town)


async def test_the_last_document_is_continued_though_it_has_expired_and_one_of_two_never_had_it(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    world = AuthorityWorld(SHORT, nursery)
    for number in range(3):
        await world.start(number, data_dir=tmp_path / str(number))
    world.enter(*SHORT.nodes)
    await made(world, range(2))
    await world.crash(2)
    (last,) = await made(world, range(3, 4))  # which only the first two know
    await world.crash(0)
    assert await made(world, range(4, 7), number=1) == []
    await trio.sleep(SHORT.bootstrap.epochs.start(7) + 1 - world.clock.now())  # a late round votes just now
    await world.start(2, data_dir=tmp_path / "2")
    documents = await made(world, range(7, 12), number=2)
    assert documents[0][0].previous == last[0].digest
    assert moved(last[0], documents[0][0]) == 0
    assert_steady(documents, SHORT)


async def test_where_late_rounds_are_too_short_the_regular_one_makes_the_first_document(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    town = Town(epoch_length=100.0, mixes=9)
    world = AuthorityWorld(
        town, nursery, latency=lambda _rng: 0.7
    )  # longer than a step of a late round, not of a regular one
    await world.start(0, 1, 2)
    world.enter(*town.nodes)
    documents = await made(world, range(7))
    assert [document.epoch for document, _ in documents] == [4, 5, 6]
    assert_steady(documents, town)


async def test_a_late_round_votes_only_when_all_others_were_asked_what_they_have(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = AuthorityWorld(SHORT, nursery)
    authority = Authority(
        authority_config(SHORT, 0), network=world.network, clock=world.clock, rng=SeededSource(1), counters=Counters()
    )
    for raw in SHORT.descriptors():
        authority._context.registry.take_untrusted(raw, 0)
    authority._rounds.caught_up = False
    nursery.start_soon(authority._rounds.hold, late(SHORT.bootstrap.epochs, world.clock.now(), lambda _epoch: 5))
    await trio.sleep(3)
    assert authority._rounds.held == {}
    authority._rounds.note_caught_up()
    authority._context.changed.wake()
    await trio.sleep(0.01)
    assert list(authority._rounds.held) == [(0, 1)]


@pytest.mark.parametrize(
    ("start", "slow"),
    [
        pytest.param(0.0, 36.79, id="regular round"),  # its last step is from 36.8 to 38
        pytest.param(21.0, 29.32, id="late round"),  # from 29.33 to 30
    ],
)
async def test_signatures_that_come_late_are_as_good(
    autojump_clock: MockClock, nursery: trio.Nursery, start: float, slow: float
) -> None:
    """Both that are there have signed the same document; another one they would never sign."""
    world = AuthorityWorld(SHORT, nursery)
    await trio.sleep(start)
    await world.start(0, 1)
    world.enter(*SHORT.nodes)
    await trio.sleep_until(slow)
    world.network.partition(["10.0.0.1"], ["10.0.0.2"])
    await trio.sleep(1.7)
    world.network.heal()
    documents = await made(world, range(1, 5))
    assert [document.epoch for document, _ in documents] == [1, 2, 3, 4]
    assert_steady(documents, SHORT)


async def test_a_document_that_too_few_signed_in_time_is_said_to_be_just_that(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = AuthorityWorld(SHORT, nursery)
    await world.start(0, 1)
    world.enter(*SHORT.nodes)
    await trio.sleep_until(36.79)  # signatures are exchanged from 36.8 on
    world.network.partition(["10.0.0.1"], ["10.0.0.2"])
    await trio.sleep_until(40.1)
    state = world.authorities[0].snapshot
    assert state()["problem"] == "the signatures of too few authorities came in time: start the others"
    world.network.heal()
    await trio.sleep_until(55.0)
    assert state()["problem"].startswith("another document was signed for this epoch")
    await trio.sleep_until(61.0)
    assert state()["problem"] == ""
    assert [document.epoch for document, _ in await made(world, range(1, 5))] == [1, 3, 4]
