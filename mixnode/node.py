"""A node, and a packet's whole way through it (spec/04-mixing.md 4.1). Read it from top to bottom.

    receive → peel → refuse_replay → hold → send
                          ↕        ↘ deliver
                     await_seal

Promises: each stage is one verb: it takes batches, does one pure thing to them, and puts the rest into the next queue.
Where a packet may wait (before `peel`, `await_seal`, `deliver`, each link; in `hold`) the queue is bounded, drops and
counts what finds it full, so nothing ever holds up `hold`, where it would shape the times at which packets leave. A
packet's tag is written down before the packet is held or delivered; no other packet waits for the disk with the first
ones of a key.
A packet is held for its delay counted from its arrival, so the node's own work doesn't lengthen it. What a peer sends
can raise a counter and close that peer's link, nothing else. Never: a log entry or a label about a packet, its peer or
its way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import trio

from mixnet import timestamp
from mixnet.clock import Clock
from mixnet.counters import Counters, Dropped, Event
from mixnet.crypto import SigningKey, SymmetricKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.identity import load_identity
from mixnet.link import FrameKind, Link, Role
from mixnet.log import Log
from mixnet.network import Address, Network
from mixnet.pki.agreed_clock import AgreedClock
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.document import SKEW_SHARE
from mixnet.pki.trust import Trust
from mixnet.randomness import Source
from mixnet.sphinx import Deliver, Drop, Engine, Forward, Mailbox, Peeled
from mixnet.timer import Timer
from mixnode import upkeep
from mixnode.arrival import ArrivalQueue, Arrived, Sender
from mixnode.config import NodeConfig, Storage
from mixnode.context import NodeContext, document_files, open_keys, open_storage
from mixnode.delay_queue import DelayQueue, Due
from mixnode.key_rotation import KeyRotation
from mixnode.keys import EpochKey, KeyRing
from mixnode.loops import Loops, Returned
from mixnode.members import Members
from mixnode.outgoing import Outgoing, OutgoingLinks
from mixnode.peel_pool import PeelPool
from mixnode.peel_queue import PeelJob, PeelResult
from mixnode.provider import Provider
from mixnode.queues import DropQueue
from mixnode.services import Services, SlotService, is_question
from mixnode.timestamps import timestamp_handler

QUEUE_SIZE = 1024  # packets that may wait in one queue
IDENTITY_DIGITS = 16  # enough to tell one's nodes apart


class PeeledPacket(NamedTuple):
    """A packet without its outer layer, and the key that took it off."""

    key: EpochKey
    peeled: Peeled
    when: float
    origin: Role


class Queues:
    """The queues between the stages of one node."""

    def __init__(self, held: DelayQueue, counters: Counters) -> None:
        self.arrived = ArrivalQueue(counters)
        self.unsealed: DropQueue[PeeledPacket] = DropQueue(QUEUE_SIZE, counters, Dropped.REPLAY_FULL)
        self.held = held
        self.ended: DropQueue[Peeled] = DropQueue(QUEUE_SIZE, counters, Dropped.DELIVER_FULL)
        self._nodes: dict[bytes, Sender] = {}  # by identity: a second link gives no second share

    def sender(self, identity: bytes) -> Sender:
        """What a listed node's packets count for, on all its links."""
        return self._nodes.setdefault(identity, Sender(Role.NODE))


async def receive(queues: Queues, link: Link, members: Members, counters: Counters) -> None:
    """From another node come packets and cover, nothing else; from clients: the same, with limits, in `clients.py`.

    A node that the documents don't list any more loses its link with the next thing that it sends.
    """
    sender = queues.sender(link.peer.identity)
    while True:
        frames = await link.receive()
        if members.other(link.peer.identity) is None:
            return
        bodies = [frame.body for frame in frames if frame.kind is FrameKind.PACKET]
        dummies = sum(frame.kind is FrameKind.PAD for frame in frames)
        counters.add(Event.PACKETS_IN, len(bodies))
        counters.add(Event.DUMMIES_IN, dummies)
        queues.arrived.put([Arrived(body, link.arrived, sender) for body in bodies])
        if len(bodies) + dummies < len(frames):
            raise RemoteError("a frame that no node may send")


async def peel(queues: Queues, here: Callable[[list[Arrived]], None]) -> None:
    """Peel what had to wait, by `here`; a packet that comes alone is peeled where it came."""
    while True:
        here(await queues.arrived.take())


def peel_batch(keys: KeyRing, clock: Clock, pool: PeelPool, batch: list[Arrived]) -> None:
    """Take off the outer layer with the key of the epoch, by a worker or else here."""
    pool.peel(PeelJob(keys.live(clock.now()), batch))


