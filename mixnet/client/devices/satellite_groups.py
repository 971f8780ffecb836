"""The verbs on groups, on a satellite: it shows its copy, and asks the home to act (spec/07-client.md 7.16).

Promises: as satellite.py; but a change of a group shows only when the home has made it, since it needs keys that
the home has: `PendingRequests.outcome` tells how that went.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.devices import bodies
from mixnet.client.devices.bodies import GroupVerb
from mixnet.client.devices.pending_requests import PendingRequests
from mixnet.client.devices.replica_groups import GroupReplica
from mixnet.client.groups.posts import TEXT_LIMIT
from mixnet.client.groups.read_receipts import ReadReceipts
from mixnet.client.groups.refusals import NoMember, UnknownMember
from mixnet.client.model.group_views import GroupInfo, GroupState, PendingRequest
from mixnet.client.model.names import check_name, same
from mixnet.client.model.text_limits import check_text
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.messages import NewMessage


class SatelliteGroups:
    """Stands for the groups of the messenger where the user's programs ask."""

    def __init__(self, core: Core, pending: PendingRequests, replica: GroupReplica, reading: ReadReceipts) -> None:
        """Show what is in `replica`, ask through `pending`; `reading` shows who has read what."""
        self._core, self._pending, self._replica, self.reading = core, pending, replica, reading

    def list(self) -> list[GroupInfo]:
        """All groups, oldest first."""
        return self._replica.all()

    def show(self, name: str) -> GroupInfo:
        """One group; UnknownGroup."""
        return self._replica.named(name)[1]

    def has(self, name: str) -> bool:
        """Whether a group is called so."""
        contact = self._core.contacts.find_named(name)
        return contact is not None and self._replica.get(contact.id) is not None

    def create(self, title: str, now: float) -> PendingRequest:
        """Ask for a new group; BadName, DeviceRevoked, HomeAway."""
        return self._ask(bodies.GroupCreate(check_name(title)), None)

    def invite(self, name: str, contact: str, now: float) -> PendingRequest:
        """Ask that a contact is asked to join; UnknownGroup, UnknownContact, DeviceRevoked, HomeAway."""
        group, whom = self._identifier(name), self._core.contacts.person(contact).identity
        return self._ask(bodies.GroupInvite(group, whom), group)

    def accept(self, name: str, now: float) -> PendingRequest:
        """Ask to join a group that we were invited to; UnknownGroup, DeviceRevoked, HomeAway."""
        return self._do(name, GroupVerb.ACCEPT)

    def leave(self, name: str, now: float) -> PendingRequest:
        """Ask to leave a group; errors as `accept`."""
        return self._do(name, GroupVerb.LEAVE)

    def remove(self, name: str, member: str, now: float) -> PendingRequest:
        """Ask that a member is put out; UnknownMember, and errors as `accept`."""
        return self._do(name, GroupVerb.REMOVE, member)

    def promote(self, name: str, member: str, now: float) -> PendingRequest:
        """Ask that a member becomes an admin; errors as `remove`."""
        return self._do(name, GroupVerb.PROMOTE, member)

    def demote(self, name: str, member: str, now: float) -> PendingRequest:
        """Ask that an admin becomes a plain member; errors as `remove`."""
        return self._do(name, GroupVerb.DEMOTE, member)

    def rename(self, name: str, title: str, now: float) -> PendingRequest:
        """Ask that a group is called otherwise, for all; BadName, and errors as `accept`."""
        return self._do(name, GroupVerb.RENAME, check_name(title))

    def call(self, name: str, new_name: str, now: float) -> PendingRequest:
        """Ask that a group is called otherwise on the user's devices only; BadName, and errors as `accept`."""
        return self._do(name, GroupVerb.CALL, check_name(new_name))

    def _do(self, name: str, verb: GroupVerb, argument: str = "") -> PendingRequest:
        group = self._replica.named(name)[1]
        about_member = verb in (GroupVerb.REMOVE, GroupVerb.PROMOTE, GroupVerb.DEMOTE)
        if about_member and all(same(member.name) != same(argument) for member in group.members):
            raise UnknownMember
        return self._ask(bodies.GroupDo(bytes.fromhex(group.identifier), verb, argument), self._identifier(name))

    def _identifier(self, name: str) -> bytes:
        return bytes.fromhex(self._replica.named(name)[1].identifier)

    def _ask(self, request: bodies.DeviceVerb, group: bytes | None) -> PendingRequest:
        home = self._pending.home()
        with self._core.change():
            number = self._pending.number("group")
            self._pending.ask(home, number, request)
        return PendingRequest(number, group)

    def send(self, name: str, text: str, now: float, lifetime: float | None = None) -> int:
        """Let the home send a text; its number here. Errors as `Groups.send`, DeviceRevoked, HomeAway."""
        core, home = self._core, self._pending.home()
        contact, group = self._replica.named(name)
        if group.state is not GroupState.MEMBER:
            raise NoMember
        check_text(text, TEXT_LIMIT)
        core.check_lifetime(lifetime)
        expires = now + (core.settings.message_lifetime if lifetime is None else lifetime)
        with core.change():
            message = core.messages.add(NewMessage(contact, MessageKind.TEXT, MessageState.QUEUED, text), now)
            others = sum(not member.you for member in group.members)
            core.store.run("INSERT INTO group_messages VALUES (?, '', ?, 0, NULL, NULL)", message, others)
            number = self._pending.number("send", message=message, expires=expires)
            self._pending.ask(home, number, bodies.SendText(bytes.fromhex(group.identifier), text, expires))
        return message
