"""The entropy of a modelled network, by a Monte-Carlo simulation of its packets (spec/13-measurements.md 13.1).

Promises: deterministic under a seed; every packet's events in their exact order, for as many packets as memory allows,
and beyond that in steps of time (batched.py), which agrees where both run. Each target gives one sample; targets enter
so far apart that pools have forgotten in between, so samples are taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixnet.benchmarks.anonymity import batched
from mixnet.benchmarks.anonymity.batched import Samples
from mixnet.benchmarks.anonymity.network import Flow, NetworkModel, flow, with_loops
from mixnet.benchmarks.anonymity.optimum import degree
from mixnet.benchmarks.anonymity.pool import (
    LoopModel,
    Numbers,
    Times,
    beginning,
    blurred,
    by_owner,
    entropies,
    propagate,
)
from mixnet.benchmarks.base.statistics import mean

APART = 4.0  # mean holds from one target to the next
FEW = 8  # targets are enough where there are so many packets that chance makes little difference
CHOICES = 16  # runs where mixes are corrupt: each draws anew which ones
EXACT = 400_000  # events that are followed one by one


def sample(network: NetworkModel, targets: int, rng: np.random.Generator) -> Samples:
    """Measure a network exactly if that is affordable, and in steps of time otherwise."""
    events = 2 * network.holds * network.total * _seconds(network, targets)
    if events > EXACT:
        return batched.sample(network, min(targets, FEW), rng)
    return exact(network, targets, rng)


def exact(network: NetworkModel, targets: int, rng: np.random.Generator) -> Samples:
    """Follow every packet."""
    run = flow(network, _seconds(network, targets), rng)
    forward, backward = pick(run, targets)
    left = propagate(run.observed, beginning(run.packets, forward), network.nodes)
    came = propagate(run.observed.reversed(), beginning(run.packets, backward), network.nodes)
    senders = by_owner(came, run.sender, network.users)
    return Samples(entropies(left), entropies(senders), _exposed(run, forward))


def hidden_by_loops(network: NetworkModel, targets: int, rng: np.random.Generator) -> tuple[Times, Times, Times]:
    """(H if the observer knows the mixes' own loops, H if she doesn't, her surprise at the right packet then), bits."""
    seconds = _seconds(network, targets)
    run = flow(network, seconds, rng)
    forward, _ = pick(run, targets)
    told = propagate(run.visits, beginning(run.packets, forward), network.nodes)
    visits, packets = with_loops(run, seconds, rng)
    arrivals = network.total / network.width + network.layers * network.loops
    belief = blurred(
        visits, beginning(packets, forward), network.nodes, LoopModel(network.loops, arrivals, 1 / network.delay)
    )
    right = belief[forward, np.arange(len(forward))]
    return entropies(told), entropies(belief), -np.log2(np.maximum(right, 1e-300))


def pick(run: Flow, targets: int) -> tuple[Numbers, Numbers]:
    """Packets to follow: by when they enter, and by when they leave; apart, and away from the ends of the run."""
    network = run.network
    spots = network.warm_up + APART * network.delay * np.arange(targets)
    by_exit = np.argsort(run.left)
    forward = np.searchsorted(run.entered, spots).clip(max=run.packets - 1)
    backward = by_exit[np.searchsorted(run.left[by_exit], spots + network.tail).clip(max=run.packets - 1)]
    return np.unique(forward), np.unique(backward)


def summary(network: NetworkModel, runs: Sequence[Samples]) -> dict[str, Any]:
    """What a measurement says of a network, for JSON; of several runs each counts as one sample."""
    several = len(runs) > 1
    packet = mean([run.packet.mean() for run in runs] if several else runs[0].packet)
    sender = mean([run.sender.mean() for run in runs] if several else runs[0].sender)
    return {
        "targets": sum(len(run.packet) for run in runs),
        "pool": network.pool,
        "optimum": network.optimum,
        "entropy": list(packet),
        "sender_entropy": list(sender),
        "degree": [degree(bits, network.users) for bits in sender],
        "exposed": float(np.mean(np.concatenate([run.exposed for run in runs]))),
    }


def point(network: Mapping[str, Any], targets: int, seed: int) -> dict[str, Any]:
    """One point of a sweep, as a job for a runner: the arguments of a Network, and how often to measure it."""
    chosen = NetworkModel(**network)
    runs = CHOICES if chosen.corrupt else 1
    rng = np.random.default_rng(seed)
    return summary(chosen, [sample(chosen, -(-targets // runs), rng) for _ in range(runs)])


def loops_point(network: Mapping[str, Any], targets: int, seed: int) -> list[list[float]]:
    """`hidden_by_loops` as a job for a runner."""
    return [
        column.tolist() for column in hidden_by_loops(NetworkModel(**network), targets, np.random.default_rng(seed))
    ]


def _seconds(network: NetworkModel, targets: int) -> float:
    return network.warm_up + APART * network.delay * targets + 2 * network.tail


def _exposed(run: Flow, targets: Numbers) -> Numbers:
    """1 for each target all of whose holds are at corrupt nodes."""
    honest = np.zeros(run.packets, dtype=np.int64)
    np.add.at(honest, run.visits.packet, ~run.corrupt[run.visits.node])
    return np.asarray(honest[targets] == 0, dtype=np.int64)
