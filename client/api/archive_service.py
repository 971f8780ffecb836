"""What a user's programs can ask of the archive as a whole, and the sweep that keeps it short.

Promises: a call of the store is short, so that mail never waits long for it; messages past their conversation's
period go at the start of the daemon, when the period changes, and every minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from client.api.pages import PAGE, page
from client.concurrency.wakeup import Wakeup
from client.concurrency.worker import Worker
from client.storage.export_jsonl import Record, check_untrusted
from client.storage.retention import SWEEP_EVERY
from client.storage.search import Filter
from mixnet.clock import Clock
from mixnet.errors import Unavailable

if TYPE_CHECKING:
    from client.messenger.verbs import UserVerbs

RETRY = 5.0  # seconds after the store could not be written


class ArchiveService:
    """The archive's part of a service."""

    def __init__(self, worker: Worker, clock: Clock, messenger: Callable[[], UserVerbs]) -> None:
        """`messenger` gives it, or raises Unavailable as long as there is none."""
        self._worker = worker
        self._clock = clock
        self._messenger = messenger
        self._changed = Wakeup()

    async def export(self, where: Filter, after: int) -> list[tuple[int, Record]]:
        """The first page of messages with numbers above `after`."""
        return page(await self._worker.call(self._messenger().archive.page, where, after, PAGE), _size)

    async def identity(self) -> str:
        """The identity of this profile, in hexadecimal."""
        return (await self._worker.call(lambda messenger: messenger.identity, self._messenger())).hex()

    async def strangers(self, identities: Sequence[str]) -> list[str]:
        """Those of the identities that no contact has."""
        raw = [bytes.fromhex(identity) for identity in identities]
        return [one.hex() for one in await self._worker.call(self._messenger().archive.strangers, raw)]

    async def take_in(self, records: Sequence[Record]) -> int:
        """File past messages, all or none; how many were new."""
        checked = [check_untrusted(record) for record in records]
        added = await self._worker.call(self._messenger().archive.take_in, checked)
        self._changed.wake()
        return added

    async def delete(self, number: int) -> None:
        """Delete one message."""
        await self._worker.call(self._messenger().archive.delete, number)

    async def clear(self, contact: str) -> tuple[int, int]:
        """Delete the first messages of a conversation: how many, and how many are left."""
        return await self._worker.call(self._messenger().archive.clear, contact)

    async def retention(self, contact: str) -> float | None:
        """For how many seconds messages with a contact are kept; None: for ever."""
        return await self._worker.call(self._messenger().archive.retention, contact)

    async def retain(self, contact: str, seconds: float | None) -> None:
        """Keep messages with a contact for so long; what is older goes at once."""
        await self._worker.call(self._messenger().archive.retain, contact, seconds)
        self._changed.wake()

    async def sweep_regularly(self) -> None:
        """Delete what is past its period, for ever; as long as no conversation has one, only wait."""
        archive = self._messenger().archive
        while True:
            changed = self._changed.listen()
            pause = SWEEP_EVERY if archive.limited else float("inf")
            try:
                while archive.limited and await self._worker.call(archive.sweep, self._clock.now()):
                    pass
            except Unavailable:
                pause = RETRY
            with trio.move_on_after(pause):
                await changed.wait()


def _size(numbered: tuple[int, Record]) -> int:
    return len(numbered[1].text.encode())
