"""Group commit: one task performs all operations on the mailboxes (spec/06-providers.md 6.1).

Promises: whoever performs operations goes on only when they are committed; what waits while one transaction runs goes
into the next one, deposits first, so the disk is synchronised once for many packets; transactions never overlap. None
is long: it has `MOST` operations, reads `MOST_READ` packets and deletes one slice; what is still to be cleaned up is
done in slices between others, so that a deposit waits for one of them at most. In a real process they run on a thread;
in the simulated world synchronously, because nothing under a virtual clock may wait for a thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

import trio

from mixnet.clock import Clock
from mixnet.errors import Unavailable
from mixnode.mailboxes import Limits, Load, Mailboxes, Operation, Result, StorePacket

MOST = 64  # operations of one transaction, if those of one request are not more
MOST_READ = 256  # packets that one transaction reads, if one request doesn't ask for more
EMPTYING_PAUSE = 1.0  # seconds between two times that the log is emptied: those who wait for it share it
_TROUBLE_PAUSE = 1.0  # seconds after the disk refused to be cleaned


@dataclass(slots=True, eq=False)
class _Request:
    operations: Sequence[Operation]
    done: trio.Event = field(default_factory=trio.Event)
    results: list[Result] = field(default_factory=list)
    problem: Unavailable | None = None

    @property
    def reads(self) -> int:
        return sum(one.most for one in self.operations if isinstance(one, Load))


class MailboxStorage:
    """Serialises the operations of a provider's tasks."""

    def __init__(self, mailboxes: Mailboxes, limits: Callable[[], Limits], clock: Clock, *, on_thread: bool) -> None:
        """`limits` gives those in force at the time of each transaction."""
        self._mailboxes = mailboxes
        self._limits = limits
        self._clock = clock
        self._on_thread = on_thread
        self._deposits: deque[_Request] = deque()
        self._others: deque[_Request] = deque()
        self._work = trio.Event()
        self._cleaned = trio.Event()
        self._emptied = 0  # how often the log was emptied
        self._emptied_last = -inf
        self._not_before = -inf  # when the disk may be cleaned again

    async def perform(self, operations: Sequence[Operation]) -> list[Result]:
        """The results of the operations, once they are committed; Unavailable if the disk refused."""
        request = _Request(operations)
        queue = self._deposits if any(isinstance(one, StorePacket) for one in operations) else self._others
        queue.append(request)
        self._work.set()
        try:
            await request.done.wait()
        except trio.Cancelled:
            if request in queue:  # nothing of it has begun
                queue.remove(request)
            raise
        if request.problem is not None:
            raise Unavailable(str(request.problem))
        return request.results

    def knows(self, mailbox: bytes) -> bool:
        """Whether a mailbox is registered, as far as is known without asking the disk."""
        return self._mailboxes.registered(mailbox)

    async def cleaned(self, mailbox: bytes) -> None:
        """Return once nothing that was deleted from a mailbox before is on the disk."""
        while self._mailboxes.holds_remains(mailbox):
            await self._cleaned.wait()
        enough = self._emptied + 1
        while self._emptied < enough and self._mailboxes.log_holds:
            await self._cleaned.wait()

    async def run(self) -> None:
        """Commit what is asked for, and clean up in between, until cancelled."""
        try:
            while True:
                requests = self._take()
                if requests:
                    await self._commit(requests)
                if self._cleans_at() <= trio.current_time():
                    await self._clean()
                elif not requests:
                    await self._rest()
        finally:
            self._mailboxes.close()

    def _take(self) -> list[_Request]:
        """What goes into the next transaction, in the order in which it came: first deposits, then others."""
        taken: list[_Request] = []
        room, reads = MOST, MOST_READ
        for queue in (self._deposits, self._others):
            while queue and (not taken or (len(queue[0].operations) <= room and queue[0].reads <= reads)):
                taken.append(queue.popleft())
                room, reads = room - len(taken[-1].operations), reads - taken[-1].reads
        return taken

    def _cleans_at(self) -> float:
        """When there is something to clean."""
        log = self._emptied_last + EMPTYING_PAUSE if self._mailboxes.log_holds else inf
        return max(self._not_before, -inf if self._mailboxes.slices_left else log)

    async def _rest(self) -> None:
        """Wait for work, or until the log may be emptied."""
        self._work = trio.Event()
        with trio.CancelScope(deadline=self._cleans_at()):
            await self._work.wait()

    async def _clean(self) -> None:
        """Empty the log if that is due, else delete a slice of what is left."""
        now, boxes = trio.current_time(), self._mailboxes
        log = boxes.log_holds and now >= self._emptied_last + EMPTYING_PAUSE
        work = boxes.empty_log if log else boxes.clean_slice
        try:
            if self._on_thread:
                await trio.to_thread.run_sync(work)
            else:
                work()
                await trio.lowlevel.checkpoint()
        except Unavailable:
            self._not_before = now + _TROUBLE_PAUSE
            return
        if log:
            self._emptied_last = trio.current_time()
            self._emptied += not boxes.log_holds  # somebody else may read the file: then copies stay until he is done
        self._cleaned.set()
        self._cleaned = trio.Event()

    async def _commit(self, requests: list[_Request]) -> None:
        """One transaction for all; if the disk refuses it, nothing of any of them happened."""
        operations = [operation for request in requests for operation in request.operations]
        limits, now, past = self._limits(), self._clock.now(), self._clock.past()
        try:
            if self._on_thread:
                results = await trio.to_thread.run_sync(self._mailboxes.perform, operations, limits, now, past)
            else:
                results = self._mailboxes.perform(operations, limits, now, past)
        except Unavailable as problem:
            for request in requests:
                request.problem = problem
        else:
            rest = iter(results)
            for request in requests:
                request.results = [next(rest) for _ in request.operations]
        for request in requests:
            request.done.set()
