"""Which options of which command rule each other out, and that the command never sees two of them."""

from __future__ import annotations

from itertools import combinations

import pytest
from cyclopts import ArgumentCollection, Group, ValidationError
from cyclopts.argument import Argument

from mixnet import cli
from mixnet.cli import build
from mixnet.explain import USER_ERROR, exit_status
from tests.mixnet.commands import commands

DECISIONS = ["--verify", "--number", "--rename", "--note", "--block", "--unblock", "--relink", "--read-receipts"]
DECISIONS += ["--default-read-receipts", "--acknowledgements", "--delete"]
PAIRS = {  # as they are meant; what is ruled out in a command but not here, or the other way round, is a mistake
    "contacts": set(combinations(DECISIONS, 2)),
    "invite": {("--qr", "--code"), ("--qr-file", "--code"), ("--out", "--code")},
    "accept": {("INVITATION", "--code"), ("INVITATION", "--image"), ("--code", "--image")},
    "device accept": {("INVITATION", "--image")},
    "match": {("--me", "--off"), ("--address-book", "--off")},
    "demo": {("--json", "--watch")},
    "observe": {("--record", "--replay"), ("--node", "--replay")},
    "profile restore": set(combinations(["--passphrase", "--passphrase-file", "--no-passphrase"], 2)),
    "profile backup": {("--backup-passphrase", "--backup-passphrase-file")},
    "send": {("TEXT", "--file"), ("--file", "--anonymous"), ("--signed", "--anonymous")},
    "voice": {("CONTACT", "--devices"), ("--file", "--device")},
    "play": {("--device", "--out")},
    "delete": {("NUMBER", "--contact"), ("--contact", "--for-everyone")},
    "client init": {("--passphrase", "--passphrase-file")},
    "client start": {("--foreground", "--json")},
    "up": {("--foreground", "--json")},
    "directory show": {("--out", "--why")},
    "threats": {("--report", "--quick")},
    "bench anonymity": {("--quick", "--full")},
    "attack": {("--quick", "--full")},
}
SIZED = ("all", "scale", "idle", "start", "hostile", "latency", "throughput")
PAIRS |= {f"bench {one}": {("--quick", "--full")} for one in SIZED}
NEEDED = {"accept", "device accept", "send", "voice", "delete"}  # one of the first two must be there
VALUES = {"--read-receipts": ["bob", "off"], "--default-read-receipts": ["on"], "NUMBER": ["7"]}
VALUES |= {"--acknowledgements": ["bob", "prompt"]}

EVERY = {" ".join(path): one.assemble_argument_collection() for path, one in commands(build()).items()}


def groups(one: Argument) -> set[int]:
    """Those that rule something out."""
    found = one.parameter.group
    assert isinstance(found, tuple)
    return {id(group) for group in found if isinstance(group, Group) and group.validator}


def ruled_out(of: ArgumentCollection) -> set[tuple[str, str]]:
    return {(a.name, b.name) for a, b in combinations(of, 2) if groups(a) & groups(b)}


def test_what_rules_out_what_is_as_meant() -> None:
    assert {name: pairs for name, of in EVERY.items() if (pairs := ruled_out(of))} == PAIRS


def words(command: str, *given: str) -> list[str]:
    """The command with these options, and what else it needs."""
    made = command.split()
    for one in EVERY[command]:
        if one.name.startswith("--") and one.name in given:
            count = 0 if one.hint is bool else 2 if "tuple" in str(one.hint) else 1
            made += [one.name, *VALUES.get(one.name, ["x"] * count)]
        elif not one.name.startswith("--") and (one.required or one.name in given):
            made += VALUES.get(one.name, ["x"])
    return made


@pytest.mark.parametrize("command", PAIRS)
def test_two_that_rule_each_other_out_are_refused_by_name(command: str) -> None:
    app = build()

    def parse(*given: str) -> None:
        app.parse_args(words(command, *given), exit_on_error=False, print_error=False)

    for one, other in PAIRS[command]:
        with pytest.raises(ValidationError, match=f"{one} and {other} can't be given together"):
            parse(one, other)
        if command not in NEEDED:
            parse(one)
            parse(other)
    if command in NEEDED:
        with pytest.raises(ValidationError, match="give "):
            parse()


def test_a_refusal_is_one_line_and_wrong_usage(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["mixnet", *words("contacts", "--block", "--unblock")])
    assert exit_status(cli._run) == USER_ERROR
    shown = capsys.readouterr()
    assert shown.err == "mixnet: --block and --unblock can't be given together (see `mixnet contacts --help`)\n"
    assert shown.out == ""
