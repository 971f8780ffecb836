"""A document is relied on only if enough trusted authorities signed it, for here and now."""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.crypto import Label
from mixnet.errors import LocalError
from mixnet.pki.bootstrap import AuthorityInfo, Successor
from mixnet.pki.canonical import encode
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.document import (
    LASTING_EPOCHS,
    MAX_DOCUMENT,
    SKEW_SHARE,
    Document,
    parse_untrusted,
    verify_untrusted,
)
from mixnet.pki.errors import (
    Expired,
    Forged,
    Malformed,
    MinoritySigned,
    NoKey,
    NotYetValid,
    Oversized,
    Refused,
    RolledBack,
    WrongNetwork,
)
from mixnet.pki.parameters import Parameters
from mixnet.pki.trust import Trust
from tests.mixnet.pki.builders import START, ZEROS, Town, key

TOWN = Town()
TRUST = TOWN.bootstrap
RAW = TOWN.signed()
SKEW = SKEW_SHARE * TRUST.epoch_length


HEIRS = Successor(5, Town(5).bootstrap.successor.authorities, 4)


def replaced(document: Document, **changes: Any) -> Document:
    return msgspec.structs.replace(document, **changes)


def test_a_good_document_is_accepted_and_comes_back_whole() -> None:
    document = verify_untrusted(RAW, TRUST, START)
    assert document == TOWN.document()
    assert TOWN.sign(document) == RAW
    assert [node.identity for node in document.nodes] == [
        *(node.identity for layer in document.layers for node in layer),
        *(node.identity for node in document.providers),
    ]


@given(town=st.builds(Town, authority_count=st.integers(1, 5), mixes=st.integers(3, 9), providers=st.integers(1, 3)))
def test_documents_of_all_sizes_come_back(town: Town) -> None:
    document = verify_untrusted(town.signed(4), town.bootstrap, town.bootstrap.epochs.start(4))
    assert document == town.document(4)
    assert document.digest == town.document(4).digest


def test_every_changed_byte_is_refused() -> None:
    for position in range(len(RAW)):
        for flip in (1, 0x80):
            changed = bytearray(RAW)
            changed[position] ^= flip
            with pytest.raises(Refused):
                verify_untrusted(bytes(changed), TRUST, START)


def test_every_cut_is_malformed() -> None:
    for length in range(len(RAW)):
        with pytest.raises(Malformed):
            verify_untrusted(RAW[:length], TRUST, START)


@given(raw=st.binary(max_size=300))
def test_garbage_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        verify_untrusted(raw, TRUST, START)


# The named refusals.


def test_oversized() -> None:
    with pytest.raises(Oversized):
        verify_untrusted(bytes(MAX_DOCUMENT + 1), TRUST, START)


def test_forged_by_a_false_signature_beside_enough_good_ones() -> None:
    document = TOWN.document()
    signatures = {one.public: document.signature(one) for one in TOWN.authorities}
    signatures[TOWN.authorities[2].public] = bytes(64)
    with pytest.raises(Forged):
        verify_untrusted(document.encode(signatures), TRUST, START)


def test_forged_by_a_stranger_beside_enough_good_ones() -> None:
    document, stranger = TOWN.document(), key("stranger")
    signatures = {one.public: document.signature(one) for one in (*TOWN.authorities, stranger)}
    with pytest.raises(Forged):
        verify_untrusted(document.encode(signatures), TRUST, START)


def test_forged_by_signatures_of_another_document() -> None:
    other = TOWN.document(1)
    signatures = {one.public: other.signature(one) for one in TOWN.authorities}
    with pytest.raises(Forged):
        verify_untrusted(TOWN.document().encode(signatures), TRUST, START)


def test_forged_by_signatures_for_another_purpose() -> None:
    document = TOWN.document()
    signatures = {one.public: one.sign(Label.VOTE, document.digest) for one in TOWN.authorities}
    with pytest.raises(Forged):
        verify_untrusted(document.encode(signatures), TRUST, START)


@pytest.mark.parametrize(
    ("count", "threshold", "least"),
    [(1, None, 1), (2, None, 2), (3, None, 2), (4, None, 3), (5, None, 3), (7, None, 4), (7, 5, 5), (3, 3, 3)],
)
def test_minority_signed_below_the_threshold_and_accepted_at_it(count: int, threshold: int | None, least: int) -> None:
    town = Town(count, threshold=threshold)
    with pytest.raises(MinoritySigned):
        verify_untrusted(town.signed(count=least - 1), town.bootstrap, START)
    assert verify_untrusted(town.signed(count=least), town.bootstrap, START) == town.document()


