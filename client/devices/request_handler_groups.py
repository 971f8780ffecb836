"""The home's side of a satellite's requests about groups (spec/07-client.md 7.16).

Promises: as request_handler.py.
"""

from __future__ import annotations

from client.core.state import Core
from client.devices import bodies
from client.devices.bodies import GroupVerb
from client.groups.groups import Groups
from client.groups.registry import UnknownGroup
from client.model.errors import UnknownContact
from client.model.group_views import GroupInfo

GroupRequest = bodies.GroupCreate | bodies.GroupInvite | bodies.GroupDo


class GroupRequestHandler:
    """Requests about groups."""

    def __init__(self, core: Core, groups: Groups) -> None:
        self._core, self._groups = core, groups

    def do(self, request: GroupRequest, now: float) -> GroupInfo:
        """The group, after it; errors as those of client/groups/groups.py."""
        if isinstance(request, bodies.GroupCreate):
            return self._groups.create(request.title, now)
        name = self._name(request.identity)
        if isinstance(request, bodies.GroupInvite):
            return self._groups.invite(name, self._contact(request.contact), now)
        return self._change(name, request.verb, request.argument, now)

    def _change(self, name: str, verb: GroupVerb, argument: str, now: float) -> GroupInfo:
        groups = self._groups
        match verb:
            case GroupVerb.ACCEPT:
                return groups.accept(name, now)
            case GroupVerb.LEAVE:
                return groups.leave(name, now)
        about = {
            GroupVerb.REMOVE: groups.remove,
            GroupVerb.PROMOTE: groups.promote,
            GroupVerb.DEMOTE: groups.demote,
            GroupVerb.RENAME: groups.rename,
        }
        return about[verb](name, argument, now)

    def refused(self) -> None:
        """What of a request was kept in memory is gone, as it is from the store."""
        for forget in self._core.on_reload:
            forget()

    def _name(self, identifier: bytes) -> str:
        contact = self._core.contacts.known(identifier)
        group = None if contact is None else self._groups.behind(contact.id)
        if group is None:
            raise UnknownGroup("your home device does not have this group")
        return group.name

    def _contact(self, identity: bytes) -> str:
        contact = self._core.contacts.known(identity)
        if contact is None or contact.role != "contact" or contact.id in self._core.siblings:
            raise UnknownContact("your home device does not have this contact: accept an invitation of it first")
        return contact.name
