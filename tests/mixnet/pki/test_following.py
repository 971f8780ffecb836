"""Readers go by those who succeed the authorities, however long they were away, and by nobody's word alone."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import VirtualClock
from mixnet.errors import Unavailable
from mixnet.pki.bootstrap import Bootstrap, Successor
from mixnet.pki.document import MAX_DOCUMENT
from mixnet.pki.errors import ClockWrong, NoDocument
from mixnet.pki.fetch import TIMEOUT
from mixnet.pki.requests import NEWEST, AskDocument, DocumentAnswer, Upload, UploadAnswer, encode
from mixnet.pki.trust import MOST_SUCCESSIONS, Trust
from tests.mixnet.pki.builders import START, Town
from tests.mixnet.pki.liars import Gives, Liars, gives, shrugs
from tests.mixnet.pki.lineage import Lineage

TOWN = Town()
LENGTH = TOWN.epoch_length
FIRST, SECOND = 3, 6  # the epochs in which others take over


def lineage(name: str = "successor") -> Lineage:
    """Authorities 0 to 2, then 10 to 12, then 20 to 22."""
    made = Lineage(TOWN.bootstrap, *TOWN.authorities)
    made.succeed(FIRST, announced=1, count=3, name=name)
    made.succeed(SECOND, announced=4, count=3, name=name)
    return made


LINEAGE = lineage()
ROOT, NEXT, LAST = LINEAGE.sets
INTRODUCTION = LINEAGE.sign(TOWN.document(1))


def signed(epoch: int, by: Bootstrap | None = None, successor: Successor | None = None) -> bytes:
    return LINEAGE.sign(TOWN.document(epoch, successor=successor), by)


class Land(Liars):
    """Authorities of three sets; `asked` has their numbers."""

    async def at(self, epoch: float) -> Land:
        await trio.sleep(epoch * LENGTH + START - self.clock.now())
        return self

    def answer(self, asked: AskDocument | Upload) -> bytes:
        """What an honest authority says, of whichever set: the document of those whose turn it is."""
        if isinstance(asked, Upload):
            return encode(UploadAnswer(True))
        present = TOWN.bootstrap.epochs.at(self.clock.now())
        epoch = present if asked.epoch == NEWEST else asked.epoch
        return encode(DocumentAnswer(signed(epoch) if epoch <= present + 1 else None))

    async def begin(self, *numbers: int, answer: Gives | None = None, introduces: object = signed) -> None:
        """Let these answer, honestly by default; `introduces` is what they say if asked for an introduction."""
        for number in numbers:
            generation, place = divmod(number, 10)
            info = LINEAGE.sets[generation].authorities[place]
            self.introduces[number] = self.honest if introduces is signed else lambda _: introduces  # type: ignore[assignment, return-value]
            await self.listen(number, info, LINEAGE.identity(info), answer or self.answer)

    @staticmethod
    def honest(first_epoch: int) -> bytes | None:
        epoch = LINEAGE.introduces(first_epoch)
        return None if epoch is None else signed(epoch)


@pytest.fixture
async def land(nursery: trio.Nursery) -> Land:
    await trio.lowlevel.checkpoint()
    return Land(TOWN, nursery)


# Being away.


@pytest.mark.parametrize(
    "there",
    [
        pytest.param((0, 1, 2, 10, 11, 12, 20, 21, 22), id="all"),
        pytest.param((2, 20, 21, 22), id="one of the first, and the last"),
        pytest.param((1, 11, 21), id="one of each"),
        pytest.param((0,), id="one of the first alone"),
    ],
)
async def test_a_reader_that_was_away_is_led_to_those_who_sign_now(
    autojump_clock: MockClock, land: Land, there: tuple[int, ...]
) -> None:
    await land.at(8.5)
    await land.begin(*there)
    document, raw = await land.fetch(newest_epoch=0)
    assert raw == signed(8)
    assert set(document.authorities) == set(LAST.identities)
    assert land.trust.sets == (ROOT, NEXT, LAST)
    assert land.trust.introductions == [signed(1), signed(4)]


async def test_those_who_took_over_are_asked_first_and_nobody_else_without_need(
    autojump_clock: MockClock, land: Land
) -> None:
    await land.at(SECOND - 0.5)
    land.trust = Trust(TOWN.bootstrap, [signed(1), signed(4)])
    await land.begin(0, 1, 2, 10, 11, 12, 20, 21, 22)
    for epoch, those in ((NEWEST, {10, 11, 12}), (SECOND, {20, 21, 22})):
        for _ in range(20):
            await land.fetch(epoch=epoch)
        assert set(land.asked) == those
        land.asked.clear()


async def test_those_who_will_take_over_are_not_asked_before(autojump_clock: MockClock, land: Land) -> None:
    await land.at(1.5)
    await land.begin(0, 1, 2, 10, 11, 12)
    for _ in range(10):
        await land.fetch()
    assert set(land.asked) <= {0, 1, 2}
    assert land.trust.sets == (ROOT, NEXT)


async def test_a_document_that_is_accepted_introduces_too(autojump_clock: MockClock, land: Land) -> None:
    await land.at(1.5)
    await land.begin(0, introduces=None)
    await land.fetch()
    assert land.trust.introductions == [INTRODUCTION]


async def test_old_authorities_that_go_on_are_left(autojump_clock: MockClock, land: Land) -> None:
    """They heard of nothing and sign for themselves, enough of them; whoever was introduced to others knows better."""
    land.trust = Trust(TOWN.bootstrap, [INTRODUCTION])
    await land.at(4.5)
    await land.begin(0, 1, 2, answer=gives(signed(4, by=ROOT)), introduces=None)
    await land.begin(11)
    for _ in range(5):
        assert (await land.fetch())[1] == signed(4)


# Lies.

FOREIGN = Town(name="other ")
NOT_INTRODUCED = [
    pytest.param(None, id="nothing"),
    pytest.param(b"garbage", id="garbage"),
    pytest.param(INTRODUCTION[:-1] + b"\0", id="forged"),
    pytest.param(TOWN.signed(1, count=1, successor=NEXT.successor), id="minority-signed"),
    pytest.param(FOREIGN.signed(1, successor=NEXT.successor), id="foreign"),
    pytest.param(LINEAGE.sign(TOWN.document(1, successor=LAST.successor), NEXT), id="signed by those it introduces"),
    pytest.param(TOWN.signed(1), id="introduces nobody"),
    pytest.param(signed(4), id="introduces others than asked for"),
    pytest.param(INTRODUCTION.ljust(MAX_DOCUMENT + 1, b"\0"), id="oversized"),
]


@pytest.mark.parametrize("lie", NOT_INTRODUCED)
async def test_no_introduction_is_believed_but_a_majoritys(
    autojump_clock: MockClock, land: Land, lie: bytes | None
) -> None:
    """The liars' own authorities are there, and would be gone by."""
    await land.at(4.5)
    await land.begin(0, 1, 2, introduces=lie)
    await land.begin(10, 11, 12)
    with pytest.raises(NoDocument, match="they have been replaced"):
        await land.fetch()
    assert land.trust.sets == (ROOT,)
    assert set(land.asked) == {0, 1, 2}


