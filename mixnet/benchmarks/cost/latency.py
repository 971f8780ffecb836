"""What a network adds to the delays that senders drew: `mixnet bench latency` (spec/13-measurements.md 13.7).

Promises: real processes and real links; every packet of the load is a probe, sent at Poisson times by a load generator
that is the last hop's neighbour too, so both times are of one clock. A packet's overhead is its whole way minus what it
was to be held, and it contains the load generator's own sending and receiving. Where a level says a share of capacity,
that capacity was found in the same run.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import trio
from scipy import stats

from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least, curve, line
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, Sample, bootstrap, distance, exact, middle, rate
from mixnet.benchmarks.processes.load.altered_nodes import LATE
from mixnet.benchmarks.processes.load.drives import WARM, Drive, capacity, drive
from mixnet.benchmarks.processes.load.testbed import HEAVIER, MEAN_DELAY, NODE, PATH, Say, Testbed, perform, quiet
from mixnet.errors import Unavailable

LEVELS = {
    Size.QUICK: (0.0, 0.5),  # and no time for BUSY
    Size.STANDARD: (0.0, 0.25, 0.5, 0.75, 0.9),
    Size.FULL: (0.0, 0.25, 0.5, 0.75, 0.9),
}
SECONDS = {Size.QUICK: 3.0, Size.STANDARD: 10.0, Size.FULL: 120.0}
HALF = 0.5
BUSY = "half busy"  # the level at which the node, or all cores together, compute for half of the time
Level = float | str
IDLE_RATE = 60.0  # packets a second where a level is 0: enough to count, too few to queue
HOLDS = len(PATH) - 1  # the last node of a route passes on at once
_TRIAL = 1.2  # seconds in which capacity is found
_RESERVE = 1.2
_TRIES = 3  # at finding the rate that computes half of the time
_BLOCKS = 40  # of consecutive packets, which are resampled together: neighbours share a queue
_LEAST_PACKETS = 20
_RESAMPLES = 300
_POINTS = 200  # of a curve
_CHANCE = 2.0  # by sqrt(n): a Kolmogorov-Smirnov distance that chance exceeds once in 1,500 times
_LEAST_LATE = 0.8  # of the added time that must show


@dataclass(frozen=True, slots=True)
class Passage:
    """The packets of one drive: seconds of overhead and of drawn delay, in the order of sending.

    `busy` is the share of a core that the busiest node of the way wanted; `nodes`, `generators` and `machine` are
    numbers of cores in use; of `passed` packets at the first node, `late` left their hold late.
    """

    overhead: Sample
    drawn: Sample
    holds: int
    sent: int
    lost: int
    busy: float
    nodes: float
    generators: float
    machine: float
    passed: int
    late: int

    @classmethod
    def of(cls, made: Drive, holds: int, passed: int = 0, late: int = 0) -> Passage:
        """What the load generators measured."""
        pairs = np.array(made.samples, dtype=np.float64).reshape(-1, 2)
        if len(pairs) < _LEAST_PACKETS:
            raise Unavailable("hardly a packet came back: this machine is too busy to measure on")
        shares = [statistics.median(window.wanted for window in mine) for mine in made.windows if mine]
        used = made.nodes, made.generators, made.machine
        return cls(pairs[:, 0], pairs[:, 1], holds, made.sent, made.lost, max(shares, default=0.0), *used, passed, late)

    def quantile_ms(self, share: float, rng: np.random.Generator) -> Estimate:
        """The overhead below which `share` of the packets stay; the interval resamples blocks of them."""
        blocks = max(2, min(_BLOCKS, len(self.overhead) // 10))
        size = len(self.overhead) // blocks
        rows = self.overhead[: blocks * size].reshape(blocks, size) * 1e3
        return bootstrap(rows, lambda drawn: float(np.quantile(drawn, share)), rng, resamples=_RESAMPLES)

    @property
    def ks(self) -> float:
        """How far the whole time is from Gamma(holds, 1/mean)."""
        return distance(self.overhead + self.drawn, self._gamma)

    @property
    def ks_of_draws(self) -> float:
        """The same of the delays alone: what chance does."""
        return distance(self.drawn, self._gamma)

    def _gamma(self, values: Sample) -> Sample:
        return np.asarray(stats.gamma.cdf(values, self.holds, scale=MEAN_DELAY), dtype=np.float64)

    def ks_estimate(self, rng: np.random.Generator) -> Estimate:
        """`ks` with the range that resampling gives, which lies above it: a resample is further from any curve."""
        whole = np.stack([self.overhead, self.drawn], axis=1)
        spread = bootstrap(whole, lambda rows: distance(rows.sum(axis=1), self._gamma), rng, resamples=_RESAMPLES)
        return Estimate(spread.value, min(spread.low, spread.value), spread.high)


def measure(size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Start a network, measure it at every level, and end it."""
    return perform(partial(on_testbed, size=size, seed=seed, say=say), say)


