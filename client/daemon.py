"""A client's daemon, from its store to its last slot (SPEC.md section 7).

Promises: cover traffic runs from start to end, whatever the user does; all that is received is stored before it is
acknowledged. The same actor is a real process (`python -m client`), with its store in a worker thread, and one of many
in virtual time, where nothing waits on a thread and a profile without a folder serves no socket.
"""

from __future__ import annotations

import trio

from client import documents, folder
from client.api import serve_api
from client.assembly import Assembly, Surroundings
from client.bell import Bell
from client.desk import Desk, InPlace
from client.keys import load_keys
from client.profile import Profile
from client.requests import Requests
from client.service import Service
from client.store import Store
from mixnet.clock import Clock
from mixnet.errors import Unavailable
from mixnet.network import Network
from mixnet.pki.document import Document
from mixnet.pki.errors import ClockWrong
from mixnet.pki.keeper import CLOCK_WRONG, DocumentKeeper
from mixnet.pki.topology import sample_provider
from mixnet.pki.trust import Trust
from mixnet.pki.views import Views
from mixnet.randomness import Source
from mixnet.sphinx import Engine
from mixnet.status import SOCKET_NAME as STATUS_SOCKET
from mixnet.status import serve_status

FIRST_DOCUMENT = 30.0  # seconds until a start without any valid document is given up
_PROVIDER = "provider"


class NoDirectory(Unavailable):
    """No directory document could be had: check that the network runs, and start again."""


async def serve(
    profile: Profile,
    *,
    network: Network,
    clock: Clock,
    rng: Source,
    engine: Engine,
    store: Store,
    desk: Desk | None = None,
    task_status: trio.TaskStatus[Service] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled or told to stop; `started` gives the user's side, once its sockets listen.

    `desk` says where the store is used: in place by default. Raises NoDirectory if no document can be had at first.
    """
    around = Surroundings(profile, network, clock, rng, engine, store, desk or InPlace())
    async with trio.open_nursery() as nursery:
        assembly = await _assemble(around, nursery)
        if profile.directory is not None:
            await nursery.start(serve_api, profile.file(folder.API_SOCKET), assembly.service)
            await nursery.start(serve_status, profile.file(STATUS_SOCKET), assembly.snapshot)
        nursery.start_soon(assembly.run)
        task_status.started(assembly.service)
        await assembly.service.stopping.wait()
        nursery.cancel_scope.cancel()


async def _assemble(around: Surroundings, nursery: trio.Nursery) -> Assembly:
    """Everything that needs the keys and a document; the document's keeper runs in `nursery` from now on."""
    bell = Bell()
    requests = Requests(bell.ring)
    keys = await around.desk.call(load_keys, around.store)
    trust = Trust(around.profile.bootstrap, await around.desk.call(documents.introductions, around.store))
    views = Views(trust, await around.desk.call(documents.all_evidence, around.store))
    source = documents.Source(
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
        initial=await around.desk.call(documents.kept, around.store),
        memory=documents.StoreMemory(around.store, around.desk),
        views=views,
    )
    await _first_document(nursery, keeper)
    provider = await around.desk.call(_registered, around, keeper.current)
    return Assembly(around, keys=keys, provider=provider, keeper=keeper, requests=requests, bell=bell)


async def _first_document(nursery: trio.Nursery, keeper: DocumentKeeper) -> None:
    """Start the keeper; ClockWrong, or NoDirectory with the reason, if it finds nothing for too long."""
    with trio.move_on_after(FIRST_DOCUMENT):
        await nursery.start(keeper.run)
        return
    if CLOCK_WRONG in keeper.warnings:
        raise ClockWrong(keeper.problem)
    raise NoDirectory(f"{keeper.problem or 'no authority answers'}: check that the network runs, then start again")


def _registered(around: Surroundings, document: Document) -> bytes:
    """The provider that this profile is registered with: chosen once, by its user or at random."""
    chosen = around.store.setting(_PROVIDER)
    if chosen is None:
        chosen = around.profile.provider or sample_provider(document, around.rng.stream("provider")).identity
        around.store.set_setting(_PROVIDER, chosen)
    return chosen
