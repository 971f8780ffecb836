"""Hostile links to a provider, in one process that also takes a mix's place (spec/13-measurements.md 13.14).

    python -m mixnet.benchmarks.processes.load.hostile FOLDER NAME  orders on standard input, answers on standard output

Promises: every link has an identity and an address of its own, which no member has; a link that is ended comes again at
once, as fast as the provider's door lets it; packets are made before they are sent. All at a low priority, so many
links, so many bytes a second and so long as an order says, so that nothing but the provider is what is attacked.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import trio

from mixnet.benchmarks.processes.load.forger import HANDSHAKE, KEY_UPDATE, Forger
from mixnet.benchmarks.processes.load.load_generator import LoadGenerator, LoadOrder, link_of_client, serve
from mixnet.crypto import SigningKey
from mixnet.deploy.plan import MEMBERS_LIMIT
from mixnet.errors import RemoteError, Unavailable
from mixnet.explain import exit_status
from mixnet.link import FRAME_SIZE, Frame, FrameKind, TlsIdentity
from mixnet.link.handshake import HandshakeSide
from mixnet.network import TCP, Address
from mixnet.pki.document import Node
from mixnet.sphinx import GEOMETRY

FLOOD = "flood"  # the stock that floods are taken from
_LOW = 10  # priority: how much nicer than the others
_AGAIN = 0.002  # seconds until a link that was ended comes again
_FEW, _MANY = 100, 2000  # records made by hand for one write: of a link's first ones, and of the next
_FIRST = 20  # writes, in which a server that refuses them has ended the link
_TOGETHER = 5  # frames of one write
_KINDS_OF_GARBAGE = 64
_GONE = (Unavailable, RemoteError, trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError)


class HostileOrder(LoadOrder, kw_only=True):
    """One line of standard input.

    "make" as of any load generator. "attack": `count` links to `target` do for `seconds` what `mode` says, each at
    most `rate` bytes a second.
    """

    mode: str = ""


@dataclass(slots=True)
class Attacker:
    """One hostile link, again and again; `frames` are what it sends if that is made before."""

    node: Node
    network_id: bytes
    source: str
    rate: float
    frames: list[bytes]
    sent: int = 0  # bytes that the kernel took
    came: int = 0  # how often it came
    _secrets: dict[bytes, bytes] = field(default_factory=dict)
    _tls: TlsIdentity = field(default_factory=lambda: TlsIdentity(SigningKey.generate()))

    def __post_init__(self) -> None:
        """Have OpenSSL tell the keys of each connection."""
        self._tls._context.set_keylog_callback(self._keep)

    def _keep(self, _connection: object, line: bytes) -> None:
        label, _, secret = line.split()
        self._secrets[label] = secret

    async def attack(self, how: Callable[[Attacker], Awaitable[None]]) -> None:
        """For ever."""
        while True:
            self.came += 1
            with suppress(*_GONE):
                await how(self)
            await trio.sleep(_AGAIN)

    async def send_frames(self) -> None:
        """What was made before, over a link as any client's, round and round; what comes down stays where it is."""
        async with await link_of_client(self._tls, self.node, self.network_id, self.source) as link:
            await self._pour(link.send_bytes, _lots(itertools.cycle(self.frames), _TOGETHER))

    async def send_key_updates(self) -> None:
        """New keys, and new keys, once TLS is done: before the hello, so before anybody is judged."""
        async with self._secured() as (stream, forger):
            made = (forger.updated(forger.record(KEY_UPDATE, HANDSHAKE)) for _ in itertools.count())
            await self._pour(stream.send_all, map(b"".join, _lots(made, _MANY, begin=_FEW)))

    async def send_tiny_records(self) -> None:
        """Frames, but each byte of them in a record of its own."""
        async with self._secured() as (stream, forger):
            made = (forger.record(b"\0") for _ in itertools.count())
            await self._pour(stream.send_all, map(b"".join, _lots(made, _MANY, begin=_FEW)))

    async def drip(self) -> None:
        """The first message of TLS, byte by byte; the next time again."""
        session = self._tls.session(HandshakeSide.INITIATOR, lambda _identity: True)
        session.handshake_untrusted()
        hello = session.take()
        async with await self._dial() as stream:
            await self._pour(stream.send_all, (hello[at : at + 1] for at in range(len(hello))))

    async def _dial(self) -> trio.abc.Stream:
        return await TCP().dial(Address.parse(self.node.address), source=self.source)

    @asynccontextmanager
    async def _secured(self) -> AsyncIterator[tuple[trio.abc.Stream, Forger]]:
        """A stream on which TLS is done, and what seals records for it."""
        session = self._tls.session(HandshakeSide.INITIATOR, lambda identity: identity == self.node.identity)
        async with await self._dial() as stream:
            while not session.handshake_untrusted():
                await stream.send_all(session.take())
                data = await stream.receive_some()
                if not data:
                    raise trio.EndOfChannel
                session.put_untrusted(bytes(data))
            await stream.send_all(session.take())
            yield stream, Forger(bytes.fromhex(self._secrets[b"CLIENT_TRAFFIC_SECRET_0"].decode()))

    async def _pour(self, send: Callable[[Any], Awaitable[None]], pieces: Iterable[Any]) -> None:
        """Send one piece after another, as fast as the rate allows and the other side takes it."""
        begun, poured = trio.current_time(), 0
        for piece in pieces:
            await send(piece)
            size = len(piece) if isinstance(piece, bytes) else FRAME_SIZE * len(piece)
            self.sent, poured = self.sent + size, poured + size
            await trio.sleep_until(begun + poured / self.rate)


