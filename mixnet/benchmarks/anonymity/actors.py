"""The entropy of the real actors, from what an observer recorded (docs/measuring.md has the files' formats).

Promises: times and order of all events are the trace's: frames on links. Truth tells which are clients' packets, so the
observer knows the nodes' own loops for what they are, and how full each pool is: the entropy is a lower bound of
what any observer is left with. Which packet went where inside a pool is used for the score alone: the bits by which she
is surprised by the right answer are, on average, the entropy, if what she believes is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.anonymity.optimum import tail
from mixnet.benchmarks.anonymity.pool import Numbers, Times, Visits, beginning, by_owner, entropies, propagate
from mixnet.benchmarks.base.statistics import Estimate, mean
from mixnet.benchmarks.simulation.ground_truth import NODE_LOOP, Journey
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.errors import LocalError

FRAME = 3096  # bytes; what a write adds: spec/03-links.md 3.3
PER_RECORD, OVERHEAD = 5, 22
EARLY = 1e-6  # seconds: rounding of the files
APART = 4.0  # mean holds after which pools have forgotten


class ObservedEntropy(NamedTuple):
    """For each target: bits that hide the packet and its sender, and the surprise at the right packet, in bits."""

    packet: Times
    sender: Times
    surprise: Times
    network: NetworkModel  # the model of what was observed
    unmatched: int  # packets without a frame for each of their links
    blocks: int  # parts of the time that are long enough to be independent

    def over_time(self, bits: Times) -> Estimate:
        """The mean of one of the three; targets close to one another in time count as one sample."""
        return mean([part.mean() for part in np.array_split(bits, min(self.blocks, len(bits)))])


class _Legs(NamedTuple):
    """What was seen of each packet of a client: when it passed each link; nan where it didn't."""

    times: Times  # (packets, holds + 1)
    nodes: Numbers  # (packets, holds)
    sender: Numbers


def observe(
    trace: Trace, journeys: Sequence[Journey], *, targets: int = 100, ideal: bool = False, since: float = 0.0
) -> ObservedEntropy:
    """Follow packets of clients through a recorded network; LocalError if it is too short for that.

    `since` (seconds) is when everything was up; `ideal` says that nodes do not hold packets, so nothing is expected
    of the delays that senders drew.
    """
    packets = [one for one in journeys if one.kind != NODE_LOOP and one.sent_ns is not None and one.delays]
    holds = max((len(one.delays) for one in packets), default=0)
    packets = [one for one in packets if len(one.delays) == holds and len(one.path) > holds]
    if not packets:
        raise LocalError("the truth has no packet of a client that came through: observe for longer")
    names = sorted({host for one in packets for host in one.path})
    senders = sorted({one.sender for one in packets})
    latency = _latency(packets, ideal=ideal)
    legs = _follow(trace, packets, names, senders, latency=latency, ideal=ideal)
    whole: NDArray[np.bool_] = np.all(np.isfinite(legs.times), axis=1)
    visits = _visits(legs, whole, latency)
    delay = fmean(delay for one in packets for delay in one.delays)
    forward, backward = _pick(legs, whole, targets, since, 0.0 if ideal else tail(holds, delay, 1e-4))
    left = propagate(visits, beginning(len(packets), forward), len(names))
    came = propagate(visits.reversed(), beginning(len(packets), backward), len(names))
    right = np.maximum(left[forward, np.arange(len(forward))], 1e-12)
    return ObservedEntropy(
        entropies(left),
        entropies(by_owner(came, legs.sender, len(senders))),
        -np.log2(right),
        _network(legs, packets, senders, delay, forward),
        int((~whole).sum()),
        max(2, int(np.ptp(legs.times[forward, 0]) / (APART * delay))),
    )


