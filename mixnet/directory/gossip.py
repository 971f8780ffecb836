"""Authorities compare what they give out: two documents for one epoch don't stay unnoticed (spec/05-directory.md 5.7).

Promises: once an epoch each of its authorities asks every other one for the digest of its document, and keeps both
documents, as proof, if the other one is validly signed too. Whoever signed both is named. Never: a choice between the
two; readers keep to the first that they were shown.
"""

from __future__ import annotations

import trio

from mixnet.directory.context import AuthorityContext
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import ask
from mixnet.pki.bootstrap import AuthorityInfo
from mixnet.pki.document import parse_untrusted
from mixnet.pki.requests import AskDigest, DigestAnswer, encode, parse_answer_untrusted
from mixnet.pki.views import timeless_untrusted
from mixnet.pki.waiting import sleep_until

_WHEN = 0.25  # the share of an epoch after which all that made or fetched its document can be asked


class Gossip:
    """One authority's comparisons with the others."""

    def __init__(self, context: AuthorityContext) -> None:
        self._context, self._trust, self._archive = context, context.trust, context.archive
        self.suspects: set[bytes] = set()  # authorities that signed two documents for one epoch

    @property
    def splits(self) -> list[int]:
        """The epochs for which there are two validly signed documents."""
        return self._context.ledger.splits()

    async def run(self) -> None:
        """Compare in every epoch, until cancelled."""
        epochs = self._trust.epochs
        while True:
            present = max(epochs.at(self._context.clock.now()), 0)
            await sleep_until(self._context.clock, epochs.start(present) + _WHEN * epochs.length)
            async with trio.open_nursery() as nursery:
                for authority in self._others(present):
                    nursery.start_soon(self._compare, present, authority)
            await sleep_until(self._context.clock, epochs.end(present))

    def _others(self, epoch: int) -> list[AuthorityInfo]:
        """The other authorities of an epoch; empty if this one is not an authority then."""
        authorities = self._trust.at(epoch)
        if self._context.me not in authorities.identities:
            return []
        return [authority for authority in authorities.authorities if authority.identity != self._context.me]

    async def _compare(self, epoch: int, authority: AuthorityInfo) -> None:
        own, own_raw = self._archive.document(epoch), self._archive.raw(epoch)
        if own is None or own_raw is None:
            return  # it is being made or asked for
        try:
            async with await self._context.caller.link(authority) as link:
                answer = parse_answer_untrusted(await ask(link, encode(AskDigest(epoch))), DigestAnswer)
            if answer.digest in (None, own.digest):
                return
            raw = await self._context.caller.document(authority, epoch)
            other = None if raw is None else timeless_untrusted(raw, self._trust)
        except (RemoteError, Unavailable):
            return  # gone, or without a document that anybody would believe
        if raw is not None and other is not None and other.epoch == epoch and other.digest != own.digest:
            self._context.ledger.keep_split(epoch, own_raw, raw)
            self.suspects |= parse_untrusted(own_raw)[1].keys() & parse_untrusted(raw)[1].keys()
