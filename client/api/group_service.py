"""What a user's programs can ask about groups (spec/07-client.md 7.17): the groups' part of a service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from client.concurrency.worker import Worker
from client.model.errors import HomeSilent
from client.model.group_views import GroupInfo, PendingRequest
from mixnet.clock import Clock

if TYPE_CHECKING:
    from client.devices.devices import Devices

PATIENCE = 120.0  # seconds for which a satellite waits until its home has changed a group


class GroupService:
    """Each verb is one visit to the messenger, and stored when it returns."""

    def __init__(
        self,
        worker: Worker,
        clock: Clock,
        devices: Callable[[], Devices],
        changed: Callable[[], Awaitable[None]],
        next_change: Callable[[], trio.Event],
    ) -> None:
        """`devices` gives them, or raises Unavailable; `changed` tells everybody and looks for what is to be sent.

        `next_change` is what is set when something happens after it.
        """
        self._worker, self._clock, self._devices, self._changed = worker, clock, devices, changed
        self._next_change = next_change

    async def all(self) -> list[GroupInfo]:
        """All groups, oldest first."""
        return await self._worker.call(self._devices().user.groups.list)

    async def do(self, verb: str, group: str, *arguments: str) -> GroupInfo:
        """One of the verbs of client/groups/groups.py; the group after it.

        On a satellite, when the home has done it; RefusedAtHome, HomeSilent if it has not answered in time.
        """
        groups = self._devices().user.groups
        if verb == "show":
            return await self._worker.call(groups.show, group)
        verbs: dict[str, Callable[..., GroupInfo | PendingRequest]] = {
            "create": groups.create,
            "invite": groups.invite,
            "accept": groups.accept,
            "leave": groups.leave,
            "remove": groups.remove,
            "promote": groups.promote,
            "demote": groups.demote,
            "rename": groups.rename,
        }
        done = await self._worker.call(verbs[verb], group, *arguments, self._clock.now())
        await self._changed()
        return await self._answered(done) if isinstance(done, PendingRequest) else done

    async def _answered(self, asked: PendingRequest) -> GroupInfo:
        with trio.move_on_after(PATIENCE):
            while True:
                change = self._next_change()
                group = await self._worker.call(self._devices().pending.outcome, asked)
                if group is not None:
                    return group
                await change.wait()
        raise HomeSilent

    async def send(self, group: str, text: str, expires: float | None = None) -> int:
        """Queue a text for all members, for at most `expires` seconds; its number."""
        number = await self._worker.call(self._devices().user.groups.send, group, text, self._clock.now(), expires)
        await self._changed()
        return number

    async def readers(self, number: int) -> list[str]:
        """Who has read a text of ours."""
        return await self._worker.call(self._devices().user.groups.reading.readers, number)
