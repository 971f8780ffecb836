"""What a demonstration measured, from the records of both ends: pure (spec/11-demonstration.md).

Promises: a message counts as delivered only if both archives say so; one that came twice counts as duplicated; the
overhead is what remains of a latency after the delays that the sender drew.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

_MILLI = 1000.0


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One message as the demonstration knows it: its sender's record and all copies that the recipient has.

    Times are seconds since the Unix epoch; `drawn_delay` is in seconds; `confirmed` says that its sender knows.
    """

    confirmed: bool
    sent_at: float
    drawn_delay: float
    received_at: tuple[float, ...]

    @property
    def delivered(self) -> bool:
        """Whether both ends agree that it arrived."""
        return self.confirmed and bool(self.received_at)

    @property
    def latency(self) -> float:
        """Seconds from the slot in which it left to its arrival in the recipient's archive."""
        return min(self.received_at) - self.sent_at

    @property
    def overhead(self) -> float:
        """The latency without the delays that its sender drew."""
        return self.latency - self.drawn_delay


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0 to 1) of the values lie, interpolated; None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def quantiles_ms(values: Sequence[float]) -> dict[str, float | None]:
    """Median and 95th percentile of seconds, in milliseconds."""
    found = {"p50": percentile(values, 0.50), "p95": percentile(values, 0.95)}
    return {name: None if value is None else round(value * _MILLI, 1) for name, value in found.items()}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many messages went and what became of them."""

    sent: int
    delivered: int
    duplicated: int

    @property
    def lost(self) -> int:
        """Those that one end or the other doesn't know to have arrived."""
        return self.sent - self.delivered


def tally(records: Iterable[DemoMessage]) -> Tally:
    """Count."""
    every = list(records)
    return Tally(
        sent=len(every),
        delivered=sum(record.delivered for record in every),
        duplicated=sum(max(0, len(record.received_at) - 1) for record in every),
    )


def cover_share(frames: Iterable[Mapping[str, int]], cover: frozenset[str]) -> float | None:
    """Of all frames that clients sent, counted by kind, the share whose kind is in `cover`; None of none."""
    total: Counter[str] = Counter()
    for counts in frames:
        total.update(counts)
    everything = sum(total.values())
    return round(sum(total[kind] for kind in cover) / everything, 3) if everything else None


class DemoOutcome(msgspec.Struct, kw_only=True):
    """The one object of `mixnet demo --json`; times in the unit that a name ends with."""

    delivered: int
    sent: int
    lost: int
    duplicated: int
    file_ok: bool
    nodes: int
    signatures: int
    latency_ms: dict[str, float | None]
    overhead_ms: dict[str, float | None]
    cover_share: float | None
    safety_numbers_equal: bool
    killed: str | None
    file_bytes: int
    file_seconds: float
    ready_seconds: float
    total_seconds: float
    node_memory_mb: float
    client_memory_mb: float
    idle_cpu_percent: float
    dropped: dict[str, int]
    timed_out: tuple[str, ...] = ()  # the acts that were cut off, since nothing got on for as long as is allowed

    @property
    def success(self) -> bool:
        """Whether everything was delivered exactly once, unchanged, to the right person."""
        return (
            not self.timed_out
            and self.delivered == self.sent
            and not self.duplicated
            and self.file_ok
            and self.safety_numbers_equal
        )


def dropped_in_all(figures: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What all nodes dropped, by reason, without the reasons that didn't occur."""
    total: Counter[str] = Counter()
    for node in figures:
        total.update(node.get("dropped") or {})
    return {reason: count for reason, count in sorted(total.items()) if count}
