"""`report.html` and `report.md`, and what other pages are written with (spec/13-measurements.md 13.9).

Promises: everything is from the report's map. The page needs nothing from anywhere and nothing on it runs: no script,
no link, no font; every text is escaped, and none can end a cell of a Markdown table. It is readable on a telephone,
and follows the reader's choice of a light or a dark page.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mixnet.benchmarks.base import summary
from mixnet.benchmarks.report import plots

_MOODS = {"met": "good", "met, short of the aim": "fair", "passed": "good", "not claimed": "quiet"}


def html(report: dict[str, Any]) -> str:
    """One file with everything in it, plots too."""
    drawn: defaultdict[str, list[plots.Drawn]] = defaultdict(list)
    for one in plots.draw(report):
        drawn[one.finding].append(one)
    return _report("report.html", report, drawn=drawn, moods=_MOODS)


def markdown(report: dict[str, Any]) -> str:
    """The whole report but its plots, as plain text."""
    return _report("report.md", report)


def made(report: dict[str, Any]) -> str:
    """One sentence: what was run where."""
    how, on = report["report"], report["machine"]
    commit = f", commit {on['commit'][:12]}{'+' if on['commit'].endswith('+') else ''}" if on["commit"] else ""
    return (
        f"Size {how['size']}, seed {how['seed']}, begun {how['begun']}, {how['seconds']:,.0f} s. "
        f"{on['cpu']}, {on['cores_usable']} of {on['cores']} cores, {on['system']}, {on['python']}{commit}."
    )


def render(template: str, **values: Any) -> str:
    """A page from one of the templates beside this file; those named .html escape every text."""
    pages = Environment(
        loader=PackageLoader("mixnet.benchmarks.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters |= {"cell": _cell, "figures": summary.shown, "controls": summary.control_rows}
    return pages.get_template(template).render(values)


def _report(template: str, report: dict[str, Any], **values: Any) -> str:
    return render(
        template,
        made=made(report),
        report=report["report"],
        findings=report["findings"],
        summary=[row.cells for row in summary.rows(report)],
        libraries=", ".join(f"{name} {version}" for name, version in report["machine"]["libraries"].items()),
        HEAD=summary.HEAD,
        CONTROLS_HEAD=summary.CONTROLS_HEAD,
        **values,
    )


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
