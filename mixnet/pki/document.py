"""The consensus document: everything that a client or node knows about the network (spec/05-directory.md 5.5).

Promises: `verify_untrusted` is the only way from bytes to trust: what it returns was signed by enough of the
authorities that the caller trusts, is for this network and this time, and is not older than what the caller has seen.
The encoding is canonical: one document, one digest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated

import msgspec

from mixnet.clock import Epochs
from mixnet.crypto import Label, SigningKey, digest
from mixnet.crypto import verify_untrusted as verify_signature_untrusted
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.bootstrap import Successor, Trusted
from mixnet.pki.canonical import MAX_NODES, Epoch, Key, Signature, decode_untrusted, encode
from mixnet.pki.descriptor import KEY_EPOCHS, AddressText, NodeRole, check_address
from mixnet.pki.errors import (
    Expired,
    Forged,
    Malformed,
    MinoritySigned,
    NoKey,
    NotYetValid,
    RolledBack,
    WrongNetwork,
)
from mixnet.pki.parameters import Parameters

VERSION = 1
MAX_DOCUMENT = 4 * 2**20 - 1024  # one message on a link, with room for its envelope
SKEW_SHARE = 0.05  # the share of an epoch by which a reader's clock may be wrong before a document is refused
LASTING_EPOCHS = 2  # a document serves its epoch and, should the authorities fail, the next


class Node(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One node: identity (Ed25519, 32 bytes), role, "host:port", and Sphinx keys (32 bytes each) from `epoch` on."""

    identity: Key
    role: NodeRole
    address: AddressText
    epoch: Epoch
    keys: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=KEY_EPOCHS)]

    def __post_init__(self) -> None:
        """Refuse an address that nobody could dial; raises LocalError."""
        check_address(self.address)

    def key_at(self, epoch: int) -> bytes:
        """The X25519 public key (32 bytes) for `epoch`; raises NoKey if the node has published none."""
        if not 0 <= epoch - self.epoch < len(self.keys):
            raise NoKey
        return self.keys[epoch - self.epoch]


class Document(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, dict=True):
    """What the authorities agreed on for one epoch; times in seconds since the Unix epoch, `randomness` 32 bytes."""

    version: int
    network_id: Key
    epoch: Epoch
    valid_from: float
    valid_until: float
    parameters: Parameters
    layers: tuple[tuple[Node, ...], ...]
    providers: tuple[Node, ...]
    authorities: tuple[Key, ...]
    previous: Key  # digest of the document whose layers and randomness this one continues; zeros for none
    randomness: Key
    successor: Successor | None = None  # the authorities that take over from a later epoch on, as long as they have not

    def __post_init__(self) -> None:
        """Refuse a document that contradicts itself; raises LocalError."""
        if self.version != VERSION:
            raise LocalError(f"version {self.version} of the directory document is unknown: install a newer release")
        if not self.valid_from < self.valid_until:
            raise LocalError("a document is valid for a while")
        mixes = [node for layer in self.layers for node in layer]
        if len(self.layers) != self.parameters.layers or not all(self.layers) or not self.providers:
            raise LocalError("a document has nodes in every layer and a provider")
        if any(node.role != NodeRole.MIX for node in mixes) or any(
            node.role != NodeRole.PROVIDER for node in self.providers
        ):
            raise LocalError("a node stands in a place that is not its role's")
        groups = (*self.layers, self.providers)
        if not all(_ascending(node.identity for node in group) for group in groups) or not _ascending(self.authorities):
            raise LocalError("a document lists everything in ascending order")
        if len(self._by_identity) != len(mixes) + len(self.providers) or len(self._by_identity) > MAX_NODES:
            raise LocalError("a document lists each node once")
        if any(node.epoch != self.epoch for node in self.nodes):
            raise LocalError("a document lists keys from its own epoch on")
        if self.successor is not None and self.successor.first_epoch <= self.epoch:
            raise LocalError("authorities that have taken over need no introduction")

    @cached_property
    def _by_identity(self) -> Mapping[bytes, Node]:
        return {node.identity: node for node in self.nodes}

    @cached_property
    def layer_by_identity(self) -> Mapping[bytes, int]:
        """The layer of each mix, counted from 0."""
        return {node.identity: index for index, layer in enumerate(self.layers) for node in layer}

    @property
    def nodes(self) -> Iterator[Node]:
        """All nodes: the mixes by layer, then the providers."""
        for layer in self.layers:
            yield from layer
        yield from self.providers

    def node(self, identity: bytes) -> Node | None:
        """The node with this identity, if it is listed."""
        return self._by_identity.get(identity)

    def layer_of(self, identity: bytes) -> int | None:
        """The layer of a mix, counted from 0; None for providers and unknown nodes."""
        return self.layer_by_identity.get(identity)

    @cached_property
    def body(self) -> bytes:
        """The canonical encoding, without signatures."""
        return encode(self)

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that name this document: what the authorities sign."""
        return digest(Label.DOCUMENT, self.body)

    def signature(self, authority: SigningKey) -> bytes:
        """The 64-byte signature of one authority."""
        return authority.sign(Label.DOCUMENT, self.digest)

    def encode(self, signatures: Mapping[bytes, bytes]) -> bytes:
        """The signed document as it travels; `signatures` maps an authority's identity to its signature."""
        return encode(_Signed(self.body, tuple(sorted(signatures.items()))))


