"""`mixnet bench directory`: what a round costs, and that it grows as its votes do."""

import functools
import json

from mixnet.benchmarks.cli.app import app
from mixnet.benchmarks.cost import directory
from mixnet.benchmarks.cost.directory import measure, render


def test_json_is_one_object(capsys, monkeypatch):
    monkeypatch.setattr(directory, "measure", functools.partial(measure, seconds=0.1))
    app(["bench", "directory", "--authorities", "3", "--nodes", "10", "--json"], result_action="return_value")
    figures = json.loads(capsys.readouterr().out)
    assert (figures["authorities"], figures["nodes"], figures["steps"]) == (3, 10, 5)
    assert figures["bytes_exchanged"] > 6 * figures["vote_bytes"]  # each tells two others
    assert [reading["signatures"] for reading in figures["reader"]["documents"]] == [2, 3]


def test_each_vote_crosses_each_link_once():
    few, many = (measure(authorities=5, nodes=nodes, seconds=0.0) for nodes in (20, 60))
    grown = many["bytes_exchanged"] - few["bytes_exchanged"]
    assert grown == 5 * 4 * (many["vote_bytes"] - few["vote_bytes"])
    assert many["largest_message"] < 2 * many["vote_bytes"]


def test_people_get_a_table(capsys):
    render(measure(authorities=3, nodes=10, seconds=0.0))
    printed = capsys.readouterr().out
    assert "exchanged by all" in printed
    assert "one X25519" in printed
