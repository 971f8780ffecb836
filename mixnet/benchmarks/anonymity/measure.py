"""`mixnet bench anonymity`: how well packets, senders and pairs of people are hidden, with targets and controls.

Promises: every figure of docs/measuring.md's section on anonymity, the simulator's calibration first; the real actors
and the model under the same rates, side by side. Which of the two a figure comes from is in its name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mixnet.benchmarks.anonymity import epsilon, model, small_world, sweep
from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.anonymity.optimum import degree
from mixnet.benchmarks.anonymity.pool import Visits, beginning, entropies, propagate
from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, below, exact, mean, over

BASE = NetworkModel(users=100, rate=1.0, delay=0.5, layers=3, width=3)
AGREE = 0.1  # bits by which actors and model may differ


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One row of the calibration: what an independent simulator found."""

    width: int
    total: float
    entropy: float
    within: float

    @property
    def network(self) -> NetworkModel:
        """Three layers, a mean hold of half a second."""
        return NetworkModel(users=100, rate=self.total / 100, delay=0.5, layers=3, width=self.width)

    def off(self, ours: Estimate) -> float:
        """Bits between the two intervals; 0 where they meet."""
        return max(0.0, abs(ours.value - self.entropy) - self.within - (ours.high - ours.low) / 2)


DENSE = 100  # packets a second from which on pools vary little
CALIBRATION = (
    CalibrationRow(3, 200, 9.300, 0.016),
    CalibrationRow(3, 100, 8.291, 0.025),
    CalibrationRow(2, 50, 7.289, 0.023),
    CalibrationRow(2, 20, 5.852, 0.044),
    CalibrationRow(2, 10, 4.659, 0.096),
)


@dataclass(frozen=True, slots=True)
class _Scale:
    """How much is run at a size."""

    runs: int  # of the model, for each figure
    targets: int  # followed in each
    worlds: int  # of real actors
    seconds: float  # that each lasts
    epsilon_runs: int
    most: int  # users of the largest point of a sweep


SCALES = {
    Size.QUICK: _Scale(5, 30, 1, 50.0, 2, 100_000),
    Size.STANDARD: _Scale(12, 60, 2, 100.0, 6, 1_000_000),
    Size.FULL: _Scale(24, 200, 20, 300.0, 40, 1_000_000),
}


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """All figures of anonymity; deterministic under a seed."""
    scale = SCALES[size]
    entropy, sender = _model(small_world.TWELVE, replace(scale, runs=3 * scale.runs), run, seed)
    worlds = run(small_world.point, [{"seconds": scale.seconds, "seed": seed + n} for n in range(scale.worlds)])
    bare = run(small_world.point, [{"seconds": 12.0, "seed": seed, "off": ["delays"]}])[0]
    actors = _worlds(worlds, "packet")
    controls = (*_calibration(scale, run, seed), *_ours(entropy, worlds, bare), *_epsilon_control(run, seed))
    return Finding(
        name="anonymity",
        title="Anonymity: entropy, its optimum, and ε",
        threats=("P1", "P2"),
        adversary="external, global, passive; corrupt mixes where said",
        defence="Poisson mixing in layers of mixes and the entry provider, cover traffic (spec/04-mixing.md 4.1, 4.5)",
        setting=_setting(scale, seed, size),
        figures=(
            *_entropy_figures(entropy, sender, actors, worlds),
            *_epsilon_figures(scale, run, seed),
            *_loop_figures(run, seed),
            _exposed_figure(seed),
        ),
        controls=controls,
        curves=_curves(size, scale, run, seed),
        note="The observer is told which frames are nodes' own loops, so entropies are lower bounds.",
    )


def calibrate(scale: _Scale, run: Run, seed: int) -> list[tuple[CalibrationRow, Estimate]]:
    """Our figure for each row of the calibration; the thinner the network, the more is run: it varies more."""
    return [
        (row, _model(row.network, replace(scale, runs=scale.runs * (1 if row.total >= DENSE else 2)), run, seed + 7)[0])
        for row in CALIBRATION
    ]


