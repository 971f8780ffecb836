"""What two people say to each other in slots: only the same words open anything, and hostile bytes open nothing."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.model.errors import CodesMissing, MalformedCode, WrongCode
from mixnet.client.pairing import spake2
from mixnet.client.pairing.code import COUNT, Code
from mixnet.client.pairing.exchange import TEXT_LIMIT, Joined, Meeting, Offered, noise
from mixnet.client.pairing.spake2 import Side
from mixnet.client.pairing.wordlist import WORDS, complete
from mixnet.errors import LocalError, RemoteError
from mixnet.services import BODY_LIMIT

NETWORK = b"N" * 32
HERE = Meeting(NETWORK, b"code", b"7")


def exchange(ours: Meeting = HERE, theirs: Meeting = HERE, words: bytes = b"a-b-c", guess: bytes = b"a-b-c"):
    offered = Offered.offer(ours, words)
    return offered, Joined.join_untrusted(theirs, guess, offered.body)


def test_the_same_words_carry_a_text_across_in_bodies_of_one_size() -> None:
    offered, joined = exchange()
    agreed = offered.agree_untrusted(joined.body)
    assert joined.slot == offered.slot
    assert joined.exchange.slot == agreed.slot == offered.refusal_slot(joined.body)
    for text in (b"", b"hello", b"\0" * 7, bytes(TEXT_LIMIT)):
        assert len(agreed.seal(text)) == len(noise()) == BODY_LIMIT
        assert joined.exchange.open_untrusted(agreed.seal(text)) == text
    with pytest.raises(LocalError):
        agreed.seal(bytes(TEXT_LIMIT + 1))


@pytest.mark.parametrize(
    "different",
    [
        {"guess": b"a-b-d"},
        {"theirs": Meeting(NETWORK, b"code", b"8")},
        {"theirs": Meeting(b"M" * 32, b"code", b"7")},
        {"theirs": Meeting(NETWORK, b"match", b"7")},
    ],
)
def test_other_words_or_another_meeting_open_nothing_on_either_side(different) -> None:
    offered, joined = exchange(**different)
    with pytest.raises(WrongCode):
        offered.agree_untrusted(joined.body)
    right, known = exchange()
    answer = right.agree_untrusted(known.body).seal(b"hello")
    for body in (answer, noise(), b"", answer[:-1]):
        with pytest.raises(WrongCode):
            joined.exchange.open_untrusted(body)


def test_a_waiting_offer_survives_being_stored() -> None:
    offered, joined = exchange()
    again = Offered.restore(HERE, offered.serialize())
    assert again.body == offered.body
    assert again.agree_untrusted(joined.body).seal(b"x") == offered.agree_untrusted(joined.body).seal(b"x")
    for raw in (b"", b"{}", offered.serialize().replace(b'"A"', b'"B"')):
        with pytest.raises(LocalError):
            Side.restore(raw)


def test_a_changed_reply_is_a_wrong_guess() -> None:
    for place in (0, 1, 20, 33, 48):
        offered, joined = exchange()
        changed = joined.body[:place] + bytes([joined.body[place] ^ 1]) + joined.body[place + 1 :]
        with pytest.raises(WrongCode):
            offered.agree_untrusted(changed)
    with pytest.raises(WrongCode):  # its own offer, sent back
        offered, _ = exchange()
        offered.agree_untrusted(b"B" + offered.body[1:] + bytes(16))


@settings(deadline=None, max_examples=15)
@given(st.binary(max_size=50) | st.binary(min_size=49, max_size=49).map(lambda raw: b"B" + raw[1:]))
def test_bytes_of_anybody_are_no_reply_and_no_offer(raw: bytes) -> None:
    with pytest.raises(WrongCode):
        exchange()[0].agree_untrusted(raw)
    with pytest.raises(RemoteError):
        Side.first(b"words", b"").key_untrusted(raw)
    try:
        joined = Joined.join_untrusted(HERE, b"words", b"A" + raw[1:33])
    except WrongCode:
        return
    with pytest.raises(WrongCode):
        joined.exchange.open_untrusted(raw)


def test_points_of_low_order_are_refused() -> None:
    for point in (bytes(32), (1).to_bytes(32, "little"), (2**255 - 20).to_bytes(32, "little")):
        with pytest.raises(WrongCode):
            Joined.join_untrusted(HERE, b"words", b"A" + point)


def test_without_the_package_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spake2", None)
    with pytest.raises(CodesMissing):
        spake2.require()
    with pytest.raises(CodesMissing, match="libraries that aren't installed: `"):
        Offered.offer(HERE, b"words")


# what is said


def distance(one: str, other: str) -> int:
    """How many letters must be changed, put in or left out."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row, above = [i], row
        for j, against in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (letter != against)))
    return row[-1]


def test_words_are_many_and_unlike_one_another() -> None:
    assert len(set(WORDS)) == 256
    assert list(WORDS) == sorted(WORDS)
    assert len({word[:4] for word in WORDS}) == 256
    for number, word in enumerate(WORDS):
        assert word.isascii() and word.isalpha() and word.islower() and 4 <= len(word) <= 9
        assert all(distance(word, other) >= 3 for other in WORDS[:number])


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 999_999), st.sampled_from(["-", " ", "  ", " - "]), st.booleans(), st.integers(4, 12))
def test_a_code_is_understood_however_it_is_written(number: int, between: str, loud: bool, letters: int) -> None:
    code = Code.make(number)
    assert len(code.words) == COUNT
    assert Code.parse(code.text) == code
    text = between.join((str(number), *(word[:letters] for word in code.words)))
    assert Code.parse(f" {text.upper() if loud else text}\n") == code


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40) | st.from_regex(r"[0-9]{0,8}(-[a-z]{0,6}){0,5}", fullmatch=True))
def test_what_is_no_code_is_refused(text: str) -> None:
    try:
        code = Code.parse(text)
    except MalformedCode:
        return
    assert Code.parse(code.text) == code


@pytest.mark.parametrize(
    "text", ["", "7", "7-candle-otter", "candle", "0-candle-lemon-violin", "7-candle-lemon-vio-x", "7-c-lemon-violin"]
)
def test_incomplete_codes(text: str) -> None:
    with pytest.raises(MalformedCode):
        Code.parse(text)


def test_an_ambiguous_beginning_is_named() -> None:
    with pytest.raises(MalformedCode, match="'ca'"):
        complete("ca")
    assert complete("Cand") == "candle"
    assert complete("zi") == "zigzag"
