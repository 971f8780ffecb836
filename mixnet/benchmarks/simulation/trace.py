"""The trace of a global passive observer: who put how many bytes on which link, and when (docs/measuring.md).

Promises: a row holds what a wire-tap sees and nothing else; `t_ns` counts nanoseconds since the run began; rows come in
the order in which the writes happened. The file is CSV with the header `t_ns,src,dst,bytes`, the same for the simulated
world and for a real network, so that an attack needs only the file.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mixnet.errors import LocalError

COLUMNS = ("t_ns", "src", "dst", "bytes")


class TraceRow(NamedTuple):
    """One write on a link: nanoseconds since the start, the hosts it came from and goes to, its size in bytes."""

    t_ns: int
    src: str
    dst: str
    size: int


class Trace:
    """The rows of one run, in order; its `tap` is what a simulated network calls for every write."""

    def __init__(self, rows: Iterable[TraceRow] = ()) -> None:
        """Begin with `rows`, by default with none."""
        self.rows = list(rows)

    def tap(self, when: float, src: str, dst: str, size: int) -> None:
        """Record one write of `size` bytes at `when` seconds."""
        self.rows.append(TraceRow(round(when * 1e9), src, dst, size))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[TraceRow]:
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and other.rows == self.rows

    __hash__ = None  # type: ignore[assignment]

    def fingerprint(self) -> str:
        """A short hash of all rows: two runs with one fingerprint had one trace."""
        state = hashlib.blake2b(digest_size=16)
        for row in self.rows:
            state.update(f"{row.t_ns},{row.src},{row.dst},{row.size}\n".encode())
        return state.hexdigest()

    def write(self, path: Path) -> None:
        """Write the CSV file."""
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(self.rows)


def read(path: Path) -> Trace:
    """The trace in a CSV file; LocalError if its header or a row is not of the format."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        if tuple(next(rows, ())) != COLUMNS:
            raise LocalError(f"{path} is no trace: its first line is not {','.join(COLUMNS)}")
        try:
            return Trace(TraceRow(int(when), src, dst, int(size)) for when, src, dst, size in rows)
        except ValueError:
            raise LocalError(f"{path} line {rows.line_num} is not of the form {','.join(COLUMNS)}") from None
