"""The home's side of a satellite's requests: does what the user asked for.

Promises: a request is done once and stored together with its answer; one that is refused changes nothing, the satellite
learns why, and is told anew what it had changed in hope. What the messenger refuses to the user here it refuses there.
"""

from __future__ import annotations

from dataclasses import dataclass

from mixnet.client.core.state import Core
from mixnet.client.devices import bodies
from mixnet.client.devices.bodies import (
    ERROR_LIMIT,
    DeviceRequest,
    DeviceResponse,
    DeviceVerb,
    GroupVerb,
    newer_untrusted,
    request_untrusted,
)
from mixnet.client.devices.changelog import ChangeFeed
from mixnet.client.devices.channel import tell
from mixnet.client.devices.contacts import ContactRequest
from mixnet.client.devices.files import DeviceFiles
from mixnet.client.e2e.bodies import REASONS
from mixnet.client.files.disk import FileTrouble
from mixnet.client.groups.registry import UnknownGroup
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.errors import NotAtHome, UnknownContact
from mixnet.client.model.failures import CANCELLED, EXPIRED
from mixnet.client.model.group_views import GroupInfo
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.database import is_of_store
from mixnet.client.storage.devices import Device
from mixnet.client.storage.messages import NewMessage
from mixnet.errors import LocalError, RemoteError

_OLDER = "your home device is older than this one and can't do that: update it, then try again"
_NO_CONTACT = "your home device does not have this contact: accept an invitation of it first"
_CLEAR_ROUNDS = 40  # of 500 messages: mail waits for it
_GroupRequest = bodies.GroupCreate | bodies.GroupInvite | bodies.GroupDo


@dataclass(frozen=True, slots=True)
class _Done:
    """Why a request was refused, if it was; the message that it made (0: none), or the group that it is about."""

    error: str = ""
    message: int = 0
    group: bytes | None = None


