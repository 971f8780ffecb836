"""The user's verbs on a satellite: it shows what is stored here, and asks the home for the rest.

Promises: a verb is stored, here and as a request, before it returns; what it says of contacts and messages holds here
at once and is confirmed or undone by what the home tells. A verb that takes keys which only a home has does not stand
here: the API asks `Devices.home` for it, which refuses that on a satellite.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mixnet.client.contacts.introductions import Introductions
from mixnet.client.core.state import Core
from mixnet.client.devices import bodies
from mixnet.client.devices.contacts import AnyContactRequest, SatelliteContacts
from mixnet.client.devices.files import DeviceFiles
from mixnet.client.devices.pending_requests import PendingRequests
from mixnet.client.devices.replica import Replica
from mixnet.client.devices.satellite_archive import SatelliteArchive
from mixnet.client.devices.satellite_groups import SatelliteGroups
from mixnet.client.devices.satellite_revisions import SatelliteRevisions
from mixnet.client.e2e.bodies import SEEN_LIMIT, Reason
from mixnet.client.files.disk import examine
from mixnet.client.messenger.lookups import Lookups
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.contact_states import ContactEvent
from mixnet.client.model.errors import FileTooLarge, NoGroupFiles, NotAtHome, NotInGroups, NotUnderWay
from mixnet.client.model.failures import CANCELLED
from mixnet.client.model.names import check_name
from mixnet.client.model.views import ContactInfo, ContactState, MessageInfo, MessageKind, MessageState
from mixnet.client.storage.messages import NewMessage

_FINAL: Final = (MessageState.DELIVERED, MessageState.READ, MessageState.FAILED)


class Satellite(Lookups):
    """Stands for the messenger where the user's programs ask."""

    def __init__(
        self,
        core: Core,
        messenger: Messenger,
        introductions: Introductions,
        *,
        pending: PendingRequests,
        replica: Replica,
        files: DeviceFiles,
    ) -> None:
        super().__init__(core, messenger.parts.transfers)
        self._messenger = messenger
        self._introductions = introductions
        self._pending, self._replica, self._files = pending, replica, files
        self.people = SatelliteContacts(core, self._ask_about)
        self.groups = SatelliteGroups(core, pending, replica.groups, messenger.groups.reading)
        self.revisions = SatelliteRevisions(core, pending, replica, files)
        self.archive = SatelliteArchive(core, messenger.parts.receiving, pending, replica)

    # contacts

    def accept_invitation(self, text: str, name: str | None, now: float) -> ContactInfo:
        """Let the home become a contact of the inviter; errors as `Messenger.accept_invitation`, DeviceRevoked."""
        core, home = self._core, self._pending.home()
        name = None if name is None else check_name(name)
        invitation, known = self._introductions.readable(text, name, now)
        identity = invitation.keys.identity
        with core.change():
            if known is None:
                here = core.free_name(invitation.name) if name is None else name
                known = core.contacts.add(here, identity, ContactState.PENDING, now)
            elif known.state is ContactState.EXPIRED:
                core.contacts.step(known, ContactEvent.ACCEPT)
            number = self._pending.number("accept", contact=known.id)
            self._pending.ask(home, number, bodies.Accept(identity, "".join(text.split()), name))
            core.contact_changed(known.id)
        return core.contacts.info(known.id)

    # messages

    def send_text(
        self, contact: str, text: str, now: float, lifetime: float | None = None, *, signed: bool = False
    ) -> int:
        """Let the home send a text; its number here. Errors as `Messenger.send_text`, DeviceRevoked, HomeAway.

        A satellite has no key to sign with: HomeOnly.
        """
        if self.groups.has(contact):
            if signed:
                raise NotInGroups
            return self.groups.send(contact, text, now, lifetime)
        if signed:
            raise self._core.home_only()
        core, home = self._core, self._pending.home()
        whom = self._messenger.addressed(contact, text, lifetime)
        expires = self._expires(now, lifetime)
        with core.change():
            message = core.messages.add(NewMessage(whom, MessageKind.TEXT, MessageState.QUEUED, text), now)
            number = self._pending.number("send", message=message, expires=expires)
            self._pending.ask(home, number, bodies.SendText(core.contacts.get(whom).identity, text, expires))
        return message

    def send_file(
        self, contact: str, path: Path, now: float, lifetime: float | None = None, *, signed: bool = False
    ) -> int:
        """Let the home send a file, which is brought there first; its number here. Errors as `Messenger.send_file`."""
        if self.groups.has(contact):
            raise NoGroupFiles
        if signed:
            raise self._core.home_only()
        core, home = self._core, self._pending.home()
        whom = self._messenger.addressed(contact, None, lifetime)
        path = path.expanduser().absolute()
        size, _ = examine(path)
        if size > core.settings.file_limit:
            raise FileTooLarge
        expires = self._expires(now, lifetime)
        with core.change():
            entry = NewMessage(whom, MessageKind.FILE, MessageState.QUEUED, path.name, str(path), size)
            message = core.messages.add(entry, now)
            number = self._pending.number("send", message=message, expires=expires)
            request = self._pending.later(number, bodies.SendFile(core.contacts.get(whom).identity, expires))
            self._files.start(home.contact, number, str(path), request)
        return message

    def _expires(self, now: float, lifetime: float | None) -> float:
        return now + (self._core.settings.message_lifetime if lifetime is None else lifetime)

    def cancel(self, number: int, now: float) -> MessageInfo:
        """Ask the home to give up a message, unless it has not heard of it; UnknownMessage, NotUnderWay."""
        core, home = self._core, self._pending.home()
        message = core.messages.get(number)
        if not message.outgoing or message.state in _FINAL:
            raise NotUnderWay(f"message {number} is not under way from here: there is nothing to cancel")
        remote, request = self._replica.remote(number), self._pending.made(number)
        with core.change():
            if request is not None and self._files.give_up(home.contact, request, Reason.CANCELLED, CANCELLED.unsent):
                return core.messages.get(number)
            self._pending.ask_now("cancel", bodies.Cancel(remote or 0, 0 if remote else request or 0))
        return core.messages.get(number)

    def mark_read(self, number: int, now: float) -> None:
        """Mark a message, and what came before it in its conversation, as read; UnknownMessage, HomeAway."""
        core = self._core
        self.mark_shown(core.messages.unread(core.messages.contact_of(number), number), now)

    def mark_shown(self, numbers: Iterable[int], now: float) -> None:
        """Mark messages as read, on all devices; the home tells their senders, as its user's choices say. HomeAway.

        Of a device that was revoked, here only.
        """
        core, home = self._core, self._core.device_table.home()
        with core.change():
            seen = [seen for of_one in core.messages.see(numbers).values() for seen, _ in of_one]
            core.messages.begin_to_disappear(seen, now)
            if home is None or home.revoked:
                return
            known = [remote for number in seen if (remote := self._replica.remote(number)) is not None]
            for at in range(0, len(known), SEEN_LIMIT):
                self._pending.ask_now("read", bodies.MarkRead(tuple(known[at : at + SEEN_LIMIT])))

    def fetch(self, number: int) -> None:
        """Ask the home for the file of a message; UnknownMessage, NotAtHome."""
        remote = self._replica.remote(number)
        if self._core.messages.get(number).kind is not MessageKind.FILE or remote is None:
            raise NotAtHome
        with self._core.change():
            self._pending.ask_now("fetch", bodies.Fetch(remote))

    def _ask_about(self, request: AnyContactRequest) -> None:
        self._pending.ask_now(type(request).__name__.lower(), request)
