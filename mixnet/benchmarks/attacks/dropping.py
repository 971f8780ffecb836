"""Dropping: corrupt mixes swallow a share of the packets that go through them (spec/13-measurements.md 13.5).

Promises: times to detect are those of the product's own detectors: with the real actors at 20 %, and on modelled loops
at the default rates for all shares and for hours without attack. A whole layer is corrupt, so every packet meets it.
Positive control: all packets swallowed are noticed; null: the detectors without loops never warn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median
from typing import Any

import trio

from mixnet.benchmarks.attacks.acting import always, per_hour, share
from mixnet.benchmarks.attacks.adversary import Hoarder, document
from mixnet.benchmarks.attacks.alarms import Alarms
from mixnet.benchmarks.attacks.detecting import client_alarms, finite, node_alarms, node_detector_on
from mixnet.benchmarks.attacks.isolation import LASTS as CALM_LASTS
from mixnet.benchmarks.attacks.isolation import PARAMETERS, hold_back
from mixnet.benchmarks.base.figures import Control, Figure, Finding, Subject
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, exact, rate
from mixnet.benchmarks.simulation.ground_truth import NODE_LOOP, Journey
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.errors import LocalError

SUBJECT = Subject(
    "dropping",
    "Dropping: corrupt mixes swallow a share of all packets",
    ("P1", "P2"),
    "internal, active: all mixes of one layer",
    "loops of clients and nodes, counted by tests with a stated false-alarm rate; what is lost is sent again",
    "No target in docs/measuring.md. A time without a value is longer than the hour that was looked at. A loss of 1 % "
    "is what a healthy network may have: nobody warns of it, by design.",
)
SHARES = (0.01, 0.05, 0.2)
HOUR = 3600.0
RUNS = {Size.QUICK: 20, Size.STANDARD: 60, Size.FULL: 1000}
CALM_HOURS = {Size.QUICK: 20, Size.STANDARD: 150, Size.FULL: 10_000}
CHUNK_HOURS = 10
CLIENTS = 6
BEGIN = 20.0  # seconds
LASTS = {Size.QUICK: 40.0, Size.STANDARD: 120.0, Size.FULL: 600.0}
KINDS = {"client": client_alarms, "node": node_alarms}


def score(_trace: Trace, journeys: Sequence[Journey]) -> Finding:
    """Which share of each kind of packets never arrived in a recorded network, and which nodes should have warned."""
    settled = [one for one in journeys if one.sent_ns is not None]
    if not settled:
        raise LocalError("the truth has no packet that was sent")
    end = max(one.sent_ns or 0 for one in settled)
    figures = []
    for kind in sorted({one.kind for one in journeys}):
        mine = [one for one in settled if one.kind == kind and _over(one, end)]
        gone = sum(one.received_ns is None for one in mine)
        figures.append(
            Figure(
                f"dropping_lost_{kind.replace('-', '_')}", f"{kind} packets that never arrived", share(gone, len(mine))
            )
        )
    nodes = sorted({one.sender for one in settled if one.kind == NODE_LOOP})
    warned = 0
    for node in nodes:
        loops = sorted(
            (one for one in settled if one.kind == NODE_LOOP and one.sender == node and _over(one, end)), key=_sent
        )
        warned += node_detector_on([one.received_ns is None for one in loops]) is not None
    figures.append(
        Figure("dropping_nodes_warned", f"nodes of {len(nodes)} whose detector warns of it", share(warned, len(nodes)))
    )
    return SUBJECT.finding(f"a trace of {len(settled):,} packets", figures)


def _sent(one: Journey) -> int:
    return one.sent_ns or 0


def _over(one: Journey, end: int) -> bool:
    """Whether it should have arrived before the trace's end."""
    return _sent(one) / 1e9 + sum(one.delays) + 10.0 < end / 1e9


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Time to detect and false alarms."""
    figures = []
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, job in KINDS.items():
        found[kind] = run(
            job, [{"loss": one, "seconds": HOUR, "runs": RUNS[size], "seed": seed} for one in (*SHARES, 1.0)]
        )
        for loss, one in zip(SHARES, found[kind], strict=False):
            figures += _times(kind, loss, one["first"])
        hours = CALM_HOURS[size]
        pieces = [
            {"loss": 0.0, "seconds": CHUNK_HOURS * HOUR, "runs": 1, "seed": seed + n}
            for n in range(hours // CHUNK_HOURS)
        ]
        for loss, name in ((0.0, "without loss"), (0.01, "with 1 % lost, which counts as harmless")):
            alarms = sum(one["alarms"] for one in run(job, [{**piece, "loss": loss} for piece in pieces]))
            key = f"dropping_false_alarms_{kind}" + ("_lossy" if loss else "")
            figures.append(Figure(key, f"alarms of a {kind} an hour {name}", per_hour(alarms, hours * HOUR), "1/h"))
    some, everything = run(swallow, [{"loss": loss, "seconds": LASTS[size], "seed": seed} for loss in (0.2, 1.0)])
    (nothing,) = run(hold_back, [{"place": "", "seconds": CALM_LASTS[size], "seed": seed}])  # isolation's, kept
    figures += _actors(some)
    setting = (
        f"detectors of the product on modelled loops, default rates (2 a second and client, 0.5 a second and node), "
        f"{RUNS[size]} runs of an hour a share, {CALM_HOURS[size]} h without attack; real actors: {CLIENTS} clients, "
        f"{LASTS[size]:g} s, 20 %, one layer corrupt; seed {seed}"
    )
    return SUBJECT.finding(setting, figures, _controls(found, everything, nothing))


def _controls(
    found: dict[str, list[dict[str, Any]]], everything: dict[str, Any], nothing: dict[str, Any]
) -> tuple[Control, ...]:
    return (
        *(
            always(f"all packets swallowed: runs that a {kind} warns in", len(finite(first)), len(first))
            for kind, first in ((kind, rows[-1]["first"]) for kind, rows in found.items())
        ),
        always(
            "real actors, all packets swallowed: clients that warn",
            sum(name.startswith("client") for name in everything["alarms"]),
            CLIENTS,
        ),
        Control.null("real actors, nothing swallowed: alarms", exact(len(nothing["alarms"])), chance=0.0),
    )


def swallow(*, loss: float, seconds: float, seed: int) -> dict[str, Any]:
    """Let the middle layer swallow packets; seconds to each honest actor's alarm. A job."""
    alarms = Alarms()
    hoarder = Hoarder(loss, random.Random(f"dropping {seed}"))
    names: set[str] = set()

    async def attack(world: World) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarms.watch, world)
            await trio.sleep_until(BEGIN)
            layer = (await document(world)).layers[1]
            hoarder.corrupt |= {node.identity for node in layer}
            names.update(node.address.partition(":")[0] for node in layer)
            await trio.sleep_until(BEGIN + seconds)
            nursery.cancel_scope.cancel()

    with hoarder.at_work():
        run_world(attack, WorldConfig(seed=seed, clients=CLIENTS, codec="plain", parameters=PARAMETERS))
    return {"alarms": {name: when for name, when in alarms.after(BEGIN).items() if name not in names}}


