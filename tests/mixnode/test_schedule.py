"""Slots depend on their stream alone, and a machine that stood still makes up for nothing."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from mixnode.schedule import PATIENCE, PoissonSchedule


def times(seed: int, late: list[float]) -> list[float]:
    """The slots of a sender that is `late` by so much at each of them."""
    schedule, now, slots = PoissonSchedule(random.Random(seed), 0.0), 0.0, []
    for delay in late:
        slot, _ = schedule.next(20.0, now)
        slots.append(slot)
        now = max(now, slot) + delay
    return slots


@given(st.integers(), st.lists(st.floats(0, PATIENCE / 200), max_size=100))
def test_small_delays_change_no_slot(seed: int, late: list[float]) -> None:
    assert times(seed, late) == times(seed, [0.0] * len(late))


@given(st.integers(), st.lists(st.floats(0, 3), max_size=60))
def test_no_slot_is_used_that_is_too_late_and_the_others_are_the_same(seed: int, late: list[float]) -> None:
    schedule, now = PoissonSchedule(random.Random(seed), 0.0), 0.0
    every, rng, at = set(), random.Random(seed), 0.0
    while at < 200:
        at += rng.expovariate(20.0)
        every.add(at)
    used = skipped = 0
    for delay in late:
        slot, missed = schedule.next(20.0, now)
        assert slot >= now - PATIENCE
        assert slot in every or slot > 200
        used, skipped, now = used + 1, skipped + missed, max(now, slot) + delay
    if late and slot <= 200:
        assert used + skipped == sum(one <= slot for one in every)


def test_a_rate_of_zero_has_no_slots() -> None:
    assert PoissonSchedule(random.Random(1), 0.0).next(0.0, 5.0) == (math.inf, 0)


def test_the_gaps_are_exponential() -> None:
    slots = times(3, [0.0] * 20_000)
    gaps = [after - before for before, after in zip([0.0, *slots], slots, strict=False)]
    mean = sum(gaps) / len(gaps)
    assert abs(mean - 0.05) < 0.002
    assert abs(sum(gap > mean for gap in gaps) / len(gaps) - math.exp(-1)) < 0.015
