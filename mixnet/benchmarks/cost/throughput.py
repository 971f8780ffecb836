"""The cost of a packet for a whole node process, and its capacity: `mixnet bench throughput`.

See spec/13-measurements.md 13.8.

Promises: the node is `python -m mixnode`, driven over real links by two other processes; its CPU is that of the whole
process, over two X25519 multiplications timed between the same readings. A window counts as saturated if the node
computed, or was ready to, for nearly all of it. A lost packet is one that did not come back to whoever sent it. The
controls are nodes of the same network: one with a floor's work added, and one that is just the same.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import partial
from itertools import chain

from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least, curve, line
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, exact, magnitude, middle, rate
from mixnet.benchmarks.base.timing import median
from mixnet.benchmarks.processes.load.drives import PATH_MEAN, Drive, capacity, drive
from mixnet.benchmarks.processes.load.meter import Window
from mixnet.benchmarks.processes.load.testbed import (
    CLEAR,
    HEAVIER,
    HELPED,
    MEAN_DELAY,
    NODE,
    PATH,
    TWIN,
    Say,
    Testbed,
    perform,
    quiet,
)
from mixnet.errors import LocalError

SECONDS = {Size.QUICK: 9.0, Size.STANDARD: 45.0, Size.FULL: 300.0}
CONTROL_SECONDS = {Size.QUICK: 2.2, Size.STANDARD: 6.0, Size.FULL: 20.0}
LEVELS = {Size.QUICK: (), Size.STANDARD: (0.25, 0.5, 0.75, 0.9, 1.2), Size.FULL: (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.2)}
SATURATED = 0.93  # of a window, computing or ready to; the rest goes into questions for its status
_TRIAL = 1.2  # seconds in which capacity is found
_RESERVE = 1.1  # packets made beyond those that the trial foresees
_SHORT = 0.5  # seconds between two readings where a drive is short
_MOST_GAIN = 1.25  # what two cores may seem to gain where only one is used
_LEAST_RISE, _MOST_DIFFERENCE = 0.8, 0.4  # floors: what one floor's work must show, and what none may


def measure(size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Start a network, drive it, and end it."""
    return perform(partial(on_testbed, size=size, seed=seed, say=say), say)


