"""What the observer saw of clients, and what really happened, as arrays (docs/measuring.md).

Promises: `observe` needs the two files and nothing else, so traces of other systems can be attacked too: which hosts
are clients, which is whose provider, how large a frame is and how long a link takes all follow from them. Times of rows
stay in whole nanoseconds. `Observed` survives a trip through a dict of arrays, which is what jobs return.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.base.statistics import Sample
from mixnet.benchmarks.simulation.ground_truth import Journey, link_latency
from mixnet.benchmarks.simulation.trace import Trace, TraceRow
from mixnet.errors import LocalError

KINDS = ("payload", "ack", "loop", "drop")  # what clients send
MESSAGES = 2  # the first so many kinds are a user's doing
SETTLING = 60.0  # seconds at the start of a trace in which its hosts find each other
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Every write on the clients' links, by time.

    In nanoseconds; the client's index, whether it went up, its bytes, and whether the other end was its provider.
    """

    when: NDArray[np.int64]
    client: NDArray[np.int64]
    up: NDArray[np.bool_]
    size: NDArray[np.int64]
    home: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Packets:
    """The clients' packets: the truth, and what corrupt providers see.

    Their kind, indices of clients (-1: none), and in seconds when each left its sender, when its entry provider sent it
    on, and when it came to its mailbox (nan: never).
    """

    kind: NDArray[np.int64]
    sender: NDArray[np.int64]
    receiver: NDArray[np.int64]
    left: Sample
    onward: Sample
    arrived: Sample

    @property
    def messages(self) -> NDArray[np.bool_]:
        """Which of them a user caused."""
        return self.kind < MESSAGES


