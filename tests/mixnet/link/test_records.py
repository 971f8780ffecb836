"""Headers of records are judged before anything is opened, however their bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.errors import RemoteError
from mixnet.link.frames import FRAME_SIZE
from mixnet.link.records import (
    FRAMES_OF_A_RECORD,
    MOST_HANDSHAKE_BYTES,
    MOST_HANDSHAKE_RECORDS,
    MOST_SEALED_BYTES,
    MOST_TICKETS,
    RECORD_OVERHEAD,
    FrameRecords,
    HandshakeRecords,
)

TICKET_SIZE = 74
numbers = st.lists(st.integers(1, FRAMES_OF_A_RECORD), max_size=6)


def record(size, header=b"\x17\x03\x03"):
    return header + size.to_bytes(2) + bytes(size)


def of_frames(number):
    return record(number * FRAME_SIZE + RECORD_OVERHEAD - 5)


def pieces(data, cuts):
    for cut in [*cuts, len(data) + 1]:
        yield data[:cut]
        data = data[cut:]


@given(numbers, st.integers(0, MOST_TICKETS), st.lists(st.integers(1, 9000), max_size=12))
def test_each_record_of_frames_is_told_with_its_last_byte(records, tickets, cuts):
    stream = b"".join([record(TICKET_SIZE)] * tickets + [of_frames(number) for number in records])
    gate, passed, at, ends = FrameRecords(tickets=MOST_TICKETS), 0, tickets * (5 + TICKET_SIZE), []
    for number in records:
        at += number * FRAME_SIZE + RECORD_OVERHEAD
        ends.append((at, number * FRAME_SIZE))
    for piece in pieces(stream, cuts):
        before, passed = passed, passed + len(piece)
        assert gate.completed_untrusted(piece) == [size for end, size in ends if before < end <= passed]


@given(numbers.filter(bool), st.lists(st.integers(1, 9000), max_size=12))
def test_who_waits_for_what_is_missing_reads_at_most_twice_for_a_record(records, cuts):
    """However a peer cuts its bytes: the kernel gives them out once `missing` of them are here."""
    stream, gate, reads, here = b"".join(map(of_frames, records)), FrameRecords(tickets=0), 0, b""
    for piece in pieces(stream, cuts):
        here += piece
        while len(here) >= gate.missing:
            gate.completed_untrusted(here)
            here, reads = b"", reads + 1
    assert not here
    assert reads <= 2 * len(records)


@given(numbers, st.binary(min_size=5, max_size=5), st.integers(1, 6000))
def test_a_header_of_anything_but_whole_frames_is_refused_before_its_record_is_here(records, header, cut):
    gate = FrameRecords(tickets=0)
    stream = b"".join(map(of_frames, records)) + header
    known = header[:3] == b"\x17\x03\x03" and int.from_bytes(header[3:]) in {
        number * FRAME_SIZE + RECORD_OVERHEAD - 5 for number in range(1, FRAMES_OF_A_RECORD + 1)
    }
    if known:
        return
    with pytest.raises(RemoteError):
        for start in range(0, len(stream), cut):
            gate.completed_untrusted(stream[start : start + cut])


def test_every_size_but_those_of_whole_frames_is_refused():
    sizes = {number * FRAME_SIZE + RECORD_OVERHEAD - 5 for number in range(1, FRAMES_OF_A_RECORD + 1)}
    for size in range(65536):
        gate = FrameRecords(tickets=0)
        header = b"\x17\x03\x03" + size.to_bytes(2)
        if size in sizes:
            assert gate.completed_untrusted(header) == []
        else:
            with pytest.raises(RemoteError):
                gate.completed_untrusted(header)


@pytest.mark.parametrize("first", range(256))
def test_types_and_versions_of_no_data_are_refused(first):
    for at in range(3):
        header = bytearray(of_frames(1)[:5])
        if header[at] != first:
            header[at] = first
            with pytest.raises(RemoteError):
                FrameRecords(tickets=0).completed_untrusted(bytes(header))


def test_tickets_come_first_and_are_two():
    ticket = record(TICKET_SIZE)
    for tickets, stream in (
        (0, ticket),
        (MOST_TICKETS, ticket * (MOST_TICKETS + 1)),
        (MOST_TICKETS, ticket + of_frames(1) + ticket),
    ):
        with pytest.raises(RemoteError):
            FrameRecords(tickets=tickets).completed_untrusted(stream)
    assert FrameRecords(tickets=MOST_TICKETS).completed_untrusted(ticket * MOST_TICKETS + of_frames(2)) == [
        2 * FRAME_SIZE
    ]


@given(st.lists(st.binary(max_size=200)))
def test_of_any_bytes_hardly_any_are_kept(garbage):
    gate = FrameRecords(tickets=MOST_TICKETS)
    for piece in garbage:
        try:
            gate.completed_untrusted(piece)
        except RemoteError:
            return
        assert len(gate._begun) < 5
        assert 0 < gate.missing <= FRAMES_OF_A_RECORD * FRAME_SIZE + RECORD_OVERHEAD


# --- the handshake


def taken(gate):
    records = []
    while (one := gate.take_untrusted()) is not None:
        records.append(one)
    return records


@given(
    st.lists(st.integers(0, 400), max_size=MOST_HANDSHAKE_RECORDS),
    st.binary(max_size=4),
    st.lists(st.integers(1, 900)),
)
def test_a_handshake_is_given_out_record_by_record(sizes, rest, cuts):
    sealed = list(itertools.accumulate(size + 5 if size % 4 == 3 else 0 for size in sizes))  # would be too many
    records = [
        record(size, bytes((20 + size % 4 if total <= MOST_SEALED_BYTES else 22, 3, 3)))
        for size, total in zip(sizes, sealed, strict=True)
    ]
    gate, got = HandshakeRecords(), []
    for piece in pieces(b"".join(records) + rest, cuts):
        gate.put(piece)
        got += taken(gate)
        assert gate.missing > 0
    assert (got, gate.rest) == (records, rest)


def test_the_bounds_of_a_handshake_are_exact():
    gate = HandshakeRecords()
    gate.put(record(0, b"\x16\x03\x01") * (MOST_HANDSHAKE_RECORDS + 1))
    for _ in range(MOST_HANDSHAKE_RECORDS):
        assert gate.take_untrusted()
    with pytest.raises(RemoteError):
        gate.take_untrusted()
    for size, kind, accepted in (
        (MOST_HANDSHAKE_BYTES - 5, 22, True),
        (MOST_HANDSHAKE_BYTES - 4, 22, False),
        (MOST_SEALED_BYTES - 100 - 5, 23, True),
        (MOST_SEALED_BYTES - 100 - 4, 23, False),
    ):
        gate = HandshakeRecords()
        if kind == 23:
            gate.put(record(95))
            assert gate.take_untrusted()
        gate.put(bytes([kind]) + b"\x03\x01" + size.to_bytes(2))
        if accepted:
            assert gate.take_untrusted() is None
        else:
            with pytest.raises(RemoteError):
                gate.take_untrusted()  # by its header, before it is here


@given(st.binary(min_size=5, max_size=300))
def test_a_handshake_of_anything_is_bounded(garbage):
    gate = HandshakeRecords()
    gate.put(garbage)
    try:
        records = taken(gate)
    except RemoteError:
        return
    assert b"".join(records) + gate.rest == garbage
    assert len(records) <= MOST_HANDSHAKE_RECORDS
