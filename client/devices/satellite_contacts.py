"""The verbs on contacts, on a satellite: each is done here at once, and the home is asked to follow.

Promises: a decision and the request of it are stored together or not at all; what changes nothing here asks for
nothing. Every verb of `ContactVerbs` stands here: one left out would hold on this device only, and a test says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from client.core.state import Core
from client.devices.bodies import Block, ContactRequest, Rename, Verify
from client.devices.pending_requests import PendingRequests
from client.messenger.contact_verbs import ContactVerbs
from client.model.views import ContactInfo


class _NothingUnderWay:
    """A satellite has no session with contacts."""

    def stop(self, contact: int, now: float) -> None:
        """Nothing comes or goes."""

    def sweep(self) -> None:
        """Nothing was given up."""


class SatelliteContacts(ContactVerbs):
    """The same verbs. Each raises DeviceRevoked, too."""

    def __init__(self, core: Core, pending: PendingRequests) -> None:
        """Ask the home through `pending`."""
        super().__init__(core, _NothingUnderWay())
        self._pending = pending

    def verify(self, name: str) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().verify, name), Verify)

    def rename(self, name: str, new_name: str) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().rename, name, new_name), lambda who: Rename(who, new_name))

    def block(self, name: str, now: float) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().block, name, now), lambda who: Block(who, True))

    def unblock(self, name: str) -> ContactInfo:
        """As at home."""
        return self._share(name, partial(super().unblock, name), lambda who: Block(who, False))

    def _share(
        self, name: str, decide: Callable[[], ContactInfo], request: Callable[[bytes], ContactRequest]
    ) -> ContactInfo:
        """Decide, and ask the home for the same if that changed the contact's row here."""
        with self._core.change():
            before = self._core.contacts.person(name)
            info = decide()
            if self._core.contacts.get(before.id) != before:
                home, wanted = self._pending.home(), request(before.identity)
                self._pending.ask(home, self._pending.number(type(wanted).__name__.lower()), wanted)
        return info
