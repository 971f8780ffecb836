"""What a search finds: whole words of scripts with spaces, any part of a text in the others."""

from unicodedata import normalize

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from mixnet.client.storage.database import Store
from mixnet.client.storage.search import _ALONE, expression, separated
from mixnet.crypto import SymmetricKey

LETTERS = some.one_of(*(some.characters(min_codepoint=first, max_codepoint=last) for first, last in _ALONE))
WRITTEN = some.text(LETTERS, min_size=1, max_size=12)


@pytest.fixture(scope="module")
def store():
    return Store.open(":memory:", SymmetricKey(b"k" * 32))


def found(store, text, words):
    """Whether a text that is filed is found; afterwards it is gone."""
    store.run("INSERT INTO found (rowid, text) VALUES (1, ?)", separated(text))
    try:
        return store.has("SELECT 1 FROM found WHERE found MATCH ?", expression(words))
    finally:
        store.run("INSERT INTO found (found, rowid, text) VALUES ('delete', 1, ?)", separated(text))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("前言你好世界", ["你好", "好世", "界", "前言你好世界", "界 前", '"言你"', "你*"]),
        ("すべての人間は尊厳と権利とについて平等", ["権利", "すべて", "について平", "人"]),
        ("ห้องสมุดอยู่ที่ไหน", ["สมุด", "ห้อง", "ที่"]),
        ("학교에서 만나요", ["학교", "에서", "나"]),
        ("ကျောင်းသား", ["သား"]),
        ("សាលារៀន", ["រៀន"]),
        ("ຫ້ອງສະໝຸດ", ["ສະໝຸດ"]),
        ("iPhone手机坏了", ["手机", "iphone", "IPHONE手"]),
        ("Ｔｏｋｙｏ駅 トム・ハンクス", ["駅", "トム", "ハンクス"]),
        ("𠮷野家へ", ["𠮷", "𠮷野", "野家"]),
        ("㐂び 々", ["㐂", "々"]),
        (normalize("NFD", "ガラス 한국어"), ["ガ", "한국", normalize("NFD", "국어")]),
        ("naïve Grüße", ["naive", "gruß*", "GRÜSSE"[:3] + "*"]),
    ],
)
def test_parts_are_found(store, text, parts):
    assert [part for part in parts if not found(store, text, part)] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("前言你好世界", "好你"),  # in their order
        ("你 and 好", "你好"),  # side by side
        ("ปู", "ปี"),  # vowel signs count
        ("starting", "art"),  # parts of words that have spaces between them aren't
        ("前言", "前言你"),
    ],
)
def test_what_is_not_there_is_not_found(store, text, words):
    assert not found(store, text, words)


@given(before=WRITTEN, part=WRITTEN, after=WRITTEN)
def test_any_part_of_a_text_without_spaces_is_found(store, before, part, after):
    assume(normalize("NFC", before + part + after) == "".join(normalize("NFC", one) for one in (before, part, after)))
    assert found(store, before + part + after, part)
    assert found(store, f"a {before}{part}b", f"{part}*")


@given(some.text(max_size=40))
def test_whatever_is_typed_is_no_operator(store, typed):
    if expression(typed):
        found(store, typed, typed)
