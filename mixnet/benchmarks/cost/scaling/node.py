"""What a node costs as packets pass and epochs end: memory and CPU (spec/13-measurements.md 13.10).

Promises: the node is `python -m mixnode`, driven over real links; it is read after set numbers of packets, and another
network's nodes once an epoch, while they do no more than epochs ask of them. The controls are nodes that keep a piece
of each packet, and that work longer on each packet than on the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import trio

from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import scaled
from mixnet.benchmarks.base.timing import median
from mixnet.benchmarks.cost.scaling.line import STRAIGHT, FittedLine, fit
from mixnet.benchmarks.processes.load.altered_nodes import LEAK
from mixnet.benchmarks.processes.load.testbed import MEAN_DELAY, Say, Testbed, TestbedSetup, perform, quiet

NODE, LEAKING, SLOWING = "mix-1", "mix-2", "mix-3"
PACKETS = {
    Size.QUICK: (700, 1_400, 2_100, 2_800, 3_500),
    Size.STANDARD: (1_000, *range(10_000, 100_001, 10_000)),
    Size.FULL: (1_000, 10_000, *range(100_000, 1_000_001, 100_000)),
}
PLANTED = tuple(range(350, 3_501, 350))  # packets through the controls: enough looks for a narrow interval
EPOCHS = {Size.QUICK: 5, Size.STANDARD: 20, Size.FULL: 100}
EPOCH = {Size.QUICK: 3.0, Size.STANDARD: 6.0, Size.FULL: 6.0}  # seconds
FIRST_EPOCHS = 3  # whose keys and documents a node keeps before it begins to forget any
_WARMED = {NODE: 1_000, LEAKING: 1_000, SLOWING: 100}  # packets that pass before the first reading
_TAG = 16  # bytes that a node must keep of each packet, while the key of it lives
_MOST_KEPT = 64  # bytes of memory a packet: a tag in a table that is never full
_MOST_EPOCH = 40.0  # KB of memory an epoch
_NOTICED = 0.7  # of what is planted
_LOT = 20_000  # packets that are made and sent at a time
_WINDOW = 240


PACKET_SETUP = TestbedSetup(
    {"layers": 3, "width": 1, "providers": 2, "authorities": 1},
    dict.fromkeys(("provider-1", "provider-2"), "mixnet.benchmarks.processes.load.load_generator"),
    {LEAKING: "leaking", SLOWING: "slowing"},
    {"node_loop_rate": 0.0, "mean_delay": MEAN_DELAY},
)
EPOCH_SETUP = TestbedSetup({"layers": 1, "width": 1, "providers": 1, "authorities": 1}, {}, {}, {"node_loop_rate": 2.0})


@dataclass(frozen=True, slots=True)
class NodeLook:
    """A node after `count` packets, or epochs: memory in bytes, CPU in seconds, and the floor in seconds."""

    count: float
    memory: int
    cpu: float
    floor: float


def measure(size: Size, *, seed: int = 1, say: Say = quiet) -> Finding:
    """Start one network after the other, and end them."""
    looks = perform(partial(packets_on, size=size, seed=seed, say=say), say, PACKET_SETUP)
    epochs = perform(partial(epochs_on, size=size, say=say), say, epoch_setup(size))
    return finding(size, looks, epochs)


def epoch_setup(size: Size) -> TestbedSetup:
    """Nodes with short epochs, and nobody who sends."""
    return replace(EPOCH_SETUP, plan={**EPOCH_SETUP.plan, "epoch": EPOCH[size]})


async def packets_on(testbed: Testbed, size: Size, *, seed: int = 1, say: Say = quiet) -> dict[str, list[NodeLook]]:
    """Each node after so many packets."""
    numbers = {NODE: PACKETS[size], LEAKING: PLANTED, SLOWING: PLANTED}
    found: dict[str, list[NodeLook]] = {}
    for name, wanted in numbers.items():
        await _send(testbed, name, _WARMED[name], seed)
        base = (await testbed.figures(name))["packets_out"]
        looks = found[name] = [await _look(testbed, name, base)]
        for number in wanted:
            say(f"{number:,} packets through {name}")
            while (left := number - round(looks[-1].count)) > 0:
                await _send(testbed, name, min(left, _LOT), seed)
                looks.append(await _look(testbed, name, base))
                if looks[-1].count == looks[-2].count:
                    break
    return found


async def _send(testbed: Testbed, name: str, number: int, seed: int) -> None:
    """That many packets through the node, as fast as it takes them."""
    stock = f"{name} {trio.current_time()}"
    await testbed.make(stock, [name], number, holds=1, mean=MEAN_DELAY, seed=seed)
    await testbed.drive(stock, name, 600.0, window=_WINDOW)


async def _look(testbed: Testbed, name: str, base: int) -> NodeLook:
    floor, now = testbed.floor(), await testbed.figures(name)
    return NodeLook(now["packets_out"] - base, now["memory_bytes"], now["cpu_seconds"], floor)


async def epochs_on(testbed: Testbed, size: Size, *, say: Say = quiet) -> dict[str, list[NodeLook]]:
    """Each node once an epoch."""
    names, length = ("mix-1", "provider-1"), EPOCH[size]
    first = (await testbed.figures(names[0]))["epoch"] + FIRST_EPOCHS
    found: dict[str, list[NodeLook]] = {name: [] for name in names}
    for epoch in range(first, first + EPOCHS[size]):
        say(f"epoch {epoch - first + 1} of {EPOCHS[size]}")
        with trio.move_on_after(10 * length):  # a machine that is busy may miss one, and be read later
            while (await testbed.figures(names[0]))["epoch"] < epoch:  # noqa: ASYNC110 -- another process' epoch
                await trio.sleep(length / 20)
        for name in names:
            now = await testbed.figures(name)
            found[name].append(NodeLook(now["epoch"] - first, now["memory_bytes"], now["cpu_seconds"], testbed.floor()))
    return found


def finding(size: Size, packets: dict[str, list[NodeLook]], epochs: dict[str, list[NodeLook]]) -> Finding:
    """What the looks say."""
    memory = {name: _memory(looks) for name, looks in packets.items()}
    work = {name: _work(looks) for name, looks in packets.items()}
    mix, provider = epochs["mix-1"], epochs["provider-1"]
    floor = median([look.floor for look in packets[NODE]])[0]
    figures = (
        Figure("packet_bytes", "memory a packet that passed", memory[NODE].slope, "B", Bound(_MOST_KEPT)),
        Figure(
            "packet_memory_bend", "least bend that this line may have, over its rise", memory[NODE].bent()
        ),
        Figure("packet_ratio", "CPU a packet, over the floor", scaled(work[NODE].slope, 1 / floor)),
        Figure(
            "packet_cpu_bend", "least bend that this line may have, over its rise", work[NODE].bent(), "",
            Bound(STRAIGHT),
        ),
        Figure(
            "epoch_kb", "memory a mix takes more with each epoch", scaled(_memory(mix).slope, 1e-3), "KB",
            Bound(_MOST_EPOCH),
        ),
        Figure(
            "epoch_provider_kb", "memory a provider takes more with each epoch", scaled(_memory(provider).slope, 1e-3),
            "KB", Bound(_MOST_EPOCH),
        ),
        Figure("epoch_cpu_ms", "CPU of a mix an epoch in which nobody sends", scaled(_work(mix).slope, 1e3), "ms"),
        Figure(
            "epoch_cpu_bend", "least bend that this line may have, over its rise", _work(mix).bent(), "",
            Bound(STRAIGHT),
        ),
    )  # fmt: skip
    return Subject("growth", "What packets and epochs leave behind in a node").finding(
        setting=(
            f"{size}: one node, read after up to {packets[NODE][-1].count:,.0f} packets; a mix and a provider read in "
            f"{len(mix)} epochs of {EPOCH[size]:g} s, with loops of their own only; a node keeps a tag of {_TAG} bytes "
            "of each packet until its key is forgotten"
        ),
        figures=figures,
        controls=_controls(memory, work),
        curves=_curves(packets, epochs),
    )


def _memory(looks: Sequence[NodeLook]) -> FittedLine:
    return fit([look.count for look in looks], [look.memory for look in looks])


def _work(looks: Sequence[NodeLook]) -> FittedLine:
    return fit([look.count for look in looks], [look.cpu - looks[0].cpu for look in looks])


def _controls(memory: dict[str, FittedLine], work: dict[str, FittedLine]) -> tuple[Control, ...]:
    return (
        Control.positive(f"bytes a packet more where {LEAK} of each are kept",
            scaled(memory[LEAKING].slope, 1.0, less=memory[NODE].slope.value), at_least(_NOTICED * LEAK)),
        Control.positive("least bend of the CPU where each packet costs more than the one before",
            work[SLOWING].bent(), at_least(STRAIGHT)),
        Control.null("least bend of the CPU at the node that only leaks", work[LEAKING].bent(),
            Bound(STRAIGHT)),
    )  # fmt: skip


def _curves(packets: dict[str, list[NodeLook]], epochs: dict[str, list[NodeLook]]) -> dict[str, Curve]:
    names = {NODE: "", LEAKING: "_leaking", SLOWING: "_slowing"}
    curves = {}
    for name, ending in names.items():
        looks = packets[name]
        x = [look.count for look in looks]
        curves[f"packet_memory{ending}"] = {"x": x, "y": [(one.memory - looks[0].memory) / 1e6 for one in looks]}
        curves[f"packet_cpu{ending}"] = {"x": x, "y": [one.cpu - looks[0].cpu for one in looks]}
    for name, key in (("mix-1", "epoch_memory_mix"), ("provider-1", "epoch_memory_provider")):
        curves[key] = {"x": [one.count for one in epochs[name]], "y": [one.memory / 1e6 for one in epochs[name]]}
    return curves
