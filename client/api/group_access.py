"""Groups from Python: `me.groups` of a connection (spec/07-client.md 7.17)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from client.api import group_commands
from client.model.group_views import GroupInfo
from mixnet.errors import RemoteError


class GroupAccess:
    """What a program may ask about groups. Members are named as the group has them."""

    def __init__(self, asker: Callable[..., Awaitable[Any]]) -> None:
        """Ask through `asker`."""
        self._asker = asker

    async def list(self) -> list[GroupInfo]:
        """All groups, oldest first."""
        return [_group(one) for one in await self._asker(group_commands.Groups)]

    async def show(self, group: str) -> GroupInfo:
        """One group and its members."""
        return _group(await self._asker(group_commands.GroupShow, group=group))

    async def create(self, group: str) -> GroupInfo:
        """A new group, with this profile as its first admin."""
        return _group(await self._asker(group_commands.GroupCreate, group=group))

    async def invite(self, group: str, contact: str) -> GroupInfo:
        """Ask a contact to join."""
        return _group(await self._asker(group_commands.GroupInvite, group=group, contact=contact))

    async def accept(self, group: str) -> GroupInfo:
        """Join a group that a contact invited this profile to."""
        return _group(await self._asker(group_commands.GroupAccept, group=group))

    async def leave(self, group: str) -> GroupInfo:
        """Leave a group, or turn an invitation down."""
        return _group(await self._asker(group_commands.GroupLeave, group=group))

    async def remove(self, group: str, member: str) -> GroupInfo:
        """Put a member out, who reads nothing new from then on."""
        return _group(await self._asker(group_commands.GroupRemove, group=group, member=member))

    async def promote(self, group: str, member: str) -> GroupInfo:
        """Make a member an admin."""
        return _group(await self._asker(group_commands.GroupPromote, group=group, member=member))

    async def demote(self, group: str, member: str) -> GroupInfo:
        """Make an admin a plain member."""
        return _group(await self._asker(group_commands.GroupDemote, group=group, member=member))

    async def rename(self, group: str, name: str) -> GroupInfo:
        """Call a group by another name, for all of its members."""
        return _group(await self._asker(group_commands.GroupRename, group=group, name=name))

    async def send(self, group: str, text: str, *, expires: float | None = None) -> int:
        """Queue a text for all members; its number. It is given up `expires` seconds from now if not all have it."""
        return int(await self._asker(group_commands.GroupSend, group=group, text=text, expires=expires))

    async def readers(self, number: int) -> tuple[str, ...]:
        """The members who have read a text of ours, by name."""
        return tuple(str(name) for name in await self._asker(group_commands.GroupReaders, number=number))


def _group(value: Any) -> GroupInfo:
    try:
        return msgspec.convert(value, GroupInfo)
    except msgspec.ValidationError:
        raise RemoteError("the daemon is of another version: stop it and start it again") from None
