"""What a daemon answers its callers with, without a daemon and without a network."""

import random
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import trio

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.daemon_api import DaemonApi
from mixnet.client.api.events import EventBus
from mixnet.client.api.server import serve_api
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.model import paths
from mixnet.client.model.destination import Destination, Home
from mixnet.client.storage.database import Store
from mixnet.clock import WallClock
from mixnet.crypto import SymmetricKey
from tests.client.worlds.channel import messenger_and_devices


def make_service(event_bus: EventBus | None = None, name: str = "alice") -> DaemonApi:
    store = Store.open(":memory:", SymmetricKey(bytes(32)))
    home = Home(name, bytes(32), Destination(bytes(32), name.ljust(32).encode(), bytes(31) + b"\x09"))
    _, devices = messenger_and_devices(store, MessengerSettings(), random.Random(1), home)
    service = DaemonApi(name=name, worker=InlineWorker(), clock=WallClock(), event_bus=event_bus or EventBus())
    service.open(devices, stir=lambda: None, snapshot=lambda: {"role": "client", "connected": False})
    return service


async def invitation(name: str) -> str:
    """The text of one that somebody else makes."""
    return await Connection(DirectChannel(make_service(name=name))).invite()


@asynccontextmanager
async def served(directory: Path):
    """A service behind a socket in `directory`."""
    (directory / paths.SETTINGS).touch()
    event_bus = EventBus()
    service = make_service(event_bus)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_api, directory / paths.API_SOCKET, service)
        yield SimpleNamespace(service=service, event_bus=event_bus, nursery=nursery)
        nursery.cancel_scope.cancel()
