"""Computes the directory document from the votes; every authority gets the same bytes.

See spec/05-directory.md 5.7.

Promises: a pure function of the agreed votes and reveals, so all authorities that hold the same ones make the same
bytes. A node is in if more than half of **all** authorities vote for it in that role, under its newest widely known
descriptor; parameters and a successor of the authorities need the same majority. So fewer than half of the authorities
can neither add, drop nor alter. What was introduced stays introduced, until it takes over.
Never: reads a clock, or anything that only one authority knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from mixnet.crypto import KEY_SIZE, Label, digest, equal
from mixnet.errors import Unavailable
from mixnet.pki.bootstrap import Bootstrap, Successor
from mixnet.pki.canonical import MAX_NODES, Key, decode_untrusted, encode
from mixnet.pki.descriptor import Descriptor, NodeRole
from mixnet.pki.document import VERSION, Document, Node, validity
from mixnet.pki.errors import Malformed
from mixnet.pki.parameters import Parameters
from mixnet.pki.topology import assign_layers

NO_DOCUMENT = bytes(KEY_SIZE)  # "previous" of a document that continues none
SUCCESSION_LEAD = 2  # epochs from the first document that introduces authorities to their own first one, at least
MAX_VOTE = 3 * 2**20


class NoConsensus(Unavailable):
    """The authorities did not agree on a directory document: they try again by themselves."""


class _Ballot(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The encoding of a vote: signed descriptors, ascending by identity."""

    previous: Key
    parameters: Parameters
    commitment: Key
    descriptors: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MAX_NODES)]
    successor: Successor | None


@dataclass(frozen=True, slots=True)
class Vote:
    """What one authority wants: `descriptors` maps (identity, role) to the signed bytes and what they say."""

    previous: bytes
    parameters: Parameters
    commitment: bytes
    descriptors: Mapping[tuple[bytes, NodeRole], tuple[bytes, Descriptor]]
    successor: Successor | None


def covers(descriptor: Descriptor, epoch: int) -> bool:
    """Whether a descriptor may stand in the document for `epoch`: made for it, or for the epoch in which one votes."""
    return epoch - 1 <= descriptor.epoch <= epoch


def commit(bootstrap: Bootstrap, epoch: int, author: bytes, secret: bytes) -> bytes:
    """32 bytes that bind `author` to the 32-byte `secret` without telling it."""
    return digest(Label.COMMIT, bootstrap.network_id, epoch.to_bytes(8, "big"), author, secret)


def encode_vote(
    previous: bytes,
    parameters: Parameters,
    commitment: bytes,
    descriptors: Iterable[bytes],
    successor: Successor | None = None,
) -> bytes:
    """A vote; each of `descriptors` is a verified signed descriptor, in ascending order of identity."""
    return encode(_Ballot(previous, parameters, commitment, tuple(descriptors), successor))


def parse_vote_untrusted(raw: bytes, bootstrap: Bootstrap, epoch: int, verified: dict[bytes, Descriptor]) -> Vote:
    """The vote in `raw`, every descriptor verified; raises Oversized, Malformed or Forged.

    `verified` remembers descriptors from one vote to the next, most of which are alike.
    """
    ballot = decode_untrusted(raw, _Ballot, limit=MAX_VOTE)
    for signed in ballot.descriptors:
        if signed not in verified:
            verified[signed] = Descriptor.parse_untrusted(signed)
    parsed = [(signed, verified[signed]) for signed in ballot.descriptors]
    identities = [descriptor.identity for _, descriptor in parsed]
    if identities != sorted(set(identities)) or ballot.parameters.epoch_length != bootstrap.epoch_length:
        raise Malformed
    for _, descriptor in parsed:
        if descriptor.network_id != bootstrap.network_id or not covers(descriptor, epoch):
            raise Malformed
    return Vote(
        ballot.previous,
        ballot.parameters,
        ballot.commitment,
        {(descriptor.identity, descriptor.role): (signed, descriptor) for signed, descriptor in parsed},
        ballot.successor,
    )


def agreed_previous(votes: Mapping[bytes, Vote], bootstrap: Bootstrap) -> bytes:
    """The digest of the document to continue: what a majority of the authorities names, or else `NO_DOCUMENT`."""
    counted = Counter(vote.previous for vote in votes.values())
    return next((value for value, count in counted.items() if count >= bootstrap.majority), NO_DOCUMENT)


def introducible(successor: Successor, epoch: int) -> bool:
    """Whether the document for `epoch` may be the first to introduce these authorities.

    A late round for `epoch` may overlap with the regular one for the next; who votes there must be known before it.
    """
    return successor.first_epoch >= epoch + SUCCESSION_LEAD


