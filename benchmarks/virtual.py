"""A Trio run in virtual time whose whole schedule follows from a seed, in one place (SPEC.md section 12).

Promises: under one seed the same program does the same things in the same order at the same virtual times. Time stands
still while any task can run, then jumps to exactly the next deadline: the jump sets the clock instead of adding to it,
since a sum of differences rounds in a way that depends on which deadlines lay between. Trio shuffles the tasks that
can run at once; here it sorts them by age and shuffles them with a generator that the seed starts.
What a real process gives to a worker thread is called in place: while a thread runs all tasks seem to wait, and the
clock would jump past time-outs that nobody missed.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio
import trio.testing
from trio._core import _run as scheduler

from mixnet.randomness import SeededSource

T = TypeVar("T")
Result = TypeVar("Result")


def run(program: Callable[[], Awaitable[T]], *, seed: int | str) -> T:
    """What `program` returns, run from virtual time 0 under a schedule that follows from `seed`."""
    with _deterministic_schedule(seed), no_threads():
        return trio.run(program, clock=exact_clock())


def exact_clock() -> trio.testing.MockClock:
    """A `MockClock` that jumps when all tasks wait, and shows each deadline to the last bit when it has come."""
    clock = trio.testing.MockClock(autojump_threshold=0)

    def jump_to_deadline() -> None:
        deadline = scheduler.GLOBAL_RUN_CONTEXT.runner.deadlines.next_deadline()
        if clock.current_time() < deadline < math.inf:
            clock._virtual_base = deadline

    clock._autojump = jump_to_deadline  # type: ignore[method-assign]
    return clock


@contextmanager
def _deterministic_schedule(seed: int | str) -> Iterator[None]:
    """Do for one run what Trio's Hypothesis support does, and put everything back as it was."""
    allowed, state = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    scheduler._r.setstate(SeededSource(seed).stream("scheduler").getstate())
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # type: ignore[misc]
        scheduler._r.setstate(state)


@contextmanager
def no_threads() -> Iterator[None]:
    """Let `trio.to_thread.run_sync` call its function where it stands."""
    threaded = trio.to_thread.run_sync
    trio.to_thread.run_sync = _in_place  # type: ignore[assignment]
    try:
        yield
    finally:
        trio.to_thread.run_sync = threaded


async def _in_place(function: Callable[..., Result], *args: object, **_settings: object) -> Result:
    await trio.lowlevel.checkpoint()
    return function(*args)
