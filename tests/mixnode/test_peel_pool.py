"""Worker processes, real ones: packets come out as without them, and what is lost with one is counted."""

import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from mixnet.counters import Counters, Dropped
from mixnet.log import Log
from mixnet.sphinx import Command, Hop, Kind, SphinxEngine
from mixnode import peel_pool
from mixnode.arrival import NODES, Arrived
from mixnode.keys import MemoryKeys
from mixnode.peel_pool import PeelPool
from mixnode.peel_queue import UNDER_WAY, PeelJob

ENGINE = SphinxEngine()
FINALS = (Kind.DELIVER, Kind.DROP)


class Crew:
    """A pool of workers and what came out of it."""

    def __init__(self, number):
        self.counters = Counters()
        self.done = []
        self._news = trio.Event()
        self.pool = PeelPool(number, ENGINE, done=self._take, counters=self.counters)

    def _take(self, done):
        self.done.append(done)
        self.tell()

    def tell(self):
        self._news.set()
        self._news = trio.Event()

    async def until(self, count):
        with trio.fail_after(60):
            while len(self.done) < count:
                await self._news.wait()

    async def open(self, count, without=()):
        """Wait until so many are ready, which a real process says when it pleases."""
        with trio.fail_after(60):
            while len(set(self.pool.pids) - set(without)) < count:
                await trio.sleep(0.02)
        return self.pool.pids


@asynccontextmanager
async def crew(number):
    made = Crew(number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.pool.keep_running, Log())
        await made.open(number)
        yield made
        nursery.cancel_scope.cancel()


def packet(key, number):
    """One of each kind, and some that nobody can peel."""
    end = Hop(MemoryKeys().create(0).secret.public, Command(Kind.DROP))
    commands = {
        0: Command(Kind.FORWARD, bytes([number]) * 32, 1000 + number),
        1: Command(Kind.DELIVER_MAILBOX, bytes([number]) * 32, number),
    }
    mine = commands.get(number % 5, Command(FINALS[number % 2], bytes(32)))
    hops = [Hop(key.secret.public, mine), *([end] if number % 5 < 2 else [])]
    whole = ENGINE.create(hops, bytes([number]) * number, seed=os.urandom(32))
    return whole if number % 5 < 4 else whole[:40] + b"?" + whole[41:]


def job(keys, count, fits=None):
    return PeelJob(keys, [Arrived(packet((fits or keys)[n % len(fits or keys)], n), 0.0, NODES) for n in range(count)])


def openings(done, wanted):
    return [one.openings for one in done if one.job is wanted]


async def test_packets_come_out_as_without_workers_and_in_order():
    keys = [MemoryKeys().create(epoch) for epoch in range(5)]
    jobs = [job(keys[first : first + 3], 32) for first in (0, 1, 2, 0)] + [job(keys[1:3], 16, fits=keys)]
    alone = Crew(0)
    for one in jobs:
        alone.pool.peel(one)
    async with crew(1) as helped:
        for number, one in enumerate(jobs, start=1):
            helped.pool.peel(one)
            assert len(helped.done) == number - 1  # it isn't here that they were peeled
            await helped.until(number)
        few = job(keys[:1], 3)
        helped.pool.peel(few)
        assert helped.done[-1].job is few  # it isn't worth another process
    for one in jobs:
        assert openings(helped.done, one) == openings(alone.done, one)
        assert sum(opening is not None for opening in openings(helped.done, one)[0]) >= len(one.packets) // 3
    kinds = {type(opening[1]).__name__ for one in alone.done for opening in one.openings if opening}
    assert kinds == {"Forward", "Mailbox", "Deliver", "Drop"}


async def test_what_no_worker_has_room_for_is_peeled_here():
    key = MemoryKeys().create(1)
    jobs = [job([key], 8) for _ in range(UNDER_WAY + 1)]
    async with crew(1) as helped:
        os.kill(helped.pool.pids[0], signal.SIGSTOP)
        for one in jobs:
            helped.pool.peel(one)
        assert [one.job for one in helped.done] == jobs[-1:]
        os.kill(helped.pool.pids[0], signal.SIGCONT)
        await helped.until(len(jobs))
        assert [one.job for one in helped.done] == [jobs[-1], *jobs[:-1]]


