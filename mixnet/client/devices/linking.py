"""Linking: how a profile becomes a satellite of another one, and how it is revoked.

Promises: only who answers an invitation that was made for a device becomes one, once, and nobody who is a contact; a
revoked device is heard no more from that moment, and is told nothing but that. A satellite gets the contacts and their
messages, never a secret key of its home nor the session of a contact.
"""

from __future__ import annotations

from collections.abc import Callable

from mixnet.client.contacts.introductions import Introductions, check_usable
from mixnet.client.core.state import Core
from mixnet.client.devices.bodies import Revoked, Welcome
from mixnet.client.devices.channel import tell
from mixnet.client.devices.files import DeviceFiles
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.e2e.x3dh import invitation_channel
from mixnet.client.model.errors import (
    DeviceNameTaken,
    NoDeviceInvitation,
    NotFresh,
    TooManyDevices,
)
from mixnet.client.model.names import NAME_LIMIT, Names, check_name, clean, free_for_user
from mixnet.client.model.views import ContactState, DeviceInfo, DeviceRole
from mixnet.client.storage.contacts import Contact
from mixnet.client.storage.devices import Device
from mixnet.errors import RemoteError

NOTICE_LIFE = 90 * 86_400.0  # seconds for which a revoked device may still learn of it
_HIDDEN = "\0"  # begins the name of a device's row among the contacts: no name that a user may give does
_REVOKED = " (revoked)"  # ends the name of a revoked device, so that its name is free


