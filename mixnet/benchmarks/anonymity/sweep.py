"""Entropy against one property of a network at a time: what a parameter costs and buys (spec/13-measurements.md 13.1).

Promises: everything but the swept property is as given; each point is a job of its own, with a seed of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mixnet.benchmarks.anonymity import model
from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.base.figures import Curve, curve
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, below, rate
from mixnet.errors import LocalError

TARGETS = {Size.QUICK: 32, Size.STANDARD: 120, Size.FULL: 1000}
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
_FACTORS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_DRAWS = 20_000
_BUSY = 100.0  # packets/s from which on the given number of targets is enough
_POOLS = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0)
_WIDTHS = (1, 2, 3, 5, 8, 12)


def around(base: NetworkModel, name: str, *, most: int = 1_000_000) -> list[tuple[float, NetworkModel]]:
    """(value, network) for each point of a sweep; LocalError for a name that isn't one."""
    ways: dict[str, Callable[[], list[tuple[float, NetworkModel]]]] = {
        "users": lambda: [
            (size, replace(base, users=size))
            for size in sorted({base.users, *(10**power for power in range(1, 7) if 10**power <= most)})
        ],
        "rate": lambda: [(base.rate * factor, replace(base, rate=base.rate * factor)) for factor in _FACTORS],
        "delay": lambda: [(base.delay * factor, replace(base, delay=base.delay * factor)) for factor in _FACTORS],
        "pool": lambda: [(pool, replace(base, rate=base.rate * pool / base.pool)) for pool in _POOLS],
        "layers": lambda: [(layers, replace(base, layers=layers)) for layers in range(1, 6)],
        "width": lambda: [(width, replace(base, width=width)) for width in _WIDTHS],
        "corrupt": lambda: [(share, replace(base, corrupt=share, loops=0.0)) for share in SHARES],
    }
    if name not in ways:
        raise LocalError(f"there is no sweep over `{name}`: choose from {', '.join(ways)}")
    return ways[name]()


def sweep(
    base: NetworkModel, name: str, targets: int, run: Run, *, seed: int = 1, most: int = 1_000_000
) -> list[dict[str, Any]]:
    """A row for each point: the value, and model.summary of the network there."""
    points = around(base, name, most=most)
    jobs = [
        {"network": asdict(network), "targets": _enough(network, targets), "seed": seed + 1000 * index}
        for index, (_, network) in enumerate(points)
    ]
    done = run(model.point, jobs)
    return [{name: value, **row} for (value, _), row in zip(points, done, strict=True)]


def curves(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Curve]:
    """Entropy, its optimum and the gap between them, for plots."""
    x = [float(row[name]) for row in rows]
    bits = [Estimate(*row["entropy"]) for row in rows]
    best = [float(row["optimum"]) for row in rows]
    return {
        f"entropy_by_{name}": curve(x, bits),
        f"optimum_by_{name}": {"x": x, "y": best},
        f"gap_by_{name}": curve(x, [below(top, one) for top, one in zip(best, bits, strict=True)]),
        f"sender_entropy_by_{name}": curve(x, [Estimate(*row["sender_entropy"]) for row in rows]),
    }


def exposed_paths(layers: int, width: int, corrupt: float, rng: np.random.Generator) -> tuple[Estimate, float]:
    """(share of paths all of whose mixes are corrupt, over random choices of mixes and paths; f to the power of k)."""
    mixes = layers * width
    bad = rng.permuted(np.tile(np.arange(mixes), (_DRAWS, 1)), axis=1) < round(corrupt * mixes)
    ways = rng.integers(width, size=(_DRAWS, layers)) + width * np.arange(layers)
    whole = np.take_along_axis(bad, ways, axis=1).all(axis=1)
    return rate(int(whole.sum()), _DRAWS), (round(corrupt * mixes) / mixes) ** layers


def exposure_curves(base: NetworkModel, rng: np.random.Generator) -> dict[str, Curve]:
    """The share of wholly corrupt paths against the corrupt share, and f to the power of k."""
    found = [exposed_paths(base.layers, base.width, share, rng) for share in SHARES]
    return {
        "exposed_by_corrupt": curve(list(SHARES), [one for one, _ in found]),
        "f_to_the_k": {"x": list(SHARES), "y": [power for _, power in found]},
    }


def _enough(network: NetworkModel, targets: int) -> int:
    """More targets where there are few packets: each tells less there, and costs less."""
    return round(targets * min(8.0, max(1.0, _BUSY / network.total)))
