"""One value, one encoding."""

from __future__ import annotations

import contextlib
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.pki.canonical import Epoch, Key, decode_untrusted, encode, plain
from mixnet.pki.errors import Malformed, Oversized


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    key: Key
    number: Epoch
    share: float
    text: str
    parts: tuple[bytes, ...]


records = st.builds(
    Record,
    key=st.binary(min_size=32, max_size=32),
    number=st.integers(0, 2**48 - 1),
    share=st.floats(allow_nan=False),
    text=st.text(max_size=60),
    parts=st.lists(st.binary(max_size=80), max_size=20).map(tuple),
)
SAMPLE = Record(bytes(32), 7, 1.0, "text", (b"one", b"two"))


@given(record=records)
def test_what_is_encoded_comes_back(record: Record) -> None:
    raw = encode(record)
    again = decode_untrusted(raw, Record, limit=len(raw))
    assert again == record
    assert encode(again) == raw


@given(record=records, position=st.integers(0), flip=st.integers(1, 255))
def test_no_two_byte_strings_decode_to_one_value(record: Record, position: int, flip: int) -> None:
    raw = bytearray(encode(record))
    raw[position % len(raw)] ^= flip
    try:
        other = decode_untrusted(bytes(raw), Record, limit=len(raw))
    except Malformed:
        return
    assert other != record
    assert encode(other) == bytes(raw)


@given(raw=st.binary(max_size=200))
def test_garbage_is_malformed_and_nothing_else(raw: bytes) -> None:
    with contextlib.suppress(Malformed):
        decode_untrusted(raw, Record, limit=200)


def values(**changes: Any) -> bytes:
    fields: dict[str, Any] = {"key": bytes(32), "number": 7, "share": 1.0, "text": "text", "parts": [b"one", b"two"]}
    return msgpack.packb(list((fields | changes).values()))


def test_the_sample_is_as_written_by_hand() -> None:
    assert decode_untrusted(values(), Record, limit=200) == SAMPLE


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(values(key=bytes(31)), id="short key"),
        pytest.param(values(key=bytes(33)), id="long key"),
        pytest.param(values(key="k" * 32), id="text for bytes"),
        pytest.param(values(number=-1), id="negative epoch"),
        pytest.param(values(number=2**48), id="huge epoch"),
        pytest.param(values(number=7.0), id="float for integer"),
        pytest.param(values(share=1), id="integer for float"),
        pytest.param(values(text=b"text"), id="bytes for text"),
        pytest.param(values(parts={}), id="map for array"),
        pytest.param(values(parts=None), id="nothing for array"),
        pytest.param(values(extra=1), id="one field too many"),
        pytest.param(values()[:-1], id="cut"),
        pytest.param(values() + b"\0", id="trailing byte"),
        pytest.param(b"\xdc\x00\x05" + values()[1:], id="longer spelling of the array's length"),
        pytest.param(values().replace(b"\x07\xcb", b"\xcc\x07\xcb"), id="longer spelling of the number"),
        pytest.param(values(parts=[msgpack.ExtType(1, b"x")]), id="extension type"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="four billion items"),
        pytest.param(b"\x91" * 5000, id="deep nesting"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_refused_as_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode_untrusted(raw, Record, limit=10_000)


def test_more_than_the_limit_is_oversized_before_anything_is_parsed() -> None:
    with pytest.raises(Oversized):
        decode_untrusted(b"\xff" * 11, Record, limit=10)


def test_plain_shows_bytes_as_hexadecimal() -> None:
    assert plain(SAMPLE) == {"key": "00" * 32, "number": 7, "share": 1.0, "text": "text", "parts": ["6f6e65", "74776f"]}
