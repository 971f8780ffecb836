"""A small network around clients under test: real links and packets, all nodes in one place, and one provider task.

The town peels every layer itself and waits for the drawn delays, so that tests of a client need no node. Everything
that a provider owes its clients is here: mailboxes, numbered down frames on a Poisson schedule, acknowledgements,
documents on request.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import trio

from mixnet.benchmarks.simulation.codec import PlainEngine
from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.daemon.daemon import serve
from mixnet.client.profile.keys import Keys, save_keys
from mixnet.client.profile.profile import Profile
from mixnet.client.storage.database import Store
from mixnet.client.traffic import directory_client
from mixnet.clock import Clock, VirtualClock
from mixnet.crypto import SigningKey, SphinxSecret, SymmetricKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Assembler, Frame, FrameKind, Link, LinkLimits, Role, answer_requests, serve_links, split
from mixnet.network import Address
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap, Successor
from mixnet.pki.descriptor import KEY_EPOCHS, NodeRole
from mixnet.pki.document import VERSION, Document, Node, validity
from mixnet.pki.parameters import Parameters, parameters_from
from mixnet.pki.requests import (
    NEWEST,
    AskDocument,
    AskIntroduction,
    DocumentAnswer,
    IntroductionAnswer,
    encode,
    parse_request_untrusted,
)
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from mixnet.sphinx import Drop, Engine, Forward, Mailbox
from tests.mixnet.pki.lineage import Lineage

START = 1_800_000_000.0
RULES = Parameters(
    epoch_length=90.0,
    mean_delay=0.05,
    payload_rate=3.0,
    loop_rate=0.5,
    drop_rate=0.5,
    downlink_rate=6.0,
    link_latency=0.02,
    ack_delay=0.3,
)


def rules(**changes: float) -> Parameters:
    """The town's parameters with some changed."""
    return parameters_from({name: getattr(RULES, name) for name in RULES.__struct_fields__} | changes)


def raw_key(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=32).digest()


@dataclass
class Box:
    """A mailbox, and what is known of its owner's link."""

    waiting: deque[bytes] = field(default_factory=deque)
    under_way: deque[tuple[int, bytes]] = field(default_factory=deque)
    acknowledged: int = 0
    link: Link | None = None  # the newest
    holder: bytes = b""  # which copy of its owner has it


