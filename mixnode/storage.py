"""Group commit: one task performs all operations on the mailboxes (spec/06-providers.md 6.1).

Promises: whoever performs operations goes on only when they are committed; all that waits while one transaction runs
goes into the next one, so the disk is synchronised once for many packets; transactions never overlap. In a real process
they run on a thread; in the simulated world synchronously, because nothing under a virtual clock may wait for a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from mixnet.clock import Clock
from mixnet.errors import Unavailable
from mixnode.mailboxes import Limits, Mailboxes, Operation, Result


@dataclass(slots=True, eq=False)
class _Request:
    operations: Sequence[Operation]
    done: trio.Event = field(default_factory=trio.Event)
    results: list[Result] = field(default_factory=list)
    problem: Unavailable | None = None


class MailboxStorage:
    """Serialises the operations of a provider's tasks."""

    def __init__(self, mailboxes: Mailboxes, limits: Callable[[], Limits], clock: Clock, *, on_thread: bool) -> None:
        """`limits` gives those in force at the time of each transaction."""
        self._mailboxes = mailboxes
        self._limits = limits
        self._clock = clock
        self._on_thread = on_thread
        self._in, self._out = trio.open_memory_channel[_Request](0)  # those who wait are the queue

    async def perform(self, operations: Sequence[Operation]) -> list[Result]:
        """The results of the operations, once they are committed; Unavailable if the disk refused."""
        request = _Request(operations)
        await self._in.send(request)
        await request.done.wait()
        if request.problem is not None:
            raise Unavailable(str(request.problem))
        return request.results

    async def run(self) -> None:
        """Commit what is asked for, until cancelled."""
        try:
            while True:
                await self._commit(await self._take())
        finally:
            self._mailboxes.close()

    async def _take(self) -> list[_Request]:
        requests = [await self._out.receive()]
        while True:
            try:
                requests.append(self._out.receive_nowait())
            except trio.WouldBlock:
                return requests

    async def _commit(self, requests: list[_Request]) -> None:
        """One transaction for all; if the disk refuses it, nothing of any of them happened."""
        operations = [operation for request in requests for operation in request.operations]
        limits, now = self._limits(), self._clock.now()
        try:
            if self._on_thread:
                results = await trio.to_thread.run_sync(self._mailboxes.perform, operations, limits, now)
            else:
                results = self._mailboxes.perform(operations, limits, now)
        except Unavailable as problem:
            for request in requests:
                request.problem = problem
        else:
            rest = iter(results)
            for request in requests:
                request.results = [next(rest) for _ in request.operations]
        for request in requests:
            request.done.set()