@pytest.mark.parametrize("lie", NOT_INTRODUCED)
async def test_a_liar_costs_an_attempt(autojump_clock: MockClock, land: Land, lie: bytes | None) -> None:
    await land.at(4.5)
    await land.begin(0, 1, introduces=lie)
    await land.begin(2, 11)
    for _ in range(5):
        land.trust = Trust(TOWN.bootstrap)
        assert (await land.fetch())[1] == signed(4)


@pytest.mark.parametrize(("newest", "believed"), [(-1, True), (FIRST - 1, True), (FIRST, False), (4, False)])
async def test_nobody_is_replaced_in_the_past(
    autojump_clock: MockClock, land: Land, newest: int, believed: bool
) -> None:
    """Whoever accepted a document of the old set for an epoch will not hear that others made that document."""
    await land.at(4.5)
    await land.begin(0, 1, 2, 10, 11, 12)
    try:
        assert (await land.fetch(newest_epoch=newest))[1] == signed(4)
    except NoDocument:
        assert not believed
    assert (land.trust.sets[:2] == (ROOT, NEXT)) == believed


@pytest.mark.parametrize("restarted", [False, True])
async def test_keys_of_the_old_set_are_worth_nothing_once_it_was_left(
    autojump_clock: MockClock, land: Land, restarted: bool
) -> None:
    """A thief of all of them answers at their addresses, and those who took over are cut off."""
    await land.at(2.5)
    await land.begin(0, 1, 2)
    await land.fetch()
    if restarted:
        land.trust = Trust(TOWN.bootstrap, land.trust.introductions)
    await land.at(3.5)
    for epoch in (NEWEST, 3, 4):
        stolen = signed(4 if epoch == 4 else 3, by=ROOT, successor=LAST.successor)
        thieves = Land(TOWN, land._nursery)
        thieves.trust, thieves.clock = land.trust, land.clock
        await thieves.begin(0, 1, 2, answer=gives(stolen), introduces=signed(2, by=ROOT, successor=LAST.successor))
        with pytest.raises(NoDocument):
            await thieves.fetch(epoch=epoch)
        assert thieves.asked
    assert land.trust.sets == (ROOT, NEXT)


