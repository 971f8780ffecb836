"""Compromise: a share of the mixes is the attacker's, beside the whole network's links (spec/13-measurements.md 13.5).

Promises: routes are drawn by the client's own code from a real document; which mixes are corrupt is drawn anew for each
user. Providers count as corrupt, too: what is left is what mixes give. Entropy is the model's of section 13.1.
Positive control: clients that prefer certain mixes, which the attacker then has; null: no corrupt mix.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import numpy as np

from mixnet.benchmarks.anonymity import model
from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.attacks.forged_documents import forged_directory
from mixnet.benchmarks.base.figures import Bound, Control, Curve, Figure, Finding, Subject, at_least, curve
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, exact, mean, over, rate
from mixnet.benchmarks.controls.guards import without_guards
from mixnet.benchmarks.simulation.ground_truth import NODE_LOOP, Journey
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.client.model.destination import Destination
from mixnet.client.traffic.routes import Map
from mixnet.errors import LocalError

SUBJECT = Subject(
    "compromise",
    "Compromise: a share of the mixes is corrupt, beside a global observer",
    ("P1", "P2"),
    "internal and external, global, passive",
    "one mix of each layer, drawn anew for each packet: one honest mix on the way is enough",
    "No target in docs/measuring.md: this is what the design gives away. A packet whose three mixes are all corrupt is "
    "not anonymous, and a long conversation meets that fate sooner or later. The exact chance is a little below f^k, "
    "since no mix is there twice; users fare a little better than 1-(1-f^k)^m, since their packets face the same "
    "mixes.",
)
SHARES = (0.1, 0.2, 0.3, 0.5)
WIDTH, LAYERS = 10, 3
USERS = {Size.QUICK: 150, Size.STANDARD: 1000, Size.FULL: 10_000}
MESSAGES = 100  # packets of each user
AFTER = (1, 10, 100)  # of them after which it is asked whether one was seen through
ENTROPY = NetworkModel(users=100, rate=1.0, delay=0.5, layers=LAYERS, width=WIDTH)
TARGETS = {Size.QUICK: 24, Size.STANDARD: 120, Size.FULL: 1000}
LARGE = 1 / 3  # of the mixes, for the attack on files
CHOSEN = 0.3  # of each layer's mixes, for an attacker who may choose them
FAIR = Bound(1.15)  # times f^k: a preference in one of the layers alone would show
DRAWS = 200  # choices of corrupt mixes for that


def score(_trace: Trace, journeys: Sequence[Journey], *, seed: int = 1) -> Finding:
    """Which of a recorded network's packets a third of its mixes saw through, on average over who they are."""
    whole = [one for one in journeys if one.kind != NODE_LOOP and len(one.path) > 2 and one.received_ns is not None]
    paths = [tuple(one.path[1:-1]) for one in whole]  # of a packet under way, the mixes to come would be missing
    if not paths:
        raise LocalError("the truth has no packet that came through a mix")
    mixes = sorted({mix for path in paths for mix in path})
    rng = random.Random(f"compromise {seed}")
    count = round(LARGE * len(mixes))
    seen = [fmean([set(path) <= bad for path in paths]) for bad in _choices(rng, mixes, count)]
    k = max(map(len, paths))
    figure = Figure(
        "compromise_exposed_third",
        f"packets seen through if {count} of {len(mixes)} mixes are corrupt; f^k is {(count / len(mixes)) ** k:.4f}",
        _over_choices(seen),
    )
    setting = f"a trace of {len(paths):,} packets, {DRAWS} choices of corrupt mixes; seed {seed}"
    return SUBJECT.finding(setting, (figure,))


def _choices(rng: random.Random, mixes: Sequence[str], count: int) -> list[set[str]]:
    return [set(rng.sample(mixes, count)) for _ in range(DRAWS)]


def _over_choices(values: Sequence[float]) -> Estimate:
    """The mean, and between what it is for 95 % of the choices."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(float(np.mean(values)), float(low), float(high))


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Routes and entropy for growing shares of corrupt mixes."""
    jobs: list[dict[str, Any]] = [{"corrupt": corrupt, "users": USERS[size], "seed": seed} for corrupt in SHARES]
    few = {"users": 50, "seed": seed}
    extra: list[dict[str, Any]] = [{**few, "corrupt": 0.0}, {**few, "corrupt": 0.1, "off": ["routes"]}]
    *exposed, none, preferred = run(seen_through, [*jobs, *extra])
    entropies = run(model.point, [_entropy_job(corrupt, TARGETS[size], seed) for corrupt in (0.0, *SHARES)])
    figures = [figure for corrupt, counts in zip(SHARES, exposed, strict=True) for figure in _figures(corrupt, counts)]
    chosen = [sum(column) for column in zip(*(one["chosen"] for one in exposed), strict=True)]
    figures.append(_preference(*chosen))
    for corrupt, row in zip((0.0, *SHARES), entropies, strict=True):
        what = f"bits that hide a packet, {corrupt:.0%} of mixes corrupt"
        figures.append(Figure(f"compromise_entropy_{corrupt * 100:.0f}pct", what, Estimate(*row["entropy"]), "bit"))
    controls = (
        Control.positive(
            "clients take the first mix of a layer, and the attacker has it: packets seen through",
            _share(preferred),
            at_least(0.99),
        ),
        Control.null("no corrupt mix", _share(none), chance=0.0),
        *_agreement(exposed),
    )
    setting = (
        f"routes of real clients, {LAYERS}x{WIDTH} mixes, {USERS[size]:,} users with {MESSAGES} packets each for "
        f"each share; entropy by the model, {ENTROPY.users} users with {ENTROPY.rate:g} packets a second; seed {seed}"
    )
    return SUBJECT.finding(setting, figures, controls, _curves(exposed, entropies))


