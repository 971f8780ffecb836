"""Where a packet may be by now: an observer's belief, carried through memoryless pools (spec/13-measurements.md 13.1).

Pure. Promises: what Serjantov and Danezis (2002) measure and theorem 1 of Loopix allows. A mix that holds n packets
lets each of them go next with the same chance, however long it has been there. So a pool is known by two numbers: n,
and the probability M that the target is in it. Many targets are followed at once, a row of M for each node. Probability
is neither made nor lost. Never: a look at the delays; only the order of arrivals and departures counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Numbers = NDArray[np.int64]
Belief = NDArray[np.float64]
_SMALLEST = -200.0  # of the logarithm of a product: far from where floats end


class Visits(NamedTuple):
    """Packets' stays at nodes, in any order: one entry of each array a stay."""

    packet: Numbers
    node: Numbers
    arrival: Times
    departure: Times

    def reversed(self) -> Visits:
        """The same with time running backwards: asks where a packet that came out had come in."""
        return Visits(self.packet, self.node, -self.departure, -self.arrival)

    def only(self, keep: NDArray[np.bool_]) -> Visits:
        """The chosen stays."""
        return Visits(self.packet[keep], self.node[keep], self.arrival[keep], self.departure[keep])


@dataclass(frozen=True, slots=True)
class LoopModel:
    """An observer who can't tell a node's own loops apart: their rate at each node, and all rates she knows."""

    rate: float  # λM: loops that a node sends, and that come back to it, per second
    arrivals: float  # frames into a node per second, returning loops included
    mu: float  # 1 / mean hold


def beginning(packets: int, targets: Sequence[int] | Numbers) -> Belief:
    """What is known as packets enter: target j (column) is packet targets[j] (row)."""
    belief = np.zeros((packets, len(targets)))
    belief[np.asarray(targets, dtype=np.int64), np.arange(len(targets))] = 1.0
    return belief


def propagate(visits: Visits, belief: Belief, nodes: int) -> Belief:
    """For each packet (row) the chance that it is each target (column), as it came out; 0 for one that is still inside.

    `belief` says it as they enter. On arrival n += 1, M += p; on departure p = M/n, M -= p, n -= 1. A node that
    doesn't mix (a corrupt one, whose permutation the observer knows) is left out of `visits`.

    Where no packet comes back to where another one came from, as between layers, each node is worked through at once.
    """
    belief = belief.copy()
    order, leaving = _in_order(visits)
    packet, node = visits.packet[order], visits.node[order]
    sequence = _downstream(visits, nodes)
    if sequence is None:
        _one_by_one(leaving, packet, node, belief, nodes)
        return belief
    grouped = np.argsort(node, kind="stable")
    ends = np.searchsorted(node[grouped], np.arange(nodes + 1))
    for one in sequence:
        events = grouped[ends[one] : ends[one + 1]]
        _mix(leaving[events], packet[events], belief)
    return belief


def _one_by_one(leaving: NDArray[np.bool_], packets: Numbers, nodes: Numbers, belief: Belief, count: int) -> None:
    """Let all events happen in their order, as the definition says."""
    pools = np.zeros((count, belief.shape[1]))
    held = [0] * count
    for leaves, packet, node in zip(leaving.tolist(), packets.tolist(), nodes.tolist(), strict=True):
        pool = pools[node]
        if leaves:
            share = pool / held[node]
            pool -= share
            belief[packet] = share
            held[node] -= 1
        else:
            pool += belief[packet]
            belief[packet] = 0.0
            held[node] += 1


def _mix(leaving: NDArray[np.bool_], packets: Numbers, belief: Belief) -> None:
    """Let all events of one node happen; what comes in has its final belief already.

    A departure from n multiplies M by 1 - 1/n. So M after event e is P(e) · (M before + Σ p(i)/P(i)), P being the
    product of these factors: sums along the way do. The way is cut where the pool is empty, and where P gets too small.
    """
    held = np.cumsum(np.where(leaving, -1, 1)) + leaving  # n before a departure
    pool = np.zeros(belief.shape[1])
    emptied = leaving & (held == 1)
    with np.errstate(divide="ignore"):
        logs = np.where(leaving & ~emptied, np.log1p(-1.0 / held), 0.0)
    start = 0
    for end in _cuts(emptied, logs):
        kept = np.exp(np.cumsum(logs[start:end]))[:, None]
        goes, who = leaving[start:end], packets[start:end]
        came = np.where(goes[:, None], 0.0, belief[who]) / kept
        sums = pool + np.cumsum(came, axis=0)
        belief[who[~goes]] = 0.0
        whole = sums[goes] * kept[goes]  # M once the share has gone; where the pool emptied, M before that
        many = held[start:end][goes][:, None]
        belief[who[goes]] = whole / np.maximum(many - 1, 1)
        pool = np.zeros_like(pool) if emptied[end - 1] else sums[-1] * kept[-1]
        start = end


def _cuts(emptied: NDArray[np.bool_], logs: Times) -> list[int]:
    """Ends of parts: after an event that empties the pool, and where the factors of a part multiply to e^-200."""
    ends, total = [], 0.0
    for index, (empty, log) in enumerate(zip(emptied.tolist(), logs.tolist(), strict=True), start=1):
        total += log
        if empty or total < _SMALLEST:
            ends.append(index)
            total = 0.0
    if len(logs) and (not ends or ends[-1] < len(logs)):
        ends.append(len(logs))
    return ends


