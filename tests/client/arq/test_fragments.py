import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.arq.fragments import (
    LANES,
    LARGE,
    MAX_FRAGMENTS,
    MESSAGE_LIMIT,
    NUMBER_LIMIT,
    SMALL,
    SURB_PERIOD,
    WINDOW,
    ChannelKey,
    Fragment,
    FragmentToSend,
    PlaintextKind,
    Probe,
    ProbeToSend,
    ReplyBlock,
    Unverified,
    has_room,
    seal,
    spans,
)
from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY

CHANNEL = ChannelKey(b"c" * 16, SymmetricKey(b"k" * 32))
BLOCK = ReplyBlock(bytes(range(256)) + bytes(GEOMETRY.surb_size - 256), 1_900_000_000)


@st.composite
def fragments(draw):
    length = draw(st.integers(1, MESSAGE_LIMIT))
    index = draw(st.integers(0, len(spans(length)) - 1))
    start, end = spans(length)[index]
    number = draw(st.integers(0, NUMBER_LIMIT - 1))
    floor = number - draw(st.integers(0, min(number, WINDOW - 1)))
    part = draw(st.binary(min_size=1, max_size=1)) * (end - start)
    return Fragment(draw(st.integers(0, LANES - 1)), number, floor, index, length, part)


@given(st.integers(1, MESSAGE_LIMIT))
def test_spans_cover_a_message_once_and_fit(length):
    parts = spans(length)
    assert parts[0][0] == 0 and parts[-1][1] == length and len(parts) <= MAX_FRAGMENTS
    for index, (start, end) in enumerate(parts):
        assert start < end
        assert end - start <= (SMALL if has_room(index, len(parts)) else LARGE)
        assert index == 0 or start == parts[index - 1][1]


def test_spans_waste_little():
    assert len(spans(MESSAGE_LIMIT)) == MAX_FRAGMENTS
    assert MESSAGE_LIMIT > 0.97 * MAX_FRAGMENTS * LARGE
    assert sum(has_room(i, MAX_FRAGMENTS) for i in range(MAX_FRAGMENTS)) == MAX_FRAGMENTS // SURB_PERIOD


@pytest.mark.parametrize("length", [-1, 0, MESSAGE_LIMIT + 1])
def test_no_message_has_such_a_length(length):
    with pytest.raises(LocalError):
        spans(length)


@given(fragments(), st.integers(0, (1 << 32) - 1), st.booleans())
def test_a_fragment_comes_back(fragment, transmission, with_surb):
    block = BLOCK if with_surb and has_room(fragment.index, len(spans(fragment.length))) else None
    raw = FragmentToSend(CHANNEL, transmission, fragment).encode(block)
    assert len(raw) <= GEOMETRY.message_size
    unverified = Unverified.parse_untrusted(raw)
    assert unverified.channel == CHANNEL.channel
    arrival = unverified.verify_untrusted(CHANNEL)
    assert (arrival.transmission, arrival.block, arrival.content) == (transmission, block, fragment)


def test_a_full_fragment_has_no_room_for_a_reply_block():
    fragment = Fragment(0, 0, 0, 0, MESSAGE_LIMIT, bytes(LARGE))
    assert len(FragmentToSend(CHANNEL, 0, fragment).encode(None)) == GEOMETRY.message_size
    with pytest.raises(LocalError):
        FragmentToSend(CHANNEL, 0, fragment).encode(BLOCK)


@pytest.mark.parametrize("block", [None, BLOCK])
def test_a_probe_comes_back(block):
    raw = ProbeToSend(CHANNEL, 7, (1, 2)).encode(block)
    arrival = Unverified.parse_untrusted(raw).verify_untrusted(CHANNEL)
    assert (arrival.transmission, arrival.block, arrival.content) == (7, block, Probe((1, 2)))


@given(st.data())
@settings(max_examples=50)
def test_any_changed_byte_is_refused(data):
    raw = bytearray(FragmentToSend(CHANNEL, 1, Fragment(1, 5, 3, 0, 40, b"x" * 40)).encode(BLOCK))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RemoteError):
        Unverified.parse_untrusted(bytes(raw)).verify_untrusted(CHANNEL)


def test_every_byte_changed_and_every_length_cut_is_refused():
    whole = FragmentToSend(CHANNEL, 1, Fragment(1, 5, 3, 0, 40, b"x" * 40)).encode(None)
    for at in range(len(whole)):
        for raw in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            with pytest.raises(RemoteError):
                Unverified.parse_untrusted(raw).verify_untrusted(CHANNEL)


@given(st.binary(max_size=GEOMETRY.message_size + 1))
def test_garbage_is_refused(raw):
    with pytest.raises(RemoteError):
        Unverified.parse_untrusted(raw).verify_untrusted(CHANNEL)