def sort_out(queues: Queues, counters: Counters, done: PeelResult) -> None:
    """Go on with what was peeled; what isn't a packet for us ends here."""
    layers = [
        PeeledPacket(*opening, one.when, one.origin)
        for one, opening in zip(done.job.packets, done.openings, strict=True)
        if opening is not None
    ]
    if len(layers) < len(done.openings):
        refused = [one.sender for one, found in zip(done.job.packets, done.openings, strict=True) if found is None]
        for sender, number in Counter(refused).items():
            sender.failed(number)
    counters.drop(Dropped.MALFORMED_PACKET, len(done.openings) - len(layers))
    counters.add(Event.PACKETS_PEELED, len(layers))
    refuse_replay(queues, layers, counters)


def refuse_replay(queues: Queues, batch: Sequence[PeeledPacket], counters: Counters) -> None:
    """Let each packet through once in the life of its key: first write its tag down, then go on with it.

    The first ones of a key, for whose tags the disk must be waited for, go another way. It never waits, so it needs no
    queue and no task of its own.
    """
    queues.unsealed.put([one for one in batch if not one.key.replay.begun])
    _let_through(queues, [one for one in batch if one.key.replay.begun], counters)


async def await_seal(queues: Queues, rotation: KeyRotation, counters: Counters) -> None:
    """Wait for the disk with the first packets of a key, until it is ready for their tags, and let them through."""
    while True:
        batch = await queues.unsealed.take()
        for key in dict.fromkeys(one.key for one in batch):
            mine = [one for one in batch if one.key is key]
            try:
                await rotation.begin(key)
            except Unavailable:
                counters.drop(Dropped.REPLAY_STORE, len(mine))
            else:
                _let_through(queues, mine, counters)


def _let_through(queues: Queues, batch: Sequence[PeeledPacket], counters: Counters) -> None:
    """Write down the tags of the batch, and put what is new into the next queues."""
    forward, ended = [], []
    for _, peeled, when, origin in admit(batch, counters):
        if isinstance(peeled, Forward):
            forward.append(Due(when + peeled.delay, peeled.delay, Outgoing(peeled.next_hop, peeled.packet)))
        elif origin is Role.CLIENT:  # its packets can only be forwarded: what ended here would show who sent it
            counters.drop(Dropped.UNWANTED)
        else:
            ended.append(peeled)
    queues.held.put(forward)
    queues.ended.put(ended)


def admit(batch: Sequence[PeeledPacket], counters: Counters) -> list[PeeledPacket]:
    """The packets of the batch that were never seen before, in order; one write for each key among them."""
    fresh: list[PeeledPacket] = []
    for key in dict.fromkeys(one.key for one in batch):
        mine = [one for one in batch if one.key is key]
        try:
            verdicts = key.replay.admit([one.peeled.tag for one in mine])
        except Unavailable:
            counters.drop(Dropped.REPLAY_STORE, len(mine))
            continue
        fresh += [one for one, new in zip(mine, verdicts, strict=True) if new]
        counters.drop(Dropped.REPLAYED, verdicts.count(False))
    return fresh


async def hold(queues: Queues, links: OutgoingLinks) -> None:
    """Keep each packet for the time that its sender drew: one heap, one sleeper; all that is due leaves together."""
    while True:
        links.send(await queues.held.take())


async def deliver(
    queues: Queues, provider: Provider | None, services: Services | None, loops: Loops, counters: Counters
) -> None:
    """What goes no further: mail for a provider's mailboxes, questions to it, our own loops, cover traffic."""
    while True:
        mail = []
        for peeled in await queues.ended.take():
            match peeled:
                case Deliver(message) if services is not None and is_question(message):
                    services.take_untrusted(message)
                case Deliver(message):
                    _recognise(message, loops, counters)
                case Drop():
                    counters.add(Event.COVER_ENDED)
                case Mailbox() if provider is not None:
                    mail.append(peeled)
                case _:
                    counters.drop(Dropped.UNWANTED)
        if provider is not None and mail:
            await provider.deposit(mail)


def _recognise(message: bytes, loops: Loops, counters: Counters) -> None:
    try:
        how = loops.returned_untrusted(message, trio.current_time())
    except RemoteError:
        counters.drop(Dropped.UNWANTED)
    else:
        counters.add(Event.LOOPS_RETURNED)
        counters.add(Event.LOOPS_LATE, int(how is Returned.LATE))


@dataclass(frozen=True, slots=True)
class Serving:
    """What `serve` has started: where it listens, what it counts, and how it would describe itself now."""

    address: Address
    counters: Counters
    snapshot: Callable[[], dict[str, Any]]


