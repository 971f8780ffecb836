"""`mixnet bench all`, `mixnet threats` and `mixnet bench history` (spec/13-measurements.md 13.9 and 13.12).

Promises: `--json` prints one object for programs and nothing else. Never: an import of anything heavy until a command
runs.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mixnet.benchmarks.base.extra import needed, require
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cli.options import (
    Count,
    Json,
    Seed,
    SizeSwitch,
    Switch,
    listed,
    print_json,
    read_report,
    size_of,
)
from mixnet.exclusive import exclusive, option

if TYPE_CHECKING:
    from mixnet.benchmarks.base.history import FigureChange

_FIGURES = exclusive()


def everything(
    *,
    out: Annotated[Path, Parameter(metavar="FOLDER")] = Path("report"),
    quick: SizeSwitch = False,
    full: SizeSwitch = False,
    only: str = "",
    workers: Count | None = None,
    scheduler: str | None = None,
    seed: Seed = 1,
    as_json: Json = False,
) -> int:
    """Measure everything and write a report: report.json, report.md, and report.html with plots.

    Exit status 1 if a part failed or a control did. With --full, or neither size, a second start goes on where the
    first one ended.

    Example: `mixnet bench all --quick --out report`

    Args:
        out: Folder to write to.
        quick: Everything but growth and rest in about three minutes on two cores.
        full: The real actors at full size: hours.
        only: Parts to measure, with commas, such as anonymity,correlation; all if not given.
        workers: Processes that share the work; one for each core if not given.
        scheduler: Address of a dask scheduler whose workers share it instead, or `local` to make one here.
    """
    size = size_of(quick, full)
    with needed():
        require()  # before the measuring, not after it
        from mixnet.benchmarks.report.children import ReportOptions  # noqa: PLC0415
        from mixnet.benchmarks.report.parts import parts  # noqa: PLC0415
        from mixnet.benchmarks.report.run import ReportJob, make, sound  # noqa: PLC0415

        chosen = parts(listed(only), size=size)
        wish = ReportOptions(size, seed, workers or os.cpu_count() or 1, scheduler)
        report = make(ReportJob(chosen, wish, out), _teller(quiet=as_json))
    if as_json:
        print_json(report)
    else:
        _show(report, out)
    return 0 if sound(report) else 1


def threats(
    *,
    report: Annotated[Path | None, option(_FIGURES)] = None,
    quick: Annotated[Switch, option(_FIGURES)] = False,
    markdown: Path | None = None,
    workers: Count | None = None,
    seed: Seed = 1,
    as_json: Json = False,
) -> int:
    """Tell how the network stands to each threat and each adversary: what was tried, the figure, its target.

    Figures are those of a report; checks of what must be refused run at once. Exit status 1 if something is not met.

    Example: `mixnet threats --report report/report.json`

    Args:
        report: A report.json of `mixnet bench all`; report/report.json if there is one, else a quick one is measured.
        quick: Measure a quick one even if there is a report.
        markdown: Where to write the catalogue as a page of documentation.
        workers: Processes that share the work if it is measured; one for each core if not given.
    """
    with needed():
        require()
        from mixnet.benchmarks.report.parts import absent  # noqa: PLC0415
        from mixnet.benchmarks.threats import catalogue, checks, render  # noqa: PLC0415

        found = _given(report, quick=quick)
        if found is None:
            found = _measured(workers or os.cpu_count() or 1, seed, quiet=as_json)
        measured = found["findings"]
        unmeasured = absent(one["name"] for one in measured)
        findings = [*measured, *(one.as_map() for one in (*checks.run(seed), *unmeasured))]
    if markdown is not None:
        markdown.write_text(render.page(found, findings), encoding="utf-8")
    if as_json:
        print_json({**catalogue.as_map(findings), "report": found["report"], "machine": found["machine"]})
    else:
        render.show(findings)
    return 1 if any(row.verdict == catalogue.NOT_MET for row in catalogue.rows(findings)) else 0


def history(
    *,
    report: Path = Path("report/report.json"),
    earlier: Path | None = None,
    remember: Switch = False,
    as_json: Json = False,
) -> int:
    """Compare a report with earlier runs on the same processor, ratio by ratio. Exit status 1 if a figure got worse.

    Example: `mixnet bench history --remember`

    Args:
        report: A report.json of `mixnet bench all`.
        earlier: The earlier runs; benchmarks/history.jsonl if not given.
        remember: Keep this run as one of the earlier ones.
    """
    from mixnet.benchmarks.base import history as past  # noqa: PLC0415
    from mixnet.deploy.display import say, tabulate  # noqa: PLC0415

    path = earlier or past.FILE
    run = read_report(report, past.run_of)
    before, bad = past.read(path)
    changes = past.compare(run, before)
    if remember and run not in before:
        past.add(path, run)
    if as_json:
        print_json({"run": run, "changes": [asdict(one) for one in changes], "unreadable": bad})
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


def _given(report: Path | None, *, quick: bool) -> dict[str, Any] | None:
    """The report that was asked for or lies here; NoReport if it is none."""
    path = report or Path("report/report.json")
    if quick or (report is None and not path.exists()):
        return None
    return read_report(path, lambda found: {key: found[key] for key in ("findings", "report", "machine")})


def _measured(workers: int, seed: int, *, quiet: bool) -> dict[str, Any]:
    """A quick report that is kept nowhere, of what the catalogue is made from."""
    from mixnet.benchmarks.report.children import ReportOptions  # noqa: PLC0415
    from mixnet.benchmarks.report.parts import parts  # noqa: PLC0415
    from mixnet.benchmarks.report.run import ReportJob, make  # noqa: PLC0415

    with TemporaryDirectory(prefix="mixnet-threats-") as folder:
        chosen = [part for part in parts() if not part.alone]
        return make(ReportJob(chosen, ReportOptions(Size.QUICK, seed, workers), Path(folder)), _teller(quiet=quiet))


def _show(report: dict[str, Any], out: Path) -> None:
    from mixnet.benchmarks.base import summary  # noqa: PLC0415
    from mixnet.deploy.display import say, tabulate  # noqa: PLC0415

    tabulate("What was measured", summary.HEAD, [row.cells for row in summary.rows(report)])
    for part, reason in report["report"]["failed"].items():
        say(f"{part} failed: {reason}")
    say(f"{report['report']['seconds']:,.0f} s; the report is in {out}: report.html, report.md, report.json")


def _teller(*, quiet: bool) -> Any:
    from mixnet.benchmarks.report.children import PartOutcome  # noqa: PLC0415

    def tell(said: Any) -> None:
        if quiet:
            return
        if isinstance(said, PartOutcome):
            words = f"failed: {said.error}" if said.error else f"done in {said.seconds:,.0f} s"
            sys.stderr.write(f"{said.part}: {words}\n")
        elif sys.stderr.isatty():
            sys.stderr.write(f"{said.part}: {said.words}\n")

    return tell
