import itertools
import re
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.arq.fragments import MESSAGE_LIMIT
from mixnet.client.e2e import bodies
from mixnet.client.e2e.bodies import (
    CHUNK_SIZE,
    EDITS_LIMIT,
    PERIOD_LIMIT,
    REASONS,
    REASONS_HERE,
    SEEN_LIMIT,
    SHORTEST_PERIOD,
    SIGNED_TEXT_LIMIT,
    TEXT_LIMIT,
    TRANSITIONS,
    Abort,
    Chunk,
    Confirm,
    DevicePiece,
    Disappear,
    Edit,
    End,
    Greeting,
    MessageEvent,
    NoReceipt,
    Offer,
    Reason,
    Receipt,
    Refuse,
    Resume,
    Seen,
    SignedEdit,
    SignedEnd,
    SignedText,
    Text,
    Withdraw,
    Without,
    after,
    decode_untrusted,
    encode,
)
from mixnet.client.e2e.group_bodies import GroupBody
from mixnet.client.e2e.ratchet import OVERHEAD
from mixnet.client.e2e.statements import ReceiptKind
from mixnet.client.model.views import MessageState
from mixnet.errors import RemoteError

NUMBERS = st.integers(0, (1 << 62) - 1)
KEYS = st.binary(min_size=32, max_size=32)
TIMES = st.integers(0, (1 << 40) - 1)
SIGNATURES = st.binary(min_size=64, max_size=64)
CHANNELS = st.binary(min_size=16, max_size=16)
TAGS = st.binary(max_size=64)
REASON = st.sampled_from(Reason)
PERIODS = st.sampled_from((0, SHORTEST_PERIOD, PERIOD_LIMIT))
VERSIONS = st.integers(1, EDITS_LIMIT)
LETTERS = st.text(min_size=1, max_size=100)
BODIES = st.one_of(
    st.builds(Greeting, st.text(max_size=64), KEYS, KEYS, KEYS),
    st.just(Confirm()),
    st.builds(Text, NUMBERS, st.text(max_size=100), PERIODS),
    st.builds(Offer, NUMBERS, st.text(max_size=100), NUMBERS, PERIODS),
    st.builds(Chunk, NUMBERS, NUMBERS, st.binary(max_size=100)),
    st.builds(End, NUMBERS, KEYS),
    st.builds(Abort, NUMBERS, REASON),
    st.builds(Refuse, NUMBERS, REASON),
    st.builds(Seen, st.lists(NUMBERS, max_size=5).map(tuple)),
    st.builds(SignedText, NUMBERS, st.text(max_size=100), TIMES, SIGNATURES, PERIODS),
    st.builds(SignedEnd, NUMBERS, KEYS, TIMES, SIGNATURES),
    st.builds(Edit, NUMBERS, VERSIONS, LETTERS),
    st.builds(Withdraw, NUMBERS),
    st.builds(Disappear, NUMBERS, PERIODS),
    st.builds(SignedEdit, NUMBERS, VERSIONS, LETTERS, TIMES, SIGNATURES),
    st.builds(Receipt, NUMBERS, st.sampled_from(ReceiptKind), TIMES, SIGNATURES),
    st.builds(NoReceipt, NUMBERS, st.sampled_from(Without)),
    st.builds(Resume, CHANNELS, CHANNELS, st.tuples(NUMBERS, NUMBERS), st.tuples(TAGS, TAGS), st.booleans()),
    st.builds(DevicePiece, st.integers(0, 1), st.integers(0, 3), st.binary(max_size=100)),
)


def test_every_body_is_tried():
    """But for those of groups."""
    there = {kind.__name__ for kind in {*get_args(bodies.Body)} - {*get_args(GroupBody)}}
    assert set(re.findall(r"(?:builds|just)\((\w+)", repr(BODIES))) == there


@given(BODIES)
def test_a_body_comes_back(body):
    assert decode_untrusted(encode(body)) == body


@given(BODIES, st.data())
def test_a_body_cut_or_longer_is_refused(body, data):
    raw = encode(body)
    with pytest.raises(RemoteError):
        decode_untrusted(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(RemoteError):
        decode_untrusted(raw + b"\x00")


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_a_body(raw):
    try:
        body = decode_untrusted(raw)
    except RemoteError:
        return
    assert decode_untrusted(encode(body)) == body


@pytest.mark.parametrize(
    "fields",
    [
        [2, -1, "x"],
        [2, 1 << 62, "x"],
        [99],
        [0, "x", b"short", bytes(32), bytes(32)],
        [4, 0, 0, bytes(CHUNK_SIZE + 1)],
        [8, list(range(SEEN_LIMIT + 1))],
        [6, 1, "because"],
        [1, 2],
        [40, 1, "x" * (SIGNED_TEXT_LIMIT + 1), 1, bytes(64)],
        [40, 1, "x", 1 << 40, bytes(64)],
        [41, 1, bytes(32), 1, bytes(63)],
        [42, 1, "seen", 1, bytes(64)],
        [43, 1, "because"],
        b"",
        None,
    ],
)
def test_what_breaks_a_limit_is_refused(fields):
    with pytest.raises(RemoteError):
        decode_untrusted(msgspec.msgpack.encode(fields))


def test_deep_nesting_is_refused():
    with pytest.raises(RemoteError):
        decode_untrusted(b"\x91" * 100_000)


def test_the_longest_bodies_fit_into_a_message():
    longest = (
        Text((1 << 62) - 1, "x" * TEXT_LIMIT),
        Chunk((1 << 62) - 1, (1 << 62) - 1, bytes(CHUNK_SIZE)),
        Seen(((1 << 62) - 1,) * SEEN_LIMIT),
        SignedText((1 << 62) - 1, "x" * SIGNED_TEXT_LIMIT, (1 << 40) - 1, bytes(64)),
    )
    for body in longest:
        assert len(encode(body)) + OVERHEAD <= MESSAGE_LIMIT


def test_states_go_forward_only():
    order = [MessageState.QUEUED, MessageState.SENT, MessageState.DELIVERED, MessageState.READ]
    for state, event in itertools.product(MessageState, MessageEvent):
        reached = after(state, event)
        assert reached is TRANSITIONS.get((state, event), state)
        if state in order and reached in order:
            assert order.index(reached) >= order.index(state)
    assert after(MessageState.READ, MessageEvent.DELIVER) is MessageState.READ
    assert after(MessageState.DELIVERED, MessageEvent.FAIL) is MessageState.DELIVERED
    assert after(MessageState.DELIVERED, MessageEvent.REFUSE) is MessageState.FAILED
    for final in (MessageState.FAILED, MessageState.READ):
        assert {after(final, event) for event in MessageEvent} == {final}


def test_every_reason_has_a_sentence():
    assert set(REASONS) == set(REASONS_HERE) == set(Reason)
    assert bodies.BODY_LIMIT > bodies.CHUNK_SIZE
