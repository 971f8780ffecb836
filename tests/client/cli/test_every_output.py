"""Each command of a person shows whatever others wrote: to a pipe, a narrow terminal, or few letters."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
import trio

import mixnet.client.cli.app as every
from mixnet.client.api.command import Command
from mixnet.client.api.connection import Connection
from mixnet.client.cli.app import app
from mixnet.errors import Unavailable
from mixnet.explain import exit_status, wants_json
from mixnet.letters import RIGHT_TO_LEFT, steers
from tests.mixnet.commands import commands

COLUMNS = 40
ATTACK = (
    "אב\x1b[2J\r\u202e7  2026-11-30  ← boss: pay\n8  2026-11-30 10:00:00  ← boss: pay\u2028\u2066 \\n é👩\u200d👧漢\t"
    + "a\u0301" * 9
)
OURS = ("read_receipts", "acknowledgements")  # fields with words of ours
# Of each command what is asked; a path there isn't is refused in a line, too.
ASK = {
    ("invite",): ["alice"],
    ("accept",): ["alice", "mixnet1:text"],
    ("contacts",): ["alice"],
    ("codes",): ["alice"],
    ("match",): ["alice"],
    ("send",): ["alice", "bob", "hi", "--wait"],
    ("inbox",): ["alice", "--sent"],
    ("message",): ["alice", "7"],
    ("cancel",): ["alice", "7"],
    ("edit",): ["alice", "7", "hi"],
    ("disappear",): ["alice", "bob", "7d"],
    ("files",): ["alice"],
    ("play",): ["alice", "7"],
    ("reply",): ["alice", "7", "hi"],
    ("anonymous",): ["alice"],
    ("forge",): ["alice", "bob", "hi"],
    ("search",): ["alice", "hi"],
    ("retention",): ["alice", "bob"],
    ("delete",): ["alice", "7", "--yes"],
    ("privacy",): [],
    **{("group", verb): ["alice", "club"] for verb in ("create", "show", "accept", "leave", "messages")},
    **{("group", verb): ["alice", "club", "bob"] for verb in ("invite", "remove", "promote", "demote", "rename")},
    ("group", "list"): ["alice"],
    ("group", "send"): ["alice", "club", "hi"],
    ("group", "readers"): ["alice", "7"],
    ("address", "create"): ["alice"],
    ("address", "list"): ["alice"],
    ("address", "show"): ["alice", "id"],
    ("address", "retire"): ["alice", "id"],
    ("proof", "identity"): ["alice"],
    ("proof", "consent"): ["alice", "7"],
    ("proof", "receipts"): ["alice"],
    ("device", "list"): ["alice"],
    ("device", "revoke"): ["alice", "phone"],
    ("device", "rename"): ["alice", "phone", "tablet"],
    ("device", "fetch"): ["alice", "7"],
    ("device", "link"): ["alice"],
    ("device", "accept"): ["alice", "mixnet1:text"],
    ("mailbox", "show"): ["alice"],
}
# They print what our own daemon made, as it is.
MADE_HERE = {("invite",), ("address", "create"), ("device", "link"), ("proof", "identity"), ("forge",)}
# They start and end daemons, or read and write folders of their own; what they say is a line with names in it.
OTHERS = {("client", verb) for verb in ("init", "start", "stop", "status")} | {
    *(
        (noun, verb)
        for noun in ("proof", "mailbox", "profile")
        for verb in ("export", "verify", "erase", "backup", "restore")
    ),
    ("export",),
    ("chat",),  # a screen of its own
    ("ui",),  # a page in a browser
    ("notify",),  # it shows things elsewhere
    ("ui",),  # a page of its own
    ("profile", "import"),
    ("voice",),  # it waits for a microphone
    ("import",),
}


class Screen(io.TextIOWrapper):
    """An output of which one can see the bytes."""

    def __init__(self, encoding: str, *, terminal: bool) -> None:
        self.raw_bytes, self._terminal = io.BytesIO(), terminal
        super().__init__(self.raw_bytes, encoding, "replace")

    def isatty(self) -> bool:
        return self._terminal

    @property
    def shown(self) -> str:
        self.flush()
        return self.raw_bytes.getvalue().decode(self.encoding)


def hostile(kind: Any, field: str = "") -> Any:
    """A value of a type, with the attack in each text that others choose."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Annotated, Union, UnionType):
        return hostile(inner[0], field)
    if origin in (list, tuple, Sequence, Iterable):
        return (tuple if origin is tuple else list)([hostile(inner[0])] * 2)
    if origin in (dict, Mapping):
        return defaultdict(lambda: 1, connected=True, warnings=[], alarm="calm", problem=ATTACK, frames={}, received={})
    if isinstance(kind, type) and issubclass(kind, Enum):
        first = next(iter(kind))
        return {"kind": list(kind)[-1], "state": getattr(kind, "FAILED", first)}.get(field, first)
    if is_dataclass(kind) or hasattr(kind, "__struct_fields__"):
        hints = get_type_hints(kind, include_extras=True)
        names = getattr(kind, "__struct_fields__", None) or [one.name for one in fields(kind)]
        return kind(**{one: hostile(hints[one], one) for one in names if one not in OURS})
    plain = {str: ATTACK, bool: True, int: 7, float: 5.0, bytes: b"bytes", type(None): None, Any: None}
    return plain[kind]


