"""A small network's keys, bootstrap file, descriptors and documents, alike in every run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import KEY_EPOCHS, Descriptor, NodeRole
from mixnet.pki.document import VERSION, Document, Node, validity
from mixnet.pki.parameters import Parameters
from mixnet.pki.topology import assign_layers

START = 1_800_000_000.0
ZEROS = bytes(32)


@cache
def key(name: str) -> SigningKey:
    return SigningKey(hashlib.blake2b(name.encode(), digest_size=32).digest())


@cache
def sphinx_key(name: str, epoch: int) -> bytes:
    return SphinxSecret(hashlib.blake2b(f"{name} {epoch}".encode(), digest_size=32).digest()).public


def reencoded(item: object) -> object:
    """A decoded msgpack value, arrays as lists, so that a test may alter it."""
    return [reencoded(inner) for inner in item] if isinstance(item, tuple | list) else item


@dataclass(frozen=True)
class Town:
    """Authorities and nodes that may form a network."""

    authority_count: int = 3
    mixes: int = 6
    providers: int = 2
    epoch_length: float = 1200.0
    threshold: int | None = None
    name: str = ""

    @cached_property
    def authorities(self) -> list[SigningKey]:
        return [key(f"{self.name}authority {n}") for n in range(self.authority_count)]

    @cached_property
    def bootstrap(self) -> Bootstrap:
        infos = tuple(AuthorityInfo(one.public, f"10.0.0.{n}:7000") for n, one in enumerate(self.authorities, 1))
        return Bootstrap(START, self.epoch_length, infos, self.threshold)

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(epoch_length=self.epoch_length)

    @cached_property
    def nodes(self) -> dict[str, tuple[SigningKey, NodeRole]]:
        mixes = {f"mix {n}": (key(f"mix {n}"), NodeRole.MIX) for n in range(self.mixes)}
        return mixes | {f"provider {n}": (key(f"provider {n}"), NodeRole.PROVIDER) for n in range(self.providers)}

    @property
    def approved(self) -> dict[bytes, NodeRole]:
        return {identity.public: role for identity, role in self.nodes.values()}

    def address(self, name: str) -> str:
        return f"10.0.{1 + list(self.nodes).index(name)}.1:7000"

    def descriptor(self, name: str, epoch: int = 0, **changes: Any) -> bytes:
        identity, role = self.nodes[name]
        keys = tuple(sphinx_key(name, number) for number in range(epoch, epoch + KEY_EPOCHS))
        settings = {"role": role, "address": self.address(name), "epoch": epoch, "keys": keys} | changes
        return Descriptor(self.bootstrap.network_id, identity.public, **settings).sign(identity)

    def descriptors(self, epoch: int = 0) -> list[bytes]:
        """All of them, ascending by identity, as a vote has them."""
        names = sorted(self.nodes, key=lambda name: self.nodes[name][0].public)
        return [self.descriptor(name, epoch) for name in names]

    def node(self, name: str, epoch: int = 0, count: int = KEY_EPOCHS) -> Node:
        identity, role = self.nodes[name]
        keys = tuple(sphinx_key(name, number) for number in range(epoch, epoch + count))
        return Node(identity.public, role, self.address(name), epoch, keys)

    def document(self, epoch: int = 0, **changes: Any) -> Document:
        listed = {node.identity: node for node in (self.node(name, epoch) for name in self.nodes)}
        mixes = [identity for identity, node in listed.items() if node.role == NodeRole.MIX]
        valid_from, valid_until = validity(self.bootstrap.epochs, epoch)
        settings: dict[str, Any] = {
            "version": VERSION,
            "network_id": self.bootstrap.network_id,
            "epoch": epoch,
            "valid_from": valid_from,
            "valid_until": valid_until,
            "parameters": self.parameters,
            "layers": tuple(
                tuple(listed[identity] for identity in layer)
                for layer in assign_layers(mixes, ZEROS, self.parameters.layers)
            ),
            "providers": tuple(
                sorted(
                    (node for node in listed.values() if node.role == NodeRole.PROVIDER),
                    key=lambda node: node.identity,
                )
            ),
            "authorities": self.bootstrap.identities,
            "previous": ZEROS,
            "randomness": ZEROS,
        }
        return Document(**(settings | changes))

    def sign(self, document: Document, count: int | None = None) -> bytes:
        signers = self.authorities[:count]
        return document.encode({one.public: document.signature(one) for one in signers})

    def signed(self, epoch: int = 0, count: int | None = None, **changes: Any) -> bytes:
        return self.sign(self.document(epoch, **changes), count)
