"""Attackers in the simulated world: they dial nodes as anybody can, and hold back what crosses links.

Promises: an intruder has the protocol's own means and no others: a link as a client, or, where he has a node's key, as
that node. Who controls the links holds up a direction between two hosts as a whole (`SimulatedNetwork.hold_back`), for
streams are encrypted and keep their order. A corrupt node is an honest one of which one step was replaced.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import trio

from benchmarks.cast import PORT
from benchmarks.world import World
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Frame, Link, Role, connect
from mixnet.network import Address
from mixnet.pki.document import Document
from mixnet.pki.fetch import fetch_document
from mixnet.pki.trust import Trust
from mixnode.dispatch import Dispatch, Outgoing

HOST = "intruder"
PATIENCE = 5.0  # seconds for which a visitor waits for what a node does


async def dial(world: World, host: str, identity: SigningKey, role: Role, source: str = HOST) -> Link:
    """A link to the actor `host`; raises RemoteError or Unavailable if none comes about."""
    member = next(member for member in world.cast.members if member.name == host)
    return await connect(
        world.network,
        Address(host, PORT),
        identity=identity,
        role=role,
        network_id=world.cast.bootstrap.network_id,
        expect=world.cast.identity(member).public,
        source=source,
    )


async def visit(world: World, host: str, identity: SigningKey, role: Role, frames: Sequence[Frame] = ()) -> None:
    """Dial, send `frames`, stay for a while, and go; whatever the node makes of it."""
    try:
        link = await dial(world, host, identity, role)
    except (RemoteError, Unavailable):
        return
    async with link:
        with trio.move_on_after(PATIENCE):
            try:
                await link.send(frames)
                while True:
                    await link.receive()
            except (trio.EndOfChannel, RemoteError, Unavailable):
                return


async def document(world: World) -> Document:
    """The directory document in force, as anybody gets it."""
    found, _ = await fetch_document(
        Trust(world.cast.bootstrap),
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

    Which packets follows from the seed. The nodes' own loops go through the same door: whose alarm counts is for the
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
        send, hoarder = Dispatch.send, self

        def swallow(self: Dispatch, due: Sequence[Outgoing]) -> None:
            if self._members._own in hoarder.corrupt:
                due = [one for one in due if hoarder._rng.random() >= hoarder._share]
            send(self, due)

        with patch.object(Dispatch, "send", swallow):
            yield
