"""The list behind `mixnet --help`: it says what the rooms say, and loads none of them."""

import subprocess
import sys

from mixnet import overview
from mixnet.cli import HEAD


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
        "sys.exit('client.cli.app' in sys.modules or 'deploy.cli' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_a_room_that_the_list_does_not_know_is_shown_all_the_same():
    script = (
        "import sys, mixnet.cli as c; sys.argv = ['mixnet', '--help']; lines = c.overview.read();"
        "c.overview.read = lambda: [line for line in lines if line.room != 'local']; c._run()"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert "  up: Start a network" in done.stdout


def test_at_a_terminal_no_line_is_wider_than_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    page = overview.render(HEAD, overview.read(), terminal=True)
    listed = page[page.index("Commands:") :].splitlines()
    assert max(map(len, listed)) <= 70
    assert [row.split()[0] for row in listed if row.startswith("  ") and row[2] != " "][:1] == ["accept"]


def test_a_list_that_cannot_be_read_is_empty(monkeypatch, tmp_path):
    monkeypatch.setattr(overview, "LIST", tmp_path / "none")
    assert overview.read() == []
    assert overview.room_of("send", overview.read()) is None