def _lots(pieces: Iterator[bytes], number: int, *, begin: int = 0) -> Iterator[list[bytes]]:
    for _ in range(_FIRST if begin else 0):
        yield list(itertools.islice(pieces, begin))
    while True:
        yield list(itertools.islice(pieces, number))


MODES: dict[str, Callable[[Attacker], Awaitable[None]]] = {
    "frames": Attacker.send_frames,
    "updates": Attacker.send_key_updates,
    "tiny": Attacker.send_tiny_records,
    "dripped": Attacker.drip,
    "packets": Attacker.send_frames,
    "garbage": Attacker.send_frames,
}


class Hostile(LoadGenerator):
    """The links, and one played mix, to which their packets go."""

    order = HostileOrder

    def __init__(self, folder: Path, name: str) -> None:
        """Take the place of the mix `name`, at a low priority."""
        super().__init__(folder, name)
        os.nice(_LOW)

    async def obey(self, order: Any) -> dict[str, Any]:
        """Carry out one order; what it gave."""
        return await (self._attack(order) if order.do == "attack" else super().obey(order))

    async def _attack(self, order: HostileOrder) -> dict[str, Any]:
        node, frames = await self._node(order.target), self._frames(order.mode)
        subnet = self._me.host.rpartition(".")[0]
        links = [
            Attacker(node, self._trust.network_id, f"{subnet}.{MEMBERS_LIMIT + 1 + place}", order.rate, mine)
            for place in range(order.count)
            for mine in [frames[place :: order.count] or frames]
        ]
        begun = trio.current_time()
        with trio.move_on_after(order.seconds):
            async with trio.open_nursery() as nursery:
                for link in links:
                    nursery.start_soon(link.attack, MODES[order.mode])
        seconds = trio.current_time() - begun
        return {"seconds": seconds, "bytes": sum(one.sent for one in links), "came": sum(one.came for one in links)}

    def _frames(self, mode: str) -> list[bytes]:
        if mode == "packets":
            stock = self._stocks[FLOOD]
            return stock.take(len(stock))
        if mode == "garbage":
            bodies = (os.urandom(GEOMETRY.packet_size) for _ in range(_KINDS_OF_GARBAGE))
            return [Frame(FrameKind.PACKET, body).encode() for body in bodies]
        return [Frame(FrameKind.PAD).encode()]


if __name__ == "__main__":
    sys.exit(exit_status(partial(trio.run, serve, Path(sys.argv[1]), sys.argv[2], Hostile)))
