"""A timer is never early, whatever is done to it, and exact in virtual time; the kernel's gives its descriptor back."""

import errno
import math
import os
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet import timer as timers
from mixnet.benchmarks.simulation import virtual
from mixnet.clock import VirtualClock, WallClock
from mixnet.errors import LocalError
from mixnet.timer import KernelTimer, Timer, TrioTimer, timerfd

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux' own")
BOTH = pytest.mark.parametrize("make", [TrioTimer, pytest.param(timerfd, marks=LINUX)], ids=["trio", "kernel"])
MOMENT = 0.003  # seconds


# Steps: (after so many units, the deadline, in units from the start). A set never falls on the time of a deadline.
STEPS = st.lists(st.tuples(st.integers(1, 4), st.one_of(st.integers(-2, 12), st.just(math.inf))), max_size=6)


async def follow(timer: Timer, steps: list[tuple[int, float]], unit: float) -> tuple[float, float]:
    """(when it woke, the deadline that was set then), from the start, in units."""
    start, deadline = trio.current_time(), math.inf
    woken: list[tuple[float, float]] = []

    async def wait() -> None:
        await timer.wait()
        woken.append(((trio.current_time() - start) / unit, deadline))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        at = 0
        for pause, units in [*steps, (1, 0.0)]:
            at += pause
            await trio.sleep_until(start + at * unit)
            if woken:
                break
            deadline = units + 0.5
            timer.set(start + deadline * unit)
    return woken[0]


def expected(steps: list[tuple[int, float]]) -> float:
    """When it wakes: at its deadline, or at once where that had passed when it was set."""
    at, due = 0, math.inf
    for pause, units in [*steps, (1, 0.0)]:
        at += pause
        if due < at:
            return due
        due = max(units + 0.5, at)
    return due


@given(STEPS)
def test_in_virtual_time_it_wakes_at_its_deadline_exactly(steps: list[tuple[int, float]]) -> None:
    async def main() -> None:
        with closing(VirtualClock().timer()) as timer:
            assert (await follow(timer, steps, 1.0))[0] == expected(steps)

    virtual.run(main, seed=1)


@BOTH
@settings(max_examples=25)
@given(steps=STEPS)
def test_in_real_time_it_is_never_early(make: type[TrioTimer], steps: list[tuple[int, float]]) -> None:
    async def main() -> None:
        with closing(make()) as timer:
            when, deadline = await follow(timer, steps, MOMENT)
            assert when >= deadline

    trio.run(main)


@BOTH
async def test_it_can_be_used_again_and_a_wait_that_is_cancelled_costs_nothing(make: type[TrioTimer]) -> None:
    with closing(make()) as timer:
        for deadline in (trio.current_time() + 60, math.inf):
            timer.set(deadline)
            with trio.move_on_after(MOMENT) as scope:
                await timer.wait()
            assert scope.cancelled_caught
        for _ in range(5):
            deadline = trio.current_time() + MOMENT
            timer.set(deadline)
            await timer.wait()
            assert trio.current_time() >= deadline
            await timer.wait()  # it has passed: at once
        timer.set(-math.inf)
        with trio.fail_after(60):
            await timer.wait()


@BOTH
async def test_moved_at_the_moment_at_which_it_rings_it_rings_later(make: type[TrioTimer]) -> None:
    for _ in range(20):  # whichever of both tasks goes first
        with closing(make()) as timer, closing(make()) as other:
            deadline = trio.current_time() + MOMENT
            timer.set(deadline)
            other.set(deadline)
            order: list[str] = []
            async with trio.open_nursery() as nursery:

                async def move(timer: Timer, other: Timer, later: float, order: list[str]) -> None:
                    await other.wait()
                    timer.set(later)
                    order.append("moved")

                nursery.start_soon(move, timer, other, deadline + MOMENT, order)
                await timer.wait()
                assert trio.current_time() >= deadline + (MOMENT if order else 0)


@LINUX
async def test_the_kernel_s_gives_its_descriptor_back() -> None:
    timer = WallClock().timer()
    assert isinstance(timer, KernelTimer)
    descriptor = timer._descriptor
    assert not os.get_inheritable(descriptor)
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await timer.wait()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        timer.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(descriptor)
    with pytest.raises(LocalError, match=os.strerror(errno.EBADF)):
        timer.set(0.0)


@pytest.mark.parametrize(
    "libc", [None, SimpleNamespace(), SimpleNamespace(timerfd_create=lambda *_: -1)], ids=["other", "old", "no files"]
)
async def test_where_the_kernel_gives_none_it_is_one_of_trio_s(
    monkeypatch: pytest.MonkeyPatch, libc: SimpleNamespace | None
) -> None:
    monkeypatch.setattr(timers, "_LIBC", libc)
    await trio.lowlevel.checkpoint()
    assert isinstance(WallClock().timer(), TrioTimer)