async def test_endless_introductions_end(autojump_clock: MockClock, land: Land) -> None:
    """A majority that introduces itself for ever is not asked for ever."""
    await land.at(8.5)
    asked: list[int] = []

    def introduces(first_epoch: int) -> bytes:
        asked.append(first_epoch)
        following = Successor(first_epoch + 1, ROOT.successor.authorities)
        return TOWN.signed(first_epoch, successor=following)

    await land.begin(0, answer=shrugs)
    land.introduces[0] = introduces
    with pytest.raises(NoDocument):
        await land.fetch()
    assert len(land.trust.introductions) == MOST_SUCCESSIONS
    assert len(asked) < 4 * MOST_SUCCESSIONS


# What is said.


async def test_authorities_that_sign_for_others_may_have_been_replaced(autojump_clock: MockClock, land: Land) -> None:
    await land.at(4.5)
    await land.begin(0, 1, 2, introduces=None)
    with pytest.raises(NoDocument, match="get a fresh one from the network's operators"):
        await land.fetch()


async def test_authorities_that_are_gone_may_have_been_replaced(autojump_clock: MockClock, land: Land) -> None:
    await land.at(4.5)
    with pytest.raises(NoDocument, match=r"may have been replaced: get a fresh bootstrap file"):
        await land.fetch()


@pytest.mark.parametrize(
    ("there", "wrong", "said"),
    [
        pytest.param((10, 11, 12), -3 * LENGTH, "behind", id="behind, and all know only those who took over"),
        pytest.param((10, 11), -3 * LENGTH, "behind", id="a majority of those"),
        pytest.param((10, 0, 1, 2), -3 * LENGTH, None, id="a minority of those, and all of the old ones"),
        pytest.param((10, 11, 12), 3 * LENGTH, "ahead", id="ahead"),
        pytest.param((10, 0, 1), 3 * LENGTH, None, id="ahead, says a minority and old ones"),
    ],
)
async def test_a_wrong_clock_is_what_a_majority_of_the_right_set_shows(
    autojump_clock: MockClock, land: Land, there: tuple[int, ...], wrong: float, said: str | None
) -> None:
    """Documents for epoch 4 tell of the clock what those who sign for epoch 4 say."""
    await land.at(4.5)
    land.trust = Trust(TOWN.bootstrap, [INTRODUCTION])
    await land.begin(*there, answer=gives(signed(4)))
    land.clock = VirtualClock(land.clock._start + wrong)
    with pytest.raises(NoDocument) as caught:
        await land.fetch()
    assert isinstance(caught.value, ClockWrong) == (said is not None)
    assert said is None or said in str(caught.value)


# Uploads.


@pytest.mark.parametrize(
    ("known", "epoch", "given"),
    [
        (False, FIRST - 1, {0, 1, 2}),
        (True, FIRST - 2, {0, 1, 2}),
        (True, FIRST - 1, {0, 1, 2, 10, 11, 12}),
        (True, FIRST, {10, 11, 12}),
    ],
)
async def test_a_descriptor_goes_to_those_who_vote_on_it(
    autojump_clock: MockClock, land: Land, known: bool, epoch: int, given: set[int]
) -> None:
    land.trust = Trust(TOWN.bootstrap, [INTRODUCTION] if known else [])
    await land.begin(0, 1, 2, 10, 11, 12)
    await land.upload(epoch=epoch)
    assert set(land.asked) == given


@pytest.mark.parametrize(
    ("there", "enough"),
    [((0, 1, 10, 11), True), ((0, 1, 2, 10), False), ((0, 10, 11, 12), False), ((10, 11, 12), False)],
)
async def test_it_takes_a_majority_of_each_set(
    autojump_clock: MockClock, land: Land, there: tuple[int, ...], enough: bool
) -> None:
    land.trust = Trust(TOWN.bootstrap, [INTRODUCTION])
    await land.begin(*there)
    try:
        await land.upload(epoch=FIRST - 1, patience=TIMEOUT)
        assert enough
    except Unavailable as problem:
        assert not enough
        assert "of 3 authorities took" in str(problem)
