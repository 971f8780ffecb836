"""One round, one document: with a minority crashed at any moment, or lying."""

from __future__ import annotations

import random

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.crypto import KEY_SIZE
from mixnet.directory.consensus import NO_DOCUMENT, commit, encode_vote
from mixnet.directory.evidence import StatementKind, check_evidence_untrusted
from mixnet.directory.voting import TRANSITIONS, Phase, Round, Statement, faults, step_count
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.document import verify_untrusted
from mixnet.pki.trust import Trust
from tests.directory.round_simulation import RoundSimulation, statement
from tests.mixnet.pki.builders import START, Town, key

TOWNS = {count: Town(count) for count in (1, 2, 3, 5, 7)}
SMALL = {count: Town(count, mixes=3, providers=1) for count in (3, 5)}
orders = st.randoms(use_true_random=False)


def assert_one_document(simulation: RoundSimulation) -> None:
    documents = simulation.documents()
    assert documents
    assert documents[0] is not None
    bodies = {None if document is None else document.body for document in documents}
    assert bodies == {documents[0].body}
    for number in simulation.honest:
        signed = simulation.rounds[number].signed()
        assert signed is not None
        assert verify_untrusted(signed, simulation.town.bootstrap, START) == documents[0]


# The table.


def test_the_table_ends_only_where_a_round_is_over() -> None:
    ends = {Phase.PUBLISHED, Phase.FAILED}
    assert set(TRANSITIONS.values()) | {Phase.COLLECTING} == set(Phase)
    assert {phase for phase, _ in TRANSITIONS} == set(Phase) - ends


@pytest.mark.parametrize("town", TOWNS.values(), ids=lambda town: f"{town.authority_count} authorities")
def test_a_round_walks_through_the_phases(town: Town) -> None:
    simulation = RoundSimulation(town, random.Random(1))
    seen = [Phase.COLLECTING]
    watched = simulation.rounds[0]
    while not watched.over:
        if watched.phase is not seen[-1]:
            seen.append(watched.phase)
        simulation.rng.choice(simulation._hearings() or simulation._closings())()
    seen.append(watched.phase)
    assert seen == [Phase.COLLECTING, Phase.VOTING, Phase.REVEALING, Phase.SIGNING, Phase.PUBLISHED]
    assert watched.step + 1 == step_count(town.authority_count) == 2 * (faults(town.authority_count) + 1) + 1


def test_what_is_not_in_the_table_is_refused() -> None:
    round_ = Round(TOWNS[3].bootstrap, 0, 1, TOWNS[3].authorities[0], {})
    for act in (round_.close, round_.sign, round_.abstain):
        with pytest.raises(LocalError):
            act()
    round_.cast(None)
    for act in (lambda: round_.cast(None), round_.sign, round_.abstain):
        with pytest.raises(LocalError):
            act()


def test_a_stranger_has_no_round() -> None:
    with pytest.raises(LocalError):
        Round(TOWNS[3].bootstrap, 0, 1, key("stranger"), {})


# Agreement.


@settings(max_examples=15)
@given(count=st.sampled_from([1, 2, 3, 5]), order=orders)
def test_in_any_order_all_sign_one_document(count: int, order: random.Random) -> None:
    simulation = RoundSimulation(TOWNS[count], order).run()
    assert_one_document(simulation)
    assert all(len(round_.signatures) == count for round_ in simulation.rounds)
    document = simulation.documents()[0]
    assert document is not None
    assert {node.identity for node in document.nodes} == set(TOWNS[count].approved)


@settings(max_examples=40)
@given(count=st.sampled_from([3, 5]), data=st.data(), order=orders)
def test_a_minority_may_crash_at_any_moment(count: int, data: st.DataObject, order: random.Random) -> None:
    """Also in the middle of a step: some have heard it, the others have not."""
    town = SMALL[count]
    numbers = range(count)
    crashed = data.draw(st.sets(st.sampled_from(numbers), min_size=1, max_size=faults(count)))
    silent = {
        number: (data.draw(st.integers(0, step_count(count) - 1)), data.draw(st.frozensets(st.sampled_from(numbers))))
        for number in crashed
    }
    simulation = RoundSimulation(town, order, silent=silent).run()
    assert_one_document(simulation)
    assert all(len(simulation.rounds[number].signatures) >= town.bootstrap.required for number in simulation.honest)
    assert not any(simulation.rounds[number].evidence() for number in simulation.honest)


@settings(max_examples=20)
@given(count=st.sampled_from([3, 5]), data=st.data(), order=orders)
def test_a_minority_may_say_garbage_at_any_moment(count: int, data: st.DataObject, order: random.Random) -> None:
    liars = data.draw(st.sets(st.sampled_from(range(count)), min_size=1, max_size=faults(count)))
    garbage = data.draw(st.binary(max_size=50))
    which = data.draw(st.sets(st.tuples(st.integers(0, step_count(count)), st.integers(0, count - 1))))

    def tamper(step: int, bundle: bytes | None, receiver: int) -> bytes | None:
        return garbage if (step, receiver) in which else bundle

    simulation = RoundSimulation(SMALL[count], order, false=dict.fromkeys(liars, tamper)).run()
    assert_one_document(simulation)


