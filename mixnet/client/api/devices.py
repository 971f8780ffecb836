"""The user's other devices: their commands, and `Connection.devices`.

text = await home.devices.link("phone")
await phone.devices.accept(text)
await phone.devices.wait_linked()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixnet.client.api.command import Access, Asks, Command, Number, wait_for
from mixnet.client.model.views import DeviceInfo, DeviceRole, DeviceState
from mixnet.errors import RemoteError

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi


class LinkDevice(Command[str], frozen=True, tag="device_link"):
    """-> the text of a single-use invitation for another device of the user.

    The device is called `name` (nil: as its profile is).
    """

    name: str | None = None

    async def run(self, daemon: DaemonApi) -> str:
        return (await daemon.visit(daemon.devices.linking.invite, self.name, daemon.now())).encode()


class AcceptDevice(Command[DeviceInfo], frozen=True, tag="device_accept"):
    """-> the home device, which made the invitation, and of which this profile, a new one, becomes a satellite."""

    invitation: str

    async def run(self, daemon: DaemonApi) -> DeviceInfo:
        return await daemon.visit(daemon.devices.linking.accept, self.invitation, daemon.now())


class Devices(Command[list[DeviceInfo]], frozen=True, tag="devices"):
    """-> all other devices, oldest first: on a satellite, the home."""

    async def run(self, daemon: DaemonApi) -> list[DeviceInfo]:
        return await daemon.read(daemon.devices.all)


class RevokeDevice(Command[DeviceInfo], frozen=True, tag="device_revoke"):
    """-> the satellite, which is not heard or told anything more, under another name. At home only."""

    device: str

    async def run(self, daemon: DaemonApi) -> DeviceInfo:
        return await daemon.visit(daemon.devices.linking.revoke, self.device, daemon.now())


class RenameDevice(Command[DeviceInfo], frozen=True, tag="device_rename"):
    """-> the device, under its new name, here only."""

    device: str
    name: str

    async def run(self, daemon: DaemonApi) -> DeviceInfo:
        return await daemon.visit(daemon.devices.rename, self.device, self.name)


class FetchFile(Command[None], frozen=True, tag="device_fetch"):
    """-> nothing; on a satellite, the file of the message is on its way here from the home device.

    The message has its `path` once it is here.
    """

    number: Number

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.devices.fetch, self.number)


class DeviceAccess(Access):
    """What a program may ask about the user's other devices."""

    link = Asks(LinkDevice)
    accept = Asks(AcceptDevice)

    async def wait_linked(self, *, history: bool = False) -> DeviceInfo:
        """On a satellite: return once the home has answered, and with `history` once all that it has is here too."""
        while True:
            change = await self._next_change()
            home = next((one for one in await self.all() if one.role is DeviceRole.HOME), None)
            if home is None or home.state in (DeviceState.EXPIRED, DeviceState.REVOKED):
                raise RemoteError("the link to the home device is gone: make another invitation there")
            if home.state is DeviceState.LINKED and not (history and home.history):
                return home
            await wait_for(change)

    all = Asks(Devices)
    revoke = Asks(RevokeDevice)
    rename = Asks(RenameDevice)
    fetch = Asks(FetchFile)
