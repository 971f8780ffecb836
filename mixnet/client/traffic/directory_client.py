"""Fetches the directory's documents, for a client (spec/05-directory.md 5.10).

Promises: the authorities are asked directly only while the client has no valid document; from then on its provider is,
in payload slots. If it failed for a whole epoch, the time at which the authorities are asked is drawn in advance: it
doesn't tell when, among the user's messages, the provider was last asked. Whoever gives a document, it is verified, and
never older than one that this profile has used, also before a restart; what introduced other authorities, and proofs
that some contradicted themselves, stay in the store.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import trio

from mixnet.client.concurrency.worker import Worker
from mixnet.client.storage.database import Store
from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role
from mixnet.network import Network
from mixnet.pki.document import validity
from mixnet.pki.errors import NoDocument
from mixnet.pki.fetch import fetch_document
from mixnet.pki.keeper import DocumentMemory, expired
from mixnet.pki.requests import NEWEST, AskDocument, DocumentAnswer, encode, parse_answer_untrusted
from mixnet.pki.trust import Trust
from mixnet.pki.views import Contradiction, Views
from mixnet.pki.waiting import sleep_until

PATIENCE = 0.1  # the share of an epoch that a provider has for its answer
SHORTEST_PATIENCE = 5.0  # seconds
PAUSE, SHORTEST_PAUSE = 0.05, 5.0  # the share of an epoch, and seconds: longer than a DocumentKeeper's pauses
EAGER = 20  # how often a start asks without such pauses: the network may be starting up too
_KEPT, _EVIDENCE = "directory document", "directory evidence"
_INTRODUCTION, _INTRODUCTIONS = "directory introduction", "directory introductions"  # each, and how many there are


def keep(store: Store, raw: bytes) -> None:
    """Remember a verified document across restarts."""
    store.set_setting(_KEPT, raw)


def kept(store: Store) -> bytes | None:
    """The document that was kept last, however old it is now."""
    return store.setting(_KEPT)


def introductions(store: Store) -> list[bytes]:
    """The signed documents that introduced other authorities, in the order in which they came; unverified."""
    found = (store.setting(f"{_INTRODUCTION} {number}") for number in range(_introduced(store)))
    return [raw for raw in found if raw is not None]


def _introduced(store: Store) -> int:
    return int.from_bytes(store.setting(_INTRODUCTIONS) or b"", "big")


def evidence(store: Store, epoch: int) -> Contradiction | None:
    """The two documents that contradict each other, if the one for `epoch` was found to contradict another."""
    first, second = (store.setting(f"{_EVIDENCE} {epoch} {number}") for number in (1, 2))
    return None if first is None or second is None else Contradiction(epoch, first, second)


def all_evidence(store: Store) -> list[Contradiction]:
    """The contradictions that were kept, those of the oldest epochs first; unverified."""
    found = (evidence(store, epoch) for epoch in _epochs_of_evidence(store))
    return [contradiction for contradiction in found if contradiction is not None]


def _epochs_of_evidence(store: Store) -> list[int]:
    names = store.all("SELECT name FROM settings WHERE name GLOB ?", f"{_EVIDENCE} * 1")
    return sorted(int(name.removeprefix(_EVIDENCE).split()[0]) for (name,) in names)


@dataclass(frozen=True, slots=True)
class StoreMemory(DocumentMemory):
    """The memory of a DocumentKeeper in the profile's store."""

    store: Store
    worker: Worker

    async def keep(self, raw: bytes) -> None:
        """Remember the document in use; Unavailable if the disk refuses."""
        await self.worker.call(keep, self.store, raw)

    async def introduced(self, raw: bytes) -> None:
        """Keep the document that introduces other authorities; Unavailable if the disk refuses."""
        await self.worker.call(self._introduced, raw)

    def _introduced(self, raw: bytes) -> None:
        with self.store.transaction():
            number = _introduced(self.store)  # none is replaced: what doesn't fit this bootstrap file may fit another
            self.store.set_setting(f"{_INTRODUCTION} {number}", raw)
            self.store.set_setting(_INTRODUCTIONS, (number + 1).to_bytes(4, "big"))

    async def accuse(self, contradiction: Contradiction) -> None:
        """Keep both documents of a contradiction; Unavailable if the disk refuses."""
        await self.worker.call(self._accuse, contradiction)

    def _accuse(self, contradiction: Contradiction) -> None:
        with self.store.transaction():
            for number, raw in enumerate((contradiction.first, contradiction.second), 1):
                self.store.set_setting(f"{_EVIDENCE} {contradiction.epoch} {number}", raw)


@dataclass(slots=True)
class DocumentSource:
    """Fetches for a DocumentKeeper."""

    trust: Trust
    network: Network
    clock: Clock
    rng: random.Random
    requests: ProviderRequests
    views: Views
    dial_from: str | None = None
    _turn: float = 0.0  # when the authorities may be asked again, in seconds since the Unix epoch
    _asked: int = 0  # how often this start has asked

    async def fetch(self, epoch: int, newest_epoch: int) -> bytes:
        """The signed bytes of the document for `epoch`; NoDocument if there is none to be had now."""
        if epoch == NEWEST:
            return await self._at_start(newest_epoch)
        if expired(self.trust, newest_epoch, self.clock.now()):  # the provider had all the time there was
            return await self._in_turn(newest_epoch)
        return await self._from_provider(epoch)

    async def _at_start(self, newest_epoch: int) -> bytes:
        """Ask the authorities, seldom once that was in vain for a while: a daemon may wait for days."""
        if self._asked >= EAGER:
            await trio.sleep(self._drawn_pause())
        self._asked += 1
        return await self._from_authorities(newest_epoch)

    async def _in_turn(self, newest_epoch: int) -> bytes:
        """Ask the authorities at a time that no question in a slot and no pause after it has moved."""
        expiry = validity(self.trust.epochs, newest_epoch)[1]
        if self._turn < expiry:
            self._turn = expiry + self._patience + self._drawn_pause()
        await sleep_until(self.clock, self._turn)
        try:
            return await self._from_authorities(newest_epoch)
        except (Unavailable, RemoteError):
            self._turn = self.clock.now() + self._drawn_pause()
            raise

    def _drawn_pause(self) -> float:
        pause = max(SHORTEST_PAUSE, PAUSE * self.trust.epoch_length)
        return pause * self.rng.uniform(1.0, 2.0)

    @property
    def _patience(self) -> float:
        return max(SHORTEST_PATIENCE, PATIENCE * self.trust.epoch_length)

    async def _from_authorities(self, newest_epoch: int) -> bytes:
        """Ask under a key that is used this once: the authorities shall not know who their readers are."""
        _, raw = await fetch_document(
            self.trust,
            network=self.network,
            clock=self.clock,
            identity=SigningKey.generate(),
            role=Role.CLIENT,
            rng=self.rng,
            source=self.dial_from,
            newest_epoch=newest_epoch,
            views=self.views,
        )
        return raw

    async def _from_provider(self, epoch: int) -> bytes:
        answer = await self.requests.ask(encode(AskDocument(epoch)), timeout=self._patience)
        document = parse_answer_untrusted(answer, DocumentAnswer).document
        if document is None:
            raise NoDocument
        return document
