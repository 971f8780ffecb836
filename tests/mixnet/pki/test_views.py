"""Whoever is shown two documents for an epoch keeps the first, and can prove it."""

from __future__ import annotations

import pytest

from mixnet.pki.views import MOST_EVIDENCE, Contradiction, Views
from tests.mixnet.pki.builders import Town

TOWN = Town()
D0 = TOWN.document(0)
D1 = TOWN.document(1, previous=D0.digest)
D2 = TOWN.document(2, previous=D1.digest)
OTHER = TOWN.document(0, randomness=bytes(range(32)))


def shown(*documents):
    views = Views(TOWN.bootstrap)
    return views, [views.fits(document, TOWN.sign(document)) for document in documents]


def test_what_fits_together_proves_nothing():
    for documents in ([D0, D1, D2], [D0, D0], [D1, D0], [D0, D2], [D2]):
        views, fitting = shown(*documents)
        assert all(fitting)
        assert views.evidence == []


def test_the_first_one_is_kept():
    views, fitting = shown(D0, OTHER, D0, OTHER)
    assert fitting == [True, False, True, False]
    assert views.evidence == [(0, TOWN.sign(D0), TOWN.sign(OTHER))]


def test_the_same_with_other_signatures_is_the_same():
    views = Views(TOWN.bootstrap)
    assert views.fits(D0, TOWN.sign(D0, 2))
    assert views.fits(D0, TOWN.sign(D0, 3))
    assert views.evidence == []


def test_whoever_was_shown_another_one_learns_it_from_the_next():
    views, fitting = shown(OTHER, D1)
    assert fitting == [True, True]
    assert views.evidence == [(1, TOWN.sign(OTHER), TOWN.sign(D1))]


def test_a_round_that_overlapped_with_the_one_before_is_no_contradiction():
    """Both continue the same document, since the later one was voted on before the earlier one was there."""
    views, fitting = shown(D1, TOWN.document(2, previous=D0.digest))
    assert fitting == [True, True]
    assert views.evidence == []


def test_a_new_beginning_is_no_contradiction():
    assert shown(D0, TOWN.document(1))[0].evidence == []


@pytest.mark.parametrize(
    ("raw", "contradicts"),
    [
        (TOWN.sign(OTHER), True),
        (TOWN.sign(OTHER, 1), False),
        (TOWN.sign(D0), False),
        (TOWN.sign(D2), False),
        (Town(name="other ").signed(0), False),
        (b"garbage", False),
    ],
)
def test_what_was_refused_may_prove_something_too(raw, contradicts):
    """Only if enough authorities signed it: anybody else could accuse them."""
    views, _ = shown(D0)
    assert views.contradicted_untrusted(raw) is contradicts
    assert len(views.evidence) == contradicts


def test_evidence_of_earlier_runs_counts_if_it_is_this_network_s():
    proof = Contradiction(0, TOWN.sign(D0), TOWN.sign(OTHER))
    another, other = Town(name="other "), bytes(range(32))
    worthless = [
        Contradiction(0, b"garbage", TOWN.sign(OTHER)),
        Contradiction(0, TOWN.sign(D0), TOWN.sign(OTHER, 1)),
        Contradiction(0, TOWN.sign(D0, 2), TOWN.sign(D0, 3)),
        Contradiction(0, another.signed(0), another.signed(0, randomness=other)),
    ]
    assert Views(TOWN.bootstrap, [*worthless, proof, proof]).evidence == [proof]
    assert len(Views(TOWN.bootstrap, [Contradiction(n, *proof[1:]) for n in range(9)]).evidence) == MOST_EVIDENCE


def test_evidence_is_bounded():
    others = [TOWN.document(0, randomness=bytes([number]) * 32) for number in range(1, 20)]
    views, fitting = shown(D0, *others)
    assert fitting == [True] + 19 * [False]
    assert len(views.evidence) == MOST_EVIDENCE
