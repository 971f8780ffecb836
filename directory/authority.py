"""One directory authority: takes descriptors, agrees with the others on documents, gives them out (SPEC.md section 5).

Promises: it serves what it has from the first moment on; the document for the next epoch is made in the second half of
this one; while this epoch has none, it tries to make one and asks the others whether they have. Whatever is missing
(nodes, other authorities, a majority of them) it goes on trying, and recovers without help.
"""

from __future__ import annotations

from typing import Any

import trio

from directory.allowlist import AllowList
from directory.archive import Archive
from directory.config import AuthorityConfig
from directory.desk import Desk
from directory.gossip import Gossip
from directory.ledger import FileStore, Ledger, MemoryStore
from directory.registry import Registry
from directory.rounds import Rounds
from directory.schedule import Plan, late, regular
from directory.voting import step_count
from mixnet.clock import Clock
from mixnet.counters import Counters, Dropped, Event, Published
from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.link import LinkEvent, LinkLimits, Role, serve_links
from mixnet.log import Entry, Log
from mixnet.network import Address, Network
from mixnet.pki.bootstrap import AuthorityInfo
from mixnet.pki.fetch import Caller
from mixnet.pki.requests import NEWEST
from mixnet.pki.views import timeless_untrusted
from mixnet.pki.waiting import Backoff, Bell, sleep_until
from mixnet.randomness import Source
from mixnet.status import SOCKET_NAME, process_figures, serve_status

_LIMITS = LinkLimits(per_peer=6)  # another authority may ask in two rounds at once, and reconnect in both
_COUNTED = {
    LinkEvent.FULL: Dropped.CONNECTION_LIMIT,
    LinkEvent.BUSY: Dropped.CONNECTION_LIMIT,
    LinkEvent.HANDSHAKE_TIMEOUT: Dropped.HANDSHAKE,
    LinkEvent.HANDSHAKE_FAILED: Dropped.HANDSHAKE,
    LinkEvent.NOT_ADMITTED: Dropped.HANDSHAKE,
    LinkEvent.HOSTILE: Dropped.REQUEST,
}


