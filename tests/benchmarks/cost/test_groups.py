"""The comparison of groups with unicast: what it says, and that its model is honest."""

import random
from statistics import mean

import pytest

from mixnet.benchmarks.cost.groups import AWAY, Model, at_quantile, measure, render, rollercoaster, settings_of
from mixnet.client.core.outgoing import MessengerSettings
from mixnet.pki.parameters import Parameters
from tests.client.worlds.channel import MEAN_DELAY, RATE
from tests.client.worlds.circle import Circle


@pytest.fixture(scope="module")
def figures():
    return measure(trials=5, seed=3, sizes=(128,))


def test_a_large_group_is_reached_four_times_as_fast(figures):
    for table, least in zip(figures["tables"], (3.5, 6.0), strict=True):
        for row in table["rows"]:
            for way in ("first", "later"):
                assert row["faster"][way]["0.9"][0] > least, (table["network"], row["away"], way)
    assert [row["away"] for row in figures["tables"][0]["rows"]] == list(AWAY)


def test_the_same_seed_gives_the_same_figures_and_a_table(figures, capsys):
    assert measure(trials=5, seed=3, sizes=(128,)) == figures
    render(figures)
    shown = capsys.readouterr().out
    assert "unicast" in shown and "128" in shown


def test_members_who_are_away_keep_nobody_from_it():
    settings = settings_of(Parameters())
    model = Model(32, frozenset(range(1, 12)), settings, random.Random(1))
    doubted = rollercoaster(model)
    assert set(model.reached) == set(range(12, 32)) and doubted == set(range(1, 12))


def test_real_messengers_take_the_time_that_the_model_says(tmp_path):
    """Eight of them, whose network adds 60 ms and a part of a slot to each way; the model adds neither."""
    circle = Circle(tmp_path, 8, seed=2)
    circle.found()
    times = []
    for turn in range(12):
        start = circle.now
        number = circle.send(circle.names[turn % 8], f"{turn}")
        others = [name for name in circle.names if name != circle.names[turn % 8]]
        arrived = {}

        def all_there(turn=turn, others=others, arrived=arrived, start=start):
            for name in others:
                if name not in arrived and any(text == f"{turn}" for _, text in circle.heard(name)):
                    arrived[name] = circle.now - start
            return len(arrived) == 7

        assert circle.run(60, all_there)
        times.append(at_quantile(sorted(arrived.values()), 1.0))
        assert circle.run(60, lambda number=number, who=circle.names[turn % 8]: circle.delivered(who, number))
    settings = MessengerSettings(mean_delay=MEAN_DELAY, payload_rate=RATE)
    predicted = []
    for seed in range(100):
        model = Model(8, frozenset(), settings, random.Random(seed))
        rollercoaster(model)
        predicted.append(max(model.reached.values()))
    assert 0.75 < mean(times) / (mean(predicted) + 0.06) < 1.4
