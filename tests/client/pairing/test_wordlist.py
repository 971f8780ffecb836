"""Words of codes as people type them: cut short, ambiguous, or with a slip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.model.errors import MalformedCode
from mixnet.client.pairing.code import Code
from mixnet.client.pairing.wordlist import WORDS, complete, nearest

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@given(st.sampled_from(WORDS), st.data())
def test_a_slip_is_never_taken_and_the_word_that_was_meant_is_suggested(word, data):
    place = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from(LETTERS))
    slip = data.draw(
        st.sampled_from(
            [
                word[:place] + word[place + 1 :],
                word[:place] + letter + word[place:],
                word[:place] + letter + word[place + 1 :],
            ]
        )
    )
    assert nearest(slip) == word
    if not word.startswith(slip):
        with pytest.raises(MalformedCode, match=rf"did they say '{word}'|is the beginning of"):
            complete(slip)


@given(st.text(LETTERS, max_size=12))
def test_whatever_is_typed_is_one_word_or_an_error_that_says_what_to_do(typed):
    try:
        word = complete(typed)
    except MalformedCode as error:
        assert repr(typed) in str(error)
    else:
        assert word.startswith(typed)
        assert [one for one in WORDS if one.startswith(typed)] == [word]


def test_a_beginning_of_several_words_names_them():
    with pytest.raises(MalformedCode, match="'can' is the beginning of candle, canyon: add a letter"):
        Code.parse("7-can-otter-violin")
    with pytest.raises(MalformedCode, match="and others: add a letter"):
        complete("c")


def test_a_word_like_no_other_is_to_be_said_again():
    with pytest.raises(MalformedCode, match="say it again"):
        complete("qqqqqqqq")
    assert nearest("") is None


def test_beginnings_are_enough():
    assert Code.parse("7 CAND wom viol").text == "7-candle-wombat-violin"
