"""Frames: one size, one encoding, nothing kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.errors import LocalError, RemoteError
from mixnet.link.frames import FRAME_HEADER_SIZE, FRAME_SIZE, PACKET_SIZE, Frame, FrameKind, FrameReader
from mixnet.sphinx import GEOMETRY

counters = st.integers(0, 2**64 - 1)


def bodies(kind):
    match kind:
        case FrameKind.PAD | FrameKind.MOVED:
            return st.just(b"")
        case FrameKind.PACKET | FrameKind.MAIL:
            return st.integers(0, 2**32).map(lambda seed: seed.to_bytes(8, "big") * (PACKET_SIZE // 8))
        case _:
            return st.binary(min_size=1, max_size=50) | st.integers(1, PACKET_SIZE).map(lambda size: b"b" * size)


kinds = st.sampled_from(FrameKind)
frames = kinds.flatmap(lambda kind: st.builds(Frame, st.just(kind), bodies(kind), counters, counters))
later_frames = frames.filter(lambda frame: frame.kind is not FrameKind.HELLO)


def test_a_frame_has_room_for_exactly_one_packet():
    assert FRAME_SIZE == FRAME_HEADER_SIZE + GEOMETRY.packet_size == 3096


def test_the_bytes_of_a_frame():
    frame = Frame(FrameKind.REQUEST, b"body", sequence=1, acknowledged=2)
    header = bytes.fromhex("04 01 0004 0000000000000001 0000000000000002 00000000")
    assert frame.encode() == header + b"body" + bytes(PACKET_SIZE - 4)


@given(frames)
def test_frames_survive_their_bytes_and_have_one_size(frame):
    assert len(frame.encode()) == FRAME_SIZE
    assert Frame.decode_untrusted(frame.encode()) == frame


@given(frames, st.integers(0, 8 * FRAME_SIZE - 1))
@settings(max_examples=300)
def test_a_frame_has_one_encoding(frame, bit):
    raw = bytearray(frame.encode())
    raw[bit // 8] ^= 1 << bit % 8
    try:
        other = Frame.decode_untrusted(bytes(raw))
    except RemoteError:
        return
    assert other != frame
    assert other.encode() == raw


def altered(frame, position, value):
    raw = bytearray(frame.encode())
    raw[position] = value
    return bytes(raw)


PACKET = Frame(FrameKind.PACKET, bytes(PACKET_SIZE))
REQUEST = Frame(FrameKind.REQUEST, b"body")
MALFORMED = {
    "empty": b"",
    "a byte short": PACKET.encode()[:-1],
    "a byte long": PACKET.encode() + b"\0",
    "unknown kind": altered(PACKET, 0, 6),
    "another version": altered(PACKET, 1, 2),
    "length above the body": altered(REQUEST, 2, 0xFF),
    "short packet": altered(PACKET, 2, 0),
    "pad with a body": altered(Frame(FrameKind.PAD), 3, 1),
    "request without a body": altered(REQUEST, 3, 0),
    "reserved byte set": altered(PACKET, FRAME_HEADER_SIZE - 1, 1),
    "first padding byte set": altered(REQUEST, FRAME_HEADER_SIZE + 4, 1),
    "last padding byte set": altered(REQUEST, FRAME_SIZE - 1, 1),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused(name):
    with pytest.raises(RemoteError):
        Frame.decode_untrusted(MALFORMED[name])


@given(st.binary(min_size=FRAME_SIZE, max_size=FRAME_SIZE) | st.binary(max_size=100))
def test_garbage_raises_nothing_but_remote_errors(garbage):
    try:
        frame = Frame.decode_untrusted(garbage)
    except RemoteError:
        return
    assert frame.encode() == garbage


@pytest.mark.parametrize(
    "frame",
    [
        Frame(FrameKind.PACKET, bytes(PACKET_SIZE - 1)),
        Frame(FrameKind.MAIL, b""),
        Frame(FrameKind.REQUEST, bytes(PACKET_SIZE + 1)),
        Frame(FrameKind.RESPONSE, b""),
        Frame(FrameKind.PAD, b"x"),
        Frame(FrameKind.PAD, sequence=-1),
        Frame(FrameKind.PAD, acknowledged=2**64),
    ],
)
def test_a_frame_that_cannot_be_sent_is_a_local_error(frame):
    with pytest.raises(LocalError):
        frame.encode()


@given(st.lists(later_frames, max_size=5), st.integers(0, 5))
@settings(max_examples=50)
def test_a_reader_gives_the_same_frames_together_and_apart(sent, cut):
    raw = b"".join(frame.encode() for frame in sent)
    assert FrameReader().read_untrusted(raw) == sent
    reader, cut = FrameReader(), cut * FRAME_SIZE
    assert reader.read_untrusted(raw[:cut]) + reader.read_untrusted(raw[cut:]) == sent


@given(st.binary(max_size=4000))
def test_a_reader_takes_whole_frames_only(piece):
    raw = Frame(FrameKind.PAD).encode() + piece
    if piece:
        with pytest.raises(RemoteError):
            FrameReader().read_untrusted(raw)


def test_a_greeting_comes_first_or_not_at_all():
    hello, pad = Frame(FrameKind.HELLO, b"hi"), Frame(FrameKind.PAD)
    assert FrameReader().read_untrusted(hello.encode() + pad.encode()) == [hello, pad]
    for late in ([hello, hello], [pad, hello]):
        reader = FrameReader()
        reader.read_untrusted(late[0].encode())
        with pytest.raises(RemoteError):
            reader.read_untrusted(late[1].encode())
        with pytest.raises(RemoteError):
            FrameReader().read_untrusted(b"".join(frame.encode() for frame in late))
