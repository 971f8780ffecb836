"""What a person sees: tables and progress at a terminal, plain lines elsewhere, JSON for programs.

See spec/09-command.md.

Promises: output that isn't a terminal has no colours, no frames and no progress, and its lines are never cut.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mixnet.deploy.local import NodeStatus
from mixnet.shown import one_line, table, width

MEGABYTE = 1_000_000


def say(line: str = "") -> None:
    """One line for a person."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def greet(link: str) -> None:
    """Where a page is, and how it ends."""
    say(f"open {link}")
    say("the link lets one browser in, once; Ctrl-C ends the page")


def say_json(value: object) -> None:
    """One JSON value for a program."""
    say(msgspec.json.encode(value).decode())


def tabulate(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table, the columns after the first aligned to the right; without a head if these have no names."""
    head = any(columns[1:])
    texts = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        say(title)
        clean = [[one_line(cell) for cell in row] for row in texts]
        for drawn in table(columns if head else [""] * len(columns), clean, width(), right=True):
            say(drawn)
        return
    widths = [max(len(line[number]) for line in [columns, *texts]) for number in range(len(columns))]
    say(title)
    for line in [columns, *texts] if head else texts:
        first, *rest = (
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        say("  ".join([first, *rest]).rstrip())


@contextmanager
def progress(what: str, total: float, *, quiet: bool = False, unit: str = "") -> Iterator[Callable[[float], None]]:
    """A bar while something lasts; call what it yields with how far it has come."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def counting(what: str, count: int, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """A bar that moves with every name that what it yields is called with."""
    ready: list[str] = []
    with progress(what, count, quiet=quiet) as advance:

        def report(name: str) -> None:
            ready.append(name)
            advance(len(ready))

        yield report


def node_json(node: NodeStatus) -> dict[str, Any]:
    """One process for `mixnet status --json`."""
    return {
        "name": node.member.name,
        "kind": str(node.member.kind),
        "address": node.member.address,
        "pid": node.process.pid if node.process is not None else None,
        "uptime_seconds": round(node.uptime, 1),
        "restarts": node.restarts,
        **(node.figures or {"ready": False}),
    }


def _dropped(figures: dict[str, Any]) -> str:
    """`reason n` for every reason that occurred."""
    reasons = figures.get("dropped") or {}
    return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()) if count) or "0"


def _loops(figures: dict[str, Any]) -> str:
    """The share of loops that came back, of those that were sent."""
    sent = figures.get("loops_sent", 0)
    return f"{figures.get('loops_returned', 0) / sent:.0%} of {sent}" if sent else "-"


def _row(node: NodeStatus) -> list[object]:
    """One process as a row of the table."""
    figures = node.figures
    if figures is None:
        return [node.member.name, "no answer", *["-"] * 7, node.restarts]
    layer = figures.get("layer")
    busy = figures.get("cpu_seconds", 0.0) / node.uptime if node.uptime > 0 else 0.0
    return [
        node.member.name,
        "ready" if figures.get("ready") else "starting",
        "-" if layer is None else layer,
        figures.get("packets_in", "-"),
        figures.get("packets_out", "-"),
        _dropped(figures),
        _loops(figures),
        f"{figures.get('memory_bytes', 0) / MEGABYTE:.0f} MB",
        f"{busy:.1%}",
        node.restarts,
    ]


def show_nodes(nodes: Sequence[NodeStatus]) -> None:
    """The table of `mixnet status`; CPU is the mean since the process started, in shares of one core."""
    columns = ("node", "state", "layer", "in", "out", "dropped", "loops back", "memory", "CPU", "restarts")
    ready = sum(node.ready for node in nodes)
    tabulate(f"{ready} of {len(nodes)} nodes ready", columns, [_row(node) for node in nodes])