@dataclass(frozen=True)
class Observed:
    """One run.

    `start` and `end` (seconds) bound what is worth looking at; a packet waits `stages` times on its way, each time
    `mean_delay` seconds on average, and takes `latency` seconds a link.
    """

    clients: tuple[str, ...]
    start: float
    end: float
    rows: Rows
    packets: Packets
    stages: int
    mean_delay: float
    latency: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start

    @cached_property
    def frame(self) -> int:
        """The bytes of one frame: the size that most writes have."""
        sizes, counts = np.unique(self.rows.size[self.rows.home], return_counts=True)
        return int(sizes[counts.argmax()]) if len(sizes) else 1

    @cached_property
    def up(self) -> list[Sample]:
        """For each client the times of its frames to its provider, in seconds."""
        return [self._frames(client, up=True) for client in range(len(self.clients))]

    @cached_property
    def down(self) -> list[Sample]:
        """For each client the times of its provider's frames to it."""
        return [self._frames(client, up=False) for client in range(len(self.clients))]

    def onward(self, client: int) -> Sample:
        """When a client's packets left its entry provider, if that is corrupt."""
        return np.sort(self.packets.onward[self.packets.sender == client])

    def arrivals(self, client: int) -> Sample:
        """When packets came to a client's mailbox, if its provider is corrupt."""
        times = self.packets.arrived[self.packets.receiver == client]
        return np.sort(times[~np.isnan(times)])

    def written(self, start: float, end: float) -> NDArray[np.int64]:
        """How many payload packets each client (rows) sent to each other (columns) in a while."""
        packets = self.packets
        mine = (packets.kind == 0) & (packets.left >= start) & (packets.left < end) & (packets.receiver >= 0)
        return self._matrix(mine)

    def related(self) -> NDArray[np.bool_]:
        """Which clients ever sent each other anything, in either direction."""
        matrix = self._matrix(self.packets.messages & (self.packets.receiver >= 0))
        return (matrix + matrix.T) > 0

    def packed(self) -> Arrays:
        """All of it as arrays."""
        rows = {f"rows_{name}": getattr(self.rows, name) for name in Rows.__dataclass_fields__}
        packets = {f"packets_{name}": getattr(self.packets, name) for name in Packets.__dataclass_fields__}
        scalars = np.array([self.start, self.end, self.stages, self.mean_delay, self.latency])
        return {"clients": np.array(self.clients), "scalars": scalars, **rows, **packets}

    def _frames(self, client: int, *, up: bool) -> Sample:
        rows = self.rows
        mine = rows.home & (rows.client == client) & (rows.up == up) & (rows.size % self.frame == 0)
        return np.repeat(rows.when[mine], rows.size[mine] // self.frame) / 1e9

    def _matrix(self, which: NDArray[np.bool_]) -> NDArray[np.int64]:
        count = len(self.clients)
        pairs = self.packets.sender[which] * count + self.packets.receiver[which]
        return np.bincount(pairs, minlength=count * count).reshape(count, count)


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> Observed:
    """The reverse of `packed`."""
    start, end, stages, mean_delay, latency = (float(value) for value in arrays["scalars"])
    return Observed(
        tuple(str(name) for name in arrays["clients"]),
        start,
        end,
        Rows(**{name: arrays[f"rows_{name}"] for name in Rows.__dataclass_fields__}),
        Packets(**{name: arrays[f"packets_{name}"] for name in Packets.__dataclass_fields__}),
        int(stages),
        mean_delay,
        latency,
    )


def observe(
    trace: Trace, journeys: Sequence[Journey], *, clients: Sequence[str] = (), start: float | None = None
) -> Observed:
    """The clients' part of a run; `start` is by default `SETTLING` or a tenth of the run, whatever is less.

    `clients` are hosts that count as clients even if they send nothing. Raises LocalError if no client sends anything
    in the truth, or the trace has none of them.
    """
    mine = [journey for journey in journeys if journey.kind in KINDS and journey.sent_ns is not None]
    clients = tuple(sorted({one.sender for one in mine} | set(clients), key=_natural))
    index = {name: number for number, name in enumerate(clients)}
    rows = [row for row in trace if (row.src in index) != (row.dst in index)]
    if not rows or not mine:
        raise LocalError("no client's link is in the trace, or none of its packets in the truth")
    begin, end = min(row.t_ns for row in rows) / 1e9, max(row.t_ns for row in rows) / 1e9
    latency = link_latency(mine)
    delays = [delay for one in mine for delay in one.delays]
    return Observed(
        clients,
        begin + min(SETTLING, (end - begin) / 10) if start is None else start,
        end,
        _rows(rows, index, _homes(mine, rows, index)),
        _packets(mine, index, latency),
        Counter(len(one.delays) for one in mine).most_common(1)[0][0],
        float(np.mean(delays)) if delays else 0.0,
        latency,
    )


def _natural(name: str) -> tuple[int, str]:
    return len(name), name


def _homes(mine: Sequence[Journey], rows: Sequence[TraceRow], index: Mapping[str, int]) -> dict[str, str]:
    """Each client's provider: where its packets enter, or else the host with which it exchanges most."""
    partners: dict[str, Counter[str]] = {name: Counter() for name in index}
    for row in rows:
        client, other = (row.src, row.dst) if row.src in index else (row.dst, row.src)
        partners[client][other] += 1
    entries: dict[str, Counter[str]] = {name: Counter() for name in index}
    for one in mine:
        if one.path:
            entries[one.sender][one.path[0]] += 1
    return {name: (entries[name] or partners[name] or Counter([""])).most_common(1)[0][0] for name in index}


def _rows(rows: Sequence[TraceRow], index: Mapping[str, int], homes: Mapping[str, str]) -> Rows:
    ordered = sorted(rows)
    ups = [row.src in index for row in ordered]
    ends = [(row.src, row.dst) if up else (row.dst, row.src) for row, up in zip(ordered, ups, strict=True)]
    return Rows(
        np.array([row.t_ns for row in ordered], dtype=np.int64),
        np.array([index[client] for client, _ in ends], dtype=np.int64),
        np.array(ups, dtype=np.bool_),
        np.array([row.size for row in ordered], dtype=np.int64),
        np.array([homes[client] == other for client, other in ends], dtype=np.bool_),
    )


def _packets(mine: Sequence[Journey], index: Mapping[str, int], latency: float) -> Packets:
    left = np.array([one.sent_ns for one in mine], dtype=np.float64) / 1e9
    first = np.array([one.delays[0] if one.delays else 0.0 for one in mine])
    whole = np.array([sum(one.delays) + len(one.path) * latency for one in mine])
    there = np.array([len(one.path) > len(one.delays) for one in mine])
    return Packets(
        np.array([KINDS.index(one.kind) for one in mine], dtype=np.int64),
        np.array([index[one.sender] for one in mine], dtype=np.int64),
        np.array([index.get(one.receiver, -1) for one in mine], dtype=np.int64),
        left,
        left + latency + first,
        np.where(there, left + whole, np.nan),
    )
