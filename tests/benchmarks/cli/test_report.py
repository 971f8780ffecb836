"""`mixnet bench all` and `mixnet threats`: exit status, JSON, refusals, and what is said without the extra."""

import json
import subprocess
import sys
from functools import cache

import pytest

from mixnet.benchmarks.cli import report
from mixnet.benchmarks.cli.app import app
from mixnet.benchmarks.cli.options import NoReport
from mixnet.benchmarks.cli.report import everything, threats
from mixnet.benchmarks.report import parts as table
from mixnet.benchmarks.threats import checks
from mixnet.errors import Unavailable
from tests.benchmarks.report.studies import Study

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def offered(monkeypatch):
    """The parts that there are, instead of the real ones."""
    studies = [Study("correlation", alone=True)]
    monkeypatch.setattr(table, "parts", lambda _only=(), *, size: studies)
    return studies


def test_a_report_in_all_its_forms(offered, tmp_path, capsys):
    assert everything(out=tmp_path / "out", quick=True) == 0
    shown = capsys.readouterr().out
    assert "H* - H & more" in shown
    assert "1 of 1" in shown
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.json", "report.md", "report.html"}
    assert everything(out=tmp_path / "out", quick=True, as_json=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "report.json").read_text())
    assert (printed["gap_bits"], printed["gap_bits_ci"]) == (0.1, [0.05, 0.15])


@pytest.mark.parametrize("way", ["raises", "loses"])
def test_what_fails_makes_the_exit_status_one(offered, tmp_path, way):
    offered[:] = [Study("one", way, alone=True)]
    assert everything(out=tmp_path, quick=True) == 1


def test_the_catalogue_of_a_report(offered, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(checks, "run", cache(checks.run))  # once for both forms
    everything(out=tmp_path, quick=True)
    capsys.readouterr()
    page = tmp_path / "threats.md"
    assert threats(report=tmp_path / "report.json", markdown=page, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    verdicts = {row["requirement"]: row["verdict"] for row in reversed(found["rows"])}
    met = ("T1", "T2", "T3", "T5", "P1", "P4", "P5", "P6", "F1", "F2", "F5")
    assert {verdicts[name] for name in met} == {"met"}
    assert {verdicts[name] for name in ("T4", "P3", "F3", "F4")} == {"not claimed"}
    assert all(f"| {row['requirement']} |" in page.read_text() for row in found["rows"])
    assert threats(report=tmp_path / "report.json") == 0
    assert "By adversary" in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "", "[]", '{"findings": []}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NoReport, match="mixnet bench all"):
        threats(report=path)


@pytest.mark.parametrize("command", [everything, threats])
def test_without_the_extra_it_says_what_to_install(monkeypatch, command, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Unavailable, match="matplotlib is not installed: `"):
        command(quick=True)


def test_another_missing_module_is_a_bug(monkeypatch):
    monkeypatch.setattr(report, "require", lambda: __import__("no_such_module"))
    with pytest.raises(ModuleNotFoundError):
        everything(quick=True)


def test_help_names_the_command_and_loads_nothing_heavy():
    script = (
        "import sys, mixnet.benchmarks.cli.app; print([m for m in ('numpy', 'trio', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert "all" in app["bench"]
