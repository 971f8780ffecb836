"""Authorities that vote in one process, each as slow, silent or false as a test wants: no network, no time.

The scheduler is hostile: it delivers in any order the random generator likes, as long as what honest authorities say
in a step reaches the honest ones before that step's time is up, which is what the fault model promises.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

from mixnet.crypto import SigningKey
from mixnet.directory.consensus import NO_DOCUMENT, commit, encode_vote
from mixnet.directory.voting import Phase, Round, Statement, step_count
from mixnet.errors import RemoteError
from mixnet.pki.document import Document
from tests.mixnet.pki.builders import Town, key

Tamper = Callable[[int, bytes | None, int], bytes | None]  # (step, honest bundle, receiver) -> what it is told


@cache
def statement(town: Town, number: int, epoch: int = 0, previous: bytes = NO_DOCUMENT) -> Statement:
    """The vote of an honest authority that knows every node."""
    author = town.authorities[number].public
    secret = key(f"secret {number} {epoch}").expose()
    commitment = commit(town.bootstrap, epoch, author, secret)
    return Statement(encode_vote(previous, town.parameters, commitment, town.descriptors(epoch)), secret)


@dataclass
class RoundSimulation:
    """`silent` maps an authority to the (step, receivers) from which on it is gone: in that step the receivers hear it
    still. `false` maps one to what it says instead."""

    town: Town
    rng: random.Random
    epoch: int = 0
    known: Mapping[bytes, Document] = field(default_factory=dict)
    statements: dict[int, Statement | None] = field(default_factory=dict)
    silent: dict[int, tuple[int, frozenset[int]]] = field(default_factory=dict)
    false: dict[int, Tamper] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._identities = [one.public for one in self.town.authorities]
        self.rounds = [self._enter(number, one) for number, one in enumerate(self.town.authorities)]

    @property
    def honest(self) -> list[int]:
        return [number for number in range(len(self.rounds)) if number not in self.silent | self.false]

    def documents(self) -> list[Document | None]:
        """What the honest authorities published."""
        return [
            self.rounds[number].document if self.rounds[number].phase is Phase.PUBLISHED else None
            for number in self.honest
        ]

    def run(self) -> RoundSimulation:
        """Let all of them go through the round."""
        last = step_count(len(self.rounds))
        while any(not self.rounds[number].over for number in self.honest):
            acts = self._hearings() or self._closings()
            assert acts, "an honest authority is stuck"
            self.rng.choice(acts)()
            assert all(round_.step < last for round_ in self.rounds)
        return self

    def _enter(self, number: int, identity: SigningKey) -> Round:
        round_ = Round(self.town.bootstrap, self.epoch, 1, identity, self.known)
        if number in self.statements:
            round_.cast(self.statements[number])
        else:
            round_.cast(statement(self.town, number, self.epoch))
        return round_

    def _hearings(self) -> list[Callable[[], None]]:
        """Everything that may happen before any step's time is up."""
        acts: list[Callable[[], None]] = []
        for receiver, round_ in enumerate(self.rounds):
            if round_.over:
                continue
            missing, step = round_.missing, round_.step
            if not missing:
                acts.append(partial(self._close, receiver))
            acts.extend(
                partial(self._hear, sender, receiver)
                for sender, identity in enumerate(self._identities)
                if identity in missing and self._says(sender, step, receiver) is not None
            )
        return acts

    def _closings(self) -> list[Callable[[], None]]:
        """Time is up for those that are in the earliest step."""
        going = [number for number, round_ in enumerate(self.rounds) if not round_.over]
        earliest = min(self.rounds[number].step for number in going)
        return [partial(self._close, number) for number in going if self.rounds[number].step == earliest]

    def _says(self, sender: int, step: int, receiver: int) -> bytes | None:
        bundle = self.rounds[sender].bundle(step)
        if sender in self.false:
            return self.false[sender](step, bundle, receiver)
        if sender in self.silent:
            until, still = self.silent[sender]
            if step > until or (step == until and receiver not in still):
                return None
        return bundle

    def _hear(self, sender: int, receiver: int) -> None:
        round_ = self.rounds[receiver]
        said = self._says(sender, round_.step, receiver)
        assert said is not None
        try:
            wanted = round_.wanted_untrusted(round_.step, said)
            values = [value for print_ in wanted if (value := self.rounds[sender].value(print_)) is not None]
        except RemoteError:
            assert sender in self.false
            values = []
        try:
            round_.take_untrusted(self._identity(sender), round_.step, said, values)
        except RemoteError:
            assert sender in self.false

    def _close(self, receiver: int) -> None:
        round_ = self.rounds[receiver]
        round_.close()
        if round_.undecided:
            round_.sign()

    def _identity(self, number: int) -> bytes:
        return self._identities[number]