@settings(max_examples=20)
@given(order=orders, split=st.booleans())
def test_an_equivocator_splits_nobody_and_is_named(order: random.Random, split: bool) -> None:
    town = SMALL[3]
    double = Round(town.bootstrap, 0, 1, town.authorities[2], {})
    secret = key("another secret").expose()
    commitment = commit(town.bootstrap, 0, town.authorities[2].public, secret)
    double.cast(Statement(encode_vote(NO_DOCUMENT, town.parameters, commitment, []), secret))

    def tamper(step: int, bundle: bytes | None, receiver: int) -> bytes | None:
        return double.bundle(0) if step == 0 and receiver == split else bundle

    simulation = RoundSimulation(town, order, false={2: tamper}).run()
    assert_one_document(simulation)
    for number in simulation.honest:
        (proof,) = simulation.rounds[number].evidence()
        assert (proof.network_id, proof.epoch, proof.attempt) == (town.bootstrap.network_id, 0, 1)
        assert (proof.kind, proof.author) == (StatementKind.VOTE, town.authorities[2].public)
        assert check_evidence_untrusted(proof.encode(), Trust(town.bootstrap)) == proof


@settings(max_examples=20)
@given(order=orders, told=st.sets(st.sampled_from([0, 1])))
def test_a_reveal_that_only_some_are_told_splits_nobody(order: random.Random, told: set[int]) -> None:
    first_reveal = faults(3) + 1

    def tamper(step: int, bundle: bytes | None, receiver: int) -> bytes | None:
        return msgpack.packb([[]]) if step == first_reveal and receiver not in told else bundle

    assert_one_document(RoundSimulation(SMALL[3], order, false={2: tamper}).run())


def test_the_randomness_depends_on_every_reveal() -> None:
    drawn = set()
    for silent in ({}, {0: (1, frozenset())}, {1: (1, frozenset())}, {2: (1, frozenset())}):
        document = RoundSimulation(SMALL[3], random.Random(1), silent=silent).run().documents()[0]  # type: ignore[arg-type]
        assert document is not None
        drawn.add(document.randomness)
    assert len(drawn) == 4


def test_one_that_abstains_from_voting_signs_all_the_same() -> None:
    simulation = RoundSimulation(SMALL[3], random.Random(1), statements={2: None}).run()
    assert_one_document(simulation)
    assert all(len(round_.signatures) == 3 for round_ in simulation.rounds)


def test_the_previous_document_is_continued() -> None:
    town = SMALL[3]
    first = RoundSimulation(town, random.Random(1)).run().documents()[0]
    assert first is not None
    statements = {number: statement(town, number, 1, first.digest) for number in range(3)}
    simulation = RoundSimulation(  # type: ignore[arg-type]
        town, random.Random(2), epoch=1, known={first.digest: first}, statements=statements
    ).run()
    second = simulation.documents()[0]
    assert second is not None
    assert second.previous == first.digest
    assert second.randomness != first.randomness
    assert [[node.identity for node in layer] for layer in second.layers] == [
        [node.identity for node in layer] for layer in first.layers
    ]


