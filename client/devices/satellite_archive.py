"""The verbs on the whole archive, on a satellite: it shows what is stored here, and deletes here and at home.

Promises: as satellite.py; what is deleted here is deleted on all devices, in one transaction with the request.
"""

from __future__ import annotations

from collections.abc import Sequence

from client.core.state import Core
from client.devices import bodies
from client.devices.pending_requests import PendingRequests
from client.devices.replica import Replica
from client.devices.satellite_refusals import RefusedArchive
from client.messenger.archive import ArchiveOps
from client.storage.export_jsonl import Record
from client.storage.search import Filter


class SatelliteArchive(RefusedArchive):
    """Stands for the messenger's archive where the user's programs ask."""

    def __init__(self, core: Core, archive: ArchiveOps, pending: PendingRequests, replica: Replica) -> None:
        super().__init__(core)
        self._archive, self._pending, self._replica = archive, pending, replica

    @property
    def limited(self) -> bool:
        """Whether some conversation is not kept for ever."""
        return self._archive.limited

    def page(self, where: Filter, after: int, limit: int) -> list[tuple[int, Record]]:
        """As `ArchiveOps.page`."""
        return self._archive.page(where, after, limit)

    def strangers(self, identities: Sequence[bytes]) -> list[bytes]:
        """Those of the identities that no contact has."""
        return self._archive.strangers(identities)

    def retention(self, contact: str) -> float | None:
        """For how many seconds messages with a contact are kept; None: for ever. UnknownContact."""
        return self._archive.retention(contact)

    def sweep(self, now: float) -> bool:
        """Shorten what is here, as `ArchiveOps.sweep`; the home does the same for itself."""
        return self._archive.sweep(now)

    def delete(self, number: int) -> None:
        """Delete one message on all devices; UnknownMessage, StillUnderWay, DeviceRevoked."""
        remote = self._replica.remote(number)
        with self._core.change():
            self._archive.delete(number)
            if remote is not None:
                self._pending.ask_now("delete", bodies.Delete(remote))

    def clear(self, contact: str) -> tuple[int, int]:
        """Delete up to 500 messages of a conversation here, and all that are settled at home; UnknownContact."""
        with self._core.change():
            deleted, left = self._archive.clear(contact)
            if deleted:
                self._pending.ask_now("clear", bodies.Clear(self._core.contacts.named(contact).identity))
        return deleted, left

    def retain(self, contact: str, seconds: float | None) -> None:
        """Keep messages with a contact for so long on all devices; UnknownContact, BadPeriod."""
        with self._core.change():
            self._archive.retain(contact, seconds)
            self._pending.ask_now("retain", bodies.Retain(self._core.contacts.named(contact).identity, seconds))
