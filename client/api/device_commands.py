"""The requests of the local protocol that are about the user's other devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from client.api.command import Command, Number

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class LinkDevice(Command[Any], frozen=True, tag="device_link"):
    """-> the text of an invitation for another device, called `name` (nil: as its profile is)."""

    name: str | None = None

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.device_service.link(self.name)


class AcceptDevice(Command[Any], frozen=True, tag="device_accept"):
    """-> the home device, of which this profile becomes a satellite."""

    invitation: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.device_service.accept(self.invitation))


class Devices(Command[Any], frozen=True, tag="devices"):
    """-> all other devices."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return [msgspec.to_builtins(device) for device in await service.device_service.all()]


class RevokeDevice(Command[Any], frozen=True, tag="device_revoke"):
    """-> the device, now revoked and under another name."""

    device: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.device_service.revoke(self.device))


class RenameDevice(Command[Any], frozen=True, tag="device_rename"):
    """-> the device, under its new name."""

    device: str
    name: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.device_service.rename(self.device, self.name))


class FetchFile(Command[Any], frozen=True, tag="device_fetch"):
    """-> nothing; the file of the message is on its way here from the home device."""

    number: Number

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        await service.device_service.fetch(self.number)


AnyDeviceCommand = LinkDevice | AcceptDevice | Devices | RevokeDevice | RenameDevice | FetchFile
