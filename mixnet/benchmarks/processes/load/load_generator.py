"""A load generator: a process that takes the place of one member of a local network, and drives real nodes from there.

    python -m mixnet.benchmarks.processes.load.load_generator FOLDER NAME   orders on stdin, answers on stdout

Promises (spec/13-measurements.md 13.8): it publishes a descriptor as a node does and keeps its address; it sends
packets that come back to it, as many as its orders say; it ends when its standard input does, so it never outlives who
started it. Never: a packet that it was sent by others, passed on.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from mixnet.benchmarks.processes.load.ledger import PacketLedger
from mixnet.benchmarks.processes.load.packets import Stock, Way, mark_untrusted
from mixnet.clock import WallClock
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.deploy.folders import BOOTSTRAP, KEY
from mixnet.deploy.local import load_plan
from mixnet.deploy.plan import LocalMember
from mixnet.errors import MixnetError, Unavailable
from mixnet.explain import exit_status
from mixnet.identity import load_identity
from mixnet.link import FrameKind, Link, Role, TlsIdentity, connect, serve_links
from mixnet.network import TCP, Address
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.descriptor import KEY_EPOCHS, Descriptor, NodeRole
from mixnet.pki.document import Document, Node
from mixnet.pki.fetch import fetch_document, upload_descriptor
from mixnet.pki.trust import Trust
from mixnet.pki.waiting import Broadcast
from mixnet.randomness import SystemSource

BATCH = 32  # frames a write, as nodes do
DRAIN = 3.0  # seconds beyond the longest delay after which a packet that isn't back is lost
LONGEST = 2.0  # seconds: loads have no longer delays, but for those that a node must refuse
_BREATH = 64  # packets that are made between two looks at the links


class LoadOrder(msgspec.Struct, kw_only=True):
    """One line of standard input: make packets, or send them.

    "make": `count` packets of the stock `stock` for the nodes `route` (names), the first `holds` of which hold for
    `mean` seconds; `clear` is for nodes without cryptography. "drive": send of `stock` to `target` (a name; none:
    itself) for `seconds`, either at Poisson times, `rate` a second, or as fast as `window` packets under way allow;
    times of packets that were sent in the first `warm` seconds are not reported.
    """

    do: str
    stock: str = ""
    route: list[str] = []
    count: int = 0
    holds: int = 0
    mean: float = 0.0
    clear: bool = False
    seed: int = 0
    target: str = ""
    seconds: float = 0.0
    rate: float = 0.0
    window: int = 0
    warm: float = 0.0


class LoadGenerator:
    """One played member. `order` is what it understands."""

    order: type[msgspec.Struct] = LoadOrder

    def __init__(self, folder: Path, name: str) -> None:
        """Take the identity that the network's folder holds for `name`."""
        self._members = {member.name: member for member in load_plan(folder).members()}
        self._me: LocalMember = self._members[name]
        self._identity: SigningKey = load_identity(folder / name / KEY)
        self._tls = TlsIdentity(self._identity)
        self._trust = Bootstrap.load(folder / BOOTSTRAP)
        self._document: Document | None = None
        self._stocks: dict[str, Stock] = {}
        self._ledgers: dict[bytes, PacketLedger] = {}
        self._back = Broadcast()
        self._nursery: trio.Nursery | None = None

    async def publish(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Give the authorities a descriptor, as a node does; nobody will ever need the secrets of its keys."""
        descriptor = Descriptor(
            network_id=self._trust.network_id,
            identity=self._identity.public,
            role=NodeRole(str(self._me.kind)),
            address=self._me.address,
            epoch=self._trust.epochs.at(WallClock().now()),
            keys=tuple(SphinxSecret.generate().public for _ in range(KEY_EPOCHS)),
        )
        await upload_descriptor(
            self._trust,
            descriptor.sign(self._identity),
            network=TCP(),
            identity=self._identity,
            rng=SystemSource().stream(),
            source=self._me.host,
            task_status=task_status,
        )

    async def listen(self, *, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED) -> None:
        """Take what nodes send here."""
        await serve_links(
            TCP(),
            Address.parse(self._me.address),
            self._take,
            identity=self._identity,
            role=Role.NODE,
            network_id=self._trust.network_id,
            admit=lambda _identity, role: role is Role.NODE,
            task_status=task_status,
        )

    def attach(self, nursery: trio.Nursery) -> None:
        """Where tasks may run that outlive an order."""
        self._nursery = nursery

    async def obey(self, order: Any) -> dict[str, Any]:
        """Carry out one order; what it gave."""
        if order.do == "make":
            await self._make(order)
            return {"made": len(self._stocks[order.stock])}
        return await self._drive(order)

    async def _take(self, link: Link) -> None:
        while True:
            frames = await link.receive()
            now = trio.current_time()
            for frame in frames:
                if frame.kind is FrameKind.PACKET:
                    ledger = self._ledgers.get(mark_untrusted(frame.body))
                    if ledger is not None:
                        ledger.came_untrusted(frame.body, now)
            self._back.wake()

    async def _make(self, order: LoadOrder) -> None:
        """Fill a stock, a little at a time, so that links and signals are served meanwhile."""
        rng = random.Random(f"{order.seed} {self._me.name} {order.stock}")
        stock = self._stocks[order.stock] = Stock()
        nodes = [await self._node(name) for name in order.route]
        following = [node.identity for node in nodes[1:]] + [self._identity.public]
        epoch = self._trust.epochs.at(WallClock().now())
        keys = tuple(node.key_at(epoch) for node in nodes)
        way = Way(keys, tuple(following), min(order.holds, len(nodes)), order.mean)
        while len(stock) < order.count:
            for _ in range(min(_BREATH, order.count - len(stock))):
                if order.clear:
                    stock.add_clear(self._identity.public, order.mean, rng)
                else:
                    stock.add(way, rng)
            await trio.lowlevel.checkpoint()

    async def _drive(self, order: LoadOrder) -> dict[str, Any]:
        stock = self._stocks[order.stock]
        ledger = self._ledgers[stock.mark] = PacketLedger(stock)
        async with await self._dial(order.target or self._me.name) as link:
            begun, worked = trio.current_time(), time.process_time()
            with trio.move_on_after(order.seconds):
                if order.rate > 0:
                    await self._at_random(order, stock, ledger, link)
                else:
                    await self._in_window(order, stock, ledger, link)
            spent, cpu = trio.current_time() - begun, time.process_time() - worked
            with trio.move_on_after(min(max(stock.delays, default=0.0), LONGEST) + DRAIN):
                while ledger.under_way:
                    await self._back.wait()
        return {"seconds": spent, "cpu": cpu, "left": len(stock), **ledger.report(begun + order.warm)}

    async def _at_random(self, order: LoadOrder, stock: Stock, ledger: PacketLedger, link: Link) -> None:
        """At Poisson times; what is due together, because this process was late, leaves together."""
        rng = random.Random(f"{order.seed} times {self._me.name} {order.stock}")
        due = trio.current_time() + rng.expovariate(order.rate)
        with closing(WallClock().timer()) as timer:
            while len(stock):
                timer.set(due)
                await timer.wait()
                now, number = trio.current_time(), 0
                while number < BATCH and due <= now:
                    due, number = due + rng.expovariate(order.rate), number + 1
                await _send(link, ledger.send(number, now))

    async def _in_window(self, order: LoadOrder, stock: Stock, ledger: PacketLedger, link: Link) -> None:
        """As soon as earlier ones are back, in writes as large as those of a busy node."""
        least = min(BATCH, order.window) // 2
        while len(stock):
            room = order.window - ledger.under_way
            if room < least:
                await self._back.wait()
                continue
            await _send(link, ledger.send(min(BATCH, room), trio.current_time()))

    async def _dial(self, name: str) -> Link:
        """A link to a member, or to itself: a new one for each drive, since nodes let go of idle ones."""
        own = name == self._me.name
        return await connect(
            TCP(),
            Address.parse(self._members[name].address),
            identity=self._tls,
            role=Role.NODE,
            network_id=self._trust.network_id,
            expect=self._identity.public if own else (await self._node(name)).identity,
            source=self._me.host,
        )

    def _keep(self, task: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a task that outlives the order."""
        assert self._nursery is not None  # noqa: S101 -- `attach` came first
        self._nursery.start_soon(task, *args)

    async def _join_as(self, identity: SigningKey, node: Node) -> Link:
        """A client's link to its provider."""
        return await link_of_client(TlsIdentity(identity), node, self._trust.network_id, self._me.host)

    async def _node(self, name: str) -> Node:
        """A node as the document has it."""
        if self._document is None:
            self._document, _ = await fetch_document(
                Trust(self._trust),
                network=TCP(),
                clock=WallClock(),
                identity=self._identity,
                role=Role.NODE,
                rng=SystemSource().stream(),
                source=self._me.host,
            )
        for node in self._document.nodes:
            if node.address == self._members[name].address:
                return node
        raise Unavailable(f"the directory document doesn't list {name}: start the network again")


async def link_of_client(identity: TlsIdentity, node: Node, network_id: bytes, source: str) -> Link:
    """A link to a provider as any client has one."""
    address = Address.parse(node.address)
    return await connect(
        TCP(), address, identity=identity, role=Role.CLIENT, network_id=network_id, expect=node.identity, source=source
    )


async def _send(link: Link, frames: Sequence[bytes]) -> None:
    """Send whole, even if time is up meanwhile: a write that is cut short would cost the link."""
    with trio.CancelScope(shield=True):
        await link.send_bytes(frames)
    await trio.lowlevel.checkpoint()


async def serve(folder: Path, name: str, kind: Callable[[Path, str], LoadGenerator] = LoadGenerator) -> None:
    """Be the member until standard input ends."""
    generator = kind(folder, name)
    async with trio.open_nursery() as nursery:
        generator.attach(nursery)
        await nursery.start(generator.listen)
        nursery.start_soon(partial(_hear, generator, nursery.cancel_scope))
        with suppress(Unavailable):  # then the network doesn't start either, and says why
            await generator.publish()


async def _hear(generator: LoadGenerator, scope: trio.CancelScope) -> None:
    """Obey one order after another."""
    orders = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    buffer = b""
    async for part in orders:
        *lines, buffer = (buffer + part).split(b"\n")
        for line in lines:
            try:
                answer = await generator.obey(msgspec.json.decode(line, type=generator.order))
            except (MixnetError, trio.EndOfChannel) as error:
                answer = {"error": str(error)}
            await trio.to_thread.run_sync(_answer, msgspec.json.encode(answer))
    scope.cancel()


def _answer(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(exit_status(partial(trio.run, serve, Path(sys.argv[1]), sys.argv[2])))
