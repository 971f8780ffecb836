"""Groups: their commands, and `Connection.groups` (spec/07-client.md 7.17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

import trio

from mixnet.client.api.command import Access, Asks, Command, Number, Seconds
from mixnet.client.model.errors import HomeSilent
from mixnet.client.model.group_views import GroupInfo, PendingRequest

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi

PATIENCE = 120.0  # seconds for which a satellite waits until its home has changed a group
P = ParamSpec("P")


async def _change(
    daemon: DaemonApi, verb: Callable[P, GroupInfo | PendingRequest], *args: P.args, **kwargs: P.kwargs
) -> GroupInfo:
    """The group after one of the verbs that change it.

    On a satellite, when the home has done it; RefusedAtHome, HomeSilent if it has not answered in time.
    """
    done = await daemon.visit(verb, *args, **kwargs)
    if isinstance(done, GroupInfo):
        return done
    with trio.move_on_after(PATIENCE):
        while True:
            change = daemon.event_bus.next_change()
            group = await daemon.read(daemon.devices.pending.outcome, done)
            if group is not None:
                return group
            await change.wait()
    raise HomeSilent


class Groups(Command[list[GroupInfo]], frozen=True, tag="groups"):
    """-> all groups, oldest first."""

    async def run(self, daemon: DaemonApi) -> list[GroupInfo]:
        return await daemon.read(daemon.user.groups.list)


class GroupShow(Command[GroupInfo], frozen=True, tag="group_show"):
    """-> the group and its members."""

    group: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await daemon.read(daemon.user.groups.show, self.group)


class GroupCreate(Command[GroupInfo], frozen=True, tag="group_create"):
    """-> the new group, with this profile as its first admin."""

    group: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await _change(daemon, daemon.user.groups.create, self.group, daemon.now())


class GroupInvite(Command[GroupInfo], frozen=True, tag="group_invite"):
    """-> the group; the contact is asked to join."""

    group: str
    contact: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await _change(daemon, daemon.user.groups.invite, self.group, self.contact, daemon.now())


class GroupAccept(Command[GroupInfo], frozen=True, tag="group_accept"):
    """-> the group, to which a contact invited this profile, and which it joins."""

    group: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await _change(daemon, daemon.user.groups.accept, self.group, daemon.now())


class GroupLeave(Command[GroupInfo], frozen=True, tag="group_leave"):
    """-> the group, which we are no member of any more; or whose invitation we turn down."""

    group: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await _change(daemon, daemon.user.groups.leave, self.group, daemon.now())


class GroupRemove(Command[GroupInfo], frozen=True, tag="group_remove"):
    """-> the group without the member, who reads nothing new from then on."""

    group: str
    member: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await _change(daemon, daemon.user.groups.remove, self.group, self.member, daemon.now())


class GroupPromote(Command[GroupInfo], frozen=True, tag="group_promote"):
    """-> the group with the member as an admin."""

    group: str
    member: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await _change(daemon, daemon.user.groups.promote, self.group, self.member, daemon.now())


class GroupDemote(Command[GroupInfo], frozen=True, tag="group_demote"):
    """-> the group with the member as a plain one."""

    group: str
    member: str

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        return await _change(daemon, daemon.user.groups.demote, self.group, self.member, daemon.now())


class GroupRename(Command[GroupInfo], frozen=True, tag="group_rename"):
    """-> the group under its new name, which it has `here` only or for all of its members."""

    group: str
    name: str
    here: bool = False

    async def run(self, daemon: DaemonApi) -> GroupInfo:
        verb = daemon.user.groups.call if self.here else daemon.user.groups.rename
        return await _change(daemon, verb, self.group, self.name, daemon.now())


class GroupSend(Command[int], frozen=True, tag="group_send"):
    """-> the number of the queued text, which is given up `expires` seconds from now if not all members have it."""

    group: str
    text: str
    expires: Seconds | None = None

    async def run(self, daemon: DaemonApi) -> int:
        return await daemon.visit(daemon.user.groups.send, self.group, self.text, daemon.now(), self.expires)


class GroupReaders(Command[tuple[str, ...]], frozen=True, tag="group_readers"):
    """-> names of the members who have read a text of ours."""

    number: Number

    async def run(self, daemon: DaemonApi) -> tuple[str, ...]:
        return tuple(await daemon.read(daemon.user.groups.reading.readers, self.number))


class GroupAccess(Access):
    """What a program may ask about groups. Members are named as the group has them."""

    list = Asks(Groups)
    show = Asks(GroupShow)
    create = Asks(GroupCreate)
    invite = Asks(GroupInvite)
    accept = Asks(GroupAccept)
    leave = Asks(GroupLeave)
    remove = Asks(GroupRemove)
    promote = Asks(GroupPromote)
    demote = Asks(GroupDemote)
    rename = Asks(GroupRename)
    send = Asks(GroupSend)
    readers = Asks(GroupReaders)
