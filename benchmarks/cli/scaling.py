"""Growth, rest, hostile links and history: `mixnet bench scale`, `idle`, `start`, `hostile` and `history`.

See spec/13-measurements.md 13.10 to 13.12, and 13.14.

Promises: `--json` prints one object for programs and nothing else; what takes long says on standard error what it is
doing. Exit status 1 if a control failed. Never: an import of anything heavy until a command runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from benchmarks.base.extra import needed
from benchmarks.base.size import Size
from benchmarks.cli.options import Json, Switch, one_size, print_json, read_report

if TYPE_CHECKING:
    from benchmarks.base.figures import Finding
    from benchmarks.base.history import FigureChange


def register(bench: App) -> None:
    """Add the commands to `mixnet bench`."""
    for command in (scale, idle, start, hostile, history):
        bench.command(command)


def scale(
    *, quick: Switch = False, full: Switch = False, plots: Path | None = None, seed: int = 1, as_json: Json = False
) -> int:
    """Measure how memory and CPU grow with clients, packets and epochs, and whether they do so in straight lines.

    Its processes are real; a provider gets up to 1,000 clients and 10,000 mailboxes, a node up to 100,000 packets.

    Example: `mixnet bench scale --plots plots`

    Args:
        quick: About a minute, with 60 clients and a few thousand packets: enough for the controls, not for the figures.
        full: Half an hour, with a million packets.
        plots: Folder to write pictures of the lines to.
        seed: What times and routes follow from.
        as_json: Print one JSON object instead of tables.
    """
    with needed():
        from benchmarks.cost.scaling import node, provider  # noqa: PLC0415

        return _show([provider.measure, node.measure], one_size(quick, full), seed, plots=plots, as_json=as_json)


def idle(*, quick: Switch = False, full: Switch = False, seed: int = 1, as_json: Json = False) -> int:
    """Measure what a client's daemon takes while nobody uses it, at a network's default rates, and why.

    Example: `mixnet bench idle`

    Args:
        quick: Half a minute.
        full: Ten minutes.
        seed: As of other measurements; nothing is drawn here.
        as_json: Print one JSON object instead of a table.
    """
    with needed():
        from benchmarks.cost.idle import measure  # noqa: PLC0415

        return _show([measure], one_size(quick, full), seed, as_json=as_json)


def start(*, quick: Switch = False, full: Switch = False, seed: int = 1, as_json: Json = False) -> int:
    """Measure how long `mixnet --help` and a node take to start, beside Python itself.

    Example: `mixnet bench start --quick`

    Args:
        quick: A few starts of each.
        full: A hundred.
        seed: As of other measurements; nothing is drawn here.
        as_json: Print one JSON object instead of a table.
    """
    with needed():
        from benchmarks.cost.start import measure  # noqa: PLC0415

        return _show([measure], one_size(quick, full), seed, as_json=as_json)


def hostile(*, quick: Switch = False, full: Switch = False, seed: int = 1, as_json: Json = False) -> int:
    """Measure what hostile links cost the honest clients of a provider: round trips, losses, CPU.

    Example: `mixnet bench hostile --quick`

    Args:
        quick: A minute and a half: enough for the controls, not for the figures.
        full: Half an hour.
        seed: What the honest clients' sending times follow from.
        as_json: Print one JSON object instead of a table.
    """
    with needed():
        from benchmarks.cost.hostile import measure  # noqa: PLC0415

        return _show([measure], one_size(quick, full), seed, as_json=as_json)


def history(
    *,
    report: Path = Path("report/report.json"),
    file: Path | None = None,
    add: Switch = False,
    as_json: Json = False,
) -> int:
    """Compare a report with earlier runs on the same processor, ratio by ratio. Exit status 1 if a figure got worse.

    Example: `mixnet bench history --add`

    Args:
        report: A report.json of `mixnet bench all`.
        file: The earlier runs; benchmarks/history.jsonl if not given.
        add: Keep this run as one of the earlier ones.
        as_json: Print one JSON object instead of a table.
    """
    from benchmarks.base import history as past  # noqa: PLC0415
    from deploy.display import say, say_json, tabulate  # noqa: PLC0415

    path = file or past.FILE
    run = read_report(report, past.run_of)
    earlier, bad = past.read(path)
    changes = past.compare(run, earlier)
    if add and run not in earlier:
        past.add(path, run)
    if as_json:
        say_json({"run": run, "changes": [asdict(one) for one in changes], "unreadable": bad})
    else:
        rows = [
            (past.FIGURES[one.key], f"{one.value:.4g}", *_before(one), str(one.runs), str(one.verdict))
            for one in changes
        ]
        head = ("figure", "now", "median", "change", "tolerance", "earlier runs", "")
        tabulate(f"Against earlier runs on {run.cpu}, size {run.size}", head, rows)
        if bad:
            say(f"{bad} lines of {path} can't be read and are left out")
    return int(any(one.verdict is past.Trend.WORSE for one in changes))


def _before(change: FigureChange) -> tuple[str, str, str]:
    """The earlier median, the change and the tolerance, in words; nothing where there is none."""
    if change.median != change.median:
        return "", "", ""
    return f"{change.median:.4g}", f"{change.change:+.1%}", f"{change.tolerance:.1%}"


def _show(
    measures: list[Callable[..., Finding]], size: Size, seed: int, *, plots: Path | None = None, as_json: bool
) -> int:
    """Measure, print, draw, and fail if a control did."""
    from benchmarks.base.figures import flat  # noqa: PLC0415

    findings = [measure(size, seed=seed, say=_say) for measure in measures]
    drawn: list[str] = []
    if plots is not None:
        from benchmarks.report.plots import save  # noqa: PLC0415

        drawn = [str(path) for one in findings for path in save(one.as_map(), plots)]
    if as_json:
        print_json({**flat(findings), "findings": [one.as_map() for one in findings], "plots": drawn})
    else:
        from benchmarks.base.tables import render  # noqa: PLC0415
        from deploy.display import say  # noqa: PLC0415

        for one in findings:
            render(one)
        for path in drawn:
            say(path)
    return 0 if all(one.credible for one in findings) else 1


def _say(what: str) -> None:
    sys.stderr.write(f"{what} ...\n")