async def on_testbed(
    testbed: Testbed,
    size: Size,
    *,
    seed: int = 1,
    rates: tuple[float, float] | None = None,
    say: Say = quiet,
) -> Finding:
    """Measure on a network that runs already; `rates` is the capacity of a node and of the network, if known."""
    seconds = SECONDS[size]
    if rates is None:
        say("finding the capacity of a node and of the network")
        node = (await capacity(testbed, [NODE], _TRIAL, seed=seed)).rate
        rates = node, (await capacity(testbed, PATH, _TRIAL, seed=seed)).rate
    node, network = rates
    hops: dict[Level, Passage] = {}
    ways: dict[Level, Passage] = {}
    before = await testbed.dropped(PATH)
    for level in LEVELS[size]:
        say(f"at {level:.0%} of capacity")
        span = seconds if level or size is not Size.QUICK else seconds / 2
        hops[level] = await _pass(testbed, [NODE], level * node, span, seed)
        ways[level] = await _pass(testbed, PATH, level * network, span, seed)
    if size is not Size.QUICK:
        say("at half of the time of a node and of the cores")
        for route, most, passages in (([NODE], node, hops), (PATH, network, ways)):
            half = passages[HALF]
            passages[BUSY] = await _half_busy(testbed, route, half, HALF * most, seconds=seconds, seed=seed)
    dropped = await testbed.dropped(PATH)
    reasons = {reason: count - before.get(reason, 0) for reason, count in dropped.items()}
    say("controls")
    late = await _pass(testbed, [HEAVIER], HALF * node, seconds / 2, seed)
    bare = await _alone(testbed, HALF * node, seconds / 2, seed)
    rested = await trio.to_thread.run_sync(testbed.rested_floor)
    return _finding(size, rates=rates, hops=hops, ways=ways, late=late, bare=bare, reasons=reasons, rested=rested)


async def _half_busy(
    testbed: Testbed, route: Sequence[str], first: Passage, per_second: float, *, seconds: float, seed: int
) -> Passage:
    """`seconds` of the packets a second that compute half of the time, found from `first`, which had `per_second`.

    Cost a packet rises as packets get rarer, so it takes several tries.
    """
    passed = first
    for span in (*[_TRIAL] * _TRIES, seconds):
        per_second *= HALF / max(_computed(passed), HALF / 4)
        passed = await _pass(testbed, route, per_second, span, seed)
    return passed


def _computed(passed: Passage) -> float:
    """The share of its time that a node alone computed, or all cores where a way shares them."""
    return passed.busy if passed.holds == 1 else (passed.nodes + passed.generators) / (os.cpu_count() or 1)


async def _pass(testbed: Testbed, route: Sequence[str], per_second: float, seconds: float, seed: int) -> Passage:
    """Send along `route` at Poisson times."""
    per_second, stock = max(per_second, IDLE_RATE), f"{route[0]} {len(route)} at {per_second:.1f}"
    holds = 1 if len(route) == 1 else HOLDS
    count = round(per_second * (seconds + WARM) * _RESERVE)
    await testbed.make(stock, route, count, holds=holds, mean=MEAN_DELAY, seed=seed)
    passed, late = await testbed.held(route[0])
    made = await drive(testbed, stock, route, seconds + WARM, rate=per_second, floor=False, seed=seed)
    passed_then, late_then = await testbed.held(route[0])
    return Passage.of(made, holds, passed_then - passed, late_then - late)


async def _alone(testbed: Testbed, per_second: float, seconds: float, seed: int) -> Passage:
    """A load generator's link to itself: what is the measurement's own."""
    count = round(per_second * (seconds + WARM) * _RESERVE)
    await testbed.make("alone", [], count, clear=True, seed=seed)
    answers = await testbed.drive("alone", "", seconds + WARM, rate=per_second, warm=WARM, seed=seed)
    return Passage.of(Drive(seconds + WARM, answers, [], []), 1)


