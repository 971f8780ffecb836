"""Two words in the wrong order: the right command is told if it would work, and only then."""

from __future__ import annotations

import shlex
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from mixnet import cli, hints
from mixnet.client.api import connection
from mixnet.client.cli import options
from mixnet.errors import LocalError, Unavailable
from mixnet.explain import USER_ERROR, exit_status

KNOWN = {"alice": (["bob", "7"], ["club"]), "bob": (["al"], []), "asleep": (["bob"], [])}


class Me:
    """A connection to the daemon of one of them."""

    def __init__(self, name: str) -> None:
        self._contacts, groups = KNOWN[name]
        self.groups = SimpleNamespace(list=lambda: self._named(groups))

    async def contacts(self) -> list[Any]:
        return await self._named(self._contacts)

    @staticmethod
    async def _named(names: list[str]) -> list[Any]:
        return [SimpleNamespace(name=name) for name in names]


@asynccontextmanager
async def connect(folder: Any) -> Any:
    if folder.name == "asleep" or folder.name not in KNOWN:
        raise Unavailable("no daemon runs")
    yield Me(folder.name)


@pytest.mark.parametrize(
    ("line", "unknown", "meant"),
    [
        ("send alice hi bob", "hi", "send alice bob hi"),
        ("send alice 'hi there' bob --dir x", "hi there", "send alice bob 'hi there' --dir x"),
        ("group send alice hi club --wait", "hi", "group send alice club hi --wait"),
        ("send bob alice hi", "alice", "send alice bob hi"),
        ("contacts bob --verify alice", "alice", "contacts alice --verify bob"),
        ("send al bob hi", None, "send bob al hi"),
        ("group show club alice", None, "group show alice club"),
        ("send alice hi carl", "hi", None),
        ("send alice 'line\nbreak' bob", "line\nbreak", None),
        ("send alice '`x`' bob", "`x`", None),
        ("send alice asleep hi", "asleep", None),
        ("send bob asleep hi", "asleep", None),
        ("send carl bob hi", None, None),
    ],
)
async def test_the_other_order_is_told_if_it_would_work(line, unknown, meant, monkeypatch, tmp_path):
    monkeypatch.setattr(connection, "connect", connect)
    words = shlex.split(line)
    hints.remember(words)
    profile = words[2 if words[0] == "group" else 1]
    first = f"there is no contact named {unknown!r}: look"
    error = LocalError(first)
    if unknown is None:
        await options._ask_profile(error, tmp_path, profile)
    else:
        await options._ask_order(error, Me(profile), tmp_path, profile)  # type: ignore[arg-type]
    if meant is None:
        assert "did you mean" not in str(error)
    else:
        assert str(error).endswith(f" (did you mean `mixnet {meant}`?)")
    hints.remember([])


async def test_an_error_about_something_else_stays_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(connection, "connect", connect)
    hints.remember(["send", "alice", "bob", "club"])
    error = LocalError("this text is too long: send it as a file")
    await options._ask_order(error, Me("alice"), tmp_path, "alice")  # type: ignore[arg-type]
    assert str(error) == "this text is too long: send it as a file"
    hints.remember([])


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("message 7 alice", "message alice 7"),
        ("edit alice 'see you' 7 --json", "edit alice 7 'see you' --json"),
        ("message alice bob --seconds 7", None),
        ("message alice bob", None),
    ],
)
def test_a_number_in_the_wrong_place_is_told_in_the_right_one(line, meant, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["mixnet", *shlex.split(line)])
    assert exit_status(cli._run) == USER_ERROR
    told = capsys.readouterr().err
    assert f"(did you mean `mixnet {meant}`?)" in told if meant else "did you mean" not in told
    hints.remember([])
