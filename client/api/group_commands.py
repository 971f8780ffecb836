"""The requests of the local protocol that are about groups (spec/07-client.md 7.17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from client.api.command import Command

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class Groups(Command[Any], frozen=True, tag="groups"):
    """-> all groups."""

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return [msgspec.to_builtins(group) for group in await service.groups.all()]


class _Verb(Command[Any], frozen=True):
    """-> the group, after it; `argument` is what the verb takes besides the group."""

    group: str

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        verb = str(self.__struct_config__.tag).removeprefix("group_")
        return msgspec.to_builtins(await service.groups.do(verb, self.group, *self.arguments()))

    def arguments(self) -> tuple[str, ...]:
        """What it takes besides."""
        return ()


class _OnMember(_Verb, frozen=True):
    member: str

    def arguments(self) -> tuple[str, ...]:  # as the base class says
        return (self.member,)


class GroupCreate(_Verb, frozen=True, tag="group_create"):
    """-> the new group, with us as its admin."""


class GroupShow(_Verb, frozen=True, tag="group_show"):
    """-> the group and its members."""


class GroupInvite(_Verb, frozen=True, tag="group_invite"):
    """-> the group; the contact is asked to join."""

    contact: str

    def arguments(self) -> tuple[str, ...]:  # as the base class says
        return (self.contact,)


class GroupAccept(_Verb, frozen=True, tag="group_accept"):
    """-> the group, which we join."""


class GroupLeave(_Verb, frozen=True, tag="group_leave"):
    """-> the group, which we are no member of any more."""


class GroupRemove(_OnMember, frozen=True, tag="group_remove"):
    """-> the group without the member."""


class GroupPromote(_OnMember, frozen=True, tag="group_promote"):
    """-> the group with the member as an admin."""


class GroupDemote(_OnMember, frozen=True, tag="group_demote"):
    """-> the group with the member as a plain one."""


class GroupRename(_Verb, frozen=True, tag="group_rename"):
    """-> the group under its new name."""

    name: str

    def arguments(self) -> tuple[str, ...]:  # as the base class says
        return (self.name,)


class GroupSend(Command[Any], frozen=True, tag="group_send"):
    """-> the number of the queued text."""

    group: str
    text: str
    expires: float | None = None

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.groups.send(self.group, self.text, self.expires)


class GroupReaders(Command[Any], frozen=True, tag="group_readers"):
    """-> names of the members who have read a text of ours."""

    number: Annotated[int, msgspec.Meta(ge=0)]

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.groups.readers(self.number)


AnyGroupCommand = (
    Groups
    | GroupCreate
    | GroupShow
    | GroupInvite
    | GroupAccept
    | GroupLeave
    | GroupRemove
    | GroupPromote
    | GroupDemote
    | GroupRename
    | GroupSend
    | GroupReaders
)
