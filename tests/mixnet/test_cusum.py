"""Page's test: its value, its bound on false alarms, and how fast it is."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.cusum import Cusum

H = 4.0
MOST = 10 * math.exp(H)
SHARES = [(0.01, 0.05), (0.01, 0.2), (0.6, 0.9)]


def outcomes_to_alarm(test: Cusum, share: float, rng: random.Random) -> int:
    """Counted no further than to where a mean of such runs is above the bound."""
    number = 0
    while not test.fired and number < MOST:
        test.add(rng.random() < share)
        number += 1
    return number


def mean_outcomes(harmless: float, harmful: float, share: float, h: float, runs: int) -> float:
    rng = random.Random(f"{harmless} {harmful} {share}")
    return sum(outcomes_to_alarm(Cusum(harmless, harmful, h), share, rng) for _ in range(runs)) / runs


def divergence(one: float, other: float) -> float:
    return one * math.log(one / other) + (1 - one) * math.log((1 - one) / (1 - other))


@given(st.lists(st.booleans(), max_size=200), st.sampled_from(SHARES))
def test_the_value_is_the_largest_evidence_of_all_recent_stretches(outcomes, shares):
    """Page's other form: the highest sum of log ratios over a stretch that ends now, unless the cap cut it."""
    harmless, harmful = shares
    test = Cusum(harmless, harmful, threshold=math.inf)
    ratios = []
    for harm in outcomes:
        test.add(harm)
        ratios.append(math.log(harmful / harmless) if harm else math.log((1 - harmful) / (1 - harmless)))
        best = max([0.0, *(sum(ratios[start:]) for start in range(len(ratios)))])
        assert test.value == pytest.approx(best, abs=1e-9)


@given(st.lists(st.booleans(), max_size=300), st.sampled_from(SHARES), st.floats(0.1, 20))
def test_the_value_stays_between_rest_and_threshold(outcomes, shares, h):
    test = Cusum(*shares, threshold=h)
    for harm in outcomes:
        test.add(harm)
        assert 0.0 <= test.value <= h
        assert test.fired == (test.value == h)
        assert test.at_rest == (test.value == 0.0)
        assert harm or not test.fired or test.value < h


@pytest.mark.parametrize(("harmless", "harmful"), SHARES)
@pytest.mark.parametrize("part", [1.0, 0.5])
def test_the_mean_time_to_a_false_alarm_is_at_least_the_bound(harmless, harmful, part):
    assert mean_outcomes(harmless, harmful, harmless * part, H, 200) >= math.exp(H)


@pytest.mark.parametrize(("harmless", "harmful"), SHARES)
def test_a_harmful_share_is_found_about_as_fast_as_entropy_allows(harmless, harmful):
    h = math.log(1e6)
    limit = h / divergence(harmful, harmless)
    overshoot = math.log(harmful / harmless) / divergence(harmful, harmless)
    assert limit < MOST
    assert 0.7 * limit < mean_outcomes(harmless, harmful, harmful, h, 300) < limit + 2 * overshoot
