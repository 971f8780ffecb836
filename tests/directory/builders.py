"""A small network's keys, bootstrap file and descriptors, made from a seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from directory.config import AuthorityConfig
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import KEY_EPOCHS, Descriptor, NodeRole
from mixnet.pki.parameters import Parameters

START = 1_800_000_000.0


def key(name: str) -> SigningKey:
    return SigningKey(hashlib.blake2b(name.encode(), digest_size=32).digest())


def sphinx_key(name: str, epoch: int) -> bytes:
    return SphinxSecret(hashlib.blake2b(f"{name} {epoch}".encode(), digest_size=32).digest()).public


@dataclass(frozen=True)
class Town:
    """Authorities and nodes that may form a network."""

    authority_count: int = 3
    mixes: int = 6
    providers: int = 2
    epoch_length: float = 1200.0
    threshold: int | None = None
    parameters: Parameters | None = None
    names: dict[str, SigningKey] = field(default_factory=dict)

    @cached_property
    def authorities(self) -> list[SigningKey]:
        return [key(f"authority {n}") for n in range(self.authority_count)]

    @cached_property
    def bootstrap(self) -> Bootstrap:
        infos = tuple(AuthorityInfo(one.public, f"10.0.0.{n}:7000") for n, one in enumerate(self.authorities, 1))
        return Bootstrap(START, self.epoch_length, infos, self.threshold)

    @property
    def rules(self) -> Parameters:
        return self.parameters or Parameters(epoch_length=self.epoch_length)

    @cached_property
    def nodes(self) -> dict[str, tuple[SigningKey, NodeRole]]:
        mixes = {f"mix {n}": (key(f"mix {n}"), NodeRole.MIX) for n in range(self.mixes)}
        return mixes | {f"provider {n}": (key(f"provider {n}"), NodeRole.PROVIDER) for n in range(self.providers)}

    @property
    def approved(self) -> dict[bytes, NodeRole]:
        return {identity.public: role for identity, role in self.nodes.values()}

    def descriptor(self, name: str, epoch: int = 0, address: str | None = None) -> bytes:
        identity, role = self.nodes[name]
        keys = tuple(sphinx_key(name, number) for number in range(epoch, epoch + KEY_EPOCHS))
        where = address or f"10.0.{1 + list(self.nodes).index(name)}.1:7000"
        return Descriptor(self.bootstrap.network_id, identity.public, role, where, epoch, keys).sign(identity)

    def descriptors(self, epoch: int = 0) -> list[bytes]:
        """All of them, ascending by identity, as a vote has them."""
        names = sorted(self.nodes, key=lambda name: self.nodes[name][0].public)
        return [self.descriptor(name, epoch) for name in names]

    def config(self, number: int, **changes: object) -> AuthorityConfig:
        settings: dict[str, object] = {
            "identity": self.authorities[number],
            "address": self.bootstrap.authorities[number].address,
            "bootstrap": self.bootstrap,
            "approved": self.approved,
            "parameters": self.rules,
            "source": f"10.0.0.{number + 1}",
        }
        return AuthorityConfig(**(settings | changes))  # type: ignore[arg-type]
