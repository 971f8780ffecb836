"""Keeps a process supplied with the document of the epoch (SPEC.md section 5.10).

Promises: `current` is the newest verified document whose epoch has begun, and never an expired one; the next epoch's is
fetched ahead, at a time drawn anew for each process and epoch, so that readers don't come in a crowd; all switch when
the epoch begins. A round that failed costs nothing as long as the last document is valid.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role
from mixnet.network import Network
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import Document, verify_untrusted
from mixnet.pki.errors import NoDocument
from mixnet.pki.fetch import accept_untrusted, fetch_document
from mixnet.pki.requests import NEWEST
from mixnet.pki.waiting import Backoff, Bell, sleep_until

EARLIEST, LATEST = 0.1, 0.02  # the shares of an epoch before its end between which the next document is fetched
_PATIENT_SHARE = 0.02  # of an epoch: the longest pause between two attempts

Fetch = Callable[[int, int], Awaitable[bytes]]  # (epoch or NEWEST, newest epoch seen) to signed bytes; Unavailable


class DocumentKeeper:
    """The documents of one process. `fetch` says where they come from: the authorities, or a client's provider."""

    def __init__(
        self, bootstrap: Bootstrap, fetch: Fetch, *, clock: Clock, rng: random.Random, initial: bytes | None = None
    ) -> None:
        """`initial`: a document kept from an earlier run, used at once if it is still valid."""
        self._bootstrap = bootstrap
        self._fetch = fetch
        self._clock = clock
        self._rng = rng
        self._initial = initial
        self._held: dict[int, tuple[Document, bytes]] = {}
        self._current: Document | None = None
        self._bell = Bell()

    @property
    def current(self) -> Document:
        """The document to use now; raises NoDocument before the first one, or when the last one has expired."""
        if self._current is None or self._clock.now() > self._current.valid_until:
            raise NoDocument
        return self._current

    def raw(self, epoch: int = NEWEST) -> bytes | None:
        """The signed bytes of the current document, or of that for `epoch`, for others to verify; None if not held."""
        if epoch == NEWEST:
            epoch = -1 if self._current is None else self._current.epoch
        held = self._held.get(epoch)
        return None if held is None else held[1]

    async def wait_for_next(self) -> Document:
        """The next document that becomes current."""
        before = self._current
        while self._current is before:
            await self._bell.wait()
        return self.current

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fetch until cancelled; started when there is a current document."""
        self._recall()
        if self._current is None:
            await self._obtain(NEWEST)
        task_status.started()
        while True:
            await self._obtain(await self._due())
            await sleep_until(self._clock, self._bootstrap.epochs.start(max(self._held)))
            self._switch()

    def _recall(self) -> None:
        """Take over the document of an earlier run."""
        if self._initial is not None:
            try:
                document = verify_untrusted(self._initial, self._bootstrap, self._clock.now())
            except RemoteError:
                return
            self._hold(document, self._initial)

    async def _due(self) -> int:
        """The epoch whose document is needed next, once it is time to ask for it."""
        epochs = self._bootstrap.epochs
        present = epochs.at(self._clock.now())
        if max(self._held) < present:
            return present
        ahead = self._rng.uniform(LATEST, EARLIEST) * epochs.length
        await sleep_until(self._clock, epochs.end(present) - ahead)
        return present + 1

    async def _obtain(self, epoch: int) -> None:
        """Fetch until there is a document for `epoch`, or a newer one is due; NEWEST: until there is any."""
        epochs = self._bootstrap.epochs
        backoff = Backoff(self._rng, most=max(2.0, _PATIENT_SHARE * epochs.length) if self._held else 2.0)
        while True:
            newest = max(self._held, default=-1)
            try:
                raw = await self._fetch(epoch, newest)
                document = accept_untrusted(raw, self._bootstrap, self._clock.now(), newest_epoch=newest, epoch=epoch)
            except (Unavailable, RemoteError):
                await backoff.pause()
            else:
                self._hold(document, raw)
                return
            if epoch != NEWEST and epochs.at(self._clock.now()) > epoch:
                epoch = epochs.at(self._clock.now())

    def _hold(self, document: Document, raw: bytes) -> None:
        self._held[document.epoch] = (document, raw)
        self._switch()

    def _switch(self) -> None:
        """Make the newest document whose epoch has begun the current one, and forget those before it."""
        present = self._bootstrap.epochs.at(self._clock.now())
        begun = [epoch for epoch in self._held if epoch <= present]
        if not begun and self._current is not None:
            return
        # A first document whose epoch has not begun here was accepted within the tolerance for slow clocks.
        newest = self._held[max(begun, default=min(self._held))][0]
        for epoch in begun:
            if epoch < newest.epoch:
                del self._held[epoch]
        if newest is not self._current:
            self._current = newest
            self._bell.ring()


def keeper_of_authorities(
    bootstrap: Bootstrap,
    *,
    network: Network,
    clock: Clock,
    identity: SigningKey,
    role: Role,
    rng: random.Random,
    source: str | None = None,
    initial: bytes | None = None,
) -> DocumentKeeper:
    """A keeper that asks the authorities themselves, as nodes do."""
    ask = partial(
        fetch_document, bootstrap, network=network, clock=clock, identity=identity, role=role, rng=rng, source=source
    )

    async def fetch(epoch: int, newest_epoch: int) -> bytes:
        return (await ask(epoch=epoch, newest_epoch=newest_epoch))[1]

    return DocumentKeeper(bootstrap, fetch, clock=clock, rng=rng, initial=initial)
