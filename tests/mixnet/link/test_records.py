"""Records are counted where they end, however their bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.link.records import RecordCounter

RECORDS = st.lists(st.binary(max_size=40), max_size=12)


def stream(records):
    return b"".join(b"\x17\x03\x03" + len(record).to_bytes(2) + record for record in records)


@given(RECORDS, st.lists(st.integers(1, 60)))
def test_each_record_is_counted_with_its_last_byte(records, cuts):
    counter, rest, passed = RecordCounter(), stream(records), 0
    ends, at = [], 0
    for record in records:
        at += 5 + len(record)
        ends.append(at)
    for cut in [*cuts, len(rest) + 1]:
        part, rest = rest[:cut], rest[cut:]
        before, passed = passed, passed + len(part)
        assert counter.completed_untrusted(part) == sum(before < end <= passed for end in ends)


@given(st.lists(st.binary(max_size=200)))
def test_any_bytes_are_counted_and_hardly_any_kept(pieces):
    counter = RecordCounter()
    for piece in pieces:
        assert 0 <= counter.completed_untrusted(piece) <= (len(piece) + 4) // 5 + 1
        assert len(counter._begun) < 5


@pytest.mark.parametrize("header", [b"\x16\x03\x03\x00\x20", b"\x17\x03\x04\x00\x20", b"\x17\x03\x03\x41\x01"])
def test_what_is_no_header_is_not_waited_for(header):
    assert RecordCounter().completed_untrusted(header) == 1
    assert RecordCounter().completed_untrusted(b"\x17\x03\x03\x41\x00") == 0
