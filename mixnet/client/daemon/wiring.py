"""Makes all parts of one client and connects them, in the order in which they need each other.

    DaemonApi (user) ─▶ Messenger ─▶ PacketSender ─▶ ready queues ─▶ slots ─▶ ProviderLink ─▶ provider
                            ▲                                                     │
                            └───────── PacketReceiver ◀───── FrameReceiver ◀──────┘

Promises: every wire is an argument below; no part knows the user but the API and the messenger, and no part knows the
link but the sender, which offers it frames, and those whom the link hands what comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

from mixnet.client.api.daemon_api import DaemonApi, Kept
from mixnet.client.api.events import EventBus
from mixnet.client.concurrency.lasting import Lasting
from mixnet.client.concurrency.wakeup import Wakeup
from mixnet.client.concurrency.worker import Worker
from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.daemon.figures import Figures
from mixnet.client.devices.devices import Devices
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.destination import Destination, Home
from mixnet.client.model.views import Event
from mixnet.client.pairing.codes import Codes
from mixnet.client.pairing.matching import Matching
from mixnet.client.pairing.matching_store import MatchTable
from mixnet.client.pairing.rendezvous import Rendezvous
from mixnet.client.pairing.short_code import ShortCodes
from mixnet.client.profile.keys import Keys, load_keys
from mixnet.client.profile.profile import Profile
from mixnet.client.storage import copies
from mixnet.client.storage.database import Store
from mixnet.client.traffic import directory_client
from mixnet.client.traffic.document_follower import DocumentFollower
from mixnet.client.traffic.frame_receiver import FrameReceiver
from mixnet.client.traffic.loops import LoopMonitor, loop_allowance
from mixnet.client.traffic.packets import Packer
from mixnet.client.traffic.provider_dialer import ProviderDialer
from mixnet.client.traffic.provider_link import ProviderLink, silence_limit
from mixnet.client.traffic.provider_mailbox import ProviderMailbox
from mixnet.client.traffic.provider_queries import ProviderQueries
from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnet.client.traffic.receiver import PacketReceiver
from mixnet.client.traffic.routes import Map
from mixnet.client.traffic.sender import PacketSender
from mixnet.client.traffic.surb_maker import SurbFactory
from mixnet.client.traffic.surb_table import ReplyTable
from mixnet.link import TlsIdentity
from mixnet.network import Network
from mixnet.pki.agreed_clock import AgreedClock
from mixnet.pki.document import Document
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.parameters import Parameters
from mixnet.pki.trust import Trust
from mixnet.pki.views import Views
from mixnet.randomness import Source
from mixnet.sphinx import Engine

REPLY_LIFETIME = 600.0  # seconds for which a reply block is remembered, at least


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a client is given: its profile, and the network, clock, randomness, store and tasks that it uses."""

    profile: Profile
    network: Network
    clock: AgreedClock
    rng: Source
    engine: Engine
    store: Store
    worker: Worker
    hash_worker: Worker
    lasting: Lasting


@dataclass(frozen=True, slots=True)
class DirectoryParts:
    """What there is before the first document: what fetches it, and what it is checked with."""

    keys: Keys
    trust: Trust
    keeper: DocumentKeeper
    requests: ProviderRequests
    wakeup: Wakeup


async def directory_parts(around: Surroundings) -> DirectoryParts:
    """Make them from what the store has."""
    store, worker, profile = around.store, around.worker, around.profile
    wakeup = Wakeup()
    requests = ProviderRequests(wakeup.wake)
    keys = await worker.call(load_keys, store)
    trust = Trust(profile.bootstrap, await worker.call(directory_client.introductions, store))
    views = Views(trust, await worker.call(directory_client.all_evidence, store))
    source = directory_client.DocumentSource(
        trust=trust,
        network=around.network,
        clock=around.clock.wall,
        rng=around.rng.stream("authorities"),
        requests=requests,
        views=views,
        dial_from=profile.source,
    )
    keeper = DocumentKeeper(
        trust,
        source.fetch,
        clock=around.clock.wall,
        agreed=around.clock,
        rng=around.rng.stream("documents"),
        initial=await worker.call(directory_client.kept, store),
        memory=directory_client.StoreMemory(store, worker),
        views=views,
    )
    return DirectoryParts(keys, trust, keeper, requests, wakeup)


