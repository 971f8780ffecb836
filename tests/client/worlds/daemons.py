"""Whole daemons in a town, in virtual time, and one daemon without a network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from mixnet.benchmarks.simulation import virtual
from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.server import serve_api
from mixnet.client.cli import daemon
from mixnet.client.model import paths
from mixnet.client.profile import lock
from tests.client.worlds.service import make_service
from tests.client.worlds.town import Town


async def befriend(alice: Connection, bob: Connection) -> None:
    await bob.accept(await alice.invite(), "alice")
    await bob.wait_established("alice")
    await alice.wait_established("bob")


async def wait_for(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():
        await trio.sleep(0.5)


def play(
    program: Callable[[Town, trio.Nursery], Awaitable[None]], town: Town | None = None, hours: float = 1.0
) -> Town:
    """Run a town and a program in it, for at most so many hours of virtual time."""
    town = town or Town(3)

    async def run() -> None:
        with trio.fail_after(3600 * hours):
            async with trio.open_nursery() as nursery:
                await nursery.start(town.run)
                await program(town, nursery)
                nursery.cancel_scope.cancel()

    virtual.run(run, seed=1)
    return town


@asynccontextmanager
async def daemon_of(network: Path, name: str):
    """A daemon without a network, and a way to look at it that is not the command's."""
    directory = network / "clients" / name
    await daemon.init(name, folder=network)
    service = make_service(name=name)
    with lock.hold(directory / paths.LOCK):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_api, directory / paths.API_SOCKET, service)
            yield Connection(DirectChannel(service))
            nursery.cancel_scope.cancel()