class _Node:
    """The stages of one node with all that they share; its tasks run in one nursery."""

    def __init__(
        self, context: NodeContext, engine: Engine, keys: KeyRing, timer: Timer, nursery: trio.Nursery
    ) -> None:
        self.counters = Counters()
        self._context, self._engine, self._keys, self._nursery = context, engine, keys, nursery
        self._rotation = KeyRotation(keys, on_thread=context.config.storage is Storage.FILE)
        self._keeper = context.keeper()
        self._members = Members(context.identity.public, self._keeper.raw)
        held = DelayQueue(timer, lambda: self._members.parameters.mean_delay, self.counters)
        self._queues = Queues(held, self.counters)
        done = partial(sort_out, self._queues, self.counters)
        self._pool = PeelPool(context.config.workers, engine, done=done, counters=self.counters)
        keys.when_forgotten(self._pool.forget)
        self._loops = Loops(SymmetricKey.generate())
        self._links: set[Link] = set()
        self._outgoing = OutgoingLinks(nursery, self._members, context.dial, self.counters)
        is_provider = context.config.role is NodeRole.PROVIDER
        self._provider = self._open_provider() if is_provider else None
        self._services = self._open_services() if is_provider else None

    def _open_provider(self) -> Provider:
        storage = open_storage(self._context, self._members)
        provider = Provider(storage, self._queues.arrived, self._members, self._context.rng, self.counters)
        self._nursery.start_soon(storage.run)
        self._nursery.start_soon(provider.sweep)
        return provider

    def _open_services(self) -> Services:
        slots = SlotService()
        self._nursery.start_soon(slots.sweep)
        identity, arrived = self._context.identity.public, self._queues.arrived
        issue = timestamp_handler(self._context.identity, self._context.trust.network_id, self._context.clock)
        handlers = slots.handlers | {timestamp.OPERATION: issue}
        return Services(identity, self._engine, arrived, self.counters, handlers)

    async def start_stages(self) -> Address:
        """Start every stage, the listening socket last; where it listens."""
        queues, counters, members, start = self._queues, self.counters, self._members, self._nursery.start_soon
        here = partial(peel_batch, self._keys, self._context.clock, self._pool)
        queues.arrived.when_alone(here)
        start(peel, queues, here)
        if self._context.config.workers:
            start(self._pool.keep_running, self._context.log)
        start(await_seal, queues, self._rotation, counters)
        start(hold, queues, self._outgoing)
        start(deliver, queues, self._provider, self._services, self._loops, counters)
        address: Address = await self._nursery.start(self._context.listen, self._welcome, members, counters)
        return address

    async def _welcome(self, link: Link) -> None:
        """Serve one link until it ends."""
        self._links.add(link)
        try:
            if link.peer.role is Role.CLIENT and self._provider is not None:
                await self._provider.serve_client(link)
            else:
                await receive(self._queues, link, self._members, self.counters)
        finally:
            self._links.discard(link)

    def start_upkeep(self, address: Address) -> None:
        """Start what a node does beside passing packets on; `address` is where it listens."""
        context, members, start = self._context, self._members, self._nursery.start_soon
        start(upkeep.turn_keys, context, self._rotation, context.advertised(address), self.counters)
        start(upkeep.publish, context, self._rotation, context.advertised(address), members)
        start(upkeep.follow, context, self._keeper, members, self._outgoing)
        loop = partial(upkeep.send_loops, engine=self._engine, links=self._outgoing, counters=self.counters)
        start(loop, context, members, self._loops)

    def snapshot(self) -> dict[str, Any]:
        """What the status socket answers (spec/08-errors-and-figures.md 8.2); layers count from 1, providers have none.

        Never: anything about a packet, a peer or a client.
        """
        identity, document = self._context.identity.public, self._members.document if self._members.ready else None
        layer = None if document is None else document.layer_of(identity)
        retired = sorted({str(why) for why in self._keys.retired.values()})
        return {
            "role": str(self._context.config.role),
            "layer": None if layer is None else layer + 1,
            "identity": identity.hex()[:IDENTITY_DIGITS],
            "ready": document is not None and document.node(identity) is not None,
            "epoch": None if document is None else document.epoch,
            "connections": len(self._links),
            "held": len(self._queues.held),
            "warnings": self._loops.warnings + retired + self._keeper.warnings,
            **self.counters.snapshot(),
            "problem": self._keeper.problem,
            "workers": self._pool.pids,
        }


async def serve(
    config: NodeConfig,
    *,
    network: Network,
    clock: Clock,
    rng: Source,
    engine: Engine,
    identity: SigningKey | None = None,
    trust: Bootstrap | None = None,
    log: Log | None = None,
    task_status: trio.TaskStatus[Serving] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run one node until cancelled; started when it listens. Identity and trust come from files unless given.

    Raises LocalError or Unavailable if the node can't start: a bad key file, a port in use.
    """
    identity = identity or load_identity(config.key_file)
    root, files = trust or Bootstrap.load(config.bootstrap), document_files(config)
    follower = Trust(root, [] if files is None else files.introductions())
    agreed = AgreedClock(clock, SKEW_SHARE * follower.epoch_length)
    context = NodeContext(config, identity, follower, network, agreed, rng, log or Log(), files)
    with open_keys(context) as keys, closing(clock.timer()) as timer:
        async with trio.open_nursery() as nursery:
            node = _Node(context, engine, keys, timer, nursery)
            address = await node.start_stages()
            node.start_upkeep(address)
            task_status.started(Serving(address, node.counters, node.snapshot))
