"""The cost of making and of peeling a packet, against two scalar multiplications timed in the same run.

Promises: a figure is the median over rounds of a ratio within one round (benchmarks/base/timing.py). Microseconds hold
for this machine and this minute only.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import TypedDict

from benchmarks.base.timing import Interval, floor, median, ratios, timed
from deploy.display import tabulate
from mixnet.crypto import SphinxSecret
from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Command, Engine, Hop, Kind, engine_by_name

_PACKETS = 32
_MESSAGE = bytes(1000)


class SphinxFigures(TypedDict):
    """Times over the floor (two multiplications), except where the name says otherwise; None: sphinxmix is missing."""

    floor_us: float
    rounds: int
    peel_ratio: float
    peel_ratio_ci: Interval
    create_mults: float  # 6 hops, in scalar multiplications
    create_mults_ci: Interval
    sphinxmix_peel_ratio: float | None
    sphinxmix_peel_ratio_ci: Interval | None
    sphinxmix_create_ratio: float | None
    sphinxmix_create_ratio_ci: Interval | None
    create_to_sphinxmix: float | None
    create_to_sphinxmix_ci: Interval | None


def measure(*, seconds: float = 8.0, progress: Callable[[float], None] | None = None) -> SphinxFigures:
    """Time everything for about `seconds` of CPU; `progress` is called with the share done, 0 to 1."""
    rounds = timed(_tasks(), seconds, progress)

    def ratio(name: str, factor: float = 1.0) -> tuple[float, Interval]:
        return median(ratios(rounds[name], rounds["floor"], factor))

    peel, peel_ci = ratio("peel")
    create, create_ci = ratio("create", 2.0)
    figures = SphinxFigures(
        floor_us=statistics.median(rounds["floor"]) * 1e6,
        rounds=len(rounds["floor"]),
        peel_ratio=peel,
        peel_ratio_ci=peel_ci,
        create_mults=create,
        create_mults_ci=create_ci,
        sphinxmix_peel_ratio=None,
        sphinxmix_peel_ratio_ci=None,
        sphinxmix_create_ratio=None,
        sphinxmix_create_ratio_ci=None,
        create_to_sphinxmix=None,
        create_to_sphinxmix_ci=None,
    )
    if "sphinxmix peel" in rounds:
        share = median(ratios(rounds["create"], rounds["sphinxmix create"]))
        figures["sphinxmix_peel_ratio"], figures["sphinxmix_peel_ratio_ci"] = ratio("sphinxmix peel")
        figures["sphinxmix_create_ratio"], figures["sphinxmix_create_ratio_ci"] = ratio("sphinxmix create")
        figures["create_to_sphinxmix"], figures["create_to_sphinxmix_ci"] = share
    return figures


def render(figures: SphinxFigures) -> None:
    """Print the figures for a person, beside what they must and should be."""
    rows: list[tuple[str, float | None, Interval | None, str, str]] = [
        ("peel / floor", figures["peel_ratio"], figures["peel_ratio_ci"], "≤ 1.80", "≤ 1.50"),
        ("create / one X25519", figures["create_mults"], figures["create_mults_ci"], "≤ 16", "≤ 12"),
        ("sphinxmix peel / floor", figures["sphinxmix_peel_ratio"], figures["sphinxmix_peel_ratio_ci"], "", ""),
        ("sphinxmix create / floor", figures["sphinxmix_create_ratio"], figures["sphinxmix_create_ratio_ci"], "", ""),
        ("create / sphinxmix create", figures["create_to_sphinxmix"], figures["create_to_sphinxmix_ci"], "", "≤ 0.25"),
    ]
    shown = [("floor: two X25519, in µs", f"{figures['floor_us']:.1f}", "", "", "")]
    for what, value, interval, must, aim in rows:
        if value is None or interval is None:
            shown.append((what, "not installed", "", must, aim))
        else:
            shown.append((what, f"{value:.2f}", f"{interval[0]:.2f} - {interval[1]:.2f}", must, aim))
    title = f"Sphinx, {GEOMETRY.packet_size}-byte packets, {GEOMETRY.max_hops} hops"
    tabulate(title, ("what", "figure", "95 % interval", "must", "aim"), shown)


def _tasks() -> dict[str, Callable[[], object]]:
    """What is timed, by name: one call is one operation."""
    secrets = [SphinxSecret.generate() for _ in range(GEOMETRY.max_hops)]
    hops = _route(secrets)
    tasks: dict[str, Callable[[], object]] = {"floor": floor()}
    for prefix, engine in _engines():
        packets = cycle([engine.create(hops, _MESSAGE, seed=os.urandom(32)) for _ in range(_PACKETS)])
        tasks[f"{prefix}peel"] = _peeling(engine, secrets[0], packets)
        tasks[f"{prefix}create"] = _creating(engine, hops)
    return tasks


def _route(secrets: Sequence[SphinxSecret]) -> list[Hop]:
    """A message's way: forward at each mix, into a mailbox, to its reader."""
    forward = [Command(Kind.FORWARD, os.urandom(32), 50_000) for _ in secrets[:-2]]
    commands = [*forward, Command(Kind.DELIVER_MAILBOX, os.urandom(32)), Command(Kind.DELIVER)]
    return [Hop(secret.public, command) for secret, command in zip(secrets, commands, strict=True)]


def _engines() -> Iterator[tuple[str, Engine]]:
    """Ours, and sphinxmix where it is installed."""
    yield "", engine_by_name("mixnet")
    try:
        yield "sphinxmix ", engine_by_name("sphinxmix")
    except LocalError:
        return


def _peeling(engine: Engine, secret: SphinxSecret, packets: Iterator[bytes]) -> Callable[[], object]:
    return lambda: engine.peel_untrusted(secret, next(packets))


def _creating(engine: Engine, hops: Sequence[Hop]) -> Callable[[], object]:
    return lambda: engine.create(hops, _MESSAGE, seed=os.urandom(32))
