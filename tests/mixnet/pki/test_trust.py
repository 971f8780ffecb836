"""Whom a reader goes by: one set of authorities after another, and nobody in between."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap, Successor
from mixnet.pki.document import Document, validity, verify_untrusted
from mixnet.pki.errors import Forged, Malformed, MinoritySigned, RolledBack, WrongNetwork
from mixnet.pki.trust import MOST_SUCCESSIONS, NoIntroduction, Trust
from mixnet.pki.views import timeless_untrusted
from tests.mixnet.pki.builders import Town, key

TOWN = Town(mixes=3, providers=1)
ROOT = TOWN.bootstrap
KEYS = {one.public: one for one in (key(f"authority {number}") for number in range(12))}
PUBLIC = list(KEYS)


def successor(first_epoch: int, numbers: Iterable[int], threshold: int | None = None) -> Successor:
    infos = [AuthorityInfo(PUBLIC[number], f"10.0.0.{number + 1}:7000") for number in numbers]
    return Successor(first_epoch, tuple(sorted(infos, key=lambda one: one.identity)), threshold)


def document(signers: Bootstrap, epoch: int, introduced: Successor | None = None) -> Document:
    return TOWN.document(epoch, authorities=signers.identities, successor=introduced)


def signed(signers: Bootstrap, epoch: int, introduced: Successor | None = None, count: int | None = None) -> bytes:
    made = document(signers, epoch, introduced)
    return made.encode({one: made.signature(KEYS[one]) for one in signers.identities[:count]})


NEXT = successor(5, [0, 1, 3])
AFTER = ROOT.succeeded_by(NEXT)
INTRODUCTION = signed(ROOT, 2, NEXT)


def test_an_introduction_is_followed_and_judges_by_epoch() -> None:
    trust = Trust(ROOT)
    assert trust.follow_untrusted(INTRODUCTION)
    assert [trust.at(epoch).identities for epoch in (0, 2, 4)] == [ROOT.identities] * 3
    assert [trust.at(epoch).identities for epoch in (5, 6, 2**48 - 1)] == [AFTER.identities] * 3
    assert (trust.newest.identities, trust.network_id) == (AFTER.identities, ROOT.network_id)
    assert trust.sets == (ROOT, trust.newest)
    assert trust.introductions == [INTRODUCTION]
    assert (trust.epochs, trust.epoch_length) == (ROOT.epochs, ROOT.epoch_length)


def test_a_document_in_use_introduces_as_well() -> None:
    trust = Trust(ROOT)
    assert not trust.follow(document(ROOT, 1), signed(ROOT, 1))
    assert trust.follow(document(ROOT, 2, NEXT), INTRODUCTION)
    assert not trust.follow(document(ROOT, 3, NEXT), signed(ROOT, 3, NEXT))
    assert trust.introductions == [INTRODUCTION]


def test_from_the_first_epoch_on_only_the_new_ones_make_documents() -> None:
    trust = Trust(ROOT, [INTRODUCTION])
    for epoch, makers, others in ((4, ROOT, AFTER), (5, AFTER, ROOT), (9, AFTER, ROOT)):
        assert timeless_untrusted(signed(makers, epoch), trust).epoch == epoch
        with pytest.raises(WrongNetwork):
            timeless_untrusted(signed(others, epoch), trust)


def test_signatures_of_others_than_the_listed_are_forged() -> None:
    """A document that names the new set, signed by the old one's keys, or by both in part."""
    trust = Trust(ROOT, [INTRODUCTION])
    made = document(AFTER, 5)
    for signers in (PUBLIC[:3], [PUBLIC[0], PUBLIC[2]]):
        with pytest.raises(Forged):
            timeless_untrusted(made.encode({one: made.signature(KEYS[one]) for one in signers}), trust)


def test_the_new_sets_own_threshold_counts() -> None:
    larger = ROOT.succeeded_by(successor(5, range(5), 4))
    trust = Trust(ROOT, [signed(ROOT, 2, larger.successor)])
    with pytest.raises(MinoritySigned):
        timeless_untrusted(signed(larger, 5, count=3), trust)
    assert timeless_untrusted(signed(larger, 5, count=4), trust)


REFUSED = {
    "minority-signed": (signed(ROOT, 2, NEXT, count=1), MinoritySigned),
    "forged": (INTRODUCTION[:-1] + bytes([INTRODUCTION[-1] ^ 1]), Forged),
    "by itself": (signed(AFTER, 6, successor(9, [4, 5, 6])), WrongNetwork),
    "of another network": (Town(name="other ", mixes=3, providers=1).signed(2, successor=NEXT), WrongNetwork),
    "garbage": (b"garbage", Malformed),
    "introducing nobody": (signed(ROOT, 2), NoIntroduction),
}