@pytest.mark.parametrize("length", [0, KEY_SIZE - 1, KEY_SIZE + 1, 2 * KEY_SIZE])
def test_a_reveal_of_another_length_does_not_count_even_if_it_is_what_the_vote_commits_to(length: int) -> None:
    town = SMALL[3]
    liar = town.authorities[2].public
    secret = bytes(length)
    commitment = commit(town.bootstrap, 0, liar, secret)
    vote = encode_vote(NO_DOCUMENT, town.parameters, commitment, town.descriptors(0))
    simulation = RoundSimulation(town, random.Random(1), statements={2: Statement(vote, secret)}).run()
    assert_one_document(simulation)
    honest = {one.public for one in town.authorities[:2]}
    assert all(set(round_.voted) == honest | {liar} for round_ in simulation.rounds)
    assert all(set(round_.revealed) == honest for round_ in simulation.rounds)
    without = (
        RoundSimulation(town, random.Random(1), silent={2: (step_count(3) // 2, frozenset())}).run().documents()[0]
    )
    document = simulation.documents()[0]
    assert document is not None and without is not None and document.randomness == without.randomness


@pytest.mark.parametrize("liar", range(3))
def test_a_vote_that_is_none_costs_the_others_nothing_and_its_author_reveals_nothing(liar: int) -> None:
    town = SMALL[3]
    simulation = RoundSimulation(
        town, random.Random(1), statements={liar: Statement(b"no vote", key("secret").expose())}
    ).run()
    assert_one_document(simulation)
    everybody = {one.public for one in town.authorities}
    for round_ in simulation.rounds:
        assert set(round_.voted) == set(round_.revealed) == everybody - {town.authorities[liar].public}
        assert set(round_._reveal_cast.agreed()) == set(round_.revealed)
        assert round_.heard == everybody


# No quorum.


def test_without_a_majority_of_votes_there_is_no_document() -> None:
    simulation = RoundSimulation(SMALL[5], random.Random(1), statements={0: None, 1: None, 2: None}).run()
    assert {round_.phase for round_ in simulation.rounds} == {Phase.FAILED}
    assert "voted" in str(simulation.rounds[0].problem)


@pytest.mark.parametrize(("step", "problem"), [(0, "voted"), (2, "revealed")])
def test_without_a_majority_of_authorities_there_is_no_document(step: int, problem: str) -> None:
    gone = (step, frozenset[int]())
    simulation = RoundSimulation(SMALL[3], random.Random(1), silent={1: gone, 2: gone}).run()
    assert simulation.documents() == [None]
    assert problem in str(simulation.rounds[0].problem)


def test_without_enough_signatures_there_is_no_document() -> None:
    gone = (step_count(3) - 1, frozenset[int]())
    simulation = RoundSimulation(SMALL[3], random.Random(1), silent={1: gone, 2: gone}).run()
    assert simulation.rounds[0].phase is Phase.FAILED
    assert simulation.rounds[0].signed() is None


def test_the_larger_threshold_counts() -> None:
    town = Town(3, mixes=3, providers=1, threshold=3)
    gone = (step_count(3) - 1, frozenset[int]())
    assert RoundSimulation(town, random.Random(1), silent={2: gone}).run().documents() == [None, None]
    assert_one_document(RoundSimulation(town, random.Random(1)).run())


def test_one_that_lacks_the_previous_document_does_not_sign_another() -> None:
    town = SMALL[3]
    first = RoundSimulation(town, random.Random(1)).run().documents()[0]
    assert first is not None
    statements = {number: statement(town, number, 1, first.digest) for number in range(3)}
    simulation = RoundSimulation(town, random.Random(2), epoch=1, statements=statements).run()  # type: ignore[arg-type]
    assert {round_.phase for round_ in simulation.rounds} == {Phase.FAILED}
    assert "lacks" in str(simulation.rounds[0].problem)


# Signatures.


def in_signing() -> tuple[RoundSimulation, Round]:
    simulation = RoundSimulation(SMALL[3], random.Random(1))
    round_ = simulation.rounds[0]
    while round_.phase is not Phase.SIGNING:
        simulation.rng.choice(simulation._hearings() or simulation._closings())()
    return simulation, round_


def test_a_signature_of_another_document_does_not_count() -> None:
    simulation, round_ = in_signing()
    other = simulation.town.document()
    author = simulation.town.authorities[1]
    round_.take_untrusted(author.public, round_.step, msgpack.packb([other.digest, other.signature(author)]))
    assert author.public not in round_.signatures


def test_a_false_signature_is_refused() -> None:
    simulation, round_ = in_signing()
    assert round_.document is not None
    with pytest.raises(RemoteError):
        round_.take_untrusted(
            simulation.town.authorities[1].public, round_.step, msgpack.packb([round_.document.digest, bytes(64)])
        )
    assert simulation.town.authorities[1].public not in round_.signatures


def test_nothing_is_given_out_before_the_decision_to_sign() -> None:
    simulation = RoundSimulation(SMALL[3], random.Random(1))
    round_ = simulation.rounds[0]
    assert round_.document is None
    while not round_.undecided:
        assert not round_.signatures
        simulation._close = lambda receiver: simulation.rounds[receiver].close()  # type: ignore[method-assign]
        simulation.rng.choice(simulation._hearings() or simulation._closings())()
    assert round_.bundle(round_.step) is None
    round_.abstain()
    assert round_.bundle(round_.step) == b""
    assert not round_.signatures


def test_a_second_word_in_a_step_and_words_for_other_steps_are_ignored() -> None:
    town = SMALL[3]
    rounds = [Round(town.bootstrap, 0, 1, one, {}) for one in town.authorities]
    for number, round_ in enumerate(rounds):
        round_.cast(statement(town, number))
    said = rounds[1].bundle(0)
    assert said is not None
    rounds[0].take_untrusted(town.authorities[1].public, 1, said)
    assert town.authorities[1].public in rounds[0].missing
    rounds[0].take_untrusted(town.authorities[1].public, 0, said)
    rounds[0].take_untrusted(town.authorities[1].public, 0, b"garbage that would be refused")
    assert rounds[0].missing == {town.authorities[2].public}
