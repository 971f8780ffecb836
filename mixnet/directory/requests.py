"""Answers the questions that come to an authority (spec/05-directory.md 5.9).

Promises: a node may upload, an authority may ask for steps of a round, anybody may ask for documents; an answer waits a
few seconds for what is about to exist, so that nobody has to ask in a loop. Everything is paid for, frames before they
are looked at and answers before they leave, from the budget that the asker's identity gives (`guests.py`). Never: a
word about why something was refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import trio

from mixnet.bucket import TokenBuckets
from mixnet.counters import Dropped, Event
from mixnet.directory.context import AuthorityContext
from mixnet.directory.guests import Guests
from mixnet.directory.registry import TooMany, Unapproved
from mixnet.directory.voting import Round
from mixnet.errors import RemoteError
from mixnet.link import Link, Peer, Role, answer_requests
from mixnet.pki.descriptor import Descriptor
from mixnet.pki.requests import (
    NEWEST,
    Answers,
    AskDigest,
    AskDocument,
    AskEvidence,
    AskHistory,
    AskIntroduction,
    AskNode,
    AskStep,
    AskValue,
    DigestAnswer,
    DocumentAnswer,
    EvidenceAnswer,
    HistoryAnswer,
    IntroductionAnswer,
    NodeAnswer,
    StepAnswer,
    Upload,
    UploadAnswer,
    ValueAnswer,
    encode,
    parse_request_untrusted,
)

WAIT = 5.0  # seconds for which an answer waits for what it is about
UPLOADS, UPLOADS_AT_ONCE = 4.0, 8  # descriptors of one node that are written down: in an epoch, and at once
_MAX_REQUEST = 4096


class RequestHandler:
    """One authority's answers."""

    def __init__(self, context: AuthorityContext, rounds: Mapping[tuple[int, int], Round], guests: Guests) -> None:
        """`rounds` are those under way or just over, by epoch and attempt."""
        self._context, self._rounds, self._guests = context, rounds, guests
        self._archive, self._registry, self._counters = context.archive, context.registry, context.counters
        rate = UPLOADS / context.trust.epochs.length
        self._uploads: TokenBuckets[bytes] = TokenBuckets(rate, UPLOADS_AT_ONCE, 0.0)  # full at any time

    def admit(self, identity: bytes, role: Role) -> bool:
        """Whether a peer may ask anything at all: only an authority may say that it is one."""
        return role != Role.AUTHORITY or self._context.succession.admits(identity, self._context.present())

    async def serve(self, link: Link) -> None:
        """Answer one peer's questions until its link ends."""
        visit = self._guests.visit(link)

        async def answer(raw: bytes) -> bytes:
            await visit.question_untrusted()
            return await self._answer_untrusted(link.peer, raw)

        await answer_requests(link, answer, limit=_MAX_REQUEST, spend=visit.spend)

    async def _answer_untrusted(self, peer: Peer, raw: bytes) -> bytes:
        request = parse_request_untrusted(raw)
        self._counters.add(Event.REQUESTS)
        match request:
            case AskDocument():
                return _document_answer(await self._document(request.epoch, peer))
            case Upload():
                answer: Answers = UploadAnswer(self._take_descriptor_untrusted(request.descriptor, peer))
            case AskDigest():
                document = self._archive.document(request.epoch)
                answer = DigestAnswer(None if document is None else document.digest)
            case AskNode():
                answer = self._about(request.identity)
            case AskHistory():
                answer = HistoryAnswer(self._context.ledger.reports(request.epoch))
            case AskEvidence():
                answer = EvidenceAnswer(tuple(self._context.ledger.evidence()))
            case AskIntroduction():
                answer = IntroductionAnswer(self._context.succession.trust.introduction(request.first_epoch))
            case AskStep():
                _authorities_only(peer)
                answer = StepAnswer(await self._bundle(request))
            case AskValue():
                _authorities_only(peer)
                round_ = self._rounds.get((request.epoch, request.attempt))
                answer = ValueAnswer(None if round_ is None else round_.value(request.fingerprint))
        return encode(answer)

    async def _document(self, epoch: int, peer: Peer) -> bytes | None:
        present = self._context.present()
        # Authorities ask each other before they know whether anybody has one: they must not wait for one another.
        patience = WAIT if peer.role != Role.AUTHORITY and epoch <= present + 1 else 0.0
        with trio.move_on_after(patience):
            while self._find(epoch) is None:
                await self._context.changed.wait()
        found = self._find(epoch)
        if found is not None:
            self._counters.add(Event.DOCUMENTS)
        return found

    def _find(self, epoch: int) -> bytes | None:
        if epoch == NEWEST:
            newest = self._archive.newest(self._context.present())
            return None if newest is None else self._archive.raw(newest)
        return self._archive.raw(epoch)

    def _take_descriptor_untrusted(self, raw: bytes, peer: Peer) -> bool:
        self._context.refresh()
        try:
            # Else anybody could bring an older one of the same epoch back, and so take a node's newer keys away.
            if peer.role != Role.NODE or peer.identity not in self._registry.approved:
                raise Unapproved
            offered = Descriptor.parse_untrusted(raw)
            if offered.identity != peer.identity:
                raise RemoteError("a descriptor that another than its node brings")
            fresh = not self._registry.holds(offered, raw)
            # All else here waits while one is written to the disk.
            if fresh and not self._uploads.take(peer.identity, 1, trio.current_time()):
                raise TooMany
            descriptor = self._registry.take_untrusted(raw, self._context.present())
        except RemoteError as refusal:
            self._counters.drop(Dropped.REQUEST)
            if peer.role == Role.NODE:
                self._registry.note_refusal(peer.identity, type(refusal).__name__)
            return False
        if fresh:
            self._context.ledger.keep_descriptor(descriptor.epoch, descriptor.identity, raw)
        self._context.changed.wake()
        return True

    def _about(self, identity: bytes) -> NodeAnswer:
        """What this authority knows about a node, which is nothing that the document would not tell if it were in."""
        self._context.refresh()
        role = self._registry.approved.get(identity)
        registry = self._registry
        return NodeAnswer(None if role is None else str(role), registry.epochs(identity), registry.refusal(identity))

    async def _bundle(self, request: AskStep) -> bytes | None:
        with trio.move_on_after(WAIT):
            while (bundle := self._step(request)) is None:
                await self._context.changed.wait()
            return bundle
        return None

    def _step(self, request: AskStep) -> bytes | None:
        round_ = self._rounds.get((request.epoch, request.attempt))
        return None if round_ is None else round_.bundle(request.step)


@lru_cache(maxsize=4)  # epochs that are asked for at one time
def _document_answer(raw: bytes | None) -> bytes:
    """The same bytes for all that ask: hundreds may wait for their turns with them."""
    return encode(DocumentAnswer(raw))


def _authorities_only(peer: Peer) -> None:
    if peer.role != Role.AUTHORITY:
        raise RemoteError("a question that only an authority may ask")
