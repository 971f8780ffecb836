"""Trees: everybody once, and a time that grows with the logarithm."""

from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.groups.rollercoaster import arrange, places, split

COUNTS, LATENCIES = st.integers(0, 200), st.integers(0, 40)


def followed(targets, latency):
    """Who gets it from whom when everybody splits what it was given."""
    got = []
    open_ = [(None, tuple(targets))]
    while open_:
        sender, rest = open_.pop()
        for branch in split(rest, latency):
            got.append((sender, branch.child))
            open_.append((branch.child, branch.onward))
    return got


@given(COUNTS, LATENCIES)
def test_each_member_gets_it_once_and_from_whom_the_source_expects(count, latency):
    got = followed(range(count), latency)
    assert sorted(child for _, child in got) == list(range(count))
    found = places(range(count), latency)
    assert {child: place.parent for child, place in found.items()} == {child: sender for sender, child in got}


def test_without_latency_all_who_have_it_double_in_each_step():
    for count, steps in [(1, 1), (7, 3), (8, 4), (127, 7), (1023, 10)]:
        assert max(place.step for place in places(range(count), 0).values()) == steps


@given(st.integers(1, 200), LATENCIES)
def test_it_is_never_slower_than_unicast_and_fast_when_many(count, latency):
    last = max(place.step for place in places(range(count), latency).values())
    assert last <= count + latency
    assert max(p.step for p in places(range(2 * count), latency).values()) <= last + latency + 1


@given(st.integers(0, 80), st.integers(0, 80), LATENCIES)
def test_nobody_waits_behind_who_is_in_doubt_if_there_are_leaves_enough(able, doubtful, latency):
    members = list(range(able + doubtful))
    order = arrange(members[:able], members[able:], latency)
    assert sorted(order) == members
    parents = {place.parent for place in places(order, latency).values()} - {None}
    behind = parents & set(members[able:])
    assert not behind or able < len(parents)
