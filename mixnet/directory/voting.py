"""The round in which authorities agree on one document, as a table of transitions (spec/05-directory.md 5.7).

    COLLECTING --cast--> VOTING --quorum--> REVEALING --quorum--> SIGNING --quorum--> PUBLISHED
                            └───────no quorum──┴───────no quorum─────┴────no quorum──> FAILED

Votes and reveals travel by authenticated broadcast (broadcast.py), one step for each of its rounds; signatures in one
step. A step is over when all authorities were heard or its time is up; the caller knows which, this file does not.

Promises: all honest authorities that end in PUBLISHED hold the same document; a round in which a minority falls silent
at any step still ends there. Own statements are given out only after the caller has had the chance to write them down:
`cast` takes a vote that is stored already, and `sign` is a call of its own.
Never: waits, sends, stores or reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import msgspec

from mixnet.crypto import KEY_SIZE, Label, SigningKey, verify_untrusted
from mixnet.directory.broadcast import AuthenticatedBroadcast
from mixnet.directory.consensus import (
    NO_DOCUMENT,
    NoConsensus,
    Vote,
    agreed_previous,
    make_document,
    opened,
    parse_vote_untrusted,
)
from mixnet.directory.evidence import ProvenContradiction, StatementKind, round_context
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.canonical import Key, Signature, decode_untrusted, encode
from mixnet.pki.descriptor import Descriptor
from mixnet.pki.document import Document

_MAX_SIGNED = 128


class Phase(Enum):
    """Where a round stands."""

    COLLECTING = auto()
    VOTING = auto()
    REVEALING = auto()
    SIGNING = auto()
    PUBLISHED = auto()
    FAILED = auto()


class RoundEvent(Enum):
    """What moves it on."""

    CAST = auto()  # one's own vote, or abstention, is decided
    QUORUM = auto()  # the phase's last step is over and enough authorities took part
    NO_QUORUM = auto()  # it is over and they did not, or what they said makes no document


TRANSITIONS: Mapping[tuple[Phase, RoundEvent], Phase] = {
    (Phase.COLLECTING, RoundEvent.CAST): Phase.VOTING,
    (Phase.VOTING, RoundEvent.QUORUM): Phase.REVEALING,
    (Phase.VOTING, RoundEvent.NO_QUORUM): Phase.FAILED,
    (Phase.REVEALING, RoundEvent.QUORUM): Phase.SIGNING,
    (Phase.REVEALING, RoundEvent.NO_QUORUM): Phase.FAILED,
    (Phase.SIGNING, RoundEvent.QUORUM): Phase.PUBLISHED,
    (Phase.SIGNING, RoundEvent.NO_QUORUM): Phase.FAILED,
}


def faults(authorities: int) -> int:
    """How many faulty authorities the round survives: the largest number that is less than half."""
    return (authorities - 1) // 2


def step_count(authorities: int) -> int:
    """How many steps of messages a round has: votes, reveals, and one for the signatures."""
    return 2 * (faults(authorities) + 1) + 1


@dataclass(frozen=True, slots=True)
class Statement:
    """One's own part in a round: the encoded vote, and the 32-byte secret to which it is committed."""

    vote: bytes
    secret: bytes


class _Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    digest: Key
    signature: Signature


