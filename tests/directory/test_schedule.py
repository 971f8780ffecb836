"""All authorities know the same times, and rounds don't overlap what they must not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.clock import Epochs
from mixnet.directory.schedule import REGULAR, RoundPlan, late, regular

GENESIS = 1_000_000.0
lengths = st.floats(2.0, 86_400.0)
step_counts = st.sampled_from([3, 5, 7, 9, 33])


def five(_epoch: int) -> int:
    """Steps of a round with three authorities."""
    return 5


def assert_ordered(plan: RoundPlan, steps: int) -> None:
    times = [plan.opens, plan.collect_until, *plan.step_ends]
    assert len(plan.step_ends) == steps
    assert all(one < other for one, other in itertools.pairwise(times))


@given(length=lengths, steps=step_counts, epoch=st.integers(1, 1000))
def test_the_regular_round_is_in_the_second_half_of_the_epoch_before(length: float, steps: int, epoch: int) -> None:
    epochs = Epochs(GENESIS, length)
    plan = regular(epochs, epoch, steps)
    assert_ordered(plan, steps)
    assert (plan.epoch, plan.attempt) == (epoch, REGULAR)
    assert plan.opens == pytest.approx(epochs.start(epoch) - length / 2)
    assert plan.step_ends[-1] == pytest.approx(epochs.start(epoch) - length / 10)


@given(length=lengths, steps=step_counts, share=st.floats(0, 50))
def test_a_late_round_can_be_joined_and_ends_in_its_epoch(length: float, steps: int, share: float) -> None:
    epochs = Epochs(GENESIS, length)
    now = GENESIS + share * length
    plan = late(epochs, now, lambda _: steps)
    assert_ordered(plan, steps)
    assert now < plan.collect_until
    assert plan.attempt > REGULAR
    assert plan.epoch in (epochs.at(now), epochs.at(now) + 1)
    assert plan.opens >= epochs.start(plan.epoch) - 1e-3
    assert plan.step_ends[-1] <= epochs.end(plan.epoch) + 1e-3


@given(length=lengths, share=st.floats(0, 3))
def test_no_late_round_is_joined_twice(length: float, share: float) -> None:
    epochs = Epochs(GENESIS, length)
    now = GENESIS + share * length
    seen: list[tuple[int, int]] = []
    last: RoundPlan | None = None
    for _ in range(5):
        last = late(epochs, now, five, last)
        seen.append((last.epoch, last.attempt))
        now = max(now, last.opens)
    assert seen == sorted(set(seen))


def test_before_the_first_epoch_it_is_the_first_one_that_is_planned() -> None:
    plan = late(Epochs(GENESIS, 1200.0), GENESIS - 5.0, five)
    assert (plan.epoch, plan.attempt, plan.opens) == (0, 1, GENESIS)


@pytest.mark.parametrize(("length", "round_length"), [(1200.0, 30.0), (30.0, 10.0), (10.0, 5.0)])
def test_late_rounds_follow_one_another(length: float, round_length: float) -> None:
    epochs = Epochs(GENESIS, length)
    first, second = late(epochs, GENESIS, five), late(epochs, GENESIS + 0.7 * round_length, five)
    assert (first.opens, second.opens) == (GENESIS, GENESIS + round_length)
    assert first.step_ends[-1] == pytest.approx(second.opens)
