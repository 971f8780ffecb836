"""Keeps the processes of a local network alive, and leaves none behind (spec/10-local-network.md 10.3).

Promises: a process counts as started when it says itself that it is ready; if one of them ends before that, all are
ended and the error names it and its last words. Afterwards a process that ends is started again, at once and then at
growing intervals. However the supervisor itself ends, its processes end: on a signal it asks them and then kills them,
and if it is killed the kernel tells them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import trio

from mixnet.deploy.folders import LOG, RUN, SOCKET, SUPERVISOR_LOG, NetworkLock, Running, read_running, write_running
from mixnet.deploy.patience import patient
from mixnet.deploy.processes import PATIENCE, Child, ProcessId, alive, end, identify
from mixnet.errors import MixnetError, Unavailable
from mixnet.log import log_line, open_log
from mixnet.status import read_status

START_LIMIT = 120.0  # seconds in which a process that is to become ready must get on
POLL = 0.1  # seconds between two questions whether it is
FIRST_PAUSE = 0.5  # seconds before the second restart in a row
LONGEST_PAUSE = 30.0
FAREWELL = 3 * PATIENCE  # seconds after which even a process that can't be killed is left alone
STEADY = 60.0  # a process that ran so long (seconds) is restarted without a pause again
_TAIL = 65536  # bytes of a log that are read to find its last line


class NodeFailed(Unavailable):
    """A node did not start: read its log, correct the cause, and start the network again."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep: `python ARGUMENTS`, run in `folder`, where it serves `status.sock`."""

    name: str
    arguments: tuple[str, ...]
    folder: Path


Report = Callable[[str], None]  # called with the name of each process that has become ready


def last_words(log: Path) -> str:
    """The last line of a log, as a person would want to read it; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    bare = (line.strip(" |+-") for line in reversed(lines))  # without the frame of an exception group's traceback
    line = next((line for line in bare if line), "")
    try:
        entry = json.loads(line)
    except ValueError:
        return line.removeprefix("mixnet: ")
    return ", ".join(str(value) for value in entry.values()) if isinstance(entry, dict) else line


def _ended(status: int) -> str:
    """An exit status in words."""
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


@dataclass(slots=True)
class _Ledger:
    """Who runs now, written down at every change so that `down` can find a process whatever happened."""

    folder: Path
    me: ProcessId
    nodes: dict[str, ProcessId] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)

    def save(self) -> None:
        write_running(self.folder, Running(self.me, self.nodes, self.restarts))

    def started(self, name: str, process: ProcessId, *, again: bool) -> None:
        self.nodes[name] = process
        if again:
            self.restarts[name] = self.restarts.get(name, 0) + 1
        self.save()


class _Log:
    """What the supervisor writes down."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, level: str, event: str, **fields: object) -> None:
        self._file.write(log_line(event, fields, level=level))


class _Keeper:
    """One process through all its lives."""

    def __init__(self, program: Program, ledger: _Ledger, log: _Log) -> None:
        self._program, self._ledger, self._log = program, ledger, log
        self._child: Child | None = None

    def _start(self, *, again: bool) -> Child:
        (self._program.folder / SOCKET).unlink(missing_ok=True)  # else a dead process might seem to answer
        self._child = Child(self._program.arguments, self._program.folder / LOG, self._program.folder)
        self._ledger.started(self._program.name, self._child.id, again=again)
        return self._child

    async def _until_ready(self, child: Child) -> None:
        """Return once the process says that it is ready; NodeFailed if it ends first or takes too long."""
        name, folder = self._program.name, self._program.folder

        async def refuse_end() -> None:
            status = await child.wait()
            raise NodeFailed(f"{name} did not start: {last_words(folder / LOG) or _ended(status)}")

        async def sign() -> object:
            with contextlib.suppress(OSError):
                return (await trio.Path(folder / LOG).stat()).st_size  # each step is written down there
            return 0

        async with patient(sign, START_LIMIT) as patience, trio.open_nursery() as nursery:
            nursery.start_soon(refuse_end)
            await _ready(folder / SOCKET)
            nursery.cancel_scope.cancel()
        if patience.timed_out:
            words = last_words(folder / LOG) or "it said nothing"
            raise NodeFailed(f"{name} is not ready, and has not got on for {START_LIMIT:g} seconds: {words}")

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Start it, say so when it is ready, and start it again whenever it ends."""
        name = self._program.name
        try:
            child = self._start(again=False)
            await self._until_ready(child)
            task_status.started()
            pause = 0.0
            while True:
                begun = trio.current_time()
                status = await child.wait()
                self._log.write("warning", "ended", node=name, how=_ended(status))
                pause = 0.0 if trio.current_time() - begun > STEADY else pause
                await trio.sleep(pause)
                pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * pause))
                child = self._start(again=True)
                self._log.write("info", "started again", node=name)
        finally:
            if self._child is not None:
                with trio.move_on_after(FAREWELL, shield=True):
                    if await self._child.end() == -signal.SIGKILL:
                        self._log.write("warning", "killed, since it did not end when asked to", node=name)
                (self._program.folder / SOCKET).unlink(missing_ok=True)


async def _ready(socket: Path) -> None:
    """Ask until the process says that it is ready."""
    while True:
        with contextlib.suppress(MixnetError):
            if (await read_status(socket)).get("ready"):
                return
        await trio.sleep(POLL)


class Crew:
    """The processes that are kept; made by `open_crew`."""

    def __init__(self, nursery: trio.Nursery, ledger: _Ledger, log: _Log) -> None:
        self._nursery, self._ledger, self._log = nursery, ledger, log

    async def start(self, programs: Iterable[Program], report: Report) -> None:
        """Start all at once and return when all are ready; `report` is called with the name of each that is."""

        async def start_one(program: Program) -> None:
            await self._nursery.start(_Keeper(program, self._ledger, self._log).run)
            report(program.name)

        async with trio.open_nursery() as starting:
            for program in programs:
                starting.start_soon(start_one, program)

    def process(self, name: str) -> ProcessId:
        """The process that runs as `name` now."""
        return self._ledger.nodes[name]

    def restarts(self) -> dict[str, int]:
        """How often each process had to be started again; those that never had are left out."""
        return dict(self._ledger.restarts)


@asynccontextmanager
async def open_crew(folder: Path) -> AsyncIterator[Crew]:
    """A crew whose processes all end with the block. AlreadyRunning if another crew works in `folder`."""
    lock = NetworkLock(folder)
    me = identify(os.getpid())
    assert me is not None  # noqa: S101 -- this process runs
    ledger = _Ledger(folder, me)
    try:
        with open_log(folder / SUPERVISOR_LOG) as file:
            log = _Log(file)
            await _end_orphans(folder, log)
            ledger.save()
            async with trio.open_nursery() as nursery:
                yield Crew(nursery, ledger, log)
                nursery.cancel_scope.cancel()
    finally:
        (folder / RUN).unlink(missing_ok=True)
        lock.release()


async def _end_orphans(folder: Path, log: _Log) -> None:
    """End what a supervisor that was killed left behind, should the kernel's word not have been enough."""
    before = read_running(folder)
    left = [process for process in before.nodes.values() if alive(process)] if before is not None else []
    if left:
        log.write("warning", "ending what an earlier run left", count=len(left))
        await end(left)