@pytest.mark.parametrize(("raw", "error"), REFUSED.values(), ids=REFUSED)
def test_what_introduces_nobody(raw: bytes, error: type[Exception]) -> None:
    trust = Trust(ROOT)
    with pytest.raises(error):
        trust.follow_untrusted(raw)
    assert trust.newest is ROOT
    assert Trust(ROOT, [raw]).newest is ROOT


@pytest.mark.parametrize(("newest", "taken"), [(-1, True), (2, True), (4, True), (5, False), (7, False)])
def test_nobody_is_replaced_in_the_past(newest: int, taken: bool) -> None:
    trust = Trust(ROOT)
    if taken:
        assert trust.follow_untrusted(INTRODUCTION, newest)
    else:
        with pytest.raises(RolledBack):
            trust.follow_untrusted(INTRODUCTION, newest)
        assert trust.newest is ROOT


def test_an_introduction_may_be_of_any_age() -> None:
    trust, late = Trust(ROOT), ROOT.epochs.start(1000)
    with pytest.raises(Exception, match="out of date"):
        verify_untrusted(INTRODUCTION, trust, late)
    assert trust.follow_untrusted(INTRODUCTION)


def test_the_first_introduction_counts() -> None:
    other = signed(ROOT, 3, successor(5, [6, 7, 8]))
    earlier = signed(ROOT, 3, successor(4, [6, 7, 8]))
    trust = Trust(ROOT, [INTRODUCTION])
    assert not trust.follow_untrusted(other)
    assert not trust.follow_untrusted(earlier)
    assert trust.newest.identities == AFTER.identities
    assert Trust(ROOT, [other, INTRODUCTION]).newest.identities == tuple(sorted(PUBLIC[6:9]))


def test_what_was_introduced_is_told_by_the_set_that_it_follows() -> None:
    third = AFTER.succeeded_by(successor(8, [4, 5, 6]))
    second = signed(AFTER, 6, third.successor)
    trust = Trust(ROOT, [INTRODUCTION, second])
    assert [trust.introduction(epoch) for epoch in (0, 5, 8, 1)] == [INTRODUCTION, second, None, None]
    assert trust.newest.identities == third.identities
    assert Trust(ROOT, [second]).newest is ROOT
    assert Trust(AFTER, [INTRODUCTION, second]).newest.identities == third.identities
    assert Trust(AFTER).introduction(0) is None


def test_successions_are_bounded() -> None:
    trust, last = Trust(ROOT), ROOT
    for turn in range(MOST_SUCCESSIONS + 3):
        following = last.succeeded_by(successor(2 * turn + 1, [turn % 12]))
        followed = trust.follow_untrusted(signed(last, 2 * turn, following.successor))
        assert followed == (turn < MOST_SUCCESSIONS)
        if not followed:
            return
        last = following
    raise AssertionError


chains = st.lists(
    st.tuples(st.sets(st.integers(0, 11), min_size=1, max_size=5), st.integers(1, 6), st.integers(1, 6)),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=60)
@given(chain=chains, data=st.data())
def test_any_chain_is_followed_alike_online_later_and_after_a_restart(
    chain: list[tuple[set[int], int, int]], data: st.DataObject
) -> None:
    """`chain`: who comes, how long the set before served when it introduced them, and how long it went on."""
    sets, introductions = [ROOT], []
    for numbers, served, notice in chain:
        epoch = sets[-1].first_epoch + served
        introduced = successor(epoch + notice, sorted(numbers))
        introductions.append(signed(sets[-1], epoch, introduced))
        sets.append(sets[-1].succeeded_by(introduced))
    noise = [b"garbage", signed(ROOT, 0), Town(name="other ", mixes=3, providers=1).signed()]
    online, later = Trust(ROOT), Trust(ROOT)
    for raw in introductions:
        online.follow(timeless_untrusted(raw, online), raw)
        later.follow_untrusted(raw, data.draw(st.integers(-1, sets[len(later.sets)].first_epoch - 1)))
        assert not online.follow_untrusted(introductions[0])
    kept = [item for raw in introductions for item in (data.draw(st.sampled_from([*noise, raw])), raw)]
    for trust in (online, later, Trust(ROOT, kept)):
        assert list(trust.sets) == sets
        assert trust.introductions == introductions
        for epoch in range(sets[-1].first_epoch + 2):
            assert trust.at(epoch) == [one for one in sets if one.first_epoch <= epoch][-1]


def test_validity_is_the_same_for_all_sets() -> None:
    assert validity(AFTER.epochs, 7) == validity(ROOT.epochs, 7)