class DeviceRequestHandler:
    """Requests of satellites."""

    def __init__(self, core: Core, messenger: Messenger, feed: ChangeFeed, files: DeviceFiles) -> None:
        self._core, self._messenger, self._feed, self._files = core, messenger, feed, files

    def asked(self, device: Device, ask: DeviceRequest, now: float) -> None:
        """Do what is asked for, unless it was done already; inside of a change."""
        store = self._core.store
        known = "SELECT message FROM device_requests WHERE device = ? AND number = ?"
        before = store.one(known, device.contact, ask.number)
        if before is None and ask.number >= device.floor:
            done = self._attempt(device, ask, now)
            store.run("INSERT INTO device_requests VALUES (?, ?, ?)", device.contact, ask.number, done.message or None)
            if done.group is not None:  # before the response, upon which the satellite looks for it
                self._feed.tell_group(device, done.group)
            tell(
                self._core,
                device.contact,
                DeviceResponse(ask.number, done.error[:ERROR_LIMIT], done.message, done.group),
            )
        # All below the floor is answered or given up there: it is not asked again, and need not be remembered.
        if ask.floor > device.floor:
            store.run("UPDATE devices SET floor = ? WHERE contact = ?", ask.floor, device.contact)
            store.run("DELETE FROM device_requests WHERE device = ? AND number < ?", device.contact, ask.floor)

    def _attempt(self, device: Device, ask: DeviceRequest, now: float) -> _Done:
        request = request_untrusted(ask)
        if request is None:
            newer = newer_untrusted(ask)
            if newer is not None:
                self._tell_again(newer.about)
            return _Done(_OLDER)
        done: list[_Done] = []

        def do() -> None:
            try:
                done.append(self._do(device, ask.number, request, now))
            except LocalError as error:  # what a user would be told here the one over there is told
                if is_of_store(error):
                    raise
                raise RemoteError(str(error)) from error

        # A refusal takes back what the request did so far, and leaves the change around it, which stores the response.
        why = self._core.attempt(do)
        if why is None:
            return done[0]
        if isinstance(request, bodies.SendFile):
            self._files.drop_incoming(device.contact, ask.number)
        self._tell_again(getattr(request, "number", 0))
        self._tell_again(getattr(request, "identity", b""))
        return self._refused(request, str(why), now)

    def _refused(self, request: DeviceVerb, error: str, now: float) -> _Done:
        """A text that was refused stays in the history of all devices, as one that has failed."""
        core = self._core
        contact = core.contacts.known(request.identity) if isinstance(request, bodies.SendText) else None
        if contact is None or not isinstance(request, bodies.SendText):
            return _Done(error)
        entry = NewMessage(contact.id, MessageKind.TEXT, MessageState.FAILED, request.text)
        number = core.messages.add(entry, now)
        core.messages.explain(number, error)
        core.message_changed(number)
        return _Done(error, number)

    def _do(self, device: Device, number: int, request: DeviceVerb, now: float) -> _Done:
        if isinstance(request, _GroupRequest):
            return _Done(group=bytes.fromhex(self._do_for_groups(request, now).identifier))
        return _Done(message=self._do_for_contacts(device, number, request, now))

    def _do_for_contacts(self, device: Device, number: int, request: DeviceVerb, now: float) -> int:
        """The number of the message that it made; 0: none."""
        messenger, archive = self._messenger, self._messenger.archive
        match request:
            case bodies.SendText():
                return messenger.send_text(self._name(request.identity), request.text, now, self._left(request, now))
            case bodies.SendFile():
                return self._send_file(device, number, request, now)
            case bodies.MarkRead():
                messenger.mark_shown(request.numbers, now)
            case ContactRequest():
                request.follow(messenger.people, self._name(request.identity), now)
            case bodies.Accept():
                messenger.accept_invitation(request.invitation, request.name, now)
            case bodies.Cancel():
                self._cancel(device, number, request, now)
            case bodies.Delete():
                archive.delete(request.number)
            case bodies.Clear():
                self._clear(self._name(request.identity))
            case bodies.Retain():
                archive.retain(self._name(request.identity), request.seconds)
            case bodies.Fetch():
                self._fetch(device, request)
            case bodies.EditText() | bodies.WithdrawMessage() | bodies.LetDisappear():
                self._revise(device, request, now)
        return 0

    def _do_for_groups(self, request: _GroupRequest, now: float) -> GroupInfo:
        """The group, after it; errors as those of client/groups/groups.py."""
        groups = self._messenger.groups
        if isinstance(request, bodies.GroupCreate):
            return groups.create(request.title, now)
        name = self._group_name(request.identity)
        if isinstance(request, bodies.GroupInvite):
            return groups.invite(name, self._contact_name(request.contact), now)
        match request.verb:
            case GroupVerb.ACCEPT:
                return groups.accept(name, now)
            case GroupVerb.LEAVE:
                return groups.leave(name, now)
        about = {
            GroupVerb.REMOVE: groups.remove,
            GroupVerb.PROMOTE: groups.promote,
            GroupVerb.DEMOTE: groups.demote,
            GroupVerb.RENAME: groups.rename,
            GroupVerb.CALL: groups.call,
        }
        return about[request.verb](name, request.argument, now)

    def _group_name(self, identifier: bytes) -> str:
        contact = self._core.contacts.known(identifier)
        group = None if contact is None else self._messenger.groups.behind(contact.id)
        if group is None:
            raise UnknownGroup("your home device does not have this group")
        return group.name

    def _contact_name(self, identity: bytes) -> str:
        contact = self._core.contacts.known(identity)
        if contact is None or contact.role != "contact" or contact.id in self._core.siblings:
            raise UnknownContact(_NO_CONTACT)
        return contact.name

    def _clear(self, name: str) -> None:
        for _ in range(_CLEAR_ROUNDS):
            if not self._messenger.archive.clear(name)[0]:
                return

    def _name(self, identity: bytes) -> str:
        contact = self._core.contacts.once(identity)
        if contact is None or contact.id in self._core.siblings:
            raise UnknownContact(_NO_CONTACT)
        return contact.name

    def _left(self, request: bodies.SendText | bodies.SendFile, now: float) -> float | None:
        """For how long the message may wait; LocalError if that is over."""
        if request.expires is None:
            return None
        if request.expires <= now:
            raise LocalError(EXPIRED.unsent)
        return min(request.expires - now, self._core.settings.message_lifetime)

    def _send_file(self, device: Device, number: int, request: bodies.SendFile, now: float) -> int:
        lifetime = self._left(request, now)
        name = self._name(request.identity)
        self._messenger.addressed(name, None, lifetime)  # before the file has a name
        try:
            path = self._files.finish(device.contact, number)
        except FileTrouble as trouble:
            raise LocalError(REASONS[trouble.reason]) from None
        return self._messenger.send_file(name, path, now, lifetime)

    def _cancel(self, device: Device, number: int, request: bodies.Cancel, now: float) -> None:
        """The message of a number at home, or the one that a request made; or a request that is still coming."""
        if not request.request:
            self._messenger.cancel(request.number, now)
            return
        query = "SELECT message FROM device_requests WHERE device = ? AND number = ?"
        row = self._core.store.one(query, device.contact, request.request)
        if row is not None and row[0] is not None:
            self._messenger.cancel(row[0], now)
        elif row is None and request.request < number:
            self._files.drop_incoming(device.contact, request.request)
            self._core.store.run("INSERT INTO device_requests VALUES (?, ?, NULL)", device.contact, request.request)
            tell(self._core, device.contact, DeviceResponse(request.request, CANCELLED.unsent, 0))

    def _revise(
        self, device: Device, request: bodies.EditText | bodies.WithdrawMessage | bodies.LetDisappear, now: float
    ) -> None:
        revisions = self._messenger.revisions
        if isinstance(request, bodies.LetDisappear):
            revisions.let_disappear(self._name(request.identity), request.seconds, now)
        elif isinstance(request, bodies.EditText):
            revisions.edit(self._meant(device, request), request.text, now)
        else:
            revisions.withdraw(self._meant(device, request), now)

    def _meant(self, device: Device, request: bodies.EditText | bodies.WithdrawMessage) -> int:
        """The message of a number at home, or the one that a request of the device made; 0: none."""
        query = "SELECT message FROM device_requests WHERE device = ? AND number = ?"
        made = self._core.store.value(int, query, device.contact, request.request)
        return request.number or made or 0

    def _fetch(self, device: Device, request: bodies.Fetch) -> None:
        message = self._core.messages.get(request.number)
        if message.kind is not MessageKind.FILE or not message.path:
            raise NotAtHome
        self._files.start(device.contact, request.number, message.path, None)

    def _tell_again(self, about: bytes | int) -> None:
        """A satellite may have changed in hope what was refused: the contact of an identity, or a message."""
        if isinstance(about, int):
            if about:
                self._feed.touch("message", about)
            return
        contact = self._core.contacts.known(about)
        if contact is not None:
            self._feed.touch("contact", contact.id)
