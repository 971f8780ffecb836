"""The history of earlier runs, and whether this run is slower (spec/13-measurements.md 13.12).

Promises: a run is one line of JSON: processor, commit, size, and figures that can be compared between days, since they
are ratios to what was timed in the same run, or bytes; no path, no host name. A run is compared with those of the same
processor and size only, at their median. A figure counts as worse if even the better end of its interval is above that
median by more than the tolerance: `LEAST`, or half the width of earlier intervals if that is more. So a busy day, whose
intervals are wide, accuses nobody.
Never: a line rewritten. What can't be read of the file is left out, and said.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

FILE = Path(__file__).parent.parent / "history.jsonl"
FIGURES = {  # those that are compared, in words; less is better in all
    "peel_ratio": "peeling a packet, over the floor",
    "create_mults": "making a packet, in multiplications",
    "create_to_sphinxmix": "making a packet, over sphinxmix's time",
    "relay_ratio": "CPU a packet of a whole node, over the floor",
    "network_ratio": "CPU a packet and node, all saturated, over the floor",
    "packet_ratio": "CPU a packet while a node's load grows, over the floor",
    "packet_bytes": "memory a packet that passed, B",
    "provider_client_kb": "memory a connected client, KB",
    "provider_frame_ratio": "CPU a frame of a provider, over the floor",
    "provider_syncs_batch": "synchronisations a batch of mail",
    "idle_ratio": "CPU of an idle daemon, over its work without pauses",
}
LEAST = 0.10  # of the median: the least that is taken for a change
FEWEST = 3  # earlier runs, below which nothing is said


class PastRun(msgspec.Struct, frozen=True):
    """One line. `figures`: value and both ends of its interval, by key."""

    when: str
    cpu: str
    commit: str | None
    size: str
    figures: dict[str, tuple[float, float, float]]


class Trend(StrEnum):
    """How a figure stands to earlier ones."""

    WORSE = "WORSE"
    BETTER = "better"
    SAME = "as before"
    FIRST = "too few earlier runs"


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One figure against the median of `runs` earlier ones; `change` and `tolerance` as shares of that."""

    key: str
    value: float
    median: float
    change: float
    tolerance: float
    runs: int
    verdict: Trend


def run_of(report: Mapping[str, Any]) -> PastRun:
    """The line of a report (report.json)."""
    figures = {}
    for key in FIGURES:
        value, interval = report.get(key), report.get(f"{key}_ci")
        if value is not None and interval is not None and None not in interval:
            figures[key] = (float(value), float(interval[0]), float(interval[1]))
    about, on = report["report"], report["machine"]
    return PastRun(str(about["begun"]), str(on["cpu"]), on["commit"], str(about["size"]), figures)


def compare(run: PastRun, earlier: Sequence[PastRun]) -> list[FigureChange]:
    """Every figure of a run against those of earlier runs of the same processor and size."""
    like = [one for one in earlier if (one.cpu, one.size) == (run.cpu, run.size) and one != run]
    return [
        _change(key, figure, [one.figures[key] for one in like if key in one.figures])
        for key, figure in run.figures.items()
    ]


def _change(key: str, figure: tuple[float, float, float], before: Sequence[tuple[float, float, float]]) -> FigureChange:
    value, low, high = figure
    if len(before) < FEWEST:
        return FigureChange(key, value, math.nan, math.nan, math.nan, len(before), Trend.FIRST)
    middle = statistics.median(one for one, _, _ in before)
    width = statistics.median((above - below) / 2 / one for one, below, above in before if one)
    tolerance = max(LEAST, width)
    if low > middle * (1 + tolerance):
        verdict = Trend.WORSE
    elif high < middle * (1 - tolerance):
        verdict = Trend.BETTER
    else:
        verdict = Trend.SAME
    return FigureChange(key, value, middle, value / middle - 1, tolerance, len(before), verdict)


def read(path: Path) -> tuple[list[PastRun], int]:
    """The runs in the file, and how many of its lines are none."""
    runs, bad = [], 0
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            runs.append(msgspec.json.decode(line, type=PastRun))
        except msgspec.DecodeError:
            bad += 1
    return runs, bad


def add(path: Path, run: PastRun) -> None:
    """Append the run, as one line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(msgspec.to_builtins(run)) + "\n")
