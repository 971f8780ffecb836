"""What rooms above the core keep and do for it: their memory of the store, and the user's other devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mixnet.client.e2e.bodies import Body


class Memory(Protocol):
    """A part that keeps in memory what the store says."""

    def reload(self) -> None:
        """Make it again from the store."""

    def remember(self) -> Callable[[], object]:
        """What makes it again as it is now."""


class OwnDevices:
    """What the user's other devices have to do with what happens here: nothing, as long as there is nobody for them."""

    def changed(self, contact: int) -> None:
        """A device, by its row of contacts, is in another state."""

    def heard_untrusted(self, contact: int, body: Body, now: float) -> None:
        """A device says something, in this change."""

    def contact_deleted(self, identity: bytes) -> None:
        """A contact is deleted, in this change."""

    def messages_deleted(self, numbers: Sequence[int]) -> None:
        """Messages are deleted, in this change: what else has their texts and files' names."""

    def expire(self, now: float) -> None:
        """Give up what waited too long, in the caller's change."""