def agreed_successor(
    votes: Mapping[bytes, Vote], bootstrap: Bootstrap, epoch: int, previous: Document | None
) -> Successor | None:
    """The authorities that the document for `epoch` introduces: those of the one it continues, else a majority's."""
    continued = None if previous is None else previous.successor
    if continued is not None and continued.first_epoch > epoch:
        return continued
    counted = Counter(vote.successor for vote in votes.values())
    wanted = next((value for value, count in counted.items() if value and count >= bootstrap.majority), None)
    return wanted if wanted is not None and introducible(wanted, epoch) else None


def opened(
    bootstrap: Bootstrap, epoch: int, votes: Mapping[bytes, Vote], secrets: Mapping[bytes, bytes]
) -> dict[bytes, bytes]:
    """The secrets that match the commitments of their authors' votes."""
    return {
        author: secret
        for author, secret in secrets.items()
        if author in votes and equal(commit(bootstrap, epoch, author, secret), votes[author].commitment)
    }


def make_document(
    bootstrap: Bootstrap,
    epoch: int,
    votes: Mapping[bytes, Vote],
    secrets: Mapping[bytes, bytes],
    previous: Document | None,
) -> Document:
    """The document for `epoch`; `votes` and `secrets` (opened ones) are by author, `previous` is the one to continue.

    Raises NoConsensus, with the reason, where the votes don't make a working network.
    """
    parameters = _agreed_parameters(votes, bootstrap)
    nodes = _agreed_nodes(votes, bootstrap, epoch)
    randomness = _shared_randomness(epoch, secrets, previous)
    mixes = {node.identity: node for node in nodes if node.role == NodeRole.MIX}
    providers = [node for node in nodes if node.role == NodeRole.PROVIDER]
    if len(mixes) < parameters.layers or not providers:
        raise NoConsensus(
            f"{len(mixes)} mixes and {len(providers)} providers are known to a majority of the authorities, "
            f"at least {parameters.layers} and 1 are needed: start the others"
        )
    before = {} if previous is None else previous.layer_by_identity
    valid_from, valid_until = validity(bootstrap.epochs, epoch)
    return Document(
        version=VERSION,
        network_id=bootstrap.network_id,
        epoch=epoch,
        valid_from=valid_from,
        valid_until=valid_until,
        parameters=parameters,
        layers=tuple(
            tuple(mixes[identity] for identity in layer)
            for layer in assign_layers(mixes, randomness, parameters.layers, before)
        ),
        providers=tuple(sorted(providers, key=lambda node: node.identity)),
        authorities=bootstrap.identities,
        previous=NO_DOCUMENT if previous is None else previous.digest,
        randomness=randomness,
        successor=agreed_successor(votes, bootstrap, epoch, previous),
    )


def _agreed_parameters(votes: Mapping[bytes, Vote], bootstrap: Bootstrap) -> Parameters:
    counted = Counter(encode(vote.parameters) for vote in votes.values())
    for vote in votes.values():
        if counted[encode(vote.parameters)] >= bootstrap.majority:
            return vote.parameters
    raise NoConsensus("the authorities' configurations differ: give all of them the same parameters")


def _agreed_nodes(votes: Mapping[bytes, Vote], bootstrap: Bootstrap, epoch: int) -> list[Node]:
    versions: dict[tuple[bytes, NodeRole], Counter[bytes]] = {}
    parsed: dict[bytes, Descriptor] = {}
    for vote in votes.values():
        for place, (signed, descriptor) in vote.descriptors.items():
            versions.setdefault(place, Counter())[signed] += 1
            parsed[signed] = descriptor
    wanted = [counted for counted in versions.values() if counted.total() >= bootstrap.majority]
    return [_node(parsed[_preferred(counted, parsed)], epoch) for counted in wanted]


def _preferred(counted: Counter[bytes], parsed: Mapping[bytes, Descriptor]) -> bytes:
    """Of several versions of one node's descriptor, all signed by it: most votes, then newest, then smallest bytes."""
    return min(counted, key=lambda signed: (-counted[signed], -parsed[signed].epoch, signed))


def _node(descriptor: Descriptor, epoch: int) -> Node:
    keys = descriptor.keys[epoch - descriptor.epoch :]
    return Node(descriptor.identity, descriptor.role, descriptor.address, epoch, keys)


def _shared_randomness(epoch: int, secrets: Mapping[bytes, bytes], previous: Document | None) -> bytes:
    parts = [part for author in sorted(secrets) for part in (author, secrets[author])]
    return digest(
        Label.SHARED_RANDOM, epoch.to_bytes(8, "big"), NO_DOCUMENT if previous is None else previous.randomness, *parts
    )
