"""The list behind `mixnet --help`: it says what the rooms say, and loads none of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mixnet import overview
from mixnet.cli import HEAD

ROOT = Path(__file__).parents[2]


def test_the_list_is_what_the_rooms_have():
    assert overview.read() == sorted(overview.gather()), "write it anew: python -m mixnet.overview"


def test_the_help_is_printed_without_what_makes_it_slow():
    script = (
        "import sys, mixnet.cli as c; sys.argv = ['mixnet', '--help']; c._run();"
        "sys.exit(bool({'cyclopts', 'rich', 'client', 'benchmarks'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  send: Send a text" in done.stdout


def test_a_command_loads_its_own_room_only():
    script = (
        "import sys, mixnet.cli as c; sys.argv = ['mixnet', 'up', '--help']; c._run();"
        "sys.exit('mixnet.client.cli.app' in sys.modules or 'mixnet.deploy.cli' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_a_room_that_the_list_does_not_know_is_shown_all_the_same():
    script = (
        "import sys, mixnet.cli as c; sys.argv = ['mixnet', '--help']; lines = c.overview.read();"
        "c.overview.read = lambda: [line for line in lines if line.room != 'local']; c._run()"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert "  up: Start a network" in done.stdout


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_at_a_terminal_no_line_is_wider_than_it(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    page = overview.render(HEAD, overview.read(), terminal=True)
    assert max(map(len, page.splitlines())) <= columns


def test_commands_are_grouped_as_in_the_readme():
    rows = re.findall(r"^\| ([^|]+) \| (`.*`) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    table = {
        title: list(dict.fromkeys(one.split()[0] for one in re.findall("`([^`]+)`", cells))) for title, cells in rows
    }
    shown = {title: [one.name for one in lines] for title, lines in overview.grouped(overview.read())}
    assert shown == {title: names for title, names in table.items() if title in shown}


def test_a_list_that_cannot_be_read_is_empty(monkeypatch, tmp_path):
    monkeypatch.setattr(overview, "LIST", tmp_path / "none")
    assert overview.read() == []
    assert overview.room_of("send", overview.read()) is None
