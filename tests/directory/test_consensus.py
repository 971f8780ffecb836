"""The document follows from the votes alone, and a minority of them moves nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.directory.consensus import (
    NO_DOCUMENT,
    NoConsensus,
    Vote,
    agreed_previous,
    commit,
    encode_vote,
    make_document,
    opened,
    parse_vote_untrusted,
)
from mixnet.pki.descriptor import Descriptor, NodeRole
from mixnet.pki.document import Document
from mixnet.pki.errors import Forged, Malformed, Refused
from mixnet.pki.parameters import Parameters
from tests.mixnet.pki.builders import Town

TOWN = Town()
TRUST = TOWN.bootstrap
AUTHORS = [one.public for one in TOWN.authorities]
SECRETS = {author: bytes([n]) * 32 for n, author in enumerate(AUTHORS)}
ALL = TOWN.descriptors()


def raw_vote(
    number: int,
    descriptors: Iterable[bytes] = ALL,
    parameters: Parameters = TOWN.parameters,
    previous: bytes = NO_DOCUMENT,
    epoch: int = 0,
) -> bytes:
    author = AUTHORS[number]
    return encode_vote(previous, parameters, commit(TRUST, epoch, author, SECRETS[author]), descriptors)


def votes(*raws: bytes, epoch: int = 0) -> dict[bytes, Vote]:
    return {author: parse_vote_untrusted(raw, TRUST, epoch, {}) for author, raw in zip(AUTHORS, raws, strict=False)}


def document(*raws: bytes, epoch: int = 0, previous: Document | None = None) -> Document:
    return make_document(TRUST, epoch, votes(*raws, epoch=epoch), SECRETS, previous)


def without(name: str) -> list[bytes]:
    return [raw for raw in ALL if raw != TOWN.descriptor(name)]


def with_other(name: str, other: bytes) -> list[bytes]:
    return [other if raw == TOWN.descriptor(name) else raw for raw in ALL]


def identity(name: str) -> bytes:
    return TOWN.nodes[name][0].public


def test_all_that_all_know_is_in() -> None:
    made = document(raw_vote(0), raw_vote(1), raw_vote(2))
    assert {node.identity for node in made.nodes} == set(TOWN.approved)
    assert [len(layer) for layer in made.layers] == [2, 2, 2]
    assert made.parameters == TOWN.parameters
    assert made.authorities == TRUST.identities
    assert (made.valid_from, made.valid_until) == (TRUST.genesis, TRUST.genesis + 2 * 1200.0)
    for name in TOWN.nodes:
        assert made.node(identity(name)) == TOWN.node(name)


@given(order=st.permutations(range(3)))
def test_the_order_of_the_votes_does_not_matter(order: list[int]) -> None:
    cast = votes(raw_vote(0), raw_vote(1, without("mix 1")), raw_vote(2, without("mix 2")))
    shuffled = {AUTHORS[number]: cast[AUTHORS[number]] for number in order}
    secrets = {AUTHORS[number]: SECRETS[AUTHORS[number]] for number in order}
    assert make_document(TRUST, 0, shuffled, secrets, None).body == make_document(TRUST, 0, cast, SECRETS, None).body


def test_a_minority_neither_adds_nor_drops_a_node() -> None:
    made = document(raw_vote(0, without("mix 1")), raw_vote(1, without("mix 1")), raw_vote(2, without("mix 2")))
    assert made.node(identity("mix 1")) is None
    assert made.node(identity("mix 2")) is not None


def test_a_majority_is_one_of_all_authorities_not_of_those_that_voted() -> None:
    made = document(raw_vote(0, without("mix 1")), raw_vote(1))
    assert made.node(identity("mix 1")) is None
    assert made.node(identity("mix 2")) is not None


def test_a_node_in_two_versions_stands_in_the_one_with_most_votes() -> None:
    moved = TOWN.descriptor("mix 1", address="10.9.9.9:1")
    made = document(raw_vote(0), raw_vote(1, with_other("mix 1", moved)), raw_vote(2, with_other("mix 1", moved)))
    assert made.node(identity("mix 1")).address == "10.9.9.9:1"  # type: ignore[union-attr]


def test_between_versions_with_equal_votes_the_newer_one_stands() -> None:
    old, new = TOWN.descriptors(0), TOWN.descriptors(1)
    for one, other in ((old, new), (new, old)):
        made = document(raw_vote(0, one, epoch=1), raw_vote(1, other, epoch=1), epoch=1)
        assert all(len(node.keys) == 3 for node in made.nodes)


def test_a_node_whose_role_is_disputed_is_left_out() -> None:
    provider = TOWN.descriptor("mix 1", role=NodeRole.PROVIDER)
    made = document(raw_vote(0), raw_vote(1, with_other("mix 1", provider)))
    assert made.node(identity("mix 1")) is None


def test_last_epochs_descriptors_give_the_keys_from_this_epoch_on() -> None:
    made = document(*(raw_vote(number, TOWN.descriptors(4), epoch=5) for number in range(3)), epoch=5)
    for name in TOWN.nodes:
        assert made.node(identity(name)) == TOWN.node(name, 5, 2)


def test_parameters_need_a_majority() -> None:
    other = Parameters(epoch_length=1200.0, loop_rate=7.0)
    assert document(raw_vote(0), raw_vote(1), raw_vote(2, parameters=other)).parameters == TOWN.parameters
    with pytest.raises(NoConsensus, match="configurations differ"):
        document(raw_vote(0), raw_vote(1, parameters=other))


def test_a_network_needs_a_mix_a_layer_and_a_provider() -> None:
    for missing in (("mix 0", "mix 1", "mix 2", "mix 3"), ("provider 0", "provider 1")):
        left = [TOWN.descriptor(name) for name in TOWN.nodes if name not in missing]
        left.sort(key=lambda raw: Descriptor.parse_untrusted(raw).identity)
        with pytest.raises(NoConsensus, match="start the others"):
            document(*(raw_vote(number, left) for number in range(3)))


def test_the_previous_document_is_what_a_majority_names() -> None:
    one, two = b"\1" * 32, b"\2" * 32
    assert agreed_previous(votes(*(raw_vote(n, previous=one) for n in range(3))), TRUST) == one
    assert agreed_previous(votes(*(raw_vote(n, previous=p) for n, p in enumerate((two, one, one)))), TRUST) == one
    assert agreed_previous(votes(*(raw_vote(n, previous=p) for n, p in enumerate((two, one)))), TRUST) == NO_DOCUMENT


def test_what_was_before_stays_and_the_randomness_is_chained() -> None:
    first = document(raw_vote(0), raw_vote(1), raw_vote(2))
    cast = [raw_vote(number, TOWN.descriptors(1), epoch=1, previous=first.digest) for number in range(3)]
    second, alone = document(*cast, epoch=1, previous=first), document(*cast, epoch=1)
    for node in second.nodes:
        assert second.layer_of(node.identity) == first.layer_of(node.identity)
    assert second.previous == first.digest
    assert len({first.randomness, second.randomness, alone.randomness}) == 3


def test_only_reveals_that_match_their_commitments_count() -> None:
    cast = votes(raw_vote(0), raw_vote(1))
    false = {AUTHORS[0]: SECRETS[AUTHORS[0]], AUTHORS[1]: bytes(32), AUTHORS[2]: SECRETS[AUTHORS[2]]}
    assert opened(TRUST, 0, cast, false) == {AUTHORS[0]: SECRETS[AUTHORS[0]]}
    assert opened(TRUST, 1, cast, false) == {}


# Votes.


def test_a_vote_comes_back() -> None:
    vote = parse_vote_untrusted(raw_vote(1), TRUST, 0, {})
    assert vote.previous == NO_DOCUMENT
    assert sorted(signed for signed, _ in vote.descriptors.values()) == sorted(ALL)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(raw_vote(0, ALL[::-1]), id="another order"),
        pytest.param(raw_vote(0, [ALL[0], ALL[0]]), id="a node twice"),
        pytest.param(raw_vote(0, TOWN.descriptors(2)), id="descriptors of a later epoch"),
        pytest.param(raw_vote(0, [b"garbage"]), id="garbage for a descriptor"),
        pytest.param(raw_vote(0, Town(name="other ").descriptors()), id="another network's descriptors"),
        pytest.param(raw_vote(0, parameters=Parameters(epoch_length=7.0)), id="another length of epochs"),
        pytest.param(raw_vote(0)[:-1], id="cut"),
    ],
)
def test_a_wrong_vote_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_vote_untrusted(raw, TRUST, 0, {})


def test_descriptors_older_than_the_last_epoch_are_refused() -> None:
    parse_vote_untrusted(raw_vote(0, TOWN.descriptors(1)), TRUST, 2, {})
    with pytest.raises(Malformed):
        parse_vote_untrusted(raw_vote(0, TOWN.descriptors(0)), TRUST, 2, {})


def test_a_forged_descriptor_spoils_the_vote() -> None:
    version, body, signature = msgpack.unpackb(ALL[0])
    forged = msgpack.packb([version, body, signature[:-1] + bytes([signature[-1] ^ 1])])
    with pytest.raises(Forged):
        parse_vote_untrusted(raw_vote(0, [forged, *ALL[1:]]), TRUST, 0, {})


@given(raw=st.binary(max_size=200))
def test_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        parse_vote_untrusted(raw, TRUST, 0, {})


def test_verified_descriptors_are_remembered() -> None:
    verified: dict[bytes, Descriptor] = {}
    parse_vote_untrusted(raw_vote(0), TRUST, 0, verified)
    assert set(verified) == set(ALL)
    marked = {raw: msgspec.structs.replace(one, address="marked:1") for raw, one in verified.items()}
    vote = parse_vote_untrusted(raw_vote(1), TRUST, 0, marked)
    assert all(descriptor.address == "marked:1" for _, descriptor in vote.descriptors.values())
