"""How long a start takes: of `mixnet --help`, and of a node (spec/13-measurements.md 13.11).

Promises: each is a new process, and what is compared starts in turns; the time is the wall's, for that is what a person
waits, so the figure is what is added to a bare Python in the same round, at the median, and the least of all rounds is
beside it. A node is ready when it says so itself, in a network that runs, where its supervisor starts it again and
again.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import trio

from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact, middle
from mixnet.benchmarks.processes.load.testbed import Say, Testbed, TestbedSetup, perform, quiet
from mixnet.deploy.processes import age, identify
from mixnet.errors import MixnetError

ROUNDS = {Size.QUICK: 5, Size.STANDARD: 15, Size.FULL: 100}
STARTS = {Size.QUICK: 2, Size.STANDARD: 5, Size.FULL: 7}  # more and more slowly: a supervisor pauses in between
LATER = 0.1  # seconds that the control adds
SETUP = TestbedSetup({"layers": 1, "width": 1, "providers": 1, "authorities": 1}, {}, {}, {})
NODES = ("mix-1", "provider-1")
_NOTICED = 0.7  # of what is planted
_MOST_DIFFERENCE = 25.0  # ms
_POLL = 0.005  # seconds between two questions to a node that starts
_PATIENCE = 60.0

_BARE = (sys.executable, "-c", "pass")
_COMMANDS = {
    "bare": _BARE,
    "help": (sys.executable, "-m", "mixnet", "--help"),
    "command": (sys.executable, "-m", "mixnet", "send", "--help"),
    "late": (sys.executable, "-c", f"import time; time.sleep({LATER})"),
    "same": _BARE,
}
Ready = dict[str, list[tuple[float, float]]]  # seconds until it is ready, and CPU seconds, by the node's name


def measure(size: Size, *, seed: int = 0, say: Say = quiet) -> Finding:
    """Start everything so many times."""
    del seed  # nothing is drawn here
    say(f"{ROUNDS[size]} rounds of starts")
    waited, worked = commands(ROUNDS[size])
    ready = perform(partial(nodes, starts=STARTS[size], say=say), say, SETUP)
    return finding(size, waited, worked, ready)


def commands(rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of waiting, and of CPU, for each command in each round."""
    waited: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    worked: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    order = list(_COMMANDS)
    for _ in range(rounds):
        for name in order:
            begun, before = time.perf_counter(), _children()
            subprocess.run(_COMMANDS[name], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            waited[name].append(time.perf_counter() - begun)
            worked[name].append(_children() - before)
        order.append(order.pop(0))
    return waited, worked


def _children() -> float:
    """CPU seconds of all processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def nodes(testbed: Testbed, starts: int, say: Say = quiet) -> Ready:
    """Seconds from each node's start until it is ready, again and again; its supervisor starts it when it ended."""
    seconds: Ready = {name: [] for name in NODES}
    for number in range(starts):
        for name in NODES:
            say(f"start {number + 1} of {starts} of {name}")
            before = (await testbed.figures(name))["pid"]
            os.kill(before, signal.SIGTERM)
            seconds[name].append(await _ready_again(testbed, name, before))
    return seconds


async def _ready_again(testbed: Testbed, name: str, before: int) -> tuple[float, float]:
    """Wait until the node is there again and ready; how old its process is then, and its CPU."""
    with trio.fail_after(_PATIENCE):
        while True:
            with suppress(MixnetError):
                now = await testbed.figures(name)
                process = identify(now["pid"])
                if now.get("ready") and now["pid"] != before and process is not None:
                    return age(process), now["cpu_seconds"]
            await trio.sleep(_POLL)


def finding(size: Size, waited: dict[str, list[float]], worked: dict[str, list[float]], ready: Ready) -> Finding:
    """What the times say."""
    added = {name: _beyond_bare(waited, name) for name in waited}
    figures = (
        Figure("help_added_ms", "`mixnet --help`, beyond bare Python", middle(added["help"]), "ms", Bound(150)),
        Figure("help_added_least_ms", "the same, the least", exact(min(added["help"])), "ms"),
        Figure("help_added_cpu_ms", "the same, CPU", middle(_beyond_bare(worked, "help")), "ms"),
        Figure("command_added_ms", "the help of one command, beyond bare Python", middle(added["command"]), "ms"),
        Figure("bare_ms", "bare Python", middle([1e3 * one for one in waited["bare"]]), "ms"),
        *(figure for name, times in ready.items() for figure in _ready(name.partition("-")[0], times)),
    )  # fmt: skip
    return Subject("start", "How long starts take").finding(
        setting=(
            f"{size}: {len(waited['bare'])} rounds of processes one after another, {len(next(iter(ready.values())))} "
            "starts of each node in a network that runs; time is the wall's, which a busy machine lengthens"
        ),
        figures=figures,
        controls=(
            Control.positive(f"ms that a Python which waits {1e3 * LATER:g} ms takes longer", middle(added["late"]),
                at_least(_NOTICED * 1e3 * LATER)),
            Control.null("ms by which bare Python takes longer or shorter than itself",
                exact(abs(middle(added["same"]).value)), Bound(_MOST_DIFFERENCE)),
        ),
    )  # fmt: skip


def _ready(kind: str, times: Sequence[tuple[float, float]]) -> list[Figure]:
    """How long a node took, how long at the least, and how much of that it computed."""
    waited, worked = [one for one, _ in times], [one for _, one in times]
    return [
        Figure(f"{kind}_ready_s", f"a {kind} from its start until it is ready", middle(waited), "s", Bound(1.0)),
        Figure(f"{kind}_ready_least_s", "the same, the least", exact(min(waited)), "s"),
        Figure(f"{kind}_ready_cpu_s", "the same, CPU", middle(worked), "s"),
    ]


def _beyond_bare(seconds: dict[str, list[float]], name: str) -> list[float]:
    """Milliseconds more than bare Python took in the same round."""
    return [1e3 * (one - bare) for one, bare in zip(seconds[name], seconds["bare"], strict=True)]