class Linking:
    """Links made, accepted and cut."""

    def __init__(
        self, core: Core, introductions: Introductions, files: DeviceFiles, changed: Callable[[int], object]
    ) -> None:
        """Use the messenger's shared state; `changed` tells the user's programs of a device."""
        self._core, self._introductions, self._files, self._changed = core, introductions, files, changed

    # at home

    def invite(self, name: str | None, now: float) -> Invitation:
        """An invitation for a device that will be called `name` (None: as its profile is).

        HomeOnly, BadName, DeviceNameTaken, TooManyDevices.
        """
        core = self._core
        if core.device_table.home() is not None:
            raise core.home_only()
        name = None if name is None else check_name(name, core.home.name)
        if name is not None and core.device_table.has_name(name):
            raise DeviceNameTaken
        core.device_table.check_room()
        with core.change():
            made = self._introductions.create(core.home.name, now, device=True)
            query = "INSERT INTO device_invitations SELECT id, ? FROM invitations WHERE channel = ?"
            core.store.run(query, name, invitation_channel(made.secret).channel)
        return made

    def expects(self, invitation: int) -> bool:
        """Whether an invitation is for a device."""
        return self._core.store.has("SELECT 1 FROM device_invitations WHERE invitation = ?", invitation)

    def check_untrusted(self, identity: bytes) -> None:
        """RemoteError unless the owner of an identity can become a device."""
        try:
            self._core.device_table.check_room()
        except TooManyDevices:
            raise RemoteError("a device too many") from None
        if self._core.contacts.known(identity) is not None:
            raise RemoteError("a contact or a device that wants to be another device")

    def greeted(self, invitation: int, identity: bytes, name: str, now: float) -> Contact:
        """The row of a new device, whose profile is called `name`."""
        core = self._core
        asked = core.store.value(str, "SELECT name FROM device_invitations WHERE invitation = ?", invitation)
        core.store.run("UPDATE device_invitations SET name = NULL WHERE invitation = ?", invitation)
        names = core.device_table.names()
        wanted = Names([core.home.name, *names]).free(name) if asked is None else free_for_user(asked, names)
        contact = core.contacts.add(_HIDDEN + identity.hex(), identity, ContactState.ESTABLISHED, now)
        core.device_table.add(contact.id, wanted, DeviceRole.SATELLITE, now, self._newest() + 1)
        core.load_devices()
        return contact

    def welcome(self, device: int) -> None:
        """Tell a new device all contacts, then what happens; what has happened comes between."""
        core = self._core
        tell(core, device, Welcome(self._newest()))
        # The new device reads the log from its present end on, so all contacts are entered anew behind that. Other
        # satellites hear of them once more, which changes nothing there.
        core.store.run("DELETE FROM device_log WHERE kind = 'contact'")
        core.store.run("INSERT INTO device_log (kind, item) SELECT 'contact', id FROM contacts ORDER BY id")
        self._changed(device)

    def _newest(self) -> int:
        return self._core.store.value(int, "SELECT seq FROM sqlite_sequence WHERE name = 'messages'") or 0

    def revoke(self, name: str, now: float) -> DeviceInfo:
        """Hear nothing more from a satellite, and send it nothing but the notice of that; UnknownDevice, HomeOnly."""
        core = self._core
        device = core.device_table.named(name)
        if device.role is DeviceRole.HOME:
            raise core.home_only()
        contact = device.contact
        if not device.revoked:
            with core.change():
                self.silence(device)
                free = device.name[: NAME_LIMIT - len(_REVOKED) - 4] + _REVOKED
                core.device_table.rename(device, free_for_user(free, core.device_table.names()))
                core.device_table.revoke(device.contact)
                if not core.device_table.satellites():
                    core.store.run("DELETE FROM device_log")
                self._files.drop_all(device.contact)
                # Only now: `silence` has withdrawn all that waited, and would withdraw this, too.
                tell(core, device.contact, Revoked())
                core.store.run("UPDATE waiting SET expires = ? WHERE contact = ?", now + NOTICE_LIFE, device.contact)
                core.expires(now + NOTICE_LIFE)
                self._changed(device.contact)
        self._files.sweep()
        current = core.device_table.get(contact)
        return core.device_table.info(device if current is None else current)

    def silence(self, device: Device) -> None:
        """Withdraw all that waits or is under way to a device."""
        core = self._core
        core.store.run("DELETE FROM waiting WHERE contact = ?", device.contact)
        core.find_waiting()
        query = (
            "SELECT o.session, o.lane, o.number FROM outbound o JOIN sessions s ON s.id = o.session WHERE s.contact = ?"
        )
        for session, lane, number in core.store.all(query, device.contact):
            core.conversations[session].withdraw(lane, number)
        core.store.run("DELETE FROM device_pieces WHERE device = ?", device.contact)
        core.store.run("DELETE FROM device_requests WHERE device = ?", device.contact)

    def forget_told(self) -> None:
        """Cut the sessions of revoked devices that know it, or never will."""
        core = self._core
        for device in core.device_table.all():
            if device.revoked and device.role is DeviceRole.SATELLITE:
                under_way = "SELECT 1 FROM outbound o JOIN sessions s ON s.id = o.session WHERE s.contact = ?"
                waits = "SELECT 1 FROM waiting WHERE contact = ?"
                if not core.store.has(f"{under_way} UNION ALL {waits}", device.contact, device.contact):
                    with core.change():
                        self._forget(device)
                    core.store.forget_remnants()

    def _forget(self, device: Device) -> None:
        """No trace of a device is left but in what it did."""
        core, contact = self._core, device.contact
        self.silence(device)
        for (session,) in core.store.all("SELECT id FROM sessions WHERE contact = ?", contact):
            core.store.run("DELETE FROM invitations WHERE session = ?", session)
            core.store.run("DELETE FROM sessions WHERE id = ?", session)
            core.leave(core.conversations[session])
        core.device_table.remove(contact)
        core.store.run("DELETE FROM contacts WHERE id = ?", contact)
        core.load_devices()

    # on the device

    def accept(self, text: str, now: float) -> DeviceInfo:
        """Become a satellite of the profile that made this invitation.

        MalformedInvitation, NoDeviceInvitation, WrongNetwork, OwnInvitation, ExpiredInvitation, NotFresh.
        """
        core = self._core
        invitation = Invitation.parse_untrusted(text)
        self._check_acceptable(invitation, now)
        started = self._introductions.begin(invitation)
        with core.change():
            for former in core.device_table.all():
                self._forget(former)
            identity = invitation.keys.identity
            contact = core.contacts.add(_HIDDEN + identity.hex(), identity, ContactState.PENDING, now)
            core.device_table.add(
                contact.id, clean(invitation.name, "home"), DeviceRole.HOME, now, history=1
            )  # at least, until the home says
            core.load_devices()
            self._introductions.greet(contact.id, invitation, started, now)
            self._changed(contact.id)
        return core.device_table.info(core.device_table.named(clean(invitation.name, "home")))

    def _check_acceptable(self, invitation: Invitation, now: float) -> None:
        core = self._core
        if not invitation.device:
            raise NoDeviceInvitation
        if core.satellite:
            raise NotFresh
        check_usable(core, invitation, now)
        own = "SELECT 1 FROM messages UNION ALL SELECT 1 FROM invitations"
        if core.contacts.all() or core.device_table.satellites() or core.store.has(own):
            raise NotFresh
