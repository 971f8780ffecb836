"""What a user's programs can ask about public addresses and anonymous conversations.

Promises: each verb is one visit to the messenger; whatever it puts in motion leaves in the slots of the schedule.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from client.concurrency.worker import Worker
from client.model.views import AddressInfo, CorrespondentInfo
from mixnet.clock import Clock

if TYPE_CHECKING:
    from client.messenger.verbs import UserVerbs


class AnonymousService:
    """The anonymous part of a service."""

    def __init__(
        self, worker: Worker, clock: Clock, messenger: Callable[[], UserVerbs], changed: Callable[[], Awaitable[None]]
    ) -> None:
        """`messenger` gives it, or raises Unavailable; `changed` is called when there may be something to send."""
        self._worker, self._clock, self._messenger, self._changed = worker, clock, messenger, changed

    async def create_address(self, expires: float | None) -> AddressInfo:
        """A new address, good for `expires` seconds."""
        return await self._worker.call(self._messenger().anonymous.create_address, self._clock.now(), expires)

    async def addresses(self) -> list[AddressInfo]:
        """All of them, oldest first."""
        return await self._worker.call(self._messenger().anonymous.addresses)

    async def retire_address(self, address: str) -> AddressInfo:
        """Take nothing more at this address."""
        return await self._worker.call(self._messenger().anonymous.retire_address, address)

    async def send(self, address: str, text: str, answers: float | None, expires: float | None) -> int:
        """Queue a first anonymous text; its number."""
        call = self._messenger().send_anonymous
        number = await self._worker.call(call, address, text, self._clock.now(), answers, expires)
        await self._changed()
        return number

    async def correspondents(self) -> list[CorrespondentInfo]:
        """All conversations, oldest first."""
        return await self._worker.call(self._messenger().anonymous.correspondents)

    async def end(self, name: str) -> None:
        """End a conversation here."""
        await self._worker.call(self._messenger().anonymous.end, name)
        await self._changed()
