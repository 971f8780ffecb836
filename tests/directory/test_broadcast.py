"""Either all honest authorities hold an author's statement, or none does."""

from __future__ import annotations

import itertools
import random

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.crypto import Label, SigningKey, verify_untrusted
from mixnet.directory.broadcast import MAX_BUNDLE, AuthenticatedBroadcast, fingerprint, statement
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.errors import Malformed, Oversized
from tests.mixnet.pki.builders import key

CONTEXT = b"context"
KEYS = [key(f"authority {n}") for n in range(7)]


def group(count: int, label: Label = Label.VOTE, context: bytes = CONTEXT) -> list[AuthenticatedBroadcast]:
    identities = [one.public for one in KEYS[:count]]
    return [AuthenticatedBroadcast(label, context, identities, one, faults=(count - 1) // 2) for one in KEYS[:count]]


VALUES = [b"value", b"late", b"left", b"right", b"other", b"changed"]


def signed(author: SigningKey, value: bytes, *signers: SigningKey, label: Label = Label.VOTE) -> list[object]:
    """An item of a bundle, as whoever holds these keys can make it."""
    print_ = fingerprint(label, value)
    stated = statement(label, CONTEXT, author.public, print_)
    signatures = sorted([one.public, one.sign(label, stated)] for one in signers)
    return [author.public, print_, signatures]


def bundle(*items: list[object], values: tuple[bytes, ...] = ()) -> bytes:
    return msgpack.packb([items, values])


def run(members: list[AuthenticatedBroadcast], rounds: int | None = None) -> None:
    """All rounds between members that are all honest."""
    for number in range(1, (rounds or members[0].rounds) + 1):
        said = [member.next_bundle() for member in members]
        for one, other in itertools.permutations(range(len(members)), 2):
            hear(members[one], number, said[other], members[other])


def hear(member: AuthenticatedBroadcast, number: int, said: bytes, relay: AuthenticatedBroadcast) -> None:
    """Take a bundle, with the values that an honest relay gives."""
    values = [relay.value(print_) for print_ in member.wanted_untrusted(number, said)]
    assert None not in values
    member.take_untrusted(number, said, [value for value in values if value is not None])


@given(count=st.integers(1, 5), values=st.lists(st.binary(max_size=20), min_size=5, max_size=5))
def test_all_hold_what_all_stated(count: int, values: list[bytes]) -> None:
    members = group(count)
    for member, value in zip(members, values, strict=False):
        member.propose(value)
    run(members)
    stated = {one.public: value for one, value in zip(KEYS[:count], values, strict=False)}
    assert all(member.agreed() == stated for member in members)
    assert not any(member.evidence() for member in members)


@settings(max_examples=40)
@given(count=st.sampled_from([3, 5, 7]), data=st.data())
def test_honest_ones_agree_whatever_the_others_say_to_whom(count: int, data: st.DataObject) -> None:
    """The false authorities know each other's keys, and send every honest one whatever they like in every round."""
    faults = (count - 1) // 2
    honest = group(count)[: count - faults]
    false = KEYS[count - faults : count]
    for number, member in enumerate(honest):
        member.propose(b"honest %d" % number)
    for number in range(1, faults + 2):
        said = [member.next_bundle() for member in honest]
        for one, other in itertools.permutations(range(len(honest)), 2):
            hear(honest[one], number, said[other], honest[other])
        for member, liar in itertools.product(honest, false):
            items = []
            for _ in range(data.draw(st.integers(0, 2))):
                author = data.draw(st.sampled_from(false))
                helpers = data.draw(st.lists(st.sampled_from(false)))
                signers = {one.public: one for one in (author, liar, *helpers)}.values()
                items.append(signed(author, data.draw(st.sampled_from([b"left", b"right", b"other"])), *signers))
            told = data.draw(st.sets(st.sampled_from([b"left", b"right", b"other"])))
            member.take_untrusted(number, bundle(*items), told)
    agreed = [member.agreed() for member in honest]
    assert all(one == agreed[0] for one in agreed)
    for number in range(len(honest)):
        assert agreed[0][KEYS[number].public] == b"honest %d" % number


def test_a_contradiction_is_proven_to_all() -> None:
    members, liar = group(3)[:2], KEYS[2]
    said = [member.next_bundle() for member in members]
    for one, (member, value) in enumerate(zip(members, (b"left", b"right"), strict=True)):
        member.take_untrusted(1, bundle(signed(liar, value, liar), values=(value,)))
        member.take_untrusted(1, said[1 - one])
    run(members, 1)
    for member in members:
        run_two = member.next_bundle()
        assert run_two
    said = [bundle(signed(liar, value, liar, one)) for value, one in ((b"left", KEYS[0]), (b"right", KEYS[1]))]
    members[0].take_untrusted(2, said[1], [b"right"])
    members[1].take_untrusted(2, said[0], [b"left"])
    for member in members:
        assert liar.public not in member.agreed()
        (evidence,) = member.evidence()
        assert evidence.author == liar.public
        prints = {fingerprint(Label.VOTE, value) for value in (b"left", b"right")}
        assert {evidence.first[0], evidence.second[0]} == prints
        for print_, signature in (evidence.first, evidence.second):
            verify_untrusted(liar.public, Label.VOTE, statement(Label.VOTE, CONTEXT, liar.public, print_), signature)


def test_a_statement_that_comes_late_without_a_relay_is_ignored() -> None:
    member = group(3)[0]
    member.take_untrusted(2, bundle(signed(KEYS[2], b"late", KEYS[2])), VALUES)
    assert member.agreed() == {}
    member.take_untrusted(2, bundle(signed(KEYS[2], b"late", KEYS[2], KEYS[1])), VALUES)
    assert member.agreed() == {KEYS[2].public: b"late"}


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(signed(KEYS[2], b"value", KEYS[1]), id="without its author"),
        pytest.param(signed(KEYS[2], b"value", KEYS[2], key("stranger")), id="with a stranger"),
        pytest.param(signed(KEYS[2], b"value", KEYS[2], label=Label.REVEAL), id="for another purpose"),
        pytest.param(
            [KEYS[2].public, fingerprint(Label.VOTE, b"changed"), signed(KEYS[2], b"value", KEYS[2])[2]],
            id="of another value",
        ),
        pytest.param(
            [KEYS[1].public, fingerprint(Label.VOTE, b"value"), signed(KEYS[2], b"value", KEYS[2])[2]],
            id="of another author",
        ),
    ],
)
def test_false_signatures_count_for_nothing(item: list[object]) -> None:
    member = group(3)[0]
    assert member.wanted_untrusted(1, bundle(item)) == []
    member.take_untrusted(1, bundle(item), VALUES)
    assert member.agreed() == {}
    member.take_untrusted(1, bundle(signed(KEYS[2], b"value", KEYS[2])), VALUES)
    assert member.agreed() == {KEYS[2].public: b"value"}


