"""Gets a timestamp from a provider for each message that the user signed.

Promises: a witness is a random provider, another one than our own where there is one, since that one could tell by its
timing whose question it was; it learns 32 random bytes. Questions leave in payload slots. What a witness said is
checked before it is kept; whoever doesn't answer, or wrongly, is replaced by another.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass

import trio

from mixnet.client.concurrency.wakeup import Wakeup
from mixnet.client.concurrency.worker import Worker
from mixnet.client.e2e.timestamp import Consensus, check_untrusted
from mixnet.client.storage.timestamps import Pending, TimestampTable, small_enough
from mixnet.client.traffic.provider_queries import ProviderQueries
from mixnet.errors import Unavailable
from mixnet.pki.document import Document
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.trust import Trust
from mixnet.timestamp import TimestampToken, question

RETRY = 60.0  # seconds after which those that nobody witnessed are tried again


@dataclass(frozen=True, slots=True)
class Submitter:
    """Asks providers for timestamps; `home` is the identity of our own provider."""

    table: TimestampTable
    worker: Worker
    provider_queries: ProviderQueries
    keeper: DocumentKeeper
    trust: Trust
    rng: random.Random
    home: bytes

    async def find_witnesses(self, wakeup: Wakeup) -> None:
        """Find a witness for all that is signed, for ever; `wakeup` is sent when there may be more."""
        while True:
            rung = wakeup.listen()
            done = False
            with suppress(Unavailable):  # the store can't be written, or there is no document: later
                done = await self._all()
            with trio.move_on_after(float("inf") if done else RETRY):
                await rung.wait()

    async def _all(self) -> bool:
        """Ask for each message once; whether all have a witness."""
        after, done = 0, True
        while (pending := await self.worker.call(self.table.next, after)) is not None:
            after = pending.message
            done = await self._one(pending) and done
        return done and not await self.worker.call(self.table.promised)

    async def _one(self, pending: Pending) -> bool:
        document = self.keeper.current
        consensus = self._consensus(document)
        if consensus is None:
            return True  # this network's documents can't be shown to others: nothing to try again
        others = [one.identity for one in document.providers if one.identity != self.home]
        witness = self.rng.choice(others or [self.home])
        try:
            token = TimestampToken.parse_untrusted(
                await self.provider_queries.ask(witness, question(pending.commitment))
            )
            check_untrusted(token, witness, document, pending.commitment)
        except Exception:  # whatever a witness says, another one is asked: nothing is stored here
            return False
        await self.worker.call(self.table.keep, pending.message, witness, token, consensus)
        return True

    def _consensus(self, document: Document) -> Consensus | None:
        """The document with all that others need to believe it; None if they couldn't, or it is too large.

        A bootstrap file of authorities that succeeded others doesn't tell whom the network's identifier stands for.
        """
        root, raw = self.trust.sets[0], self.keeper.raw(document.epoch)
        if root.first_epoch or raw is None:
            return None
        introductions = tuple(self.trust.introductions[: self.trust.rests_on(document.epoch)])
        consensus = Consensus(root.genesis, root.epoch_length, root.identities, root.required, introductions, raw)
        return consensus if small_enough(consensus) else None
