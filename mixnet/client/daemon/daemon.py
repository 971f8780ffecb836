"""The client's daemon as an actor: waits for a document, then runs all parts until it is stopped.

Promises: cover traffic runs from start to end, whatever the user does; all that is received is stored before it is
acknowledged. A daemon without a valid directory document tells what it waits for, goes on trying for ever, and begins
by itself when there is one. The same actor is a real process (`python -m mixnet.client`), with its store in a worker
thread, and one of many in virtual time, where nothing waits on a thread and a profile without a folder serves no
socket.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf

import trio

from mixnet.client.api import archive
from mixnet.client.api.daemon_api import PATIENCE, DaemonApi
from mixnet.client.api.events import EventBus
from mixnet.client.api.server import serve_api
from mixnet.client.concurrency.lasting import Lasting
from mixnet.client.concurrency.worker import InlineWorker, Worker
from mixnet.client.daemon.wiring import Assembly, DirectoryParts, Surroundings, directory_parts, messenger_settings
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model import paths
from mixnet.client.model.destination import Destination, Home
from mixnet.client.profile.keys import Keys
from mixnet.client.profile.profile import Profile
from mixnet.client.storage.database import Store, is_of_store
from mixnet.client.traffic.routes import Map
from mixnet.client.traffic.surb_maker import SurbFactory
from mixnet.client.traffic.timestamping import Submitter
from mixnet.clock import Clock
from mixnet.errors import Unavailable
from mixnet.network import Network
from mixnet.pki.agreed_clock import AgreedClock
from mixnet.pki.document import SKEW_SHARE, Document
from mixnet.pki.errors import NoDocument
from mixnet.pki.parameters import Parameters
from mixnet.pki.topology import sample_provider
from mixnet.randomness import Source
from mixnet.sphinx import Engine
from mixnet.status import SOCKET_NAME as STATUS_SOCKET
from mixnet.status import serve_status

_PROVIDER = "provider"
_SWEEP_PAUSE = 3600.0  # seconds between deletions while there is no document


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
    tell: Callable[[str], None] = lambda _problem: None,
    task_status: trio.TaskStatus[DaemonApi] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled or told to stop.

    `worker` says where the store is used, and `hash_worker` where what takes a second is computed: in place by default.
    `tell` hears which tasks failed and begin anew; what can't be mended so is raised.
    `started` gives the user's side, once there is a document, or after PATIENCE seconds; its sockets listen from the
    first moment on.
    """
    lasting = Lasting(is_of_store, tell)
    agreed = AgreedClock(clock, SKEW_SHARE * profile.bootstrap.epoch_length)
    around = Surroundings(
        profile, network, agreed, rng, engine, store, worker or InlineWorker(), hash_worker or InlineWorker(), lasting
    )
    directory = await directory_parts(around)
    api = DaemonApi(
        name=profile.name,
        worker=around.worker,
        clock=agreed,
        event_bus=EventBus(),
        lasting=lasting,
        problem=lambda: directory.keeper.problem,
    )
    async with trio.open_nursery() as nursery:
        if profile.directory is not None:
            await lasting.start(nursery, partial(serve_api, profile.file(paths.API_SOCKET), api))
            await lasting.start(nursery, partial(serve_status, profile.file(STATUS_SOCKET), api.snapshot))
        nursery.start_soon(_serve_client, around, directory, api)
        with trio.move_on_after(PATIENCE):
            await _either(api.opened, api.stopping)
        task_status.started(api)
        await api.stopping.wait()
        nursery.cancel_scope.cancel()


async def _serve_client(around: Surroundings, directory: DirectoryParts, api: DaemonApi) -> None:
    """Wait for a document, however long that takes; then be a client."""
    keeper, lasting = directory.keeper, around.lasting
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as waiting:
            waiting.start_soon(_forget_meanwhile, around, directory)
            await lasting.start(nursery, keeper.run)
            waiting.cancel_scope.cancel()
        provider = await around.worker.call(_registered, around, keeper.current)
        assembly = Assembly(around, directory, provider, api.event_bus)
        assembly.open(api)
        nursery.start_soon(lasting.run, archive.sweep_regularly, api)
        queries, rng = assembly.provider_queries, around.rng.stream("witnesses")
        submitter = Submitter(assembly.timestamps, around.worker, queries, keeper, directory.trust, rng, provider)
        nursery.start_soon(lasting.run, submitter.find_witnesses, api.signed)
        await assembly.serve()


async def _forget_meanwhile(around: Surroundings, directory: DirectoryParts) -> None:
    """Delete what is past its period, once the machine's clock is believed without any document."""
    while True:
        if around.clock.past() > -inf:
            await around.worker.call(_sweep, around, directory.keys, around.clock.past())
        await trio.sleep(_SWEEP_PAUSE)


def _sweep(around: Surroundings, keys: Keys, past: float) -> None:
    """With a messenger that is used for nothing else: what makes packets is never asked."""
    provider = around.store.setting(_PROVIDER)
    if provider is None:  # this profile was never in use
        return
    home = Destination(provider, keys.mailbox.public, keys.sphinx.public)
    me = Home(around.profile.name, around.profile.bootstrap.network_id, home)
    rng = around.rng.stream("no directory")
    surbs = SurbFactory(around.engine, home, _no_network, rng)
    messenger = Messenger(around.store, messenger_settings(around.profile, Parameters()), rng, me, surbs, pauses=rng)
    with suppress(Unavailable):  # the disk refuses: next time
        while messenger.archive.sweep(past):
            pass


def _no_network() -> Map:
    raise NoDocument


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
