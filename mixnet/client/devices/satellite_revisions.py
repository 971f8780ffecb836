"""The verbs that change messages for both sides, on a satellite: it shows the change, and asks the home to make it.

Promises: as satellite.py; what the home refuses is undone here by what it tells then.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.devices import bodies
from mixnet.client.devices.files import DeviceFiles
from mixnet.client.devices.pending_requests import PendingRequests
from mixnet.client.devices.replica import Replica
from mixnet.client.e2e.bodies import Reason
from mixnet.client.messenger.revisions import editable, ours
from mixnet.client.model.errors import ContactBlocked
from mixnet.client.model.failures import CANCELLED
from mixnet.client.model.views import MessageInfo
from mixnet.client.storage.retention import check_period


class SatelliteRevisions:
    """Stands for the messenger's revisions where the user's programs ask."""

    def __init__(self, core: Core, pending: PendingRequests, replica: Replica, files: DeviceFiles) -> None:
        self._core, self._pending, self._replica, self._files = core, pending, replica, files

    def edit(self, number: int, text: str, now: float) -> MessageInfo:
        """Let the home give a text of ours another content; errors as `Revisions.edit`, DeviceRevoked, HomeAway."""
        core = self._core
        message, _ = ours(core, number)
        if message.signed:
            raise core.home_only()
        editable(core, message, text)
        with core.change():
            self._pending.ask_now("edit", bodies.EditText(*self._meant(number), text))
            core.messages.revise(number, core.messages.version(number) + 1, text)
            core.message_changed(number)
        core.store.forget_remnants()
        return core.messages.get(number)

    def withdraw(self, number: int, now: float) -> MessageInfo:
        """Let the home delete a message of ours for all; errors as `Revisions.withdraw`, HomeAway."""
        core, home = self._core, self._pending.home()
        ours(core, number, deleted=True)
        with core.change():
            _, request = self._meant(number)
            given_up = bool(request) and self._files.give_up(home.contact, request, Reason.CANCELLED, CANCELLED.unsent)
            core.own_devices.messages_deleted([number])  # what asks for it and has not left isn't sent
            meant = self._meant(number)
            if any(meant) and not given_up:
                self._pending.ask_now("withdraw", bodies.WithdrawMessage(*meant))
            core.fail_message(number, CANCELLED)
            core.messages.withdraw(number)
            core.message_changed(number)
        core.store.forget_remnants()
        return core.messages.get(number)

    def _meant(self, number: int) -> tuple[int, int]:
        """The home's number of a message, or 0 and that of the request that is to make it."""
        remote = self._replica.remote(number)
        return (remote, 0) if remote else (0, self._pending.made(number) or 0)

    def let_disappear(self, name: str, seconds: int, now: float) -> None:
        """Let the home say so; errors as `Revisions.let_disappear`, DeviceRevoked, HomeAway."""
        core = self._core
        contact = core.contacts.named(name)
        if seconds:
            check_period(seconds)
        if contact.blocked:
            raise ContactBlocked(core.unblock_first(contact))
        with core.change():
            self._pending.ask_now("disappear", bodies.LetDisappear(contact.identity, seconds))
            core.contacts.overwrite(contact.id, {"period": seconds})
