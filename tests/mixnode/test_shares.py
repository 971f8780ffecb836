"""What one peer does leaves room for the others: in the first queue, among what is held, and once it is expelled."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mixnet.clock import WallClock
from mixnet.counters import Counters, Dropped, Event
from mixnet.link import Frame, FrameKind, Link
from mixnet.timer import TrioTimer
from mixnode.arrival import SHARE
from mixnode.delay_queue import HELD, ORDINARY_DELAYS, DelayQueue, Due
from mixnode.keys import KeyRing
from mixnode.members import Members
from mixnode.node import QUEUE_SIZE, Queues, hold, peel, peel_batch, receive
from mixnode.outgoing import Outgoing
from mixnode.peel_pool import PeelPool
from mixnode.peel_queue import PeelJob

PACKET = Frame(FrameKind.PACKET, bytes(3072))
MEAN = 0.05


class FakeLink:
    """Gives batches of frames, then nothing any more."""

    def __init__(self, batches: int, size: int, identity: bytes = bytes(32)) -> None:
        self.peer, self.arrived = SimpleNamespace(identity=identity), 0.0
        self._batches = [[PACKET] * size] * batches

    async def receive(self) -> list[Frame]:
        await trio.lowlevel.checkpoint()
        if not self._batches:
            await trio.sleep_forever()
        return self._batches.pop()


def those(*listed: bytes) -> Members:
    return cast("Members", SimpleNamespace(other=lambda identity: identity if identity in listed else None))


def queues_of(counters: Counters) -> Queues:
    return Queues(DelayQueue(TrioTimer(), lambda: MEAN, counters), counters)


async def test_a_flood_on_one_link_leaves_the_first_door_open_for_others(autojump_clock: MockClock) -> None:
    counters = Counters()
    queues = queues_of(counters)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive, queues, cast("Link", FakeLink(500, 20)), those(bytes(32)), counters)
        await wait_all_tasks_blocked()
        assert len(queues.arrived) == SHARE < QUEUE_SIZE
        nursery.start_soon(receive, queues, cast("Link", FakeLink(5, 20)), those(bytes(32)), counters)
        await wait_all_tasks_blocked()
        assert len(queues.arrived) == SHARE  # a second link of the same node has no share of its own
        assert counters[Dropped.PEEL_FULL] == 10_100 - SHARE
        other = bytes([1]) * 32
        nursery.start_soon(receive, queues, cast("Link", FakeLink(5, 20, other)), those(other), counters)
        await wait_all_tasks_blocked()
        assert len(queues.arrived) == SHARE + 100
        assert counters[Dropped.PEEL_FULL] == 10_100 - SHARE
        nursery.cancel_scope.cancel()


async def test_packets_that_come_one_by_one_use_up_no_share(autojump_clock: MockClock) -> None:
    counters, jobs = Counters(), list[PeelJob]()
    queues, keys = queues_of(counters), SimpleNamespace(live=lambda _now: [])
    pool = SimpleNamespace(peel=jobs.append)
    here = partial(peel_batch, cast("KeyRing", keys), WallClock(), cast("PeelPool", pool))
    queues.arrived.when_alone(here)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peel, queues, here)
        nursery.start_soon(receive, queues, cast("Link", FakeLink(3 * SHARE, 1)), those(bytes(32)), counters)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert sum(len(job.packets) for job in jobs) == 3 * SHARE
    assert sum(len(job.packets) == 1 for job in jobs) > 2 * SHARE
    assert counters[Dropped.PEEL_FULL] == 0


async def test_a_node_that_is_no_longer_listed_loses_its_link(autojump_clock: MockClock) -> None:
    counters = Counters()
    queues = queues_of(counters)
    with trio.fail_after(1):
        await receive(queues, cast("Link", FakeLink(1, 20)), those(), counters)
    assert (len(queues.arrived), counters[Event.PACKETS_IN]) == (0, 0)


async def test_packets_that_ask_for_long_delays_leave_room_for_ordinary_ones(autojump_clock: MockClock) -> None:
    counters = Counters()
    queues = queues_of(counters)
    sent: list[Outgoing] = []
    links = cast("Any", SimpleNamespace(send=sent.extend))

    async def wish(delay: float, number: int) -> None:
        for _ in range(number):
            queues.held.put([Due(trio.current_time() + delay, delay, Outgoing(bytes(32), b""))])
        await wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, queues, links)
        await wish(9.0, HELD)
        assert len(queues.held) == HELD // 2
        await wish(ORDINARY_DELAYS * MEAN, HELD)
        assert len(queues.held) == HELD
        assert counters[Dropped.HOLD_FULL] == HELD
        await trio.sleep(1)
        assert len(sent) == len(queues.held) == HELD // 2
        nursery.cancel_scope.cancel()
