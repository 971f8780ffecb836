"""The worker processes of a node, which peel beside it (spec/04-mixing.md 4.7).

Promises: `peel` never waits; what no worker has room for, or what isn't worth it, is peeled here; each packet comes out
once: peeled, refused, or counted as `worker_lost`. A worker that ends, says what can't be, or
doesn't answer in time is ended and started again after a pause. None outlives the node: each ends when the node's end
of its socket closes, which the kernel does if nobody else can. Keys travel through that socket and no other way.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from math import inf

import trio

from mixnet.counters import Counters, Dropped
from mixnet.errors import LocalError, RemoteError
from mixnet.log import Log, LogEntry
from mixnet.sphinx import Engine
from mixnode.batches import READY
from mixnode.keys import EpochKey, peel_untrusted
from mixnode.peel_queue import Opening, PeelJob, PeelQueue, PeelResult, choose

START = 60.0  # seconds until a new process can begin
PATIENCE = 10.0  # seconds for one batch, which takes milliseconds
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between the end of a worker and the start of the next
STEADY = 60.0  # seconds that a worker runs if nothing is wrong: after a shorter run the pause grows
_FAREWELL = 2.0  # seconds from the end of its socket to SIGKILL
_PART = 1 << 16  # bytes to read at once: beyond 128 KiB a buffer is new memory each time, which costs more than reading
WARNING = "worker_lost"


class PeelPool:
    """All workers of one node."""

    def __init__(self, number: int, engine: Engine, *, done: Callable[[PeelResult], None], counters: Counters) -> None:
        """Keep `number` workers with an `engine` like this one; whatever is peeled, by whomever, is given to `done`."""
        self._number, self._engine = number, engine
        self._done = done
        self._counters = counters
        self._open: dict[PeelQueue, _Worker] = {}

    @property
    def pids(self) -> list[int]:
        """The process numbers of the workers that are ready."""
        return [worker.pid for worker in self._open.values()]

    def peel(self, job: PeelJob) -> None:
        """Have the job done by a worker, or do it here and now if none has room or it isn't worth it."""
        queue = choose(list(self._open), len(job.packets)) if job.keys and self._open else None
        if queue is None:
            self._done(PeelResult(job, [self._try(job, one.packet) for one in job.packets]))
        else:
            queue.take(job)
            self._open[queue].nudge()

    def _try(self, job: PeelJob, packet: bytes) -> Opening:
        try:
            return peel_untrusted(self._engine, job.keys, packet)
        except RemoteError:
            return None

    def forget(self, key: EpochKey) -> None:
        """Have all workers forget a key that is given up, after what they were given before."""
        for queue, worker in self._open.items():
            queue.forget(key)
            worker.nudge()

    async def keep_running(self, log: Log) -> None:
        """Keep the workers running until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(self._number):
                nursery.start_soon(self._keep_one, log)

    async def _keep_one(self, log: Log) -> None:
        """Keep one worker running."""
        pause = 0.0
        while True:
            begun = trio.current_time()
            with suppress(OSError, trio.BrokenResourceError, trio.TooSlowError):
                await self._run_worker()
            log.write(LogEntry.WARNING, warnings=[WARNING])
            steady = trio.current_time() - begun >= STEADY
            pause = FIRST_PAUSE if steady else min(max(FIRST_PAUSE, 2 * pause), LONGEST_PAUSE)
            await trio.sleep(pause)

    async def _run_worker(self) -> None:
        """Start a worker and have it work until it ends; raises what hindered it from starting."""
        ours, theirs = socket.socketpair()
        async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
            with theirs:
                process = await _start(self._engine.name, theirs)
            queue = PeelQueue()
            worker = _Worker(process.pid, stream, queue)
            try:
                with trio.fail_after(START):
                    if await stream.receive_some(len(READY)) != READY:
                        return
                self._open[queue] = worker
                await worker.work(self._done)
            finally:
                self._open.pop(queue, None)
                self._settle(queue)
                with trio.move_on_after(2 * _FAREWELL, shield=True):
                    await _end(process, stream)

    def _settle(self, queue: PeelQueue) -> None:
        in_hand, waiting = queue.end()
        if in_hand is not None:
            self._counters.drop(Dropped.WORKER_LOST, len(in_hand.packets))
        for job in waiting:
            self.peel(job)


class _Worker:
    """The node's end of one worker."""

    def __init__(self, pid: int, stream: trio.SocketStream, queue: PeelQueue) -> None:
        self.pid = pid
        self._stream, self._queue = stream, queue
        self._patience = trio.CancelScope()
        self._pen = trio.lowlevel.ParkingLot()
        self._nudged = False

    def nudge(self) -> None:
        """There are new orders in the queue."""
        if self._patience.deadline == inf and self._queue.under_way:
            self._patience.deadline = trio.current_time() + PATIENCE
        self._nudged = True
        self._pen.unpark()

    async def work(self, done: Callable[[PeelResult], None]) -> None:
        """Write orders and read answers until the worker ends, is late, or says what can't be."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            with self._patience:
                while finished := await self._read():
                    for one in finished:
                        done(one)
            nursery.cancel_scope.cancel()

    async def _read(self) -> list[PeelResult]:
        """Wait for jobs that are done; none if the worker has come to its end."""
        finished: list[PeelResult] = []
        with suppress(LocalError, trio.BrokenResourceError):
            while not finished and (part := await self._stream.receive_some(_PART)):
                finished = self._queue.answered(part)
        if finished:
            self._patience.deadline = trio.current_time() + PATIENCE if self._queue.under_way else inf
        return finished

    async def _write(self) -> None:
        with suppress(trio.BrokenResourceError):  # whoever reads will notice it too
            while True:
                while not self._nudged:
                    await self._pen.park()
                self._nudged = False
                await self._stream.send_all(self._queue.orders())


async def _start(engine: str, theirs: socket.socket) -> trio.Process:
    """A worker whose standard input is `theirs`; only its errors, which are ours to read, go where ours go."""
    flags = ["-P"] if sys.flags.safe_path else []
    command = [sys.executable, *flags, "-m", "mixnode.worker", engine]
    return await trio.lowlevel.open_process(command, stdin=theirs, stdout=subprocess.DEVNULL)


async def _end(process: trio.Process, stream: trio.SocketStream) -> None:
    """Close the worker's socket and wait for its end, or end it."""
    await stream.aclose()
    with trio.move_on_after(_FAREWELL):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