def single_pool(packets: int) -> float:
    """The entropy of a mix that takes so many packets and then lets all of them go, which is log2 of their number."""
    numbers = np.arange(packets)
    stays = Visits(numbers, np.zeros(packets, dtype=np.int64), numbers / packets, 2 + numbers / packets)
    return float(entropies(propagate(stays, beginning(packets, [packets // 3]), 1))[0])


def _model(network: NetworkModel, scale: _Scale, run: Run, seed: int) -> tuple[Estimate, Estimate]:
    """(entropy of packets, of senders): means over runs, which are independent as targets of one run are not quite."""
    jobs = [
        {"network": asdict(network), "targets": scale.targets, "seed": 100 * seed + number}
        for number in range(scale.runs)
    ]
    rows = run(model.point, jobs)
    return mean([row["entropy"][0] for row in rows]), mean([row["sender_entropy"][0] for row in rows])


def _worlds(worlds: list[dict[str, Any]], key: str) -> Estimate:
    """Of one world its own interval; of several the interval of their mean."""
    return Estimate(*worlds[0][key]) if len(worlds) == 1 else mean([one[key][0] for one in worlds])


def _gap(worlds: list[dict[str, Any]]) -> Estimate:
    """H* - H of the actors, each world against the optimum at the rate that it had."""
    if len(worlds) == 1:
        return below(worlds[0]["optimum"], Estimate(*worlds[0]["packet"]))
    return mean([one["optimum"] - one["packet"][0] for one in worlds])


def _entropy_figures(
    entropy: Estimate, sender: Estimate, actors: Estimate, worlds: list[dict[str, Any]]
) -> tuple[Figure, ...]:
    best, users = small_world.TWELVE.optimum, small_world.TWELVE.users
    must, aim = Bound(0.2), Bound(0.05)
    share = Estimate(*(degree(bits, users) for bits in sender))
    return (
        Figure("h_gap_bits", "H* - H, pools of 12 packets, model", below(best, entropy), "bit", must, aim),
        Figure("h_gap_actors_bits", "H* - H, pools of 12 packets, real actors", _gap(worlds), "bit", must, aim),
        Figure("h_ratio", "H / H*, pools of 12 packets, model", over(entropy, best)),
        Figure("entropy_bits", "H of a packet, model", entropy, "bit"),
        Figure("entropy_actors_bits", "H of a packet, real actors", actors, "bit"),
        Figure("surprise_actors_bits", "surprise at the right packet, real actors", _worlds(worlds, "surprise"), "bit"),
        Figure("sender_entropy_bits", f"H of a sender, {users} users, model", sender, "bit"),
        Figure("sender_entropy_actors_bits", "H of a sender, real actors", _worlds(worlds, "sender"), "bit"),
        Figure("degree_of_anonymity", f"H of a sender / log2 {users}", share),
    )


def _epsilon_figures(scale: _Scale, run: Run, seed: int) -> tuple[Figure, ...]:
    network = asdict(epsilon.PAPER)
    found = {}
    for writing in epsilon.Writing:
        jobs = [{"network": network, "writing": writing, "seed": seed + n} for n in range(scale.epsilon_runs)]
        rows = np.concatenate([one["epsilon"] for one in run(epsilon.point, jobs)])
        found[writing] = epsilon.estimate(rows, np.random.default_rng(seed))
    random, regular = found[epsilon.Writing.RANDOM], found[epsilon.Writing.REGULAR]
    what = "ε, 100 clients, λ 2 each, µ 1, 3x3"
    return (
        Figure("epsilon_mean", f"{what}: mean", random.mean, must=Bound(0.7), aim=Bound(0.6)),
        Figure("epsilon_p95", f"{what}: 95th percentile", random.p95, aim=Bound(1.7)),
        Figure("epsilon_regular_mean", "the same, messages written at regular times", regular.mean),
        Figure("epsilon_regular_p95", "the same, 95th percentile", regular.p95),
    )


def _loop_figures(run: Run, seed: int) -> tuple[Figure, ...]:
    network = replace(small_world.TWELVE, providers=0, users=48, rate=1.0, loops=1.0)
    told, blind, surprise = (
        np.array(column)
        for column in run(model.loops_point, [{"network": asdict(network), "targets": 40, "seed": seed}])[0]
    )
    return (
        Figure(
            "loop_gain_bits", "H that a loop a second of each mix adds, if not told apart", mean(blind - told), "bit"
        ),
        Figure("loop_surprise_bits", "surprise at the right packet less H, then", mean(surprise - blind), "bit"),
    )


def _exposed_figure(seed: int) -> Figure:
    share, power = sweep.exposed_paths(BASE.layers, BASE.width, 1 / 3, np.random.default_rng(seed))
    return Figure("exposed_share", f"paths wholly corrupt, 3 of 9 mixes corrupt (f^k is {power:.3f})", share)


def _calibration(scale: _Scale, run: Run, seed: int) -> list[Control]:
    controls = []
    for row, ours in calibrate(scale, run, seed):
        what = f"3x{row.width}, λ {row.total:g}, µ 2: H {ours.value:.3f} against {row.entropy:.3f}±{row.within:.3f}"
        controls.append(Control.null(f"{what}, apart by", exact(row.off(ours)), Bound(0.0)))
    return controls


def _ours(entropy: Estimate, worlds: list[dict[str, Any]], bare: dict[str, Any]) -> list[Control]:
    """What must be so in this run: nothing hidden without delays, a pool's known entropy, actors like the model."""
    alone = single_pool(64)
    gap, best = _gap(worlds), small_world.TWELVE.optimum
    apart = gap.value - (best - entropy.value)
    half = (gap.high - gap.low) / 2 + (entropy.high - entropy.low) / 2
    off = abs(apart)
    return [
        Control.positive("real actors without delays: H in bits", Estimate(*bare["packet"]), Bound(0.1)),
        Control.null("64 packets in, then out: H - 6", exact(alone - 6), Bound(1e-9)),
        Control.null(
            "gap of actors against model, bits apart", Estimate(off, max(0.0, off - half), off + half), Bound(AGREE)
        ),
    ]


def _epsilon_control(run: Run, seed: int) -> list[Control]:
    hasty = replace(epsilon.PAPER, delay=0.05)
    rows = run(epsilon.point, [{"network": asdict(hasty), "writing": epsilon.Writing.RANDOM, "seed": seed}])[0]
    found = epsilon.estimate(rows["epsilon"], np.random.default_rng(seed)).mean
    return [Control.positive("ε with delays of a twentieth", found, at_least(3.0))]


def _curves(size: Size, scale: _Scale, run: Run, seed: int) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    for name in ("pool", "layers", "width", "users", "corrupt"):
        rows = sweep.sweep(BASE, name, sweep.TARGETS[size], run, seed=seed, most=scale.most)
        curves |= sweep.curves(name, rows)
    return curves | sweep.exposure_curves(BASE, np.random.default_rng(seed))


def _setting(scale: _Scale, seed: int, size: Size) -> str:
    each = small_world.TWELVE
    return (
        f"size {size}, seed {seed}. Real actors: {scale.worlds} x {scale.seconds:g} s of virtual time, {each.users} "
        f"clients with {each.rate:g} packets/s each, {each.providers} providers, {each.layers}x{each.width} mixes, "
        f"mean hold {each.delay:g} s, plain codec, links of 10 ms. Model at the same rates: {3 * scale.runs} x "
        f"{scale.targets} packets followed. ε: {scale.epsilon_runs} x 50 pairs. Curves: {BASE.layers}x{BASE.width} "
        f"mixes, {BASE.users} users, {BASE.rate:g} packets/s each, mean hold {BASE.delay:g} s, no providers"
    )
