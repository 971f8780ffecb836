"""Places follow from proven identities and origins, under any sequence of comings and goings."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mixnet.link.places import Places, Room, Standing

RANKS = {b"a": Standing.AUTHORITY, b"b": Standing.AUTHORITY, b"m": Standing.MEMBER, b"n": Standing.MEMBER}
PEERS = st.one_of(st.sampled_from(sorted(RANKS)), st.binary(min_size=2, max_size=3))
COMERS = st.lists(st.tuples(PEERS, st.sampled_from("uvwxyz"), st.booleans()), max_size=60)
ROOMS = st.builds(
    Room, st.integers(1, 8), st.integers(0, 4), st.integers(1, 3), st.booleans()
)  # connections, reserved, per_peer, turnover


def rank(identity: bytes) -> Standing:
    return RANKS.get(identity, Standing.STRANGER)


def room(connections: int, **changes: int) -> Room:
    return Room(**({"connections": connections, "reserved": 0, "per_peer": 2} | changes))


@given(ROOMS, COMERS)
def test_whoever_comes_the_bounds_hold_and_nobody_loses_a_place_to_a_lower_one(
    room: Room, comers: list[tuple[bytes, str, bool]]
) -> None:
    places: Places[int] = Places(room, rank)
    present: dict[int, tuple[bytes, str]] = {}
    for number, (identity, origin, stays) in enumerate(comers):
        entry = places.enter(number, identity, origin)
        for gone in (*entry.replaced, *entry.displaced):
            assert gone not in places
            lost = present.pop(gone)[0]
            assert lost == identity if gone in entry.replaced else rank(lost) <= rank(identity)
        if entry.admitted:
            present[number] = (identity, origin)
            if not stays:
                places.leave(number)
                del present[number]
        assert len(places) == len(present) <= room.connections
        assert all(one in places for one in present)
        strangers = [one for one, _ in present.values() if rank(one) is Standing.STRANGER]
        assert len(strangers) <= max(0, room.connections - room.reserved)
        assert max(Counter(one for one, _ in present.values()).values(), default=0) <= room.per_peer
        if rank(identity) is Standing.AUTHORITY:  # only other authorities could keep one out
            assert entry.admitted or all(rank(one) is Standing.AUTHORITY for one, _ in present.values())


def test_a_member_takes_the_place_of_a_stranger_and_an_authority_that_of_a_member() -> None:
    places: Places[str] = Places(room(2), rank)
    assert places.enter("one", b"s1", "x").admitted
    assert places.enter("two", b"s2", "y").admitted
    assert places.enter("member", b"m", "z").displaced == ("one",)
    assert places.enter("other", b"n", "z").displaced == ("two",)
    assert not places.enter("late", b"s3", "w").admitted
    assert places.enter("authority", b"a", "z").displaced == ("member",)


def test_an_origin_with_many_places_gives_one_up_to_an_origin_with_none() -> None:
    places: Places[int] = Places(room(6), rank)
    for number in range(6):
        assert places.enter(number, bytes([1, number]), "crowd" if number else "alone").admitted
    assert places.enter(6, b"new", "elsewhere").displaced == (1,)
    assert not places.enter(7, b"more", "crowd").admitted
    assert places.enter(8, b"next", "alone").displaced == (2,)
    assert 0 in places


def test_one_place_of_an_origin_is_kept_however_many_origins_come() -> None:
    places: Places[int] = Places(room(4), rank)
    for number in range(4):
        assert places.enter(number, bytes([1, number]), f"origin {number}").admitted
    assert not any(places.enter(number, bytes([1, number]), f"origin {number}").admitted for number in range(4, 100))


def test_where_links_are_soon_over_the_newest_stranger_comes_in_instead_of_the_oldest() -> None:
    places: Places[int] = Places(room(4, turnover=True), rank)
    lost = [places.enter(number, bytes([1, number]), f"origin {number}").displaced for number in range(12)]
    assert lost == [()] * 4 + [(number,) for number in range(8)]
    assert places.enter(20, b"m", "z").displaced == (8,)
    assert places.enter(21, b"again", "origin 9").displaced == (9,)  # its own, not another origin's


def test_a_member_that_is_none_any_more_counts_as_a_stranger() -> None:
    listed = {b"m"}
    places: Places[str] = Places(room(2), lambda one: Standing.MEMBER if one in listed else Standing.STRANGER)
    assert places.enter("member", b"m", "x").admitted
    assert places.enter("stranger", b"s", "y").admitted
    listed.clear()
    listed.add(b"n")
    assert places.enter("new member", b"n", "z").displaced == ("member",)
