"""What a reader pays: its parts belong together, and are those of the real verification; never a time."""

import pytest

from mixnet.benchmarks.cost import reading
from mixnet.pki.errors import Expired
from tests.mixnet.pki.builders import START, Town

TOWN = Town(5, mixes=3, providers=1)


def test_every_figure_has_its_interval():
    figures = reading.measure(TOWN.signed(), TOWN.bootstrap, START, seconds=0.3)
    assert figures["floor_us"] > 0
    assert figures["rounds"] > 1
    assert [one["signatures"] for one in figures["documents"]] == [3, 5]
    for one in figures["documents"]:
        for name in ("whole_mults", "parsing_mults", "rest_mults"):
            low, high = one[f"{name}_ci"]
            assert low <= one[name] <= high


def test_the_parts_are_taken_from_one_round(monkeypatch):
    """A machine that halves its speed midway leaves every figure as it was."""
    slower = [1.0, 1.0, 2.0, 2.0]
    costs = {"floor": 1.0, "whole least": 70.0, "parsing least": 50.0, "whole all": 90.0, "parsing all": 51.0}
    monkeypatch.setattr(
        reading, "timed", lambda *_: {name: [cost * one for one in slower] for name, cost in costs.items()}
    )
    figures = reading.measure(TOWN.signed(), TOWN.bootstrap, START)
    assert [one["rest_mults"] for one in figures["documents"]] == [20.0, 39.0]
    assert figures["documents"][1]["rest_mults_ci"] == (39.0, 39.0)
    assert ("... all else", "39.0", "39.0 - 39.0", "< 50") in reading.rows(figures)


def test_what_is_timed_is_the_whole_verification():
    with pytest.raises(Expired):
        reading.measure(TOWN.signed(), TOWN.bootstrap, START + 1e9, seconds=0.0)
