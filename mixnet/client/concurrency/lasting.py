"""Runs the tasks that last as long as the daemon, and begins anew those that fail (spec/07-client.md 7.8).

Promises: no task ends without a word: a fault is counted, said once with its kind and place, and the task begins anew
after a pause that grows; what says that nothing can be stored any more, or that there is no memory, is raised, and
ends the daemon with that reason. Never: what an error says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import ParamSpec, Protocol

import trio

from mixnet.errors import LocalError, Unavailable
from mixnet.faults import leaves, named

FIRST, LONGEST = 0.01, 60.0  # seconds before a task begins anew: a schedule that failed once misses nothing
PROVEN = 60.0  # seconds for which a task must last until its pauses start from the first again

P = ParamSpec("P")


class Starting(Protocol):
    """A task that says when it has started."""

    def __call__(self, *, task_status: trio.TaskStatus[None]) -> Awaitable[None]:
        """Run for ever."""


class Lasting:
    """Counts in `faults` what failed by faults of this program."""

    def __init__(
        self,
        ends_all: Callable[[Exception], bool] = lambda error: isinstance(error, MemoryError),
        tell: Callable[[str], None] = lambda _problem: None,
    ) -> None:
        """`ends_all` says which errors end the daemon; `tell` hears of each kind of fault once."""
        self._ends_all, self._tell = ends_all, tell
        self._told: set[str] = set()
        self.faults = 0

    async def run(self, task: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run it for ever; that it returns is a fault too."""
        await self._repeat(partial(task, *args, **kwargs), lambda: True)

    async def start(self, nursery: trio.Nursery, task: Starting) -> None:
        """Run it for ever in a nursery, and return when it has started; what fails before that is raised."""

        async def begin(task_status: trio.TaskStatus[None]) -> None:
            once = _Once(task_status)
            await self._repeat(partial(task, task_status=once), lambda: once.done)

        await nursery.start(begin)

    async def _repeat(self, task: Callable[[], Awaitable[None]], has_started: Callable[[], bool]) -> None:
        pause = FIRST
        while True:
            begun = trio.current_time()
            try:
                await task()
                raise LocalError("a task has ended that lasts for ever")
            except* Exception as failed:
                if not has_started():
                    raise
                self.fault(_name(task), failed)
            if trio.current_time() - begun > PROVEN:
                pause = FIRST
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    def fault(self, where: str, error: Exception) -> None:
        """Something failed that costs no more than itself; raises what ends the daemon."""
        found = [one for one in leaves(error) if not isinstance(one, Unavailable)]
        if any(isinstance(one, Exception) and self._ends_all(one) for one in found):
            raise error
        self.faults += bool(found)
        problem = f"{where}: {named(error)}"
        if problem not in self._told:
            self._told.add(problem)
            self._tell(problem)


class _Once:
    """Lets a task that begins anew say again that it has started."""

    def __init__(self, status: trio.TaskStatus[None]) -> None:
        self._status, self.done = status, False

    def started(self, value: None = None) -> None:
        """It has."""
        if not self.done:
            self.done = True
            self._status.started(value)


def _name(task: object) -> str:
    while isinstance(task, partial):
        task = task.func
    return str(getattr(task, "__qualname__", type(task).__name__))