def _times(kind: str, loss: float, first: Sequence[float | None]) -> list[Figure]:
    percent = f"{loss * 100:.0f}pct"
    times = finite(first)
    middle = _median([float("inf") if one is None else one for one in first])
    return [
        Figure(
            f"dropping_detected_{kind}_{percent}",
            f"runs in which a {kind} warns within an hour, {loss:.0%} swallowed",
            rate(len(times), len(first)),
        ),
        Figure(
            f"dropping_detect_{kind}_{percent}_s", f"until a {kind} warns, median, {loss:.0%} swallowed", middle, "s"
        ),
    ]


def _median(times: Sequence[float]) -> Estimate:
    """With the exact interval of order statistics; beyond the hour it is infinite."""
    ordered = sorted(times)
    reach = round(0.98 * len(ordered) ** 0.5)
    middle = len(ordered) // 2
    low, high = ordered[max(0, middle - reach)], ordered[min(len(ordered) - 1, middle + reach)]
    return Estimate(median(ordered), low, high)


def _actors(found: dict[str, Any]) -> list[Figure]:
    clients = sorted(when for name, when in found["alarms"].items() if name.startswith("client"))
    first = min(found["alarms"].values(), default=float("inf"))
    return [
        Figure("dropping_actors_first_s", "real actors: until somebody warns, 20 % swallowed", exact(first), "s"),
        Figure(
            "dropping_actors_clients", "real actors: clients that warn, 20 % swallowed", rate(len(clients), CLIENTS)
        ),
    ]
