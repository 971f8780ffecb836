"""How help is laid out."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from cyclopts import App
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mixnet.cli import build
from mixnet.help import LEAST_WIDTH, HelpLayout, columns, wrapped

COMMAND = re.compile(r"`[^`]*`")


def pages(width: int, *, terminal: bool) -> Iterator[tuple[str, str]]:
    """The help of each command and each group of them."""
    app = build()
    app.help_formatter = HelpLayout(terminal=terminal)

    def walk(one: App, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        file = io.StringIO()
        app.help_print(list(path), console=Console(width=width, file=file))
        yield " ".join(path), file.getvalue()
        for name in one:
            if not name.startswith("-"):
                yield from walk(one[name], (*path, name))

    yield from walk(app, ())


@pytest.fixture(scope="module")
def unbroken() -> dict[str, str]:
    return dict(pages(10, terminal=False))


@pytest.mark.parametrize("width", [LEAST_WIDTH, 80])
def test_no_help_is_wider_than_the_terminal_or_breaks_a_command(unbroken: dict[str, str], width: int) -> None:
    shown = dict(pages(width, terminal=True))
    assert shown.keys() == unbroken.keys()
    assert len(shown) > 80
    for path, page in shown.items():
        assert [line for line in page.splitlines() if len(line) > width] == [], path
        for command in COMMAND.findall(unbroken[path]):
            whole = page if len(command) <= width - 6 else re.sub(r" \\\n +|(?<= )\\\n", " ", page)
            assert command in whole.replace("  ", " "), f"{path}: {command} is broken at {width} columns"


def test_a_line_ends_only_where_a_paragraph_does_elsewhere_than_at_a_terminal(unbroken: dict[str, str]) -> None:
    for path, page in unbroken.items():
        lines = page.splitlines()
        for before, line in pairwise(lines):
            assert not before or not line or line.startswith("  "), f"{path}: {line}"
        for line in lines:
            assert "mixnet " not in COMMAND.sub("", line.removeprefix("Usage: mixnet ")), f"{path}: {line}"


WORDS = st.lists(st.text("ab-.", min_size=1, max_size=12), min_size=1, max_size=40)


@given(WORDS, st.integers(20, 100))
def test_no_word_stands_alone_where_another_could_join_it(words: list[str], width: int) -> None:
    lines = wrapped(" ".join(words), width)
    assert " ".join(lines).split() == words
    assert max(map(len, lines)) <= width
    if len(lines) > 1 and " " not in lines[-1]:
        before = lines[-2].split()
        assert len(before) < 3 or len(f"{before[-1]} {lines[-1]}") > width


def test_what_does_not_fit_beside_its_name_stands_beneath() -> None:
    rows = [("a", "short"), ("--much-too-long-for-a-third", "what it is"), ("b", "do `as this one command says, all`")]
    assert list(columns(rows, 45)) == [
        "  a            short",
        "  --much-too-long-for-a-third",
        "      what it is",
        "  b",
        "      do `as this one command says, all`",
    ]
