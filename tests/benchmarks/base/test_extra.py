"""Whoever lacks a library of the extra `bench` reads one line that says what to do, whatever the command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mixnet import benchmarks
from mixnet.benchmarks.base import jobs
from mixnet.benchmarks.base.extra import LIBRARIES, MissingLibrary, needed, require
from mixnet.extras import installation

LINE = f"is not installed: `{installation('bench')}`, then try again"


COMMANDS = {
    "anonymity": "anonymity(quick=True)",
    "plan": "plan(clients=10, latency=10.0, entropy=3.0, bandwidth='10kB/s')",
    "flooding": "attack('flooding', quick=True)",
    "position": "attack('position', quick=True)",
    "latency": "latency()",
    "throughput": "throughput()",
    "all": "everything(quick=True)",
    "threats": "threats(quick=True)",
}
SCRIPT = f"""
import sys
sys.modules[sys.argv[1]] = None
from mixnet.benchmarks.cli.anonymity import anonymity, plan
from mixnet.benchmarks.cli.attack import attack
from mixnet.benchmarks.base.extra import MissingLibrary
from mixnet.benchmarks.cli.real import latency, throughput
from mixnet.benchmarks.cli.report import everything, threats

for name, command in {COMMANDS!r}.items():
    if name in sys.argv[2:]:
        try:
            eval(command)
        except MissingLibrary as missing:
            print(name, missing)
"""


@pytest.mark.parametrize(
    ("library", "commands"),
    [
        ("numpy", list(COMMANDS)),
        ("sklearn", ["position"]),
        ("matplotlib", ["all", "threats"]),
        ("jinja2", ["all", "threats"]),
    ],
    ids=["numpy", "sklearn", "matplotlib", "jinja2"],
)
def test_each_command_says_the_same(tmp_path, library, commands):
    path = [str(Path(benchmarks.__file__).parent.parent), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, library, *commands],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [f"{name} {library} {LINE}" for name in commands]


def test_a_library_whose_version_is_asked_for_says_the_same(monkeypatch):
    monkeypatch.setattr(jobs, "_LIBRARIES", ("no-such-library",))
    with pytest.raises(MissingLibrary, match=f"no-such-library {LINE[:20]}"):
        jobs.code()


def test_another_missing_module_is_a_bug():
    with pytest.raises(ModuleNotFoundError), needed():
        raise ModuleNotFoundError(name="mixnet.nothing")
    with pytest.raises(MissingLibrary), needed():
        raise ModuleNotFoundError(name="scipy.stats")


def test_all_libraries_are_there_in_this_environment():
    require()
    assert LIBRARIES
