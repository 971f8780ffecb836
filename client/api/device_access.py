"""The user's other devices, from Python: `Connection.devices`.

text = await home.devices.link("phone")
await phone.devices.accept(text)
await phone.devices.wait_linked()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio

from client.api import device_commands
from client.model.views import DeviceInfo, DeviceRole, DeviceState
from mixnet.errors import RemoteError

_LOOK_AGAIN = 5.0  # seconds after which a waiting program looks even if nothing was announced


class DeviceAccess:
    """What a program may ask about the user's other devices."""

    def __init__(self, asker: Callable[..., Awaitable[Any]], next_change: Callable[[], Awaitable[trio.Event]]) -> None:
        """Ask through a connection."""
        self._ask = asker
        self._next_change = next_change

    async def link(self, name: str | None = None) -> str:
        """The text of a single-use invitation for another device of the user, called `name` (None: as its profile)."""
        return str(await self._ask(device_commands.LinkDevice, name=name))

    async def accept(self, invitation: str) -> DeviceInfo:
        """Make this profile, which must be new, a satellite of the one that made the invitation."""
        return _device(await self._ask(device_commands.AcceptDevice, invitation=invitation))

    async def wait_linked(self, *, history: bool = False) -> DeviceInfo:
        """On a satellite: return once the home has answered, and with `history` once all that it has is here too."""
        while True:
            change = await self._next_change()
            home = next((one for one in await self.all() if one.role is DeviceRole.HOME), None)
            if home is None or home.state in (DeviceState.EXPIRED, DeviceState.REVOKED):
                raise RemoteError("the link to the home device is gone: make another invitation there")
            if home.state is DeviceState.LINKED and not (history and home.history):
                return home
            with trio.move_on_after(_LOOK_AGAIN):
                await change.wait()

    async def all(self) -> list[DeviceInfo]:
        """The other devices, oldest first: on a satellite, the home."""
        return [_device(one) for one in await self._ask(device_commands.Devices)]

    async def revoke(self, device: str) -> DeviceInfo:
        """At home: hear nothing more from a satellite, and send it nothing more."""
        return _device(await self._ask(device_commands.RevokeDevice, device=device))

    async def rename(self, device: str, name: str) -> DeviceInfo:
        """Call a device by another name, here only."""
        return _device(await self._ask(device_commands.RenameDevice, device=device, name=name))

    async def fetch(self, number: int) -> None:
        """On a satellite: bring the file of a message here; `Connection.message` has its `path` once it is here."""
        await self._ask(device_commands.FetchFile, number=number)


def _device(value: Any) -> DeviceInfo:
    try:
        return msgspec.convert(value, DeviceInfo)
    except msgspec.ValidationError:
        raise RemoteError("the daemon is of another version: stop it and start it again") from None
