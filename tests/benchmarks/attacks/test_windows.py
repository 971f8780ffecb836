"""Classifiers find what is there, learn nothing from those whom they judge, and find nothing where nothing is."""

import numpy as np
import pytest

from mixnet.benchmarks.attacks.learned import advantage, averaged, balanced_error, halves
from mixnet.benchmarks.attacks.observed import unpacked
from mixnet.benchmarks.attacks.scenarios import converse
from mixnet.benchmarks.attacks.windows import (
    GAPS,
    METHODS,
    Windows,
    described,
    differing,
    gathered,
    scores,
    tellable,
    told_apart,
    windows_of,
)
from mixnet.benchmarks.base.statistics import Estimate
from tests.benchmarks.attacks.worlds import OPEN, SMALL, run


def poisson_windows(rng, rates, clients=24, each=8, seconds=40.0):
    """Windows of clients that send at one rate while idle and at another while busy."""
    rows, client, busy = [], [], []
    for number in range(clients):
        for _ in range(each):
            rate = rates[number % 2]
            up, down = (np.sort(rng.uniform(0, seconds, rng.poisson(one * seconds))) for one in (rate, 1.0))
            rows.append(described(up, down, np.full(len(up) + len(down), 9.0), 0.0, seconds))
            client.append(number)
            busy.append(bool(number % 2))
    table, gaps = (np.array([row[column] for row in rows]) for column in (0, 1))
    return Windows(np.array(client), np.array(busy), table, gaps)


@pytest.mark.parametrize("method", METHODS)
def test_each_classifier_tells_different_rates_apart_and_not_the_same_ones(method):
    rng = np.random.default_rng(1)
    different = told_apart(poisson_windows(rng, (1.0, 2.0)), seed=1)
    same = told_apart(poisson_windows(rng, (1.0, 1.0)), seed=1)
    assert different.areas[method].value > 0.95
    assert different.strongest.value > 0.95
    assert abs(same.areas[method].value - 0.5) < 0.15
    assert different.error < 0.15 < 0.35 < same.error


def test_nothing_is_learned_from_those_who_are_judged():
    """Each client has a mark of its own, by which a classifier that has met it would know its label."""
    rng = np.random.default_rng(2)
    clients = np.repeat(np.arange(40), 6)
    labels = rng.permutation(np.arange(40) % 2 == 0)[clients]
    marks = rng.random((40, 3))[clients]
    gaps = rng.poisson(1.0, (len(clients), 2 * (len(GAPS) - 1))).astype(float)
    found = told_apart(Windows(clients, labels, marks, gaps), seed=1)
    for area in (*found.areas.values(), found.strongest):
        assert abs(area.value - 0.5) < 0.2


def test_a_label_does_not_change_what_a_window_looks_like():
    seen = unpacked(run_small())
    windows = windows_of(seen, 10.0)
    assert windows.rarer >= 20
    assert set(windows.client[windows.busy]) == set(range(6))
    assert not set(windows.client[~windows.busy]) & set(range(6))
    assert windows.labelled(~windows.busy).table is windows.table


def run_small(job=SMALL):
    return run(converse, [job])[0]


def test_the_counts_of_a_window_are_those_of_the_trace():
    seen = unpacked(run_small())
    windows = windows_of(seen, 20.0)
    first = seen.up[0][(seen.up[0] >= seen.start) & (seen.up[0] < seen.start + 20)]
    assert len(windows) == 3 * len(seen.clients)
    assert windows.gaps[0, : len(GAPS) - 1].sum() == len(first) - 1
    assert windows.gaps[0, : len(GAPS) - 1] == pytest.approx(np.histogram(np.diff(first), bins=GAPS)[0])


def test_the_likelihood_ratio_points_at_the_busy_ones():
    rng = np.random.default_rng(3)
    train, test = (poisson_windows(rng, (1.0, 1.5)) for _ in range(2))
    found = scores(METHODS[0], train, test, seed=1)
    assert found[test.busy].mean() > 2 > -2 > found[~test.busy].mean()


def test_halves_share_no_client():
    clients = np.repeat(np.arange(9), 3)
    special = clients < 4
    first = halves(clients, np.random.default_rng(1), special)
    assert not set(clients[first]) & set(clients[~first])
    assert len(set(clients[first & special])) == 2
    assert len(set(clients[first])) == 5


def test_clients_of_different_runs_are_different():
    seen = windows_of(unpacked(run_small()), 20.0)
    both = gathered([seen, seen])
    assert len(set(both.client)) == 2 * len(set(seen.client))


def test_one_idle_client_is_too_few():
    rng = np.random.default_rng(4)
    windows = poisson_windows(rng, (1.0, 1.0), clients=4, each=30)
    assert tellable(windows)
    assert not tellable(windows.labelled(windows.client != 0))
    assert not tellable(windows.of(np.arange(len(windows)) % 30 < 5))


def test_every_write_that_differs_is_counted():
    seen = run_small()
    assert differing(unpacked(seen), unpacked(seen)) == 0
    moved = dict(seen)
    moved["rows_when"] = moved["rows_when"].copy()
    moved["rows_when"][5] += 1
    assert differing(unpacked(seen), unpacked(moved)) == 2
    shorter = {key: value[:-1] if key.startswith("rows_") else value for key, value in seen.items()}
    assert differing(unpacked(seen), unpacked(shorter)) == 1
    assert differing(unpacked(seen), unpacked(run_small(OPEN))) > 1000


def test_estimates_of_two_folds_are_no_more_certain_than_one():
    assert averaged([Estimate(0.5, 0.4, 0.6), Estimate(0.6, 0.5, 0.7)]) == pytest.approx((0.55, 0.45, 0.65))
    assert advantage(Estimate(0.45, 0.4, 0.52)) == pytest.approx((0.55, 0.5, 0.6))
    assert advantage(Estimate(0.3, 0.2, 0.4)) == pytest.approx((0.7, 0.6, 0.8))


def test_a_blind_classifier_errs_half_of_the_time():
    labels = np.array([True] * 10 + [False] * 90)
    assert balanced_error(np.full(100, 0.5), labels) == 0.5
    assert balanced_error(np.ones(100), labels) == 0.5
    assert balanced_error(labels.astype(float), labels) == 0.0
