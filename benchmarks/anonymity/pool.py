"""Where a packet may be by now: an observer's belief, carried through memoryless pools (SPEC.md section 13.1).

Pure. Promises: what Serjantov and Danezis (2002) measure and theorem 1 of Loopix allows. A mix that holds n packets
lets each of them go next with the same chance, however long it has been there. So a pool is known by two numbers: n,
and the probability M that the target is in it. Many targets are followed at once, a row of M for each node. Probability
is neither made nor lost. Never: a look at the delays; only the order of arrivals and departures counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Numbers = NDArray[np.int64]
Belief = NDArray[np.float64]


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
class Loops:
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
    """
    belief = belief.copy()
    pools = np.zeros((nodes, belief.shape[1]))
    held = [0] * nodes
    order, leaving = _in_order(visits)
    for leaves, packet, node in zip(
        leaving.tolist(), visits.packet[order].tolist(), visits.node[order].tolist(), strict=True
    ):
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
    return belief


def blurred(visits: Visits, belief: Belief, nodes: int, loops: Loops) -> Belief:
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

    def __init__(self, loops: Loops) -> None:
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
