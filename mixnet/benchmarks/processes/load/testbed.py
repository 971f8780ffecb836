"""A local network for a measurement: real nodes, played members, and altered nodes for the controls.

Promises (spec/13-measurements.md 13.8): what is measured is `python -m mixnode` in a process of its own, in a network
with real authorities that `mixnet up` could have made; every process ends with the block, however it ends. Nodes send
no loops of their own, so that each packet that goes in is one that comes out.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio

from mixnet.benchmarks.processes.load.meter import (
    Floor,
    MeterReading,
    computed_seconds,
    machine_seconds,
    waiting_seconds,
)
from mixnet.deploy.background import until_signal
from mixnet.deploy.folders import CONFIG, SOCKET, SUPERVISOR_LOG, toml
from mixnet.deploy.local import prepare, programs
from mixnet.deploy.processes import PATIENCE, ProcessId
from mixnet.deploy.supervisor import Crew, Program, open_crew
from mixnet.errors import LocalError, Unavailable
from mixnet.log import open_log
from mixnet.status import read_status

HEAVIER, CLEAR = "provider-3", "provider-4"
GENERATORS = ("provider-5", "provider-6")
HELPED = "provider-7"  # a real node with one worker process
PATH = ("provider-1", "mix-1", "mix-2", "mix-3", "provider-2")  # a route's five nodes, whichever layer each mix is in
NODE, TWIN = "mix-1", "mix-2"  # the one that is measured alone, and its like
MEAN_DELAY = 0.05  # seconds, the default of a network's parameters
_PARAMETERS = {"node_loop_rate": 0.0, "mean_delay": MEAN_DELAY}
_LONGEST_LINE = 1 << 26
_QUESTIONS = 8  # to a node that doesn't answer
_REST, _RESTS = 0.001, 200  # seconds between two floors, and how many
_FLOOR_PAUSE = 0.2  # seconds between two timings of the floor

Answer = dict[str, Any]
Say = Callable[[str], None]  # hears what is being done


def quiet(_what: str) -> None:
    """Nobody hears it."""


@dataclass(frozen=True, slots=True)
class TestbedSetup:
    """A network to measure on: its plan and parameters, who is played by which module, who is altered and how.

    `settings` are lines of a node's own configuration; `before` sees the network's folder before anything starts.
    """

    plan: Mapping[str, Any]
    generators: Mapping[str, str]
    altered: Mapping[str, str]
    parameters: Mapping[str, Any]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    before: Callable[[Path], None] = lambda _folder: None


RELAYS = TestbedSetup(
    {"layers": 3, "width": 1, "providers": 7, "authorities": 1},
    dict.fromkeys(GENERATORS, "mixnet.benchmarks.processes.load.load_generator"),
    {HEAVIER: "heavier", CLEAR: "clear"},
    _PARAMETERS,
    settings={HELPED: {"workers": 1}},  # with the node's own process: two cores' worth
)


class Hand:
    """One load generator's process, and the orders it is given."""

    def __init__(self, process: trio.Process) -> None:
        """Take over a process that was started with pipes for both ends."""
        self._process = process
        self._buffer = bytearray()

    async def ask(self, **order: Any) -> Answer:
        """Give one order, and return its answer; LocalError says what went wrong."""
        assert self._process.stdin is not None  # noqa: S101 -- it was started with pipes
        await self._process.stdin.send_all(msgspec.json.encode(order) + b"\n")
        answer = msgspec.json.decode(await self._line(), type=dict[str, Any])
        if "error" in answer:
            raise LocalError(f"a load generator failed: {answer['error']}")
        return answer

    async def _line(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 -- it was started with pipes
        while (end := self._buffer.find(b"\n")) < 0:
            part = await self._process.stdout.receive_some(1 << 20)
            if not part or len(self._buffer) > _LONGEST_LINE:
                raise LocalError("a load generator ended before its time: see its log")
            self._buffer += part
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


class Testbed:
    """The running network."""

    def __init__(self, folder: Path, crew: Crew, hands: list[Hand]) -> None:
        """Made by `open_testbed`."""
        self._folder, self._crew, self._hands = folder, crew, hands
        self._floor = Floor()
        self._timed: list[float] = []

    def process(self, name: str) -> ProcessId:
        """The process of a node."""
        return self._crew.process(name)

    async def make(self, stock: str, route: Iterable[str], count: int, **more: Any) -> None:
        """Let the load generators prepare `count` packets in all."""
        await self._all("make", stock=stock, route=list(route), count=-(-count // len(self._hands)), **more)

    async def drive(self, stock: str, target: str, seconds: float, *, rate: float = 0.0, **more: Any) -> list[Answer]:
        """Let all load generators send together: `rate` packets a second in all, or each in its own window."""
        return await self._all(
            "drive", stock=stock, target=target, seconds=seconds, rate=rate / len(self._hands), **more
        )

    async def read(self, name: str) -> MeterReading:
        """One look at a node."""
        process = self.process(name)
        figures = await read_status(self._folder / name / SOCKET)
        memory = figures["memory_bytes"] / 1e6
        # Both of the node's own at one instant: asked from outside, its CPU would be that of a little later.
        cpu, packets = figures["cpu_seconds"], figures["packets_out"]
        floor = self._timed[-1] if self._timed else math.nan
        workers = {pid: computed_seconds(pid) for pid in figures["workers"]}
        return MeterReading(trio.current_time(), cpu, waiting_seconds(process), packets, memory, floor, workers)

    @property
    def folder(self) -> Path:
        """The network's folder."""
        return self._folder

    async def start(self, program: Program) -> None:
        """Start one more process, and return when it is ready."""
        await self._crew.start([program], lambda _name: None)

    async def figures(self, name: str) -> dict[str, Any]:
        """All that a node says of itself; it is asked again where it is too busy to answer at once."""
        for _ in range(_QUESTIONS - 1):
            with suppress(Unavailable):
                return await read_status(self._folder / name / SOCKET)
            await trio.sleep(_FLOOR_PAUSE)
        return await read_status(self._folder / name / SOCKET)

    async def order(self, generator: int, what: str, **order: Any) -> Answer:
        """One order to one load generator."""
        return await self._hands[generator].ask(do=what, **order)

    def floor(self) -> float:
        """CPU seconds of one floor, timed now."""
        return self._floor.seconds()

    def rested_floor(self) -> list[float]:
        """What a floor takes that is worked after a millisecond of sleep, over one without pauses, again and again."""
        floor = self._floor.seconds()
        return [one / floor for one in self._floor.rested(_REST, _RESTS)]

    def machine(self) -> float:
        """CPU seconds that all programs of this machine have used."""
        return machine_seconds()

    async def time_floor(self) -> None:
        """Time the floor again and again, until cancelled; readings hold the last one."""
        self._timed.clear()
        while True:
            self._timed.append(self._floor.seconds())
            await trio.sleep(_FLOOR_PAUSE)

    async def watch(self, name: str, readings: list[MeterReading], every: float = 1.0) -> None:
        """Look at a node again and again, until cancelled."""
        while True:
            readings.append(await self.read(name))
            await trio.sleep_until(math.floor(trio.current_time() / every + 1) * every)

    async def held(self, name: str) -> tuple[int, int]:
        """How many packets a node has sent on so far, and how many of them left their hold late."""
        now = await self.figures(name)
        return now["packets_out"], now["held_late"]

    async def dropped(self, names: Iterable[str]) -> dict[str, int]:
        """What these nodes dropped so far, by reason."""
        total = Counter[str]()
        for name in names:
            total.update((await read_status(self._folder / name / SOCKET))["dropped"])
        return dict(total)

    async def _all(self, what: str, **order: Any) -> list[Answer]:
        answers: dict[int, Answer] = {}

        async def one(number: int, hand: Hand) -> None:
            answers[number] = await hand.ask(do=what, **order)

        async with trio.open_nursery() as nursery:
            for number, hand in enumerate(self._hands):
                nursery.start_soon(one, number, hand)
        return [answers[number] for number in range(len(self._hands))]


Result = TypeVar("Result")


def perform(work: Callable[[Testbed], Awaitable[Result]], say: Say, setup: TestbedSetup = RELAYS) -> Result:
    """Start a network, do `work` on it, and end it; KeyboardInterrupt if a signal comes first. Main thread only."""
    results: list[Result] = []

    async def run() -> None:
        async with open_testbed(say, setup) as testbed:
            results.append(await work(testbed))

    trio.run(until_signal, run)
    if not results:
        raise KeyboardInterrupt
    return results[0]


@asynccontextmanager
async def open_testbed(say: Say = quiet, setup: TestbedSetup = RELAYS) -> AsyncIterator[Testbed]:
    """A network of real nodes, altered ones and load generators, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mixnet-bench-") as parent:
        folder = Path(parent) / "network"
        plan = await trio.to_thread.run_sync(
            lambda: prepare(folder, dict(setup.plan), parameters=dict(setup.parameters))
        )
        for name, settings in setup.settings.items():
            await trio.to_thread.run_sync(_settle, folder / name / CONFIG, settings)
        await trio.to_thread.run_sync(setup.before, folder)
        say("starting a network")
        async with open_crew(folder) as crew, trio.open_nursery() as nursery:
            hands = [await nursery.start(_employ, folder, name, module) for name, module in setup.generators.items()]
            real = [
                _as_altered(program, setup.altered) for program in programs(folder, plan)
                if program.name not in setup.generators
            ]  # fmt: skip
            await crew.start(real, lambda _name: None)
            yield Testbed(folder, crew, hands)
            nursery.cancel_scope.cancel()


def _settle(config: Path, settings: Mapping[str, Any]) -> None:
    """Add to a node's configuration."""
    with config.open("ab") as file:
        file.write(toml(dict(settings)))


def _as_altered(program: Program, altered: Mapping[str, str]) -> Program:
    """The program itself, or what runs in its place for a control."""
    if program.name not in altered:
        return program
    config = str(program.folder / CONFIG)
    return Program(
        program.name,
        ("-P", "-m", "mixnet.benchmarks.processes.load.altered_nodes", altered[program.name], config),
        program.folder,
    )


async def _employ(
    folder: Path, name: str, module: str, *, task_status: trio.TaskStatus[Hand] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run one load generator until cancelled."""
    arguments = [sys.executable, "-P", "-m", module, str(folder), name]
    with open_log(folder / SUPERVISOR_LOG) as log:
        process = await trio.lowlevel.open_process(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, process_group=0
        )
    try:
        task_status.started(Hand(process))
        await process.wait()
        raise LocalError("a load generator ended before its time")
    finally:
        with trio.move_on_after(PATIENCE, shield=True) as limit:
            assert process.stdin is not None  # noqa: S101 -- it was started with pipes
            await process.stdin.aclose()
            await process.wait()
        if limit.cancelled_caught:
            process.kill()
