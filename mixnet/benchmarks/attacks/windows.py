"""Windows of a client's link, and classifiers that tell busy ones from idle ones (docs/measuring.md).

Pure but for the libraries' threads. Promises: a window is described by what its frames' times and sizes tell and by
nothing else; which classifier counts as the strongest is decided on clients that are not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.attacks.evidence import correlations, counts
from mixnet.benchmarks.attacks.learned import Labels, Table, averaged, balanced_error, boosted, halves, judged, nearest
from mixnet.benchmarks.attacks.observed import Arrays, Observed
from mixnet.benchmarks.attacks.schedules import poisson
from mixnet.benchmarks.base.statistics import Estimate, Sample

METHODS = ("likelihood ratio", "k nearest neighbours", "gradient boosting")
QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
GAPS = np.concatenate([[0.0], np.geomspace(1e-4, 300.0, 60), [np.inf]])  # borders of bins, in means of the gaps
FEW = 20  # windows of a class: fewer are not looked at
BIN = 1.0  # seconds, of counts whose correlations are looked at
LAGS = range(4)
PRIOR = 0.5  # added to each bin of a histogram


@dataclass(frozen=True)
class Windows:
    """Rows of windows: whose, whether busy, what they look like, and histograms of the gaps up and down."""

    client: NDArray[np.int64]
    busy: Labels
    table: Table
    gaps: Table

    def __len__(self) -> int:
        return len(self.busy)

    def of(self, which: Labels) -> Windows:
        """Some of the rows."""
        return Windows(self.client[which], self.busy[which], self.table[which], self.gaps[which])

    def labelled(self, busy: Labels) -> Windows:
        """The same rows with other labels."""
        return replace(self, busy=busy)

    @property
    def rarer(self) -> int:
        """How many windows the smaller class has."""
        return int(min(self.busy.sum(), (~self.busy).sum()))


def tellable(windows: Windows) -> bool:
    """Whether both classes have windows enough, of clients enough to learn from some and judge others."""
    if windows.rarer < FEW:
        return False
    return all(len(np.unique(windows.client[which])) >= 2 for which in (windows.busy, ~windows.busy))


def gathered(parts: Sequence[Windows]) -> Windows:
    """Windows of several runs; clients of different runs are different ones."""
    shift = 1 + max((int(one.client.max()) for one in parts if len(one)), default=0)
    return Windows(
        np.concatenate([one.client + number * shift for number, one in enumerate(parts)]),
        np.concatenate([one.busy for one in parts]),
        np.concatenate([one.table for one in parts]),
        np.concatenate([one.gaps for one in parts]),
    )


# What a window looks like.


def described(up: Sample, down: Sample, sizes: Sample, start: float, seconds: float) -> tuple[Sample, Sample]:
    """(features, gap histograms) of a window: times of frames both ways, and the bytes of every write."""
    span = start, start + seconds
    series = [counts(times, *span, min(BIN, seconds)) for times in (up, down)]
    told: list[float] = [len(sizes), float(sizes.sum()), len(np.unique(sizes)), float(sizes.std()) if len(sizes) else 0]
    for times, one in zip((up, down), series, strict=True):
        gaps = np.diff(times) if len(times) > 1 else np.array([seconds])
        told += [len(times), gaps.mean(), gaps.var(), gaps.min(), gaps.max(), *np.quantile(gaps, QUANTILES)]
        told += [one.var() / max(one.mean(), 1e-9), one.max(), *correlations(one, one, LAGS)[1:]]
    sent, received = series
    told += [*correlations(sent, received, LAGS), *correlations(received, sent, LAGS)[1:]]
    return np.nan_to_num(np.array(told, dtype=np.float64)), _histograms(up, down)


def _histograms(up: Sample, down: Sample) -> Sample:
    """The gaps of both directions, binned; beside them how many there are."""
    binned = [np.histogram(np.diff(times), bins=GAPS)[0] for times in (up, down)]
    return np.concatenate(binned).astype(np.float64)


def windows_of(observed: Observed, seconds: float) -> Windows:
    """All whole windows of a run, busy where a message of or for the client was on its way to or from its provider."""
    number = int((observed.seconds + 1.0) / seconds)
    edges = np.asarray(observed.start + seconds * np.arange(number + 1), dtype=np.float64)
    rows = observed.rows
    clients, busy, table, gaps = [], [], [], []
    for client in range(len(observed.clients)):
        mine = rows.client == client
        when, size = rows.when[mine] / 1e9, rows.size[mine].astype(np.float64)
        active = _busy_windows(observed, client, edges)
        for index in range(number):
            span = edges[index], edges[index + 1]
            up, down = (_between(times, *span) for times in (observed.up[client], observed.down[client]))
            features, binned = described(up, down, size[(when >= span[0]) & (when < span[1])], span[0], seconds)
            clients.append(client)
            busy.append(active[index])
            table.append(features)
            gaps.append(binned)
    return Windows(np.array(clients, dtype=np.int64), np.array(busy, dtype=np.bool_), np.array(table), np.array(gaps))


def _busy_windows(observed: Observed, client: int, edges: Sample) -> Labels:
    """In which windows the client sent a message, or one came to its mailbox."""
    packets = observed.packets
    sent = packets.left[packets.messages & (packets.sender == client)]
    came = packets.arrived[packets.messages & (packets.receiver == client)]
    busy: Labels = np.histogram(np.concatenate([sent, came[~np.isnan(came)]]), bins=edges)[0] > 0
    return busy


def _between(times: Sample, start: float, end: float) -> Sample:
    first, last = np.searchsorted(times, [start, end])
    return times[first:last]


def model_windows(*, windows: int, seconds: float, size: int, seed: Sequence[int]) -> Arrays:
    """Windows of as many clients whose frames, of `size` bytes, keep to the schedules: table and gaps. A job."""
    rng = np.random.default_rng(seed)
    told = []
    for _ in range(windows):
        up, down = poisson(1.0, 0.0, seconds, rng), poisson(1.0, 0.0, seconds, rng)
        told.append(described(up, down, np.full(len(up) + len(down), float(size)), 0.0, seconds))
    return {"table": np.array([features for features, _ in told]), "gaps": np.array([gaps for _, gaps in told])}


# Telling them apart.


def scores(method: str, train: Windows, test: Windows, *, seed: int) -> Sample:
    """How busy each window of `test` looks to a classifier that learned from `train`."""
    if method == METHODS[0]:
        return test.gaps @ _log_ratios(train) - _surplus(train)
    if method == METHODS[1]:
        return nearest(train.table, train.busy, test.table)
    return boosted(train.table, train.busy, test.table, seed=seed)


def _log_ratios(train: Windows) -> Sample:
    """For each bin the log of how much more often busy windows of this length have a gap in it than idle ones."""
    means = [(train.gaps[which].sum(axis=0) + PRIOR) / which.sum() for which in (train.busy, ~train.busy)]
    ratios: Sample = np.log(means[0] / means[1])
    return ratios


def _surplus(train: Windows) -> float:
    """How many more frames a busy window has: the counts' part of the likelihood ratio of two Poisson processes."""
    return float(train.gaps[train.busy].sum(axis=1).mean() - train.gaps[~train.busy].sum(axis=1).mean())


