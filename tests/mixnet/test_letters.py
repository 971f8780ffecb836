"""What letters are: by tables that no Python changes."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixnet
from mixnet.letters import category, cells, graphemes, is_hidden, is_ignorable, is_mark, piled, steers, without_hidden
from tests.mixnet.written import WRITTEN

NEW = "\u0c5d\u088f\U0001fabf\U0001c000\U0003fffd\U0001aaaa"  # of Unicode 14, 15.1, 17 and none yet


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_is_hidden_or_piled_nowhere(text):
    assert without_hidden(text) == text and piled(text) == set()
    assert not any(map(steers, text))


@pytest.mark.parametrize(
    "text",
    ["a\u200db", "\u200c", "a\ufe0f", "\u200d👩", "👩\u200d", "a\xadb", "a\u200bb", "🏴\U000e0067", "x\U000e0100"],
)
def test_what_does_nothing_where_it_stands_is_taken_away(text):
    assert not any(map(is_ignorable, without_hidden(text)))


@pytest.mark.parametrize("letter", NEW)
def test_a_letter_is_one_whichever_unicode_knows_it(letter):
    assert not is_hidden(letter) and not steers(letter) and not is_mark(letter)


def test_controls_halves_of_pairs_and_what_is_no_character_steer_and_nothing_else_of_unicode_does():
    every = [chr(code) for code in range(0x110000) if code < 0x3000 or code & 0xFFFF > 0xFD00 or 0xD000 < code < 0xE100]
    found = {one for one in every if steers(one)}
    fixed = {one for one in every if category(one) in ("Cc", "Cs")}
    assert fixed < found and len(fixed) == 65 + 2048 and len(found - fixed) == 66 + 6


@given(st.text(max_size=30))
def test_graphemes_are_the_text_and_no_letter_is_parted_from_its_marks(text):
    found = list(graphemes(text))
    assert "".join(found) == text and all(found)
    assert not any(category(one[0])[0] == "M" or is_ignorable(one[0]) for one in found[1:])


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇨🇭", "👍🏽", "e\u0301\u0323", "\u1112\u1161\u11ab"])
def test_what_a_reader_takes_for_one_letter_is_one(text):
    assert list(graphemes(text)) == [text]


def test_flags_stand_beside_each_other():
    assert list(graphemes("🇨🇭🇩🇪a")) == ["🇨🇭", "🇩🇪", "a"]


@given(st.text(max_size=30))
def test_no_text_is_counted_narrower_than_its_letters(text):
    least = sum(
        (2 if unicodedata.east_asian_width(one) in "WF" else 1)
        for one in text
        if unicodedata.category(one)[0] in "LNPS" and not is_ignorable(one) and not is_mark(one)
    )
    assert cells(text) >= least


def test_a_pile_goes_on_over_what_does_not_show():
    assert piled("a\u0301\u0301\u0301\u0301\u0301") == {5}
    assert piled("a" + "\u0301\u200d" * 6) == {9, 11}
    assert piled("\u0301") == {0}, "with nothing to stand on"


def test_nothing_else_asks_the_python_that_runs_what_a_letter_is():
    """Its tables differ from version to version; the search's index is made anew by none."""
    asked = re.compile(r"isprintable\(|^\s*(?:import|from) unicodedata\b", re.MULTILINE)
    paths = Path(mixnet.__file__).parent.rglob("*.py")
    assert [path.name for path in paths if asked.search(path.read_text())] in ([], ["search.py"])
