"""One option has one name, one kind of value and one meaning in all commands; help has words for what it takes."""

import io
import json
import re
from collections import defaultdict

import pytest
from cyclopts import Argument
from rich.console import Console

from mixnet import cli
from mixnet.cli import build
from mixnet.explain import USER_ERROR, exit_status, wants_json
from mixnet.help import HelpLayout
from tests.mixnet.commands import commands

APP = build()
EVERY = {" ".join(path): one.assemble_argument_collection(parse_docstring=True) for path, one in commands(APP).items()}
# What an option is, in each command that has it. One that two commands have stands here: look whether it is the same.
SHARED = {
    "--after": "the message or place behind which one goes on",
    "--authorities": "how many there are",
    "--bootstrap": "a file that says whom to trust",
    "--clients": "how many users there are",
    "--code": "a code to say: `invite` makes it, `accept` takes it",
    "--contact": "only with or of this contact",
    "--device": "what plays or records sound",
    "--dir": "the folder of the network",
    "--expires": "a period after which it is no more taken or sent",
    "--file": "what is sent",
    "--follow": "go on showing until Ctrl-C",
    "--foreground": "hold the terminal",
    "--full": "hours of measuring",
    "--json": "one JSON value",
    "--jsonl": "one JSON object a line",
    "--layers": "layers of mixes",
    "--limit": "how many to show",
    "--markdown": "the document to write",
    "--out": "the file or folder to write to",
    "--passphrase": "ask for one that locks the profile",
    "--passphrase-file": "where it is, instead",
    "--backup-passphrase-file": "where that of a backup is",
    "--as": "what to call somebody or something here",
    "--image": "a picture with a code in it",
    "--port": "a port to listen at",
    "--providers": "how many there are",
    "--qr": "draw it too",
    "--qr-file": "draw it to a file",
    "--quick": "a glance instead of a measurement",
    "--report": "a report.json",
    "--role": "what a node is",
    "--scheduler": "of dask",
    "--seconds": "how long it lasts",
    "--seed": "what random choices follow from",
    "--since": "only from this time on",
    "--threshold": "how many authorities must sign",
    "--trace": "what an observer saw",
    "--truth": "what really happened",
    "--until": "only before this time",
    "--wait": "return only when it is there",
    "--width": "mixes in a layer",
    "--workers": "processes that share the work",
    "--yes": "don't ask",
}


def takes(one: Argument) -> bool:
    """Whether a value follows."""
    return one.hint is not bool


def test_an_option_that_two_commands_have_is_the_same_in_both() -> None:
    kinds: dict[str, dict[str, bool]] = defaultdict(dict)
    for command, of in EVERY.items():
        for one in of:
            if one.name.startswith("--") and one.show:
                kinds[one.name][command] = takes(one)
    shared = {name: found for name, found in kinds.items() if len(found) > 1}
    assert shared.keys() - SHARED.keys() == set(), "say what it is, if it is the same: else it needs another name"
    assert {name for name, found in shared.items() if len(set(found.values())) > 1} <= {"--code"}


def test_the_help_has_words_for_what_is_given() -> None:
    APP.help_formatter = HelpLayout(terminal=False)
    for path in commands(APP):
        file = io.StringIO()
        APP.help_print(list(path), console=Console(file=file, width=400))
        for line in file.getvalue().splitlines():
            label = line.partition(":")[0] if line.startswith(("  ", "Usage")) else ""
            assert not re.search(r"\b(STR|INT|FLOAT|PATH|CHOICE|DATETIME|BOOL|NAME NAME)\b", label), (path, line)
    for command, of in EVERY.items():
        for one in of:
            assert one.parameter.help or not one.show, (command, one.name)


# What they show is for eyes and ears, as long as one looks.
NO_PROGRAM = {"chat", "ui", "notify", "observe"}
ENDLESS = {"invite", "accept", "inbox", "files", "group messages", "status"}


def having(option: str) -> set[str]:
    return {command for command, of in EVERY.items() if option in [name for one in of for name in one.names]}


def test_each_command_prints_json_and_what_comes_by_and_by_in_lines():
    found = {form: having(form) for form in ("--json", "--jsonl", "--follow")}
    assert set(EVERY) - found["--json"] == NO_PROGRAM
    assert found["--jsonl"] == ENDLESS >= found["--follow"]


@pytest.mark.parametrize("command", EVERY)
def test_a_line_that_is_wrong_is_an_object_for_programs(command, monkeypatch, capsys):
    words = ["mixnet", *command.split(), "--no-such-option", "--json"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(cli, "build", lambda _only=None: APP)
    assert exit_status(cli._run, as_json=wants_json(words)) == USER_ERROR
    shown = capsys.readouterr()
    told = json.loads(shown.err)
    assert shown.out == "" and told.keys() == {"error", "hint", "exit"} and told["exit"] == USER_ERROR
    assert told["hint"].startswith("mixnet ") and told["hint"].endswith("--help")
