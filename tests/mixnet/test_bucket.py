"""The token bucket never lets more pass than it says, and never refuses who keeps to the rate."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.bucket import TokenBucket

STEPS = st.lists(st.tuples(st.floats(0, 10), st.integers(0, 100)), min_size=1, max_size=40)


@given(st.floats(0, 50), st.integers(1, 100), STEPS)
def test_over_any_span_no_more_than_burst_and_rate_pass(
    rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    bucket, now, passed = TokenBucket(rate, burst, 0.0), 0.0, []
    for pause, wanted in steps:
        now += pause
        granted = bucket.take(wanted, now)
        assert 0 <= granted <= wanted
        passed.append((now, granted))
    for index, (start, _) in enumerate(passed):
        total = 0
        for when, granted in passed[index:]:
            total += granted
            assert total <= burst + rate * (when - start) + 1e-6


@given(st.floats(0.1, 50), st.integers(1, 100), st.integers(1, 50))
def test_who_keeps_to_the_rate_is_never_refused(rate: float, burst: int, count: int) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    assert bucket.take(burst, 0.0) == burst
    assert all(bucket.take(1, number * 1.001 / rate) == 1 for number in range(1, count))


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(10.0, 10, 100.0)
    assert bucket.take(10, 100.0) == 10
    assert bucket.take(10, 50.0) == 0
    assert bucket.take(10, 100.0) == 0


def test_another_rate_counts_from_now_on() -> None:
    bucket = TokenBucket(10.0, 10, 0.0)
    assert bucket.take(10, 0.0) == 10
    bucket.adapt(100.0, 50)
    assert bucket.take(100, 0.1) == 10
    assert bucket.take(100, 100.0) == 50


def test_a_burst_happens_at_once_and_no_more():
    it = TokenBucket(3 / 60.0, 3, -inf)
    assert [it.take(1, 100.0) for _ in range(5)] == [True, True, True, False, False]
    assert not it.has(100.0)


def test_it_fills_evenly_and_never_above_its_burst():
    it = TokenBucket(2 / 60.0, 2, -inf)
    assert it.take(1, 0.0) and it.take(1, 0.0)
    assert not it.take(1, 29.0) and it.has(30.0)
    assert it.take(1, 30.0) and not it.take(1, 59.0) and it.take(1, 60.5)
    assert [it.take(1, 10_000.0) for _ in range(3)] == [True, True, False]


def test_asking_costs_nothing_and_a_refusal_costs_nothing():
    it = TokenBucket(1 / 10.0, 1, -inf)
    assert all(it.has(5.0) for _ in range(3)) and it.take(1, 5.0)
    assert [it.take(1, 5.0 + second) for second in (3.0, 6.0, 9.0)] == [False, False, False]
    assert it.take(1, 15.0)


@pytest.mark.parametrize("back", [0.0, 50.0])
def test_a_clock_that_goes_back_gives_nothing_even_for_a_while(back: float):
    it = TokenBucket(1 / 10.0, 1, -inf)
    assert it.take(1, 100.0)
    assert not it.has(100.0 - back)
    assert not it.has(109.0) and it.has(110.0)
