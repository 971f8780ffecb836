"""Writes a trace while it happens (spec/13-measurements.md 13.6).

Promises: rows come out in the order of their times, as long as none is later than `SLACK` rows; memory is bounded by
that, however long the recording; times count from the recording's begin; hosts have names where names are known.
"""

from __future__ import annotations

import csv
import heapq
import sys
from collections.abc import Mapping
from typing import TextIO

from mixnet.benchmarks.simulation.trace import COLUMNS, TraceRow

SLACK = 4096  # rows that wait for an earlier one


class Recorder:
    """A trace that is being written; use it as a context manager, whose end writes what waits."""

    def __init__(self, file: TextIO, begun_ns: int, names: Mapping[str, str]) -> None:
        """Write to `file`; `begun_ns` is in nanoseconds of the same clock as the times of `saw`."""
        self._rows = csv.writer(file, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        self._begun = begun_ns
        self._names = names
        self._waiting: list[TraceRow] = []
        self.count = 0

    def saw(self, when_ns: int, src: str, dst: str, size: int) -> None:
        """`size` bytes went from address `src` to `dst`; what was before the begin is left out."""
        if when_ns < self._begun:
            return
        row = TraceRow(when_ns - self._begun, sys.intern(self._name(src)), sys.intern(self._name(dst)), size)
        heapq.heappush(self._waiting, row)
        self.count += 1
        if len(self._waiting) > SLACK:
            self._rows.writerow(heapq.heappop(self._waiting))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_error: object) -> None:
        while self._waiting:
            self._rows.writerow(heapq.heappop(self._waiting))

    def _name(self, host: str) -> str:
        return self._names.get(host, host)
