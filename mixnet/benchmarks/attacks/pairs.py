"""Scores for pairs of clients: how strongly each pair looks like sender and receiver, by several methods and views.

Promises: the vectorised model and runs of the real actors are scored by the same functions. A view is where the
observer stands: `VIEWS` has the external one, which sees links alone, first. What a corrupt provider sees is taken from
the truth, which only stands in for what it would see itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.attacks.evidence import Law, correlations, counts, evidence
from mixnet.benchmarks.attacks.observed import Arrays, Observed
from mixnet.benchmarks.attacks.schedules import FlowPair, PairModel
from mixnet.benchmarks.base.statistics import Sample

VIEWS = {
    "external": "sees all links",
    "exit": "sees all links, and is the receiver's provider",
    "entry": "sees all links, and is the sender's provider",
    "both": "sees all links, and is both providers",
}
LAW = Law(4, 0.5, 0.05)  # of the model: that of the worlds of real actors
BIN = 0.5  # seconds, of the counts that are correlated
LAGS = range(-8, 28)  # of those bins
SLACK = 1.0  # seconds by which the last row may come before the end of the last window
PEAK = range(0, 20)  # where in LAGS the correlation of a true pair may be highest: from 0 to 10 s later


class Sight(NamedTuple):
    """The sender's and the receiver's times that one view shows of a pair, and how they hang together."""

    sent: Sample
    received: Sample
    law: Law


class Scored(NamedTuple):
    """Scores of true and of false pairs."""

    true: Sample
    false: Sample


def law_of(observed: Observed) -> Law:
    """How long a packet is on its way from its sender to the receiver's mailbox."""
    return Law(observed.stages, observed.mean_delay, observed.latency * (observed.stages + 1))


def _after_entry(law: Law) -> Law:
    """From the entry provider's door on."""
    return Law(law.stages - 1, law.mean, law.shift * law.stages / (law.stages + 1))


def sight(view: str, law: Law, pair: FlowPair) -> Sight:
    """What a view shows of a pair."""
    corrupt_exit, corrupt_entry = view in ("exit", "both"), view in ("entry", "both")
    received = pair.arrived if corrupt_exit else pair.down
    return Sight(pair.onward, received, _after_entry(law)) if corrupt_entry else Sight(pair.sent, received, law)


def features(seen: Sight, start: float, end: float) -> Sample:
    """The cross-correlation of binned counts at LAGS: what peak and filter read and a classifier learns from."""
    return correlations(counts(seen.sent, start, end, BIN), counts(seen.received, start, end, BIN), LAGS)


def peak(table: NDArray[np.float64]) -> Sample:
    """The highest correlation at any plausible lag."""
    plausible = [LAGS.index(lag) for lag in PEAK]
    highest: Sample = table[:, plausible].max(axis=1)
    return highest


def matched(table: NDArray[np.float64], law: Law) -> Sample:
    """The correlations weighed by how likely a packet takes that lag."""
    lags = np.array(LAGS) * BIN - law.shift
    weights = np.where(lags > 0, law.density(np.maximum(lags, 0.0)), 0.0)
    weighed: Sample = table @ weights
    return weighed


# The model.


def model_pairs(
    *,
    pairs: int,
    windows: Sequence[float],
    long: float,
    views: Sequence[str],
    seed: Sequence[int],
    related: bool,
) -> Arrays:
    """Pairs of the model: for each view the evidence in the first so many seconds, a column a window, and features.

    Windows ascend. The features of view v, of the first `long` seconds, have the key `v features`. Deterministic, with
    JSON-able arguments: a job.
    """
    rng = np.random.default_rng([*seed, related])
    model = PairModel(LAW)
    edges = np.array([0.0, *windows])
    found: dict[str, list[Sample]] = {}
    for _ in range(pairs):
        pair = model.draw(windows[-1], rng, related=related)
        for view in views:
            seen = sight(view, model.law, pair)
            found.setdefault(view, []).append(np.cumsum(evidence(*seen, model.share, edges)))
            found.setdefault(f"{view} features", []).append(features(seen, 0.0, long))
    return {key: np.array(values) for key, values in found.items()}


# Runs of actors, or of anything else that left a trace.


@dataclass(frozen=True)
class PairTable:
    """All pairs of clients in all windows of one length: which are true, and the frames of each."""

    observed: Observed
    window: float

    @property
    def edges(self) -> Sample:
        """Where windows begin and end."""
        count = int((self.observed.seconds + SLACK) / self.window)
        return np.asarray(self.observed.start + self.window * np.arange(count + 1), dtype=np.float64)

    def labels(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(written, unrelated), each by sender, receiver and window: the pairs of neither kind are left out."""
        edges = self.edges
        written = [self.observed.written(*span) > 0 for span in itertools.pairwise(edges)]
        unrelated = ~self.observed.related() & ~np.eye(len(self.observed.clients), dtype=bool)
        return np.stack(written, axis=2), np.repeat(unrelated[:, :, None], len(edges) - 1, axis=2)

    def share(self) -> float:
        """Of a sender's frames, how many go to each of those to whom it writes: the mean over true pairs."""
        whole = self.observed.written(self.observed.start, self.observed.end)
        frames = np.array([self._within(times) for times in self.observed.up], dtype=np.float64)
        senders, _ = np.nonzero(whole)
        return float((whole[whole > 0] / np.maximum(frames[senders], 1)).mean()) if len(senders) else 0.0

    def scores(self, view: str) -> Scored:
        """The evidence for each pair and window."""
        true, false = self.labels()
        share, edges = self.share(), self.edges
        found = np.zeros(true.shape)
        for sender, receiver in np.argwhere((true | false).any(axis=2)):
            found[sender, receiver] = evidence(*self._sight(view, sender, receiver), share, edges)
        return Scored(found[true], found[false])

    def correlation_peaks(self) -> Scored:
        """The peaks of the correlations of what all links show."""
        true, false = self.labels()
        found = np.zeros(true.shape)
        for sender, receiver in np.argwhere((true | false).any(axis=2)):
            seen = self._sight("external", sender, receiver)
            rows = [features(seen, *span) for span in itertools.pairwise(self.edges)]
            found[sender, receiver] = peak(np.array(rows))
        return Scored(found[true], found[false])

    def _sight(self, view: str, sender: int, receiver: int) -> Sight:
        seen = self.observed
        pair = FlowPair(seen.up[sender], seen.onward(sender), seen.arrivals(receiver), seen.down[receiver])
        return sight(view, law_of(seen), pair)

    def _within(self, times: Sample) -> int:
        return int(((times >= self.observed.start) & (times < self.observed.end)).sum())


def joined(parts: Sequence[Scored]) -> Scored:
    """The scores of several runs."""
    return Scored(np.concatenate([one.true for one in parts]), np.concatenate([one.false for one in parts]))