@given(st.sampled_from([1, 2, 3]), st.binary(max_size=600))
def test_garbage_of_a_hostile_contact_is_refused_or_possible(kind, rest):
    """Who has the channel's key can seal anything: the limits hold for it too."""
    raw = seal(CHANNEL, PlaintextKind(kind), 0, rest)
    try:
        arrival = Unverified.parse_untrusted(raw).verify_untrusted(CHANNEL)
    except RemoteError:
        return
    if isinstance(arrival.content, Fragment):
        f = arrival.content
        assert f.lane < LANES and 0 <= f.number - f.floor < WINDOW and f.floor >= 0 and 0 < f.length <= MESSAGE_LIMIT


@pytest.mark.parametrize(
    "block", [ReplyBlock(bytes(GEOMETRY.surb_size - 1), 0), replace(BLOCK, until=1 << 32), replace(BLOCK, until=-1)]
)
def test_a_reply_block_of_another_size_is_refused(block):
    with pytest.raises(LocalError):
        block.serialize()


def test_a_reply_block_that_ends_early_is_refused():
    for size in (0, GEOMETRY.surb_size, len(BLOCK.serialize()) - 1, len(BLOCK.serialize()) + 1):
        with pytest.raises(RemoteError):
            ReplyBlock.parse_untrusted(bytes(size))
    short = seal(CHANNEL, PlaintextKind.FRAGMENT_WITH_SURB, 1, BLOCK.serialize()[:-1])
    with pytest.raises(RemoteError):
        Unverified.parse_untrusted(short).verify_untrusted(CHANNEL)


def test_another_channel_is_refused():
    raw = ProbeToSend(CHANNEL, 7, (1, 2)).encode(BLOCK)
    with pytest.raises(RemoteError):
        Unverified.parse_untrusted(raw).verify_untrusted(ChannelKey(b"d" * 16, CHANNEL.key))
    with pytest.raises(RemoteError):
        Unverified.parse_untrusted(raw).verify_untrusted(ChannelKey(CHANNEL.channel, SymmetricKey(b"l" * 32)))


FRAGMENT = {"lane": LANES - 1, "number": WINDOW - 1, "behind": WINDOW - 1, "index": 0, "length": MESSAGE_LIMIT}


def placed(part: int = LARGE, **fields: int) -> bytes:
    """A fragment of a hostile contact: sealed as it should be, with any numbers."""
    place = struct.pack(">BIBBI", *(FRAGMENT | fields).values())
    return seal(CHANNEL, PlaintextKind.FRAGMENT, 1, place + bytes(part))


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({}, LARGE),
        ({"number": NUMBER_LIMIT - 1}, LARGE),
        ({"lane": 0, "number": 0, "behind": 0, "length": 1}, 1),
        ({"index": MAX_FRAGMENTS - 1}, SMALL),
    ],
)
def test_the_largest_and_smallest_numbers_that_are_allowed_are_taken(fields, part):
    content = Unverified.parse_untrusted(placed(part, **fields)).verify_untrusted(CHANNEL).content
    wanted = FRAGMENT | fields
    assert isinstance(content, Fragment)
    assert (content.number, content.floor) == (wanted["number"], wanted["number"] - wanted["behind"])


@pytest.mark.parametrize(
    ("fields", "part", "why"),
    [
        ({"lane": LANES}, LARGE, "number"),
        ({"number": NUMBER_LIMIT}, LARGE, "number"),
        ({"number": WINDOW - 2}, LARGE, "number"),
        ({"number": WINDOW, "behind": WINDOW}, LARGE, "message"),
        ({"length": MESSAGE_LIMIT + 1}, LARGE, "message"),
        ({"length": 0}, 0, "message"),
        ({"index": MAX_FRAGMENTS}, LARGE, "part"),
        ({"index": 255}, LARGE, "part"),
        ({}, LARGE - 1, "part"),
        ({"index": 7}, SMALL + 1, "part"),
    ],
)
def test_one_more_than_what_is_allowed_is_refused(fields, part, why):
    with pytest.raises(RemoteError, match=why):
        Unverified.parse_untrusted(placed(part, **fields)).verify_untrusted(CHANNEL)


def test_a_probe_s_floors_have_their_limit():
    for floors in ((NUMBER_LIMIT - 1, 0), (0, NUMBER_LIMIT - 1)):
        raw = ProbeToSend(CHANNEL, 7, floors).encode(None)
        assert Unverified.parse_untrusted(raw).verify_untrusted(CHANNEL).content == Probe(floors)
    for floors in ((NUMBER_LIMIT, 0), (0, NUMBER_LIMIT)):
        raw = ProbeToSend(CHANNEL, 7, floors).encode(None)
        with pytest.raises(RemoteError, match="floor"):
            Unverified.parse_untrusted(raw).verify_untrusted(CHANNEL)


@pytest.mark.parametrize("until", [0, (1 << 32) - 1])
def test_a_reply_block_may_end_at_any_time_of_32_bits(until):
    block = replace(BLOCK, until=until)
    assert ReplyBlock.parse_untrusted(block.serialize()) == block
