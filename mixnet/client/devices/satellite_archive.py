"""The verbs on the whole archive, on a satellite: it shows what is stored here, and deletes here and at home.

Promises: as satellite.py; what is deleted here is deleted on all devices, in one transaction with the request. Every
verb of `ArchiveOps` that changes what all devices have stands here, and a test says so.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.devices import bodies
from mixnet.client.devices.pending_requests import PendingRequests
from mixnet.client.devices.replica import Replica
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.messenger.archive import ArchiveOps


class SatelliteArchive(ArchiveOps):
    """Stands for the messenger's archive where the user's programs ask."""

    def __init__(self, core: Core, receiving: FileReceiver, pending: PendingRequests, replica: Replica) -> None:
        super().__init__(core, receiving)
        self._pending, self._replica = pending, replica

    def delete(self, number: int) -> None:
        """Delete one message on all devices; UnknownMessage, StillUnderWay, DeviceRevoked."""
        remote = self._replica.remote(number)
        with self._core.change():
            super().delete(number)
            if remote is not None:
                self._pending.ask_now("delete", bodies.Delete(remote))

    def clear(self, contact: str) -> tuple[int, int]:
        """Delete up to 500 messages of a conversation here, and all that are settled at home; UnknownContact."""
        with self._core.change():
            deleted, left = super().clear(contact)
            if deleted:
                self._pending.ask_now("clear", bodies.Clear(self._core.contacts.named(contact).identity))
        return deleted, left

    def retain(self, contact: str, seconds: float | None) -> None:
        """Keep messages with a contact for so long on all devices; UnknownContact, BadPeriod."""
        with self._core.change():
            super().retain(contact, seconds)
            self._pending.ask_now("retain", bodies.Retain(self._core.contacts.named(contact).identity, seconds))