def _follow(
    trace: Trace,
    packets: Sequence[Journey],
    names: Sequence[str],
    senders: Sequence[str],
    *,
    latency: float,
    ideal: bool,
) -> _Legs:
    """Find the frame of each packet on each link of its way."""
    holds = len(packets[0].delays)
    frames = _frames(trace)
    wanted: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
    for number, one in enumerate(packets):
        when, way = (one.sent_ns or 0) / 1e9, [one.sender, *one.path]
        for leg in range(holds + 1):
            wanted.setdefault((way[leg], way[leg + 1]), []).append((when, number, leg))
            when += latency + (0.0 if ideal or leg == holds else one.delays[leg])
    times = np.full((len(packets), holds + 1), math.nan)
    for link, expected in wanted.items():
        _match(frames.get(link, []), sorted(expected), times)
    where = {name: index for index, name in enumerate(names)}
    nodes = np.array([[where[host] for host in one.path[:holds]] for one in packets], dtype=np.int64)
    who = {name: index for index, name in enumerate(senders)}
    return _Legs(times, nodes, np.array([who[one.sender] for one in packets], dtype=np.int64))


def _match(seen: Sequence[float], expected: Sequence[tuple[float, int, int]], times: Times) -> None:
    """Give each expected frame of a link the first frame that was seen from then on and is not taken."""
    at = 0
    for when, packet, leg in expected:
        while at < len(seen) and seen[at] < when - EARLY:
            at += 1
        if at < len(seen):
            times[packet, leg] = seen[at]
            at += 1


def _frames(trace: Trace) -> dict[tuple[str, str], list[float]]:
    """When each frame passed each link; writes that are not whole frames (handshakes) are left out."""
    frames: dict[tuple[str, str], list[float]] = {}
    for row in trace:
        count = row.size // FRAME
        if count and row.size == FRAME * count + OVERHEAD * -(-count // PER_RECORD):
            frames.setdefault((row.src, row.dst), []).extend([row.t_ns / 1e9] * count)
    return frames


def _visits(legs: _Legs, whole: NDArray[np.bool_], latency: float) -> Visits:
    """The stays of packets that came through; of the others it is not known where they stayed for how long."""
    holds = legs.nodes.shape[1]
    packet = np.repeat(np.flatnonzero(whole), holds)
    came = (legs.times[whole, :holds] + latency).ravel()
    left = legs.times[whole, 1:].ravel()
    return Visits(packet, legs.nodes[whole].ravel(), np.minimum(came, left), left)


def _pick(legs: _Legs, whole: NDArray[np.bool_], targets: int, since: float, settle: float) -> tuple[Numbers, Numbers]:
    """Packets to follow: by when they were sent, and by when they came out, evenly over what is observed well."""
    sent, left = legs.times[:, 0], legs.times[:, -1]
    known = np.flatnonzero(whole)
    end = float(sent[known].max()) - settle
    start = max(since, float(sent[known].min())) + settle
    if end <= start:
        raise LocalError(f"the trace is too short: observe for {3 * settle:.0f} seconds at least")

    def spread(times: Times) -> Numbers:
        inside = known[(times[known] >= start) & (times[known] <= end)]
        ordered = inside[np.argsort(times[inside])]
        return np.asarray(ordered[np.unique(np.linspace(0, len(ordered) - 1, min(targets, len(ordered))).astype(int))])

    return spread(sent), spread(left)


def _latency(packets: Sequence[Journey], *, ideal: bool) -> float:
    """What a link takes: how much longer than its delays the fastest packet was under way, per link."""
    waits = [
        ((one.received_ns - one.sent_ns) / 1e9 - (0.0 if ideal else sum(one.delays))) / len(one.path)
        for one in packets
        if one.kind == "drop" and one.received_ns is not None and one.sent_ns is not None
    ]
    return max(0.0, min(waits, default=0.0))


def _network(
    legs: _Legs, packets: Sequence[Journey], senders: Sequence[str], delay: float, targets: Numbers
) -> NetworkModel:
    """The model's name for what was observed: users, nodes, delays, and the rate while targets passed."""
    sent = legs.times[:, 0]
    start, end = float(sent[targets].min()), float(np.nanmax(legs.times[targets, -1]))
    rate = int(((sent >= start) & (sent <= end)).sum()) / (end - start) / len(senders)
    hosts = [{one.path[hold] for one in packets} for hold in range(legs.nodes.shape[1])]
    layers = len(hosts) - 1
    width = max(1, round(fmean(len(layer) for layer in hosts[1:]))) if layers else 1
    return NetworkModel(len(senders), rate, delay, max(layers, 1), width, len(hosts[0]))
