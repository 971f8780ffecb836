"""Messages longer than a frame, and the bounds on what a peer can make us keep."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError
from mixnet.link.frames import PACKET_SIZE, Frame, FrameKind
from mixnet.link.messages import MESSAGE_LIMIT, PART_SIZE, STREAMS_LIMIT, Assembler, split

REQUEST, RESPONSE = FrameKind.REQUEST, FrameKind.RESPONSE
lengths = st.one_of(
    st.integers(0, 5 * PART_SIZE), st.sampled_from([0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 2 * PART_SIZE])
)


def content(size, salt=0):
    return bytes((position * 7 + salt) % 251 for position in range(size))


def part(stream_id, number, total, data, kind=REQUEST):
    return Frame(kind, struct.pack(">III", stream_id, number, total) + data)


@given(lengths, st.integers(0, 2**32 - 1), st.sampled_from([REQUEST, RESPONSE]))
def test_messages_survive_splitting(size, stream_id, kind):
    message = content(size)
    frames = split(message, kind, stream_id)
    assembler = Assembler()
    results = [assembler.feed_untrusted(Frame.decode_untrusted(frame.encode())) for frame in frames]
    assert results == [None] * (len(frames) - 1) + [(stream_id, message)]
    assert len(frames) == max(1, -(-size // PART_SIZE))
    assert not assembler._partial
    assert assembler._kept == 0


def test_the_longest_message_survives_and_a_longer_one_is_not_split():
    assembler = Assembler()
    message = bytes(MESSAGE_LIMIT)
    *_, last = [assembler.feed_untrusted(frame) for frame in split(message, REQUEST, 1)]
    assert last == (1, message)
    with pytest.raises(LocalError):
        split(bytes(MESSAGE_LIMIT + 1), REQUEST, 1)


@given(st.lists(st.integers(0, 3 * PART_SIZE), min_size=1, max_size=STREAMS_LIMIT), st.randoms(use_true_random=False))
def test_parts_of_several_messages_may_alternate(sizes, rng):
    waiting = {number: split(content(size, number), RESPONSE, number) for number, size in enumerate(sizes)}
    assembler = Assembler()
    got = {}
    while waiting:
        number = rng.choice(list(waiting))
        result = assembler.feed_untrusted(waiting[number].pop(0))
        if not waiting[number]:
            del waiting[number]
            stream_id, message = result
            got[stream_id] = message
        else:
            assert result is None
    assert got == {number: content(size, number) for number, size in enumerate(sizes)}


def test_a_request_and_a_response_of_one_number_are_told_apart():
    assembler = Assembler()
    request, response = split(content(5000), REQUEST, 1), split(content(6000), RESPONSE, 1)
    assert assembler.feed_untrusted(request[0]) is None
    assert assembler.feed_untrusted(response[0]) is None
    assert assembler.feed_untrusted(request[1]) == (1, content(5000))
    assert assembler.feed_untrusted(response[1]) == (1, content(6000))


@pytest.mark.parametrize("kind", [kind for kind in FrameKind if kind not in (REQUEST, RESPONSE)])
def test_other_frames_are_no_parts(kind):
    with pytest.raises(LocalError):
        split(b"x", kind, 1)
    with pytest.raises(RemoteError):
        Assembler().feed_untrusted(Frame(kind, bytes(PACKET_SIZE)))


@pytest.mark.parametrize("stream_id", [-1, 2**32])
def test_a_stream_number_has_32_bits(stream_id):
    with pytest.raises(LocalError):
        split(b"x", REQUEST, stream_id)


WRONG = {
    "shorter than its header": [Frame(REQUEST, bytes(11))],
    "first part missing": [part(1, 1, 5000, bytes(1940))],
    "part missing": [part(1, 0, 9000, bytes(PART_SIZE)), part(1, 2, 9000, bytes(2880))],
    "part repeated": [part(1, 0, 9000, bytes(PART_SIZE)), part(1, 0, 9000, bytes(PART_SIZE))],
    "other length announced": [part(1, 0, 9000, bytes(PART_SIZE)), part(1, 1, 8000, bytes(PART_SIZE))],
    "part too short": [part(1, 0, 9000, bytes(PART_SIZE - 1))],
    "part empty": [part(1, 0, 9000, b"")],
    "last part too long": [part(1, 0, 5, bytes(6))],
    "last part too short": [part(1, 0, 5, bytes(4))],
    "longer than any message": [part(1, 0, MESSAGE_LIMIT + 1, bytes(PART_SIZE))],
    "as long as can be announced": [part(1, 0, 2**32 - 1, bytes(PART_SIZE))],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parts_are_refused(name):
    assembler = Assembler()
    *before, last = WRONG[name]
    for frame in before:
        assembler.feed_untrusted(frame)
    with pytest.raises(RemoteError):
        assembler.feed_untrusted(last)


def test_incomplete_messages_are_bounded_in_number():
    assembler = Assembler(streams=3)
    for number in range(3):
        assembler.feed_untrusted(part(number, 0, 5000, bytes(PART_SIZE)))
    with pytest.raises(RemoteError):
        assembler.feed_untrusted(part(3, 0, 5000, bytes(PART_SIZE)))


def test_incomplete_messages_are_bounded_in_bytes_together():
    assembler = Assembler(limit=3 * PART_SIZE)
    for number in range(3):
        assembler.feed_untrusted(part(number, 0, 2 * PART_SIZE, bytes(PART_SIZE)))
    with pytest.raises(RemoteError):
        assembler.feed_untrusted(part(0, 1, 2 * PART_SIZE, bytes(PART_SIZE)))


def test_what_is_complete_makes_room():
    assembler = Assembler(limit=2 * PART_SIZE, streams=1)
    for number in range(10):
        assembler.feed_untrusted(part(number, 0, 2 * PART_SIZE, bytes(PART_SIZE)))
        assert assembler.feed_untrusted(part(number, 1, 2 * PART_SIZE, bytes(PART_SIZE))) is not None


small = st.integers(0, 3)
hostile_parts = st.builds(
    part,
    small,
    small,
    st.sampled_from([0, 5, PART_SIZE, 2 * PART_SIZE, 2 * PART_SIZE + 5, 2**32 - 1]),
    st.sampled_from([0, 5, PART_SIZE]).map(bytes),
    st.sampled_from([REQUEST, RESPONSE]),
)


@given(st.lists(hostile_parts | st.binary(min_size=1, max_size=40).map(lambda body: Frame(REQUEST, body)), max_size=40))
@settings(max_examples=300)
def test_whatever_a_peer_sends_little_is_kept(frames):
    limit = 4 * PART_SIZE
    assembler = Assembler(limit=limit, streams=3)
    for frame in frames:
        with suppress(RemoteError):
            assembler.feed_untrusted(frame)
        assert sum(len(partial.data) for partial in assembler._partial.values()) == assembler._kept <= limit
        assert len(assembler._partial) <= 3
