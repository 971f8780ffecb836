"""Posts as their authors signed them, and what one that waits for others waits for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.groups import posts
from mixnet.client.groups.ordering import ends_of, passed_over
from mixnet.client.groups.posts import LAPSING_LIMIT, PASSED_LIMIT
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError

KEY = SigningKey(b"k" * 32)
HEADS = (b"h" * 32,)
TIMES = st.integers(0, 2**40 - 1)
NUMBERS = st.integers(0, 2**20)
LAPSING = st.lists(st.tuples(NUMBERS, TIMES), max_size=LAPSING_LIMIT).map(tuple)


def made(number=9, floor=0, expires=0, lapsing=()):
    return posts.write(KEY, b"g" * 32, number, floor, HEADS, text="hi", expires=expires, lapsing=lapsing)


@settings(max_examples=40, deadline=None)
@given(NUMBERS, TIMES, LAPSING)
def test_a_post_is_read_as_it_was_written(number, expires, lapsing):
    post = made(number, 0, expires, lapsing)
    assert posts.parse_untrusted(post.raw) == post
    assert post.is_over(expires) is (expires > 0) and not post.is_over(expires - 1)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_post_with_a_byte_of_difference_is_refused(data):
    raw = bytearray(made(expires=1000, lapsing=((3, 500),)).raw)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RemoteError):
        posts.parse_untrusted(bytes(raw))


def test_a_post_may_say_nothing_but_what_is_passed_over_and_not_two_things():
    nothing = posts.write(KEY, b"g" * 32, 9, 4, HEADS, lapsing=((5, 0),))
    assert posts.parse_untrusted(nothing.raw) == nothing
    with pytest.raises(RemoteError):
        posts.parse_untrusted(posts.write(KEY, b"g" * 32, 9, 4, HEADS, text="hi", change=b"x").raw)


def test_more_that_expires_than_may_be_is_refused():
    with pytest.raises(RemoteError):
        posts.parse_untrusted(made(lapsing=tuple((n, 5) for n in range(LAPSING_LIMIT + PASSED_LIMIT + 2))).raw)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 9), st.dictionaries(st.integers(0, 8), st.integers(1, 50)), st.integers(0, 60))
def test_a_post_waits_for_all_before_it_that_are_not_over(expected, ends, now):
    others = tuple((number, end + 7) for number, end in ends.items())
    told = ends_of([made(lapsing=others[:3]), made(lapsing=tuple(ends.items())), made(lapsing=others[3:])])
    waits, retry = passed_over(expected, 9, told, now)
    assert all(ends[number] <= now for number in range(expected, waits))
    assert waits == 9 or ends.get(waits, now + 1) > now
    assert retry == (ends.get(waits) if waits < 9 else None)
