"""Authorities that give out whatever a test wants, on a simulated network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from mixnet.clock import VirtualClock
from mixnet.crypto import SigningKey
from mixnet.link import Assembler, FrameKind, Link, Role, answer_requests, serve_links, split
from mixnet.network import Address
from mixnet.pki.bootstrap import AuthorityInfo
from mixnet.pki.document import MAX_DOCUMENT, Document
from mixnet.pki.fetch import fetch_document, upload_descriptor
from mixnet.pki.requests import (
    NEWEST,
    AskDocument,
    AskIntroduction,
    DocumentAnswer,
    IntroductionAnswer,
    Upload,
    UploadAnswer,
    encode,
    parse_request_untrusted,
)
from mixnet.pki.trust import Trust
from mixnet.pki.views import Views
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from tests.mixnet.pki.builders import START, Town, key

Introduces = Callable[[int], bytes | None]
Gives = Callable[[AskDocument | Upload], bytes]  # the answer to a question


def gives(raw: bytes | None) -> Gives:
    """Whatever one asks, this document, and a nod to every descriptor."""
    return lambda asked: encode(DocumentAnswer(raw) if isinstance(asked, AskDocument) else UploadAnswer(True))


def shrugs(asked: AskDocument | Upload) -> bytes:
    """No document, and no to every descriptor."""
    return encode(DocumentAnswer(None) if isinstance(asked, AskDocument) else UploadAnswer(False))


def never_ends(asked: AskDocument | Upload) -> bytes:
    """`Liars` announces the longest answer there is, and gives a part of it a second."""
    raise NotImplementedError


class Liars:
    """`asked` has the numbers of the authorities in the order in which they were asked for something.

    `introduces` says what each answers who is asked which document introduces the next authorities: nobody any, at
    first.
    """

    def __init__(self, town: Town, nursery: trio.Nursery, *, seed: int = 1) -> None:
        self.town = town
        self.trust = Trust(town.bootstrap)
        self.introduces: dict[int, Introduces] = {}
        self.rng = SeededSource(seed)
        self.clock = VirtualClock(START - trio.current_time())
        self.network = SimulatedNetwork(self.rng.child("network"))
        self.asked: list[int] = []
        self._nursery = nursery

    async def start(self, **answers: Gives) -> None:
        """`a0=…` lets authority 0 answer; those that are not named are gone."""
        for name, answer in answers.items():
            number = int(name[1:])
            await self.listen(number, self.town.bootstrap.authorities[number], self.town.authorities[number], answer)

    async def listen(self, number: int, info: AuthorityInfo, identity: SigningKey, answer: Gives) -> None:
        """Let an authority answer that may be of another set than the town's."""
        await self._nursery.start(
            partial(
                serve_links,
                self.network,
                Address.parse(info.address),
                partial(self._serve, number, answer),
                identity=identity,
                role=Role.AUTHORITY,
                network_id=self.town.bootstrap.network_id,
                admit=lambda identity, role: True,
            )
        )

    async def _serve(self, number: int, answer: Gives, link: Link) -> None:
        async def reply(raw: bytes) -> bytes:
            await trio.lowlevel.checkpoint()
            request = parse_request_untrusted(raw)
            if isinstance(request, AskIntroduction):
                return encode(IntroductionAnswer(self.introduces.get(number, lambda _: None)(request.first_epoch)))
            self.asked.append(number)
            assert isinstance(request, AskDocument | Upload)
            return answer(request)

        await (_trickle(link) if answer is never_ends else answer_requests(link, reply))

    async def fetch(
        self, *, epoch: int = NEWEST, newest_epoch: int = -1, views: Views | None = None
    ) -> tuple[Document, bytes]:
        return await fetch_document(
            self.trust,
            network=self.network,
            clock=self.clock,
            identity=key("reader"),
            role=Role.CLIENT,
            rng=self.rng.stream("fetch", str(len(self.asked))),
            epoch=epoch,
            newest_epoch=newest_epoch,
            views=views,
        )

    async def upload(
        self, patience: float = 20.0, epoch: int = 0, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        await upload_descriptor(
            self.trust,
            self.town.descriptor("mix 0", epoch),
            network=self.network,
            identity=self.town.nodes["mix 0"][0],
            rng=self.rng.stream("upload"),
            patience=patience,
            task_status=task_status,
        )


async def _trickle(link: Link) -> None:
    assembler = Assembler()
    for frame in await link.receive():
        if (asked := assembler.feed_untrusted(frame)) is not None:
            for part in split(bytes(MAX_DOCUMENT), FrameKind.RESPONSE, asked[0]):
                await link.send([part])
                await trio.sleep(1.0)
