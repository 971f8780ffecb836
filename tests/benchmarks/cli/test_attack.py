"""`mixnet attack`: a list, an attack on files, and clear refusals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mixnet.benchmarks import attacks
from mixnet.benchmarks.attacks import ATTACKS, UnknownAttack, load
from mixnet.benchmarks.attacks.scenarios import play
from mixnet.benchmarks.cli.app import app
from mixnet.benchmarks.cli.attack import attack
from mixnet.errors import LocalError

pytestmark = pytest.mark.timeout(300)


def test_without_a_name_all_attacks_are_listed(capsys):
    assert attack() == 0
    shown = capsys.readouterr().out
    assert all(name in shown and what in shown for name, what in ATTACKS.items())


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_offers_what_is_agreed(name):
    module = load(name)
    assert name == module.SUBJECT.name
    assert module.SUBJECT.threats and module.SUBJECT.adversary and module.SUBJECT.defence
    assert all(hasattr(module, thing) for thing in ("score", "measure"))


def test_every_module_of_an_attack_is_in_the_table():
    folder = Path(attacks.__file__).parent
    found = {path.stem for path in folder.glob("*.py") if "\nSUBJECT = " in path.read_text(encoding="utf-8")}
    assert found == set(ATTACKS)


def test_an_attack_on_files(tmp_path, capsys):
    world = play(clients=6, busy=3, seconds=20, seed=1)
    trace, truth = tmp_path / "trace.csv", tmp_path / "truth.ndjson"
    world.trace.write(trace)
    world.truth.write(truth)
    arguments = ["attack", "disclosure", "--trace", str(trace), "--truth", str(truth)]
    app([*arguments, "--json"], result_action="return_value")
    found = json.loads(capsys.readouterr().out)
    assert found["finding"]["name"] == "disclosure"
    assert found["disclosure_ratio"] is not None
    assert len(found["disclosure_ratio_ci"]) == 2
    app(arguments, result_action="return_value")
    assert "6 clients" in capsys.readouterr().out


def test_half_of_the_files_and_unknown_names_are_refused(tmp_path):
    with pytest.raises(LocalError, match="--truth"):
        attack("activity", trace=tmp_path / "trace.csv")
    with pytest.raises(UnknownAttack, match="correlation"):
        attack("nonsense")


def test_the_list_loads_nothing_heavy():
    program = (
        "import sys, mixnet.benchmarks.cli.attack; sys.exit(bool({'numpy', 'sklearn', 'trio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
