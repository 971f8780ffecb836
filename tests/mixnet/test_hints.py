"""No command that a message tells of acts on another network or profile than the one that its user named."""

import ast
import re
import shlex
import sys
from pathlib import Path

import pytest

from mixnet import cli, client, deploy, directory, hints
from mixnet.explain import exit_status
from tests.mixnet.commands import commands

HINT = re.compile("`mixnet ([^`]+)`")
FAILING = [
    ["inbox", "alice"],
    ["chat", "alice"],
    ["client", "init", "alice"],
    ["client", "start", "alice"],
    ["client", "stop", "alice"],
    ["client", "status", "alice"],
    ["privacy", "alice"],
    ["profile", "erase", "alice", "--yes"],
    ["profile", "export", "alice", "there"],
    ["mailbox", "erase", "alice", "--yes"],
    ["status"],
    ["down"],
]


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    monkeypatch.delenv("MIXNET_DIR", raising=False)
    for kept in (hints._named, hints._profile):
        monkeypatch.setattr(hints, "_named" if kept is hints._named else "_profile", [])


def test_it_is_known_of_each_command_whether_it_takes_a_network():
    found = commands(cli.build())
    assert len(found) > 60
    for path, one in found.items():
        options = {name for argument in one.assemble_argument_collection() for name in argument.names}
        assert hints.takes_network(path) == ("--dir" in options), path


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (["up", "--dir", "a b"], "a b"),
        (["up", "--dir=/x"], "/x"),
        (["send", "--dir", "x", "alice", "bob", "--", "--dir", "y"], "x"),
        (["up"], None),
        (["up", "--dir"], None),
    ],
)
def test_the_network_of_a_command_line_is_taken(line, named):
    hints.remember(line)
    assert hints.network() == named
    assert hints.network(Path("/given")) == "/given"


def test_a_command_gets_the_network_once_and_only_if_it_takes_one(monkeypatch):
    monkeypatch.setenv("MIXNET_DIR", "/e v")
    assert hints.here("see `mixnet status`, `mixnet demo`") == "see `mixnet status --dir '/e v'`, `mixnet demo`"
    for told in ("`mixnet up --dir /x`", "`mixnet send --help`", "`mixnet proof verify`", "mixnet status", "`ls`"):
        assert hints.here(told) == told
    hints.remember(["inbox", "--dir", "/line"])
    assert hints.here("`mixnet up`") == "`mixnet up --dir /line`"


def test_a_profile_is_filled_in_where_it_stands_and_nowhere_else():
    text = "`mixnet contacts PROFILE --delete PROFILE`, `mixnet accept THEIR-PROFILE`, PROFILE"
    hints.about("al ice")
    assert hints.here(text) == text.replace(" PROFILE --delete", " 'al ice' --delete")


@pytest.mark.parametrize("named", ["line", "environment"])
@pytest.mark.parametrize("words", FAILING, ids=" ".join)
def test_what_fails_tells_of_commands_for_the_same_network(tmp_path, monkeypatch, capsys, words, named):
    given = tmp_path / "net"
    monkeypatch.setattr(sys, "argv", ["mixnet", *words, *(["--dir", str(given)] if named == "line" else [])])
    if named == "environment":
        monkeypatch.setenv("MIXNET_DIR", str(given))
    assert exit_status(cli._run) in (1, 2, 3)
    told = HINT.findall(capsys.readouterr().err)
    assert told or words[0] == "chat"
    for hint in told:
        assert f"--dir {given}" in hint and "PROFILE" not in hint, hint


def test_what_is_said_beside_errors_and_notes_names_the_network_too():
    """Those two do it by themselves: whatever else prints a command has it made by one of these."""
    said = 0
    for room in (client, deploy, directory):
        for path in Path(room.__file__).parent.rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and _called(call) in ("say", "line", "write"):
                    said += 1
                    bare = [hint.split() for text in _bare(call) for hint in HINT.findall(text)]
                    assert not any(map(hints.takes_network, bare)), f"{path}:{call.lineno}"
    assert said > 50


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _bare(node: ast.AST) -> list[str]:
    """The texts in a call that no call in it makes into hints for a network."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    found = []
    for inner in ast.iter_child_nodes(node):
        if not (isinstance(inner, ast.Call) and _called(inner) in ("here", "completed", "command")):
            found += _bare(inner)
    return found


@pytest.mark.parametrize(
    "name", ["x --dir /theirs", "x -h", "a`b", "`mixnet down`", "o'brien", "; rm -rf ~", "$(id) PROFILE"]
)
def test_a_name_that_looks_like_a_part_of_a_command_changes_nothing_of_it(name):
    """A contact chose it. What the user types names his network, the profile, and this contact as one word."""
    text = f"see `mixnet contacts PROFILE --delete {shlex.quote(name)}`, please"
    told = hints.here(text, Path("/ours"), "alice")
    command = told.removeprefix("see `").removesuffix("`, please")
    assert shlex.split(command) == ["mixnet", "contacts", "alice", "--delete", name, "--dir", "/ours"]
