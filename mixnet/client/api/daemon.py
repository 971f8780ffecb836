"""The commands about the daemon itself, and the part of a connection that asks them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mixnet.client.api.command import Access, Asks, Command
from mixnet.client.api.sockets import ConnectionLost

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi


class Status(Command[dict[str, Any]], frozen=True, tag="status"):
    """-> the daemon's figures."""

    async def run(self, daemon: DaemonApi) -> dict[str, Any]:
        return daemon.snapshot()


class Follow(Command[None], frozen=True, tag="follow"):
    """-> nothing; from now on events come on this connection."""

    async def run(self, daemon: DaemonApi) -> None:
        """The connection begins to follow before it answers: server.py."""


class Stop(Command[None], frozen=True, tag="stop"):
    """-> nothing; the daemon ends."""

    async def run(self, daemon: DaemonApi) -> None:
        daemon.stop()


class DaemonAccess(Access):
    """What a program may ask about the daemon."""

    status = Asks(Status)

    async def stop(self) -> None:
        """End the daemon. Cover traffic ends with it."""
        with suppress(ConnectionLost):  # it may end before its answer is out
            await self._ask(Stop())