async def on_testbed(testbed: Testbed, size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Measure on a network that runs already."""
    say("finding the node's capacity")
    expected = await capacity(testbed, [NODE], _TRIAL, seed=seed)
    seconds, short = SECONDS[size], CONTROL_SECONDS[size]
    say("preparing packets")
    make = partial(testbed.make, holds=1, mean=MEAN_DELAY, seed=seed)
    await make("saturating", [NODE], round(expected.most * seconds * _RESERVE))
    await make("heavier", [HEAVIER], round(expected.most * short))
    await make("twin", [TWIN], round(expected.most * short))
    # Held for less, so that what is under way waits to be peeled and not to leave: two cores take more than one.
    count = round(2 * expected.most * short)
    await testbed.make("helped", [HELPED], count, holds=1, mean=PATH_MEAN, seed=seed)
    await make("clear", [CLEAR], round(3 * expected.most * short), clear=True)
    say(f"saturating one node for {seconds:g} s")
    full = await drive(testbed, "saturating", [NODE], seconds, seed=seed)
    say("controls")
    heavier = await drive(testbed, "heavier", [HEAVIER], short, every=_SHORT, seed=seed)
    twin = await drive(testbed, "twin", [TWIN], short, every=_SHORT, seed=seed)
    helped = await drive(testbed, "helped", [HELPED], short, every=_SHORT, seed=seed)
    clear = await drive(testbed, "clear", [CLEAR], short, every=_SHORT, seed=seed)
    say("saturating the whole network")
    whole = (await capacity(testbed, PATH, short, seed=seed)).shown
    steps = []
    for level in LEVELS[size]:
        say(f"offering {level:.0%} of its capacity")
        steps.append(await _step(testbed, full.rate, level, short, seed))
    dropped = await testbed.dropped(dict.fromkeys((NODE, HELPED, *PATH)))
    controls = (heavier, twin, clear)
    return _finding(size, full=full, controls=controls, helped=helped, whole=whole, steps=steps, dropped=dropped)


async def _step(testbed: Testbed, full: float, level: float, seconds: float, seed: int) -> tuple[float, Drive]:
    """Offer `level` of what the node takes, at Poisson times, whether it takes it or not."""
    stock = f"step {level}"
    await testbed.make(stock, [NODE], round(full * level * seconds * _RESERVE), holds=1, mean=MEAN_DELAY, seed=seed)
    return level, await drive(testbed, stock, [NODE], seconds, rate=full * level, every=_SHORT, seed=seed)


def saturated(windows: Sequence[Window]) -> list[Window]:
    """The windows in which the node had always something to do; LocalError if there were none."""
    found = [window for window in windows if window.wanted >= SATURATED]
    if not found:
        raise LocalError("the node was never saturated: the load generators need a core of their own")
    return found


def ratio(windows: Sequence[Window]) -> Estimate:
    """CPU a packet over the floor, both medians over windows; the bounds are those of both that are furthest apart."""
    return _over_floor(_cost(windows), windows)


def _cost(windows: Sequence[Window]) -> Estimate:
    return _median([window.cost for window in windows])


def _median(values: Sequence[float]) -> Estimate:
    return middle(values) if values else exact(math.nan)


def _gain(alone: Sequence[Window], helped: Sequence[Window]) -> Estimate:
    """Packets/s of `helped` with a core for each of its processes, over those of `alone` with one core."""
    return _times(_cost(alone), _median([window.busiest for window in helped]))


def _times(one: Estimate, other: Estimate) -> Estimate:
    """How many times the other the one is, with the bounds that are furthest apart."""
    return Estimate(one.value / other.value, one.low / other.high, one.high / other.low)


def _over_floor(cost: Estimate, windows: Sequence[Window]) -> Estimate:
    floor, (least, most) = median([window.floor for window in windows if window.floor == window.floor])
    bounds = [bound / other for bound in (cost.low, cost.high) for other in (least, most)]
    return Estimate(cost.value / floor, min(bounds), max(bounds))


def _difference(one: Sequence[Window], other: Sequence[Window]) -> Estimate:
    """By how many floors a packet costs more in `one`, with the bounds that are furthest apart."""
    above, below = _cost(one), _cost(other)
    more = Estimate(above.value - below.value, above.low - below.high, above.high - below.low)
    return _over_floor(more, [*one, *other])


def _finding(
    size: Size,
    *,
    full: Drive,
    controls: tuple[Drive, Drive, Drive],
    helped: Drive,
    whole: Drive,
    steps: Sequence[tuple[float, Drive]],
    dropped: dict[str, int],
) -> Finding:
    real = saturated(full.windows[0])
    heavier, twin, clear = (one.windows[0] for one in controls)
    two_cores = [window for window in helped.windows[0] if window.wanted >= SATURATED]  # none: then no gain is claimed
    hops = list(chain.from_iterable(whole.windows))
    growth = full.readings[0][-1].memory_mb - full.readings[0][0].memory_mb
    per_core = middle([window.packets / window.cpu for window in real])
    figures = (
        Figure(
            "relay_ratio", "CPU a packet of a whole node at saturation, over the floor", ratio(real), "",
            Bound(3.0), Bound(2.0),
        ),
        Figure("packets_per_s_core", "packets for a second of its CPU", per_core, "1/s"),
        Figure("loss", "packets lost at saturation", rate(full.lost, full.sent), "", Bound(0.0)),
        Figure("packets_per_s", "packets a second that it took here", exact(full.rate), "1/s"),
        Figure("relay_floor_us", "the floor, timed beside it", exact(_floor(real)), "µs"),
        Figure("relay_clear_ratio", "the same without cryptography, as far as it could be driven", ratio(clear)),
        Figure(
            "two_core_ratio", "packets/s with one worker and a core for each process, over one process and core",
            _gain(real, two_cores), "", at_least(1.5),
        ),
        Figure("two_core_cost", "CPU a packet of node and worker together, over that of one process",
               _times(_median([window.together for window in two_cores]), _cost(real))),
        Figure("two_core_loss", "packets lost with a worker", rate(helped.lost, helped.sent), "", Bound(0.0)),
        Figure("relay_memory_mb", "its memory at the end", exact(full.readings[0][-1].memory_mb), "MB"),
        Figure("relay_memory_growth", "bytes of memory for each packet", exact(growth * 1e6 / full.sent), "B"),
        Figure("network_ratio", "CPU a packet and node, all five saturated together", ratio(hops)),
        Figure("network_packets_per_s", "packets a second through five nodes at once", exact(whole.rate), "1/s"),
        Figure("network_loss", "packets lost on that way", rate(whole.lost, whole.sent), "", Bound(0.0)),
    )  # fmt: skip
    checks = (
        Control.positive(
            "floors that a packet costs more when the node does one floor's work more",
            _difference(heavier, real),
            at_least(_LEAST_RISE),
        ),
        Control.null(
            "floors by which a packet costs more or less at a second node like it",
            magnitude(_difference(twin, real)),
            Bound(_MOST_DIFFERENCE),
        ),
        Control.null("the gain of two cores at a second node that has no worker", _gain(real, twin), Bound(_MOST_GAIN)),
    )
    return Subject("throughput", "What a whole node costs a packet").finding(
        setting=_setting(size, full, real),
        figures=figures,
        controls=checks,
        curves=_curves(full, steps),
        note=f"dropped by the nodes, the steps above capacity included: {dropped}" if dropped else "",
    )


def _floor(windows: Sequence[Window]) -> float:
    return median([window.floor for window in windows])[0] * 1e6


def _setting(size: Size, full: Drive, real: Sequence[Window]) -> str:
    had = sum(window.cpu for window in real) / sum(window.seconds for window in real)
    return (
        f"{size}: one node process of a local network, two load generators with a link in and out each, "
        f"{full.seconds:.0f} s in windows of packets under way, {full.sent:,} packets, mean delay "
        f"{MEAN_DELAY * 1e3:g} ms; {len(real)} of {len(full.windows[0])} readings a second apart were saturated, "
        f"in which the node had {had:.0%} of a core"
    )


def _curves(full: Drive, steps: Sequence[tuple[float, Drive]]) -> dict[str, Curve]:
    """Rate and cost over time at saturation; use of a core, cost and loss against the offered load."""
    begun, floor = full.readings[0][0].when, _floor(full.windows[0]) / 1e6
    times = [reading.when - begun for reading in full.readings[0][1 : len(full.windows[0]) + 1]]
    curves = {
        "packets_per_s": {"x": times, "y": [window.packets / window.seconds for window in full.windows[0]]},
        "ratio": {"x": times, "y": [window.cost / floor for window in full.windows[0]]},
        "memory_mb": line(
            [reading.when - begun for reading in full.readings[0]],
            [reading.memory_mb for reading in full.readings[0]],
        ),
    }
    measured = [(level, step) for level, step in steps if step.windows[0]]
    if measured:
        offered = [level for level, _ in measured]
        curves["load_ratio"] = curve(offered, [ratio(step.windows[0]) for _, step in measured])
        wanted = [statistics.median(window.wanted for window in step.windows[0]) for _, step in measured]
        curves["load_share"] = line(offered, wanted)
        curves["load_loss"] = line(offered, [step.lost / step.sent for _, step in measured])
    return curves