class Round:
    """One authority's view of one attempt at the document for one epoch."""

    def __init__(
        self, bootstrap: Bootstrap, epoch: int, attempt: int, me: SigningKey, known: Mapping[bytes, Document]
    ) -> None:
        """`known` maps the digests of documents that may be continued to the documents."""
        if me.public not in bootstrap.identities:
            raise LocalError("this authority's key is not in the bootstrap file: use the right key file")
        self.epoch = epoch
        self.attempt = attempt
        self.phase = Phase.COLLECTING
        self.problem: NoConsensus | None = None
        self.document: Document | None = None
        self.signatures: dict[bytes, bytes] = {}
        self._bootstrap = bootstrap
        self._me = me
        self._known = known
        self._secret: bytes | None = None
        self._votes: dict[bytes, Vote] = {}
        self._revealed: tuple[bytes, ...] = ()
        self._bundles: list[bytes | None] = []  # one for each step that is or was open; None: not decided yet
        self._heard: set[bytes] = set()  # in the step that is open
        self.heard: set[bytes] = {me.public}  # in any step
        authorities = bootstrap.identities
        context = round_context(bootstrap.network_id, epoch, attempt)
        tolerated = faults(len(authorities))
        self._vote_cast = AuthenticatedBroadcast(Label.VOTE, context, authorities, me, faults=tolerated)
        self._reveal_cast = AuthenticatedBroadcast(Label.REVEAL, context, authorities, me, faults=tolerated)

    # What the caller may ask.

    @property
    def step(self) -> int:
        """The number of the step that is open, from 0; -1 before the first."""
        return len(self._bundles) - 1

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in (Phase.PUBLISHED, Phase.FAILED)

    @property
    def missing(self) -> frozenset[bytes]:
        """The authorities that were not heard in the step that is open."""
        return frozenset(self._bootstrap.identities) - self._heard - {self._me.public}

    @property
    def undecided(self) -> bool:
        """Whether the caller has to call `sign` or `abstain` now."""
        return self.phase == Phase.SIGNING and self._bundles[-1] is None

    def bundle(self, step: int) -> bytes | None:
        """What this authority says in `step`; None if that step has not been reached."""
        return self._bundles[step] if 0 <= step <= self.step else None

    def value(self, fingerprint: bytes) -> bytes | None:
        """The vote or secret with this fingerprint, for an authority that was told the fingerprint alone."""
        vote = self._vote_cast.value(fingerprint)
        return self._reveal_cast.value(fingerprint) if vote is None else vote

    def evidence(self) -> list[ProvenContradiction]:
        """Who made two statements, with proof that anybody can verify."""
        proofs = [(StatementKind.VOTE, proof) for proof in self._vote_cast.evidence()]
        proofs += [(StatementKind.REVEAL, proof) for proof in self._reveal_cast.evidence()]
        network_id = self._bootstrap.network_id
        return [
            ProvenContradiction(network_id, self.epoch, self.attempt, kind, proof.author, proof.first, proof.second)
            for kind, proof in proofs
        ]

    @property
    def voted(self) -> tuple[bytes, ...]:
        """The authorities whose votes count, once that is known."""
        return tuple(sorted(self._votes))

    @property
    def revealed(self) -> tuple[bytes, ...]:
        """The authorities whose randomness went into the document."""
        return self._revealed

    def signed(self) -> bytes | None:
        """The document with the signatures so far, if they suffice."""
        if self.document is None or len(self.signatures) < self._bootstrap.required:
            return None
        return self.document.encode(self.signatures)

    # What moves the round on.

    def cast(self, statement: Statement | None) -> None:
        """Enter the round with a vote, which the caller has stored; None: take part in relaying and signing only."""
        self._move(RoundEvent.CAST)
        if statement is not None:
            self._secret = statement.secret
            self._vote_cast.propose(statement.vote)
        self._open(self._vote_cast.next_bundle())

    def wanted_untrusted(self, step: int, raw: bytes) -> list[bytes]:
        """The fingerprints of values that one has to get from who says `raw` in `step`, before `take_untrusted`.

        Raises RemoteError for bytes that no honest authority sends.
        """
        if step != self.step or self.phase not in (Phase.VOTING, Phase.REVEALING):
            return []
        return self._cast_now.wanted_untrusted(self._round_number, raw)

    def take_untrusted(self, author: bytes, step: int, raw: bytes, values: Iterable[bytes] = ()) -> None:
        """Take what `author` (proven by its link) says in `step`, with the `values` that were wanted.

        Ignored unless that step is open. Raises RemoteError for bytes that no honest authority sends; its author then
        counts as heard, and silent.
        """
        if step != self.step or author not in self.missing:
            return
        self._heard.add(author)
        self.heard.add(author)
        if self.phase == Phase.SIGNING:
            self._take_signature_untrusted(author, raw)
        else:
            self._cast_now.take_untrusted(self._round_number, raw, values)

    def close(self) -> None:
        """The open step is over: all were heard, or its time is up."""
        if self.phase == Phase.COLLECTING or self.over:
            raise LocalError("no step of this round is open")
        if self.phase == Phase.SIGNING:
            self._move(RoundEvent.QUORUM if self.signed() is not None else RoundEvent.NO_QUORUM)
        elif self._round_number < self._cast_now.rounds:
            self._open(self._cast_now.next_bundle())
        elif self.phase == Phase.VOTING:
            self._end_votes()
        else:
            self._end_reveals()

    def sign(self) -> None:
        """Sign the document, whose digest the caller has stored as the only one for this epoch."""
        if self.document is None or not self.undecided:
            raise LocalError("there is nothing to sign now")
        signature = self.document.signature(self._me)
        self.signatures[self._me.public] = signature
        self._bundles[-1] = encode(_Signed(self.document.digest, signature))

    def abstain(self) -> None:
        """Don't sign: another document was signed for this epoch before."""
        if not self.undecided:
            raise LocalError("there is nothing to decide now")
        self._bundles[-1] = b""

    # Inside.

    @property
    def _cast_now(self) -> AuthenticatedBroadcast:
        return self._vote_cast if self.phase == Phase.VOTING else self._reveal_cast

    @property
    def _round_number(self) -> int:
        """The round, from 1, of the broadcast that is under way."""
        before = 0 if self.phase == Phase.VOTING else self._vote_cast.rounds
        return self.step - before + 1

    def _move(self, event: RoundEvent) -> None:
        if (self.phase, event) not in TRANSITIONS:
            raise LocalError(f"a round that is {self.phase.name.lower()} has no event {event.name.lower()}")
        self.phase = TRANSITIONS[self.phase, event]

    def _open(self, bundle: bytes | None) -> None:
        self._heard.clear()
        self._bundles.append(bundle)

    def _fail(self, problem: NoConsensus) -> None:
        self.problem = problem
        self._move(RoundEvent.NO_QUORUM)

    def _end_votes(self) -> None:
        verified: dict[bytes, Descriptor] = {}
        for author, raw in self._vote_cast.agreed().items():
            try:
                self._votes[author] = parse_vote_untrusted(raw, self._bootstrap, self.epoch, verified)
            except RemoteError:
                continue  # every honest authority finds the same fault in the same bytes
        if len(self._votes) < self._bootstrap.majority:
            self._fail(NoConsensus("fewer than a majority of the authorities voted: start the others"))
            return
        self._move(RoundEvent.QUORUM)
        if self._secret is not None and self._me.public in self._votes:
            self._reveal_cast.propose(self._secret)
        self._open(self._reveal_cast.next_bundle())

    def _end_reveals(self) -> None:
        secrets = {author: raw for author, raw in self._reveal_cast.agreed().items() if len(raw) == KEY_SIZE}
        try:
            self.document = self._make(opened(self._bootstrap, self.epoch, self._votes, secrets))
        except NoConsensus as problem:
            self._fail(problem)
            return
        self._move(RoundEvent.QUORUM)
        self._open(None)

    def _make(self, secrets: Mapping[bytes, bytes]) -> Document:
        self._revealed = tuple(sorted(secrets))
        if len(secrets) < self._bootstrap.majority:
            raise NoConsensus("fewer than a majority of the authorities revealed their randomness: start the others")
        continued = agreed_previous(self._votes, self._bootstrap)
        previous = None if continued == NO_DOCUMENT else self._known.get(continued)
        if previous is None and continued != NO_DOCUMENT:
            raise NoConsensus("this authority lacks the document that the others continue: it asks them for it")
        return make_document(self._bootstrap, self.epoch, self._votes, secrets, previous)

    def _take_signature_untrusted(self, author: bytes, raw: bytes) -> None:
        if not raw or self.document is None:
            return
        signed = decode_untrusted(raw, _Signed, limit=_MAX_SIGNED)
        if signed.digest == self.document.digest:
            verify_untrusted(author, Label.DOCUMENT, signed.digest, signed.signature)
            self.signatures[author] = signed.signature
