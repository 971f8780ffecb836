"""Files on their way, in and out: their commands, and `Connection.files`.

for transfer in await me.files.under_way():
    print(transfer.message.text, transfer.done, transfer.message.size, transfer.rate, transfer.left)
await me.files.wait(number)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mixnet.client.api.command import Access, Ask, Asks, Command, Number, wait_for
from mixnet.client.api.devices import Devices
from mixnet.client.api.pages import PAGE, message_size, page
from mixnet.client.model.failures import given_up
from mixnet.client.model.views import DeviceRole, Leg, MessageState, Transfer
from mixnet.errors import Unavailable

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi

_OVER = (MessageState.DELIVERED, MessageState.READ, MessageState.RECEIVED)


class Files(Command[list[Transfer]], frozen=True, tag="files"):
    """-> a page of files on their way with numbers above `after`; ask again after the last one until it is empty."""

    after: Number = 0

    async def run(self, daemon: DaemonApi) -> list[Transfer]:
        found = await daemon.read(daemon.user.files, self.after, PAGE, daemon.now())
        return page(found, lambda transfer: message_size(transfer.message))


class FileOf(Command[Transfer], frozen=True, tag="file"):
    """-> how far the file of a message is, on its way or not; LocalError if it is a text."""

    number: Number

    async def run(self, daemon: DaemonApi) -> Transfer:
        return await daemon.read(daemon.user.transfer, self.number, daemon.now())


class NotComplete(Unavailable):
    """The file was given up by its sender or receiver, or refused; its error says why."""

    exit_status = 1


async def under_way(ask: Ask) -> list[Transfer]:
    """All files that are coming in or going out, oldest first."""
    found: list[Transfer] = []
    while more := await ask(Files(after=found[-1].message.id if found else 0)):
        found += more
    return found


class FileAccess(Access):
    """What a program may ask about files on their way."""

    async def under_way(self) -> list[Transfer]:
        """All files that are coming in or going out, oldest first."""
        return await under_way(self._ask)

    one = Asks(FileOf)

    async def wait(self, number: int, on_change: Callable[[Transfer], None] = lambda _: None) -> Transfer:
        """Return once the file is here, or at the contact if it is ours; NotComplete if it never will be.

        `on_change` sees how far it is now, and again whenever something happened to it.
        """
        while True:
            change = await self._next_change()
            transfer = await self.one(number)
            on_change(transfer)
            if transfer.message.state is MessageState.FAILED:
                raise NotComplete(f"file {number} {given_up(transfer.message)}")
            if transfer.message.state in _OVER and transfer.leg is Leg.CONTACT:
                return transfer
            await wait_for(change)

    async def wait_fetched(self, number: int, on_change: Callable[[Transfer], None] = lambda _: None) -> Transfer:
        """On a satellite that fetches a file: return once it is here; NotComplete if the home won't send it."""
        began = False
        while True:
            change = await self._next_change()
            devices = await self._ask(Devices())
            problem = next((one.problem for one in devices if one.role is DeviceRole.HOME), "")
            transfer = await self.one(number)
            on_change(transfer)
            if transfer.message.path:
                return transfer
            if problem or (began and transfer.leg is not Leg.HOME):
                raise NotComplete(f"file {number} is not here: {problem or 'your home device gave it up: try again'}")
            began = transfer.leg is Leg.HOME
            await wait_for(change)

    async def changes(self, on_change: Callable[[list[Transfer]], None]) -> None:
        """Show all files on their way now, and again whenever something happens, for ever."""
        while True:
            change = await self._next_change()
            on_change(await self.under_way())
            await wait_for(change)
