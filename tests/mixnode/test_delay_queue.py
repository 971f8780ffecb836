"""What is held comes out at its time, with all else that is due, and what comes in wakes nobody."""

from __future__ import annotations

import math
from contextlib import closing

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from mixnet.benchmarks.simulation import virtual
from mixnet.clock import WallClock
from mixnet.counters import Counters, Dropped, Event
from mixnet.timer import TrioTimer
from mixnode.delay_queue import LATE, DelayQueue, Due
from mixnode.outgoing import Outgoing

MEAN = 1.0


def due(when: float, number: int, delay: float = MEAN) -> Due:
    return Due(when, delay, Outgoing(bytes(32), number.to_bytes(2, "big")))


def numbers(taken: list[Outgoing]) -> list[int]:
    return [int.from_bytes(one.packet, "big") for one in taken]


@given(st.lists(st.tuples(st.integers(0, 8), st.lists(st.integers(-1, 30), max_size=4)), max_size=8))
def test_each_comes_out_at_its_time_or_at_once_if_that_has_passed(puts: list[tuple[int, list[int]]]) -> None:
    async def main() -> None:
        queue = DelayQueue(TrioTimer(), lambda: MEAN, Counters())
        out: dict[int, float] = {}
        expected: dict[int, float] = {}
        order: list[int] = []
        async with trio.open_nursery() as nursery:

            async def take() -> None:
                while True:
                    for number in numbers(await queue.take()):
                        out[number] = trio.current_time()
                        order.append(number)

            nursery.start_soon(take)
            for pause, times in puts:
                await trio.sleep(pause)
                whens = {len(expected) + place: when + 0.5 for place, when in enumerate(times)}
                expected |= {number: max(when, trio.current_time()) for number, when in whens.items()}
                queue.put([due(when, number) for number, when in whens.items()])
            await trio.sleep(40)
            nursery.cancel_scope.cancel()
        assert out == expected
        assert [out[number] for number in order] == sorted(out.values())
        assert len(queue) == 0

    virtual.run(main, seed=1)


class Watched(TrioTimer):
    """Counts how often somebody began to wait."""

    waits = 0

    async def wait(self) -> None:
        self.waits += 1
        await super().wait()


async def test_what_comes_in_wakes_nobody_before_it_is_due(autojump_clock: MockClock) -> None:
    timer = Watched()
    queue = DelayQueue(timer, lambda: MEAN, Counters())
    start = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def take() -> None:
            assert numbers(await queue.take()) == [2, 3]
            assert trio.current_time() == start + 5

        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        for number, when in enumerate((9.0, 7.0, 5.0, 5.0)):
            queue.put([due(start + when, number)])
            await wait_all_tasks_blocked()
        await trio.sleep(3)
        assert timer.waits == 1
    assert timer.waits == 1


@settings(max_examples=10)
@given(st.lists(st.floats(0, 0.02), min_size=1, max_size=20))
def test_with_the_kernel_s_timer_nothing_is_early(delays: list[float]) -> None:
    async def main() -> None:
        with closing(WallClock().timer()) as timer:
            queue = DelayQueue(timer, lambda: MEAN, Counters())
            whens = [trio.current_time() + delay for delay in delays]
            queue.put([due(when, number) for number, when in enumerate(whens)])
            left = len(whens)
            while left:
                taken = numbers(await queue.take())
                assert all(whens[number] <= trio.current_time() for number in taken)
                left -= len(taken)

    trio.run(main)


async def test_a_delay_that_nobody_draws_is_refused(autojump_clock: MockClock) -> None:
    counters = Counters()
    queue = DelayQueue(TrioTimer(), lambda: MEAN, counters)
    await trio.lowlevel.checkpoint()
    queue.put([due(1.0, 1, 40.0), due(1.0, 2, math.nextafter(40.0, 41.0))])
    assert len(queue) == counters[Dropped.LONG_DELAY] == 1


async def test_what_leaves_late_is_counted(autojump_clock: MockClock) -> None:
    counters = Counters()
    queue = DelayQueue(TrioTimer(), lambda: MEAN, counters)
    queue.put([due(1.0, 1), due(1.0 + LATE / 2, 2), due(9.0, 3)])
    await trio.sleep(1.0 + 1.2 * LATE)  # nobody took them in time
    assert numbers(await queue.take()) == [1, 2]
    assert counters[Event.HELD_LATE] == 1
    assert numbers(await queue.take()) == [3]
    assert counters[Event.HELD_LATE] == 1
