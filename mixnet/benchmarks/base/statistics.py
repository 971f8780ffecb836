"""Estimates with intervals: areas under ROC curves, rates, distances between distributions (docs/measuring.md).

Pure. Promises: every interval is a 95 % interval that stays one at the edges: an attack that won every time has a lower
bound below 1. What resamples takes its generator as an argument. Scores may have ties.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixnet.benchmarks.base.timing import median

if TYPE_CHECKING:
    from types import ModuleType

Sample = NDArray[np.float64]
LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
_WIDER = NormalDist().inv_cdf(0.5 + 0.999 / 2) / _Z


class Estimate(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def covers(self, value: float) -> bool:
        """Whether the interval holds `value`."""
        return self.low <= value <= self.high

    def nearly_covers(self, value: float) -> bool:
        """Whether the interval holds `value` once it is as wide as one of 99.9 %, by the normal distribution.

        For what must hold in each of many comparisons: of a dozen intervals of 95 %, chance alone misses with one in
        every second report.
        """
        low, high = self.value - self.low, self.high - self.value
        return self.value - _WIDER * low <= value <= self.value + _WIDER * high


def exact(value: float) -> Estimate:
    """A value that was counted or derived, not sampled."""
    return Estimate(value, value, value)


def middle(values: Sequence[float]) -> Estimate:
    """The median, with its interval by bootstrap."""
    value, (low, high) = median(values)
    return Estimate(value, low, high)


def scaled(estimate: Estimate, by: float, *, less: float = 0.0) -> Estimate:
    """The estimate in another unit, after something was taken off."""
    return Estimate(*((value - less) * by for value in estimate))


def over(estimate: Estimate, divisor: float) -> Estimate:
    """The estimate as a multiple of `divisor`."""
    return Estimate(*(value / divisor for value in estimate))


def below(top: float, estimate: Estimate) -> Estimate:
    """How far the estimate is below `top`."""
    return Estimate(top - estimate.value, top - estimate.high, top - estimate.low)


def magnitude(estimate: Estimate) -> Estimate:
    """How far the estimate is from 0, whichever way."""
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    return Estimate(abs(estimate.value), 0.0 if estimate.covers(0.0) else ends[0], ends[1])


def rate(successes: int, trials: int) -> Estimate:
    """A share of independent trials, with the interval of Clopper and Pearson (1934)."""
    tail = (1 - LEVEL) / 2
    low = float(_stats().beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(_stats().beta.ppf(1 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return Estimate(successes / trials, low, high)


def mean(values: ArrayLike) -> Estimate:
    """The mean of independent values, with Student's interval."""
    sample = _sample(values)
    middle = float(sample.mean())
    if len(sample) < 2:
        return Estimate(middle, -math.inf, math.inf)
    half = student(0.5 + LEVEL / 2, len(sample) - 1) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    return Estimate(middle, middle - half, middle + half)


def student(share: float, free: int) -> float:
    """The quantile of Student's distribution with `free` degrees of freedom."""
    return float(_stats().t.ppf(share, free))


def bootstrap(
    values: ArrayLike, statistic: Callable[[Sample], float], rng: np.random.Generator, *, resamples: int = 1000
) -> Estimate:
    """Any statistic of independent rows, with the percentile interval of its bootstrap distribution."""
    sample = _sample(values)
    drawn = [statistic(sample[rng.integers(len(sample), size=len(sample))]) for _ in range(resamples)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(statistic(sample), float(low), float(high))


def auc(positive: ArrayLike, negative: ArrayLike) -> Estimate:
    """The chance that a positive's score is above a negative's, ties counting half; interval of DeLong et al. (1988).

    Where all of one class score above all of the other the variance is 0, and the bound is that of as many successes
    as the smaller class has members.
    """
    above, below = _sample(positive), _sample(negative)
    ranks = _stats().rankdata(np.concatenate([above, below]))
    m, n = len(above), len(below)
    per_positive = (ranks[:m] - _stats().rankdata(above)) / n
    per_negative = 1 - (ranks[m:] - _stats().rankdata(below)) / m
    value = float(per_positive.mean())
    least = rate(min(m, n), min(m, n)).low
    if min(m, n) < 2 or value in (0.0, 1.0):
        return Estimate(value, min(value, least), max(value, 1 - least))
    half = _Z * math.sqrt(float(per_positive.var(ddof=1)) / m + float(per_negative.var(ddof=1)) / n)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def true_positives(positive: ArrayLike, negative: ArrayLike, false_positives: float) -> Estimate:
    """The share of positives above the threshold that at most this share of the negatives exceeds."""
    above, below = _sample(positive), _sample(negative)
    threshold = np.quantile(below, 1 - false_positives, method="higher")
    return rate(int((above > threshold).sum()), len(above))


def roc(positive: ArrayLike, negative: ArrayLike) -> tuple[Sample, Sample]:
    """(false positive rates, true positive rates), both ascending from 0 to 1, a point for each distinct score."""
    above, below = _sample(positive), _sample(negative)
    thresholds = np.unique(np.concatenate([above, below]))[::-1]
    false = 1 - np.searchsorted(np.sort(below), thresholds, side="left") / len(below)
    true = 1 - np.searchsorted(np.sort(above), thresholds, side="left") / len(above)
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], true])


def distance(values: ArrayLike, cdf: Callable[[Sample], Sample]) -> float:
    """The Kolmogorov-Smirnov distance of a sample from a distribution."""
    return float(_stats().kstest(_sample(values), cdf, method="asymp").statistic)


@cache
def _stats() -> ModuleType:
    """SciPy's distributions, which take a second to load: whoever needs no interval, as most processes, doesn't."""
    return import_module("scipy.stats")


def _sample(values: ArrayLike) -> Sample:
    return np.asarray(values, dtype=np.float64)