async def test_a_worker_that_is_killed_loses_what_it_had_in_hand_and_comes_back(monkeypatch):
    monkeypatch.setattr(peel_pool, "FIRST_PAUSE", 0.01)
    keys = [MemoryKeys().create(epoch) for epoch in range(2)]
    first, second = job(keys[:1], 9), job(keys[:1], 10)
    async with crew(1) as helped:
        before = list(helped.pool.pids)
        os.kill(before[0], signal.SIGSTOP)
        helped.pool.peel(first)
        helped.pool.peel(second)
        assert helped.done == []
        os.kill(before[0], signal.SIGKILL)
        await helped.until(1)
        assert [one.job for one in helped.done] == [second]
        assert helped.counters[Dropped.WORKER_LOST] == 9
        await helped.open(1, without=before)
        helped.pool.peel(third := job(keys, 11))  # the new one has to be given its keys again
        assert len(helped.done) == 1
        await helped.until(2)
        assert openings(helped.done, third)[0][0][0] is keys[0]
        assert helped.counters[Dropped.WORKER_LOST] == 9


async def test_a_worker_that_does_not_answer_is_ended(monkeypatch):
    monkeypatch.setattr(peel_pool, "PATIENCE", 0.05)
    monkeypatch.setattr(peel_pool, "_FAREWELL", 0.05)
    async with crew(1) as helped:
        before = list(helped.pool.pids)
        os.kill(before[0], signal.SIGSTOP)
        helped.pool.peel(job([MemoryKeys().create(1)], 8))
        with trio.fail_after(60):
            while Path(f"/proc/{before[0]}").exists():
                await trio.sleep(0.02)
        assert helped.counters[Dropped.WORKER_LOST] == 8
        assert helped.pool.pids == []


async def test_keys_are_turned_while_packets_are_under_way():
    keys = [MemoryKeys().create(epoch) for epoch in range(8)]
    async with crew(2) as helped:
        jobs = []
        for first in range(6):
            jobs += [job(keys[first : first + 3], 8) for _ in range(2)]
            for one in jobs[-2:]:
                helped.pool.peel(one)
            helped.pool.forget(keys[first])  # while both may still have it to use
            await helped.until(len(jobs))
        assert [len(queue._slots) for queue in helped.pool._open] == [
            2,
            2,
        ]  # those of the last three that are left
        alone = Crew(0)
        for one in jobs:
            alone.pool.peel(one)
            assert openings(helped.done, one) == openings(alone.done, one)
        assert helped.counters[Dropped.WORKER_LOST] == 0


async def test_no_key_is_where_others_could_read_it_and_memory_is_small():
    key = MemoryKeys().create(1)
    async with crew(1) as helped:
        helped.pool.peel(job([key], 32))
        await helped.until(1)
        own = Path(f"/proc/{helped.pool.pids[0]}")
        shown = (own / "cmdline").read_bytes() + (own / "environ").read_bytes()
        assert key.secret.expose() not in shown
        assert key.secret.expose().hex().encode() not in shown
        assert (own / "cmdline").read_bytes().endswith(b"mixnode.worker\0mixnet\0")
        mapped = (own / "maps").read_text()
        assert "trio" not in mapped
        assert "sqlite" not in mapped
        assert int((own / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") < 48e6


async def test_the_end_of_the_node_ends_its_workers():
    async with crew(2) as helped:
        pids = helped.pool.pids
        assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_for_the_node_do_not_end_a_worker(number):
    key = MemoryKeys().create(1)
    async with crew(1) as helped:
        pids = list(helped.pool.pids)
        os.kill(pids[0], number)
        helped.pool.peel(job([key], 8))
        await helped.until(1)
        assert helped.pool.pids == pids
        assert helped.counters[Dropped.WORKER_LOST] == 0
