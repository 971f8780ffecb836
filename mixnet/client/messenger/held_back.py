"""Lets go what was held back for a contact: answers whose moment would show when the daemon runs, and read receipts.

Promises: nothing that was held back leaves but at a moment of `Pauses`, and then no more than the contact's windows
have room for, so that no answer of the contact decides when the rest leaves. Messages under way to a contact whose
acknowledgements are delayed are sent again at these moments only, and while it is blocked, none comes.
"""

from __future__ import annotations

from mixnet.client.arq.fragments import LANES
from mixnet.client.core.state import Core


class HeldBack:
    """A feeder: it makes bodies ready by the passing of time."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def feed(self, now: float) -> None:
        """Let go what may leave now, and draw a moment for what has begun to wait."""
        core = self._core
        for contact in core.pauses.passed(now):
            self._release(contact, now)
        for contact in self._waiting():
            core.pauses.moment(contact, now)

    def wake_at(self) -> float | None:
        """When something may leave; 0.0 if a moment is still to be drawn."""
        core = self._core
        return 0.0 if any(not core.pauses.drawn(contact) for contact in self._waiting()) else core.pauses.next()

    def _waiting(self) -> set[int]:
        """The contacts for whom a moment is needed."""
        core = self._core
        going_on = [one for one in core.conversations.values() if not one.copied]
        retried = {one.contact for one in going_on if one.sender.waits_for_retry()}
        return (retried | {contact for contact in core.held if core.reaches(contact)}) - core.blocked

    def _release(self, contact: int, now: float) -> None:
        core = self._core
        if contact in core.blocked:
            return
        if contact in core.held and core.reaches(contact):
            with core.change():
                for lane in range(LANES):
                    self._let_wait(contact, lane)
                core.find_waiting()
        for conversation in core.conversations.values():
            if conversation.contact == contact:
                conversation.sender.retry(now)

    def _let_wait(self, contact: int, lane: int) -> None:
        """The first bodies of a lane may be encrypted, as many as there is room for."""
        core = self._core
        query = "SELECT id FROM waiting WHERE contact = ? AND lane = ? AND held ORDER BY id LIMIT ?"
        for (number,) in core.store.all(query, contact, lane, core.routes[contact].sender.room(lane)):
            core.store.run("UPDATE waiting SET held = 0 WHERE id = ?", number)