class Assembly:
    """All parts of one client, wired; nothing runs until `serve`."""

    def __init__(self, around: Surroundings, directory: DirectoryParts, provider: bytes, event_bus: EventBus) -> None:
        """`provider` is the identity of our provider; `event_bus` tells the user's programs what happens.

        One long function, so that all wires can be seen at once: each part is made after those that it is given.
        """
        profile, clock, rng, worker = around.profile, around.clock, around.rng, around.worker
        keeper, keys, requests, wakeup = directory.keeper, directory.keys, directory.requests, directory.wakeup
        bootstrap, parameters = profile.bootstrap, keeper.current.parameters
        home = Destination(provider, keys.mailbox.public, keys.sphinx.public)

        # Packets. The packer holds the network as the document in force describes it.
        replies = ReplyTable(max(REPLY_LIFETIME, 100 * parameters.path_delay))
        packer = Packer(around.engine, home, replies, Map(keeper.current, bootstrap.epochs), rng)
        surbs = SurbFactory(around.engine, home, lambda: packer.network, rng.stream("routes", "anonymous"))

        def document() -> Document:
            return packer.network.document

        # Conversations.
        settings = messenger_settings(profile, parameters)
        me = Home(profile.name, bootstrap.network_id, home)
        jitter, pauses = rng.stream("retransmissions"), rng.stream("pauses")
        messenger = Messenger(around.store, settings, jitter, me, surbs, pauses=pauses)
        devices = Devices(messenger)

        # The way up: to the link, in the slots of the schedules.
        identity = TlsIdentity(keys.mailbox)
        claim = copies.claim(around.store)

        async def kept() -> None:
            """The provider serves our mailbox: from now on it isn't taken over by us, if it was."""
            nonlocal claim
            if claim[:1] == b"\1":
                claim = await worker.call(copies.claimed, around.store)

        dialer = ProviderDialer(
            around.network.within(bootstrap.reach),
            bootstrap.network_id,
            identity,
            provider,
            document,
            profile.source,
            claim=lambda: claim,
        )
        link = ProviderLink(
            dialer.dial,
            jitter=rng.stream("reconnect"),
            silence=lambda: silence_limit(document().parameters.downlink_rate),
            kept=kept,
        )
        loops = LoopMonitor(loop_allowance(parameters))
        provider_queries = ProviderQueries(wakeup.wake, document)
        sender = PacketSender(
            parameters=parameters,
            rng=rng,
            clock=clock,
            packer=packer,
            messenger=messenger,
            worker=worker,
            loops=loops,
            provider_requests=requests,
            provider_queries=provider_queries,
            provider_link=link,
            wakeup=wakeup,
            publish=event_bus.publish,
        )

        def happened(events: list[Event]) -> None:
            """Something was read: tell the user's programs, and look for what is to be answered."""
            event_bus.publish(events)
            sender.stir()

        # The way down: from the link to the messenger.
        receiver = PacketReceiver(
            secret=keys.sphinx,
            engine=around.engine,
            messenger=messenger,
            worker=worker,
            replies=replies,
            loops=loops,
            provider_queries=provider_queries,
            clock=clock,
            schedules=sender.schedules,
            publish=happened,
        )
        frames = FrameReceiver(loops=loops, packets=receiver, requests=requests, receipt=link.receipt)

        # New contacts, by questions to providers; they are the home's, so these talk to the messenger itself.
        codes = Codes(
            rendezvous=Rendezvous(provider_queries),
            messenger=messenger,
            worker=worker,
            clock=clock,
            rng=rng.stream("codes"),
            network_id=bootstrap.network_id,
            name=profile.name,
            home=provider,
            publish=happened,
        )
        matching = Matching(
            rendezvous=Rendezvous(provider_queries, day=True),
            table=MatchTable(around.store),
            messenger=messenger,
            worker=worker,
            hash_worker=around.hash_worker,
            clock=clock,
            rng=rng.stream("matching"),
            network_id=bootstrap.network_id,
            name=profile.name,
            publish=happened,
        )

        short_codes = ShortCodes(Rendezvous(provider_queries, day=True), bootstrap.network_id, provider)

        # What the user asks of all this.
        mailbox = ProviderMailbox(
            mailbox=keys.mailbox.public,
            provider=provider,
            requests=requests,
            rates=lambda: (document().parameters.payload_rate, document().parameters.downlink_rate),
            connected=lambda: link.connected,
            forget_loops=loops.on_link_lost,
        )
        figures = Figures(
            profile.name, provider, document, keeper, link, messenger, sender, receiver, frames, loops, around.lasting
        )

        self.provider_queries, self.timestamps = provider_queries, messenger.timestamps
        self._around, self._devices, self._mailbox, self._figures = around, devices, mailbox, figures
        self._sender, self._receiver, self._link, self._frames = sender, receiver, link, frames
        self._codes, self._matching, self._short_codes = codes, matching, short_codes
        self._follower = DocumentFollower(keeper, bootstrap.epochs, packer, sender, loops)

    def open(self, api: DaemonApi) -> None:
        """Let the user's side of the daemon do all that it can."""
        api.codes = self._codes
        api.matching = self._matching
        api.short_codes = self._short_codes
        api.open(self._devices, self._sender.stir, self._figures.snapshot)
        api.kept = Kept(self._mailbox, self._around.store, self._around.profile.directory)

    async def serve(self) -> None:
        """Send, receive and keep the document fresh, for ever."""
        lasting = self._around.lasting
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lasting.run, self._receiver.take_packets)
            nursery.start_soon(lasting.run, self._sender.send_slots, lasting)
            nursery.start_soon(lasting.run, self._link.keep_up, self._frames.take_untrusted, self._frames.link_lost)
            nursery.start_soon(lasting.run, self._follower.follow)
            nursery.start_soon(lasting.run, self._codes.exchange_all)
            nursery.start_soon(lasting.run, self._matching.look_regularly)


def messenger_settings(profile: Profile, parameters: Parameters) -> MessengerSettings:
    """What the network's parameters mean for the messenger."""
    return MessengerSettings(
        mean_delay=parameters.mean_delay,
        payload_rate=parameters.payload_rate,
        downlink_rate=parameters.downlink_rate,
        link_latency=parameters.link_latency,
        ack_delay=parameters.ack_delay,
        message_lifetime=parameters.message_age,
        file_limit=parameters.max_message_bytes,
        downloads=profile.downloads,
        daily_files=profile.daily_files,
        disk_reserve=profile.disk_reserve,
    )
