"""The round as a state machine under a hostile scheduler: loss, reordering, duplication, crashes, lies, at any step."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from directory.consensus import NO_DOCUMENT, commit, encode_vote
from directory.voting import Phase, Round, Statement, faults
from mixnet.pki.document import verify_untrusted
from tests.directory.ring import Ring, statement
from tests.mixnet.pki.builders import START, Town, key

COUNTS = (3, 5, 7)
TOWNS = {count: Town(count, mixes=3, providers=1) for count in COUNTS}


def contradiction(town: Town, number: int) -> bytes:
    """The first word of an authority in a round, other than what `statement` makes it say."""
    secret = key(f"another secret {number}").expose()
    author = town.authorities[number]
    double = Round(town.bootstrap, 0, 1, author, {})
    double.cast(
        Statement(
            encode_vote(NO_DOCUMENT, town.parameters, commit(town.bootstrap, 0, author.public, secret), []), secret
        )
    )
    said = double.bundle(0)
    assert said is not None
    return said


class Rounds(RuleBasedStateMachine):
    """Within the model: what honest authorities say arrives before a step ends.

    A message that is lost is asked for again, so it comes later: a loss is an order of deliveries.
    """

    @initialize(count=st.sampled_from(COUNTS), order=st.randoms(use_true_random=False), liars=st.integers(0, 3))
    def begin(self, count: int, order: random.Random, liars: int) -> None:
        self.ring = Ring(TOWNS[count], order)
        self.liars: set[int] = set()
        for number in range(min(liars, faults(count))):
            self.turn_false(number, frozenset(range(count - 1, 0, -2)))

    @property
    def left(self) -> int:
        """How many more may become faulty."""
        return faults(len(self.ring.rounds)) - len(self.ring.silent.keys() | self.ring.false.keys())

    @rule(number=st.integers(1, 30), duplicated=st.booleans())
    def deliver(self, number: int, duplicated: bool) -> None:
        for _ in range(number):
            acts = self.ring._hearings()
            if acts:
                act = self.ring.rng.choice(acts)
                act()
                if duplicated and act.func == self.ring._hear:  # type: ignore[attr-defined]
                    sender, receiver = act.args  # type: ignore[attr-defined]
                    round_ = self.ring.rounds[receiver]
                    said = self.ring._says(sender, round_.step, receiver)
                    if said is not None and not round_.over:
                        round_.take_untrusted(self.ring._identity(sender), round_.step, said)

    @precondition(lambda self: self.left > 0)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.ring.honest))
        self.ring.silent[number] = (-1, frozenset())

    @precondition(lambda self: self.ring.silent)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """It comes back with what it had written down, and may say that late."""
        number = data.draw(st.sampled_from(sorted(self.ring.silent)))
        del self.ring.silent[number]
        town = self.ring.town
        again = Round(town.bootstrap, 0, 1, town.authorities[number], {})
        again.cast(statement(town, number))
        self.ring.rounds[number] = again
        self.ring.false[number] = lambda step, bundle, receiver: bundle

    @precondition(lambda self: self.left > 0)
    @rule(data=st.data(), told=st.frozensets(st.integers(0, 6)))
    def lie(self, data: st.DataObject, told: frozenset[int]) -> None:
        """From now on `told` hear another vote than the others, and no reveal."""
        self.turn_false(data.draw(st.sampled_from(self.ring.honest)), told)

    def turn_false(self, number: int, told: frozenset[int]) -> None:
        other, first_reveal = contradiction(self.ring.town, number), faults(len(self.ring.rounds)) + 1

        def tamper(step: int, bundle: bytes | None, receiver: int) -> bytes | None:
            if receiver not in told:
                return bundle
            return other if step == 0 else None if step == first_reveal else bundle

        self.ring.false[number] = tamper
        self.liars.add(number)

    @precondition(lambda self: not self.ring._hearings())
    @rule()
    def time_up(self) -> None:
        if any(not self.ring.rounds[number].over for number in self.ring.honest):
            self.ring.rng.choice(self.ring._closings())()

    @invariant()
    def nobody_published_another_document(self) -> None:
        if hasattr(self, "ring"):
            published = [round_ for round_ in self.ring.rounds if round_.phase is Phase.PUBLISHED]
            assert len({round_.document.digest for round_ in published if round_.document is not None}) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "ring"):
            return
        self.ring.run()
        self.nobody_published_another_document()
        for number in self.ring.honest:
            raw = self.ring.rounds[number].signed()
            assert raw is not None
            verify_untrusted(raw, self.ring.town.bootstrap, START)
            named = {proof.author for proof in self.ring.rounds[number].evidence()}
            assert named <= {self.ring.town.authorities[liar].public for liar in self.liars}


Rounds.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestRounds = Rounds.TestCase


@settings(max_examples=25, deadline=None)
@given(count=st.sampled_from(COUNTS), order=st.randoms(use_true_random=False), haste=st.floats(0.05, 0.6))
def test_outside_the_model_honest_authorities_sign_one_document_or_none(
    count: int, order: random.Random, haste: float
) -> None:
    """Steps end whoever was heard, attempt after attempt: no two documents of an epoch get a majority."""
    town = TOWNS[count]
    signed: dict[int, bytes] = {}  # what the ledger remembers
    for _ in range(3):
        ring = Ring(town, order)

        def close(receiver: int, ring: Ring = ring) -> None:
            round_ = ring.rounds[receiver]
            round_.close()
            if round_.undecided and round_.document is not None:
                if signed.setdefault(receiver, round_.document.digest) == round_.document.digest:
                    round_.sign()
                else:
                    round_.abstain()

        ring._close = close  # type: ignore[method-assign]
        while going := [number for number, round_ in enumerate(ring.rounds) if not round_.over]:
            acts = ring._hearings()
            if acts and order.random() > haste:
                order.choice(acts)()
            else:
                close(order.choice(going))
        published = {
            round_.document.digest for round_ in ring.rounds if round_.phase is Phase.PUBLISHED and round_.document
        }
        enough = {
            digest for digest in signed.values() if list(signed.values()).count(digest) >= town.bootstrap.majority
        }
        assert len(enough) <= 1
        assert published <= enough
