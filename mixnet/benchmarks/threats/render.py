"""The catalogue as tables and as a page of the documentation (spec/13-measurements.md 13.9).

Pure but for printing. Promises: the page says from which run it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixnet.benchmarks.report import pages
from mixnet.benchmarks.threats.catalogue import CLASSES, NOT_CLAIMED, REQUIREMENTS, ThreatRow, rows, squares

_HEAD = ("", "adversary", "what was tried", "figure", "95 % interval", "target", "", "controls")
_SHORT = {"met": "met", "not met": "NOT MET", NOT_CLAIMED: "·"}


def page(report: dict[str, Any], findings: Sequence[dict[str, Any]]) -> str:
    """docs/threats.md."""
    return pages.render(
        "threats.md",
        made=pages.made(report),
        head=_HEAD,
        rows=[cells(row) for row in rows(findings)],
        matrix=matrix(findings),
        requirements=REQUIREMENTS,
    )


def cells(row: ThreatRow) -> tuple[str, ...]:
    """A row as it is shown."""
    return (row.requirement, row.adversary, row.tried, row.figure, row.interval, row.target, row.verdict, row.controls)


def matrix(findings: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """(head, rows): requirements down, classes of adversaries across."""
    head = ["", *(" ".join(stands) for stands in CLASSES)]
    found = squares(findings)
    lines = [
        [name, *(_SHORT[square.verdict] for square in found if square.requirement == name)]
        for name in REQUIREMENTS
        if not name.startswith("F")
    ]
    return head, lines


def show(findings: Sequence[dict[str, Any]]) -> None:
    """Print the tables."""
    from mixnet.deploy.display import say, tabulate  # noqa: PLC0415

    found = rows(findings)
    columns = ("what was tried", *_HEAD[3:6], "verdict", "controls")
    tabulate("Threats and functions", columns, [(f"{row.requirement} {row.tried}", *cells(row)[3:]) for row in found])
    head, lines = matrix(findings)
    tabulate("By adversary", head, lines)
    counts = {verdict: sum(row.verdict == verdict for row in found) for verdict in _SHORT}
    say(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
