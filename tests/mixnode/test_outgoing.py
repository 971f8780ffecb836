"""Sending over links that break: what a broken link may have swallowed is sent again, and batches share a write."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import trio
import trio.testing

from mixnet.counters import Counters, Dropped, Event
from mixnet.errors import Unavailable
from mixnet.link import FRAME_SIZE, Frame, FrameKind, Link, LinkLost
from mixnet.pki.document import Node
from mixnode.members import Members
from mixnode.outgoing import QUEUE, Outgoing, OutgoingLinks
from mixnode.queues import BATCH

HERE, THERE = bytes([1]) * 32, bytes([2]) * 32


class FakeLink(trio.abc.AsyncResource):
    """Takes `good` writes and then breaks."""

    def __init__(self, good: int, at_once: int = 0, part: int = 0) -> None:
        """Of `good` writes it takes `at_once` at once, and `part` more in part."""
        self.good, self.at_once, self.part = good, at_once, part
        self.writes: list[list[bytes]] = []
        self.unfinished = False

    def send_at_once(self, frames: list[bytes]) -> bool:
        if self.at_once + self.part == 0:
            return False
        if self.at_once:
            self.at_once -= 1
            self.writes.append(list(frames))
        else:
            self.part, self.unfinished = self.part - 1, True
        return True

    async def send_bytes(self, frames: list[bytes]) -> None:
        await trio.lowlevel.checkpoint()
        if len(self.writes) >= self.good:
            raise LinkLost
        self.writes.append(list(frames))

    async def receive(self) -> list[Frame]:
        await trio.sleep_forever()
        return []

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class FakeNeighbourhood:
    """Dials give these links in turn, or fail for None."""

    def __init__(self, *links: FakeLink | None) -> None:
        self.links = list(links)
        self.counters = Counters()
        self.known = {HERE, THERE}
        self.dialled = 0

    async def dial(self, _node: Node) -> Link:
        await trio.lowlevel.checkpoint()
        self.dialled += 1
        link = self.links.pop(0)
        if link is None:
            raise Unavailable
        return cast("Link", link)

    def outgoing(self, nursery: trio.Nursery) -> OutgoingLinks:
        members = SimpleNamespace(other=lambda identity: cast("Any", identity) if identity in self.known else None)
        return OutgoingLinks(nursery, cast("Members", members), self.dial, self.counters)


def packets(*numbers: int) -> list[Outgoing]:
    return [Outgoing(HERE, bytes([number]) * 3072) for number in numbers]


def bodies(link: FakeLink) -> list[int]:
    return [Frame.decode_untrusted(frame).body[0] for write in link.writes for frame in write]


async def test_what_a_broken_link_swallowed_is_sent_again(autojump_clock: trio.testing.MockClock) -> None:
    first, second = FakeLink(1), FakeLink(100)
    around = FakeNeighbourhood(first, None, None, second)
    async with trio.open_nursery() as nursery:
        outgoing = around.outgoing(nursery)
        outgoing.send(packets(1, 2))
        await trio.sleep(1)
        outgoing.send(packets(3, 4))
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert bodies(first) == [1, 2]
    assert bodies(second) == [3, 4]
    assert around.counters[Event.PACKETS_OUT] == 4
    assert (around.dialled, around.counters[Event.LINKS_DIALLED]) == (4, 2)


async def test_a_neighbour_that_ends_every_link_is_dialled_ever_more_rarely(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each dial costs a handshake: a corrupt neighbour must not choose how many of them we make."""
    around = FakeNeighbourhood(*[FakeLink(number % 2) for number in range(1000)])
    async with trio.open_nursery() as nursery:
        outgoing = around.outgoing(nursery)
        for _ in range(6000):
            outgoing.send(packets(1))
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert 10 < around.dialled < 20  # 0.1 + 0.2 + … + 5 + 5 …, in a minute


async def test_packets_of_one_moment_share_writes(autojump_clock: trio.testing.MockClock) -> None:
    link = FakeLink(100)
    around = FakeNeighbourhood(link)
    async with trio.open_nursery() as nursery:
        around.outgoing(nursery).send(packets(*range(100)))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert bodies(link) == list(range(100))
    assert [len(write) for write in link.writes] == [BATCH, BATCH, BATCH, 100 - 3 * BATCH]
    assert all(len(frame) == FRAME_SIZE for write in link.writes for frame in write)
    assert Frame.decode_untrusted(link.writes[0][0]).kind is FrameKind.PACKET


async def test_a_neighbour_that_is_slow_or_unknown_costs_only_its_own_packets(
    autojump_clock: trio.testing.MockClock,
) -> None:
    around = FakeNeighbourhood(*[None] * 1000)
    async with trio.open_nursery() as nursery:
        outgoing = around.outgoing(nursery)
        outgoing.send(packets(*[1] * (QUEUE + 5)))
        outgoing.send([Outgoing(bytes(32), bytes(3072))])
        assert around.counters[Dropped.LINK_FULL] == 5
        assert around.counters[Dropped.UNKNOWN_HOP] == 1
        await trio.sleep(60)
        assert around.counters[Dropped.LINK_LOST] == QUEUE
        nursery.cancel_scope.cancel()


async def test_a_neighbour_that_left_the_network_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    around = FakeNeighbourhood(FakeLink(100))
    async with trio.open_nursery() as nursery:
        outgoing = around.outgoing(nursery)
        outgoing.send(packets(1))
        await trio.sleep(1)
        assert len(nursery.child_tasks) == 1
        around.known.clear()
        outgoing.prune()
        await trio.testing.wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 0


async def _idle_link(link: FakeLink, around: FakeNeighbourhood, nursery: trio.Nursery) -> OutgoingLinks:
    """Outgoing links of which one has carried packet 0 and is at rest."""
    taking, link.at_once = link.at_once, 0
    outgoing = around.outgoing(nursery)
    outgoing.send(packets(0))
    await trio.sleep(1)
    link.at_once = taking
    return outgoing


async def test_what_finds_a_link_at_rest_leaves_at_once(autojump_clock: trio.testing.MockClock) -> None:
    link = FakeLink(100, at_once=2)
    around = FakeNeighbourhood(link)
    async with trio.open_nursery() as nursery:
        outgoing = await _idle_link(link, around, nursery)
        outgoing.send(packets(1, 2))
        assert (bodies(link), around.counters[Event.PACKETS_OUT]) == ([0, 1, 2], 3)
        outgoing.send(packets(*range(3, 43)))  # more than a write has
        assert bodies(link) == [0, 1, 2]
        outgoing.send(packets(43))  # behind those that wait
        await trio.sleep(1)
        assert (bodies(link), around.counters[Event.PACKETS_OUT]) == ([*range(44)], 44)
        nursery.cancel_scope.cancel()


async def test_what_a_link_took_in_part_is_finished_or_goes_again(autojump_clock: trio.testing.MockClock) -> None:
    first, second = FakeLink(2, part=2), FakeLink(100)
    around = FakeNeighbourhood(first, second)
    async with trio.open_nursery() as nursery:
        part, first.part = first.part, 0
        outgoing = await _idle_link(first, around, nursery)
        first.part = part
        outgoing.send(packets(1))
        assert around.counters[Event.PACKETS_OUT] == 1  # not before it is out
        await trio.sleep(1)
        assert around.counters[Event.PACKETS_OUT] == 2
        outgoing.send(packets(2))  # and now the link breaks
        outgoing.send(packets(3))
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    assert sorted(bodies(second)) == [2, 3]
    assert around.counters[Event.PACKETS_OUT] == 4
