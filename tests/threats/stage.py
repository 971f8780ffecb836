"""Intruders for the simulated world: whoever dials its nodes from outside, and what becomes of that."""

import os
from enum import StrEnum

import trio

from benchmarks.cast import PORT
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role, connect
from mixnet.network import Address
from mixnet.sphinx import Command, Hop, Kind, SphinxEngine

ENGINE = SphinxEngine()


class Outcome(StrEnum):
    """What a visited actor does with its visitor."""

    REFUSED = "refused"  # no link comes about
    CLOSED = "closed"  # the link is cut for what was sent
    OPEN = "open"


async def dial(world, host, identity, role):
    """A link to the actor `host` from somebody of this identity and role."""
    member = next(member for member in world.cast.members if member.name == host)
    return await connect(
        world.network,
        Address(host, PORT),
        identity=identity,
        role=role,
        network_id=world.cast.bootstrap.network_id,
        expect=world.cast.identity(member).public,
        source="intruder",
    )


async def visit(world, host, identity, role, frames=()):
    """Dial, send `frames`, and see what happens within five seconds."""
    try:
        link = await dial(world, host, identity, role)
    except (RemoteError, Unavailable):
        return Outcome.REFUSED
    async with link:
        with trio.move_on_after(5):
            try:
                await link.send(frames)
                while True:
                    await link.receive()
            except (trio.EndOfChannel, Unavailable):
                return Outcome.CLOSED
    return Outcome.OPEN


async def document(world):
    """The network's current directory document."""
    from mixnet.pki.fetch import fetch_document  # noqa: PLC0415
    from mixnet.pki.trust import Trust  # noqa: PLC0415

    found, _ = await fetch_document(
        Trust(world.cast.bootstrap),
        network=world.network,
        clock=world.clock,
        identity=world.cast.identity(world.cast.members[0]),
        role=Role.CLIENT,
        rng=world.stream("intruder"),
        source="intruder",
    )
    return found


def packet_for(node, epoch, kind, target=bytes(32), *, beyond=()):
    """A packet whose first hop is `node`, with this command for it."""
    hops = [Hop(node.key_at(epoch), Command(kind, target)), *beyond]
    if kind in (Kind.FORWARD, Kind.DELIVER_MAILBOX) and not beyond:
        hops.append(Hop(node.key_at(epoch), Command(Kind.DELIVER)))
    return ENGINE.create(hops, b"", seed=os.urandom(32))
