"""A client's parts and how they are wired.

    service (user) ─▶ messenger ─▶ preparer ─▶ shelves ─▶ slots ─▶ session ─▶ provider
                          ▲                                            │
                          └──────────────── mail room ◀────────────────┘

Promises: every wire is one of the calls below; no part knows the user but the service and the messenger, and no part
knows the link but the session.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import trio

from client.api.daemon_api import DaemonApi
from client.api.events import EventBus
from client.concurrency.wakeup import Wakeup
from client.concurrency.worker import Worker
from client.core.outgoing import MessengerSettings
from client.devices.devices import Devices
from client.messenger.messenger import Messenger
from client.model.destination import Destination, Home
from client.model.views import Event
from client.pairing.codes import Codes
from client.pairing.matching import Matching
from client.pairing.matching_store import MatchTable
from client.pairing.rendezvous import Rendezvous
from client.profile.keys import Keys
from client.profile.profile import Profile
from client.storage.database import Store
from client.traffic.loops import Allowance, LoopMonitor
from client.traffic.packets import Packer
from client.traffic.provider_link import ProviderLink
from client.traffic.provider_mailbox import ProviderMailbox
from client.traffic.provider_queries import ProviderQueries
from client.traffic.provider_requests import ProviderRequests
from client.traffic.receiver import PacketReceiver
from client.traffic.routes import Map, UnknownProvider
from client.traffic.sender import PacketSender
from client.traffic.surb_maker import SurbFactory
from client.traffic.surb_table import ReplyTable
from mixnet.clock import Clock
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Frame, FrameKind, Link, Role, TlsIdentity, connect
from mixnet.network import Address, Network
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.parameters import Parameters
from mixnet.randomness import Source
from mixnet.sphinx import Engine
from mixnet.status import process_figures

REPLY_LIFETIME = 600.0  # seconds for which a reply block is remembered, at least
SILENT_SLOTS = 100  # of the provider's schedule: if nothing comes for so long, the provider is gone
SHORTEST_SILENCE = 10.0  # seconds
SHORTEST_STALL = 0.75  # seconds without a frame, and ten slots, after which this machine or its link stood still


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an actor is given: the world around it."""

    profile: Profile
    network: Network
    clock: Clock
    rng: Source
    engine: Engine
    store: Store
    worker: Worker
    hash_worker: Worker


