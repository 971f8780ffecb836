"""What a process costs, read from outside (SPEC.md section 13.8). Linux only.

Promises: CPU time is the kernel's own, of all threads, to the nanosecond; the floor is timed between two readings, so
that what slows the machine slows both.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import timed
from deploy.processes import ProcessId
from mixnet.crypto import SphinxSecret, x25519

_SCHEDULED = 2  # the kernel's clock of a process that counts what its threads ran
_FLOOR_SECONDS = 0.012  # of CPU for one reading of the floor
_MEGABYTE = 1e6


def cpu_seconds(process: ProcessId) -> float:
    """The CPU time of all threads of a process so far; OSError when it is gone."""
    return time.clock_gettime((~process.pid << 3) | _SCHEDULED)


def resident_mb(process: ProcessId) -> float:
    """The resident size of a process, in 10^6 bytes."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


class Floor:
    """Two X25519 multiplications, the least that a peel can cost."""

    def __init__(self) -> None:
        """Draw what to multiply."""
        scalar, point = SphinxSecret.generate().expose(), SphinxSecret.generate().public

        def twice() -> None:
            x25519(scalar, point)
            x25519(scalar, point)

        self._tasks = {"floor": twice}

    def seconds(self) -> float:
        """CPU seconds of this thread for one floor, now."""
        return statistics.median(timed(self._tasks, _FLOOR_SECONDS)["floor"])


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a node: `when` (seconds of Trio's clock), its CPU seconds and packets so far, its size, the floor."""

    when: float
    cpu: float
    packets: int
    memory_mb: float
    floor: float


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two readings."""

    seconds: float
    cpu: float
    packets: int
    floor: float

    @property
    def ratio(self) -> float:
        """CPU a packet over the floor."""
        return self.cpu / self.packets / self.floor

    @property
    def share(self) -> float:
        """The share of one core that the process had."""
        return self.cpu / self.seconds


def windows(readings: list[Reading]) -> list[Window]:
    """The time between each reading and the next in which packets passed; the floor is the mean of both ends'."""
    pairs = zip(readings, readings[1:], strict=False)
    return [
        Window(after.when - before.when, after.cpu - before.cpu, passed, (before.floor + after.floor) / 2)
        for before, after in pairs
        if (passed := after.packets - before.packets) > 0
    ]
