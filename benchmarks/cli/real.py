"""The commands that measure real processes: `mixnet bench latency`, `throughput` and `observe`.

See spec/13-measurements.md 13.6 to 13.8.

Promises: `--json` prints one object for programs and nothing else. Never: an import of anything heavy until a command
runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from cyclopts import App, Parameter

from benchmarks.base.extra import needed
from benchmarks.base.size import Size
from benchmarks.cli.options import Json, Switch, show

if TYPE_CHECKING:
    from benchmarks.base.figures import Finding

Chosen = Annotated[Size, Parameter(name="--size")]


class Measure(Protocol):
    """What measures one thing on a network of its own."""

    def __call__(self, size: Size, *, seed: int, say: Callable[[str], None]) -> Finding:
        """What was found; `say` hears what is done at the moment."""


def register(bench: App) -> None:
    """Add the commands to `mixnet bench`."""
    for command in (latency, throughput, observe):
        bench.command(command)


def latency(*, size: Chosen = Size.STANDARD, seed: int = 1, as_json: Json = False) -> int:
    """Measure what a network of real processes adds to the delays that senders drew, idle and under load.

    Example: `mixnet bench latency --size quick`

    Args:
        size: quick (half a minute), standard (a few minutes), or full (half an hour).
        seed: What the drawn delays and sending times follow from.
        as_json: Print one JSON object instead of a table.
    """
    with needed():
        from benchmarks.cost.latency import measure  # noqa: PLC0415

        return _show(measure, size, seed, as_json=as_json)


def throughput(*, size: Chosen = Size.STANDARD, seed: int = 1, as_json: Json = False) -> int:
    """Saturate one real node, and a whole network, over real links: CPU a packet, packets a second, loss, memory.

    Example: `mixnet bench throughput --json`

    Args:
        size: quick (20 seconds at saturation), standard (45, and load steps), or full (five minutes).
        seed: What the drawn delays follow from.
        as_json: Print one JSON object instead of a table.
    """
    with needed():
        from benchmarks.cost.throughput import measure  # noqa: PLC0415

        return _show(measure, size, seed, as_json=as_json)


def observe(
    *,
    folder: Annotated[Path | None, Parameter(name="--dir")] = None,
    seconds: float = 60.0,
    out: Path = Path("trace.csv"),
    truth: Path | None = None,
    clients: int = 0,
    taps: Switch = False,
    as_json: Json = False,
) -> int:
    """Record what an observer of all links of a local network sees: t_ns, src, dst, bytes.

    Example: `mixnet bench observe --seconds 60 --out trace.csv --clients 4 --truth truth.ndjson`

    Args:
        folder: Folder of the network; $MIXNET_DIR or your data folder if not given.
        seconds: How long.
        out: Where to write the trace, a CSV file.
        truth: Where to write what the test clients know, NDJSON.
        clients: Test clients that take part; each two talk to each other.
        taps: Start the network behind forwarding taps, where nobody may sniff; it must not be running.
        as_json: Print one JSON object instead of a table.
    """
    import trio  # noqa: PLC0415

    from benchmarks.processes.observer.observe import RecordingOptions  # noqa: PLC0415
    from benchmarks.processes.observer.observe import observe as record  # noqa: PLC0415
    from client.cli.options import network_folder  # noqa: PLC0415
    from deploy.background import until_signal  # noqa: PLC0415
    from deploy.display import progress, say_json, tabulate  # noqa: PLC0415
    from mixnet.explain import INTERRUPTED  # noqa: PLC0415

    wish = RecordingOptions(network_folder(folder), seconds, out, truth, clients, taps).check()

    async def run() -> int:
        with progress("observing", seconds, quiet=as_json, unit="s") as advance:
            seen = await until_signal(record, wish, progress=advance)
        if seen is None:
            return INTERRUPTED
        if as_json:
            say_json(seen)
        else:
            tabulate(f"{out}", ("", ""), list(seen.items()))
        return 0

    return trio.run(run)


def _show(measure: Measure, size: Size, seed: int, *, as_json: bool) -> int:
    """Measure, print, and fail if a control did."""

    def say(what: str) -> None:
        if not as_json and sys.stderr.isatty():
            sys.stderr.write(f"{what} ...\n")

    return show(measure(size, seed=seed, say=say), as_json=as_json)
