"""How well an observer tells which of two senders a packet came from: Loopix's ε (spec/13-measurements.md 13.1).

Promises: the experiment of section 4.3 of the Loopix paper, conservative as it is there: the observer knows which
frames are payload when they leave their senders, and there are no loops to confuse her. Every client is a challenge
sender with a label of its own, and clients are compared in pairs: labels add up and don't act on one another, so each
pair sees what it would if the others' packets had no label.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from mixnet.benchmarks.anonymity.network import Flow, NetworkModel, flow
from mixnet.benchmarks.anonymity.pool import Belief, Numbers, Times, propagate
from mixnet.benchmarks.base.statistics import Estimate, bootstrap, mean

PAPER = NetworkModel(users=100, rate=2.0, delay=1.0, layers=3, width=3)
PAYLOAD = 1.0  # messages that a challenge sender puts into its buffer, per second
SETTLED = 30.0  # mean holds after which labels are spread as they will be
LASTS = 120.0
APART = 6.0  # mean holds from one look to the next
CEILING = 30.0  # ε where one of the two is impossible


class Writing(StrEnum):
    """When a challenge sender puts messages into its buffer."""

    REGULAR = "regular"  # one every second, as in the paper
    RANDOM = "random"  # a Poisson process, as people write: what they send then varies more, and tells more


class Epsilon(NamedTuple):
    """Mean and 95th percentile of |ln(p0/p1)|."""

    mean: Estimate
    p95: Estimate


def looks(network: NetworkModel, writing: Writing, rng: np.random.Generator) -> Times:
    """ε of each pair (row) at the packets looked at (columns); nan where a packet is certainly from neither."""
    run = flow(network, LASTS * network.delay, rng)
    labels = _labels(run, writing, rng)
    belief = propagate(run.observed, labels, network.nodes)
    seen = belief[_exits(run)]  # (looks, users)
    pairs = network.users // 2
    one, other = seen[:, 0 : 2 * pairs : 2], seen[:, 1 : 2 * pairs : 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(np.log(one) - np.log(other))
    return np.asarray(np.where((one == 0) & (other == 0), np.nan, np.minimum(ratio, CEILING)).T)


def point(network: Mapping[str, Any], writing: str, seed: int) -> dict[str, Times]:
    """`looks` as a job for a runner."""
    return {"epsilon": looks(NetworkModel(**network), Writing(writing), np.random.default_rng(seed))}


def estimate(rows: Times, rng: np.random.Generator) -> Epsilon:
    """Mean and 95th percentile over all looks; pairs are independent, the looks at one pair are not."""
    rows = rows[np.isfinite(rows).any(axis=1)]
    return Epsilon(mean(np.nanmean(rows, axis=1)), bootstrap(rows, lambda some: float(np.nanquantile(some, 0.95)), rng))


def _labels(run: Flow, writing: Writing, rng: np.random.Generator) -> Belief:
    """Label the packets that carry a message: a slot does if its sender's buffer isn't empty."""
    belief = np.zeros((run.packets, run.network.users))
    lasts = LASTS * run.network.delay
    for user in range(run.network.users):
        slots = np.flatnonzero(run.sender == user)
        if writing is Writing.REGULAR:
            written = np.arange(0, lasts, 1 / PAYLOAD)
        else:
            written = np.sort(rng.uniform(0, lasts, rng.poisson(lasts * PAYLOAD)))
        carried = 0
        for packet, waiting in zip(slots, np.searchsorted(written, run.entered[slots], side="right"), strict=True):
            if carried < waiting:
                belief[packet, user] = 1.0
                carried += 1
    return belief


def _exits(run: Flow) -> Numbers:
    """The next packet that leaves each honest mix of the last layer, at each time of looking."""
    network = run.network
    last = run.visits.only(run.visits.node >= network.nodes - network.width)
    chosen = []
    for node in np.flatnonzero(~run.corrupt):
        times, packets = last.departure[last.node == node], last.packet[last.node == node]
        if len(times) == 0:
            continue
        order = np.argsort(times)
        when = np.arange(SETTLED, LASTS, APART) * network.delay
        chosen.append(packets[order][np.searchsorted(times[order], when).clip(max=len(times) - 1)])
    return np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)
