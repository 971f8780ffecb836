"""One directory authority: takes descriptors, agrees with the others on documents, gives them out.

See spec/05-directory.md 5.7.

Promises: it serves what it has from the first moment on; the document for the next epoch is made in the second half of
this one; while this epoch has none, it tries to make one and asks the others whether they have. Whatever is missing
(nodes, other authorities, a majority of them) it goes on trying, and recovers without help. It votes and signs for the
epochs in which it is an authority; before and after them it follows the documents and answers questions.
"""

from __future__ import annotations

from typing import Any

import trio

from mixnet.clock import Clock
from mixnet.counters import Counters, Dropped, Event, Published
from mixnet.directory.catchup import CatchUp
from mixnet.directory.config import AuthorityConfig
from mixnet.directory.context import AuthorityContext
from mixnet.directory.gossip import Gossip
from mixnet.directory.guests import Guests
from mixnet.directory.requests import RequestHandler
from mixnet.directory.rounds import Rounds
from mixnet.directory.schedule import RoundPlan, late, regular
from mixnet.directory.succession import AuthorityMembership
from mixnet.directory.voting import step_count
from mixnet.errors import LocalError, RemoteError
from mixnet.explain import explain
from mixnet.faults import named
from mixnet.link import LinkEvent, LinkLimits, Role, serve_links
from mixnet.log import Log, LogEntry
from mixnet.network import Address, Network
from mixnet.pki.waiting import sleep_until
from mixnet.randomness import Source
from mixnet.status import SOCKET_NAME, process_figures, serve_status