@dataclass(frozen=True)
class Verdicts:
    """The area under each classifier's curve, the strongest's, and the error of the nearest neighbours."""

    areas: dict[str, Estimate]
    strongest: Estimate
    error: float


def told_apart(windows: Windows, *, seed: int) -> Verdicts:
    """Learn from half of the clients and judge the other half, both ways round.

    In each half the classifier counts as strongest that does best within the clients that it learns from, judged on
    others of them. `windows` must be `tellable`.
    """
    first = halves(windows.client, np.random.default_rng([seed, 7]), windows.busy)
    found: dict[str, list[Estimate]] = {method: [] for method in METHODS}
    best, errors = [], []
    for half in (first, ~first):
        train, test = windows.of(half), windows.of(~half)
        told = {method: scores(method, train, test, seed=seed) for method in METHODS}
        for method in METHODS:
            found[method].append(judged(told[method], test.busy))
        errors.append(balanced_error(told[METHODS[1]], test.busy))
        best.append(found[_promising(train, seed)][-1])
    return Verdicts({method: averaged(found[method]) for method in METHODS}, averaged(best), float(np.mean(errors)))


def _promising(windows: Windows, seed: int) -> str:
    """The classifier that does best on half of these clients, having learned from the others; the last by default."""
    inner = halves(windows.client, np.random.default_rng([seed, 8]), windows.busy)
    trial, proof = windows.of(inner), windows.of(~inner)
    if min(trial.rarer, proof.rarer) < 2:
        return METHODS[-1]
    marks = {method: judged(scores(method, trial, proof, seed=seed), proof.busy).value for method in METHODS}
    return max(METHODS, key=lambda method: marks[method])


def differing(one: Observed, other: Observed) -> int:
    """How many writes on clients' links one run has and the other hasn't, to the nanosecond and the byte."""
    tables = [np.stack([run.rows.when, run.rows.client, run.rows.up, run.rows.size], axis=1) for run in (one, other)]
    whole, inverse = np.unique(np.concatenate(tables), axis=0, return_inverse=True)
    border = len(tables[0])
    times = [np.bincount(part, minlength=len(whole)) for part in (inverse[:border], inverse[border:])]
    return int(np.abs(times[0] - times[1]).sum())
