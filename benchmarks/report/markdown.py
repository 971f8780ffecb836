"""`report.md`: a report that reads as plain text (spec/13-measurements.md 13.9).

Pure. Promises: everything is from the report's map, and nothing in it can end a table's cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.report import summary


def render(report: dict[str, Any]) -> str:
    """The whole report but its plots."""
    return "\n".join(_lines(report)) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table."""
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for row in rows:
        yield "| " + " | ".join(_cell(one) for one in row) + " |"


def made(report: dict[str, Any]) -> str:
    """One sentence: what was run where."""
    how, on = report["report"], report["machine"]
    commit = f", commit {on['commit'][:12]}{'+' if on['commit'].endswith('+') else ''}" if on["commit"] else ""
    return (
        f"Size {how['size']}, seed {how['seed']}, begun {how['begun']}, {how['seconds']:,.0f} s. "
        f"{on['cpu']}, {on['cores_usable']} of {on['cores']} cores, {on['system']}, {on['python']}{commit}."
    )


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield "# What was measured"
    yield ""
    yield made(report)
    yield ""
    for part, reason in report["report"]["failed"].items():
        yield f"**{part} failed:** {reason}"
        yield ""
    shown = [(row.what, *row[3:]) for row in summary.rows(report)]
    yield from table(summary.HEAD, shown)
    for finding in report["findings"]:
        yield ""
        yield from _finding(finding)
    yield ""
    yield "## Libraries"
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in report["machine"]["libraries"].items())


def _finding(finding: dict[str, Any]) -> Iterator[str]:
    yield f"## {finding['title']}"
    yield ""
    if finding["threats"]:
        yield f"{', '.join(finding['threats'])} · {finding['adversary']} · defence: {finding['defence']}"
        yield ""
    head = ("figure", "value", "95 % interval", "target", "verdict")
    yield from table(head, [(row.what, *row[3:7]) for row in summary.of(finding)])
    if finding["controls"]:
        yield ""
        rows = [
            (f"{control['role']}: {control['what']}", summary.number(control["value"]), control["expected"],
             "passed" if control["passed"] else "FAILED")
            for control in finding["controls"]
        ]  # fmt: skip
        yield from table(("control", "figure", "expected", ""), rows)
    yield ""
    yield finding["setting"] + "."
    if finding["note"]:
        yield ""
        yield finding["note"]


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
