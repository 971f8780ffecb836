"""A directory made by hand: authorities, nodes and the document that honest authorities would agree on.

Promises: everything follows from the seed; what is signed is signed by the real code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import KEY_EPOCHS, NodeRole
from mixnet.pki.document import VERSION, Document, Node, validity
from mixnet.pki.parameters import Parameters
from mixnet.randomness import SeededSource

GENESIS = 1_800_000_000.0
NO_PREVIOUS = bytes(32)


@dataclass(frozen=True)
class ForgedDirectory:
    """A network on paper."""

    seed: int
    authorities: tuple[SigningKey, ...]
    bootstrap: Bootstrap
    layers: int
    width: int
    providers: int

    def document(self, epoch: int = 0, *, previous: bytes = NO_PREVIOUS) -> Document:
        """The document of an epoch."""
        mixes = [self._node(NodeRole.MIX, number, epoch) for number in range(self.layers * self.width)]
        return Document(
            VERSION,
            self.bootstrap.network_id,
            epoch,
            *validity(self.bootstrap.epochs, epoch),
            Parameters(layers=self.layers),
            tuple(_ascending(mixes[layer :: self.layers]) for layer in range(self.layers)),
            _ascending(self._node(NodeRole.PROVIDER, number, epoch) for number in range(self.providers)),
            self.bootstrap.identities,
            previous,
            self._bytes("randomness", str(epoch)),
        )

    def at(self, epoch: int) -> float:
        """A time in the middle of an epoch."""
        return GENESIS + (epoch + 0.5) * self.bootstrap.epoch_length

    def _node(self, role: NodeRole, number: int, epoch: int) -> Node:
        keys = tuple(
            SphinxSecret(self._bytes("sphinx", role, str(number), str(at))).public
            for at in range(epoch, epoch + KEY_EPOCHS)
        )
        identity = SigningKey(self._bytes("identity", role, str(number))).public
        return Node(identity, role, f"{role}-{number}:4000", epoch, keys)

    def _bytes(self, *label: str) -> bytes:
        return _bytes(self.seed, *label)


def forged_directory(
    seed: int, *, authorities: int = 5, layers: int = 3, width: int = 3, providers: int = 2, name: str = "network"
) -> ForgedDirectory:
    """A network of this size; one of another `name` has other authorities."""
    keys = tuple(SigningKey(_bytes(seed, name, "authority", str(number))) for number in range(authorities))
    infos = tuple(AuthorityInfo(key.public, f"authority-{number}:4000") for number, key in enumerate(keys))
    bootstrap = Bootstrap(GENESIS, Parameters().epoch_length, infos)
    return ForgedDirectory(seed, keys, bootstrap, layers, width, providers)


def signed(document: Document, by: Sequence[SigningKey]) -> bytes:
    """The document with these authorities' signatures."""
    return document.encode({key.public: document.signature(key) for key in by})


def _bytes(seed: int, *label: str) -> bytes:
    return SeededSource(seed).child("papers").stream(*label).randbytes(32)


def _ascending(nodes: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(sorted(nodes, key=lambda one: one.identity))
