"""What a user's programs can ask about the user's other devices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from client.concurrency.worker import Worker
from client.model.views import DeviceInfo
from mixnet.clock import Clock

if TYPE_CHECKING:
    from client.devices.devices import Devices


class DeviceService:
    """The devices' part of a service."""

    def __init__(
        self, worker: Worker, clock: Clock, devices: Callable[[], Devices], changed: Callable[[], Awaitable[None]]
    ) -> None:
        """`devices` gives them, or raises Unavailable as long as there are none; `changed` tells of what was done."""
        self._worker = worker
        self._clock = clock
        self._devices = devices
        self._changed = changed

    async def link(self, name: str | None) -> str:
        """The text of an invitation for a device that will be called `name`."""
        invitation = await self._worker.call(self._devices().linking.invite, name, self._clock.now())
        return invitation.encode()

    async def accept(self, invitation: str) -> DeviceInfo:
        """Become a satellite of the profile that made the invitation."""
        home = await self._worker.call(self._devices().linking.accept, invitation, self._clock.now())
        await self._changed()
        return home

    async def all(self) -> list[DeviceInfo]:
        """The other devices, oldest first."""
        return await self._worker.call(self._devices().all)

    async def revoke(self, name: str) -> DeviceInfo:
        """Hear nothing more from a device, and send it nothing more."""
        revoked = await self._worker.call(self._devices().linking.revoke, name, self._clock.now())
        await self._changed()
        return revoked

    async def rename(self, name: str, new_name: str) -> DeviceInfo:
        """Call a device by another name, here only."""
        renamed = await self._worker.call(self._devices().rename, name, new_name)
        await self._changed()
        return renamed

    async def fetch(self, number: int) -> None:
        """Bring the file of a message here from the home device."""
        await self._worker.call(self._devices().fetch, number)
        await self._changed()