def _finding(
    size: Size,
    *,
    rates: tuple[float, float],
    hops: dict[Level, Passage],
    ways: dict[Level, Passage],
    late: Passage,
    bare: Passage,
    reasons: Mapping[str, int],
    rested: Sequence[float],
) -> Finding:
    rng = np.random.default_rng(0)
    way, hop = ways[HALF], hops[HALF]
    everything = [*hops.values(), *ways.values()]
    figures = (
        *_figures(way, hop, ways[0.0], bare, rng),
        *_cores(way),
        Figure("rested_floor", "a floor after 1 ms of sleep, over one without pauses", middle(rested)),
        *(_half_busy_figures(ways[BUSY], hops[BUSY], rng) if BUSY in hops else ()),
        Figure("latency_loss", "packets lost at all levels",
               rate(sum(one.lost for one in everything), sum(one.sent for one in everything))),
    )  # fmt: skip
    return Subject("latency", "What the network adds to the delays drawn").finding(
        setting=(
            f"{size}: a local network of real processes, packets through five of them ({HOLDS} hold, mean "
            f"{MEAN_DELAY * 1e3:g} ms each) and through one, {SECONDS[size]:g} s a level; capacity found: "
            f"{rates[1]:,.0f} packets/s through the network, {rates[0]:,.0f} through one node; "
            f"{len(way.overhead):,} packets at half load"
        ),
        figures=figures,
        controls=_controls(hop, late, bare),
        curves=_curves(hops, ways, rng),
        note="capacity is what this machine's cores leave: all nodes of the network share them, and whoever else runs; "
        "half_load_machine without nodes and load generators is what others took" + _why_lost(reasons),
    )


def _why_lost(reasons: Mapping[str, int]) -> str:
    """What nodes dropped meanwhile, and why: a node that is kept from its core for long fills its queues."""
    listed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()) if count)
    return f"; nodes dropped {listed} (spec/08-errors-and-figures.md 8.1)" if listed else ""


def _figures(way: Passage, hop: Passage, idle: Passage, bare: Passage, rng: np.random.Generator) -> tuple[Figure, ...]:
    """What is added, at half load and idle."""
    return (
        Figure(
            "overhead_p50_ms", "above the drawn delays, five hops at half load, median",
            way.quantile_ms(0.5, rng), "ms", Bound(5.0), Bound(1.5),
        ),
        Figure("overhead_p95_ms", "the same, 95 %", way.quantile_ms(0.95, rng), "ms"),
        Figure("overhead_p99_ms", "the same, 99 %", way.quantile_ms(0.99, rng), "ms", None, Bound(10.0)),
        Figure(
            "ks_gamma", f"distance of the whole time from Gamma({HOLDS}, µ)",
            way.ks_estimate(rng), "", None, Bound(0.02),
        ),
        Figure("hop_p50_ms", "above the drawn delay, one node at half load, median",
               hop.quantile_ms(0.5, rng), "ms", None, Bound(0.4)),
        Figure("hop_p95_ms", "the same, 95 %", hop.quantile_ms(0.95, rng), "ms"),
        Figure("hop_p99_ms", "the same, 99 %", hop.quantile_ms(0.99, rng), "ms", None, Bound(5.0)),
        _held_late("held_late", "packets that left its hold more than 2 ms late", hop),
        Figure("hop_busy", "the share of a core that this node wanted", exact(hop.busy)),
        Figure("hop_ks_exponential", "distance of its whole time from an exponential one", hop.ks_estimate(rng)),
        Figure("overhead_idle_p50_ms", "five hops of an idle network, median", idle.quantile_ms(0.5, rng), "ms"),
        Figure("overhead_idle_p99_ms", "the same, 99 %", idle.quantile_ms(0.99, rng), "ms"),
        Figure("player_p50_ms", "of these, the measurement's own, at one node's half load, median",
               bare.quantile_ms(0.5, rng), "ms"),
    )  # fmt: skip


