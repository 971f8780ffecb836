"""The commands that measure: `mixnet bench …` (docs/measuring.md).

Promises: `--json` prints one object for programs and nothing else; a figure is printed with what it was measured on.
Never: an import of anything heavy until a command runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cyclopts import App

from mixnet.benchmarks.cli.anonymity import anonymity, plan
from mixnet.benchmarks.cli.attack import attack
from mixnet.benchmarks.cli.options import Above, Count, Json, Seed, show_figures
from mixnet.benchmarks.cli.real import hostile, idle, latency, observe, scale, start, throughput
from mixnet.benchmarks.cli.report import everything, history, threats

bench = App(name="bench", help="Measure speed and privacy on the running code.\n\nExample: `mixnet bench sphinx`")
app = App()
app.command(bench)
COMMANDS: tuple[Callable[..., int], ...] = (attack, plan, threats)
MEASUREMENTS: tuple[Callable[..., int], ...] = (
    anonymity, history, hostile, idle, latency, observe, scale, start, throughput,
)  # fmt: skip
for command in COMMANDS:
    app.command(command)
for measurement in MEASUREMENTS:
    bench.command(measurement)
bench.command(everything, name="all")


@bench.command
def sphinx(*, as_json: Json = False) -> None:
    """Time packet creation and peeling against X25519 and against sphinxmix, in the same run.

    Example: `mixnet bench sphinx --json`
    """
    from mixnet.benchmarks.cost.sphinx import measure, render  # noqa: PLC0415
    from mixnet.deploy.display import progress  # noqa: PLC0415

    with progress("measuring", 1.0, quiet=as_json) as advance:
        figures = measure(progress=advance)
    show_figures(figures, render, as_json=as_json)


@bench.command
def world(
    *,
    clients: Count = 20,
    seconds: Above = 600.0,
    seed: int = 1,
    codec: Literal["sphinx", "plain"] = "sphinx",
    trace: Path | None = None,
    truth: Path | None = None,
    as_json: Json = False,
) -> None:
    """Run a whole network in one process and in virtual time, and record what an observer of all links sees.

    Example: `mixnet bench world --clients 20 --seconds 600 --seed 1 --trace trace.csv --truth truth.ndjson`

    Args:
        clients: How many client daemons run, each with one packet a second; they talk in pairs.
        seconds: How long they run, in virtual time.
        seed: What everything follows from: one seed gives one trace.
        codec: "plain" replaces the packets' public-key operations by hashes, for large studies of traffic.
        trace: Where to write the trace: CSV with the columns t_ns, src, dst, bytes.
        truth: Where to write what really happened: NDJSON, one packet a line.
    """
    from mixnet.benchmarks.cost.conversations import measure, render  # noqa: PLC0415

    figures = measure(clients=clients, minutes=seconds / 60, seed=seed, codec=codec, trace=trace, truth=truth)
    show_figures(figures, render, as_json=as_json)


@bench.command
def directory(*, authorities: Count = 7, nodes: Count = 1000, seed: int = 1, as_json: Json = False) -> None:
    """Count the bytes and the CPU that a round of the directory authorities costs.

    Example: `mixnet bench directory --authorities 7 --nodes 1000`

    Args:
        authorities: How many authorities vote, 1 to 31.
        nodes: How many nodes they vote about, 10,000 at most.
        seed: What all keys follow from.
    """
    from mixnet.benchmarks.cost.directory import measure, render  # noqa: PLC0415

    figures = measure(authorities=authorities, nodes=nodes, seed=seed)
    show_figures(figures, render, as_json=as_json)


@bench.command
def groups(*, trials: Count = 40, seed: Seed = 1, as_json: Json = False) -> None:
    """Compare how long a message takes to reach a group with plain unicast, on the client's own schedule.

    Example: `mixnet bench groups --json`

    Args:
        trials: How many messages each mean is taken over, 2 at least for an interval.
    """
    from mixnet.benchmarks.base.extra import needed  # noqa: PLC0415

    with needed():
        from mixnet.benchmarks.cost.groups import measure, render  # noqa: PLC0415

        figures = measure(trials=trials, seed=seed)
    show_figures(figures, render, as_json=as_json)
