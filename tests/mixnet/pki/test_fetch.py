"""What is fetched was verified, whoever gave it; what is uploaded reached a majority."""

from __future__ import annotations

import collections

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import VirtualClock
from mixnet.errors import Unavailable
from mixnet.pki.document import MAX_DOCUMENT
from mixnet.pki.errors import ClockWrong, NoDocument
from mixnet.pki.fetch import TIMEOUT
from mixnet.pki.views import Views
from tests.mixnet.pki.builders import START, Town
from tests.mixnet.pki.liars import Gives, Liars, gives, never_ends, shrugs

TOWN = Town()
GOOD = TOWN.signed(5)
LENGTH = TOWN.epoch_length
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
        pytest.param(TOWN.signed(7), "at least 39 minutes behind", id="not yet valid"),
        pytest.param(TOWN.signed(5, count=1), "Too few", id="minority-signed"),
        pytest.param(GOOD[:-1] + b"\0", "does not verify", id="forged"),
        pytest.param(Town(name="other ").signed(5), "another network", id="another network's"),
        pytest.param(GOOD[:-1], "not encoded", id="malformed"),
        pytest.param(GOOD.ljust(MAX_DOCUMENT + 1, b"\0"), "larger than any honest one", id="oversized"),
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
    with pytest.raises(ClockWrong, match="at least 20 minutes ahead"):
        await liars.fetch()


# A clock that is wrong.


async def test_one_authority_alone_says_nothing_about_the_clock(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """It may hold new documents back, or give the coming one early."""
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(TOWN.signed(2)), a1=gives(TOWN.signed(6)), a2=shrugs)
    with pytest.raises(NoDocument, match="check this machine's clock") as caught:
        await liars.fetch()
    assert not isinstance(caught.value, ClockWrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(-3600.0, "at least 59 minutes behind"), (3600.0, "at least 20 minutes ahead"), (-86400.0 * 40, "39 days behind")],
)
async def test_a_wrong_clock_is_named(
    autojump_clock: MockClock, nursery: trio.Nursery, wrong: float, said: str
) -> None:
    liars = Liars(TOWN, nursery)
    await trio.sleep(5000 * LENGTH + 5.0)
    honest = gives(TOWN.signed(5000))
    await liars.start(a0=honest, a1=honest, a2=honest)
    assert (await liars.fetch())[0].epoch == 5000
    liars.clock = VirtualClock(START + wrong)
    with pytest.raises(ClockWrong, match=said):
        await liars.fetch()


@pytest.mark.parametrize("wrong", [-50.0, 50.0])
async def test_a_clock_within_the_tolerance_is_no_problem(
    autojump_clock: MockClock, nursery: trio.Nursery, wrong: float
) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(GOOD))
    liars.clock = VirtualClock(START + wrong)
    assert (await liars.fetch())[0].epoch == 5


async def test_a_second_document_for_an_epoch_is_refused_and_proves_a_split(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    liars = await at_epoch_five(nursery)
    views = Views(TOWN.bootstrap)
    other = TOWN.signed(5, randomness=bytes(range(32)))
    await liars.start(a0=gives(GOOD))
    await liars.fetch(views=views)
    await liars.start(a1=gives(other), a2=gives(other))
    for _ in range(20):
        assert (await liars.fetch(views=views))[1] == GOOD
    assert views.evidence == [(5, GOOD, other)]


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
    with pytest.raises(NoDocument, match="behind"):
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
    """A bootstrap file may be older than the authorities' addresses: that is what its user has to know."""
    with pytest.raises(NoDocument, match="fresh bootstrap file"):
        await (await at_epoch_five(nursery)).fetch()


async def test_somebody_else_is_there(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """At an address that an authority left, a server of another network may listen one day."""
    liars = await at_epoch_five(nursery)
    stranger = Liars(Town(name="other "), nursery)
    stranger.network = liars.network
    await stranger.start(a0=gives(GOOD), a1=gives(GOOD), a2=gives(GOOD))
    with pytest.raises(NoDocument, match="fresh bootstrap file"):
        await liars.fetch()
    assert stranger.asked == []


async def test_an_authority_that_never_ends_its_answer_costs_one_attempt(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    liars = await at_epoch_five(nursery)
    await liars.start(a0=gives(GOOD), a1=never_ends, a2=never_ends)
    began = trio.current_time()
    for _ in range(5):
        assert (await liars.fetch())[1] == GOOD
    assert trio.current_time() - began < 5 * 2 * (TIMEOUT + 1)


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
