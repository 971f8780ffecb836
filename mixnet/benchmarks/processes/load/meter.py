"""Reads the CPU and memory of nodes, and the difference of two readings (spec/13-measurements.md 13.8).

Promises: the floor is timed again and again while a node is read, so that what slows the machine slows both sides of a
ratio. A ratio is one of medians: a packet costs much the same in every window, while a single floor may be slow.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mixnet.benchmarks.base.timing import floor, timed
from mixnet.deploy.processes import ProcessId

_FLOOR_SECONDS = 0.010  # of CPU for one reading of the floor


def waiting_seconds(process: ProcessId) -> float:
    """How long the threads of a process that live now were ready to run and had no core; 0 where nobody counts it."""
    total = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with suppress(OSError):  # a thread that just ended, or a kernel that doesn't count
            total += int((task / "schedstat").read_text().split()[1])
    return total / 1e9


def machine_seconds() -> float:
    """CPU seconds that all programs of this machine have used since it started, on all of its cores together."""
    user, nice, system, _idle, _waiting, *interrupts = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    )
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def computed_seconds(pid: int) -> float:
    """The CPU seconds of a process with one thread, to the nanosecond; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


class Floor:
    """Two X25519 multiplications, the least that a peel can cost."""

    def __init__(self) -> None:
        """Draw what to multiply."""
        self._twice = floor()

    def rested(self, pause: float, times: int) -> list[float]:
        """CPU seconds of each of `times` floors before which this thread slept for `pause` seconds."""
        spent = []
        for _ in range(times):
            time.sleep(pause)
            begun = time.thread_time()
            self._twice()
            spent.append(time.thread_time() - begun)
        return spent

    def seconds(self) -> float:
        """CPU seconds of this thread for one floor, now."""
        return statistics.median(timed({"floor": self._twice}, _FLOOR_SECONDS)["floor"])


@dataclass(frozen=True, slots=True)
class MeterReading:
    """One look at a node: `when` (seconds of Trio's clock), CPU and waiting seconds and packets so far, size, floor.

    `workers`: the CPU seconds of each worker process that it has, by process number.
    """

    when: float
    cpu: float
    waited: float
    packets: int
    memory_mb: float
    floor: float
    workers: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two readings; `floor` is that of the second one, `workers` the CPU of each worker."""

    seconds: float
    cpu: float
    waited: float
    packets: int
    floor: float
    workers: tuple[float, ...] = ()

    @property
    def busiest(self) -> float:
        """CPU seconds a packet of the process that spent most: its inverse is what a core for each would allow."""
        return max(self.cpu, *self.workers, 0.0) / self.packets

    @property
    def together(self) -> float:
        """CPU seconds a packet of the node and its workers."""
        return (self.cpu + sum(self.workers)) / self.packets

    @property
    def cost(self) -> float:
        """CPU seconds a packet."""
        return self.cpu / self.packets

    @property
    def wanted(self) -> float:
        """The share of one core that the process would have used if nobody else had: 1 is saturation."""
        return (self.cpu + self.waited) / self.seconds


def windows(readings: list[MeterReading]) -> list[Window]:
    """The time between each reading and the next in which packets passed; the floor is the mean of both ends'."""
    return [
        Window(
            after.when - before.when,
            after.cpu - before.cpu,
            after.waited - before.waited,
            after.packets - before.packets,
            after.floor,
            tuple(spent - before.workers.get(pid, 0.0) for pid, spent in after.workers.items()),
        )
        for before, after in itertools.pairwise(readings)
        if after.packets > before.packets
    ]
