"""A client's daemon, from its store to its last slot.

Promises: cover traffic runs from start to end, whatever the user does; all that is received is stored before it is
acknowledged. A daemon without a valid directory document tells what it waits for, goes on trying for ever, and begins
by itself when there is one. The same actor is a real process (`python -m client`), with its store in a worker thread,
and one of many in virtual time, where nothing waits on a thread and a profile without a folder serves no socket.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

from client.api.daemon_api import DaemonApi
from client.api.early import PATIENCE
from client.api.events import EventBus
from client.api.server import serve_api
from client.concurrency.wakeup import Wakeup
from client.concurrency.worker import InlineWorker, Worker
from client.daemon.wiring import Assembly, Surroundings
from client.model import paths
from client.profile.keys import Keys, load_keys
from client.profile.profile import Profile
from client.storage.database import Store
from client.traffic import directory_client
from client.traffic.provider_requests import ProviderRequests
from mixnet.clock import Clock
from mixnet.network import Network
from mixnet.pki.document import Document
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.topology import sample_provider
from mixnet.pki.trust import Trust
from mixnet.pki.views import Views
from mixnet.randomness import Source
from mixnet.sphinx import Engine
from mixnet.status import SOCKET_NAME as STATUS_SOCKET
from mixnet.status import serve_status

_PROVIDER = "provider"


async def serve(
    profile: Profile,
    *,
    network: Network,
    clock: Clock,
    rng: Source,
    engine: Engine,
    store: Store,
    worker: Worker | None = None,
    hash_worker: Worker | None = None,
    task_status: trio.TaskStatus[DaemonApi] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled or told to stop.

    `worker` says where the store is used, and `hash_worker` where what takes a second is computed: in place by default.
    `started` gives the user's side, once there is a document, or after PATIENCE seconds; its sockets listen from the
    first moment on.
    """
    around = Surroundings(
        profile, network, clock, rng, engine, store, worker or InlineWorker(), hash_worker or InlineWorker()
    )
    beginning = await _begin(around)
    service = DaemonApi(
        name=profile.name,
        worker=around.worker,
        clock=clock,
        event_bus=EventBus(),
        problem=lambda: beginning.keeper.problem,
    )
    async with trio.open_nursery() as nursery:
        if profile.directory is not None:
            await nursery.start(serve_api, profile.file(paths.API_SOCKET), service)
            await nursery.start(serve_status, profile.file(STATUS_SOCKET), service.snapshot)
        nursery.start_soon(_live, around, beginning, service)
        with trio.move_on_after(PATIENCE):
            await _either(service.opened, service.stopping)
        task_status.started(service)
        await service.stopping.wait()
        nursery.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What there is before the first document."""

    keys: Keys
    trust: Trust
    keeper: DocumentKeeper
    requests: ProviderRequests
    wakeup: Wakeup


async def _begin(around: Surroundings) -> _Beginning:
    wakeup = Wakeup()
    requests = ProviderRequests(wakeup.wake)
    keys = await around.worker.call(load_keys, around.store)
    trust = Trust(around.profile.bootstrap, await around.worker.call(directory_client.introductions, around.store))
    views = Views(trust, await around.worker.call(directory_client.all_evidence, around.store))
    source = directory_client.Source(
        trust=trust,
        network=around.network,
        clock=around.clock,
        rng=around.rng.stream("authorities"),
        requests=requests,
        views=views,
        dial_from=around.profile.source,
    )
    keeper = DocumentKeeper(
        trust,
        source.fetch,
        clock=around.clock,
        rng=around.rng.stream("documents"),
        initial=await around.worker.call(directory_client.kept, around.store),
        memory=directory_client.StoreMemory(around.store, around.worker),
        views=views,
    )
    return _Beginning(keys, trust, keeper, requests, wakeup)


async def _live(around: Surroundings, beginning: _Beginning, service: DaemonApi) -> None:
    """Wait for a document, however long that takes; then be a client."""
    keeper = beginning.keeper
    async with trio.open_nursery() as nursery:
        await nursery.start(keeper.run)
        provider = await around.worker.call(_registered, around, keeper.current)
        assembly = Assembly(
            around,
            keys=beginning.keys,
            provider=provider,
            keeper=keeper,
            requests=beginning.requests,
            wakeup=beginning.wakeup,
            event_bus=service.event_bus,
        )
        assembly.open(service)
        nursery.start_soon(service.archive.sweep_regularly)
        witnesses = around.rng.stream("witnesses")
        nursery.start_soon(
            service.proofs.find_witnesses, assembly.services, keeper, beginning.trust, witnesses, provider
        )
        await assembly.run()


async def _either(*events: trio.Event) -> None:
    """Return when one of them is set."""
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in events:
            nursery.start_soon(wait, event)


def _registered(around: Surroundings, document: Document) -> bytes:
    """The provider that this profile is registered with: chosen once, by its user or at random."""
    chosen = around.store.setting(_PROVIDER)
    if chosen is None:
        chosen = around.profile.provider or sample_provider(document, around.rng.stream("provider")).identity
        around.store.set_setting(_PROVIDER, chosen)
    return chosen
