"""Processes by identity: started, watched and ended without ever touching a stranger (spec/10-local-network.md 10.3).

Promises: a process is known by its number together with its start time, and a signal goes through a file descriptor of
that very process, so one that got a recycled number is never hit. A child gets SIGTERM when its parent dies in whatever
way. A zombie counts as ended. Linux only, as the many loopback addresses of a local network are.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import trio

from mixnet.log import open_log

PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ProcessId(msgspec.Struct, frozen=True):
    """A process for all time: its number, and its start in clock ticks after the machine's."""

    pid: int
    started: int


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()  # the name before it may hold anything, even a bracket


def identify(pid: int) -> ProcessId | None:
    """Who runs under this number now; None if nobody does."""
    fields = _stat(pid)
    if not fields or fields[0] in "ZX":
        return None
    return ProcessId(pid, int(fields[19]))


def alive(process: ProcessId) -> bool:
    """Whether this very process still runs."""
    return identify(process.pid) == process


def age(process: ProcessId) -> float:
    """Seconds since the process started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _descriptor(process: ProcessId) -> Iterator[int | None]:
    """A file descriptor of this very process, or None if it has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        # Only now that the descriptor holds on to whoever has the number, its start time proves who that is.
        yield descriptor if alive(process) else None
    finally:
        os.close(descriptor)


def send(process: ProcessId, number: signal.Signals) -> None:
    """Signal this very process, if it still runs."""
    with _descriptor(process) as descriptor, contextlib.suppress(ProcessLookupError):
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)


async def end(processes: Iterable[ProcessId], patience: float = PATIENCE) -> None:
    """Ask all to end, wait `patience` seconds, and kill those that are left; returns when none runs any more."""
    left = [process for process in processes if alive(process)]
    for number, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, patience)):
        for process in left:
            send(process, number)
        with trio.move_on_after(limit):
            while left:
                left = [process for process in left if alive(process)]
                await trio.sleep(0.02)
        if not left:
            return


def _die_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes the program: ask the kernel for SIGTERM on the death of its parent."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the call: nobody will send the signal any more
            os._exit(1)

    return prepare


class Child:
    """A process that we started; its output goes to the end of a file."""

    def __init__(self, arguments: Sequence[str], output: Path, folder: Path) -> None:
        """Start `python ARGUMENTS` in `folder`, in a process group of its own, so that Ctrl-C reaches us alone.

        The call must come from the main thread: the kernel's death signal follows the thread that started the child.
        """
        with open_log(output) as sink:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=folder,
                process_group=0,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 -- it takes no lock, so threads don't matter
            )
        self._descriptor = os.pidfd_open(self._process.pid)
        found = identify(self._process.pid)
        # A child that ended at once is a zombie until it is waited for, so its number can't have been given away.
        self.id = found or ProcessId(self._process.pid, -1)

    async def wait(self) -> int:
        """The exit status, negative for a signal; the child is then reaped."""
        if self._process.returncode is None:
            await trio.lowlevel.wait_readable(self._descriptor)
            self._process.wait()
            os.close(self._descriptor)
        return self._process.returncode

    def send(self, number: signal.Signals) -> None:
        """Signal the child, unless it was reaped."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def end(self, patience: float = PATIENCE) -> int:
        """End it: ask, wait, kill; its exit status when it is reaped. Shield the call if it must not be cut short."""
        self.send(signal.SIGTERM)
        with trio.move_on_after(patience):
            return await self.wait()
        self.send(signal.SIGKILL)
        return await self.wait()
