"""The worker that runs the messenger's calls, one at a time: in a thread, or in place under a virtual clock.

Promises: calls never overlap, and are answered in the order in which they were made. Never: a thread in virtual time,
since a clock that jumps would fire time-outs while the thread runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

import trio

P = ParamSpec("P")
T = TypeVar("T")


class Worker(Protocol):
    """Runs the calls that touch the store."""

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises."""


class InlineWorker:
    """Runs each call in place: for virtual time, with a store in memory."""

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it here; nothing else runs meanwhile."""
        await trio.lowlevel.checkpoint()
        return function(*args, **kwargs)


class ThreadWorker:
    """Runs the calls in a thread: in a real process the disk then never delays a slot."""

    def __init__(self) -> None:
        self._turn = trio.Lock()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it in a worker thread; a cancelled caller waits for its end, so no call is left half-observed."""
        async with self._turn:
            return await trio.to_thread.run_sync(partial(function, *args, **kwargs))