class Assembly:
    """All parts of one client. `run` runs those that run."""

    def __init__(
        self,
        around: Surroundings,
        *,
        keys: Keys,
        provider: bytes,
        keeper: DocumentKeeper,
        requests: ProviderRequests,
        wakeup: Wakeup,
        event_bus: EventBus,
    ) -> None:
        """Build and wire; nothing runs yet. `event_bus` tells the user's programs what happens."""
        self._around = around
        self._provider = provider
        self._keeper = keeper
        self._requests = requests
        self._mailbox = keys.mailbox.public
        self._tls = TlsIdentity(keys.mailbox)
        self._down: Counter[FrameKind] = Counter()
        self._event_bus = event_bus
        parameters = keeper.current.parameters
        here = Destination(provider, keys.mailbox.public, keys.sphinx.public)
        replies = ReplyTable(max(REPLY_LIFETIME, 100 * parameters.path_delay))
        self._loops = LoopMonitor(loop_allowance(parameters))
        network = Map(keeper.current, around.profile.bootstrap.epochs)
        self._packer = Packer(around.engine, here, replies, network, around.rng)
        self._messenger = messenger_for(around, here, parameters, self._surbs(here))
        self._devices = Devices(self._messenger)
        self.services = ProviderQueries(wakeup.wake, lambda: self._packer.network.document)
        self._codes = self._make_codes(around)
        self._matching = self._make_matching(around)
        self._session = self._make_link()
        self._sender = self._make_sender(parameters, wakeup)
        self._mail = self._make_receiver(keys, replies)

    def open(self, service: DaemonApi) -> None:
        """Let the user's side of the daemon do all that it can."""
        service.services = self.services
        service.codes = self._codes
        service.matching = self._matching
        service.open(self._devices, self._sender.stir, self.snapshot)
        service.mailbox.open(self._post(), self._around.store, self._around.profile.directory)

    async def run(self) -> None:
        """Send, receive and keep the document fresh, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._mail.run)
            nursery.start_soon(self._sender.run)
            nursery.start_soon(self._session.run)
            nursery.start_soon(self._follow_documents)
            nursery.start_soon(self._codes.run)
            nursery.start_soon(self._matching.run)

    def snapshot(self) -> dict[str, Any]:
        """The figures that the user and the operator of this machine may see."""
        up = self._sender.counts
        return {
            "role": "client",
            "name": self._around.profile.name,
            "identity": self._provider.hex()[:8],
            "layer": None,
            "epoch": self._packer.network.document.epoch,
            "ready": self._session.connected,
            "connected": self._session.connected,
            "connections": self._session.connections,
            "problem": self._mail.problem or self._keeper.problem or self._sender.problem or self._session.problem,
            "alarm": str(self._loops.alarm),
            "warnings": self._loops.warnings,
            "packets_in": self._down[FrameKind.MAIL],
            "packets_out": sum(up.values()),
            "dropped": {"link": self._session.lost_frames, "refused": self._mail.counts["refused"]},
            "frames": dict(up),
            "received": {kind.name.lower(): count for kind, count in self._down.items()} | dict(self._mail.counts),
            "loops_sent": self._loops.sent,
            "loops_returned": self._loops.returned,
            "loops_late": self._loops.late,
            "loops_lost": self._loops.lost,
            **process_figures(),
        }

    def _make_codes(self, around: Surroundings) -> Codes:
        return Codes(
            rendezvous=Rendezvous(self.services),
            messenger=self._messenger,
            worker=around.worker,
            clock=around.clock,
            rng=around.rng.stream("codes"),
            network_id=around.profile.bootstrap.network_id,
            name=around.profile.name,
            home=self._provider,
            publish=self._happened,
        )

    def _make_matching(self, around: Surroundings) -> Matching:
        return Matching(
            rendezvous=Rendezvous(self.services, day=True),
            book=MatchTable(around.store),
            messenger=self._messenger,
            worker=around.worker,
            hash_worker=around.hash_worker,
            clock=around.clock,
            rng=around.rng.stream("matching"),
            network_id=around.profile.bootstrap.network_id,
            name=around.profile.name,
            publish=self._happened,
        )

    def _surbs(self, here: Destination) -> SurbFactory:
        stream = self._around.rng.stream("routes", "anonymous")
        return SurbFactory(self._around.engine, here, lambda: self._packer.network, stream)

    def _make_link(self) -> ProviderLink:
        return ProviderLink(
            self._dial,
            on_frame=self._take_down,
            on_lost=self._lost,
            jitter=self._around.rng.stream("reconnect"),
            silence=self._silence,
        )

    def _make_sender(self, parameters: Parameters, wakeup: Wakeup) -> PacketSender:
        return PacketSender(
            parameters=parameters,
            rng=self._around.rng,
            clock=self._around.clock,
            packer=self._packer,
            messenger=self._messenger,
            worker=self._around.worker,
            loops=self._loops,
            requests=self._requests,
            services=self.services,
            session=self._session,
            wakeup=wakeup,
            publish=self._event_bus.publish,
        )

    def _make_receiver(self, keys: Keys, replies: ReplyTable) -> PacketReceiver:
        return PacketReceiver(
            secret=keys.sphinx,
            engine=self._around.engine,
            messenger=self._messenger,
            worker=self._around.worker,
            replies=replies,
            loops=self._loops,
            services=self.services,
            clock=self._around.clock,
            schedules=self._sender.schedules,
            publish=self._happened,
        )

    def _post(self) -> ProviderMailbox:
        def rates() -> tuple[float, float]:
            parameters = self._packer.network.document.parameters
            return parameters.payload_rate, parameters.downlink_rate

        return ProviderMailbox(
            mailbox=self._mailbox,
            provider=self._provider,
            requests=self._requests,
            rates=rates,
            connected=lambda: self._session.connected,
            forget_loops=self._loops.on_link_lost,
        )

    async def _dial(self) -> Link:
        """A link to our provider, wherever the newest document says that it is."""
        node = self._packer.network.document.node(self._provider)
        if node is None:
            raise UnknownProvider("our provider is not in the directory at the moment: waiting for it")
        return await connect(
            self._around.network,
            Address.parse(node.address),
            identity=self._tls,
            role=Role.CLIENT,
            network_id=self._around.profile.bootstrap.network_id,
            expect=node.identity,
            source=self._around.profile.source,
        )

    def _take_down(self, frame: Frame) -> None:
        """A frame came down. RemoteError, which ends the link, for one that no provider sends."""
        self._down[frame.kind] += 1
        self._loops.on_frame(trio.current_time())
        if frame.kind is FrameKind.PAD:
            if self._mail.idle:
                self._loops.on_dummy(trio.current_time())
        elif frame.kind is FrameKind.MAIL:
            self._loops.on_mail()
            self._mail.offer(frame.body, self._session.receipt(frame.sequence))
        elif frame.kind is FrameKind.RESPONSE:
            self._requests.take_untrusted(frame)
        else:
            raise RemoteError("a frame that only clients send")

    def _lost(self) -> None:
        """The link ended: what was under way on it says nothing and is answered by nobody."""
        self._loops.on_link_lost()
        self._requests.link_lost()

    def _happened(self, events: list[Event]) -> None:
        """Mail was read: tell the user's programs, and look for what is to be answered."""
        self._event_bus.publish(events)
        self._sender.stir()

    def _silence(self) -> float:
        rate = self._packer.network.document.parameters.downlink_rate
        return max(SHORTEST_SILENCE, SILENT_SLOTS / rate) if rate else float("inf")

    async def _follow_documents(self) -> None:
        """Go by each new document from its epoch on."""
        while True:
            try:
                document = await self._keeper.wait_for_next()
            except Unavailable:  # the machine slept through its whole time
                continue
            self._packer.network = Map(document, self._around.profile.bootstrap.epochs)
            self._sender.adopt(document.parameters)
            self._loops.allowed = loop_allowance(document.parameters)


def messenger_for(around: Surroundings, here: Destination, parameters: Parameters, surbs: SurbFactory) -> Messenger:
    """The messenger of a profile that is reached at `here`."""
    settings = MessengerSettings(
        mean_delay=parameters.mean_delay,
        payload_rate=parameters.payload_rate,
        downlink_rate=parameters.downlink_rate,
        link_latency=parameters.link_latency,
        ack_delay=parameters.ack_delay,
        message_lifetime=parameters.message_age,
        file_limit=parameters.max_message_bytes,
        downloads=around.profile.downloads,
    )
    home = Home(around.profile.name, around.profile.bootstrap.network_id, here)
    return Messenger(around.store, settings, around.rng.stream("retransmissions"), home, surbs)


def loop_allowance(parameters: Parameters) -> Allowance:
    """How long a loop may take: on time, what links and busy machines need; not lost, generously more."""
    slots = 10 / parameters.downlink_rate if parameters.downlink_rate else 0.0
    lost = 5.0 + 2 * parameters.path_delay + slots
    return Allowance(late=parameters.loop_lateness, lost=lost, stall=max(SHORTEST_STALL, slots))
