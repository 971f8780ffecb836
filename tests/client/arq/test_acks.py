import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.arq import acks
from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.delivery_tags import TAG_SIZE
from mixnet.client.arq.fragments import MAX_FRAGMENTS, WINDOW, PlaintextKind, seal
from mixnet.errors import RemoteError
from mixnet.sphinx import GEOMETRY
from tests.client.worlds.acks import CHANNEL


@st.composite
def reports(draw):
    start = draw(st.integers(0, 1 << 31))
    ahead = draw(st.sets(st.integers(0, WINDOW - 1)))
    return LaneReport(start, {start + n: draw(st.integers(0, (1 << MAX_FRAGMENTS) - 1)) for n in sorted(ahead)})


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 65534), reports(), reports())
def test_an_acknowledgement_comes_back_and_fits(newest, held, first, second):
    ack = Ack(newest, held / 1000, (first, second))
    raw = ack.encode(CHANNEL)
    assert len(raw) <= GEOMETRY.message_size
    assert acks.channel_of_untrusted(raw) == CHANNEL.channel
    assert acks.parse_untrusted(raw, CHANNEL) == ack


def test_every_byte_changed_and_every_length_cut_is_refused():
    whole = Ack(1, 0.5, (LaneReport(3, {3: 5, 4: 1}), LaneReport(0, {}))).encode(CHANNEL)
    for at in range(len(whole)):
        for raw in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole + b"x"):
            with pytest.raises(RemoteError):
                acks.parse_untrusted(raw, CHANNEL)


@given(st.binary(max_size=300))
def test_garbage_is_refused(raw):
    with pytest.raises(RemoteError):
        acks.parse_untrusted(raw, CHANNEL)


@given(st.binary(max_size=100))
def test_sealed_garbage_is_refused_or_within_the_limits(rest):
    try:
        ack = acks.parse_untrusted(seal(CHANNEL, PlaintextKind.ACK, 0, rest), CHANNEL)
    except RemoteError:
        return
    for lane in ack.lanes:
        assert all(0 <= number - lane.next_number < WINDOW for number in lane.partial)
        assert all(bitmap < 1 << MAX_FRAGMENTS for bitmap in lane.partial.values())


def test_a_long_pause_is_told_as_the_longest():
    ack = Ack(1, 1e9, (LaneReport(0, {}), LaneReport(0, {})))
    assert acks.parse_untrusted(ack.encode(CHANNEL), CHANNEL).held == 65.534


def sealed(next_number: int, partial: list[tuple[int, int]], tags: bytes = b"", told: int = 0) -> bytes:
    """An acknowledgement of a hostile contact, whose second lane is empty."""
    lane = struct.pack(">IB", next_number, len(partial)) + b"".join(struct.pack(">BI", *one) for one in partial)
    rest = bytes(2) + lane + bytes([told]) + tags + struct.pack(">IB", 0, 0) + b"\0"
    return seal(CHANNEL, PlaintextKind.ACK, 0, rest)


ALL = (1 << MAX_FRAGMENTS) - 1


@pytest.mark.parametrize(
    ("next_number", "partial", "told"),
    [(5, [(0, ALL), (WINDOW - 1, 0)], 5), (WINDOW + 9, [(1, 1)], WINDOW), (1, [], 1), (0, [], 0)],
)
def test_what_is_at_the_limits_is_read_to_its_last_byte(next_number, partial, told):
    tags = tuple(bytes([number]) * TAG_SIZE for number in range(told))
    first, second = acks.parse_untrusted(sealed(next_number, partial, b"".join(tags), told), CHANNEL).lanes
    assert first == LaneReport(next_number, {next_number + ahead: bitmap for ahead, bitmap in partial}, tags)
    assert second == LaneReport(0, {})
    assert Ack(0, 0.0, (first, second)).encode(CHANNEL) == sealed(next_number, partial, b"".join(tags), told)


@pytest.mark.parametrize(
    ("next_number", "partial", "told", "why"),
    [
        (5, [(WINDOW, 1)], 0, "never sent"),
        (5, [(0, ALL + 1)], 0, "never sent"),
        (5, [(2, 1), (2, 1)], 0, "never sent"),
        (5, [], 6, "tags"),
        (WINDOW + 9, [], WINDOW + 1, "tags"),
    ],
)
def test_one_more_than_what_may_be_told_is_refused(next_number, partial, told, why):
    with pytest.raises(RemoteError, match=why):
        acks.parse_untrusted(sealed(next_number, partial, bytes(told * TAG_SIZE), told), CHANNEL)


def test_tags_that_end_early_are_refused():
    rest = bytes(2) + struct.pack(">IB", 9, 0) + b"\x03" + bytes(3 * TAG_SIZE - 1)
    with pytest.raises(RemoteError, match="tags"):
        acks.parse_untrusted(seal(CHANNEL, PlaintextKind.ACK, 0, rest), CHANNEL)
