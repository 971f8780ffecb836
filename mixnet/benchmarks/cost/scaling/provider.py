"""What clients cost a provider: memory, CPU and synchronisations of the disk (spec/13-measurements.md 13.10).

Promises: the provider that is measured is `python -m mixnode`; its clients are in another process, each with a key and
a link of its own, and mail comes over a link of a node. A second provider counts its synchronisations and is measured
for nothing else. Memory and CPU are the process' own figures, CPU over the floor that is timed around each step. The
controls are a provider that keeps more of each client than of the one before, and the first one when nobody comes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least, line
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact, middle, scaled
from mixnet.benchmarks.cost.scaling.line import STRAIGHT, FittedLine, fit
from mixnet.benchmarks.processes.load import syncs
from mixnet.benchmarks.processes.load.altered_nodes import HOARD
from mixnet.benchmarks.processes.load.crowd import idle_mailbox
from mixnet.benchmarks.processes.load.testbed import Say, Testbed, TestbedSetup, perform, quiet
from mixnet.clock import WallClock
from mixnet.errors import LocalError
from mixnode.mailboxes import Limits, Mailboxes, Open

PROVIDER, COUNTED, HOARDING = "provider-1", "provider-2", "provider-3"
LEVELS = {
    Size.QUICK: (5, 15, 30, 45, 60),
    Size.STANDARD: (10, 50, 100, 250, 500, 750, 1000),
    Size.FULL: (10, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000),
}
SECONDS = {Size.QUICK: 1.2, Size.STANDARD: 8.0, Size.FULL: 30.0}  # of each level
MAILBOXES = {Size.QUICK: 300, Size.STANDARD: 10_000, Size.FULL: 10_000}
COUNTED_CLIENTS, HOARDED = 20, (10, 25, 40, 55, 70, 85)
RATE, DOWN_RATE = 0.5, 1.0  # frames a second of each client, up and down
MAIL = 60.0  # packets a second
MUCH_MAIL = 200.0
_SHARES = 3  # pieces of a level's time, each read by itself
_MOST_STRAY = 25.0  # KB a client by which memory may grow although nobody comes
_MOST_LOST = 0.03  # of the clients, that may be missing on a busy machine; what is counted are those that are there
_NOTICED = 0.7  # of what is planted, that must be noticed
_MOST_LINKS = 1500

_COUNTED_FRAMES = ("packets_in", "dummies_in", "packets_out", "packets_fetched", "dummies_out")


@dataclass(frozen=True, slots=True)
class Step:
    """What one level showed: memory in bytes, a share of one core, and CPU a frame over the floor, piece by piece."""

    clients: int
    memory: int
    share: float
    ratios: tuple[float, ...]
    frames: float  # a second
    stored: float  # packets of mail a second


@dataclass(frozen=True, slots=True)
class ProviderSteps:
    """All that was measured."""

    steps: tuple[Step, ...]
    again: Step  # the last level, once more
    hoarding: FittedLine
    counts: syncs.Counts


def setup(size: Size) -> TestbedSetup:
    """One played mix, and three providers with mailboxes whose owners never come."""
    providers = (PROVIDER, COUNTED, HOARDING)
    idle = MAILBOXES[size] - LEVELS[size][-1]

    def fill(folder: Path) -> None:
        boxes = Mailboxes(folder / PROVIDER / "mailboxes.sqlite")
        limits = Limits(MAILBOXES[size], 1, 1, age=7 * 86_400.0)
        boxes.perform([Open(idle_mailbox(number)) for number in range(idle)], limits, WallClock().now())
        boxes.close()

    return TestbedSetup(
        {"layers": 1, "width": 1, "providers": 3, "authorities": 1},
        {"mix-1": "mixnet.benchmarks.processes.load.crowd"},
        {COUNTED: "counting", HOARDING: "hoarding"},
        {
            "payload_rate": RATE, "loop_rate": 0.0, "drop_rate": 0.0, "downlink_rate": DOWN_RATE, "node_loop_rate": 0.0,
        },
        {name: {"connection_limit": _MOST_LINKS} for name in providers},
        fill,
    )  # fmt: skip


def measure(size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Start a network, let clients come, and end it."""
    return perform(partial(on_testbed, size=size, seed=seed, say=say), say, setup(size))


