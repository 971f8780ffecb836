"""The round as a state machine under a hostile scheduler: loss, reordering, duplication, crashes, lies, at any step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mixnet.directory.consensus import NO_DOCUMENT, commit, encode_vote
from mixnet.directory.evidence import StatementKind
from mixnet.directory.voting import Phase, Round, Statement, faults
from mixnet.pki.document import verify_untrusted
from tests.directory.collusion import Collusion, Plot, ToldStatement
from tests.directory.round_simulation import RoundSimulation
from tests.mixnet.pki.builders import START, Town, key

COUNTS = (3, 5, 7)
EPOCH, ATTEMPT = 1, 1
NEWCOMER, SMUGGLED = "mix 3", "mix 4"  # a node that some honest authorities don't know yet, and one that none knows
TOWNS = {count: Town(count, mixes=5, providers=1) for count in COUNTS}
PREVIOUS = {count: town.document(EPOCH - 1) for count, town in TOWNS.items()}
DESCRIPTORS = {
    count: {
        name: town.descriptor(name, EPOCH) for name in sorted(town.nodes, key=lambda name: town.nodes[name][0].public)
    }
    for count, town in TOWNS.items()
}
HONEST, BEHIND, LYING = range(3)  # the statements that every authority may make


def statements(count: int, number: int) -> tuple[Statement, ...]:
    """What an authority may state: all that it should know; the same without news; and one that smuggles a node in."""
    author, town = TOWNS[count].authorities[number].public, TOWNS[count]
    made = []
    for which, without, previous in (
        (HONEST, {SMUGGLED}, PREVIOUS[count].digest),
        (BEHIND, {NEWCOMER, SMUGGLED}, NO_DOCUMENT),
        (LYING, set[str](), b"lie!" * 8),
    ):
        secret = key(f"secret {number} {which}").expose()
        descriptors = [raw for name, raw in DESCRIPTORS[count].items() if name not in without]
        commitment = commit(town.bootstrap, EPOCH, author, secret)
        made.append(Statement(encode_vote(previous, town.parameters, commitment, descriptors), secret))
    return tuple(made)


STATEMENTS = {count: {number: statements(count, number) for number in range(count)} for count in COUNTS}


@dataclass(frozen=True)
class Setting:
    """How a round begins. Of the numbers beyond `count` nothing follows."""

    count: int
    plots: tuple[Plot, ...]  # of the first authorities: faulty from the beginning, and in league
    abstaining: frozenset[int]
    behind: frozenset[int]


@cache
def groups(count: int) -> st.SearchStrategy[frozenset[int]]:
    """Everybody, nobody, or some."""
    return st.frozensets(st.integers(0, count - 1)) | st.just(frozenset(range(count)))


@cache
def words(count: int) -> st.SearchStrategy[tuple[ToldStatement, ...]]:
    word = st.builds(ToldStatement, st.integers(HONEST, LYING), st.integers(1, faults(count) + 1), groups(count))
    return st.lists(word, max_size=2).map(tuple)


@cache
def any_plots(count: int) -> st.SearchStrategy[Plot]:
    return st.builds(Plot, words(count), words(count), groups(count), st.none() | st.integers(0, count - 1))


@st.composite
def surprises(draw: st.DrawFn, count: int, liars: int) -> Plot:
    """A statement that one or two others hear, early or at the last moment: a vote, or the reveal to a vote for all.

    The moment at which all of its signatures are liars' is the most dangerous one.
    """
    which = draw(st.integers(HONEST, LYING))
    few = draw(st.frozensets(st.integers(liars % count, count - 1), min_size=1, max_size=2))
    everybody = frozenset(range(count))
    surprise = (ToldStatement(which, draw(st.just(max(liars, 1)) | st.integers(1, faults(count) + 1)), few),)
    if draw(st.booleans()):
        return Plot(surprise, (ToldStatement(which, 1, everybody),), everybody)
    return Plot((ToldStatement(which, 1, everybody),), surprise, everybody)


@cache
def smuggling(count: int) -> st.SearchStrategy[Plot]:
    """A wrong vote, and all that belongs to it."""
    told = (ToldStatement(LYING, 1, frozenset(range(count))),)
    return st.just(Plot(told, told, frozenset(range(count))))


@cache
def plots(count: int, liars: int) -> st.SearchStrategy[Plot]:
    """What one of so many liars does."""
    return any_plots(count) | surprises(count, liars) | smuggling(count)


@st.composite
def begin(draw: st.DrawFn) -> Setting:
    count = draw(st.sampled_from(COUNTS))
    most = faults(count)
    number = draw(st.just(most) | st.integers(0, most))
    others = st.integers(number, count - 1)
    many, few = st.frozensets(others, min_size=most, max_size=most), st.frozensets(others, max_size=most)
    plotted = tuple(draw(plots(count, number)) for _ in range(number))
    return Setting(count, plotted, draw(st.just(frozenset[int]()) | many | few), draw(few))


class Rounds(RuleBasedStateMachine):
    """Within the model: what honest authorities say arrives before a step ends.

    A message that is lost is asked for again, so it comes later: a loss is an order of deliveries.
    """

    @initialize(setting=begin(), order=st.integers(0, 2**32))
    def start(self, setting: Setting, order: int) -> None:
        self.count = setting.count
        self.town = TOWNS[self.count]
        self.cast = {
            number: None
            if number in setting.abstaining
            else STATEMENTS[self.count][number][BEHIND if number in setting.behind else HONEST]
            for number in range(self.count)
        }
        self.behind = setting.behind
        known = {PREVIOUS[self.count].digest: PREVIOUS[self.count]}
        self.simulation = RoundSimulation(
            self.town, random.Random(order), epoch=EPOCH, known=known, statements=self.cast
        )
        self.league = Collusion(self.simulation, STATEMENTS[self.count])
        self.liars: set[int] = set(range(len(setting.plots)))
        for number, plot in enumerate(setting.plots):
            self.turn_false(number, plot)

    @property
    def left(self) -> int:
        """How many more may become faulty."""
        return faults(self.count) - len(self.simulation.silent.keys() | self.simulation.false.keys())

    @rule(number=st.integers(1, 60), duplicated=st.booleans())
    def deliver(self, number: int, duplicated: bool) -> None:
        for _ in range(number):
            acts = self.simulation._hearings()
            if acts:
                act = self.simulation.rng.choice(acts)
                act()
                if duplicated and act.func == self.simulation._hear:  # type: ignore[attr-defined]
                    sender, receiver = act.args  # type: ignore[attr-defined]
                    round_ = self.simulation.rounds[receiver]
                    said = self.simulation._says(sender, round_.step, receiver)
                    if said is not None and not round_.over:
                        round_.take_untrusted(self.simulation._identity(sender), round_.step, said)

    @precondition(lambda self: self.left > 0)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.simulation.honest))
        self.simulation.silent[number] = (-1, frozenset())

    @precondition(lambda self: self.simulation.silent)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """It comes back with what it had written down, and may say that late."""
        number = data.draw(st.sampled_from(sorted(self.simulation.silent)))
        del self.simulation.silent[number]
        again = Round(self.town.bootstrap, EPOCH, ATTEMPT, self.town.authorities[number], self.simulation.known)
        again.cast(self.cast[number])
        self.simulation.rounds[number] = again
        self.simulation.false[number] = lambda step, bundle, receiver: bundle

    @precondition(lambda self: self.left > 0)
    @rule(data=st.data())
    def lie(self, data: st.DataObject) -> None:
        """From now on it speaks by a plot, whatever it has said before."""
        number = data.draw(st.sampled_from(self.simulation.honest))
        self.liars.add(number)
        self.turn_false(number, data.draw(plots(self.count, len(self.liars))))

    def turn_false(self, number: int, plot: Plot) -> None:
        others: Sequence[int] = sorted(self.liars - {number})
        self.simulation.false[number] = self.league.tamper(number, plot, others)

    @precondition(lambda self: not self.simulation._hearings())
    @rule()
    def time_up(self) -> None:
        if any(not self.simulation.rounds[number].over for number in self.simulation.honest):
            self.simulation.rng.choice(self.simulation._closings())()

    @invariant()
    def nobody_published_another_document(self) -> None:
        if hasattr(self, "simulation"):
            published = [self.simulation.rounds[number] for number in self.simulation.honest]
            digests = {one.document.digest for one in published if one.phase is Phase.PUBLISHED and one.document}
            assert len(digests) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "simulation"):
            return
        self.simulation.run()
        honest = [self.simulation.rounds[number] for number in self.simulation.honest]
        assert len({(one.phase, one.voted, one.revealed, one.document) for one in honest}) == 1
        voters = {self.identity(number) for number in self.simulation.honest if self.cast[number] is not None}
        assert voters <= set(honest[0].voted) or honest[0].phase is Phase.FAILED
        if len(voters) >= self.town.bootstrap.majority:
            assert honest[0].phase is Phase.PUBLISHED
        if honest[0].phase is Phase.FAILED:
            assert min(len(honest[0].voted), len(honest[0].revealed)) < self.town.bootstrap.majority
        for round_ in honest:
            self.check_evidence(round_)
            if round_.phase is Phase.PUBLISHED:
                self.check_document(round_, voters)

    def check_evidence(self, round_: Round) -> None:
        """Only liars are named, by all alike, and what they said twice counts for nothing."""
        proofs = {(proof.kind, proof.author) for proof in round_.evidence()}
        assert {author for _, author in proofs} <= {self.identity(liar) for liar in self.liars}
        assert proofs == {
            (proof.kind, proof.author) for proof in self.simulation.rounds[self.simulation.honest[0]].evidence()
        }
        assert not {author for kind, author in proofs if kind is StatementKind.VOTE}.intersection(round_.voted)
        assert not {author for kind, author in proofs if kind is StatementKind.REVEAL}.intersection(round_.revealed)

    def check_document(self, round_: Round, voters: set[bytes]) -> None:
        """It is what a majority of all authorities wants, honest ones' wishes count, and everybody accepts it."""
        raw, document, majority = round_.signed(), round_.document, self.town.bootstrap.majority
        assert raw is not None
        assert document is not None
        assert verify_untrusted(raw, self.town.bootstrap, START + EPOCH * self.town.epoch_length) == document
        assert min(len(round_.voted), len(round_.revealed)) >= majority
        assert voters <= set(round_.revealed)
        secrets = round_._reveal_cast.agreed()
        for author in round_.revealed:
            bound = commit(self.town.bootstrap, EPOCH, author, secrets[author])
            assert bound == round_._votes[author].commitment
        assert document.node(self.town.nodes[SMUGGLED][0].public) is None
        old_fashioned = {self.identity(number) for number in self.behind}
        informed = len(voters - old_fashioned)
        possible = informed + self.count - len(self.simulation.honest)
        newcomer = document.node(self.town.nodes[NEWCOMER][0].public) is not None
        continued = document.previous == PREVIOUS[self.count].digest
        assert document.previous in (PREVIOUS[self.count].digest, NO_DOCUMENT)
        for known in (newcomer, continued):
            assert known or informed < majority
            assert not known or possible >= majority

    def identity(self, number: int) -> bytes:
        return self.town.authorities[number].public


