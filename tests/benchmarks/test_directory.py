"""`mixnet bench directory`: what a round costs, and that it grows as its votes do."""

import json

from benchmarks.cli import app
from benchmarks.directory import measure, render


def test_json_is_one_object(capsys):
    app(["bench", "directory", "--authorities", "3", "--nodes", "10", "--json"], result_action="return_value")
    figures = json.loads(capsys.readouterr().out)
    assert (figures["authorities"], figures["nodes"], figures["steps"]) == (3, 10, 5)
    assert figures["bytes_exchanged"] > 6 * figures["vote_bytes"]  # each tells two others


def test_each_vote_crosses_each_link_once():
    few, many = measure(authorities=5, nodes=20), measure(authorities=5, nodes=60)
    grown = many["bytes_exchanged"] - few["bytes_exchanged"]
    assert grown == 5 * 4 * (many["vote_bytes"] - few["vote_bytes"])
    assert many["largest_message"] < 2 * many["vote_bytes"]


def test_people_get_a_table(capsys):
    render(measure(authorities=3, nodes=10))
    assert "exchanged by all" in capsys.readouterr().out
