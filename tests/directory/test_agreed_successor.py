"""Whom a document introduces: what was introduced already, else what more than half of all authorities want."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.directory.consensus import (
    NO_DOCUMENT,
    SUCCESSION_LEAD,
    Vote,
    agreed_successor,
    commit,
    encode_vote,
    introducible,
    make_document,
    parse_vote_untrusted,
)
from mixnet.pki.bootstrap import Successor
from mixnet.pki.document import Document
from mixnet.pki.errors import Malformed
from tests.directory.succession_world import successors
from tests.mixnet.pki.builders import Town

TOWN = Town(5, mixes=3, providers=1)
TRUST = TOWN.bootstrap
EPOCH = 4
WANTED = successors(TOWN, [0, 1, 7], 20).successor
OTHER = successors(TOWN, [0, 1, 8], 20).successor


def raw_vote(number: int, successor: Successor | None, epoch: int = EPOCH) -> bytes:
    author = TOWN.authorities[number].public
    commitment = commit(TRUST, epoch, author, bytes([number]) * 32)
    return encode_vote(NO_DOCUMENT, TOWN.parameters, commitment, TOWN.descriptors(epoch), successor)


def votes(*wanted: Successor | None, epoch: int = EPOCH) -> dict[bytes, Vote]:
    return {
        TOWN.authorities[number].public: parse_vote_untrusted(raw_vote(number, one, epoch), TRUST, epoch, {})
        for number, one in enumerate(wanted)
    }


def agreed(*wanted: Successor | None, epoch: int = EPOCH, previous: Document | None = None) -> Successor | None:
    return agreed_successor(votes(*wanted, epoch=epoch), TRUST, epoch, previous)


def test_a_majority_of_all_introduces() -> None:
    assert agreed(WANTED, WANTED, WANTED, None, OTHER) == WANTED
    assert agreed(WANTED, WANTED, WANTED) == WANTED
    assert agreed(WANTED, WANTED, OTHER, None, None) is None
    assert agreed(WANTED, WANTED) is None
    assert agreed(None, None, None, None, WANTED) is None


@given(wanted=st.permutations([WANTED, WANTED, WANTED, OTHER, None]))
def test_a_minority_changes_nothing_whoever_it_is(wanted: list[Successor | None]) -> None:
    assert agreed(*wanted) == WANTED


@given(wanted=st.lists(st.sampled_from([WANTED, OTHER, None]), max_size=5))
def test_only_what_more_than_half_of_all_name_is_introduced(wanted: list[Successor | None]) -> None:
    expected = next((one for one in (WANTED, OTHER) if wanted.count(one) >= TRUST.majority), None)
    assert agreed(*wanted) == expected


def test_alike_but_for_the_address_or_the_threshold_is_another_one() -> None:
    larger = successors(TOWN, [0, 1, 7], 20, 3).successor
    later = successors(TOWN, [0, 1, 7], 21).successor
    assert agreed(WANTED, WANTED, larger, later, None) is None


@pytest.mark.parametrize(("epoch", "introduced"), [(17, True), (18, True), (19, False), (20, False), (30, False)])
def test_nobody_is_introduced_too_late(epoch: int, introduced: bool) -> None:
    """Late rounds of the epoch before the takeover may overlap with the new set's first."""
    assert (agreed(*[WANTED] * 5, epoch=epoch) == WANTED) == introduced == introducible(WANTED, epoch)
    assert SUCCESSION_LEAD == 2


def test_an_introduction_is_carried_until_the_takeover() -> None:
    previous = TOWN.document(3, successor=WANTED)
    for others in ([], [OTHER] * 5, [None] * 5):
        assert agreed(*others, previous=previous) == WANTED
    assert agreed(*[None] * 5, epoch=19, previous=previous) == WANTED
    assert agreed(*[None] * 5, epoch=20, previous=previous) is None


def test_those_who_took_over_introduce_others_in_turn() -> None:
    third = successors(TOWN, [0, 1, 9], 30).successor
    assert agreed(*[third] * 5, epoch=20, previous=TOWN.document(19, successor=WANTED)) == third


def test_the_document_names_whom_it_introduces() -> None:
    ballots = votes(WANTED, WANTED, WANTED, None, OTHER)
    secrets = dict.fromkeys(ballots, bytes(32))
    assert make_document(TRUST, EPOCH, ballots, secrets, None).successor == WANTED
    assert make_document(TRUST, EPOCH, votes(None, None, None), secrets, None).successor is None


def test_a_successor_that_could_never_work_voids_the_vote() -> None:
    fields = msgpack.unpackb(raw_vote(0, WANTED))
    assert parse_vote_untrusted(msgpack.packb(fields), TRUST, EPOCH, {}).successor == WANTED
    for bad in ([20, fields[4][1][::-1], None], [20, [], None], [20, fields[4][1], 1], 5, fields[4][:2]):
        with pytest.raises(Malformed):
            parse_vote_untrusted(msgpack.packb([*fields[:4], bad]), TRUST, EPOCH, {})
    with pytest.raises(Malformed):
        parse_vote_untrusted(msgpack.packb(fields[:4]), TRUST, EPOCH, {})
