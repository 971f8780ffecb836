"""A keeper whose own clock is wrong: it says so, waits until it is set, and never believes it."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock

from mixnet.link import Role
from mixnet.pki.errors import NoDocument
from mixnet.pki.keeper import (
    CLOCK_WRONG,
    DocumentKeeper,
    keeper_of_authorities,
)
from mixnet.pki.requests import NEWEST, AskDocument, DocumentAnswer, encode
from mixnet.pki.trust import Trust
from tests.mixnet.pki.builders import key
from tests.mixnet.pki.liars import Liars
from tests.mixnet.pki.sources import LENGTH, TOWN, Notes, Wrong


async def authorities_at(epoch: int, nursery: trio.Nursery) -> Liars:
    """All of them give what has begun, as honest ones do."""
    liars = Liars(TOWN, nursery)
    clock = liars.clock

    def answer(asked: object) -> bytes:
        assert isinstance(asked, AskDocument)
        present = TOWN.bootstrap.epochs.at(clock.now())
        there = asked.epoch <= present
        return encode(DocumentAnswer(TOWN.signed(present if asked.epoch == NEWEST else asked.epoch) if there else None))

    await trio.sleep((epoch + 0.5) * LENGTH)
    await liars.start(a0=answer, a1=answer, a2=answer)
    return liars


def node_of(liars: Liars, clock: Wrong, notes: Notes, initial: bytes | None = None) -> DocumentKeeper:
    return keeper_of_authorities(
        Trust(TOWN.bootstrap),
        network=liars.network,
        clock=clock,
        identity=key("node"),
        role=Role.NODE,
        rng=random.Random(1),
        initial=initial,
        memory=notes,
        warn=notes.warn,
    )


@pytest.mark.parametrize(("by", "said"), [(-3600.0, "49 minutes behind"), (3600.0, "30 minutes ahead")])
@pytest.mark.parametrize("known", [None, 11])
async def test_a_start_with_a_wrong_clock_waits_until_it_is_set(
    autojump_clock: MockClock, nursery: trio.Nursery, by: float, said: str, known: int | None
) -> None:
    liars, notes = await authorities_at(12, nursery), Notes()
    clock = Wrong(liars.clock, by)
    keeper = node_of(liars, clock, notes, None if known is None else TOWN.signed(known))
    nursery.start_soon(keeper.run)
    await trio.sleep(10.0)
    with pytest.raises(NoDocument):
        assert keeper.current
    assert said in keeper.problem
    assert keeper.warnings == notes.warned == [CLOCK_WRONG]
    clock.by = 0.0
    await trio.sleep(30.0)
    assert keeper.current.epoch == 12
    assert (keeper.problem, keeper.warnings) == ("", [])


@pytest.mark.parametrize(("by", "said"), [(-3600.0, "behind"), (3600.0, "ahead")])
async def test_a_clock_that_is_set_wrong_while_we_run_is_noticed(
    autojump_clock: MockClock, nursery: trio.Nursery, by: float, said: str
) -> None:
    liars, notes = await authorities_at(12, nursery), Notes()
    clock = Wrong(liars.clock)
    keeper = node_of(liars, clock, notes)
    await nursery.start(keeper.run)
    clock.by = by
    await trio.sleep(0.2 * LENGTH)
    assert said in keeper.problem
    assert keeper.warnings == [CLOCK_WRONG]
    clock.by = 0.0
    await trio.sleep(LENGTH)
    assert keeper.current.epoch == 13
    assert keeper.warnings == []
