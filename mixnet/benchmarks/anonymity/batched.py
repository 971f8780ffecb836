"""The modelled network in steps of time, with counts instead of single packets: for a million users.

Pure. Promises: what a step costs doesn't depend on the number of packets. In a step of Δ seconds each packet leaves a
mix with probability µΔ, so the mean hold is exact; the entropy comes out low by about µΔ/(2 ln 2) bits (.007). Of the
packets in a pool only three sums are carried: how many, the probability that the target is among them, and -Σ p log2 p;
the third is for corrupt mixes, where packets keep what they brought (spec/13-measurements.md 13.1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.anonymity.pool import Belief, Numbers, Times

STEP = 0.01  # Δ, in mean holds
APART = 4.0  # mean holds from one target to the next
_WATCHED = 1500  # users whose share is drawn, for the entropy over senders
_GROUPS_A_TARGET = 40  # into which the packets that left are put for that


class Samples(NamedTuple):
    """For each target: bits that hide the packet among packets, its sender among users, and 1 if it is seen through."""

    packet: Times
    sender: Times
    exposed: Numbers


class _Pool(NamedTuple):
    """The nodes of one stage: packets held, and for each target the chance that it is there, and -Σ p log2 p."""

    corrupt: Belief  # (nodes, 1), 1.0 for a corrupt one
    held: Numbers  # (nodes,)
    chance: Belief  # (nodes, targets)
    bits: Belief  # (nodes, targets)


class _Leaving(NamedTuple):
    """What left each node of a stage in one step."""

    packets: Numbers
    chance: Belief
    bits: Belief


def sample(network: NetworkModel, targets: int, rng: np.random.Generator) -> Samples:
    """Measure `targets` packets that enter one after the other."""
    pools = _full_pools(network, targets, rng)
    exposed, entropy = np.ones(targets, dtype=np.int64), np.zeros(targets)
    counts, chances = [], []
    apart = round(APART / STEP)
    for step in range(apart * targets + round(network.tail / (STEP * network.delay))):
        if step % apart == 0 and step // apart < targets:
            exposed[step // apart] = _enter(pools, step // apart, rng)
        leaving = _step(network, pools, rng)
        entropy += leaving.bits.sum(axis=0)
        counts.append(int(leaving.packets.sum()))
        chances.append(leaving.chance.sum(axis=0))
    honest = exposed == 0
    senders = np.zeros(targets)
    senders[honest] = _over_users(network, np.array(counts), np.array(chances)[:, honest], rng)
    return Samples(np.where(honest, entropy, 0.0), senders, exposed)


def _full_pools(network: NetworkModel, targets: int, rng: np.random.Generator) -> list[_Pool]:
    """Pools in their steady state, without any target."""
    corrupt = network.pick_corrupt(rng)
    ends = np.cumsum(network.stages)
    return [
        _Pool(
            corrupt[end - width : end, None].astype(float),
            rng.poisson(network.total * network.delay / width, width),
            np.zeros((width, targets)),
            np.zeros((width, targets)),
        )
        for end, width in zip(ends, network.stages, strict=True)
    ]


def _enter(pools: list[_Pool], target: int, rng: np.random.Generator) -> int:
    """Put a target into the first honest node of its way; 1 if it meets none.

    A corrupt node before that changes nothing: the observer knows when the target leaves it, and that it does.
    """
    for pool in pools:
        node = rng.integers(len(pool.held))
        if not pool.corrupt[node, 0]:
            pool.held[node] += 1
            pool.chance[node, target] = 1.0
            return 0
    return 1


def _step(network: NetworkModel, pools: list[_Pool], rng: np.random.Generator) -> _Leaving:
    """Let one step pass in all stages at once; what leaves the last one is returned."""
    leaving = [_leave(pool, rng) for pool in pools]
    width = network.stages[0]
    pools[0].held[:] += rng.poisson(network.total * STEP * network.delay / width, width)
    for gone, pool in zip(leaving, pools[1:], strict=False):
        _arrive(pool, gone, rng)
    return leaving[-1]


def _leave(pool: _Pool, rng: np.random.Generator) -> _Leaving:
    count = rng.binomial(pool.held, STEP)
    part = (count / np.maximum(pool.held, 1))[:, None]
    one = pool.chance / np.maximum(pool.held, 1)[:, None]
    surprise = -np.log2(one, out=np.zeros_like(one), where=one > 0)
    chance = pool.chance * part
    # A corrupt node lets each packet keep its p; the smooth part of what it holds goes in each step.
    bits = np.where(pool.corrupt > 0, pool.bits * part, chance * surprise)
    pool.held[:] -= count
    pool.chance[:] -= chance
    pool.bits[:] -= np.where(pool.corrupt > 0, bits, pool.bits)
    return _Leaving(count, chance, bits)


def _arrive(pool: _Pool, gone: _Leaving, rng: np.random.Generator) -> None:
    """Each packet goes to a node of the next stage at random."""
    width = len(pool.held)
    routed = rng.multinomial(gone.packets, np.full(width, 1 / width))  # (from, to)
    part = (routed / np.maximum(gone.packets, 1)[:, None]).T
    pool.held[:] += routed.sum(axis=0)
    pool.chance[:] += part @ gone.chance
    pool.bits[:] += part @ gone.bits


def _over_users(network: NetworkModel, counts: Numbers, chances: Belief, rng: np.random.Generator) -> Times:
    """The entropy if packets that belong to one user count together: users' shares are drawn for some of them.

    Time runs backwards as it does forwards in this network, so packets that left stand for packets that came in.
    """
    groups = min(_GROUPS_A_TARGET * chances.shape[1] + 200, len(counts))
    edges = np.linspace(0, len(counts), groups + 1).astype(int)[:-1]
    many = np.add.reduceat(counts, edges)
    each = np.add.reduceat(chances, edges) / np.maximum(many, 1)[:, None]
    if network.users <= _WATCHED:
        packets = rng.multinomial(many, np.full(network.users, 1 / network.users)).T
    else:
        packets = rng.poisson(many / network.users, (_WATCHED, len(many)))
    share = packets @ each
    whole = np.maximum(share.sum(axis=0), 1e-300)
    bits = -(share * np.log2(share, out=np.zeros_like(share), where=share > 0)).sum(axis=0) / whole
    # Those who are watched have only a part of all probability: their shares were taken as they are.
    return np.asarray(np.clip(bits, 0.0, np.log2(network.users)))
