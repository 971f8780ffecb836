"""What one worker process has been given and has not answered yet (spec/04-mixing.md 4.7). Pure.

Promises: at most `UNDER_WAY` batches at a time; a key is given before the first batch that needs it, and taken away
after the last one; answers belong to the batches in order. Of a worker that ended, the batch it had in hand comes back
apart from those behind it: something in it may be what ended the worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from mixnet.errors import LocalError
from mixnet.sphinx import Peeled
from mixnode import batches
from mixnode.arrival import Arrived
from mixnode.keys import EpochKey

UNDER_WAY = 4  # batches: one in hand and others behind it, so that a worker never waits for the node to come round
WORTH = 8  # packets for which it pays to wake another process; fewer are peeled sooner and cheaper where they are

Opening = tuple[EpochKey, Peeled] | None  # the key that fitted and what it showed; None: none did


class PeelJob(NamedTuple):
    """Packets that came in, and the keys that they may be for."""

    keys: Sequence[EpochKey]
    packets: Sequence[Arrived]


class PeelResult(NamedTuple):
    """A job, and what became of each of its packets."""

    job: PeelJob
    openings: list[Opening]


class Unfinished(NamedTuple):
    """The jobs of a worker that ended: the one it was working on, if any, and those that it had not begun."""

    in_hand: PeelJob | None
    waiting: list[PeelJob]


class PeelQueue:
    """The jobs of one worker, from its start to its end."""

    def __init__(self) -> None:
        self._jobs: deque[PeelJob] = deque()
        self._slots: dict[EpochKey, int] = {}
        self._orders: deque[bytes] = deque()
        self._answer = bytearray()

    @property
    def under_way(self) -> int:
        """The number of jobs that are not answered."""
        return len(self._jobs)

    def take(self, job: PeelJob) -> None:
        """Have a job done; LocalError if there is no room for it."""
        if self.under_way >= UNDER_WAY:
            raise LocalError("a worker has enough to do")
        slots = [self._slot(key) for key in job.keys]
        self._orders.append(batches.peel(slots, [one.packet for one in job.packets]))
        self._jobs.append(job)

    def _slot(self, key: EpochKey) -> int:
        slot = self._slots.get(key)
        if slot is None:
            taken = set(self._slots.values())
            slot = self._slots[key] = next(number for number in range(batches.SLOTS) if number not in taken)
            self._orders.append(batches.learn(slot, key.secret))
        return slot

    def forget(self, key: EpochKey) -> None:
        """Have the worker forget a key, if it was ever given it."""
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._orders.append(batches.forget(slot))

    def orders(self) -> bytes:
        """What is to be written to the worker now."""
        written = b"".join(self._orders)
        self._orders.clear()
        return written

    def answered(self, part: bytes) -> list[PeelResult]:
        """The jobs that are done now that `part` came from the worker; LocalError if it says what can't be."""
        self._answer += part
        done = []
        while self._jobs and len(self._answer) >= (size := len(self._jobs[0].packets) * batches.RECORD_SIZE):
            job = self._jobs[0]
            answer = bytes(memoryview(self._answer)[:size])
            starts = range(0, size, batches.RECORD_SIZE)
            openings = [_opening(job, answer[at : at + batches.RECORD_SIZE]) for at in starts]
            self._jobs.popleft()
            del self._answer[:size]
            done.append(PeelResult(job, openings))
        if self._answer and not self._jobs:
            raise LocalError("a worker answered more than it was asked")
        return done

    def end(self) -> Unfinished:
        """What is left when the worker has ended."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return Unfinished(jobs[0] if jobs else None, jobs[1:])


def choose(queues: Sequence[PeelQueue], packets: int) -> PeelQueue | None:
    """Who is to peel so many packets: the one with the least to do; None: nobody who could, or it doesn't pay."""
    if packets < WORTH or not queues:
        return None
    least = min(queues, key=lambda queue: queue.under_way)
    return least if least.under_way < UNDER_WAY else None


def _opening(job: PeelJob, record: bytes) -> Opening:
    outcome = batches.decode(record)
    if outcome is None:
        return None
    index, peeled = outcome
    if index >= len(job.keys):
        raise LocalError("an answer with a key that wasn't asked for")
    return job.keys[index], peeled
