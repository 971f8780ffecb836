"""How strongly one client's frames suggest that another's follow from them (docs/measuring.md, "Unlinkability").

Pure. Promises: times are seconds in ascending arrays; a packet's cause is looked for no further back than a packet is
ever held, so the work grows with the number of frames and not with its square. `Law` is what the network publishes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mixnet.benchmarks.base.statistics import Sample

_TAIL = 1e-6  # the share of packets that take longer than what is looked back
LEAST = 0.05  # of the receiver's packets are unrelated at the least: an attacker can't be surer than that
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """A packet's way takes `shift` seconds and a Gamma(stages, 1/mean) time on top."""

    stages: int
    mean: float
    shift: float

    @cached_property
    def reach(self) -> float:
        """Seconds that next to no packet exceeds, without the shift."""
        return self.mean * float(special.gammainccinv(self.stages, _TAIL))

    def density(self, lag: Sample) -> Sample:
        """The Gamma density at lags above 0."""
        scaled = lag / self.mean
        density: Sample = scaled ** (self.stages - 1) * np.exp(-scaled) / (math.gamma(self.stages) * self.mean)
        return density

    def distribution(self, lag: Sample) -> Sample:
        """The share of packets that take at most this lag."""
        scaled = lag / self.mean
        terms = [scaled**power / math.gamma(power + 1) for power in range(self.stages)]
        share: Sample = 1 - np.exp(-scaled) * np.sum(terms, axis=0)
        return share


def evidence(sent: Sample, received: Sample, law: Law, share: float, edges: Sample) -> Sample:
    """The log of the likelihood ratio between consecutive `edges`: that `share` of `sent` cause some of `received`.

    Sum of ln[(b + share·sum f(t_j - s_i)) / λ0], minus share times the number of packets expected to come in, plus
    (λ0 - b)·T, with λ0 the rate of `received` over all edges and b what `share` leaves of it. 0 if nothing is received.
    """
    caused = sent + law.shift
    inside = received[(received >= edges[0]) & (received < edges[-1])]
    if len(inside) == 0 or len(caused) == 0:
        return np.zeros(len(edges) - 1)
    span = float(edges[-1] - edges[0])
    expected = _sums(edges, caused, law.reach, law.distribution)
    expected += np.searchsorted(caused, edges - law.reach)
    null = len(inside) / span
    unrelated = max(LEAST * null, null - share * float(expected[-1] - expected[0]) / span)
    logs = np.log((unrelated + share * _sums(inside, caused, law.reach, law.density)) / null)
    total = np.concatenate([[0.0], np.cumsum(logs)])[np.searchsorted(inside, edges)]
    return np.diff(total) - share * np.diff(expected) + (null - unrelated) * np.diff(edges)


def _sums(times: Sample, causes: Sample, reach: float, weight: Callable[[Sample], Sample]) -> Sample:
    """For each time the sum of `weight(time - cause)` over the causes less than `reach` before it."""
    first, last = np.searchsorted(causes, times - reach), np.searchsorted(causes, times)
    width = int((last - first).max(initial=0))
    if width == 0:
        return np.zeros(len(times))
    which = first[:, None] + np.arange(width)
    lags = times[:, None] - causes[np.minimum(which, len(causes) - 1)]
    sums: Sample = np.where(which < last[:, None], weight(np.maximum(lags, 0.0)), 0.0).sum(axis=1)
    return sums


def counts(times: Sample, start: float, end: float, width: float) -> Counts:
    """How many of `times` are in each bin of `width` seconds; a rest at the end counts for nothing."""
    number = int((end - start) / width + 1e-9)
    return np.histogram(times, bins=number, range=(start, start + number * width))[0].astype(np.float64)


def correlations(sent: Counts, received: Counts, lags: range) -> Counts:
    """The correlation of two series of counts, the second `lag` bins later, in standard deviations from none."""
    one, other = sent - sent.mean(), received - received.mean()
    scale = math.sqrt(float((one**2).mean() * (other**2).mean())) or 1.0
    values = []
    for lag in lags:
        early, late = (one, other[lag:]) if lag >= 0 else (one[-lag:], other)
        overlap = min(len(early), len(late))
        values.append(float(early[:overlap] @ late[:overlap]) / (scale * math.sqrt(max(overlap, 1))))
    return np.array(values)
