"""`mixnet bench observe`: a trace, and if wanted the truth, of a network of real processes.

See spec/13-measurements.md 13.6.

Promises: the sniffer looks on at a network that runs already and changes nothing about it; with taps the network is
started behind them and ended afterwards. A trace appears under its name only when it is whole.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns
from typing import TextIO

import trio

from mixnet.benchmarks.processes.observer.clients import MOST, TestClient, enroll, hosts
from mixnet.benchmarks.processes.observer.recorder import Recorder
from mixnet.benchmarks.processes.observer.sniffer import Sniffer, open_sniffer
from mixnet.benchmarks.processes.observer.tapped import open_tapped
from mixnet.client.model.paths import SETTINGS
from mixnet.deploy.folders import CLIENTS, NetworkNotRunning, running
from mixnet.deploy.local import load_plan
from mixnet.deploy.plan import LocalPlan
from mixnet.errors import LocalError

SETTLE = 2.0  # seconds in which packets of test clients that were sent in time may still arrive
_TICK = 0.5  # seconds between two steps of the progress bar


Recording = dict[str, str | float]


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """What is to be observed: the network of `folder`, with so many test `clients`, of which `truth` tells."""

    folder: Path
    seconds: float
    trace: Path
    truth: Path | None = None
    clients: int = 0
    taps: bool = False

    def check(self) -> RecordingOptions:
        """Itself; LocalError if it can't be fulfilled."""
        if not self.seconds > 0:
            raise LocalError(f"--seconds {self.seconds:g} is impossible: choose more than 0")
        if not 0 <= self.clients <= MOST:
            raise LocalError(f"--clients {self.clients} is impossible: choose 0 to {MOST}")
        if self.truth is not None and not self.clients:
            raise LocalError("--truth tells of test clients: choose --clients 2 or more")
        return self


@dataclass
class _Session:
    """One recording: rows go to `recorder` while there is one."""

    recorder: Recorder | None = None
    sniffer: Sniffer | None = None
    clients: list[TestClient] = field(default_factory=list)


async def observe(wish: RecordingOptions, *, progress: Callable[[float], None] = lambda _done: None) -> Recording:
    """Record for the time that was wished, and write the files; what was recorded, by name.

    `lost` counts segments that the sniffer had to drop, `packets` those of the truth.
    """
    wish.check()
    plan = load_plan(wish.folder)
    own = hosts(plan, wish.clients)
    names = {**_names(wish.folder, plan), **own}
    session = _Session()
    async with AsyncExitStack() as stack:
        if wish.taps:
            await stack.enter_async_context(open_tapped(wish.folder, lambda: session.recorder))
        elif running(wish.folder) is None:
            raise NetworkNotRunning(
                f"the network in {wish.folder} is not running: start it with `mixnet up`, or use --taps"
            )
        else:
            session.sniffer = stack.enter_context(open_sniffer(f"127.0.{plan.subnet}"))
        session.clients = await enroll(wish.folder, own, names)
        nursery = await stack.enter_async_context(trio.open_nursery())
        for one in session.clients:
            await nursery.start(one.run)
        seen = await _record(wish, session, names, progress)
        nursery.cancel_scope.cancel()
    return seen


async def _record(
    wish: RecordingOptions, session: _Session, names: dict[str, str], progress: Callable[[float], None]
) -> Recording:
    """Write rows for the time that was wished, and then what the test clients know."""
    begun = time_ns()
    with _whole(wish.trace) as file, Recorder(file, begun, names) as recorder:
        session.recorder = recorder
        async with trio.open_nursery() as nursery:
            if session.sniffer is not None:
                nursery.start_soon(session.sniffer.run, recorder)
            started = trio.current_time()
            while (gone := trio.current_time() - started) < wish.seconds:
                progress(gone)
                await trio.sleep(min(_TICK, wish.seconds - gone))
            nursery.cancel_scope.cancel()
        session.recorder = None
        if session.sniffer is not None:
            session.sniffer.finish(recorder)
    ended = time_ns()
    packets = arrived = 0
    if session.clients:
        await trio.sleep(SETTLE)
        packets, arrived = _tell(wish.truth, session.clients, begun, ended)
    return {
        "observer": "taps" if wish.taps else "sniffer",
        "seconds": (ended - begun) / 1e9,
        "rows": recorder.count,
        "lost": 0 if session.sniffer is None else session.sniffer.lost,
        "packets": packets,
        "arrived": arrived,
    }


def _tell(path: Path | None, clients: list[TestClient], begun: int, ended: int) -> tuple[int, int]:
    """Write the truth, if it is wanted: (packets in it, those that are known to have arrived)."""
    chronicle = clients[0].chronicle
    kept = chronicle.between(begun, ended)
    if path is not None:
        with _whole(path) as file:
            chronicle.dump(file, kept, begun)
    return len(kept), sum(one.received_ns is not None for one in kept)


def _names(folder: Path, plan: LocalPlan) -> dict[str, str]:
    """The members' names and those of the profiles in the network's folder, by their addresses."""
    names = {member.host: member.name for member in plan.members()}
    for settings in (folder / CLIENTS).glob(f"*/{SETTINGS}"):
        source = tomllib.loads(settings.read_text()).get("source")
        if isinstance(source, str):
            names[source] = settings.parent.name
    return names


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A text file that gets its name at the end, and vanishes if it doesn't come to that."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", newline="") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
