"""A model of what an observer sees of clients' Poisson schedules, a thousand times faster than the real actors.

Pure. Promises: one generator, one trace. Times are seconds, ascending. `exponential` and `dispersion` say how well
the real actors' frames agree with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mixnet.benchmarks.attacks.evidence import Law, counts
from mixnet.benchmarks.base.statistics import Estimate, Sample, distance, mean


def poisson(rate: float, start: float, end: float, rng: np.random.Generator) -> Sample:
    """The slots of one schedule."""
    return np.sort(rng.uniform(start, end, rng.poisson(rate * (end - start))))


@dataclass(frozen=True, slots=True)
class FlowPair:
    """Times of a sender and a receiver.

    The sender's slots, when its provider sent them on, when packets came to the receiver's mailbox, and the receiver's
    down slots.
    """

    sent: Sample
    onward: Sample
    arrived: Sample
    down: Sample


@dataclass(frozen=True, slots=True)
class PairModel:
    """A sender with `up` slots a second, of which `share` go to the receiver if the two are `related`.

    The receiver's mailbox gets `unrelated` other packets a second, and its down-link has `down` slots.
    """

    law: Law
    up: float = 1.0
    down: float = 1.0
    share: float = 0.3
    unrelated: float = 0.4

    def draw(self, seconds: float, rng: np.random.Generator, *, related: bool) -> FlowPair:
        """One pair's frames between 0 and `seconds`; what was sent a little earlier is there too."""
        sent = poisson(self.up, -self.law.reach, seconds, rng)
        link = self.law.shift / (self.law.stages + 1)
        first = rng.exponential(self.law.mean, len(sent))
        onward = sent + link + first
        rest = rng.gamma(self.law.stages - 1, self.law.mean, len(sent)) if self.law.stages > 1 else 0.0
        mine = rng.random(len(sent)) < self.share
        rate = self.unrelated if related else self.unrelated + self.share * self.up
        arrived = poisson(rate, 0.0, seconds, rng)
        if related:
            arrived = np.concatenate([arrived, (onward + rest + self.law.shift - link)[mine]])
        return FlowPair(sent, np.sort(onward), np.sort(arrived), poisson(self.down, 0.0, seconds, rng))


def exponential(links: Sequence[Sample], rate: float) -> float:
    """The Kolmogorov-Smirnov distance of the gaps on some links from those of the model."""
    gaps = np.concatenate([np.diff(times) for times in links])
    return distance(gaps, lambda gap: np.asarray(stats.expon.cdf(gap, scale=1 / rate)))


def dispersion(links: Sequence[Sample], start: float, end: float, width: float) -> Estimate:
    """Variance over mean of the frames in windows of `width` seconds, by link: 1 for the model."""
    series = [counts(times, start, end, width) for times in links]
    return mean([float(one.var(ddof=1) / one.mean()) for one in series if len(one) > 1 and one.any()])
