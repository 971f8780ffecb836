"""Parts of a report in processes beside this one (spec/13-measurements.md 13.9).

Promises: a part that raises, is killed or takes its process with it is reported by name and costs no other part
anything. Processes take one part after another, so that libraries are loaded once a process and not once a part. No
process outlives the call, those that a part started included, however it ends.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from mixnet.benchmarks.base.jobs import Kept, shared
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.report.parts import Part, as_maps
from mixnet.errors import MixnetError

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_PATIENCE = 5.0  # seconds that a process has to end after it was asked to
_POLL = 0.01  # seconds between two looks at whether a group has ended


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How a part is measured. `workers` share the work of one part; `scheduler` is the address of a dask scheduler."""

    size: Size
    seed: int
    workers: int = 1
    scheduler: str | None = None
    kept: Path | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of a part: its findings, or why there are none."""

    part: str
    findings: list[dict[str, Any]]
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """What a part is doing: in words, or pieces done of how many."""

    part: str
    words: str


Tell = Callable[[News | PartOutcome], None]


def outcome(part: Part, wish: ReportOptions, say: Callable[[str], None]) -> PartOutcome:
    """Measure in this process; whatever is raised is in the outcome."""
    begun = time.monotonic()
    try:
        kept = Kept(wish.kept, wish.code) if wish.kept else None
        with shared(
            wish.workers, wish.scheduler, kept=kept, watch=lambda done, total: say(f"{done} of {total}")
        ) as run:
            findings = as_maps(part.measure(wish.size, run, wish.seed, say))
    except Exception as error:  # the other parts go on, and the report says what happened
        return PartOutcome(part.name, [], time.monotonic() - begun, _reason(error))
    return PartOutcome(part.name, findings, time.monotonic() - begun)


def together(parts: Sequence[Part], wish: ReportOptions, at_once: int, tell: Tell) -> list[PartOutcome]:
    """Measure parts, so many at once; the outcomes are in the order of the parts."""
    waiting, done = list(parts), dict[str, PartOutcome]()
    with ExitStack() as stack:
        children: dict[Connection, _Child] = {}
        stack.callback(_end, children)
        while waiting or children:
            while waiting and len(children) < at_once:
                child = _Child.start(wish)
                children[child.pipe] = child
                tell(child.give(waiting.pop(0)))
            for pipe in _ready(children):
                said = children[pipe].receive()
                tell(said)
                if not isinstance(said, PartOutcome):
                    continue
                done[said.part] = said
                if waiting and not children[pipe].dead:
                    tell(children[pipe].give(waiting.pop(0)))
                else:
                    children.pop(pipe).end()
    return [done[part.name] for part in parts]


@dataclass(slots=True)
class _Child:
    """A process that measures one part at a time, and the leader of a group of those that these start."""

    process: BaseProcess
    pipe: Connection
    part: str = ""
    begun: float = 0.0
    dead: bool = False

    @classmethod
    def start(cls, wish: ReportOptions) -> _Child:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, wish), name="bench")
        process.start()
        theirs.close()
        return cls(process, ours)

    def give(self, part: Part) -> News:
        """Let it measure this part; that it has begun."""
        self.part, self.begun = part.name, time.monotonic()
        with suppress(OSError):  # it died between two parts: `receive` says so
            self.pipe.send(part)
        return News(part.name, "begun")

    def receive(self) -> News | PartOutcome:
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            self.dead = True
            self.process.join(_PATIENCE)
            died = f"its process ended with status {self.process.exitcode}"
            return PartOutcome(self.part, [], time.monotonic() - self.begun, died)
        return said if isinstance(said, PartOutcome) else News(self.part, said)

    def end(self) -> None:
        self.pipe.close()
        pid = self.process.pid
        with suppress(ProcessLookupError, PermissionError):
            if pid is not None and os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGTERM)
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        if pid is not None:
            _await_end(pid)


def _await_end(group: int) -> None:
    """Wait until the last process of a group has taken its signal: it may need a core for that, as anybody does."""
    deadline = time.monotonic() + _PATIENCE
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(_POLL)


def _ready(children: Mapping[Connection, _Child]) -> list[Connection]:
    return cast("list[Connection]", connection.wait(list(children)))


def _end(children: Mapping[Connection, _Child]) -> None:
    for child in children.values():
        child.end()


def _work(pipe: Connection, wish: ReportOptions) -> None:
    """The process. Processes share the cores by themselves, so libraries that compute keep to one thread each."""
    os.setsid()
    os.environ.update(_ONE_THREAD)
    with suppress(EOFError):
        while True:
            pipe.send(outcome(pipe.recv(), wish, pipe.send))


def _reason(error: Exception) -> str:
    """One line. Our own errors are written for users; others are named by their type."""
    return str(error) if isinstance(error, MixnetError) else f"{type(error).__name__}: {error}"
