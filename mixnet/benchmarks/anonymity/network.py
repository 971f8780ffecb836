"""The modelled network and its runs: who sent what through which nodes, and when.

Pure. Promises: packets enter as Poisson processes, take uniform routes, and are held for exponential times; links take
no time and nodes no work, so only the design is measured. Rates per second, delays in seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.anonymity.optimum import optimum, tail
from mixnet.benchmarks.anonymity.pool import Numbers, Times, Visits
from mixnet.errors import LocalError


@dataclass(frozen=True, slots=True)
class NetworkModel:
    """`users` send `rate` packets a second each through `layers` x `width` mixes that hold them for `delay` on average.

    With `providers`, users are spread evenly over so many of them, and a packet is held at its sender's before the
    mixes (our design); with 0 only mixes hold (the plain design of the Loopix paper). The share `corrupt` of the mixes
    tell the observer all. Each mix sends `loops` a second through the network to itself.
    """

    users: int
    rate: float
    delay: float
    layers: int = 3
    width: int = 3
    providers: int = 0
    corrupt: float = 0.0
    loops: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no network; raises LocalError."""
        if min(self.users, self.layers, self.width) < 1 or self.providers < 0:
            raise LocalError("a network has at least one user, one layer and one mix in it")
        if not (self.rate > 0 and self.delay > 0 and self.loops >= 0 and 0 <= self.corrupt <= 1):
            raise LocalError("rates and delays are above 0, and the corrupt share is from 0 to 1")
        if self.loops and (self.providers or self.corrupt):
            raise LocalError("loops are modelled where only mixes hold packets, and all of them are honest")

    @property
    def total(self) -> float:
        """Packets a second of all users."""
        return self.users * self.rate

    @property
    def stages(self) -> tuple[int, ...]:
        """How many nodes hold a packet at each step of its way."""
        return ((self.providers,) if self.providers else ()) + (self.width,) * self.layers

    @property
    def holds(self) -> int:
        """k: how often a packet is held."""
        return len(self.stages)

    @property
    def nodes(self) -> int:
        """How many nodes hold packets."""
        return sum(self.stages)

    @property
    def pool(self) -> float:
        """Packets of users that a mix holds on average."""
        return self.total * self.delay / self.width

    @property
    def optimum(self) -> float:
        """H* in bits."""
        return optimum(self.total, self.holds, self.delay)

    @property
    def warm_up(self) -> float:
        """Seconds until the pools are as full as they will be."""
        return (self.holds + 12) * self.delay

    @property
    def tail(self) -> float:
        """Seconds after which a packet is out, once in 10^7 excepted."""
        return tail(self.holds, self.delay)

    def pick_corrupt(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Which of all nodes are corrupt: a random choice of mixes, their number rounded."""
        mixes = self.layers * self.width
        chosen = rng.permutation(mixes) < round(self.corrupt * mixes)
        return np.concatenate([np.zeros(self.providers, dtype=bool), chosen])


@dataclass(frozen=True, slots=True)
class Flow:
    """A run. Packets are numbered by the time they enter."""

    network: NetworkModel
    visits: Visits
    sender: Numbers
    receiver: Numbers
    entered: Times
    left: Times
    corrupt: NDArray[np.bool_]

    @property
    def packets(self) -> int:
        """How many packets users sent."""
        return len(self.sender)

    @property
    def observed(self) -> Visits:
        """The stays at nodes that mix, as far as the observer can tell."""
        return self.visits.only(~self.corrupt[self.visits.node])


def flow(network: NetworkModel, seconds: float, rng: np.random.Generator) -> Flow:
    """Packets that users send for `seconds`, from empty pools on; all of them come out."""
    entered = np.sort(rng.uniform(0, seconds, rng.poisson(network.total * seconds)))
    sender = rng.integers(network.users, size=len(entered))
    times, arrivals, departures, nodes = entered, [], [], []
    first = 0
    for stage, width in enumerate(network.stages):
        own = sender % width if network.providers and stage == 0 else rng.integers(width, size=len(entered))
        nodes.append(first + own)
        first += width
        arrivals.append(times)
        times = times + rng.exponential(network.delay, len(entered))
        departures.append(times)
    packet = np.tile(np.arange(len(entered)), network.holds)
    visits = Visits(packet, np.concatenate(nodes), np.concatenate(arrivals), np.concatenate(departures))
    receiver = rng.integers(network.users, size=len(entered))
    return Flow(network, visits, sender, receiver, entered, times, network.pick_corrupt(rng))


def with_loops(run: Flow, seconds: float, rng: np.random.Generator) -> tuple[Visits, int]:
    """The stays of a run and of the mixes' own loops, and how many packets there are then.

    A loop leaves its mix without having arrived (-inf), goes through the layers after it to a provider, and from there
    as a second packet (the observer sees it end at the provider) through the layers before it to its mix, which it
    never leaves (+inf).
    """
    network = run.network
    start = network.providers
    columns: list[tuple[Numbers, Numbers, Times, Times]] = [tuple(run.visits)]  # type: ignore[list-item]
    count = run.packets
    for layer in range(network.layers):
        for mix in range(network.width):
            times = np.sort(rng.uniform(0, seconds, rng.poisson(network.loops * seconds)))
            home = np.full(len(times), start + layer * network.width + mix)
            out, back = count + np.arange(len(times)), count + len(times) + np.arange(len(times))
            count += 2 * len(times)
            columns.append((out, home, np.full(len(times), -math.inf), times))
            for packet, others in ((out, range(layer + 1, network.layers)), (back, range(layer))):
                for other in others:
                    node = start + other * network.width + rng.integers(network.width, size=len(times))
                    left = times + rng.exponential(network.delay, len(times))
                    columns.append((packet, node, times, left))
                    times = left
            columns.append((back, home, times, np.full(len(times), math.inf)))
    return Visits(*(np.concatenate(column) for column in zip(*columns, strict=True))), count
