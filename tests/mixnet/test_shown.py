"""Whatever somebody wrote, a terminal gets text, all of it, and ours isn't taken for theirs."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mixnet.letters import RIGHT_TO_LEFT, cells, steers
from mixnet.shown import INDENT, isolated, isolated_names, lines, one_line, table, wrapped
from tests.mixnet.written import WRITTEN

UGLY = st.text(
    st.characters() | st.sampled_from("\\\\abxu01\u0301\u3164\u202e\u202b\u202c\u2067\u2068\u2069\u200dא❤\x1b\n\t\r"),
    max_size=14,
)
CODE = re.compile(r"(\\+)(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
OPENS = {"\u202a": "\u202c", "\u202b": "\u202c", "\u2066": "\u2069", "\u2067": "\u2069", "\u2068": "\u2069"}


def read(line: str) -> str:
    """What was written, by the rule that spec/09-command.md gives."""

    def one(found: re.Match[str]) -> str:
        slashes, code = divmod(len(found[1]), 2)
        return "\\" * slashes + (chr(int(found[2][1:], 16)) if code else found[2])

    return CODE.sub(one, line)


def balanced(line: str) -> bool:
    opened: list[str] = []
    for one in line:
        if one in OPENS:
            opened.append(OPENS[one])
        elif one in OPENS.values() and (not opened or opened.pop() != one):
            return False
    return not opened


@given(UGLY, UGLY)
@example("\x1b", "\\x1b")
@example("\n", "\\n")
@example("\u2028", "\\u2028")
def test_no_two_texts_give_the_same_line(one, other):
    assert (one_line(one) == one_line(other)) == (one == other)


@given(UGLY)
def test_nothing_that_steers_or_turns_what_follows_around_is_shown(text):
    for line in [one_line(text), *lines(text)]:
        assert not any(map(steers, line)) and not set(line) & set("\n\t\r\u2028\u2029\u202d\u202e")
        assert balanced(line)


@given(UGLY)
@example("\\x1b\x1b\\\x1b\\\\u202e\\d")
def test_an_escape_is_told_from_one_that_somebody_typed(text):
    text = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    assert [read(one) for one in lines(text)] == [one.expandtabs(8) for one in text.split("\n")]


@pytest.mark.parametrize("text", [*WRITTEN, "C:\\new\\table", "\\section{x}", "a\u2067אב\u2069c", "x\xady\u200bz"])
def test_what_people_write_is_shown_as_it_is(text):
    assert lines(text) == [text]
    assert lines(f"{text}\n{text}") == [text, text]


@given(st.text(st.sampled_from("ab א漢👩\u200d\u0301\u2067\u2069"), max_size=80), st.integers(10, 40))
def test_a_line_is_broken_without_loss_and_the_rest_is_indented(text, room):
    (line,) = lines(text)
    broken = wrapped(isolated(line), room)
    assert all(cells(one) <= room and balanced(one) for one in broken)
    assert all(one.startswith(" " * INDENT) for one in broken[1:])
    bare = [one.translate(dict.fromkeys(map(ord, " \u2067\u2068\u2069"))) for one in ("".join(broken), line)]
    assert bare[0] == bare[1]


def test_words_stay_whole_and_apart():
    assert wrapped("aaaa bbb cccc dd", 8) == ["aaaa bbb", "    cccc", "    dd"]


def test_a_name_cannot_reorder_what_stands_beside_it():
    said = isolated_names("mixnet: 'אבג' and 'דה א' are 2, ג 3")
    outside = re.sub("\u2068[^\u2069]*\u2069", "", said)
    assert not RIGHT_TO_LEFT.search(outside) and said.count("\u2068") == 3
    assert isolated("abc") == "abc"


ROWS = [
    ("bob", "established, looks like b0b", "12345 67890 " * 5),
    ("漢字" * 16, "x", "y" * 90),
    ("אבג", "", "e\u0301 " * 9),
]


@settings(max_examples=60)
@given(st.integers(20, 160), st.booleans())
def test_a_table_has_all_of_its_cells_at_any_width(room, right):
    drawn = list(table(("name", "state", "safety number"), ROWS, room, right=right))
    assert all(cells(re.sub("\x1b\\[[01]m", "", line)) <= room for line in drawn)
    shown = sorted("".join(drawn).replace("name: ", "").replace("state: ", "").replace("safety number: ", ""))
    wanted = sorted("".join(cell for row in ROWS for cell in row))
    missing = [one for one in set(wanted) - {" "} if shown.count(one) < wanted.count(one)]
    assert missing == []
