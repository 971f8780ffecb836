"""The likelihood ratio is the formula of docs/measuring.md, and points the right way."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mixnet.benchmarks.attacks.evidence import Law, correlations, counts, evidence
from mixnet.benchmarks.attacks.schedules import PairModel, dispersion, exponential, poisson

LAW = Law(4, 0.5, 0.05)
TIMES = st.lists(st.floats(0, 40), max_size=30).map(lambda times: np.array(sorted(times)))


def formula(sent, received, share, start, end):
    """As it is written down, one term after the other."""
    received = [time for time in received if start <= time < end]
    if not received or not len(sent):
        return 0.0
    span = end - start
    null = len(received) / span
    whole = stats.gamma(LAW.stages, scale=LAW.mean)
    expected = sum(whole.cdf(end - s - LAW.shift) - whole.cdf(start - s - LAW.shift) for s in sent)
    unrelated = max(0.05 * null, null - share * expected / span)
    terms = [math.log((unrelated + share * sum(whole.pdf(t - s - LAW.shift) for s in sent)) / null) for t in received]
    return sum(terms) - share * expected + (null - unrelated) * span


@settings(max_examples=60, deadline=None)
@given(TIMES, TIMES, st.sampled_from([0.1, 0.3, 0.9]))
def test_it_is_the_formula(sent, received, share):
    found = evidence(sent, received, LAW, share, np.array([5.0, 35.0]))
    assert found[0] == pytest.approx(formula(sent, received, share, 5.0, 35.0), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(TIMES, TIMES)
def test_windows_add_up(sent, received):
    parts = evidence(sent, received, LAW, 0.3, np.array([0.0, 7.0, 20.0, 40.0]))
    assert parts.sum() == pytest.approx(evidence(sent, received, LAW, 0.3, np.array([0.0, 40.0]))[0], abs=1e-9)


def test_the_law_is_the_gamma_distribution():
    lags = np.linspace(0, 12, 200)
    assert LAW.density(lags) == pytest.approx(stats.gamma.pdf(lags, 4, scale=0.5))
    assert LAW.distribution(lags) == pytest.approx(stats.gamma.cdf(lags, 4, scale=0.5))
    assert stats.gamma.sf(LAW.reach, 4, scale=0.5) < 2e-6


def test_related_pairs_have_more_of_it_than_unrelated_ones():
    rng, model, edges = np.random.default_rng(1), PairModel(LAW), np.array([0.0, 300.0])
    sums = {
        related: [
            evidence(pair.sent, pair.arrived, LAW, model.share, edges)[0]
            for pair in (model.draw(300.0, rng, related=related) for _ in range(20))
        ]
        for related in (True, False)
    }
    assert np.mean(sums[True]) > 3 > -3 > np.mean(sums[False])


def test_a_pair_of_the_model_has_the_rates_that_it_says():
    rng, model = np.random.default_rng(2), PairModel(LAW)
    for related in (True, False):
        pairs = [model.draw(2000.0, rng, related=related) for _ in range(10)]
        per_second = [
            sum(map(len, times)) / 20_000 for times in zip(*[(p.arrived, p.down) for p in pairs], strict=True)
        ]
        assert per_second == pytest.approx([0.7, 1.0], rel=0.05)
        assert all(np.all(np.diff(times) >= 0) for pair in pairs for times in (pair.sent, pair.onward, pair.arrived))


def test_correlation_is_highest_at_the_true_lag():
    rng = np.random.default_rng(3)
    sent = rng.poisson(2.0, 500).astype(float)
    received = np.roll(sent, 5) + rng.poisson(1.0, 500)
    found = correlations(sent, received, range(-8, 9))
    assert list(range(-8, 9))[int(found.argmax())] == 5
    assert correlations(np.zeros(10), np.ones(10), range(3)).tolist() == [0, 0, 0]


def test_counts_leave_out_the_rest():
    assert counts(np.array([0.1, 0.9, 1.1, 2.4, 2.6]), 0.0, 2.5, 1.0).tolist() == [2, 1]


def test_figures_of_agreement_tell_poisson_from_regular():
    rng = np.random.default_rng(4)
    random = [poisson(1.0, 0.0, 1000.0, rng) for _ in range(8)]
    regular = [np.arange(0.0, 1000.0) + rng.random() for _ in range(8)]
    assert exponential(random, 1.0) < 0.03 < 0.5 < exponential(regular, 1.0)
    assert dispersion(random, 0.0, 1000.0, 10.0).covers(1.0)
    assert dispersion(regular, 0.0, 1000.0, 10.0).high < 0.2
