"""What a user's programs can ask about files on their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from client.api.pages import PAGE, page
from client.concurrency.worker import Worker
from client.model.views import Transfer
from mixnet.clock import Clock

if TYPE_CHECKING:
    from client.messenger.verbs import UserVerbs


class FileService:
    """The files' part of a service."""

    def __init__(self, worker: Worker, clock: Clock, messenger: Callable[[], UserVerbs]) -> None:
        """`messenger` gives it, or raises Unavailable as long as there is none."""
        self._worker = worker
        self._clock = clock
        self._messenger = messenger

    async def under_way(self, after: int) -> list[Transfer]:
        """The first page of files on their way with numbers above `after`; empty if there are none."""
        return page(await self._worker.call(self._messenger().files, after, PAGE, self._clock.now()), _size)

    async def one(self, number: int) -> Transfer:
        """How far a file is."""
        return await self._worker.call(self._messenger().transfer, number, self._clock.now())


def _size(transfer: Transfer) -> int:
    return len(transfer.message.text.encode()) + len(transfer.message.path.encode())