def test_one_authority_cannot_sign_twice() -> None:
    document, one = TOWN.document(), TOWN.authorities[0]
    twice = [(one.public, document.signature(one))] * 2
    with pytest.raises(Malformed):
        verify_untrusted(msgpack.packb([document.body, twice]), TRUST, START)


def test_signatures_in_another_order_are_malformed() -> None:
    body, signatures = msgpack.unpackb(RAW)
    with pytest.raises(Malformed):
        verify_untrusted(msgpack.packb([body, signatures[::-1]]), TRUST, START)


def test_wrong_network() -> None:
    other = Town(name="other ")
    with pytest.raises(WrongNetwork):
        verify_untrusted(other.signed(), TRUST, START)


@pytest.mark.parametrize(
    "changes",
    [
        {"network_id": ZEROS},
        {"authorities": TRUST.identities[:2]},
        {"valid_until": START + 10 * 1200.0},
        {"valid_from": START - 1.0},
        {"parameters": Parameters(epoch_length=600.0)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_wrong_network_whatever_differs_from_the_trust_base(changes: dict[str, Any]) -> None:
    with pytest.raises(WrongNetwork):
        verify_untrusted(TOWN.signed(**changes), TRUST, START)


def test_expired_once_its_time_and_the_tolerance_are_over() -> None:
    end = TRUST.epochs.start(LASTING_EPOCHS)
    verify_untrusted(RAW, TRUST, end + SKEW)
    with pytest.raises(Expired):
        verify_untrusted(RAW, TRUST, end + SKEW + 0.001)


def test_not_yet_valid_before_its_time_and_the_tolerance() -> None:
    raw, start = TOWN.signed(3), TRUST.epochs.start(3)
    verify_untrusted(raw, TRUST, start - SKEW)
    with pytest.raises(NotYetValid):
        verify_untrusted(raw, TRUST, start - SKEW - 0.001)


def test_rolled_back_behind_what_was_seen() -> None:
    raw, start = TOWN.signed(3), TRUST.epochs.start(3)
    verify_untrusted(raw, TRUST, start, newest_epoch=3)
    with pytest.raises(RolledBack):
        verify_untrusted(raw, TRUST, start, newest_epoch=4)


def test_a_refusal_says_what_to_do() -> None:
    for refusal in (Expired, Forged, Malformed, MinoritySigned, NotYetValid, Oversized, RolledBack, WrongNetwork):
        assert ":" in str(refusal())


# A document that contradicts itself can't be.

DOCUMENT = TOWN.document()
FIRST, SECOND, THIRD = DOCUMENT.layers


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"version": 2}, id="version"),
        pytest.param({"layers": (FIRST, SECOND)}, id="a layer too few"),
        pytest.param({"layers": (FIRST, SECOND, ())}, id="an empty layer"),
        pytest.param({"layers": (FIRST, SECOND, FIRST)}, id="a mix in two layers"),
        pytest.param({"layers": (FIRST[::-1], SECOND, THIRD)}, id="a layer in another order"),
        pytest.param({"layers": (FIRST, SECOND, DOCUMENT.providers)}, id="a provider as mix"),
        pytest.param({"providers": ()}, id="no provider"),
        pytest.param({"providers": FIRST}, id="a mix as provider"),
        pytest.param({"providers": DOCUMENT.providers[::-1]}, id="providers in another order"),
        pytest.param({"authorities": TRUST.identities[::-1]}, id="authorities in another order"),
        pytest.param({"epoch": 1}, id="keys of another epoch"),
        pytest.param({"valid_until": DOCUMENT.valid_from}, id="never valid"),
        pytest.param({"valid_from": float("nan")}, id="no number"),
    ],
)
def test_contradictions_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(LocalError):
        replaced(DOCUMENT, **changes)
    fields = [changes.get(name, getattr(DOCUMENT, name)) for name in Document.__struct_fields__]
    body = msgspec.msgpack.encode(fields)
    with pytest.raises(Malformed):
        parse_untrusted(msgpack.packb([body, []]))


def test_parameters_out_of_range_are_malformed() -> None:
    fields = msgpack.unpackb(DOCUMENT.body)
    fields[5][Parameters.__struct_fields__.index("mean_delay")] = -1.0
    with pytest.raises(Malformed):
        parse_untrusted(msgpack.packb([msgpack.packb(fields), []]))


# Looking things up.


