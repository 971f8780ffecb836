"""A small network for tests: nodes on the simulated network, and one authority whose documents are made by hand."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio
import trio.testing

from mixnet.benchmarks.simulation.virtual import no_threads
from mixnet.clock import VirtualClock
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.link import Frame, FrameKind, Link, Role, answer_requests, connect, serve_links
from mixnet.log import Log
from mixnet.network import Address
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import Descriptor, NodeRole
from mixnet.pki.document import VERSION, Document, Node, parse_untrusted, validity
from mixnet.pki.parameters import Parameters
from mixnet.pki.requests import (
    NEWEST,
    AskDocument,
    AskIntroduction,
    DocumentAnswer,
    IntroductionAnswer,
    Upload,
    UploadAnswer,
    encode,
    parse_request_untrusted,
)
from mixnet.pki.topology import hop_keys, microseconds
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from mixnet.sphinx import Command, Engine, Hop, Kind, SphinxEngine
from mixnode.config import NodeConfig, Storage
from mixnode.node import Serving, serve
from tests.mixnet.pki.lineage import Lineage

PORT = 4000
QUIET = Parameters(epoch_length=1200.0, node_loop_rate=0.0, downlink_rate=10.0)


@dataclass
class Member:
    """One node: its keys and settings, and the running actor."""

    name: str
    host: str
    role: NodeRole
    layer: int
    identity: SigningKey = field(default_factory=SigningKey.generate)
    serving: Serving | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    engine: Engine = field(default_factory=SphinxEngine)
    skew: float = 0.0  # seconds by which its clock is ahead, set at any time

    def count(self, which: object) -> int:
        assert self.serving is not None
        return self.serving.counters[which]  # type: ignore[index]


class Skewed(VirtualClock):
    """The clock of one node, which somebody sets."""

    def __init__(self, start: float, owner: Member) -> None:
        super().__init__(start)
        self._owner = owner

    def now(self) -> float:
        return super().now() + self._owner.skew


class Town:
    """`layers` mixes, one a layer, and some providers; `await start(nursery)`, then `await ready()`."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        layers: int = 3,
        providers: int = 1,
        parameters: Parameters = QUIET,
        seed: int = 1,
        genesis: float = 0.0,
    ) -> None:
        self.folder = folder
        self.rng = SeededSource(seed)
        self.network = SimulatedNetwork(self.rng.child("network"))
        self.genesis = genesis
        self.clock = VirtualClock(genesis)
        self.engine = SphinxEngine()
        self.parameters = Parameters(**{**_fields(parameters), "layers": layers})
        self.authority = SigningKey.generate()
        self.trust = Bootstrap(
            genesis, parameters.epoch_length, (AuthorityInfo(self.authority.public, f"10.0.9.1:{PORT}"),)
        )
        self.lineage = Lineage(self.trust, self.authority)
        self.members = [
            Member(f"mix-{layer + 1}", f"10.0.1.{layer + 1}", NodeRole.MIX, layer) for layer in range(layers)
        ]
        self.members += [
            Member(f"provider-{one + 1}", f"10.0.2.{one + 1}", NodeRole.PROVIDER, -1) for one in range(providers)
        ]
        self.held_by: dict[bytes, dict[bytes, dict[int, Descriptor]]] = {}  # authority, node, epoch
        self.documents: dict[int, bytes] = {}
        self.mailbox_limit = 100
        self.connection_limit = 1024
        self.logs: dict[str, Log] = {}
        self.thief = False  # whether somebody signs with the first authority's key, at its address, for ever
        self.previous = bytes(32)  # what new documents say that they continue

    # The authority.

    async def _authority(self, info: AuthorityInfo, *, task_status: trio.TaskStatus[Address]) -> None:
        descriptors = self.held_by.setdefault(info.identity, {})

        async def answer(raw: bytes) -> bytes:
            request = parse_request_untrusted(raw)
            if isinstance(request, Upload):
                descriptor = Descriptor.parse_untrusted(request.descriptor)
                descriptors.setdefault(descriptor.identity, {})[descriptor.epoch] = descriptor
                return encode(UploadAnswer(True))
            if isinstance(request, AskIntroduction):
                introduces = self.lineage.introduces(request.first_epoch)
                return encode(IntroductionAnswer(None if introduces is None else self.documents.get(introduces)))
            assert isinstance(request, AskDocument)
            raw = self.document_bytes(request.epoch)
            if self.thief and info in self.trust.authorities and raw is not None:
                raw = self.lineage.sign(parse_untrusted(raw)[0], self.trust)
            return encode(DocumentAnswer(raw))

        async def handle(link: Link) -> None:
            await answer_requests(link, answer)

        await serve_links(
            self.network,
            Address.parse(info.address),
            handle,
            identity=self.lineage.identity(info),
            role=Role.AUTHORITY,
            network_id=self.trust.network_id,
            admit=lambda _identity, _role: True,
            task_status=task_status,
        )

    def document_bytes(self, epoch: int) -> bytes | None:
        epoch = self.trust.epochs.at(self.clock.now()) if epoch == NEWEST else epoch
        if len(self.held(epoch)) < len(self.members):
            return None
        if epoch not in self.documents:
            self.documents[epoch] = self.lineage.sign(self.make_document(epoch))
        return self.documents[epoch]

    def held(self, epoch: int) -> dict[bytes, dict[int, Descriptor]]:
        """The descriptors that those who make the document for `epoch` have been given."""
        return self.held_by[self.lineage.at(epoch).identities[0]]

    def make_document(self, epoch: int) -> Document:
        def listed(members: Sequence[Member]) -> tuple[Node, ...]:
            nodes = []
            for member in members:
                held = self.held(epoch)[member.identity.public]  # some may be of the next epoch: clocks differ
                descriptor = held[max((one for one in held if one <= epoch), default=min(held))]
                keys = descriptor.keys[epoch - descriptor.epoch :]
                nodes.append(Node(descriptor.identity, descriptor.role, descriptor.address, epoch, keys))
            return tuple(sorted(nodes, key=lambda node: node.identity))

        valid_from, valid_until = validity(self.trust.epochs, epoch)
        return Document(
            version=VERSION,
            network_id=self.trust.network_id,
            epoch=epoch,
            valid_from=valid_from,
            valid_until=valid_until,
            parameters=self.parameters,
            layers=tuple(
                listed([one for one in self.members if one.layer == layer]) for layer in range(self.parameters.layers)
            ),
            providers=listed(self.providers),
            authorities=self.trust.identities,
            previous=self.previous,
            randomness=bytes(32),
        )

    @property
    def document(self) -> Document:
        return self.make_document(self.trust.epochs.at(self.clock.now()))

    # The nodes.

    @property
    def mixes(self) -> list[Member]:
        return [one for one in self.members if one.role is NodeRole.MIX]

    @property
    def providers(self) -> list[Member]:
        return [one for one in self.members if one.role is NodeRole.PROVIDER]

    def config(self, member: Member) -> NodeConfig:
        folder = Path("/nowhere") if self.folder is None else self.folder / member.name
        return NodeConfig(
            role=member.role,
            address=f"{member.host}:{PORT}",
            bootstrap=folder / "bootstrap.json",
            key_file=folder / "identity.key",
            data_dir=folder,
            storage=Storage.MEMORY if self.folder is None else Storage.FILE,
            source=member.host,
            mailbox_limit=self.mailbox_limit,
            connection_limit=self.connection_limit,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[trio.Nursery]:
        # Under a clock that jumps nothing may wait for a thread.
        with no_threads():
            async with trio.open_nursery() as nursery:
                for info in (info for one in self.lineage.sets for info in one.authorities):
                    await nursery.start(self._authority, info)
                for member in self.members:
                    await self.start(nursery, member)
                await self.ready()
                yield nursery
                nursery.cancel_scope.cancel()

    async def start(self, nursery: trio.Nursery, member: Member) -> None:
        member.scope = trio.CancelScope()
        member.serving = await nursery.start(self._run, member)

    async def _run(self, member: Member, *, task_status: trio.TaskStatus[Serving]) -> None:
        with member.scope:
            await serve(
                self.config(member),
                network=self.network,
                clock=Skewed(self.genesis, member),
                rng=self.rng.child(member.name),
                engine=member.engine,
                identity=member.identity,
                trust=self.trust,
                log=self.logs.get(member.name),
                task_status=task_status,
            )

    async def stop(self, member: Member) -> None:
        member.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def ready(self) -> None:
        while not all(member.serving and member.serving.snapshot()["ready"] for member in self.members):
            await trio.sleep(0.1)

    # Senders.

    async def client(self, identity: SigningKey, host: str = "10.0.3.1", provider: int = 0, claim: bytes = b"") -> Link:
        return await self._connect(self.providers[provider], identity, Role.CLIENT, host, claim)

    async def as_node(self, member: Member, to: Member) -> Link:
        return await self._connect(to, member.identity, Role.NODE, member.host)

    async def _connect(self, to: Member, identity: SigningKey, role: Role, host: str, claim: bytes = b"") -> Link:
        return await connect(
            self.network,
            Address(to.host, PORT),
            identity=identity,
            role=role,
            network_id=self.trust.network_id,
            expect=to.identity.public,
            source=host,
            claim=claim,
        )

    def packet(
        self,
        route: Sequence[Member],
        last: Command,
        message: bytes = b"",
        *,
        recipient: bytes | None = None,
        delay: float = 0.05,
    ) -> bytes:
        """A packet through the nodes of `route`: forwarded by all but the last, which does what `last` says.

        With `recipient` (a Sphinx public key) the last node's command is followed by a delivery.
        """
        nodes = [self.document.node(member.identity.public) for member in route]
        assert all(nodes)
        keys = hop_keys(self.document, self.trust.epochs, nodes, [delay] * (len(route) - 1), self.clock.now())  # type: ignore[arg-type]
        hops = [
            Hop(key, Command(Kind.FORWARD, following.identity.public, microseconds(delay)))
            for key, following in zip(keys, route[1:], strict=False)
        ]
        hops.append(Hop(keys[-1], last))
        if recipient is not None:
            hops.append(Hop(recipient, Command(Kind.DELIVER, bytes(32), 0)))
        return self.engine.create(hops, message, seed=os.urandom(32))

    def mail(
        self, mailbox: bytes, recipient: SphinxSecret, message: bytes, route: Sequence[Member] | None = None
    ) -> bytes:
        """A packet that brings `message` into `mailbox`."""
        route = route or [self.providers[0], *self.mixes, self.providers[-1]]
        return self.packet(route, Command(Kind.DELIVER_MAILBOX, mailbox, 0), message, recipient=recipient.public)


def packet_frame(packet: bytes, acknowledged: int = 0) -> Frame:
    return Frame(FrameKind.PACKET, packet, acknowledged=acknowledged)


def _fields(parameters: Parameters) -> dict[str, object]:
    return {name: getattr(parameters, name) for name in parameters.__struct_fields__}


__all__ = ["PORT", "QUIET", "Member", "Town", "packet_frame"]
