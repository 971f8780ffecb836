"""The page of `mixnet observe`: who looks at it, and what they are told (spec/11-demonstration.md).

Promises: nothing is looked at before the first page is open, unless it is recorded; a page that can't keep up is told
anew from the beginning, and holds up nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

import trio
from starlette.routing import Route

from mixnet.deploy.observe import recording
from mixnet.deploy.observe.live import LocalNetwork, Take
from mixnet.deploy.observe.messages import End, Message
from mixnet.deploy.observe.own import OwnNodes
from mixnet.deploy.observe.samples import Heading, Sample
from mixnet.deploy.observe.scene import Scene
from mixnet.pages.events import EventStream, Tell
from mixnet.pages.serve import serve_page

STATIC = Path(__file__).parent / "static"
BEHIND = 64  # messages that a page may be behind
ENDED = "The recording has ended."


class Source(Protocol):
    """What gives samples."""

    @property
    def heading(self) -> Heading:
        """What doesn't change."""

    async def run(self, take: Take) -> None:
        """Give one sample after another; returns when there is no more."""


class Show:
    """A scene, and the pages that show it."""

    def __init__(self, source: Source, file: BinaryIO | None = None) -> None:
        """Show what the source gives; write it down too if there is a file."""
        self._source, self._file = source, file
        self.scene = Scene(source.heading, replay=isinstance(source, recording.Recording))
        self._pages: set[trio.MemorySendChannel[Message]] = set()
        self._opened = trio.Event()
        self._end: End | None = None

    async def run(self) -> None:
        """Look, and tell the pages, until there is no more."""
        if self._file is None:
            await self._opened.wait()
        await self._source.run(self._take)
        self._end = End(ENDED)
        self._tell(self._end)

    async def _take(self, sample: Sample) -> None:
        if self._file is not None:
            recording.add(self._file, sample)
        for message in self.scene.take(sample):
            self._tell(message)

    def _tell(self, message: Message) -> None:
        for page in list(self._pages):
            try:
                page.send_nowait(message)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self._pages.discard(page)
                page.close()

    async def feed(self, tell: Tell) -> None:
        """Tell one page, until it goes or falls behind."""
        send, receive = trio.open_memory_channel[Message](BEHIND)
        known: list[Message | None] = [self.scene.opening(), self.scene.figures, self._end]
        for message in known:
            if message is not None:
                send.send_nowait(message)
        self._pages.add(send)
        self._opened.set()
        try:
            async with receive:
                async for message in receive:
                    await tell(message)
        finally:
            self._pages.discard(send)

    def routes(self) -> list[Route]:
        """The page's own, beside its files."""
        return [Route("/events", EventStream(self.feed))]


async def show(
    source: Source,
    greet: Callable[[str], None],
    *,
    record: Path | None = None,
    port: int | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the page until cancelled; `greet` is called with its link."""
    with nullcontext() if record is None else recording.writing(record, source.heading) as file:
        staged = Show(source, file)
        async with trio.open_nursery() as nursery:
            serving = partial(serve_page, staged.routes(), STATIC, port=port, report=_report)
            door = await nursery.start(serving)
            greet(door.link())
            task_status.started()
            await staged.run()
            await trio.sleep_forever()


def _report(fault: str) -> None:
    sys.stderr.write(f"the page had a fault, please report it: {fault}\n")


async def observe(
    folder: Path,
    greet: Callable[[str], None],
    *,
    nodes: Sequence[Path] = (),
    record: Path | None = None,
    replay: Path | None = None,
    port: int | None = None,
) -> None:
    """The command, until cancelled: of the network in `folder`, of nodes by their configurations, or of a recording."""
    source = recording.Recording(replay) if replay is not None else OwnNodes(nodes) if nodes else LocalNetwork(folder)
    await show(source, greet, record=record, port=port)
