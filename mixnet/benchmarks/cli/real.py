"""The commands that measure real processes.

`mixnet bench latency`, `throughput`, `scale`, `idle`, `start`, `hostile` and `observe`: see spec/13-measurements.md
13.6 to 13.8, 13.10, 13.11 and 13.14.

Promises: `--json` prints one object for programs and nothing else; what takes long says on standard error what it is
doing. Exit status 1 if a control failed. Never: an import of anything heavy until a command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mixnet.benchmarks.base.extra import needed
from mixnet.benchmarks.cli.options import Json, SizeSwitch, Switch, print_json, show, show_all, size_of, working


def latency(*, quick: SizeSwitch = False, full: SizeSwitch = False, seed: int = 1, as_json: Json = False) -> int:
    """Measure what a network of real processes adds to the delays that senders drew, idle and under load.

    Example: `mixnet bench latency --quick`

    Args:
        quick: Half a minute of measuring, instead of a few.
        full: Half an hour.
        seed: What the drawn delays and sending times follow from.
    """
    with needed():
        from mixnet.benchmarks.cost.latency import measure  # noqa: PLC0415

        return show(measure(size_of(quick, full), seed=seed, say=working), as_json=as_json)


def throughput(*, quick: SizeSwitch = False, full: SizeSwitch = False, seed: int = 1, as_json: Json = False) -> int:
    """Saturate one real node, and a whole network, over real links: CPU a packet, packets a second, loss, memory.

    Example: `mixnet bench throughput --json`

    Args:
        quick: 20 seconds at saturation, instead of 45 and load steps.
        full: Five minutes.
        seed: What the drawn delays follow from.
    """
    with needed():
        from mixnet.benchmarks.cost.throughput import measure  # noqa: PLC0415

        return show(measure(size_of(quick, full), seed=seed, say=working), as_json=as_json)


def scale(
    *,
    quick: SizeSwitch = False,
    full: SizeSwitch = False,
    plots: Path | None = None,
    seed: int = 1,
    as_json: Json = False,
) -> int:
    """Measure how memory and CPU grow with clients, packets and epochs, and whether they do so in straight lines.

    Its processes are real; a provider gets up to 1,000 clients and 10,000 mailboxes, a node up to 100,000 packets.

    Example: `mixnet bench scale --plots plots`

    Args:
        quick: About a minute, with 60 clients and a few thousand packets: enough for the controls, not for the figures.
        full: Half an hour, with a million packets.
        plots: Folder to write pictures of the lines to.
        seed: What times and routes follow from.
    """
    with needed():
        from mixnet.benchmarks.cost.scaling import node, provider  # noqa: PLC0415

        size = size_of(quick, full)
        found = [measured.measure(size, seed=seed, say=working) for measured in (provider, node)]
        return show_all(found, plots=plots, as_json=as_json)


def idle(*, quick: SizeSwitch = False, full: SizeSwitch = False, seed: int = 1, as_json: Json = False) -> int:
    """Measure what a client's daemon takes while nobody uses it, at a network's default rates, and why.

    Example: `mixnet bench idle`

    Args:
        quick: Half a minute.
        full: Ten minutes.
        seed: As of other measurements; nothing is drawn here.
    """
    with needed():
        from mixnet.benchmarks.cost.idle import measure  # noqa: PLC0415

        return show_all([measure(size_of(quick, full), seed=seed, say=working)], as_json=as_json)


def start(*, quick: SizeSwitch = False, full: SizeSwitch = False, seed: int = 1, as_json: Json = False) -> int:
    """Measure how long `mixnet --help` and a node take to start, beside Python itself.

    Example: `mixnet bench start --quick`

    Args:
        quick: A few starts of each.
        full: A hundred.
        seed: As of other measurements; nothing is drawn here.
    """
    with needed():
        from mixnet.benchmarks.cost.start import measure  # noqa: PLC0415

        return show_all([measure(size_of(quick, full), seed=seed, say=working)], as_json=as_json)


def hostile(*, quick: SizeSwitch = False, full: SizeSwitch = False, seed: int = 1, as_json: Json = False) -> int:
    """Measure what hostile links cost the honest clients of a provider: round trips, losses, CPU.

    Example: `mixnet bench hostile --quick`

    Args:
        quick: A minute and a half: enough for the controls, not for the figures.
        full: Half an hour.
        seed: What the honest clients' sending times follow from.
    """
    with needed():
        from mixnet.benchmarks.cost.hostile import measure  # noqa: PLC0415

        return show_all([measure(size_of(quick, full), seed=seed, say=working)], as_json=as_json)


def observe(
    *,
    folder: Annotated[Path | None, Parameter(name="--dir")] = None,
    seconds: float = 60.0,
    trace: Path = Path("trace.csv"),
    truth: Path | None = None,
    clients: int = 0,
    taps: Switch = False,
    as_json: Json = False,
) -> int:
    """Record what an observer of all links of a local network sees: t_ns, src, dst, bytes.

    Example: `mixnet bench observe --seconds 60 --trace trace.csv --clients 4 --truth truth.ndjson`

    Args:
        folder: Folder of the network; $MIXNET_DIR or your data folder if not given.
        seconds: How long.
        trace: Where to write the trace, a CSV file.
        truth: Where to write what the test clients know, NDJSON.
        clients: Test clients that take part; each two talk to each other.
        taps: Start the network behind forwarding taps, where nobody may sniff; it must not be running.
    """
    import trio  # noqa: PLC0415

    from mixnet.benchmarks.processes.observer.observe import RecordingOptions  # noqa: PLC0415
    from mixnet.benchmarks.processes.observer.observe import observe as record  # noqa: PLC0415
    from mixnet.client.cli.options import network_folder  # noqa: PLC0415
    from mixnet.deploy.background import until_signal  # noqa: PLC0415
    from mixnet.deploy.display import progress, tabulate  # noqa: PLC0415
    from mixnet.explain import INTERRUPTED  # noqa: PLC0415

    wish = RecordingOptions(network_folder(folder), seconds, trace, truth, clients, taps).check()

    async def run() -> int:
        with progress("observing", seconds, quiet=as_json, unit="s") as advance:
            seen = await until_signal(record, wish, progress=advance)
        if seen is None:
            return INTERRUPTED
        if as_json:
            print_json(seen)
        else:
            tabulate(f"{trace}", ("", ""), list(seen.items()))
        return 0

    return trio.run(run)
