"""What a user's programs can ask of signatures, receipts and forgeries."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from client.concurrency.wakeup import Wakeup
from client.concurrency.worker import Worker
from client.model.views import MessageInfo
from client.storage.receipts import Rule
from client.traffic.provider_queries import ProviderQueries
from client.traffic.timestamping import Submitter
from mixnet.clock import Clock
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.trust import Trust

if TYPE_CHECKING:
    from client.messenger.verbs import UserVerbs

PIECE = 1 << 19  # bytes of a proof in one answer


class ProofService:
    """The part of a service for proofs."""

    def __init__(
        self, worker: Worker, clock: Clock, messenger: Callable[[], UserVerbs], changed: Callable[[], Awaitable[None]]
    ) -> None:
        """`messenger` gives it, or raises Unavailable as long as there is none; `changed` tells the others."""
        self._worker, self._clock, self._messenger, self._changed = worker, clock, messenger, changed
        self.signed = Wakeup()  # rings when a message is signed that needs a witness

    async def find_witnesses(
        self, services: ProviderQueries, keeper: DocumentKeeper, trust: Trust, rng: random.Random, home: bytes
    ) -> None:
        """Have all signed messages witnessed, for ever; `home` is the identity of our own provider."""
        await Submitter(self._messenger(), self._worker, services, keeper, trust, rng, home).find_witnesses(self.signed)

    async def proof(self, number: int, start: int) -> tuple[int, bytes]:
        """The size of the file that proves a signed message, and a piece of it from `start` on."""
        raw = await self._worker.call(self._messenger().proof, number)
        return len(raw), raw[start : start + PIECE]

    async def consent(self, number: int, give: bool) -> MessageInfo:
        """Give receipts for a signed message that came, or none."""
        attesting = self._messenger().attestations
        message = await self._worker.call(attesting.consent, number, give, self._clock.now())
        await self._changed()
        return message

    async def rule(self, contact: str | None, rule: Rule | None) -> Rule:
        """What is done about receipts, after it was set to `rule`, if that is given."""
        attesting = self._messenger().attestations
        if rule is not None:
            await self._worker.call(attesting.set_rule, contact, rule)
        return await self._worker.call(attesting.rule, contact)

    async def forge(self, contact: str, texts: Sequence[str]) -> str:
        """A transcript in which a contact has written these texts."""
        return await self._worker.call(self._messenger().forge, contact, texts, self._clock.now())