class _Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    body: bytes
    signatures: tuple[tuple[Key, Signature], ...]


def parse_untrusted(raw: bytes) -> tuple[Document, dict[bytes, bytes]]:
    """The document in `raw` and its signatures, **unverified**; raises Oversized or Malformed."""
    signed = decode_untrusted(raw, _Signed, limit=MAX_DOCUMENT)
    document = decode_untrusted(signed.body, Document, limit=MAX_DOCUMENT)
    if not _ascending(authority for authority, _ in signed.signatures):
        raise Malformed
    return document, dict(signed.signatures)


def verify_untrusted(raw: bytes, trust: Trusted, now: float, newest_epoch: int = -1) -> Document:
    """The document in `raw` if it can be relied on at `now` (seconds since the Unix epoch).

    `newest_epoch` is that of the newest document that the caller has accepted before. Raises Oversized, Malformed,
    WrongNetwork, Forged, MinoritySigned, RolledBack, NotYetValid or Expired.
    """
    document, signatures = parse_untrusted(raw)
    _check_network(document, trust)
    _check_signatures(document, signatures, trust)
    if document.epoch < newest_epoch:
        raise RolledBack
    skew = SKEW_SHARE * trust.epoch_length
    if now < document.valid_from - skew:
        raise NotYetValid
    if now > document.valid_until + skew:
        raise Expired
    return document


def validity(epochs: Epochs, epoch: int) -> tuple[float, float]:
    """(valid_from, valid_until) of the document for `epoch`.

    It outlasts its epoch by one, for which it has keys too: a failed round doesn't stop the network.
    """
    return float(epochs.start(epoch)), float(epochs.start(epoch + LASTING_EPOCHS))


def _check_network(document: Document, trusted: Trusted) -> None:
    trust = trusted.at(document.epoch)
    same_trust = document.network_id == trust.network_id and document.authorities == trust.identities
    same_time = document.parameters.epoch_length == trust.epoch_length
    if not (
        same_trust
        and same_time
        and (document.valid_from, document.valid_until) == validity(trust.epochs, document.epoch)
    ):
        raise WrongNetwork


def _check_signatures(document: Document, signatures: Mapping[bytes, bytes], trusted: Trusted) -> None:
    trust = trusted.at(document.epoch)
    if not set(signatures) <= set(trust.identities):
        raise Forged
    for authority, signature in signatures.items():
        try:
            verify_signature_untrusted(authority, Label.DOCUMENT, document.digest, signature)
        except RemoteError:
            raise Forged from None
    if len(signatures) < trust.required:
        raise MinoritySigned


def _ascending(items: Iterable[bytes]) -> bool:
    listed = list(items)
    return all(left < right for left, right in itertools.pairwise(listed))