def test_nodes_are_found_by_identity() -> None:
    mix, provider = FIRST[0], DOCUMENT.providers[0]
    assert DOCUMENT.node(mix.identity) is mix
    assert DOCUMENT.node(provider.identity) is provider
    assert DOCUMENT.node(ZEROS) is None
    assert [DOCUMENT.layer_of(layer[0].identity) for layer in DOCUMENT.layers] == [0, 1, 2]
    assert DOCUMENT.layer_of(provider.identity) is None


def test_keys_are_found_by_epoch() -> None:
    node = TOWN.node("mix 0", 5)
    assert [node.key_at(epoch) for epoch in (5, 6, 7)] == list(node.keys)
    assert node.role == NodeRole.MIX
    for epoch in (4, 8):
        with pytest.raises(NoKey):
            node.key_at(epoch)


# Who comes next (5.12).


def test_what_a_document_introduces_comes_back() -> None:
    raw = TOWN.signed(4, successor=HEIRS)
    document = verify_untrusted(raw, TRUST, TRUST.epochs.start(4))
    assert document.successor == HEIRS
    assert document == TOWN.document(4, successor=HEIRS)
    assert document.digest != TOWN.document(4).digest


@pytest.mark.parametrize("epoch", [5, 6, 100])
def test_those_who_have_taken_over_are_not_introduced(epoch: int) -> None:
    with pytest.raises(LocalError):
        TOWN.document(epoch, successor=HEIRS)


def _tampered(change: Any) -> bytes:
    """A signed document with a `successor` that no honest authority writes, as bytes."""
    body = msgpack.unpackb(TOWN.document(4, successor=HEIRS).body)
    body[-1] = change(body[-1])
    digest = msgpack.packb(body)
    return encode([digest, []])


MALFORMED = {
    "its own epoch": lambda one: [4, *one[1:]],
    "an earlier epoch": lambda one: [0, *one[1:]],
    "no epoch": lambda one: ["5", *one[1:]],
    "descending": lambda one: [one[0], one[1][::-1], one[2]],
    "twice the same": lambda one: [one[0], [one[1][0]] * 5, one[2]],
    "nobody": lambda one: [one[0], [], None],
    "too many": lambda one: [one[0], [[bytes([n]) * 32, "10.0.0.1:70"] for n in range(32)], None],
    "a threshold of a minority": lambda one: [*one[:2], 2],
    "a threshold of more than all": lambda one: [*one[:2], 6],
    "a short identity": lambda one: [one[0], [[b"short", "10.0.0.1:70"], *one[1][1:]], one[2]],
    "no address": lambda one: [one[0], [[one[1][0][0], "nowhere"], *one[1][1:]], one[2]],
    "a field too few": lambda one: one[:2],
    "a field too many": lambda one: [*one, None],
    "a field too many of an authority": lambda one: [one[0], [[*one[1][0], 1], *one[1][1:]], one[2]],
    "something else": lambda one: 7,
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_malformed_successors(change: Any) -> None:
    assert parse_untrusted(_tampered(lambda one: one))[0].successor == HEIRS
    with pytest.raises(Malformed):
        parse_untrusted(_tampered(change))


def test_a_body_without_the_field_is_malformed() -> None:
    body = msgpack.unpackb(TOWN.document(4).body)
    with pytest.raises(Malformed):
        parse_untrusted(encode([msgpack.packb(body[:-1]), []]))


def test_each_epoch_has_its_own_authorities() -> None:
    five = Town(5)
    trust = Trust(TRUST, [TOWN.signed(0, successor=Successor(1, five.bootstrap.successor.authorities))])
    made = replaced(TOWN.document(1), authorities=five.bootstrap.identities)
    now = TRUST.epochs.start(1)
    assert verify_untrusted(five.sign(made), trust, now) == made
    with pytest.raises(MinoritySigned):
        verify_untrusted(five.sign(made, 2), trust, now)
    with pytest.raises(WrongNetwork):
        verify_untrusted(TOWN.signed(1), trust, now)
    with pytest.raises(Forged):
        verify_untrusted(
            TOWN.document(0).encode({one.public: TOWN.document(0).signature(one) for one in five.authorities}),
            trust,
            START,
        )
    assert verify_untrusted(TOWN.signed(0), trust, START)


def test_addresses_are_part_of_what_is_introduced() -> None:
    first, *rest = HEIRS.authorities
    moved = Successor(5, (AuthorityInfo(first.identity, "elsewhere:1"), *rest), 4)
    assert TOWN.document(4, successor=moved).digest != TOWN.document(4, successor=HEIRS).digest