def _half_busy_figures(way: Passage, hop: Passage, rng: np.random.Generator) -> tuple[Figure, ...]:
    """The same where half of the time is computed: packets that come one by one cost more than those in batches."""
    return (
        Figure("overhead_p50_half_busy_ms", "five hops where half of the cores' time is computed, median",
               way.quantile_ms(0.5, rng), "ms", Bound(5.0), Bound(1.5)),
        Figure("overhead_p99_half_busy_ms", "the same, 99 %", way.quantile_ms(0.99, rng), "ms", None, Bound(10.0)),
        Figure("half_busy_machine", f"cores in use by all programs then, of {os.cpu_count()}", exact(way.machine)),
        Figure("hop_p50_half_busy_ms", "one node that computes half of the time, median",
               hop.quantile_ms(0.5, rng), "ms", None, Bound(0.4)),
        Figure("hop_p99_half_busy_ms", "the same, 99 %", hop.quantile_ms(0.99, rng), "ms", None, Bound(5.0)),
        _held_late("held_late_half_busy", "packets that left its hold more than 2 ms late then", hop),
        Figure("hop_half_busy", "the share of a core that this node wanted then", exact(hop.busy)),
    )  # fmt: skip


def _held_late(key: str, title: str, hop: Passage) -> Figure:
    return Figure(key, title, rate(hop.late, hop.passed), "", None, Bound(0.01))


def _cores(way: Passage) -> tuple[Figure, ...]:
    """Whose work the cores did at half load: what is added there is also what waits for a core."""
    return (
        Figure("half_load_nodes", "cores that the five nodes used at half load", exact(way.nodes)),
        Figure("half_load_players", "cores that the measurement itself used meanwhile", exact(way.generators)),
        Figure("half_load_machine", f"cores in use by all programs, of {os.cpu_count()}", exact(way.machine)),
    )


def _controls(hop: Passage, late: Passage, bare: Passage) -> tuple[Control, ...]:
    rise = float(np.median(late.overhead) - np.median(hop.overhead))
    own = float(np.median(bare.overhead) / np.median(hop.overhead))
    draws = hop.ks_of_draws * math.sqrt(len(hop.drawn))
    return (
        Control.positive(f"ms by which the median rises when a node holds every packet {LATE * 1e3:g} ms too long",
            exact(rise * 1e3), at_least(_LEAST_LATE * LATE * 1e3)),
        Control.positive(
            "the distance from an exponential time at that node", exact(late.ks), at_least(LATE / MEAN_DELAY / 2)),
        Control.null("a link without a node: its median as a share of one node's", exact(own), Bound(1.0)),
        Control.null("the distance of the drawn delays alone, times the root of their number", exact(draws),
            Bound(_CHANCE)),
    )  # fmt: skip


def _curves(hops: dict[Level, Passage], ways: dict[Level, Passage], rng: np.random.Generator) -> dict[str, Curve]:
    """CDFs and histograms at half load and idle; quantiles and distances against the load."""
    curves: dict[str, Curve] = {}
    for name, every in (("overhead", ways), ("hop", hops)):
        passages = {level: one for level, one in every.items() if isinstance(level, float)}
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            found = [one.quantile_ms(share, rng) for one in passages.values()]
            curves[f"{name}_{label}_ms_by_load"] = curve(passages, found)
        curves[f"{name}_busy_by_load"] = line(passages, [one.busy for one in passages.values()])
        curves[f"{name}_ks_by_load"] = line(passages, [one.ks for one in passages.values()])
        for level in (0.0, HALF):
            curves[f"{name}_cdf_ms_{level:.0%}"] = _cdf(passages[level].overhead * 1e3)
            curves[f"{name}_histogram_ms_{level:.0%}"] = _histogram(passages[level].overhead * 1e3)
    whole = _cdf((ways[HALF].overhead + ways[HALF].drawn) * 1e3)
    curves["whole_cdf_ms"] = whole
    gamma = stats.gamma.cdf(np.array(whole["x"]) / 1e3, HOLDS, scale=MEAN_DELAY)
    curves["whole_gamma_cdf"] = line(whole["x"], gamma)
    return curves


def _cdf(values: Sample) -> Curve:
    shares = np.linspace(0, 1, _POINTS)
    return line(np.quantile(values, shares), shares)


def _histogram(values: Sample) -> Curve:
    """Packets in each bin, whose lower edges are `x`; what lies above the 99.5 % point is in the last one."""
    top = float(np.quantile(values, 0.995))
    counts, edges = np.histogram(np.minimum(values, top), bins=60)
    return line(edges[:-1], counts)
