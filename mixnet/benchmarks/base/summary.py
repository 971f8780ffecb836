"""The rows of a report's summary: a figure, its interval, its target and how it stands (spec/13-measurements.md 13.9).

Pure. Promises: everything follows from the report's map; numbers keep the digits that their interval warrants.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

HEAD = ("figure", "value", "95 % interval", "target", "verdict", "controls")
CONTROLS_HEAD = ("control", "figure", "expected", "")


class FigureRow(NamedTuple):
    """One figure, in words."""

    finding: str
    key: str
    what: str
    value: str
    interval: str
    target: str
    verdict: str
    controls: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row under HEAD."""
        return (self.what, *self[3:])


def rows(report: dict[str, Any], *, claimed: bool = True) -> list[FigureRow]:
    """The figures that have a target, or all of them."""
    return [row for finding in report["findings"] for row in of(finding) if not claimed or row.target]


def of(finding: dict[str, Any]) -> Iterator[FigureRow]:
    """The figures of one finding."""
    passed = controls(finding)
    for figure in finding["figures"]:
        low, high = figure["ci"]
        value = number(figure["value"], low, high)
        unit = f" {figure['unit']}" if figure["unit"] else ""
        yield FigureRow(
            finding["name"], figure["key"], figure["what"], value + unit, interval(figure), target(figure),
            figure["verdict"], passed,
        )  # fmt: skip


def shown(finding: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of one finding's own table, under HEAD without its last word."""
    return [row.cells[:-1] for row in of(finding)]


def control_rows(finding: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of its controls, under CONTROLS_HEAD."""
    return [
        (f"{control['role']}: {control['what']}", number(control["value"]), control["expected"],
         "passed" if control["passed"] else "FAILED")
        for control in finding["controls"]
    ]  # fmt: skip


def interval(figure: dict[str, Any]) -> str:
    """`low - high`; one word where nothing was sampled."""
    low, high = figure["ci"]
    if low is not None and low == high:
        return "exact"
    return f"{number(low, low, high)} - {number(high, low, high)}"


def target(figure: dict[str, Any]) -> str:
    """What it must be and should be, or nothing."""
    must, aim = figure["must"], figure["aim"]
    return " / ".join(text for text in (must and f"must {must}", aim and f"aim {aim}") if text)


def controls(finding: dict[str, Any]) -> str:
    """How many controls passed."""
    listed = finding["controls"]
    return f"{sum(control['passed'] for control in listed)} of {len(listed)}" if listed else ""


def number(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A number with two digits of what its interval leaves uncertain, four digits at least."""
    if value is None:
        return "?"
    if value == 0 or (float(value).is_integer() and abs(value) < 1e6):
        return f"{value:,.0f}"
    spread = high - low if low is not None and high is not None else 0.0
    size = math.floor(math.log10(abs(value)))
    digits = max(3 - size, 1 - math.floor(math.log10(spread)) if spread > 0 else 0)
    return f"{value:,.{min(max(digits, 0), 6)}f}"