def seen_through(*, corrupt: float, users: int, seed: int, off: Sequence[str] = ()) -> dict[str, Any]:
    """How many packets, and users after some, had a wholly corrupt path. A job.

    Each user faces another choice of corrupt mixes, `corrupt` of all; with the guard `routes` off the attacker has the
    mixes that all take.
    """
    network = forged_directory(seed, layers=LAYERS, width=WIDTH)
    document = network.document()
    rng = random.Random(f"compromise {seed} {corrupt}")
    nodes = [mix.identity for layer in document.layers for mix in layer]
    chart, entry = Map(document, network.bootstrap.epochs), document.providers[0].identity
    friend = Destination(document.providers[1].identity, bytes(32), bytes([9]) + bytes(31))
    exposed, after = [], dict.fromkeys(AFTER, 0)
    used: list[tuple[bytes, ...]] = []
    with without_guards(off):
        for _ in range(users):
            bad = set(rng.sample(nodes, round(corrupt * len(nodes))))
            if off:
                bad = {layer[0].identity for layer in document.layers}
            seen = []
            for _ in range(MESSAGES):
                hops = chart.deliver(rng, entry, friend, network.at(0)).hops
                used.append(tuple(hop.command.target for hop in hops[:LAYERS]))
                seen.append(bad.issuperset(used[-1]))
            exposed.append(sum(seen))
            for number in AFTER:
                after[number] += any(seen[:number])
    return {"exposed": exposed, "after": [after[one] for one in AFTER], "chosen": _most_used(used)}


def _most_used(paths: Sequence[tuple[bytes, ...]]) -> tuple[int, int]:
    """(seen through, all) of half of the paths, if the mixes are corrupt that the other half used most."""
    half = len(paths) // 2
    bad = {
        mix for layer in zip(*paths[:half], strict=True) for mix, _ in Counter(layer).most_common(round(CHOSEN * WIDTH))
    }
    return sum(bad.issuperset(path) for path in paths[half:]), len(paths) - half


def _entropy_job(corrupt: float, targets: int, seed: int) -> dict[str, Any]:
    return {"network": {**asdict(ENTROPY), "corrupt": corrupt}, "targets": targets, "seed": seed}


def _figures(corrupt: float, counts: dict[str, Any]) -> list[Figure]:
    percent = f"{corrupt * 100:.0f}pct"
    power = corrupt**LAYERS
    figures = [
        Figure(
            f"compromise_exposed_{percent}",
            f"packets seen through, {corrupt:.0%} of mixes corrupt (f^k is {power:.4f})",
            _share(counts),
        )
    ]
    for number, users in zip(AFTER, counts["after"], strict=True):
        expected = 1 - (1 - power) ** number
        what = f"users with one such packet of {number}, {corrupt:.0%} corrupt (1-(1-f^k)^m is {expected:.3f})"
        figures.append(Figure(f"compromise_users_{percent}_after_{number}", what, rate(users, len(counts["exposed"]))))
    return figures


def _preference(seen: int, packets: int) -> Figure:
    """Whether it pays to corrupt the mixes that are used most: routes that favour some would show."""
    return Figure(
        "compromise_chosen_ratio",
        f"packets seen through, over f^k, if {CHOSEN:.0%} of each layer are corrupt: those used most before",
        over(rate(seen, packets), CHOSEN**LAYERS),
        must=FAIR,
    )


def _share(counts: dict[str, Any]) -> Estimate:
    """Packets of one user face the same corrupt mixes, so a user counts as one sample."""
    return mean([seen / MESSAGES for seen in counts["exposed"]])


def _agreement(exposed: Sequence[dict[str, Any]]) -> list[Control]:
    """One packet of each user is compared: the packets of one user face the same corrupt mixes."""
    return [
        Control.null(
            f"first packets seen through, {corrupt:.0%} corrupt: as chance predicts",
            rate(counts["after"][0], len(counts["exposed"])),
            chance=_chance(corrupt),
        )
        for corrupt, counts in zip(SHARES, exposed, strict=True)
    ]


def _chance(corrupt: float) -> float:
    """That three mixes of three layers are all among those chosen of all: a little less than f^3."""
    total = LAYERS * WIDTH
    bad = round(corrupt * total)
    return float(np.prod([(bad - one) / (total - one) for one in range(LAYERS)]))


def _curves(exposed: Sequence[dict[str, Any]], entropies: Sequence[dict[str, Any]]) -> dict[str, Curve]:
    shares = [_share(one) for one in exposed]
    power = [exact(corrupt**LAYERS) for corrupt in SHARES]
    left = [Estimate(*row["entropy"]) for row in entropies]
    return {
        "exposed_corrupt": curve(SHARES, shares),
        "exposed_corrupt_power": curve(SHARES, power),
        "entropy_corrupt": curve((0.0, *SHARES), left),
    }
