"""Hostile links, each kind at a real server on loopback: how it ends them, and that they come again."""

from collections import Counter
from functools import partial

import pytest
import trio

from mixnet.benchmarks.processes.load.hostile import MODES, Attacker
from mixnet.crypto import SigningKey
from mixnet.link import Frame, FrameKind, LinkEvent, Role, serve_links
from mixnet.network import TCP, Address
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.document import Node

SERVER = SigningKey(b"s" * 32)
NETWORK_ID = bytes(32)
RATE = 1e9  # bytes a second: as fast as it goes
AGAIN = 3
ENDS = {
    "frames": LinkEvent.ACCEPTED,
    "updates": LinkEvent.HANDSHAKE_FAILED,
    "tiny": LinkEvent.HANDSHAKE_FAILED,
    "dripped": LinkEvent.HANDSHAKE_FAILED,
    "packets": LinkEvent.ACCEPTED,
    "garbage": LinkEvent.ACCEPTED,
}


class Server:
    """A server that ends a link after its first frames, and counts."""

    def __init__(self):
        self.events, self.frames, self.changed = Counter(), Counter(), trio.Event()

    def count(self, event):
        self.events[event] += 1
        self.changed.set()

    async def handle(self, link):
        self.frames.update(frame.kind for frame in await link.receive())
        self.changed.set()

    async def wait_until(self, happened):
        while not happened():
            self.changed = trio.Event()
            await self.changed.wait()


async def attacked(mode, until):
    """A server on which one attacker does what `mode` says until `until(server, attacker)`."""
    server = Server()
    async with trio.open_nursery() as nursery:
        serve = partial(
            serve_links,
            TCP(),
            Address("127.0.0.1", 0),
            server.handle,
            identity=SERVER,
            role=Role.NODE,
            network_id=NETWORK_ID,
            admit=lambda _identity, _role: True,
            count=server.count,
        )
        address = await nursery.start(serve)
        node = Node(SERVER.public, NodeRole.PROVIDER, str(address), 0, (bytes(32),))
        kind = FrameKind.PAD if mode == "frames" else FrameKind.PACKET
        frames = [Frame(kind, b"" if kind is FrameKind.PAD else bytes(3072)).encode()]
        attacker = Attacker(node, NETWORK_ID, "127.0.0.9", RATE, frames)
        nursery.start_soon(attacker.attack, MODES[mode])
        await server.wait_until(lambda: until(server, attacker))
        nursery.cancel_scope.cancel()
    return server, attacker


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_ends_each_kind_and_it_comes_again(mode):
    server, attacker = await attacked(
        mode, lambda server, attacker: server.events[ENDS[mode]] >= AGAIN and attacker.came > AGAIN
    )
    assert attacker.sent > 0
    if ENDS[mode] is LinkEvent.ACCEPTED:
        assert set(server.frames) == {FrameKind.PAD if mode == "frames" else FrameKind.PACKET}
    else:
        assert not server.events[LinkEvent.ACCEPTED]
        assert not server.frames