def _downstream(visits: Visits, nodes: int) -> list[int] | None:
    """The nodes in an order in which every packet passes them; None if there is none."""
    order = np.lexsort((visits.departure, visits.arrival, visits.packet))
    packet, node = visits.packet[order], visits.node[order]
    follows = packet[1:] == packet[:-1]
    edges = np.unique(np.stack([node[:-1][follows], node[1:][follows]], axis=1), axis=0)
    before: dict[int, set[int]] = {one: set() for one in range(nodes)}
    for one, other in edges.tolist():
        before[other].add(one)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:
        return None


def blurred(visits: Visits, belief: Belief, nodes: int, loops: LoopModel) -> Belief:
    """As `propagate`, for an observer who can't tell which frames are the nodes' own loops (Loopix, theorem 2).

    A loop begins with a departure that has no arrival (-inf) and ends with an arrival that has no departure (+inf).
    The next frame out of n relayed packets and loops at rate λM is a given packet with the chance µ/(nµ + λM). How
    many of those inside are relayed she doesn't see: she keeps a distribution of n and takes its mean.
    """
    belief = belief.copy()
    pools = np.zeros((nodes, belief.shape[1]))
    counts = [_Count(loops) for _ in range(nodes)]
    order, leaving = _in_order(visits)
    times = np.where(leaving, visits.departure[order], visits.arrival[order])
    for leaves, when, packet, node in zip(
        leaving.tolist(), times.tolist(), visits.packet[order].tolist(), visits.node[order].tolist(), strict=True
    ):
        pool, count = pools[node], counts[node]
        count.wait_until(when)
        if leaves:
            share = np.minimum(pool, pool * loops.mu / (count.mean() * loops.mu + loops.rate))
            pool -= share
            belief[packet] = share
            count.leave()
        else:
            pool += belief[packet]
            belief[packet] = 0.0
            count.arrive()
    return belief


def entropies(belief: Belief) -> Times:
    """H = -Σ p log2 p of each column, in bits."""
    logs = np.log2(belief, out=np.zeros_like(belief), where=belief > 0)
    return np.asarray(np.maximum(-(belief * logs).sum(axis=0), 0.0))


def by_owner(belief: Belief, owners: Numbers, count: int) -> Belief:
    """Beliefs about packets summed by their owners, 0 to `count` - 1."""
    sums = np.zeros((count, belief.shape[1]))
    np.add.at(sums, owners, belief)
    return sums


def _in_order(visits: Visits) -> tuple[Numbers, NDArray[np.bool_]]:
    """Indices of stays in the order of their events, and whether each event is a departure.

    What happens at one instant is ordered by how far a packet has come: it leaves a node before it arrives at the next.
    """
    count = len(visits.packet)
    by_packet = np.lexsort((visits.departure, visits.arrival, visits.packet))
    number = np.empty(count, dtype=np.int64)
    number[by_packet] = np.arange(count)
    first = np.full(int(visits.packet.max(initial=-1)) + 1, count)
    np.minimum.at(first, visits.packet, number)
    step = 2 * (number - first[visits.packet])
    times = np.concatenate([visits.departure, visits.arrival])
    order = np.lexsort((np.concatenate([step + 1, step]), times))
    order = order[np.isfinite(times[order])]
    return np.asarray(order % max(count, 1)), np.asarray(order < count)


class _Count:
    """What is known of the number of relayed packets in a pool, some of whose frames are the node's own loops."""

    __slots__ = ("_chances", "_decay", "_loops", "_numbers", "_returning", "_when")

    def __init__(self, loops: LoopModel) -> None:
        relayed = (loops.arrivals - loops.rate) / loops.mu
        self._numbers = np.arange(int(relayed + 8 * np.sqrt(relayed) + 12), dtype=np.float64)
        self._chances = np.zeros(len(self._numbers))
        self._chances[0] = 1.0
        self._returning = loops.rate / loops.arrivals
        self._decay = -self._numbers * loops.mu
        self._loops = loops
        self._when = -np.inf

    def mean(self) -> float:
        """The expected number, given what was seen; above 0."""
        return max(1e-9, float(self._chances @ self._numbers))

    def wait_until(self, when: float) -> None:
        """Nothing left since the last event: the longer that lasted, the fewer there are."""
        if np.isfinite(self._when):
            self._chances *= np.exp(self._decay * (when - self._when))
            self._chances /= self._chances.sum()
        self._when = when

    def arrive(self) -> None:
        """A frame came: a loop that returned, or one packet more."""
        more = np.roll(self._chances, 1)
        more[0] = 0.0
        self._chances = self._returning * self._chances + (1 - self._returning) * more
        self._chances /= self._chances.sum()

    def leave(self) -> None:
        """A frame left: one packet of n with a chance in proportion to nµ, a loop in proportion to λM."""
        fewer = np.roll(self._chances * self._numbers, -1) * self._loops.mu
        self._chances = self._loops.rate * self._chances + fewer
        self._chances /= self._chances.sum()