class Hostile:
    """A channel to a daemon that answers everything with what is hostile, and with each page once."""

    def __init__(self) -> None:
        self._asked: list[type[Any]] = []

    async def ask(self, command: Command[Any]) -> Any:
        await trio.lowlevel.checkpoint()
        self._asked.append(type(command))
        again = self._asked.count(type(command)) > 1 and get_origin(type(command).returns) is list
        return [] if again else msgspec.to_builtins(hostile(type(command).returns))

    async def next_change(self) -> Any:
        raise Unavailable(f"nothing comes from {ATTACK}")


@asynccontextmanager
async def talk(*_: Any) -> Any:
    yield Connection(Hostile())


def show(monkeypatch: pytest.MonkeyPatch, words: list[str], encoding: str, *, terminal: bool) -> str:
    for room in vars(every).values():
        if hasattr(room, "talk"):
            monkeypatch.setattr(room, "talk", talk)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    out, err = Screen(encoding, terminal=terminal), Screen(encoding, terminal=terminal)
    with monkeypatch.context() as inner:
        inner.setattr(sys, "stdout", out)
        inner.setattr(sys, "stderr", err)
        exit_status(lambda: app(words, result_action="return_value", backend="trio", exit_on_error=False))
    return out.shown + err.shown


def asked(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> tuple[int, list[str], list[str]]:
    """The exit status of a command that shall print JSON, and the lines of its output and its error."""
    for room in vars(every).values():
        if hasattr(room, "talk"):
            monkeypatch.setattr(room, "talk", talk)
    out, err = Screen("utf-8", terminal=False), Screen("utf-8", terminal=False)
    with monkeypatch.context() as inner:
        inner.setattr(sys, "stdout", out)
        inner.setattr(sys, "stderr", err)
        run = lambda: app(words, result_action="return_value", backend="trio", exit_on_error=False)  # noqa: E731
        status = exit_status(run, as_json=wants_json(words))
    return status, out.shown.splitlines(), err.shown.splitlines()


def options_of(command: tuple[str, ...]) -> list[str]:
    return [name for one in commands(app)[command].assemble_argument_collection() for name in one.names]


@pytest.mark.parametrize("command", sorted(ASK), ids=" ".join)
def test_json_is_one_value_or_a_line_for_each_and_an_error_is_an_object(command, monkeypatch, tmp_path):
    options = options_of(command)
    words = [
        *command,
        *ASK[command],
        *(("--dir", str(tmp_path)) if "--dir" in options and command != ("privacy",) else ()),
    ]
    for form in ("--json", "--jsonl"):
        if form not in options:
            continue
        status, out, err = asked(monkeypatch, [*words, form])
        values = [json.loads(line) for line in out]
        if status == 0:
            assert len(values) == 1 if form == "--json" else all(isinstance(one, dict) for one in values)
            assert all(isinstance(one, dict | list) for one in values)
        else:
            told = json.loads(err[-1])
            assert told.keys() == {"error", "hint", "exit"} and told["exit"] == status in (1, 2, 3)


def test_each_command_is_asked():
    assert set(commands(app)) == ASK.keys() | OTHERS & set(commands(app))


@pytest.mark.parametrize("command", sorted(ASK.keys() - MADE_HERE), ids=" ".join)
def test_nothing_that_others_wrote_steers_hides_or_stands_for_ours(command, monkeypatch, tmp_path):
    words = [*command, *ASK[command], *(() if command == ("privacy",) else ("--dir", str(tmp_path)))]
    for encoding in ("utf-8", "latin-1", "ascii"):
        piped = show(monkeypatch, words, encoding, terminal=False)
        assert not any(steers(one) for one in piped if one not in "\n\t") and "\u202e" not in piped
        assert not re.search(r"^8  2026", piped, re.MULTILINE)
        narrow = re.sub("\x1b\\[[01]m", "", show(monkeypatch, words, encoding, terminal=True))
        assert not any(steers(one) for one in narrow if one != "\n")
        assert not re.search(r"^8  2026", narrow, re.MULTILINE), "as a line of ours"
        for line in narrow.splitlines():
            depth = 0
            for one in line:
                depth += (one in "\u2066\u2067\u2068") - (one == "\u2069")
                assert depth > 0 or not RIGHT_TO_LEFT.match(one) or one == "\u2069"
            assert depth == 0
    if "--json" in [name for one in commands(app)[command].assemble_argument_collection() for name in one.names]:
        for line in show(monkeypatch, [*words, "--json"], "ascii", terminal=False).splitlines():
            assert line.startswith("mixnet: ") or json.loads(line) is not None
