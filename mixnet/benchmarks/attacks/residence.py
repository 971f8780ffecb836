"""Which packets were in which node's pool, and when: from the ground truth, to score attacks.

Promises: `residence` has times that follow from when a packet was sent, what its sender asked for, and what a link
takes; `as_it_went` has those at which nodes really let it go, whatever was asked for. A packet that never got to a node
was not there; so what an attacker holds back for good is counted rightly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.base.statistics import Sample
from mixnet.benchmarks.simulation.ground_truth import NODE_LOOP, GroundTruth, Journey, link_latency
from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Peeled

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Residence:
    """Each stay: which packet, where, from and to when (seconds).

    A loop of a node is not held where it begins: that counts as a stay of no time, a frame more.
    """

    journeys: tuple[Journey, ...]
    packet: Numbers
    node: Numbers
    arrival: Sample
    departure: Sample
    hosts: tuple[str, ...]

    def at(self, host: str) -> NDArray[np.bool_]:
        """Which stays were there."""
        number = self.hosts.index(host) if host in self.hosts else -1
        return np.asarray(self.node == number, dtype=np.bool_)


def residence(journeys: Sequence[Journey], passed: Mapping[int, Mapping[str, float]] | None = None) -> Residence:
    """All stays of all packets; LocalError if there are none. `passed` has times of arrival that are known better."""
    known = passed or {}
    link = link_latency(journeys)
    kept = tuple(one for one in journeys if one.sent_ns is not None)
    hosts = tuple(sorted({host for one in kept for host in (*one.path, one.sender)}))
    index = {host: number for number, host in enumerate(hosts)}
    rows: list[tuple[int, int, float, float]] = []
    for number, one in enumerate(kept):
        when = (one.sent_ns or 0) / 1e9
        if one.kind == NODE_LOOP:
            rows.append((number, index[one.sender], when, when))
        for host, delay in zip(one.path, one.delays, strict=False):
            when = known.get(one.msg, {}).get(host, when + link)
            rows.append((number, index[host], when, when + delay))
            when += delay
    if not rows:
        raise LocalError("the truth has no packet that was held anywhere")
    table = np.array(rows)
    return Residence(kept, table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3], hosts)


def as_it_went(journeys: Sequence[Journey], passed: Mapping[int, Sequence[float]]) -> Residence:
    """All stays as they were: `passed` has, for each packet's number, when each hop in turn peeled it.

    A packet leaves a node a link's time before the next hop peels it; one that no other hop peeled never left, or left
    at the time that its sender asked for if that is later than all that was seen.
    """
    table = residence(journeys)
    link = link_latency(table.journeys)
    end = max((times[-1] for times in passed.values() if times), default=0.0)
    arrival, departure = table.arrival.copy(), table.departure.copy()
    hop, last = 0, -1
    for row, number in enumerate(table.packet):
        one = table.journeys[number]
        hop = hop + 1 if number == last else -1 if one.kind == NODE_LOOP else 0
        last = int(number)
        if hop < 0:
            continue  # where a node's loop begins
        times = passed.get(one.msg, ())
        arrival[row] = times[hop]
        departure[row] = times[hop + 1] - link if hop + 1 < len(times) else max(end, table.departure[row])
    return replace(table, arrival=arrival, departure=departure)


class Passages:
    """When each packet really came to each node: what a delaying attacker leaves of the times that senders drew.

    `when` has the first time at each host, `times` all of them in order, the recipient's at the end.
    """

    def __init__(self, truth: GroundTruth) -> None:
        """Look over the truth's shoulder from now on."""
        self.when: dict[int, dict[str, float]] = {}
        self.times: dict[int, list[float]] = {}
        peeled = truth.peeled

        def note(packet: bytes, host: str, result: Peeled, when: float) -> None:
            journey = truth._by_alpha.get(packet[: GEOMETRY.alpha_size])
            if journey is not None:
                self.when.setdefault(journey.msg, {}).setdefault(host, when)
                self.times.setdefault(journey.msg, []).append(when)
            peeled(packet, host, result, when)

        truth.peeled = note  # type: ignore[assignment, method-assign]


def alone(table: Residence, which: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each stay of `which`: whether none of `others` was in the same pool at any time of it.

    A loop that the node itself sends meanwhile counts: its frame can't be told from the packet's.
    """
    found = []
    for stay in np.flatnonzero(which):
        here = others & (table.node == table.node[stay]) & (table.packet != table.packet[stay])
        meets = here & (table.arrival < table.departure[stay]) & (table.departure > table.arrival[stay])
        at_once = here & (table.arrival == table.departure)
        within = at_once & (table.arrival >= table.arrival[stay]) & (table.arrival <= table.departure[stay])
        found.append(not (meets | within).any())
    return np.array(found, dtype=np.bool_)
