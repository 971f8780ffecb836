"""`mixnet bench anonymity` on models: a table for people, one object for programs, and work in other processes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from mixnet.benchmarks.anonymity import model, sweep
from mixnet.benchmarks.anonymity.network import NetworkModel, flow
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cli.app import app
from mixnet.errors import LocalError
from tests.benchmarks.anonymity.traces import recorded

SMALL = ["bench", "anonymity", "--clients", "20", "--quick"]


@pytest.fixture(autouse=True)
def few_targets(monkeypatch):
    monkeypatch.setitem(sweep.TARGETS, Size.QUICK, 6)


def call(arguments, capsys):
    assert app(arguments, result_action="return_value") == 0
    return capsys.readouterr().out


def test_one_network(capsys):
    shown = call([*SMALL, "--corrupt", "0.5"], capsys)
    assert "H*, the optimum" in shown
    assert "seen through" in shown
    row = json.loads(call([*SMALL, "--rate", "2", "--json"], capsys))
    assert row["network"]["rate"] == 2
    assert row["entropy"][1] < row["entropy"][0] < row["entropy"][2] < row["optimum"] + 0.2


def test_sweeps(capsys):
    shown = call([*SMALL, "--sweep", "layers, width"], capsys)
    assert "Entropy in bits against layers" in shown
    assert "Entropy in bits against width" in shown
    found = json.loads(call([*SMALL, "--sweep", "layers", "--json"], capsys))
    assert [row["layers"] for row in found["sweeps"]["layers"]] == [1, 2, 3, 4, 5]


def test_a_recorded_network(capsys, tmp_path):
    run = flow(NetworkModel(users=8, rate=2.0, delay=0.5, width=2, providers=2), 50.0, np.random.default_rng(1))
    trace, journeys = recorded(run)
    trace.write(tmp_path / "t.csv")
    (tmp_path / "u.ndjson").write_text("".join(json.dumps(one.as_map()) + "\n" for one in journeys))
    files = ["--trace", str(tmp_path / "t.csv"), "--truth", str(tmp_path / "u.ndjson")]
    shown = call(["bench", "anonymity", *files], capsys)
    assert "8, 2" in shown
    assert "hides its sender" in shown
    row = json.loads(call(["bench", "anonymity", *files, "--skip", "10", "--json"], capsys))
    assert row["entropy"][0] == pytest.approx(row["optimum"], abs=0.3)
    assert row["network"]["providers"] == 2
    with pytest.raises(LocalError, match="belong together"):
        app(["bench", "anonymity", *files[:2]], result_action="return_value")


def test_a_wrong_sweep_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(model, "point", None)
    with pytest.raises(LocalError, match="no sweep over"):
        app([*SMALL, "--sweep", "layers,moon"], result_action="return_value")


def test_processes_find_what_one_finds(capsys):
    alone = call([*SMALL, "--json"], capsys)
    assert call([*SMALL, "--workers", "2", "--json"], capsys) == alone


def test_the_commands_load_nothing_heavy():
    heavy = {"numpy", "scipy", "trio", "distributed"}
    program = f"import sys, mixnet.benchmarks.cli.app; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
