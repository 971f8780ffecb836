"""Timestamps: a provider's signed statement that a message existed by a certain time, and its verification.

Promises: a witness's key is believed because the network's authorities list it among the providers of the time, and
the authorities because the network's identifier, which the sender has signed, is a digest of whom it trusted first;
those who succeeded them were introduced by them. So a proof needs nobody's word that isn't in it. Pure.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from mixnet import crypto
from mixnet.client.e2e.statements import Origin, Seconds
from mixnet.crypto import Label
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.bootstrap import MAX_AUTHORITIES, AuthorityInfo, Bootstrap
from mixnet.pki.canonical import Key, Signature, encode
from mixnet.pki.document import MAX_DOCUMENT, SKEW_SHARE, Document
from mixnet.pki.trust import MOST_SUCCESSIONS, Trust
from mixnet.pki.views import timeless_untrusted
from mixnet.timestamp import TimestampToken

_NOWHERE = "unknown:1"  # where an authority listens is no part of a network's identifier, nor of a proof
_Raw = Annotated[bytes, msgspec.Meta(max_length=MAX_DOCUMENT)]


class Consensus(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A signed directory document, and why it is to be believed: whom the network trusted first, and who followed."""

    genesis: float
    epoch_length: float
    authorities: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=MAX_AUTHORITIES)]
    required: int
    introductions: Annotated[tuple[_Raw, ...], msgspec.Meta(max_length=MOST_SUCCESSIONS)]
    document: _Raw

    def encode(self) -> bytes:
        """As the store keeps it."""
        return encode(self)

    def verify_untrusted(self, network: bytes) -> Document:
        """The document, if the authorities of `network` (32 bytes), or who succeeded them, made it; RemoteError."""
        try:
            infos = tuple(AuthorityInfo(identity, _NOWHERE) for identity in self.authorities)
            root = Bootstrap(self.genesis, self.epoch_length, infos, self.required)
            trust = Trust(root, self.introductions)
        except (LocalError, ArithmeticError, ValueError):
            raise RemoteError("a network that could never work") from None
        if self.authorities != root.identities or not crypto.equal(root.network_id, network):
            raise RemoteError("a document of another network")
        document = timeless_untrusted(self.document, trust)
        if trust.introductions != list(self.introductions) or trust.rests_on(document.epoch) != len(self.introductions):
            raise RemoteError("introductions that lead somewhere else")
        return document


class Timestamp(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A witness's signature at `time` on the commitment that `salt` opens."""

    witness: Key
    time: Seconds
    signature: Signature
    salt: Key
    consensus: Consensus

    def verify_untrusted(self, origin: Origin, signature: bytes) -> Document:
        """The document that lists the witness; RemoteError unless it witnessed this message, signed so, in its time."""
        document = self.consensus.verify_untrusted(origin.network)
        token = TimestampToken(self.time, self.signature)
        check_untrusted(token, self.witness, document, commitment(origin, signature, self.salt))
        return document


def commitment(origin: Origin, signature: bytes, salt: bytes) -> bytes:
    """What a witness sees of a signed message: 32 bytes that say nothing without the `salt` of 32 random bytes."""
    return crypto.digest(Label.SUBMISSION, origin.encode(), signature, salt)


def check_untrusted(token: TimestampToken, witness: bytes, document: Document, committed: bytes) -> None:
    """RemoteError unless `witness` is a provider in the document, and has signed `committed` while that was valid."""
    if witness not in {provider.identity for provider in document.providers}:
        raise RemoteError("a witness that is no provider")
    token.verify_untrusted(witness, document.network_id, committed)
    skew = 1 + SKEW_SHARE * document.parameters.epoch_length  # a second, since whole ones are signed
    if not document.valid_from - skew <= token.time <= document.valid_until + skew:
        raise RemoteError("a timestamp from another time than the document's")
