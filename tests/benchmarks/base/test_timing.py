"""How costs become figures: turns, medians, intervals; never a time."""

import random

from mixnet.benchmarks.base.timing import median, ratios, timed


def test_every_round_times_every_task():
    called = {"one": 0, "two": 0}

    def task(name):
        called[name] += 1

    shares = []
    rounds = timed({name: lambda name=name: task(name) for name in called}, 0.02, shares.append)
    assert len(rounds["one"]) == len(rounds["two"]) > 0
    assert all(called[name] > len(rounds[name]) for name in called)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_there_is_a_round_even_without_time():
    assert len(timed({"one": lambda: None}, 0.0)["one"]) == 1


def test_the_sides_of_a_ratio_belong_to_one_round():
    assert ratios([2.0, 6.0], [1.0, 2.0], 2.0) == [4.0, 6.0]


def test_the_interval_covers_the_median_and_widens_with_the_noise():
    draw = random.Random(1)
    widths = []
    for noise in (0.01, 0.1):
        middle, (low, high) = median([draw.gauss(1.5, noise) for _ in range(200)])
        assert low < middle < high
        widths.append(high - low)
    assert widths[1] > 3 * widths[0]
