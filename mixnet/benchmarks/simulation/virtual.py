"""A Trio run in virtual time whose whole schedule follows from a seed, in one place (spec/12-simulated-world.md 12.2).

Promises: under one seed the same program does the same things in the same order at the same virtual times. Time stands
still while any task can run, then jumps to exactly the next deadline: the jump sets the clock instead of adding to it,
since a sum of differences rounds in a way that depends on which deadlines lay between. Trio shuffles the tasks that
can run at once; here it sorts them by age and shuffles them with a generator that the seed starts.
What a real process gives to a worker thread is called in place: while a thread runs all tasks seem to wait, and the
clock would jump past time-outs that nobody missed. Who gets a thread in another way, as `trio.Path` does, is refused.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from unittest.mock import patch

import trio
import trio._threads
import trio.testing
from trio._core import _run as scheduler

from mixnet.errors import LocalError
from mixnet.randomness import SeededSource

_COLLECT = (20_000, 20, 20)  # as gc.set_threshold has them

T = TypeVar("T")
Result = TypeVar("Result")


class Thread(LocalError):
    """Something waits for a thread in virtual time, whose clock would not: do it before the run, or synchronously."""


def run(program: Callable[[], Awaitable[T]], *, seed: int | str) -> T:
    """What `program` returns, run from virtual time 0 under a schedule that follows from `seed`."""
    with _deterministic_schedule(seed), no_threads(), _rare_collections():
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
    """Let `trio.to_thread.run_sync` call its function where it stands; Thread for whoever gets one another way."""
    with patch.object(trio.to_thread, "run_sync", _in_place), patch.object(trio._threads, "start_thread_soon", _refuse):
        yield


def _refuse(*_args: object) -> None:
    raise Thread


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for unreachable cycles seldom: what passes through a network makes few, and looking cost a tenth."""
    thresholds = gc.get_threshold()
    gc.set_threshold(*_COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


async def _in_place(function: Callable[..., Result], *args: object, **_settings: object) -> Result:
    await trio.lowlevel.checkpoint()
    return function(*args)
