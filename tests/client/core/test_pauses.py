"""Random pauses: they have no memory, so they tell nothing of what began them."""

import math
import random
import statistics

import pytest

from mixnet.client.core.pauses import Pauses

MEAN = 180.0
N = 4000


def test_pauses_are_exponential_and_bounded():
    pauses = Pauses(MEAN, random.Random(1))
    lengths = [pauses.moment(contact, 1000.0) - 1000.0 for contact in range(N)]
    assert statistics.fmean(lengths) == pytest.approx(MEAN, rel=4 / math.sqrt(N))
    assert statistics.stdev(lengths) == pytest.approx(MEAN, rel=8 / math.sqrt(N))
    for quantile in (0.1, 0.5, 0.9):
        longer = sum(length > -MEAN * math.log(1 - quantile) for length in lengths) / N
        assert longer == pytest.approx(1 - quantile, abs=4 * math.sqrt(quantile * (1 - quantile) / N))
    assert max(lengths) <= 10 * MEAN


@pytest.mark.parametrize("later", [1.0, 60.0, 600.0])
def test_what_is_left_of_a_pause_is_as_long_as_a_new_one(later):
    """So whatever came, and when, has no part in when the answer leaves."""
    pauses = Pauses(MEAN, random.Random(2))
    left = [moment - later for contact in range(8 * N) if (moment := pauses.moment(contact, 0.0)) > later]
    assert statistics.fmean(left) == pytest.approx(MEAN, rel=5 / math.sqrt(len(left)))


def test_what_comes_during_a_pause_does_not_change_its_end():
    pauses = Pauses(MEAN, random.Random(3))
    moment = pauses.moment(1, 0.0)
    assert pauses.moment(1, moment / 2) == moment == pauses.next()
    assert pauses.moment(2, 0.0) != moment
    assert pauses.passed(moment - 1e-6) in ([], [2])
    assert 1 in pauses.passed(moment) and not pauses.drawn(1)
    assert pauses.moment(1, moment) > moment


def test_one_seed_gives_one_sequence():
    first, second = (Pauses(MEAN, random.Random(4)) for _ in range(2))
    assert [first.moment(n, 0.0) for n in range(9)] == [second.moment(n, 0.0) for n in range(9)]
