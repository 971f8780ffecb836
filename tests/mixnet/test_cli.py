import subprocess
import sys
from importlib import metadata

import pytest
from cyclopts import App

from mixnet.cli import build
from mixnet.overview import GROUP
from tests.mixnet.commands import commands

COMMANDS = {
    "demo",
    "up",
    "status",
    "down",
    "client",
    "invite",
    "accept",
    "contacts",
    "send",
    "inbox",
    "notify",
    "directory",
    "bench",
}
HEAVY = {"trio", "nacl", "cryptography", "OpenSSL", "apsw", "x3dh", "doubleratchet", "msgspec", "phonenumbers"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mixnet", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_every_sub_command_of_the_project_is_there() -> None:
    assert {path[0] for path in commands(build())} >= COMMANDS


def test_every_sub_command_shows_an_example() -> None:
    every = commands(build())
    assert every
    without = [" ".join(path) for path, command in every.items() if "mixnet " not in (command.help or "")]
    assert without == []


def test_help_elsewhere_than_at_a_terminal_is_plain_and_never_broken() -> None:
    for helped in (run(*arguments).stdout for arguments in (("--help",), ("send", "--help"))):
        assert not set("│─╭╰") & set(helped)
        assert "[default: False]" not in helped
        assert "[default: None]" not in helped
    assert max(map(len, run("--help").stdout.splitlines())) > 80


def test_help_and_version() -> None:
    helped = run("--help")
    assert helped.returncode == 0
    assert all(command in helped.stdout for command in COMMANDS)
    assert run("--version").stdout.strip() == metadata.version("mixnet")


@pytest.mark.parametrize("arguments", [["sing"], ["up", "--layers", "many"], ["up", "--colour", "red"], ["accept"]])
def test_a_wrong_command_line_is_one_line_that_names_the_help(arguments) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "--help" in result.stderr
    assert result.stdout == ""


def test_the_command_of_every_room_is_read_without_what_makes_it_slow() -> None:
    script = (
        "import sys; from mixnet.cli import build; app = build(); [app[name] for name in app];"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_nothing_slow_is_loaded_before_ctrl_c_is_taken_in_silence() -> None:
    script = "import sys, mixnet.cli; sys.exit('cyclopts' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_entry_points_are_those_of_the_rooms() -> None:
    entries = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    assert set(entries) == {"local", "client", "directory", "bench"}
    assert all(isinstance(entry.load(), App) for entry in entries.values())


def test_completion_knows_the_commands() -> None:
    script = build().generate_completion(shell="bash")
    assert all(command in script for command in COMMANDS)
