"""What packets cost against the floor, as a finding (spec/02-sphinx.md 2.9).

Promises: the figures of `mixnet bench sphinx`, with their targets. What is compared is timed in the same rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.base.figures import Bound, Figure, Finding, Subject
from benchmarks.base.statistics import Estimate
from benchmarks.cost import sphinx


def finding(seconds: float) -> Finding:
    """Time everything for about so many seconds of CPU."""
    return of(sphinx.measure(seconds=seconds))


def of(figures: Mapping[str, Any]) -> Finding:
    """What `mixnet bench sphinx` prints."""
    rows = (
        ("peel_ratio", "peeling a packet, over the floor", Bound(1.8), Bound(1.5)),
        ("create_mults", "making a packet of 6 hops, in scalar multiplications", Bound(16), Bound(12)),
        ("create_to_sphinxmix", "making a packet, over sphinxmix's time", None, Bound(0.25)),
    )
    return Subject("sphinx", "What a packet's cryptography costs").finding(
        setting=(
            f"{figures['rounds']} rounds in one thread; the floor is two X25519 multiplications, "
            f"{figures['floor_us']:.1f} µs here"
        ),
        figures=tuple(
            Figure(key, what, Estimate(figures[key], *figures[f"{key}_ci"]), "", must, aim)
            for key, what, must, aim in rows
            if figures[key] is not None
        ),
        note="" if figures["create_to_sphinxmix"] is not None else "sphinxmix is not installed, so nothing is compared",
    )
