"""Between a node and its workers: what is encoded is decoded to the same, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.crypto import SphinxSecret
from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Deliver, Drop, Forward, Mailbox, Reply
from mixnode import batches
from mixnode.batches import HEAD_SIZE, MOST, RECORD_SIZE, SLOTS, WorkerOrder, decode, encode, read_head
from mixnode.queues import BATCH

IDS, TAGS = st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16)
PACKETS = st.binary(min_size=8, max_size=8).map(lambda raw: raw * (GEOMETRY.packet_size // 8))
DELAYS = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
PEELED = st.one_of(
    st.builds(Forward, IDS, DELAYS, PACKETS, TAGS),
    st.builds(Mailbox, IDS, PACKETS, TAGS),
    st.builds(Deliver, st.binary(max_size=2699), TAGS),
    st.builds(Reply, IDS, st.binary(min_size=4, max_size=4).map(lambda raw: raw * 679), TAGS),
    st.builds(Drop, TAGS),
)


def test_a_batch_of_a_room_fits_into_an_order():
    assert BATCH <= MOST


@given(st.none() | st.tuples(st.integers(0, 2), PEELED))
def test_an_outcome_comes_back_as_it_was(outcome):
    record = encode(outcome)
    assert len(record) == RECORD_SIZE
    assert decode(record) == outcome


@given(st.integers(0, 255), st.integers(0, 255), st.binary(min_size=58, max_size=58))
def test_a_record_is_decoded_or_refused(kind, index, rest):
    record = bytes([kind, index]) + rest + bytes(GEOMETRY.packet_size)
    try:
        outcome = decode(record)
    except LocalError:
        return
    assert decode(encode(outcome)) == outcome


@pytest.mark.parametrize("record", [b"", bytes(RECORD_SIZE - 1), bytes(RECORD_SIZE + 1), bytes(RECORD_SIZE)])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(LocalError):  # the last one: a packet to be forwarded that isn't there
        decode(record)


@given(st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=3), st.integers(1, MOST))
def test_an_order_says_what_follows(slots, count):
    packets = [bytes([number]) * GEOMETRY.packet_size for number in range(count)]
    order = batches.peel(slots, packets)
    head = read_head(order[:HEAD_SIZE])
    assert (head.order, head.number, head.slots) == (WorkerOrder.PEEL, count, tuple(slots))
    assert order[HEAD_SIZE:] == b"".join(packets)
    assert head.following == len(order) - HEAD_SIZE


def test_keys_are_learnt_and_forgotten_by_slot():
    secret = SphinxSecret.generate()
    order = batches.learn(7, secret)
    head = read_head(order[:HEAD_SIZE])
    assert (head.order, head.number, order[HEAD_SIZE:]) == (WorkerOrder.LEARN, 7, secret.expose())
    assert head.following == 32
    head = read_head(batches.forget(7))
    assert (head.order, head.number, head.following) == (WorkerOrder.FORGET, 7, 0)


@given(st.binary(min_size=HEAD_SIZE, max_size=HEAD_SIZE))
def test_a_head_is_read_or_refused(raw):
    try:
        head = read_head(raw)
    except LocalError:
        return
    assert raw == bytes([head.order, head.number]) + bytes(head.slots).ljust(3, b"\xff")
    assert head.following <= MOST * GEOMETRY.packet_size


@pytest.mark.parametrize(
    ("slots", "packets"),
    [([], [bytes(3072)]), ([0] * 4, [bytes(3072)]), ([0], []), ([0], [bytes(3072)] * 33), ([0], [bytes(3071)])],
)
def test_an_order_beyond_the_bounds_is_refused(slots, packets):
    with pytest.raises(LocalError):
        batches.peel(slots, packets)
