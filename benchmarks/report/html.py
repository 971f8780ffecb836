"""`report.html`: one file with everything in it, plots too (spec/13-measurements.md 13.9).

Promises: nothing is fetched from anywhere and nothing runs: no script, no link, no font; every text of the report is
escaped. It is readable on a telephone, and follows the reader's choice of a light or a dark page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from benchmarks.report import markdown, plots, summary

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2a7d2a; --fair: #9a6a00; --bad: #c62828; --quiet: #777; }
@media (prefers-color-scheme: dark) { :root { --good: #7bc67b; --fair: #e0b050; --bad: #ff8a80; --quiet: #999; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; margin: .8rem 0; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:not(:first-child) { white-space: nowrap; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .fair { color: var(--fair); } .bad { color: var(--bad); font-weight: bold; }
.quiet, figcaption, .made { color: var(--quiet); font-size: .86rem; }
figure { margin: 1rem 0; } figure svg { width: 100%; max-width: 40rem; height: auto; }
"""
_MOODS = {"met": "good", "met, short of the aim": "fair", "passed": "good", "not claimed": "quiet"}


def render(report: dict[str, Any]) -> str:
    """The page."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>What was measured</title><style>{_STYLE}</style></head><body>"
    yield "<h1>What was measured</h1>"
    yield f'<p class="made">{escape(markdown.made(report))}</p>'
    for part, reason in report["report"]["failed"].items():
        yield f'<p class="bad">{escape(part)} failed: {escape(reason)}</p>'
    rows = [(row.what, *row[3:]) for row in summary.rows(report)]
    yield from _table(summary.HEAD, rows, numbers=(1, 2, 5), mood=4)
    drawn: dict[str, list[plots.Drawn]] = {}
    for one in plots.draw(report):
        drawn.setdefault(one.finding, []).append(one)
    for finding in report["findings"]:
        yield from _finding(finding, drawn.get(finding["name"], []))
    libraries = ", ".join(f"{name} {version}" for name, version in report["machine"]["libraries"].items())
    yield f'<h2>Libraries</h2><p class="quiet">{escape(libraries)}</p>'
    yield "</body></html>"


def _finding(finding: dict[str, Any], drawn: Sequence[plots.Drawn]) -> Iterator[str]:
    yield f'<h2 id="{escape(finding["name"])}">{escape(finding["title"])}</h2>'
    if finding["threats"]:
        threats = ", ".join(finding["threats"])
        yield f"<p>{escape(threats)} · {escape(finding['adversary'])}<br>Defence: {escape(finding['defence'])}</p>"
    for one in drawn:
        yield f'<figure role="img" aria-label="{escape(one.title)}">{one.svg}</figure>'
    head = ("figure", "value", "95 % interval", "target", "verdict")
    yield from _table(head, [(row.what, *row[3:7]) for row in summary.of(finding)], numbers=(1, 2), mood=4)
    if finding["controls"]:
        controls = [
            (f"{control['role']}: {control['what']}", summary.number(control["value"]), control["expected"],
             "passed" if control["passed"] else "FAILED")
            for control in finding["controls"]
        ]  # fmt: skip
        yield from _table(("control", "figure", "expected", ""), controls, numbers=(1,), mood=3)
    yield f'<p class="quiet">{escape(finding["setting"])}.</p>'
    if finding["note"]:
        yield f'<p class="quiet">{escape(finding["note"])}</p>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int], mood: int) -> Iterator[str]:
    yield '<div class="wide"><table><tr>'
    yield "".join(f"<th>{escape(name)}</th>" for name in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(_cell(text, column, numbers, mood) for column, text in enumerate(row)) + "</tr>"
    yield "</table></div>"


def _cell(text: str, column: int, numbers: Sequence[int], mood: int) -> str:
    if column == mood:
        return f'<td class="{_MOODS.get(text, "bad")}">{escape(text)}</td>'
    return f"<td{' class=n' if column in numbers else ''}>{escape(text)}</td>"
