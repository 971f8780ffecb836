"""`mixnet bench world`: one object for programs, a table for people, and the two files."""

import json
import subprocess
import sys

import pytest

from mixnet.benchmarks.cli.app import app
from mixnet.benchmarks.cost.conversations import measure, render
from mixnet.benchmarks.simulation.trace import read

pytestmark = pytest.mark.timeout(300)
ARGUMENTS = ["bench", "world", "--clients", "2", "--seconds", "60", "--codec", "plain"]


def test_json_is_one_object_and_the_files_are_what_it_says(tmp_path, capsys):
    trace, truth = tmp_path / "trace.csv", tmp_path / "truth.ndjson"
    app([*ARGUMENTS, "--json", "--trace", str(trace), "--truth", str(truth)], result_action="return_value")
    figures = json.loads(capsys.readouterr().out)
    assert figures["clients"] == 2
    assert figures["messages_received"] == figures["messages_sent"] > 0
    assert read(trace).fingerprint() == figures["fingerprint"]
    assert len(read(trace)) == figures["rows"]
    kinds = [json.loads(line)["kind"] for line in truth.read_text().splitlines()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == figures["packets"]


def test_people_get_a_table(capsys):
    render(measure(clients=2, minutes=0.5, seed=1, codec="plain"))
    assert "fingerprint" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--clients", "0"], ["--seconds", "0"], ["--codec", "none"], ["--seed", "x"]])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(SystemExit):
        app(["bench", "world", *arguments])


def test_the_commands_load_nothing_heavy():
    program = (
        "import sys, mixnet.benchmarks.cli.app; sys.exit(bool({'trio', 'nacl', 'mixnet.client'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
