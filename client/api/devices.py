"""The user's other devices: their commands, and `Connection.devices`.

text = await home.devices.link("phone")
await phone.devices.accept(text)
await phone.devices.wait_linked()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.api.command import Access, Command, Number, wait_for
from client.model.views import DeviceInfo, DeviceRole, DeviceState
from mixnet.errors import RemoteError

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class LinkDevice(Command[str], frozen=True, tag="device_link"):
    """-> the text of an invitation for another device, called `name` (nil: as its profile is)."""

    name: str | None = None

    async def run(self, daemon: DaemonApi) -> str:
        return (await daemon.visit(daemon.devices.linking.invite, self.name, daemon.now())).encode()


class AcceptDevice(Command[DeviceInfo], frozen=True, tag="device_accept"):
    """-> the home device, of which this profile becomes a satellite."""

    invitation: str

    async def run(self, daemon: DaemonApi) -> DeviceInfo:
        return await daemon.visit(daemon.devices.linking.accept, self.invitation, daemon.now())


class Devices(Command[list[DeviceInfo]], frozen=True, tag="devices"):
    """-> all other devices."""

    async def run(self, daemon: DaemonApi) -> list[DeviceInfo]:
        return await daemon.read(daemon.devices.all)


class RevokeDevice(Command[DeviceInfo], frozen=True, tag="device_revoke"):
    """-> the device, now revoked and under another name."""

    device: str

    async def run(self, daemon: DaemonApi) -> DeviceInfo:
        return await daemon.visit(daemon.devices.linking.revoke, self.device, daemon.now())


class RenameDevice(Command[DeviceInfo], frozen=True, tag="device_rename"):
    """-> the device, under its new name."""

    device: str
    name: str

    async def run(self, daemon: DaemonApi) -> DeviceInfo:
        return await daemon.visit(daemon.devices.rename, self.device, self.name)


class FetchFile(Command[None], frozen=True, tag="device_fetch"):
    """-> nothing; the file of the message is on its way here from the home device."""

    number: Number

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.devices.fetch, self.number)


class DeviceAccess(Access):
    """What a program may ask about the user's other devices."""

    async def link(self, name: str | None = None) -> str:
        """The text of a single-use invitation for another device of the user, called `name` (None: as its profile)."""
        return await self._ask(LinkDevice(name=name))

    async def accept(self, invitation: str) -> DeviceInfo:
        """Make this profile, which must be new, a satellite of the one that made the invitation."""
        return await self._ask(AcceptDevice(invitation=invitation))

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

    async def all(self) -> list[DeviceInfo]:
        """The other devices, oldest first: on a satellite, the home."""
        return await self._ask(Devices())

    async def revoke(self, device: str) -> DeviceInfo:
        """At home: hear nothing more from a satellite, and send it nothing more."""
        return await self._ask(RevokeDevice(device=device))

    async def rename(self, device: str, name: str) -> DeviceInfo:
        """Call a device by another name, here only."""
        return await self._ask(RenameDevice(device=device, name=name))

    async def fetch(self, number: int) -> None:
        """On a satellite: bring the file of a message here; `Connection.message` has its `path` once it is here."""
        await self._ask(FetchFile(number=number))
