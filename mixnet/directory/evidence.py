"""Proof that an authority contradicted itself, which anybody can verify (spec/05-directory.md 5.7).

Promises: a proof holds two statements that its author signed about one subject, of which an honest authority makes one;
nobody else can make it, whatever keys they have. It stays verifiable with the bootstrap file, and
what introduced later authorities, when all of the round is long forgotten. Never: more than a few hundred bytes.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mixnet.crypto import Label, digest, verify_untrusted
from mixnet.directory.broadcast import statement
from mixnet.errors import RemoteError
from mixnet.pki.bootstrap import Trusted
from mixnet.pki.canonical import Epoch, Key, Signature, decode_untrusted, encode
from mixnet.pki.errors import Forged, Malformed, WrongNetwork

MAX_EVIDENCE = 1024


class StatementKind(StrEnum):
    """What was stated twice."""

    VOTE = "vote"
    REVEAL = "reveal"


_LABELS = {StatementKind.VOTE: Label.VOTE, StatementKind.REVEAL: Label.REVEAL}


class ProvenContradiction(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Two statements of `author` in one round: each the fingerprint of a vote or secret, and the signature for it."""

    network_id: Key
    epoch: Epoch
    attempt: Epoch
    kind: StatementKind
    author: Key
    first: tuple[Key, Signature]
    second: tuple[Key, Signature]

    def encode(self) -> bytes:
        """The canonical encoding."""
        return encode(self)

    @property
    def subject(self) -> str:
        """What it is about, as part of a file's name: one proof of each subject is enough."""
        return f"{self.attempt}-{self.kind}-{self.author.hex()}"


def round_context(network_id: bytes, epoch: int, attempt: int) -> bytes:
    """32 bytes that tell one round of voting from every other, of any network."""
    return digest(Label.ROUND, network_id, epoch.to_bytes(8, "big"), attempt.to_bytes(8, "big"))


def check_evidence_untrusted(raw: bytes, trust: Trusted) -> ProvenContradiction:
    """The contradiction that `raw` proves; raises Oversized, Malformed, WrongNetwork or Forged."""
    proof = decode_untrusted(raw, ProvenContradiction, limit=MAX_EVIDENCE)
    authorities = trust.at(proof.epoch)
    if proof.network_id != authorities.network_id or proof.author not in authorities.identities:
        raise WrongNetwork
    if proof.first[0] == proof.second[0]:
        raise Malformed
    label = _LABELS[proof.kind]
    context = round_context(proof.network_id, proof.epoch, proof.attempt)
    try:
        for print_, signature in (proof.first, proof.second):
            verify_untrusted(proof.author, label, statement(label, context, proof.author, print_), signature)
    except RemoteError:
        raise Forged from None
    return proof