Rounds.TestCase.settings = settings(
    max_examples=100, stateful_step_count=8, deadline=None, derandomize=True, report_multiple_bugs=False
)
TestRounds = pytest.mark.timeout(400)(Rounds.TestCase)  # to make a failure small takes a few minutes


@settings(max_examples=25, deadline=None)
@given(count=st.sampled_from(COUNTS), order=st.randoms(use_true_random=False), haste=st.floats(0.05, 0.6))
def test_outside_the_model_honest_authorities_sign_one_document_or_none(
    count: int, order: random.Random, haste: float
) -> None:
    """Steps end whoever was heard, attempt after attempt: no two documents of an epoch get a majority."""
    town = TOWNS[count]
    signed: dict[int, bytes] = {}  # what the ledger remembers
    for _ in range(3):
        simulation = RoundSimulation(town, order)

        def close(receiver: int, simulation: RoundSimulation = simulation) -> None:
            round_ = simulation.rounds[receiver]
            round_.close()
            if round_.undecided and round_.document is not None:
                if signed.setdefault(receiver, round_.document.digest) == round_.document.digest:
                    round_.sign()
                else:
                    round_.abstain()

        simulation._close = close  # type: ignore[method-assign]
        while going := [number for number, round_ in enumerate(simulation.rounds) if not round_.over]:
            acts = simulation._hearings()
            if acts and order.random() > haste:
                order.choice(acts)()
            else:
                close(order.choice(going))
        published = {
            round_.document.digest
            for round_ in simulation.rounds
            if round_.phase is Phase.PUBLISHED and round_.document
        }
        enough = {
            digest for digest in signed.values() if list(signed.values()).count(digest) >= town.bootstrap.majority
        }
        assert len(enough) <= 1
        assert published <= enough
