"""Classifiers that learn from windows of other clients, and the figures that judge them (docs/measuring.md).

Pure but for the libraries' threads. Promises: nothing is learned from a client that is judged, nor is a column's scale
taken from one; results follow from the seed. `R` below is the error of a classifier when both classes are as likely.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from mixnet.benchmarks.base.statistics import Estimate, Sample, auc, magnitude, scaled

Table = NDArray[np.float64]  # a row for each window or pair, a column for each feature
Labels = NDArray[np.bool_]


def boosted(train: Table, labels: Labels, test: Table, *, seed: int) -> Sample:
    """Gradient boosting's score for each row of `test`."""
    rounds = 60 if len(train) > 200 else 30
    model = HistGradientBoostingClassifier(
        max_iter=rounds, min_samples_leaf=max(2, min(20, len(train) // 10)), random_state=seed
    )
    with threadpool_limits(1):  # threads that wait for each other on a busy machine cost more than they save
        model.fit(train, labels)
        scores: Sample = model.decision_function(test)
    return scores


def nearest(train: Table, labels: Labels, test: Table) -> Sample:
    """Of each row's k = ln n nearest neighbours in `train` the share that is positive."""
    scale = StandardScaler().fit(train)
    model = KNeighborsClassifier(max(1, round(math.log(len(train)))))
    model.fit(scale.transform(train), labels)
    with threadpool_limits(1):
        shares: Sample = model.predict_proba(scale.transform(test))[:, list(model.classes_).index(True)]
    return shares


def halves(clients: NDArray[np.int64], rng: np.random.Generator, groups: NDArray[np.bool_]) -> Labels:
    """For each row whether its client is in the first half; of clients with any row in `groups`, too, half are."""
    chosen: list[int] = []
    special = np.unique(clients[groups])
    for members in (special, np.setdiff1d(clients, special)):
        chosen.extend(rng.permutation(members)[: (len(members) + 1) // 2])
    return np.isin(clients, chosen)


def balanced_error(scores: Sample, labels: Labels, threshold: float = 0.5) -> float:
    """The classifier's error when both classes are as likely; a score at the threshold is a coin's throw."""
    guess = np.where(scores == threshold, 0.5, scores > threshold)
    return float((1 - guess[labels].mean() + guess[~labels].mean()) / 2)


def averaged(parts: list[Estimate]) -> Estimate:
    """The mean of estimates that may depend on one another wholly, as the two folds of one sample do."""
    value = float(np.mean([one.value for one in parts]))
    half = float(np.mean([one.high - one.low for one in parts])) / 2
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def judged(scores: Sample, labels: Labels) -> Estimate:
    """The area under the ROC curve of scores."""
    return auc(scores[labels], scores[~labels])


def advantage(area: Estimate) -> Estimate:
    """An area under a ROC curve whichever way it is read: 0.5 plus its distance from 0.5."""
    return Estimate(*(0.5 + value for value in magnitude(scaled(area, 1.0, less=0.5))))