async def serve(
    config: AuthorityConfig,
    *,
    network: Network,
    clock: Clock,
    rng: Source,
    counters: Counters | None = None,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Be an authority until cancelled; started with the address once it listens. Unavailable if it can't listen."""
    authority = Authority(config, network=network, clock=clock, rng=rng, counters=counters or Counters())
    async with trio.open_nursery() as nursery:
        address = await nursery.start(authority.listen)
        if config.data_dir is not None:
            await nursery.start(authority.report)
        task_status.started(address)
        await authority.live()


class Authority:
    """The parts of one authority, and how they work together."""

    def __init__(
        self, config: AuthorityConfig, *, network: Network, clock: Clock, rng: Source, counters: Counters
    ) -> None:
        """Remember what the ledger holds; LocalError if this authority is not in the bootstrap file."""
        trust = self._trust = config.bootstrap
        if config.identity.public not in trust.identities:
            raise LocalError("this authority's key is not in the bootstrap file: use the key file that belongs to it")
        self._config = config
        self._network = network
        self._clock = clock
        self._random = rng.stream("directory")
        self._counters = counters
        self._log = Log(config.log_file)
        self._bell = Bell()
        self._ledger = Ledger(MemoryStore() if config.data_dir is None else FileStore(config.data_dir))
        self._archive = Archive(trust, self._ledger)
        self._allowed = AllowList(config.approved, config.data_dir)
        self._registry = Registry(trust.network_id, self._allowed.current())
        self._caller = Caller(trust, network, identity=config.identity, role=Role.AUTHORITY, source=config.source)
        self._steps = step_count(len(trust.authorities))
        self._rounds = Rounds(
            trust,
            identity=config.identity,
            parameters=config.parameters,
            clock=clock,
            rng=rng.child("rounds"),
            caller=self._caller,
            archive=self._archive,
            registry=self._registry,
            ledger=self._ledger,
            bell=self._bell,
            counters=counters,
            complete_until=clock.now() + config.startup_wait,
            refresh=self._refresh,
        )
        self._desk = Desk(
            trust,
            clock=clock,
            archive=self._archive,
            registry=self._registry,
            ledger=self._ledger,
            rounds=self._rounds.held,
            bell=self._bell,
            counters=counters,
            refresh=self._refresh,
        )

        self._gossip = Gossip(
            trust,
            me=config.identity.public,
            clock=clock,
            archive=self._archive,
            ledger=self._ledger,
            caller=self._caller,
        )

    def _refresh(self) -> None:
        """Go by the operator's latest decisions about nodes."""
        allowed = self._allowed.current()
        if allowed != self._registry.approved:
            self._registry.approve(allowed)
            self._bell.ring()

    # What others see.

    async def listen(self, *, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer questions until cancelled."""
        await serve_links(
            self._network,
            Address.parse(self._config.address),
            self._desk.serve,
            identity=self._config.identity,
            role=Role.AUTHORITY,
            network_id=self._trust.network_id,
            admit=self._desk.admit,
            limits=_LIMITS,
            count=self._count,
            task_status=task_status,
        )

    async def report(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell the operator on the status socket until cancelled."""
        if self._config.data_dir is None:
            raise LocalError("an authority without a folder has no status socket")
        published = Published(self._counters)
        await serve_status(
            self._config.data_dir / SOCKET_NAME,
            self.snapshot,
            metrics=lambda: published.text(trio.current_time()),
            task_status=task_status,
        )

    def snapshot(self) -> dict[str, Any]:
        """How this authority is, for its operator."""
        present = self._present()
        return {
            **self._counters.snapshot(),
            **process_figures(),
            "role": "authority",
            "layer": None,
            "identity": self._config.identity.public.hex()[:16],
            "epoch": present,
            "ready": present in self._archive,
            "signatures": self._archive.signatures(present),
            "document_epoch": self._archive.newest(present + 1),
            "approved": len(self._registry.approved),
            "descriptors": len(self._registry.ballot(present)),
            "problem": self._allowed.problem or ("" if present in self._archive else self._rounds.problem),
            "absent": [identity.hex()[:16] for identity in sorted(self._rounds.absent)],
            "suspects": [identity.hex()[:16] for identity in sorted(self._rounds.suspects | self._gossip.suspects)],
            "two_documents": self._gossip.splits,
        }

    def _count(self, label: str) -> None:
        event = LinkEvent(label)
        if event is LinkEvent.ACCEPTED:
            self._counters.add(Event.LINKS_ACCEPTED)
        elif event in _COUNTED:
            self._counters.drop(_COUNTED[event])

    # What it does.

    async def live(self) -> None:
        """Make a document for every epoch, until cancelled."""
        self._recall_descriptors()
        self._log.write(Entry.STARTED, role="authority", epoch=self._present())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._make_coming_documents)
            nursery.start_soon(self._make_present_documents)
            nursery.start_soon(self._gossip.run)

    def _recall_descriptors(self) -> None:
        for raw in self._ledger.descriptors():
            try:
                self._registry.take_untrusted(raw, self._present())
            except RemoteError:
                continue  # of a past epoch, or of a node that is no longer approved

    async def _make_coming_documents(self) -> None:
        """The regular round, in each epoch for the next."""
        epochs = self._trust.epochs
        while True:
            coming = max(self._present(), -1) + 1
            plan = regular(epochs, coming, self._steps)
            joinable = self._clock.now() < plan.collect_until
            if coming > 0 and coming not in self._archive and joinable:
                await self._rounds.hold(plan)
                self._tell(coming)
            await sleep_until(self._clock, epochs.start(coming))

    async def _make_present_documents(self) -> None:
        """Late rounds while the present epoch has no document; the others are asked for it at the same time."""
        epochs = self._trust.epochs
        last: Plan | None = None
        while True:
            present = self._present()
            if present in self._archive:
                await sleep_until(self._clock, epochs.end(present))
                continue
            plan = late(epochs, self._clock.now(), self._steps, last)
            self._rounds.caught_up = False
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._catch_up, max(present, 0), nursery.cancel_scope)
                await self._rounds.hold(plan)
                last = plan
                nursery.cancel_scope.cancel()
            self._tell(plan.epoch)

    async def _catch_up(self, epoch: int, found: trio.CancelScope) -> None:
        """Ask the other authorities for the document of `epoch` until one has it; then cancel `found`."""
        backoff = Backoff(self._random, first=0.5, most=10.0)
        while True:
            async with trio.open_nursery() as nursery:
                for authority in self._trust.authorities:
                    if authority.identity != self._config.identity.public:
                        nursery.start_soon(self._ask_for_newest, authority)
            self._rounds.caught_up = True
            self._bell.ring()
            if epoch in self._archive:
                found.cancel()
            await backoff.pause()

    async def _ask_for_newest(self, authority: AuthorityInfo) -> None:
        """Take the newest document that another one has: if it has expired, the next one continues it all the same."""
        try:
            raw = await self._caller.document(authority, NEWEST)
            document = None if raw is None else timeless_untrusted(raw, self._trust)
            if raw is not None and document is not None and document.epoch <= self._present() + 1:
                self._archive.adopt(document, raw)
                self._bell.ring()
        except (RemoteError, Unavailable):
            return

    def _tell(self, epoch: int) -> None:
        if epoch in self._archive:
            self._log.write(Entry.NEW_EPOCH, epoch=epoch, signatures=self._archive.signatures(epoch))
        else:
            self._log.write(Entry.RETRYING, epoch=epoch, problem=self._rounds.problem)

    def _present(self) -> int:
        return self._trust.epochs.at(self._clock.now())