_PER_PEER = 6  # another authority may ask in two rounds at once, and reconnect in both
_RESERVED = 4  # one place of so many is kept for members
_STRANGER_LIFETIME = 60.0  # seconds: a question takes ten at most
_COUNTED = {
    LinkEvent.FULL: Dropped.CONNECTION_LIMIT,
    LinkEvent.BUSY: Dropped.CONNECTION_LIMIT,
    LinkEvent.DISPLACED: Dropped.CONNECTION_LIMIT,
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
    """Run one authority until cancelled; started with the address once it listens. Unavailable if it can't listen."""
    authority = Authority(config, network=network, clock=clock, rng=rng, counters=counters or Counters())
    try:
        async with trio.open_nursery() as nursery:
            address = await nursery.start(authority.listen)
            if config.data_dir is not None:
                await nursery.start(authority.report)
            task_status.started(address)
            await authority.live()
    except* Exception as error:
        authority.failed(error)
        raise
    finally:
        authority.close()


class Authority:
    """The parts of one authority, and how they work together."""

    def __init__(
        self, config: AuthorityConfig, *, network: Network, clock: Clock, rng: Source, counters: Counters
    ) -> None:
        """Remember what the ledger holds; LocalError if this authority is none, and nobody proposes it."""
        self._config = config
        self._log = Log(config.log_file)
        context = self._context = AuthorityContext(config, network=network, clock=clock, rng=rng, counters=counters)
        self._succession, self._trust, self._archive = context.succession, context.trust, context.archive
        self._clock = context.clock
        self._membership = AuthorityMembership.SERVING
        self._catch_up = CatchUp(context)
        self._rounds = Rounds(context)
        self._guests = Guests(context, config.stranger_rate)
        self._requests = RequestHandler(context, self._rounds.held, self._guests)
        self._gossip = Gossip(context)

    # What others see.

    async def listen(self, *, task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer questions until cancelled."""
        places = self._config.connection_limit
        limits = LinkLimits(
            connections=places,
            reserved=places // _RESERVED,
            per_peer=_PER_PEER,
            turnover=True,
            stranger_lifetime=_STRANGER_LIFETIME,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._guests.run)
            await serve_links(
                self._context.network,
                Address.parse(self._config.address),
                self._requests.serve,
                identity=self._config.identity,
                role=Role.AUTHORITY,
                network_id=self._trust.network_id,
                admit=self._requests.admit,
                limits=limits,
                known=self._guests.acquaintances,
                count=self._count,
                task_status=task_status,
            )

    def failed(self, error: Exception) -> None:
        """Leave a line in the log about what ends it."""
        self._log.write(LogEntry.FAILED, problem=explain(error) or named(error))

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    async def report(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell the operator on the status socket until cancelled."""
        if self._config.data_dir is None:
            raise LocalError("an authority without a folder has no status socket")
        published = Published(self._context.counters)
        await serve_status(
            self._config.data_dir / SOCKET_NAME,
            self.snapshot,
            metrics=lambda: published.text(trio.current_time()),
            task_status=task_status,
        )

    def snapshot(self) -> dict[str, Any]:
        """How this authority is, for its operator."""
        present, proposed = self._context.present(), self._succession.proposed
        return {
            **self._context.counters.snapshot(),
            **process_figures(),
            "role": "authority",
            "layer": None,
            "identity": self._config.identity.public.hex()[:16],
            "epoch": present,
            "ready": present in self._archive,
            "signatures": self._archive.signatures(present),
            "document_epoch": self._archive.newest(present + 1),
            "approved": len(self._context.registry.approved),
            "descriptors": len(self._context.registry.ballot(present)),
            "problem": self._problem(present),
            "office": str(self._succession.membership(present)),
            "successors_from": self._trust.newest.first_epoch if self._trust.newest.first_epoch > present else None,
            "proposed_from": None if proposed is None else proposed.first_epoch,
            "absent": [identity.hex()[:16] for identity in sorted(self._rounds.absent)],
            "suspects": [identity.hex()[:16] for identity in sorted(self._rounds.suspects | self._gossip.suspects)],
            "two_documents": self._gossip.splits,
        }

    def _problem(self, present: int) -> str:
        of_round = "" if present in self._archive else self._rounds.problem
        return self._context.allowed.problem or self._succession.problem(present) or of_round

    def _count(self, event: LinkEvent) -> None:
        if event is LinkEvent.ACCEPTED:
            self._context.counters.add(Event.LINKS_ACCEPTED)
        elif event in _COUNTED:
            self._context.counters.drop(_COUNTED[event])

    # What it does.

    async def live(self) -> None:
        """Make a document for every epoch, until cancelled."""
        self._recall_descriptors()
        self._log.write(LogEntry.STARTED, role="authority", epoch=self._context.present())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._make_coming_documents)
            nursery.start_soon(self._make_present_documents)
            nursery.start_soon(self._gossip.run)

    def _recall_descriptors(self) -> None:
        for raw in self._context.ledger.descriptors():
            try:
                self._context.registry.take_untrusted(raw, self._context.present())
            except RemoteError:
                continue  # of a past epoch, or of a node that is no longer approved

    async def _make_coming_documents(self) -> None:
        """The regular round, in each epoch for the next, if this authority is one then."""
        epochs = self._trust.epochs
        while True:
            coming = max(self._context.present(), -1) + 1
            if coming > 0 and await self._has_part_in(coming):
                await self._rounds.hold(regular(epochs, coming, self._steps(coming)))
                self._tell(coming)
            await sleep_until(self._clock, epochs.start(coming))

    async def _has_part_in(self, coming: int) -> bool:
        """Whether this authority takes part in the regular round, as is known when that opens or collects."""
        plan = regular(self._trust.epochs, coming, self._steps(coming))
        await sleep_until(self._clock, plan.opens)
        with trio.move_on_after(max(plan.collect_until - self._clock.now(), 0.0)):
            while not self._succession.serves(coming):
                await self._context.changed.wait()
        joinable = self._clock.now() < plan.collect_until
        return joinable and coming not in self._archive and self._succession.serves(coming)

    async def _make_present_documents(self) -> None:
        """Late rounds while the present epoch has no document; the others are asked for it at the same time."""
        epochs = self._trust.epochs
        last: RoundPlan | None = None
        while True:
            present = self._context.present()
            self._tell_membership(present)
            if present in self._archive:
                await sleep_until(self._clock, epochs.end(present))
                continue
            plan = late(epochs, self._clock.now(), self._steps, last)
            self._rounds.caught_up = False
            async with trio.open_nursery() as nursery:
                wanted = max(present, 0)
                nursery.start_soon(self._catch_up.run, wanted, self._rounds.note_caught_up, nursery.cancel_scope)
                if self._succession.serves(plan.epoch):
                    await self._rounds.hold(plan)
                    last = plan
                else:
                    await sleep_until(self._clock, epochs.end(wanted))
                nursery.cancel_scope.cancel()
            self._tell(plan.epoch)

    def _steps(self, epoch: int) -> int:
        return step_count(len(self._trust.at(epoch).authorities))

    def _tell(self, epoch: int) -> None:
        if not self._succession.serves(epoch):
            return  # whoever only follows has nothing to tell
        if epoch in self._archive:
            self._log.write(LogEntry.NEW_EPOCH, epoch=epoch, signatures=self._archive.signatures(epoch))
        else:
            self._log.write(LogEntry.RETRYING, epoch=epoch, problem=self._rounds.problem)

    def _tell_membership(self, present: int) -> None:
        """Say once that this authority was replaced, or is not one yet."""
        membership = self._succession.membership(present)
        if membership is not self._membership and membership is not AuthorityMembership.SERVING:
            self._log.write(LogEntry.WARNING, epoch=present, problem=self._succession.problem(present))
        self._membership = membership