def test_a_statement_does_not_count_in_another_round_of_voting() -> None:
    one, other = group(3)[0], group(3, context=b"another")[1]
    other.propose(b"value")
    one.take_untrusted(1, other.next_bundle())
    assert one.agreed() == {}


@pytest.mark.parametrize(
    "raw", [b"", b"\x91", bundle(signed(key("stranger"), b"value", key("stranger"))), b"\x92\x90\x90x"]
)
def test_malformed_bundles_are_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        group(3)[0].take_untrusted(1, raw)


def test_a_large_bundle_is_oversized() -> None:
    with pytest.raises(Oversized):
        group(3)[0].take_untrusted(1, bytes(MAX_BUNDLE + 1))


@given(raw=st.binary(max_size=200))
def test_garbage_is_a_remote_error(raw: bytes) -> None:
    member = group(3)[0]
    try:
        member.take_untrusted(1, raw)
    except RemoteError:
        assert member.agreed() == {}


def test_what_a_flood_of_statements_costs_is_bounded() -> None:
    member = group(3)[0]
    rng = random.Random(1)
    for _ in range(20):
        value = rng.randbytes(1000)
        member.take_untrusted(1, bundle(signed(KEYS[2], value, KEYS[2]), values=(value,)))
    assert len(member.next_bundle()) < 1000
    assert len(member.evidence()) == 1


def test_a_relay_that_keeps_the_value_to_itself_has_said_nothing() -> None:
    member = group(3)[0]
    said = bundle(signed(KEYS[2], b"value", KEYS[2], KEYS[1]))
    assert member.wanted_untrusted(2, said) == [fingerprint(Label.VOTE, b"value")]
    member.take_untrusted(2, said)
    member.take_untrusted(2, said, [b"another value"])
    assert member.agreed() == {}
    assert member.value(fingerprint(Label.VOTE, b"value")) is None
    member.take_untrusted(2, said, [b"value"])
    assert member.agreed() == {KEYS[2].public: b"value"}
    assert member.wanted_untrusted(2, said) == []


def test_relays_carry_no_values() -> None:
    members = group(3)
    for number, member in enumerate(members):
        member.propose(bytes([number]) * 10_000)
    assert all(len(member.next_bundle()) > 10_000 for member in members)
    members[0].take_untrusted(1, bundle(signed(KEYS[2], b"value", KEYS[2]), values=(b"value",)))
    assert len(members[0].next_bundle()) < 1000


def test_an_authority_makes_one_statement() -> None:
    member = group(3)[0]
    member.propose(b"one")
    with pytest.raises(LocalError):
        member.propose(b"two")
