"""What faulty authorities may do together: statements that they sign for one another, told late, or to a few only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgpack

from mixnet.crypto import Label
from mixnet.directory.broadcast import fingerprint
from mixnet.directory.broadcast import statement as stated
from mixnet.directory.evidence import round_context
from mixnet.directory.voting import Phase, Statement
from tests.directory.round_simulation import RoundSimulation, Tamper
from tests.mixnet.pki.builders import Town


@cache
def _signed(
    town: Town, label: Label, context: bytes, author: int, value: bytes, signers: tuple[int, ...]
) -> tuple[object, ...]:
    """A statement as it travels; its signatures follow from keys and statement, so each is made once."""
    identity, print_ = town.authorities[author].public, fingerprint(label, value)
    what = stated(label, context, identity, print_)
    keys = [town.authorities[number] for number in signers]
    return identity, print_, sorted((key.public, key.sign(label, what)) for key in keys)


@dataclass(frozen=True)
class ToldStatement:
    """In round `when`, from 1, of a broadcast its author tells `told` the statement number `which` of those it has."""

    which: int
    when: int
    told: frozenset[int]


@dataclass(frozen=True)
class Plot:
    """One author's words: its votes and reveals, two of each at most, and whom it shows its signature.

    Those who hear it are also told that `framed` stated what a liar would, without that one's signature.
    """

    votes: tuple[ToldStatement, ...] = ()
    reveals: tuple[ToldStatement, ...] = ()
    signs_for: frozenset[int] = frozenset()
    framed: int | None = None


@dataclass(frozen=True)
class Collusion:
    """Faulty authorities that know each other's keys. Each relays as an honest one does, but speaks by its plot."""

    simulation: RoundSimulation
    statements: Mapping[int, Sequence[Statement]]  # what each author may state

    def tamper(self, author: int, plot: Plot, others: Sequence[int]) -> Tamper:
        """What `author` says; `others` sign its words as far as the round demands more than its own signature."""
        me = self._identity(author)

        def say(_step: int, bundle: bytes | None, receiver: int) -> bytes | None:
            hearer = self.simulation.rounds[receiver]
            return speak(hearer.phase, hearer._round_number, bundle, receiver)

        @cache
        def speak(phase: Phase, number: int, bundle: bytes | None, receiver: int) -> bytes | None:
            if phase is Phase.SIGNING:
                return bundle if receiver in plot.signs_for else None
            label, words = (Label.VOTE, plot.votes) if phase is Phase.VOTING else (Label.REVEAL, plot.reveals)
            told = [word for word in words if word.when == number and receiver in word.told]
            relays, _ = ([], []) if bundle is None else msgpack.unpackb(bundle)
            items = [item for item in relays if item[0] != me]
            if not items and not told:
                return None
            values = [self._value(label, author, word.which) for word in told]
            items += [self._item(label, author, value, [author, *others][:number]) for value in values]
            if plot.framed is not None and not any(item[0] == self._identity(plot.framed) for item in items):
                values = [*values[:1], self._value(label, plot.framed, -1)]
                items.append(self._item(label, plot.framed, values[-1], [author, *others][:number]))
            packed: bytes = msgpack.packb([items, values])
            return packed

        return say

    def _value(self, label: Label, author: int, which: int) -> bytes:
        statement = self.statements[author][which]
        return statement.vote if label is Label.VOTE else statement.secret

    def _item(self, label: Label, author: int, value: bytes, signers: Sequence[int]) -> tuple[object, ...]:
        town, round_ = self.simulation.town, self.simulation.rounds[author]
        context = round_context(town.bootstrap.network_id, round_.epoch, round_.attempt)
        return _signed(town, label, context, author, value, tuple(signers))

    def _identity(self, number: int) -> bytes:
        return self.simulation.town.authorities[number].public
