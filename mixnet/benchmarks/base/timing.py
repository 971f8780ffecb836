"""Costs as ratios: everything is timed in turns, so that what slows the machine slows both sides (docs/measuring.md).

Promises: CPU time of this thread, so that a busy neighbour distorts little; a figure is the median over rounds of what
one round showed. Intervals are 95 % bootstrap intervals of that median.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

Interval = tuple[float, float]
_BATCH_SECONDS = 0.003
_RESAMPLES = 400


def timed(
    tasks: Mapping[str, Callable[[], object]], seconds: float, progress: Callable[[float], None] | None = None
) -> dict[str, list[float]]:
    """Seconds per operation of each task in each round; every round runs a batch of each, beginning with the next.

    It ends after about `seconds` of CPU, with one round at least; `progress` is called with the share done, 0 to 1.
    """
    tell = progress or (lambda _share: None)
    sizes = {name: max(1, round(_BATCH_SECONDS / _batch(task, 3))) for name, task in tasks.items()}
    order = list(tasks)
    rounds: dict[str, list[float]] = {name: [] for name in tasks}
    start = time.thread_time()
    while (spent := time.thread_time() - start) < seconds or not rounds[order[0]]:
        tell(min(spent / seconds, 1.0) if seconds else 1.0)
        for name in order:
            rounds[name].append(_batch(tasks[name], sizes[name]))
        order.append(order.pop(0))
    tell(1.0)
    return rounds


def _batch(task: Callable[[], object], size: int) -> float:
    """CPU seconds of this thread per operation."""
    start = time.thread_time()
    for _ in range(size):
        task()
    return (time.thread_time() - start) / size


def floor() -> Callable[[], None]:
    """What costs are compared with: two X25519 multiplications, the least that a peel can take."""
    from mixnet.crypto import SphinxSecret, x25519  # noqa: PLC0415  # of those that time nothing, nobody needs it

    scalar, point = SphinxSecret.generate().expose(), SphinxSecret.generate().public

    def twice() -> None:
        x25519(scalar, point)
        x25519(scalar, point)

    return twice


def ratios(times: Sequence[float], against: Sequence[float], factor: float = 1.0) -> list[float]:
    """`factor` times the one over the other, round by round."""
    return [factor * ours / theirs for ours, theirs in zip(times, against, strict=True)]


def median(values: Sequence[float]) -> tuple[float, Interval]:
    """The median and its 95 % percentile-bootstrap interval; the resampling has a fixed seed."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    return statistics.median(values), (medians[round(0.025 * _RESAMPLES)], medians[round(0.975 * _RESAMPLES) - 1])
