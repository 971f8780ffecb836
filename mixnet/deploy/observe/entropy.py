"""How well a packet is hidden at given rates: a model of the pools, walked event by event. Pure.

See spec/11-demonstration.md, and spec/13-measurements.md 13.1 for the definitions and a faster implementation.

Promises: the same as `mixnet bench anonymity` measures of a model, without its libraries; a bounded amount of work
whatever the rates. Never: a real packet; only rates go in.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

EULER = 0.5772156649015329
WORK = 12_000  # arrivals and departures that one estimate may follow
SETTLING = 3.0  # means of the whole delay, after which pools are as full as they get
FORGOTTEN = 4.0  # means of the whole delay, after which the target has left but for one case in 5,000


@dataclass(frozen=True, slots=True)
class Pools:
    """A network: packets a second of clients into each provider; mixes of each layer; the mean hold in seconds."""

    entering: Mapping[str, float]
    layers: tuple[tuple[str, ...], ...]
    mean_delay: float

    @property
    def rate(self) -> float:
        """All packets a second."""
        return sum(self.entering.values())

    @property
    def holds(self) -> int:
        """How often a packet is held: at the provider that it enters by, and at a mix of each layer."""
        return 1 + len(self.layers)


def optimum(rate: float, holds: int, mean_delay: float) -> float:
    """Bits that hide one packet among `rate` a second if only the whole delay is uncertain: the most that there is.

    log2 of the rate, plus the differential entropy of a Gamma(holds, 1/mean_delay) density; never below 0.
    """
    if rate <= 0 or mean_delay <= 0:
        return 0.0
    digamma = sum(1 / number for number in range(1, holds)) - EULER
    nats = holds + math.log(mean_delay) + math.lgamma(holds) + (1 - holds) * digamma
    return max(0.0, math.log2(rate) + nats / math.log(2))


def estimate(pools: Pools, rng: random.Random) -> tuple[float, int] | None:
    """(mean entropy in bits of packets that leave the last layer, targets followed); None if nothing flows.

    Where even one target would be too much work, the pools are so full that the optimum is reached but for half a
    bit over the packets in one: then that is given, with no target.
    """
    if pools.rate <= 0 or pools.mean_delay <= 0:
        return None
    span = (SETTLING + FORGOTTEN) * pools.holds * pools.mean_delay
    targets = int(WORK / (2 * pools.holds * pools.rate * span + 1))
    if targets == 0:
        width = max(1, *map(len, pools.layers))
        return optimum(pools.rate, pools.holds, pools.mean_delay) - 0.5 * width / (pools.rate * pools.mean_delay), 0
    return sum(_one(pools, rng) for _ in range(targets)) / targets, targets


def _one(pools: Pools, rng: random.Random) -> float:
    """The entropy of one target that enters pools that have settled: -sum p log2 p over what has left the last layer.

    Of n packets in a pool each is the next to leave with the chance 1/n: so belief about the target needs two numbers
    a pool, n and the chance that it is inside. On arrival n += 1, m += p; on departure p = m/n, m -= p, n -= 1.
    """
    begin = SETTLING * pools.holds * pools.mean_delay
    end = begin + FORGOTTEN * pools.holds * pools.mean_delay
    providers, weights = list(pools.entering), list(pools.entering.values())
    events: list[tuple[float, int, str, int, float]] = []  # when, which, where, hop, belief; a negative hop leaves
    count = 0

    def arrive(when: float, hop: int, belief: float) -> None:
        nonlocal count
        where = rng.choices(providers, weights)[0] if hop == 0 else rng.choice(pools.layers[hop - 1])
        count += 1
        heappush(events, (when, count, where, hop, belief))

    arrive(begin, 0, 1.0)
    at = 0.0
    while (at := at + rng.expovariate(pools.rate)) < end:
        arrive(at, 0, 0.0)
    held: dict[str, tuple[int, float]] = {}
    entropy = 0.0
    while events:
        when, number, where, hop, belief = heappop(events)
        n, inside = held.get(where, (0, 0.0))
        if hop >= 0:
            held[where] = n + 1, inside + belief
            heappush(events, (when + rng.expovariate(1 / pools.mean_delay), number, where, -1 - hop, 0.0))
            continue
        share = inside / n
        held[where] = n - 1, inside - share if n > 1 else 0.0
        hop = -1 - hop
        if hop < len(pools.layers):
            arrive(when, hop + 1, share)
        elif share > 0:
            entropy -= share * math.log2(share)
    return entropy
