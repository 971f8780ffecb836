"""Lines: slopes are found, bends are noticed, and noise is not taken for either."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.benchmarks.cost.scaling.line import STRAIGHT, fit

PLACES = [10, 50, 100, 250, 500, 1000]


@given(st.floats(-1e3, 1e3), st.floats(-1e6, 1e6))
def test_an_exact_line_is_found(slope, start):
    line = fit(PLACES, [start + slope * x for x in PLACES])
    assert line.slope.value == pytest.approx(slope, rel=1e-6, abs=1e-6)
    assert line.at(300) == pytest.approx(start + 300 * slope, rel=1e-6, abs=1e-3)
    assert line.least_bend <= STRAIGHT
    assert line.residual < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_bend_a_line(seed):
    rng = random.Random(seed)
    line = fit(PLACES, [50 + 0.1 * x + rng.gauss(0, 2) for x in PLACES])
    assert line.slope.nearly_covers(0.1)
    assert line.slope.low > 0
    assert line.least_bend <= STRAIGHT


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_quadratic_is_noticed(seed):
    rng = random.Random(seed)
    line = fit(PLACES, [50 + 0.0002 * x**2 + rng.gauss(0, 2) for x in PLACES])
    assert not line.least_bend <= STRAIGHT
    assert line.bend.value < 0 or line.bend.value > 0.15


def test_what_is_flat_is_straight_though_it_wavers():
    line = fit(PLACES, [100, 101, 99.5, 100.5, 100, 100.2])
    assert line.least_bend <= STRAIGHT
    assert line.slope.covers(0)


def test_a_step_is_no_line_but_is_rated_by_its_residual():
    line = fit(list(range(10)), [0.0] * 5 + [1.0] * 5)
    assert line.residual > 0.1


def test_three_points_have_a_slope_without_a_bend_that_could_be_believed():
    line = fit([1, 2, 3], [1, 2, 3])
    assert line.slope.value == pytest.approx(1)
    assert line.least_bend <= STRAIGHT
