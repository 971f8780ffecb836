"""Waiting passes in Trio's time."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock

from mixnet.clock import VirtualClock
from mixnet.pki.waiting import Backoff, Broadcast, sleep_until


async def test_it_sleeps_until_the_time_of_day(autojump_clock: MockClock) -> None:
    clock = VirtualClock(1000.0 - trio.current_time())
    await sleep_until(clock, 5000.0)
    assert clock.now() == pytest.approx(5000.0)
    await sleep_until(clock, 100.0)
    assert clock.now() == pytest.approx(5000.0)


async def test_a_machine_that_slept_notices_within_a_minute(autojump_clock: MockClock) -> None:
    class Jumping(VirtualClock):
        def now(self) -> float:
            """The time of day leaps an hour while Trio's clock is at 100 s."""
            elapsed = trio.current_time() - began
            return elapsed + (3600.0 if elapsed >= 100.0 else 0.0)

    began = trio.current_time()
    await sleep_until(Jumping(), 1000.0)
    assert trio.current_time() - began <= 160.0


async def test_pauses_grow_to_their_limit(autojump_clock: MockClock) -> None:
    backoff = Backoff(random.Random(1), first=1.0, most=8.0)
    pauses = []
    for _ in range(6):
        before = trio.current_time()
        await backoff.pause()
        pauses.append(trio.current_time() - before)
    for pause, most in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
        assert most / 2 <= pause <= most


async def test_a_bell_wakes_all_that_wait(autojump_clock: MockClock) -> None:
    changed, woken = Broadcast(), []

    async def wait(number: int) -> None:
        await changed.wait()
        woken.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(wait, number)
        await trio.testing.wait_all_tasks_blocked()
        assert woken == []
        changed.wake()
    assert sorted(woken) == [0, 1, 2]
