"""The last stage: packets to their next nodes, over one link each (spec/04-mixing.md 4.3).

Promises: `send` never waits; each neighbour has a bounded queue, and one that is full or unreachable loses its own
packets and nobody else's. What finds a link at rest leaves before `send` returns. A link is dialled when there is
something to send, carries up to 32 frames a write, and is dialled again with growing, capped pauses, also where each is
accepted and ended at once; a batch that a broken link may have swallowed is sent again, which the receiver's replay
check makes harmless. Only nodes of the document are dialled, and only with their pinned identity.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import trio

from mixnet.counters import Counters, Dropped, Event
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import FRAME_HEADER_SIZE, Frame, FrameKind, Link
from mixnet.pki.document import Node
from mixnet.sphinx import GEOMETRY
from mixnode.members import Members
from mixnode.queues import BATCH, DropQueue

QUEUE = 1024  # packets that may wait for one neighbour
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between attempts to dial
STEADY = 10.0  # seconds that a link lasts if its neighbour means it: after a shorter one comes a pause
PATIENCE = 10.0  # seconds without a link after which what waits for it is dropped
_HEADER = Frame(FrameKind.PACKET, bytes(GEOMETRY.packet_size)).encode()[:FRAME_HEADER_SIZE]


class Outgoing(NamedTuple):
    """A packet (3,072 bytes) for the node with the 32-byte identity `next_hop`."""

    next_hop: bytes
    packet: bytes


@dataclass(slots=True)
class _Neighbour:
    queue: DropQueue[bytes]
    link: Link | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class OutgoingLinks:
    """The outgoing links of a node."""

    def __init__(
        self,
        nursery: trio.Nursery,
        members: Members,
        dial: Callable[[Node], Awaitable[Link]],
        counters: Counters,
    ) -> None:
        """Links run in `nursery`; `dial` gives a link to a node, or raises Unavailable or RemoteError."""
        self._nursery = nursery
        self._members = members
        self._dial = dial
        self._counters = counters
        self._neighbours: dict[bytes, _Neighbour] = {}

    def send(self, due: Sequence[Outgoing]) -> None:
        """Give each packet to its neighbour's queue."""
        by_hop: dict[bytes, list[bytes]] = {}
        for next_hop, packet in due:
            by_hop.setdefault(next_hop, []).append(_HEADER + packet)
        for next_hop, frames in by_hop.items():
            if self._members.other(next_hop) is None:
                self._counters.drop(Dropped.UNKNOWN_HOP, len(frames))
                continue
            self._pass_on(self._neighbour(next_hop), frames)

    def _pass_on(self, neighbour: _Neighbour, frames: list[bytes]) -> None:
        """Send at once if nothing waits for this link; else let them wait, too."""
        link = neighbour.link
        if link is None or len(neighbour.queue) or len(frames) > BATCH or not link.send_at_once(frames):
            neighbour.queue.put(frames)
        elif link.unfinished:
            self._nursery.start_soon(self._finish, neighbour, link, frames)
        else:
            self._counters.add(Event.PACKETS_OUT, len(frames))

    async def _finish(self, neighbour: _Neighbour, link: Link, frames: list[bytes]) -> None:
        """Wait until the link took the rest of `frames`; if it broke they go again."""
        try:
            await link.send_bytes(())
        except (Unavailable, RemoteError):
            neighbour.queue.put(frames)
        else:
            self._counters.add(Event.PACKETS_OUT, len(frames))

    def prune(self) -> None:
        """Let go of neighbours that the documents don't list any more."""
        for identity in [identity for identity in self._neighbours if self._members.other(identity) is None]:
            self._neighbours.pop(identity).scope.cancel()

    def _neighbour(self, identity: bytes) -> _Neighbour:
        if identity not in self._neighbours:
            neighbour = _Neighbour(DropQueue(QUEUE, self._counters, Dropped.LINK_FULL))
            self._neighbours[identity] = neighbour
            self._nursery.start_soon(self._serve, identity, neighbour)
        return self._neighbours[identity]

    async def _serve(self, identity: bytes, neighbour: _Neighbour) -> None:
        """Keep the neighbour's queue empty, until it is let go of."""
        with neighbour.scope:
            unsent: list[bytes] = []
            pause = 0.0
            while True:
                unsent = unsent or await neighbour.queue.take()
                link = await self._reach(identity, neighbour.queue, unsent)
                if link is None:
                    unsent = []
                    continue
                begun = trio.current_time()
                async with link:
                    try:
                        neighbour.link = link
                        unsent = await self._write(link, neighbour.queue, unsent)
                    finally:
                        neighbour.link = None
                steady = trio.current_time() - begun >= STEADY
                pause = 0.0 if steady else min(max(FIRST_PAUSE, 2 * pause), LONGEST_PAUSE)
                await trio.sleep(pause)

    async def _reach(self, identity: bytes, queue: DropQueue[bytes], unsent: list[bytes]) -> Link | None:
        """A link to the neighbour; None when patience ran out and what waited was dropped."""
        pause, deadline = FIRST_PAUSE, trio.current_time() + PATIENCE
        while trio.current_time() < deadline:
            node = self._members.other(identity)
            try:
                if node is not None:
                    link = await self._dial(node)
                    self._counters.add(Event.LINKS_DIALLED)
                    return link
            except (Unavailable, RemoteError):
                pass
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._counters.drop(Dropped.LINK_LOST, len(unsent) + queue.clear())
        return None

    async def _write(self, link: Link, queue: DropQueue[bytes], batch: list[bytes]) -> list[bytes]:
        """Send until the link ends; what may not have been sent."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, link, nursery.cancel_scope)
            while True:
                try:
                    await link.send_bytes(batch)
                except (Unavailable, RemoteError):
                    nursery.cancel_scope.cancel()
                    break
                self._counters.add(Event.PACKETS_OUT, len(batch))
                batch = []
                batch = await queue.take()
        return batch


async def _watch(link: Link, scope: trio.CancelScope) -> None:
    """Wait for the end of the link; a neighbour sends nothing on it, so whatever comes ends it too."""
    with suppress(trio.EndOfChannel, RemoteError):
        await link.receive()
    scope.cancel()
