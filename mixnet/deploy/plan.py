"""What a local network consists of, as saved in its `network.toml` (spec/10-local-network.md 10.1 and 10.2). Pure.

Promises: the same numbers give the same members, names and addresses, so a network that was stopped comes back as it
was. Every member has a loopback address of its own, 127.0.SUBNET.N, so that an observer of the links can tell them
apart; two networks on one machine live in different subnets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from mixnet.errors import LocalError
from mixnode.config import MOST_WORKERS

PORT = 7400  # below the range from which systems take the ports of outgoing connections
PRIVILEGED = 1024  # ports below it are the system administrator's
SUBNETS = 254
MEMBERS_LIMIT = 120  # the addresses above it are for clients
LONGEST_EPOCH = 7 * 86_400  # seconds
LAYERS_LIMIT = 3  # a packet has six hops: two providers, the recipient, and these


class MemberKind(StrEnum):
    """The role of a member; its name starts with it."""

    AUTHORITY = "authority"
    MIX = "mix"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class LocalMember:
    """One process of the network, with its folder's name and the address that it listens on."""

    name: str
    kind: MemberKind
    host: str
    port: int

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


class LocalPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers from which all members follow; `epoch` in seconds."""

    layers: int = 3
    width: int = 2
    providers: int = 2
    authorities: int = 3
    threshold: int | None = None  # signatures that make a document valid; None: a bare majority
    epoch: float = 1200.0
    engine: str = "mixnet"
    workers: int = 0  # of each mix and provider
    subnet: int = 1
    port: int = PORT

    def check(self) -> LocalPlan:
        """Itself; LocalError if no such network can be."""
        if not 1 <= self.layers <= LAYERS_LIMIT:
            raise LocalError(f"--layers {self.layers} is impossible: choose 1 to {LAYERS_LIMIT}")
        for option, count in (("width", self.width), ("providers", self.providers), ("authorities", self.authorities)):
            if count < 1:
                raise LocalError(f"--{option} {count} is impossible: choose at least 1")
        majority = self.authorities // 2 + 1
        if self.threshold is not None and not majority <= self.threshold <= self.authorities:
            raise LocalError(f"--threshold {self.threshold} is impossible: choose {majority} to {self.authorities}")
        if len(self.members()) > MEMBERS_LIMIT:
            raise LocalError(f"{len(self.members())} nodes are too many for one machine: {MEMBERS_LIMIT} at most")
        if not 1 <= self.epoch <= LONGEST_EPOCH:
            raise LocalError(f"--epoch {self.epoch:g} is impossible: choose 1 to {LONGEST_EPOCH:,} seconds")
        if not 0 <= self.workers <= MOST_WORKERS:
            raise LocalError(f"--workers {self.workers} is impossible: choose 0 to {MOST_WORKERS}")
        if not PRIVILEGED <= self.port <= 65535:
            raise LocalError(f"--port {self.port} is impossible: choose {PRIVILEGED} to 65535")
        return self

    def _names(self) -> Iterator[tuple[str, MemberKind]]:
        counts = (
            (MemberKind.AUTHORITY, self.authorities),
            (MemberKind.MIX, self.layers * self.width),
            (MemberKind.PROVIDER, self.providers),
        )
        for kind, count in counts:
            for number in range(1, count + 1):
                yield f"{kind}-{number}", kind

    def members(self) -> tuple[LocalMember, ...]:
        """Authorities, mixes, providers; the N-th lives at 127.0.SUBNET.N."""
        return tuple(
            LocalMember(name, kind, f"127.0.{self.subnet}.{number}", self.port)
            for number, (name, kind) in enumerate(self._names(), start=1)
        )

    def describe(self) -> str:
        """The plan in the words of the command line."""
        workers = f" --workers {self.workers}" if self.workers else ""
        threshold = "" if self.threshold is None else f"--threshold {self.threshold} "
        return (
            f"--layers {self.layers} --width {self.width} --providers {self.providers} "
            f"--authorities {self.authorities} {threshold}--epoch {self.epoch:g} --engine {self.engine}{workers}"
        )


def subnets(folder: Path) -> Iterator[int]:
    """All subnets, in an order that begins at one derived from the folder's name: a network's own, most of the time."""
    start = int.from_bytes(hashlib.blake2b(str(folder).encode(), digest_size=8).digest(), "big")
    for offset in range(SUBNETS):
        yield 1 + (start + offset) % SUBNETS
