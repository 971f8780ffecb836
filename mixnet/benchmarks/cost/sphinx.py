"""The cost of making and of peeling a packet, against two scalar multiplications timed in the same run.

Promises: a figure is the median over rounds of a ratio within one round (benchmarks/base/timing.py). Microseconds hold
for this machine and this minute only.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from mixnet.benchmarks.base.timing import floor, median, ratios, timed
from mixnet.crypto import SphinxSecret
from mixnet.deploy.display import tabulate
from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Command, Engine, Hop, Kind, engine_by_name

if TYPE_CHECKING:
    from mixnet.benchmarks.base.figures import Finding

_PACKETS = 32
_MESSAGE = bytes(1000)


_RATIOS = {  # key: what is timed, against what, times how much
    "peel_ratio": ("peel", "floor", 1.0),
    "create_mults": ("create", "floor", 2.0),  # 6 hops, in scalar multiplications
    "sphinxmix_peel_ratio": ("sphinxmix peel", "floor", 1.0),
    "sphinxmix_create_ratio": ("sphinxmix create", "floor", 1.0),
    "create_to_sphinxmix": ("create", "sphinxmix create", 1.0),
}
_ROWS = (  # what, key, what it must and should be at most
    ("peel / floor", "peel_ratio", 1.8, 1.5),
    ("create / one X25519", "create_mults", 16, 12),
    ("sphinxmix peel / floor", "sphinxmix_peel_ratio", None, None),
    ("sphinxmix create / floor", "sphinxmix_create_ratio", None, None),
    ("create / sphinxmix create", "create_to_sphinxmix", None, 0.25),
)
_WORDS = {  # of the figures that a report has
    "peel_ratio": "peeling a packet, over the floor",
    "create_mults": "making a packet of 6 hops, in scalar multiplications",
    "create_to_sphinxmix": "making a packet, over sphinxmix's time",
}


def measure(*, seconds: float = 8.0, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Time everything for about `seconds` of CPU; `progress` is called with the share done, 0 to 1.

    Each of `_RATIOS` has its interval under the key with `_ci`; both are None where sphinxmix is missing.
    """
    rounds = timed(_tasks(), seconds, progress)
    figures: dict[str, Any] = {"floor_us": statistics.median(rounds["floor"]) * 1e6, "rounds": len(rounds["floor"])}
    for key, (one, other, factor) in _RATIOS.items():
        there = one in rounds and other in rounds
        found = median(ratios(rounds[one], rounds[other], factor)) if there else (None, None)
        figures[key], figures[f"{key}_ci"] = found
    return figures


def finding(seconds: float) -> Finding:
    """The same figures with their targets, for a report."""
    from mixnet.benchmarks.base.figures import Bound, Figure, Subject  # noqa: PLC0415  # NumPy, which timing alone needs not
    from mixnet.benchmarks.base.statistics import Estimate  # noqa: PLC0415

    figures = measure(seconds=seconds)
    return Subject("sphinx", "What a packet's cryptography costs").finding(
        setting=(
            f"{figures['rounds']} rounds in one thread; the floor is two X25519 multiplications, "
            f"{figures['floor_us']:.1f} µs here"
        ),
        figures=[
            Figure(
                key,
                _WORDS[key],
                Estimate(figures[key], *figures[f"{key}_ci"]),
                must=None if must is None else Bound(must),
                aim=None if aim is None else Bound(aim),
            )
            for _, key, must, aim in _ROWS
            if key in _WORDS and figures[key] is not None
        ],
        note="" if figures["create_to_sphinxmix"] is not None else "sphinxmix is not installed, so nothing is compared",
    )


def render(figures: Mapping[str, Any]) -> None:
    """Print the figures for a person, beside what they must and should be."""
    shown: list[tuple[str, ...]] = [("floor: two X25519, in µs", f"{figures['floor_us']:.1f}", "", "", "")]
    for what, key, must, aim in _ROWS:
        targets = ["" if limit is None else f"≤ {limit:g}" for limit in (must, aim)]
        if figures[key] is None:
            shown.append((what, "not installed", "", *targets))
        else:
            low, high = figures[f"{key}_ci"]
            shown.append((what, f"{figures[key]:.2f}", f"{low:.2f} - {high:.2f}", *targets))
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