async def on_testbed(testbed: Testbed, size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Measure on a network that runs already."""
    seconds, idle = SECONDS[size], MAILBOXES[size] - LEVELS[size][-1]
    await _step(testbed, PROVIDER, LEVELS[size][0], 1.0, idle=idle, seed=seed)  # what is loaded and grows once
    steps = []
    for clients in LEVELS[size]:
        say(f"{clients} clients")
        steps.append(await _step(testbed, PROVIDER, clients, seconds, idle=idle, seed=seed))
    again = await _step(testbed, PROVIDER, LEVELS[size][-1], seconds, idle=idle, seed=seed)
    say("counting synchronisations")
    before = await _counts(testbed)
    await _step(testbed, COUNTED, COUNTED_CLIENTS, seconds, seed=seed, mail=MUCH_MAIL)
    after = await _counts(testbed)
    counts = syncs.Counts(*(late - early for late, early in zip(after, before, strict=True)))
    say("controls")
    await _step(testbed, HOARDING, 2, 1.0, seed=seed, mail=0.0)
    hoarded = [await _step(testbed, HOARDING, clients, SECONDS[Size.QUICK], seed=seed, mail=0.0) for clients in HOARDED]
    hoarding = fit([step.clients for step in hoarded], [step.memory for step in hoarded])
    return _finding(size, ProviderSteps(tuple(steps), again, hoarding, counts))


async def _counts(testbed: Testbed) -> syncs.Counts:
    return await trio.to_thread.run_sync(syncs.read, testbed.folder / COUNTED / syncs.COUNTS)


async def _step(
    testbed: Testbed, name: str, clients: int, seconds: float, *, idle: int = 0, seed: int, mail: float = MAIL
) -> Step:
    """Have so many clients, and let them send and fetch."""
    joined = await testbed.order(0, "join", target=name, count=clients)
    if joined["clients"] < clients * (1 - _MOST_LOST):
        raise LocalError(
            f"only {joined['clients']} of {clients} clients could connect: this machine is too busy to measure on"
        )
    ratios, begun, first = [], trio.current_time(), await testbed.figures(name)
    now = first
    for piece in range(_SHARES):
        floor, before = testbed.floor(), now
        said = await testbed.order(
            0, "mingle", target=name, rate=RATE, mail=mail, mailboxes=idle, seconds=seconds / _SHARES,
            seed=random.Random(f"{seed} {name} {clients} {first['packets_in']} {piece}").getrandbits(63),
        )  # fmt: skip
        now = await testbed.figures(name)
        if said["lost"] > _MOST_LOST * clients:
            raise LocalError("the provider let clients go: this machine is too busy to measure on")
        frames = _frames(now) - _frames(before)
        if frames:
            ratios.append((now["cpu_seconds"] - before["cpu_seconds"]) / frames / ((floor + testbed.floor()) / 2))
    spent = trio.current_time() - begun
    return Step(
        said["clients"],
        now["memory_bytes"],
        (now["cpu_seconds"] - first["cpu_seconds"]) / spent,
        tuple(ratios),
        (_frames(now) - _frames(first)) / spent,
        (now["packets_stored"] - first["packets_stored"]) / spent,
    )


def _frames(figures: dict[str, int]) -> int:
    return sum(figures[name] for name in _COUNTED_FRAMES)


def _finding(size: Size, seen: ProviderSteps) -> Finding:
    clients = [step.clients for step in seen.steps]
    memory = fit(clients, [step.memory for step in seen.steps])
    share = fit(clients, [100 * step.share for step in seen.steps])
    last, counts = seen.steps[-1], seen.counts
    figures = (
        Figure("provider_client_kb", "memory a connected client", scaled(memory.slope, 1e-3), "KB", Bound(120)),
        Figure("provider_base_mb", "memory without any", scaled(memory.start, 1e-6), "MB"),
        Figure("provider_memory_bend", "least bend of that line, over its rise", memory.bent(), "", Bound(STRAIGHT)),
        Figure(
            "provider_frame_ratio", f"CPU a frame, up or down, at {last.clients:,} clients, over the floor",
            middle([ratio for step in (last, seen.again) for ratio in step.ratios]),
        ),
        Figure("provider_client_cpu", "share of a core that a client takes", share.slope, "%"),
        Figure("provider_cpu_bend", "least bend of that line, over its rise", share.bent(), "", Bound(STRAIGHT)),
        Figure(
            "provider_syncs_batch", "synchronisations of the mailboxes' log for a batch that is written",
            exact(counts.log / max(1, counts.batches)), "", Bound(1.1), Bound(1.0),
        ),
        Figure(
            "provider_syncs_packet", "synchronisations of all files for a packet that is stored",
            exact((counts.log + counts.database) / max(1, counts.stored)),
        ),
    )  # fmt: skip
    return Subject("provider", "What clients cost a provider").finding(
        setting=_setting(size, seen),
        figures=figures,
        controls=_controls(seen, memory),
        curves={
            "provider_memory": line(clients, [one.memory / 1e6 for one in seen.steps]),
            "provider_memory_fit": _drawn(memory, clients, 1e-6),
            "provider_share": line(clients, [100 * one.share for one in seen.steps]),
            "provider_share_fit": _drawn(share, clients, 1.0),
        },
    )


def _controls(seen: ProviderSteps, memory: FittedLine) -> tuple[Control, ...]:
    planted = HOARD * (HOARDED[0] + HOARDED[-1]) / 2  # the mean over these clients of what each one adds
    stray = (seen.again.memory - seen.steps[-1].memory) / seen.again.clients / 1e3
    return (
        Control.positive(f"KB a client more where {planted / 1e3:.0f} are kept of each",
            scaled(seen.hoarding.slope, 1e-3, less=memory.slope.value),
            at_least(_NOTICED * planted / 1e3)),
        Control.positive("least bend of the line where each client costs more than the one before",
            seen.hoarding.bent(), at_least(STRAIGHT)),
        Control.null("KB a client by which memory grew or shrank when nobody came", exact(abs(stray)),
            Bound(_MOST_STRAY)),
    )  # fmt: skip


def _setting(size: Size, seen: ProviderSteps) -> str:
    last = seen.steps[-1]
    return (
        f"{size}: one provider process with {MAILBOXES[size]:,} mailboxes, {seen.steps[0].clients} to {last.clients:,} "
        f"connected clients that each send {RATE:g} and get {DOWN_RATE:g} frames a second, {last.stored:.0f} packets "
        f"of mail a second for all; {SECONDS[size]:g} s a level, {last.frames:,.0f} frames a second at the last one, "
        f"for which the provider had {last.share:.0%} of a core; synchronisations: {seen.counts.stored:,} packets in "
        f"{seen.counts.batches:,} batches ({seen.counts.log:,} of the log, {seen.counts.database:,} of the database, "
        "which follows when the log is full) at a second provider"
    )


def _drawn(fitted: FittedLine, places: Sequence[float], by: float) -> Curve:
    ends = places[0], places[-1]
    return line(ends, [fitted.at(x) * by for x in ends])
