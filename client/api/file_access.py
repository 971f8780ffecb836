"""Files on their way, in and out, from Python: `Connection.files`.

for transfer in await me.files.under_way():
    print(transfer.message.text, transfer.done, transfer.message.size, transfer.rate, transfer.left)
await me.files.wait(number)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio

from client.api import file_commands
from client.model.views import DeviceInfo, DeviceRole, Leg, MessageState, Transfer
from mixnet.errors import RemoteError, Unavailable

LOOK_AGAIN = 5.0  # seconds after which a waiting program looks even if nothing was announced
_OVER = (MessageState.DELIVERED, MessageState.READ, MessageState.RECEIVED)


class NotComplete(Unavailable):
    """The file did not come across: its sender or receiver gave it up. Send it again, or ask for it again."""


class FileAccess:
    """What a program may ask about files on their way."""

    def __init__(
        self,
        asker: Callable[..., Awaitable[Any]],
        next_change: Callable[[], Awaitable[trio.Event]],
        devices: Callable[[], Awaitable[list[DeviceInfo]]],
    ) -> None:
        """Ask through a connection."""
        self._ask = asker
        self._next_change = next_change
        self._devices = devices

    async def under_way(self) -> list[Transfer]:
        """All files that are coming in or going out, oldest first."""
        found: list[Transfer] = []
        while page := _transfers(await self._ask(file_commands.Files, after=found[-1].message.id if found else 0)):
            found += page
        return found

    async def one(self, number: int) -> Transfer:
        """How far the file of a message is, on its way or not; LocalError if it is a text."""
        return _transfers([await self._ask(file_commands.FileOf, number=number)])[0]

    async def wait(self, number: int, on_change: Callable[[Transfer], None] = lambda _: None) -> Transfer:
        """Return once the file is here, or at the contact if it is ours; NotComplete if it never will be.

        `on_change` sees how far it is now, and again whenever something happened to it.
        """
        while True:
            change = await self._next_change()
            transfer = await self.one(number)
            on_change(transfer)
            if transfer.message.state is MessageState.FAILED:
                raise NotComplete(f"file {number} did not come across: {transfer.message.error}")
            if transfer.message.state in _OVER and transfer.leg is Leg.CONTACT:
                return transfer
            await _wait(change)

    async def wait_fetched(self, number: int, on_change: Callable[[Transfer], None] = lambda _: None) -> Transfer:
        """On a satellite that fetches a file: return once it is here; NotComplete if the home won't send it."""
        began = False
        while True:
            change = await self._next_change()
            problem = next((one.problem for one in await self._devices() if one.role is DeviceRole.HOME), "")
            transfer = await self.one(number)
            on_change(transfer)
            if transfer.message.path:
                return transfer
            if problem or (began and transfer.leg is not Leg.HOME):
                raise NotComplete(f"file {number} is not here: {problem or 'your home device gave it up: try again'}")
            began = transfer.leg is Leg.HOME
            await _wait(change)

    async def changes(self, on_change: Callable[[list[Transfer]], None]) -> None:
        """Show all files on their way now, and again whenever something happens, for ever."""
        while True:
            change = await self._next_change()
            on_change(await self.under_way())
            await _wait(change)


async def _wait(change: trio.Event) -> None:
    with trio.move_on_after(LOOK_AGAIN):
        await change.wait()


def _transfers(value: Any) -> list[Transfer]:
    try:
        return msgspec.convert(value, list[Transfer])
    except msgspec.ValidationError:
        raise RemoteError("the daemon is of another version: stop it and start it again") from None
