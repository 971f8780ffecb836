"""What the commands that measure share: their options, one finding as it is printed, and a report as it is read.

Promises: an import of this loads nothing heavy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number

from benchmarks.base.size import Size
from mixnet.errors import LocalError

if TYPE_CHECKING:
    from benchmarks.base.figures import Finding

T = TypeVar("T")
F = TypeVar("F", bound=Mapping[str, object])
Switch = Annotated[bool, Parameter(negative=())]
Json = Annotated[bool, Parameter(name="--json", negative=())]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Above = Annotated[float, Parameter(validator=Number(gt=0))]


class TwoSizes(LocalError):
    """A measurement has one size: give --quick, or --full, or neither."""


class NoReport(LocalError):
    """The file is no report of `mixnet bench all`: make one, or name another with --report."""


def size_of(quick: bool, full: bool, otherwise: Size = Size.STANDARD) -> Size:
    """The size that the switches choose; --quick goes before --full."""
    return Size.QUICK if quick else Size.FULL if full else otherwise


def one_size(quick: bool, full: bool) -> Size:
    """The same; TwoSizes if both are given."""
    if quick and full:
        raise TwoSizes("give --quick or --full, not both")
    return size_of(quick, full)


def read_report(path: Path, pick: Callable[[dict[str, Any]], T]) -> T:
    """What `pick` takes from a report.json; NoReport if the file is none."""
    try:
        return pick(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoReport(f"{path} is no report: make one with `mixnet bench all --quick`") from error


def print_json(figures: Mapping[str, object]) -> None:
    """One object on one line."""
    sys.stdout.write(json.dumps(figures) + "\n")


def show_figures(figures: F, render: Callable[[F], None], *, as_json: bool) -> None:
    """Print figures that have no targets."""
    if as_json:
        print_json(figures)
    else:
        render(figures)


def show(finding: Finding, *, as_json: bool, write: Callable[[dict[str, object]], None] = print_json) -> int:
    """Print a finding; the exit status, 1 if a control failed."""
    from benchmarks.base.figures import flat  # noqa: PLC0415
    from benchmarks.base.tables import render  # noqa: PLC0415

    if as_json:
        write({**flat([finding]), "finding": finding.as_map()})
    else:
        render(finding)
    return 0 if finding.credible else 1
