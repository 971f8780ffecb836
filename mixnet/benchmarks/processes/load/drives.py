"""One run of a player against a network: what came back, and what the nodes spent (spec/13-measurements.md 13.8).

Promises: readings are taken while packets flow, never while the load generators begin or drain; what a drive lost is
what did not come back, whatever the nodes say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from mixnet.benchmarks.processes.load.meter import MeterReading, Window, windows
from mixnet.benchmarks.processes.load.testbed import Answer, Testbed
from mixnet.errors import Unavailable

_ATTEMPTS = 3  # at finding a capacity, each twice as long as the one before
WARM = 0.5  # seconds in which links are dialled and queues fill
WINDOW = 240  # packets under way for each load generator: a node's first queue takes 256 from one link
PATH_WINDOW = 120  # of each, where a route has links that the packets of both share
_MOST = {True: 8000, False: 3000}  # packets a second that a trial is ready for: one node, or a route
PATH_MEAN = 0.01  # seconds of delay a hop in a closed loop, so that the window doesn't bound the rate


@dataclass(frozen=True, slots=True)
class Drive:
    """One drive: `answers` of the load generators, and the windows of each node that was watched.

    `machine` is the number of cores that all programs of this machine together used meanwhile.
    """

    seconds: float
    answers: list[Answer]
    windows: list[list[Window]]
    readings: list[list[MeterReading]]
    machine: float = 0.0

    def _sum(self, what: str) -> int:
        return sum(int(answer[what]) for answer in self.answers)

    @property
    def sent(self) -> int:
        """Packets that left the load generators."""
        return self._sum("sent")

    @property
    def lost(self) -> int:
        """Packets that did not come back, or came back spoilt or twice."""
        return self.sent - self._sum("returned") + self._sum("spoilt") + self._sum("doubled")

    @property
    def rate(self) -> float:
        """Packets a second that left the load generators, and so, where nothing was lost, passed."""
        return self.sent / self.seconds

    @property
    def nodes(self) -> float:
        """The number of cores that the watched nodes used."""
        return sum(sum(one.cpu for one in mine) / sum(one.seconds for one in mine) for mine in self.windows if mine)

    @property
    def generators(self) -> float:
        """The number of cores that the load generators used."""
        return sum(float(answer["cpu"]) / float(answer["seconds"]) for answer in self.answers)

    @property
    def samples(self) -> list[tuple[float, float]]:
        """(overhead, drawn delay) in seconds, one generator after the other, in the order of sending."""
        return [pair for answer in self.answers for pair in zip(answer["overheads"], answer["delays"], strict=True)]


async def drive(
    testbed: Testbed,
    stock: str,
    route: Sequence[str],
    seconds: float,
    *,
    rate: float = 0.0,
    window: int = WINDOW,
    every: float = 1.0,
    floor: bool = True,
    seed: int = 1,
) -> Drive:
    """Send `stock` along `route` for `seconds`, at `rate` or in windows, and watch every node on it.

    Timing the `floor` takes 5 % of a core, which a latency shouldn't pay for.
    """
    readings: list[list[MeterReading]] = [[] for _ in route]
    used: list[tuple[float, float]] = []  # (when, CPU seconds of the machine)
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await trio.sleep(WARM)
            used.append((trio.current_time(), testbed.machine()))
            with trio.move_on_after(seconds - WARM):
                async with trio.open_nursery() as watching:
                    if floor:
                        watching.start_soon(testbed.time_floor)
                    for name, mine in zip(route, readings, strict=True):
                        watching.start_soon(testbed.watch, name, mine, every)
            used.append((trio.current_time(), testbed.machine()))

        nursery.start_soon(watch)
        answers = await testbed.drive(stock, route[0], seconds, rate=rate, window=window, warm=WARM, seed=seed)
    spent = max(float(answer["seconds"]) for answer in answers)
    (begun, before), (ended, after) = used
    machine = (after - before) / (ended - begun)
    return Drive(spent, answers, [windows(mine) for mine in readings], readings, machine)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a route takes when it is saturated: packets a second, and what it could take with whole cores to itself.

    `shown` is the drive in which that was found.
    """

    rate: float
    most: float
    shown: Drive


async def capacity(testbed: Testbed, route: Sequence[str], seconds: float, *, seed: int = 1) -> Capacity:
    """The capacity of `route`, found in a short closed loop; in a longer one if in that nothing passed.

    Raises Unavailable if nothing passes even then.
    """
    for attempt in range(_ATTEMPTS):
        found = await _closed_loop(testbed, route, seconds * 2**attempt, f"capacity of {len(route)}, {attempt}", seed)
        costs = [
            sum(window.cpu for window in mine) / sum(window.packets for window in mine)
            for mine in found.windows
            if sum(window.packets for window in mine)
        ]
        if costs and found.rate and max(costs):
            return Capacity(found.rate, 1 / max(costs), found)
    raise Unavailable("nothing passed through the network: this machine is too busy to measure on")


async def _closed_loop(testbed: Testbed, route: Sequence[str], seconds: float, stock: str, seed: int) -> Drive:
    alone = len(route) == 1
    await testbed.make(stock, route, round(_MOST[alone] * seconds), holds=len(route), mean=PATH_MEAN, seed=seed)
    window = WINDOW if alone else PATH_WINDOW
    return await drive(testbed, stock, route, seconds, window=window, every=seconds / 6, seed=seed)
