"""Asks every authority the same question, for somebody who looks at the network (spec/05-directory.md 5.9).

Promises: an authority that is gone, or answers with garbage, has no answer and costs the others nothing. Never: trust;
what is signed in an answer is verified by who asked.
"""

from __future__ import annotations

import trio

from mixnet.crypto import SigningKey
from mixnet.directory.reports import EpochReport, epoch_report, merged_untrusted, why
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role
from mixnet.network import Network
from mixnet.pki.bootstrap import AuthorityInfo, Trusted
from mixnet.pki.document import Document
from mixnet.pki.fetch import Caller
from mixnet.pki.requests import (
    Answer,
    AskDocument,
    AskHistory,
    AskNode,
    DocumentAnswer,
    HistoryAnswer,
    NodeAnswer,
    Request,
)

_NEWEST = 2**48 - 1  # no epoch is later, so whoever was introduced has taken over


class DirectoryQueries:
    """Questions to all authorities, asked under an identity that they need not know."""

    def __init__(self, trust: Trusted, network: Network, *, identity: SigningKey | None = None) -> None:
        """`trust` knows of all introductions that could be had; `identity` is a fresh key unless one is given."""
        self._trust = trust
        self._caller = Caller(trust.at(_NEWEST), network, identity=identity or SigningKey.generate(), role=Role.CLIENT)

    async def everybody(self, request: Request, kind: type[Answer], *epochs: int) -> dict[bytes, Answer]:
        """The answers by the identity of the authority, of those that gave one, in the bootstrap file's order.

        The authorities of `epochs` are asked; those that were introduced last if none is given.
        """
        sets = [self._trust.at(epoch) for epoch in epochs or (_NEWEST,)]
        asked = {authority.identity: authority for one in sets for authority in one.authorities}
        answers: dict[bytes, Answer] = {}

        async def one(authority: AuthorityInfo) -> None:
            answer = await self.one(authority, request, kind)
            if answer is not None:
                answers[authority.identity] = answer

        async with trio.open_nursery() as nursery:
            for authority in asked.values():
                nursery.start_soon(one, authority)
        return {identity: answers[identity] for identity in asked if identity in answers}

    async def one(self, authority: AuthorityInfo, request: Request, kind: type[Answer]) -> Answer | None:
        """The answer of one authority; None if it gives none."""
        try:
            return await self._caller.ask(authority, request, kind)
        except (RemoteError, Unavailable):
            return None

    async def why(self, identity: bytes, present: int) -> tuple[str, dict[bytes, str]]:
        """Where a node stands in epoch `present`, or why it is absent: a sentence, and each authority's word."""
        answers = await self.everybody(AskNode(identity), NodeAnswer, present + 1)
        found = await self._document(present, present)
        listed = found[0] or (await self._document(present - 1, present))[0] if present > 0 else found[0]
        return why(identity, listed, answers, self._trust.at(present + 1), present + 1)

    async def history(self, first: int, last: int) -> list[EpochReport]:
        """The epochs from `first` to `last`, as all authorities together tell and their signatures prove.

        Those of the last are asked for documents as well: who was replaced may be gone.
        """
        reports, before = [], (await self._document(first - 1, last))[0] if first > 0 else None
        for epoch in range(first, last + 1):
            found = await self._document(epoch, last)
            told = await self.everybody(AskHistory(epoch), HistoryAnswer, epoch)
            rounds = {identity: answer.rounds for identity, answer in told.items()}
            reports.append(epoch_report(epoch, found, rounds, before, self._trust))
            before = found[0] or before
        return reports

    async def _document(self, epoch: int, last: int) -> tuple[Document | None, set[bytes]]:
        """The document for a past or present epoch, and all who signed any copy of it."""
        answers = await self.everybody(AskDocument(epoch), DocumentAnswer, epoch, last)
        copies = [answer.document for answer in answers.values() if answer.document is not None]
        return merged_untrusted(copies, self._trust, epoch)
