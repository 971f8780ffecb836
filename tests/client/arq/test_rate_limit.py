"""A bucket that is full at first, empties by use, and fills with time."""

import pytest

from client.arq.rate_limit import RateLimit


def test_a_burst_happens_at_once_and_no_more():
    it = RateLimit(3, 60.0)
    assert [it.spend(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert not it.has(100.0)


def test_it_fills_evenly_and_never_above_its_burst():
    it = RateLimit(2, 60.0)
    assert it.spend(0.0) and it.spend(0.0)
    assert not it.spend(29.0) and it.has(30.0)
    assert it.spend(30.0) and not it.spend(59.0) and it.spend(60.5)
    assert [it.spend(10_000.0) for _ in range(3)] == [True, True, False]


def test_asking_costs_nothing_and_a_refusal_costs_nothing():
    it = RateLimit(1, 10.0)
    assert all(it.has(5.0) for _ in range(3)) and it.spend(5.0)
    assert [it.spend(5.0 + second) for second in (3.0, 6.0, 9.0)] == [False, False, False]
    assert it.spend(15.0)


@pytest.mark.parametrize("back", [0.0, 50.0])
def test_a_clock_that_goes_back_gives_nothing(back: float):
    it = RateLimit(1, 10.0)
    assert it.spend(100.0)
    assert not it.has(100.0 - back)
    assert not it.has(109.0) and it.has(110.0)
