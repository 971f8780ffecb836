"""The closed form of the best entropy, against numerical integration and the table of docs/measuring.md."""

import math

import pytest
from scipy import integrate, stats

from mixnet.benchmarks.anonymity.optimum import degree, optimum, spread, tail


@pytest.mark.parametrize(
    ("rate", "holds", "delay", "bits"),
    [(200, 3, 0.5, 9.309), (100, 3, 0.5, 8.309), (50, 3, 0.5, 7.309), (20, 3, 0.5, 5.987), (10, 3, 0.5, 4.987)],
)
def test_it_gives_the_table(rate, holds, delay, bits):
    assert optimum(rate, holds, delay) == pytest.approx(bits, abs=6e-4)


@pytest.mark.parametrize("holds", [1, 2, 4, 7])
@pytest.mark.parametrize("delay", [0.01, 0.5, 30])
def test_the_spread_is_the_entropy_of_a_gamma_density(holds, delay):
    density = stats.gamma(holds, scale=delay)
    bits, _ = integrate.quad(
        lambda t: -density.pdf(t) * density.logpdf(t) / math.log(2), 0, 60 * holds * delay, points=[holds * delay]
    )
    assert spread(holds, delay) == pytest.approx(bits, rel=1e-5, abs=1e-5)


def test_nothing_is_hidden_without_delay_or_traffic():
    assert optimum(100, 3, 0.0) == 0.0
    assert optimum(0.0, 3, 1.0) == 0.0
    assert optimum(1e-9, 3, 1.0) == 0.0


def test_the_degree_is_a_share_of_a_uniform_choice():
    assert degree(5.0, 1024) == 0.5
    assert degree(math.log2(7), 7) == 1.0
    assert degree(0.0, 1) == 0.0


def test_the_tail_is_as_rare_as_asked():
    assert stats.gamma(3, scale=0.5).sf(tail(3, 0.5, 1e-4)) == pytest.approx(1e-4)
