"""Where a client gets the directory's documents from (SPEC.md section 5.10).

Promises: the authorities are asked directly only while the client has no valid document; from then on its provider is,
in payload slots. If it failed for a whole epoch, the time at which the authorities are asked is drawn in advance: it
doesn't tell when, among the user's messages, the provider was last asked. Whoever gives a document, it is verified, and
never older than one that this profile has seen, also before a restart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from client.requests import Requests
from client.store import Store
from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role
from mixnet.network import Network
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import parse_untrusted, validity
from mixnet.pki.errors import NoDocument
from mixnet.pki.fetch import fetch_document
from mixnet.pki.requests import NEWEST, AskDocument, DocumentAnswer, encode, parse_answer_untrusted
from mixnet.pki.waiting import sleep_until

PATIENCE = 0.1  # the share of an epoch that a provider has for its answer
SHORTEST_PATIENCE = 5.0  # seconds
PAUSE, SHORTEST_PAUSE = 0.05, 5.0  # the share of an epoch, and seconds: longer than a DocumentKeeper's pauses
_KEPT = "directory document"


def keep(store: Store, raw: bytes) -> None:
    """Remember a verified document across restarts."""
    store.set_setting(_KEPT, raw)


def kept(store: Store) -> bytes | None:
    """The document that was kept last, however old it is now."""
    return store.setting(_KEPT)


@dataclass(slots=True)
class Source:
    """Fetches for a DocumentKeeper."""

    bootstrap: Bootstrap
    network: Network
    clock: Clock
    rng: random.Random
    requests: Requests
    dial_from: str | None = None
    seen: bytes | None = None  # the signed bytes of a document that was verified before
    problem: str = ""
    _turn: float = 0.0  # when the authorities may be asked again, in seconds since the Unix epoch

    async def fetch(self, epoch: int, newest_epoch: int) -> bytes:
        """The signed bytes of the document for `epoch`; NoDocument if there is none to be had now."""
        try:
            if epoch == NEWEST:
                raw = await self._from_authorities(epoch, newest_epoch)
            elif self._expired(newest_epoch):
                raw = await self._in_turn(epoch, newest_epoch)
            else:
                raw = await self._from_provider(epoch)
        except (Unavailable, RemoteError) as error:
            self.problem = str(error)
            raise
        self.seen, self.problem = raw, ""
        return raw

    def _expired(self, newest_epoch: int) -> bool:
        """Whether the provider had all the time there was, and failed."""
        return self.clock.now() > validity(self.bootstrap.epochs, newest_epoch)[1]

    async def _in_turn(self, epoch: int, newest_epoch: int) -> bytes:
        """Ask the authorities at a time that no question in a slot and no pause after it has moved."""
        expiry = validity(self.bootstrap.epochs, newest_epoch)[1]
        if self._turn < expiry:
            self._turn = expiry + self._patience + self._drawn_pause()
        await sleep_until(self.clock, self._turn)
        try:
            return await self._from_authorities(epoch, newest_epoch)
        except (Unavailable, RemoteError):
            self._turn = self.clock.now() + self._drawn_pause()
            raise

    def _drawn_pause(self) -> float:
        pause = max(SHORTEST_PAUSE, PAUSE * self.bootstrap.epoch_length)
        return pause * self.rng.uniform(1.0, 2.0)

    @property
    def _patience(self) -> float:
        return max(SHORTEST_PATIENCE, PATIENCE * self.bootstrap.epoch_length)

    async def _from_authorities(self, epoch: int, newest_epoch: int) -> bytes:
        """Ask under a key that is used this once: the authorities shall not know who their readers are."""
        if self.seen is not None:
            newest_epoch = max(newest_epoch, parse_untrusted(self.seen)[0].epoch)
        _, raw = await fetch_document(
            self.bootstrap,
            network=self.network,
            clock=self.clock,
            identity=SigningKey.generate(),
            role=Role.CLIENT,
            rng=self.rng,
            source=self.dial_from,
            newest_epoch=newest_epoch,
            epoch=epoch,
        )
        return raw

    async def _from_provider(self, epoch: int) -> bytes:
        answer = await self.requests.ask(encode(AskDocument(epoch)), timeout=self._patience)
        document = parse_answer_untrusted(answer, DocumentAnswer).document
        if document is None:
            raise NoDocument
        return document
