"""Turns: a budget that is kept, and shared equally by those who wait."""

from __future__ import annotations

from collections import Counter

import trio
from trio.testing import MockClock

from mixnet.directory.turns import Turns


async def spend(turns: Turns, owner: str, cost: int, got: Counter[str]) -> None:
    while True:
        await turns.take(owner, cost)
        got[owner] += cost


async def test_a_budget_is_kept_and_shared_by_cost(autojump_clock: MockClock) -> None:
    turns, got = Turns(1000.0, 2000.0), Counter[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turns.run)
        for _ in range(50):  # many askers of one owner, and dear questions, give no more
            nursery.start_soon(spend, turns, "many", 10, got)
        nursery.start_soon(spend, turns, "dear", 500, got)
        nursery.start_soon(spend, turns, "one", 10, got)
        await trio.sleep(98)
        nursery.cancel_scope.cancel()
    assert 99_000 <= got.total() <= 100_500
    assert all(32_000 <= spent <= 35_000 for spent in got.values())


async def test_who_asks_seldom_goes_before_who_asks_all_the_time(autojump_clock: MockClock) -> None:
    turns, got = Turns(1000.0, 1000.0), Counter[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turns.run)
        for number in range(20):
            nursery.start_soon(spend, turns, f"flood {number % 4}", 100, got)
        await trio.sleep(100)
        begun = trio.current_time()
        await turns.take("reader", 100)
        assert trio.current_time() - begun <= 0.6  # one round of the four, and what was begun
        nursery.cancel_scope.cancel()


async def test_nothing_is_kept_of_those_who_are_gone(autojump_clock: MockClock) -> None:
    turns, got = Turns(1000.0, 1000.0), Counter[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turns.run)
        nursery.start_soon(spend, turns, "always", 10, got)
        for number in range(2000):
            with trio.move_on_after(0.02):
                await turns.take(f"once {number}", 10)
            assert len(turns._ends) < 300
        nursery.cancel_scope.cancel()


async def test_without_a_crowd_nobody_waits(autojump_clock: MockClock) -> None:
    turns = Turns(1000.0, 1000.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turns.run)
        begun = trio.current_time()
        for number in range(10):
            await turns.take(f"{number}", 100)
        assert trio.current_time() == begun
        nursery.cancel_scope.cancel()