class Town:
    """Two providers, three layers of two mixes, and one authority that signs whatever epoch is asked for."""

    def __init__(self, seed: int | str = 1, parameters: Parameters = RULES, start: float = START) -> None:
        self.rng = SeededSource(seed)
        self.parameters = parameters
        self.engine: Engine = PlainEngine()
        self.network = SimulatedNetwork(self.rng.child("network"))
        self.clock = VirtualClock(start)
        self.authority = SigningKey(raw_key("authority"))
        self.bootstrap = Bootstrap(
            start, parameters.epoch_length, (AuthorityInfo(self.authority.public, "10.0.0.1:7000"),)
        )
        self.lineage = Lineage(self.bootstrap, self.authority)
        self.providers = [SigningKey(raw_key(f"provider {n}")) for n in range(2)]
        self.mixes = [SigningKey(raw_key(f"mix {n}")) for n in range(6)]
        self.names = {key.public: f"mix {n}" for n, key in enumerate(self.mixes)}
        self.names |= {key.public: f"provider {n}" for n, key in enumerate(self.providers)}
        self.limits = LinkLimits()
        self._secrets: dict[tuple[bytes, int], SphinxSecret] = {}
        self.boxes: dict[bytes, Box] = {}
        self.received: Counter[str] = Counter()
        self.links: list[Link] = []
        self.swallow = False  # lose every packet
        self.refuse_documents = False
        self.questions: list[AskDocument | AskIntroduction] = []  # to the authorities

    def secret(self, identity: bytes, epoch: int) -> SphinxSecret:
        if (identity, epoch) not in self._secrets:
            self._secrets[identity, epoch] = SphinxSecret(raw_key(f"{self.names[identity]} {epoch}"))
        return self._secrets[identity, epoch]

    def document(self, epoch: int = 0, by: Bootstrap | None = None, successor: Successor | None = None) -> bytes:
        """The signed document for `epoch`; `by` others than those whose turn it is, who introduce whom they like."""

        def node(key: SigningKey, role: NodeRole, address: str) -> Node:
            keys = tuple(self.secret(key.public, number).public for number in range(epoch, epoch + KEY_EPOCHS))
            return Node(key.public, role, address, epoch, keys)

        mixes = [node(key, NodeRole.MIX, f"10.0.2.{n}:7000") for n, key in enumerate(self.mixes)]
        layers = tuple(
            tuple(sorted(mixes[at : at + 2], key=lambda one: one.identity)) for at in range(0, len(mixes), 2)
        )
        providers = [node(key, NodeRole.PROVIDER, f"10.0.1.{n}:7000") for n, key in enumerate(self.providers)]
        start, end = validity(self.bootstrap.epochs, epoch)
        document = Document(
            version=VERSION,
            network_id=self.bootstrap.network_id,
            epoch=epoch,
            valid_from=start,
            valid_until=end,
            parameters=self.parameters,
            layers=layers[: self.parameters.layers],
            providers=tuple(sorted(providers, key=lambda one: one.identity)),
            authorities=self.bootstrap.identities,
            previous=bytes(32),
            randomness=bytes(32),
            successor=successor,
        )
        return self.lineage.sign(document, by)

    def profile(self, name: str, number: int, downloads: Path | None = None) -> Profile:
        """A profile without a folder: no sockets, no files but those that come."""
        provider = self.providers[number % 2].public
        return Profile(name, self.bootstrap, source=f"10.0.9.{number}", provider=provider, downloads=downloads)

    def store(self, name: str) -> Store:
        """A store with keys that follow from the name, since the provider's schedules follow from the mailbox."""
        store = Store.open(":memory:", SymmetricKey(bytes(32)))
        save_keys(store, Keys(SigningKey(raw_key(f"mailbox {name}")), SphinxSecret(raw_key(f"sphinx {name}"))))
        directory_client.keep(store, self.document())
        return store

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve both providers."""
        async with trio.open_nursery() as self._nursery:
            for number, key in enumerate(self.providers):

                async def handle(link: Link, key: SigningKey = key) -> None:
                    await self._serve(link, key.public)

                await self._nursery.start(self._listen, Address(f"10.0.1.{number}", 7000), handle, key)
            task_status.started()

    async def run_authority(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let the authorities answer, by a clock that is right."""
        right = self.clock

        async def answer(raw: bytes) -> bytes:
            await trio.lowlevel.checkpoint()
            question = parse_request_untrusted(raw)
            assert isinstance(question, AskDocument | AskIntroduction)
            self.questions.append(question)
            if isinstance(question, AskIntroduction):
                introduces = self.lineage.introduces(question.first_epoch)
                return encode(IntroductionAnswer(None if introduces is None else self.document(introduces)))
            epoch = self.bootstrap.epochs.at(right.now()) if question.epoch == NEWEST else question.epoch
            return encode(DocumentAnswer(self.document(epoch)))

        async with trio.open_nursery() as nursery:
            for info in (info for one in self.lineage.sets for info in one.authorities):
                await nursery.start(
                    partial(
                        serve_links,
                        self.network,
                        Address.parse(info.address),
                        lambda link: answer_requests(link, answer),
                        identity=self.lineage.identity(info),
                        role=Role.AUTHORITY,
                        network_id=self.bootstrap.network_id,
                        admit=lambda _identity, _role: True,
                    )
                )
            task_status.started()

    async def _listen(self, address: Address, handle: object, key: SigningKey, task_status: object) -> None:
        await serve_links(
            self.network,
            address,
            handle,  # type: ignore[arg-type]
            identity=key,
            role=Role.NODE,
            network_id=self.bootstrap.network_id,
            admit=lambda _identity, role: role is Role.CLIENT,
            limits=self.limits,
            task_status=task_status,  # type: ignore[arg-type]
        )

    async def start(
        self,
        nursery: trio.Nursery,
        name: str,
        number: int,
        store: Store | None = None,
        downloads: Path | None = None,
        clock: Clock | None = None,
    ) -> Connection:
        """A client daemon, as the simulated world runs it; `clock`: one of its own."""

        async def live(task_status: trio.TaskStatus[object]) -> None:
            await serve(
                self.profile(name, number, downloads),
                network=self.network,
                clock=clock or self.clock,
                rng=self.rng.child("client", name),
                engine=self.engine,
                store=store or self.store(name),
                task_status=task_status,  # type: ignore[arg-type]
            )

        return Connection(DirectChannel(await nursery.start(live)))

    async def hang_up(self) -> None:
        """Close every link to a client."""
        links, self.links = self.links, []
        for link in links:
            await link.aclose()

    async def _serve(self, link: Link, provider: bytes) -> None:
        box, claim = self.boxes.setdefault(link.peer.identity, Box()), link.peer.claim
        if box.holder and claim[:1] != b"\1" and claim[1:] != box.holder:
            await link.send([Frame(FrameKind.MOVED)])
            return
        box.holder = claim[1:]
        box.link = link  # what an older one, which may have died unnoticed, still says counts no more
        box.waiting.extendleft(packet for _, packet in reversed(box.under_way))
        box.under_way.clear()
        answers: deque[Frame] = deque()
        self.links.append(link)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_down, link, box, answers)
            assembler = Assembler()
            while True:
                try:
                    frames = await link.receive()
                except trio.EndOfChannel:
                    break
                for frame in frames if box.link is link else ():
                    self._take(frame, box, provider, assembler, answers)
            nursery.cancel_scope.cancel()

    def _take(self, frame: Frame, box: Box, provider: bytes, assembler: Assembler, answers: deque[Frame]) -> None:
        self.received[frame.kind.name] += 1
        box.acknowledged = frame.acknowledged
        while box.under_way and box.under_way[0][0] <= frame.acknowledged:
            box.under_way.popleft()
        if frame.kind is FrameKind.PACKET:
            self._nursery.start_soon(self._travel, provider, frame.body)
        elif frame.kind is FrameKind.REQUEST and (complete := assembler.feed_untrusted(frame)):
            question = parse_request_untrusted(complete[1])
            assert isinstance(question, AskDocument)
            raw = None if self.refuse_documents else self.document(question.epoch)
            answers.extend(split(encode(DocumentAnswer(raw)), FrameKind.RESPONSE, complete[0]))

    async def _send_down(self, link: Link, box: Box, answers: deque[Frame]) -> None:
        stream = self.rng.stream("down", link.peer.identity.hex(), str(len(self.links)))
        slot = trio.current_time()
        sequence = 0
        while True:
            slot += stream.expovariate(self.parameters.downlink_rate)
            await trio.sleep_until(slot)
            if box.link is not link:
                return
            sequence += 1
            frame = Frame(FrameKind.PAD)
            if answers:
                frame = answers.popleft()
            elif box.waiting:
                packet = box.waiting.popleft()
                box.under_way.append((sequence, packet))
                frame = Frame(FrameKind.MAIL, packet)
            try:
                await link.send([replace(frame, sequence=sequence)])
            except Unavailable:
                return

    async def _travel(self, provider: bytes, packet: bytes) -> None:
        """All hops of a packet, and its drawn delays."""
        if self.swallow:
            return
        here, held = provider, 0.0
        while True:
            peeled = self._peel(here, packet)
            if isinstance(peeled, Forward):
                if not self.passes(here, peeled.next_hop):
                    return
                here, packet, held = peeled.next_hop, peeled.packet, held + peeled.delay
                continue
            await trio.sleep(held)
            if isinstance(peeled, Mailbox):
                self.deposit(here, peeled)
            else:
                assert isinstance(peeled, Drop)
                self.received["drop"] += 1
            return

    def passes(self, here: bytes, there: bytes) -> bool:
        """Whether a packet gets from one node to the next."""
        return True

    def deposit(self, provider: bytes, mail: Mailbox) -> None:
        """A packet is at its provider."""
        self.boxes.setdefault(mail.mailbox, Box()).waiting.append(mail.packet)
        self.received["mailbox"] += 1

    def _peel(self, identity: bytes, packet: bytes) -> object:
        present = self.bootstrap.epochs.at(self.clock.now())
        for epoch in (present, present + 1, present - 1):
            try:
                return self.engine.peel_untrusted(self.secret(identity, epoch), packet)
            except RemoteError:
                continue
        raise AssertionError("a packet that no node can peel")
