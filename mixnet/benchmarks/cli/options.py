"""What the commands that measure share: their options, one finding as it is printed, and a report as it is read.

Promises: an import of this loads nothing heavy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number

from mixnet.benchmarks.base.size import Size
from mixnet.errors import LocalError
from mixnet.exclusive import exclusive, option

if TYPE_CHECKING:
    from mixnet.benchmarks.base.figures import Finding

T = TypeVar("T")
F = TypeVar("F", bound=Mapping[str, object])
Switch = Annotated[bool, Parameter(negative=())]
_SIZE = exclusive()
SizeSwitch = Annotated[Switch, option(_SIZE)]
Json = Annotated[Switch, Parameter(name="--json", help="Print JSON for programs, instead of tables.")]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Above = Annotated[float, Parameter(validator=Number(gt=0))]
Seed = Annotated[int, Parameter(help="What every random choice follows from.")]
Workers = Annotated[Count, Parameter(help="Processes that share the work.")]


class NoReport(LocalError):
    """The file is no report of `mixnet bench all`: make one, or name another with --report."""


def size_of(quick: bool, full: bool, otherwise: Size = Size.STANDARD) -> Size:
    """The size that the switches choose."""
    return Size.QUICK if quick else Size.FULL if full else otherwise


def listed(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def read_report(path: Path, pick: Callable[[dict[str, Any]], T]) -> T:
    """What `pick` takes from a report.json; NoReport if the file is none."""
    try:
        return pick(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoReport(f"{path} is no report: make one with `mixnet bench all --quick`") from error


def print_json(value: object) -> None:
    """One value on one line, for programs; NumPy's numbers are numbers, and what is no number is null."""
    import msgspec  # noqa: PLC0415  # not for reading the commands

    sys.stdout.write(msgspec.json.encode(value, enc_hook=float).decode() + "\n")


def working(what: str) -> None:
    """What is being done, for whoever waits for it."""
    sys.stderr.write(f"{what} ...\n")


def show_figures(figures: F, render: Callable[[F], None], *, as_json: bool) -> None:
    """Print figures that have no targets."""
    (print_json if as_json else render)(figures)


def show(finding: Finding, *, as_json: bool) -> int:
    """Print a finding; the exit status, 1 if a control failed."""
    from mixnet.benchmarks.base.figures import flat  # noqa: PLC0415

    if as_json:
        print_json({**flat([finding]), "finding": finding.as_map()})
    else:
        _render(finding)
    return 0 if finding.credible else 1


def show_all(findings: Sequence[Finding], *, as_json: bool, plots: Path | None = None) -> int:
    """Print findings and draw them into the folder `plots`; the exit status, 1 if a control failed."""
    from mixnet.benchmarks.base.figures import flat  # noqa: PLC0415

    drawn: list[str] = []
    if plots is not None:
        from mixnet.benchmarks.report.plots import save  # noqa: PLC0415

        drawn = [str(path) for one in findings for path in save(one.as_map(), plots)]
    if as_json:
        print_json({**flat(findings), "findings": [one.as_map() for one in findings], "plots": drawn})
    else:
        for one in findings:
            _render(one)
        sys.stdout.writelines(f"{path}\n" for path in drawn)
    return 0 if all(one.credible for one in findings) else 1


def _render(finding: Finding) -> None:
    """Tables for a person, as a report has them: figures with their targets, then the controls."""
    from mixnet.benchmarks.base import summary  # noqa: PLC0415
    from mixnet.deploy.display import say, tabulate  # noqa: PLC0415

    told = finding.as_map()
    tabulate(finding.title, summary.HEAD[:-1], summary.shown(told))
    tabulate("Controls", summary.CONTROLS_HEAD, summary.control_rows(told))
    say(finding.setting)
    if finding.note:
        say(finding.note)
