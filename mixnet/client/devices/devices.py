"""The other devices of a user, from the view of one of them.

Promises: a satellite is heard only about what it asks for, a home only about what it tells, a revoked device not at
all; nothing that another device sends can stop what is delivered after it. Whatever is sent waits in the store for a
payload slot like any other message.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mixnet.client.core.parts import OwnDevices
from mixnet.client.core.setbacks import Setbacks
from mixnet.client.devices.bodies import DeviceRequest, DeviceResponse, Revoked, Sync, Welcome
from mixnet.client.devices.changelog import ChangeFeed
from mixnet.client.devices.channel import collect_untrusted
from mixnet.client.devices.files import DeviceFiles
from mixnet.client.devices.linking import Linking
from mixnet.client.devices.pending_requests import PendingRequests
from mixnet.client.devices.replica import Replica
from mixnet.client.devices.request_handler import DeviceRequestHandler
from mixnet.client.devices.satellite import Satellite
from mixnet.client.e2e.bodies import Abort, Body, Chunk, DevicePiece, End, Offer, Refuse
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.errors import NotAtHome
from mixnet.client.model.names import check_name
from mixnet.client.model.views import ContactState, DeviceChanged, DeviceInfo, DeviceRole
from mixnet.client.storage.devices import PROBLEMS, Broken, Device
from mixnet.errors import RemoteError

User = Messenger | Satellite  # whatever the API calls both have, or the type checker says so


class Devices(OwnDevices):
    """The user's devices."""

    def __init__(self, messenger: Messenger) -> None:
        """Use the messenger's parts, and hear from now on of all that concerns devices."""
        core, introductions = messenger.parts.core, messenger.parts.introductions
        self._core, self._messenger = core, messenger
        self.replica = Replica(core)
        self.pending = PendingRequests(core, self.replica)
        self.files = DeviceFiles(core, messenger.parts.transfers, self.replica, self.pending)
        self.linking = Linking(core, introductions, self.files, self.changed)
        self._feed = ChangeFeed(core, messenger.groups)
        self._requests = DeviceRequestHandler(core, messenger, self._feed, self.files)
        self._satellite = Satellite(
            core, messenger, introductions, pending=self.pending, replica=self.replica, files=self.files
        )
        self._setbacks = Setbacks[int]()  # of devices
        self._idle_at = -1  # `Store.changes` when there was nothing to do
        self.files.sweep()
        core.own_devices = self
        introductions.for_devices = self.linking
        core.feeders.add(self, first=True)

    @property
    def user(self) -> User:
        """What does the verbs of the user: the messenger, or on a satellite what asks the home."""
        return self._satellite if self._core.satellite else self._messenger

    @property
    def home(self) -> Messenger:
        """What does the verbs that take the keys of a home; HomeOnly on a satellite."""
        self.check_home()
        return self._messenger

    def check_home(self) -> None:
        """HomeOnly on a satellite."""
        if self._core.satellite:
            raise self._core.home_only()

    # the user

    def all(self) -> list[DeviceInfo]:
        """All other devices."""
        return [self._core.device_table.info(device) for device in self._core.device_table.all()]

    def rename(self, name: str, new_name: str) -> DeviceInfo:
        """Call a device by another name, here only; UnknownDevice, BadName, DeviceNameTaken."""
        core = self._core
        device = core.device_table.named(name)
        new_name = check_name(new_name, core.home.name)
        with core.change():
            core.device_table.rename(device, new_name)
            self.changed(device.contact)
        core.store.forget_remnants()
        return core.device_table.info(core.device_table.named(new_name))

    def fetch(self, number: int) -> None:
        """On a satellite: bring the file of a message here; NotAtHome, UnknownMessage, DeviceRevoked."""
        if not self._core.satellite:
            raise NotAtHome("this is no satellite: the files that came are here already")
        self._satellite.fetch(number)
        home = self._core.device_table.home()
        if home is not None:  # what was refused before says nothing of this
            self._core.device_table.trouble(home.contact, "")

    def changed(self, contact: int) -> None:
        """Tell the user's programs of a device; one whose link expired is no home any more."""
        core = self._core
        core.load_devices()
        device = core.device_table.get(contact)
        if device is not None:
            core.emit(DeviceChanged(core.device_table.info(device)))

    def contact_deleted(self, identity: bytes) -> None:
        """Satellites hear of it at once: nothing of it is left to log."""
        self._feed.tell_deleted(identity)

    def messages_deleted(self, numbers: Sequence[int]) -> None:
        """See `OwnDevices`."""
        self.files.forget(numbers)
        self.pending.forget(numbers)

    def expire(self, now: float) -> None:
        """See `OwnDevices`."""
        self.pending.expire(now)

    # the network

    def heard_untrusted(self, contact: int, body: Body, now: float) -> None:
        """Do what another device says, inside of a change; what makes no sense is noted and passed over."""
        core = self._core
        device = core.device_table.get(contact)
        if device is None or device.revoked:
            return
        core.device_table.heard(device, now)
        message = None
        if isinstance(body, DevicePiece):
            try:
                message = collect_untrusted(core, contact, body)
            except RemoteError:
                core.device_table.trouble(contact, PROBLEMS[Broken.MALFORMED])
        if message is not None:
            refused = core.attempt(partial(self._heard, device, message, now))
        elif isinstance(body, Offer | Chunk | End | Abort | Refuse):
            refused = core.attempt(partial(self.files.heard, contact, body, now))
        else:
            refused = None
        if refused is not None:
            core.device_table.trouble(contact, PROBLEMS[Broken.MALFORMED])

    def _heard(
        self, device: Device, message: Welcome | Sync | DeviceResponse | Revoked | DeviceRequest, now: float
    ) -> None:
        at_home = device.role is DeviceRole.SATELLITE
        match message:
            case DeviceRequest() if at_home:
                self._requests.asked(device, message, now)
            case Welcome() if not at_home:
                self.replica.welcome(device.contact, message)
            case Sync() if not at_home:
                self.replica.apply(device.contact, message)
                self.changed(device.contact)
            case DeviceResponse() if not at_home:
                self.pending.answered(device.contact, message)
                self.changed(device.contact)
            case Revoked() if not at_home:
                self.pending.revoked()
                self.linking.silence(device)
                self.files.drop_all(device.contact)
                self._core.device_table.revoke(device.contact)
                self.changed(device.contact)
            case _:  # from a device that may not say this
                self._core.device_table.trouble(device.contact, PROBLEMS[Broken.MALFORMED])

    def wake_at(self) -> float | None:
        """When `feed` has something to do: 0.0 for at once, None for never by the passing of time."""
        core = self._core
        # All that could be due is in the store, so nothing is as long as nothing was written.
        if not core.siblings or self._idle_at == core.store.changes:
            return None
        due = [self._setbacks.until(device.contact) for device in self._linked() if self._due(device)]
        if not due:
            self._idle_at = core.store.changes
        return min(due, default=None)

    def feed(self, now: float) -> None:
        """Make what may be sent next to each device, and clear away what is done."""
        core = self._core
        if not core.siblings or self._idle_at == core.store.changes:
            return
        self.files.sweep()
        self.linking.forget_told()
        for device in self._linked():
            if not self._setbacks.waits(device.contact, now) and self._due(device):
                if core.attempt(partial(self._tell, device)) is None:
                    self._setbacks.succeeded(device.contact)
                else:
                    self._setbacks.failed(device.contact, now)

    def _tell(self, device: Device) -> None:
        if device.role is DeviceRole.SATELLITE and self._feed.due(device):
            self._feed.tell_next(device)
        if self.files.due(device.contact):
            self.files.send_next(device.contact)

    def _linked(self) -> list[Device]:
        known = self._core.device_table.all()
        return [one for one in known if not one.revoked and one.state is not ContactState.EXPIRED]

    def _due(self, device: Device) -> bool:
        tells = device.role is DeviceRole.SATELLITE and self._feed.due(device)
        return tells or self.files.due(device.contact)
