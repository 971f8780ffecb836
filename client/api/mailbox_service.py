"""What a user's programs can ask about the mailbox and about what the profile holds (spec/07-client.md 7.9).

Promises: a mailbox that stays ours is registered anew as it is erased. One that is to stay erased comes back with the
next link to the provider, so whoever asks for that then stops the daemon (client/mailbox_access.py does).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from client.concurrency.worker import Worker
from client.profile import holdings
from client.storage.database import Store
from client.traffic import provider_mailbox
from client.traffic.provider_mailbox import MailboxInfo, ProviderMailbox


class MailboxService:
    """The mailbox' part of a service: closed at first, until `open` is called."""

    def __init__(self, worker: Worker, waits: Callable[[], Exception]) -> None:
        """`waits` gives the error for whoever asks before there is a provider."""
        self._worker = worker
        self._waits = waits
        self._post: ProviderMailbox | None = None
        self._store: Store | None = None
        self._folder: Path | None = None

    def open(self, post: ProviderMailbox, store: Store, folder: Path | None) -> None:
        """From now on the provider can be asked. `folder` is the profile's, None for one in memory."""
        self._post, self._store, self._folder = post, store, folder

    async def look(self) -> MailboxInfo:
        """What the provider says that it keeps of us; ProviderAway, NotAnswered."""
        return await provider_mailbox.look(self._opened())

    async def erase(self, *, leave: bool) -> None:
        """Have the mailbox deleted, and unless we `leave`, registered anew; ProviderAway, NotAnswered."""
        await provider_mailbox.erase(self._opened(), again=not leave)

    async def holdings(self) -> list[holdings.Holding]:
        """What this profile holds, by kind of data."""
        self._opened()
        store = self._store
        if store is None:
            raise self._waits()
        found = [await self._worker.call(holdings.stored, store, row) for row in holdings.rows()]
        return [one + holdings.on_disk(self._folder, row) for one, row in zip(found, holdings.rows(), strict=True)]

    def _opened(self) -> ProviderMailbox:
        if self._post is None:
            raise self._waits()
        return self._post
