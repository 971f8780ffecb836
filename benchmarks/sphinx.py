"""What making and peeling a packet costs, against two scalar multiplications timed in the same breath.

Promises: CPU time of this thread, so that a busy neighbour distorts little; everything is timed in turns, batch by
batch, and a figure is the median over rounds of a ratio within one round, so that what slows a round slows both its
sides. Intervals are 95 % bootstrap intervals of that median. Microseconds hold for this machine and this minute only.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import TypedDict

from deploy.display import tabulate
from mixnet.crypto import SphinxSecret, x25519
from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Command, Engine, Hop, Kind, engine_by_name

Interval = tuple[float, float]
_BATCH_SECONDS = 0.003
_PACKETS = 32
_RESAMPLES = 400
_MESSAGE = bytes(1000)


class Figures(TypedDict):
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


def measure(*, seconds: float = 8.0, progress: Callable[[float], None] | None = None) -> Figures:
    """Time everything for about `seconds` of CPU; `progress` is called with the share done, 0 to 1."""
    rounds = _timed(_tasks(), seconds, progress or (lambda _share: None))
    floor = rounds["floor"]

    def ratio(name: str, factor: float = 1.0) -> tuple[float, Interval]:
        return _median(_ratios(rounds[name], floor, factor))

    peel, peel_ci = ratio("peel")
    create, create_ci = ratio("create", 2.0)
    figures = Figures(
        floor_us=statistics.median(floor) * 1e6,
        rounds=len(floor),
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
        share = _median(_ratios(rounds["create"], rounds["sphinxmix create"]))
        figures["sphinxmix_peel_ratio"], figures["sphinxmix_peel_ratio_ci"] = ratio("sphinxmix peel")
        figures["sphinxmix_create_ratio"], figures["sphinxmix_create_ratio_ci"] = ratio("sphinxmix create")
        figures["create_to_sphinxmix"], figures["create_to_sphinxmix_ci"] = share
    return figures


def render(figures: Figures) -> None:
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
    point = secrets[-1].public
    scalar = secrets[0].expose()

    def floor() -> None:
        x25519(scalar, point)
        x25519(scalar, point)

    tasks: dict[str, Callable[[], object]] = {"floor": floor}
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


def _timed(
    tasks: dict[str, Callable[[], object]], seconds: float, progress: Callable[[float], None]
) -> dict[str, list[float]]:
    """Seconds per operation of each task in each round; every round runs a batch of each, beginning with the next."""
    sizes = {name: max(1, round(_BATCH_SECONDS / _batch(task, 3))) for name, task in tasks.items()}
    order = list(tasks)
    rounds: dict[str, list[float]] = {name: [] for name in tasks}
    start = time.thread_time()
    while (spent := time.thread_time() - start) < seconds or not rounds["floor"]:
        progress(min(spent / seconds, 1.0) if seconds else 1.0)
        for name in order:
            rounds[name].append(_batch(tasks[name], sizes[name]))
        order.append(order.pop(0))
    progress(1.0)
    return rounds


def _batch(task: Callable[[], object], size: int) -> float:
    """CPU seconds of this thread per operation."""
    start = time.thread_time()
    for _ in range(size):
        task()
    return (time.thread_time() - start) / size


def _ratios(times: Sequence[float], against: Sequence[float], factor: float = 1.0) -> list[float]:
    return [factor * ours / theirs for ours, theirs in zip(times, against, strict=True)]


def _median(ratios: Sequence[float]) -> tuple[float, Interval]:
    """The median and its 95 % percentile-bootstrap interval; the resampling has a fixed seed."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
    return statistics.median(ratios), (medians[round(0.025 * _RESAMPLES)], medians[round(0.975 * _RESAMPLES) - 1])
