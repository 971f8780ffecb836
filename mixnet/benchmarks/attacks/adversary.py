"""Attackers in the simulated world: they dial nodes as anybody can, and hold back what crosses links.

Promises: an intruder has the protocol's own means and no others: a link as a client, or, where he has a node's key, as
that node. Who controls the links holds up a direction between two hosts as a whole (`SimulatedNetwork.hold_back`), for
streams are encrypted and keep their order. A corrupt node is an honest one of which one step was replaced.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from unittest.mock import patch

import trio

from mixnet.benchmarks.simulation.network_plan import PORT
from mixnet.benchmarks.simulation.world import World
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Frame, Link, Role, connect
from mixnet.link.tls import TlsIdentity
from mixnet.network import Address
from mixnet.pki.document import Document
from mixnet.pki.fetch import fetch_document
from mixnet.pki.trust import Trust
from mixnode.outgoing import Outgoing, OutgoingLinks

HOST = "intruder"
PATIENCE = 5.0  # seconds for which a visitor waits for what a node does


class VisitOutcome(StrEnum):
    """What a visited actor does with its visitor."""

    REFUSED = "refused"  # no link comes about
    CLOSED = "closed"  # the link is cut for what was sent
    OPEN = "open"


async def dial(
    world: World,
    host: str,
    identity: SigningKey | TlsIdentity,
    role: Role,
    source: str = HOST,
    *,
    expect: bytes | None = None,
) -> Link:
    """A link to the actor `host`; raises RemoteError or Unavailable if none comes about.

    `expect` is the identity that it must prove, its own unless given.
    """
    return await connect(
        world.network,
        Address(host, PORT),
        identity=identity,
        role=role,
        network_id=world.plan.bootstrap.network_id,
        expect=expect or identity_of(world, host).public,
        source=source,
    )


def identity_of(world: World, name: str) -> SigningKey:
    """The key of an actor: for whoever plays it, or knows whom to expect."""
    return world.plan.identity(world.plan.member(name))


async def visit(
    world: World,
    host: str,
    identity: SigningKey | TlsIdentity,
    role: Role,
    frames: Sequence[Frame] = (),
    *,
    expect: bytes | None = None,
    heard: list[Frame] | None = None,
) -> VisitOutcome:
    """Dial, send `frames`, stay for PATIENCE, and go; what came is added to `heard`."""
    try:
        link = await dial(world, host, identity, role, expect=expect)
    except (RemoteError, Unavailable):
        return VisitOutcome.REFUSED
    kept = [] if heard is None else heard
    async with link:
        with trio.move_on_after(PATIENCE):
            try:
                await link.send(frames)
                while True:
                    kept += await link.receive()
            except (trio.EndOfChannel, RemoteError, Unavailable):
                return VisitOutcome.CLOSED
    return VisitOutcome.OPEN


async def document(world: World) -> Document:
    """The directory document in force, as anybody gets it."""
    found, _ = await fetch_document(
        Trust(world.plan.bootstrap),
        network=world.network,
        clock=world.clock,
        identity=SigningKey.generate(),
        role=Role.CLIENT,
        rng=world.stream(HOST),
        source=HOST,
    )
    return found


class Hoarder:
    """Corrupt nodes that swallow a share of what they should send on; honest before `corrupt` is filled.

    Which packets follows from the seed. The nodes' own loops go the same way: whose alarm counts is for the
    caller to say.
    """

    def __init__(self, share: float, rng: random.Random) -> None:
        """`share` of the packets, each by itself."""
        self.corrupt: set[bytes] = set()
        self._share = share
        self._rng = rng

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Around a whole world."""
        send, hoarder = OutgoingLinks.send, self

        def swallow(self: OutgoingLinks, due: Sequence[Outgoing]) -> None:
            if self._members._own in hoarder.corrupt:
                due = [one for one in due if hoarder._rng.random() >= hoarder._share]
            send(self, due)

        with patch.object(OutgoingLinks, "send", swallow):
            yield
