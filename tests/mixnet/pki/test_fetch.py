"""What is fetched was verified, whoever gave it; what is uploaded reached a majority."""

from __future__ import annotations

import collections

import pytest
import trio
from trio.testing import MockClock

from mixnet.errors import Unavailable
from mixnet.pki.errors import NoDocument
from tests.mixnet.pki.builders import Town
from tests.mixnet.pki.liars import Gives, Liars, gives, shrugs

TOWN = Town()
GOOD = TOWN.signed(5)
AT = TOWN.bootstrap.epochs.start(5) - TOWN.bootstrap.genesis  # seconds until epoch 5


async def at_epoch_five(nursery: trio.Nursery) -> Liars:
    liars = Liars(TOWN, nursery)
    await trio.sleep(AT + 1)
    return liars


async def test_an_honest_document_is_fetched(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(GOOD), a1=gives(GOOD), a2=gives(GOOD))
    assert await liars.fetch() == (TOWN.document(5), GOOD)
    assert len(liars.asked) == 1


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(TOWN.signed(4), "older than one seen", id="rolled back"),
        pytest.param(TOWN.signed(3), "older than one seen", id="expired and rolled back"),
        pytest.param(TOWN.signed(7), "later time", id="not yet valid"),
        pytest.param(TOWN.signed(5, count=1), "Too few", id="minority-signed"),
        pytest.param(GOOD[:-1] + b"\0", "does not verify", id="forged"),
        pytest.param(Town(name="other ").signed(5), "another network", id="another network's"),
        pytest.param(GOOD[:-1], "not encoded", id="malformed"),
    ],
)
async def test_no_lie_is_believed(autojump_clock: MockClock, nursery: trio.Nursery, raw: bytes, said: str) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(raw), a1=gives(raw), a2=gives(raw))
    with pytest.raises(NoDocument, match=said):
        await liars.fetch(newest_epoch=5)
    assert sorted(liars.asked) == [0, 1, 2]


async def test_an_expired_document_is_refused(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    old = gives(TOWN.signed(2))
    await liars.start(a0=old, a1=old, a2=old)
    with pytest.raises(NoDocument, match="out of date"):
        await liars.fetch()


@pytest.mark.parametrize("other", [gives(TOWN.signed(4)), gives(b"garbage"), shrugs, lambda asked: b"garbage"])
async def test_one_honest_authority_is_enough(autojump_clock: MockClock, nursery: trio.Nursery, other: Gives) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=other, a2=gives(GOOD))
    for _ in range(5):
        assert (await liars.fetch(newest_epoch=5))[0].epoch == 5


async def test_authorities_are_asked_in_random_order(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(GOOD), a1=gives(GOOD), a2=gives(GOOD))
    for _ in range(60):
        await liars.fetch()
    counted = collections.Counter(liars.asked)
    assert all(10 < counted[number] < 30 for number in range(3))


async def test_the_coming_document_may_be_asked_for_by_its_epoch(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    liars = await at_epoch_five(nursery)
    coming = gives(TOWN.signed(6))
    await liars.start(a0=coming, a1=coming, a2=coming)
    assert (await liars.fetch(epoch=6))[0].epoch == 6
    with pytest.raises(NoDocument, match="later time"):
        await liars.fetch()


async def test_another_epochs_document_is_no_answer(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(TOWN.signed(4)))
    assert (await liars.fetch())[0].epoch == 4
    with pytest.raises(NoDocument, match="another epoch"):
        await liars.fetch(epoch=5)


async def test_a_document_of_a_far_epoch_is_not_yet_valid(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(TOWN.signed(7)))
    with pytest.raises(NoDocument, match="later time"):
        await liars.fetch(epoch=7)


async def test_nobody_there(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    with pytest.raises(NoDocument, match="no authority"):
        await (await at_epoch_five(nursery)).fetch()


async def test_nobody_has_one_yet(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=shrugs, a1=shrugs, a2=shrugs)
    with pytest.raises(NoDocument, match="wait for the authorities"):
        await liars.fetch()


# Uploads.


async def test_an_upload_is_started_with_a_majority_and_goes_on(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(None), a1=gives(None))
    async with trio.open_nursery() as uploading:
        await uploading.start(liars.upload)
        assert sorted(liars.asked) == [0, 1]
        await liars.start(a2=gives(None))
    assert sorted(liars.asked) == [0, 1, 2]


async def test_an_upload_that_a_minority_takes_has_failed(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(None), a1=shrugs)
    with pytest.raises(Unavailable, match="1 of 3"):
        await liars.upload(patience=5.0)


async def test_a_majority_is_enough_in_the_end(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(None), a1=gives(None), a2=shrugs)
    await liars.upload(patience=5.0)
