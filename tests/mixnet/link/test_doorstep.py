"""Handshakes: what strangers begin leaves room for members', and what one origin begins for the others'."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mixnet.link.doorstep import ORIGINS_EACH, Doorstep, KnockLimits

LIMITS = KnockLimits(under_way=4, rate=10.0, burst=20.0, origin_rate=2.0, origin_burst=8.0)
KNOCKS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcdefgh"), st.booleans()), max_size=200)


@given(KNOCKS)
def test_handshakes_are_bounded_of_each_kind_and_in_time(knocks: list[tuple[float, str, bool]]) -> None:
    doorstep: Doorstep[int] = Doorstep(LIMITS, 0.0)
    now, under_way, began = 0.0, {True: set[int](), False: set[int]()}, list[tuple[str, bool]]()
    for number, (pause, origin, familiar) in enumerate(knocks):
        now += pause
        knock = doorstep.knock(number, origin, now, familiar=familiar)
        if knock.displaced is not None:
            under_way[familiar].remove(knock.displaced)
        if knock.admitted:
            under_way[familiar].add(number)
            began.append((origin, familiar))
        assert max(map(len, under_way.values())) <= LIMITS.under_way
    assert sum(not familiar for _, familiar in began) <= LIMITS.burst + LIMITS.rate * now + 1e-6
    for which in set(began):
        assert began.count(which) <= LIMITS.origin_burst + LIMITS.origin_rate * now + 1e-6


def test_however_many_strangers_knock_a_member_is_let_in() -> None:
    doorstep: Doorstep[int] = Doorstep(LIMITS, 0.0)
    doorstep.expect("member", b"m")
    for number in range(1000):
        doorstep.knock(number, f"stranger {number}", 0.0)
    assert not doorstep.knock(1000, "another stranger", 0.0).admitted
    assert doorstep.knock(1001, "member", 0.0) == (True, None)
    assert doorstep.knock(1002, "listed", 0.0, familiar=True) == (True, None)


def test_the_origin_with_the_most_handshakes_gives_one_up() -> None:
    doorstep: Doorstep[str] = Doorstep(LIMITS, 0.0)
    doorstep.knock("honest", "home", 0.0)
    for name in ("one", "two", "three"):
        doorstep.knock(name, "flood", 0.0)
    assert [doorstep.knock(name, "flood", 0.0).displaced for name in ("four", "five")] == ["one", "two"]
    doorstep.leave("four")
    assert doorstep.knock("six", "elsewhere", 0.0).displaced is None


def test_what_a_member_floods_is_its_own() -> None:
    doorstep: Doorstep[int] = Doorstep(LIMITS, 0.0)
    for number in range(1000):
        doorstep.knock(number, "corrupt", 0.0, familiar=True)
    assert not doorstep.knock(1000, "corrupt", 0.0, familiar=True).admitted
    assert doorstep.knock(1001, "honest", 0.0, familiar=True).admitted


def test_a_member_that_comes_from_many_origins_has_one_share_for_all() -> None:
    """Its key may be in many hands; each of them may prove itself once with the chances of a stranger."""
    doorstep: Doorstep[int] = Doorstep(LIMITS, 0.0)
    doorstep.expect("home", b"honest")
    began = 0
    for number in range(10_000):
        doorstep.expect(f"one of many {number}", b"corrupt")
        began += doorstep.knock(number, f"one of many {number}", 0.0).admitted
    assert began == LIMITS.origin_burst
    assert len(doorstep._proved) == ORIGINS_EACH + 1
    assert doorstep.knock(10_000, "home", 0.0).admitted


def test_a_member_that_proved_itself_where_another_is_listed_takes_no_share_of_that() -> None:
    doorstep: Doorstep[int] = Doorstep(LIMITS, 0.0)
    for origin in ("listed", "elsewhere"):
        doorstep.expect(origin, b"corrupt")
    for number in range(100):
        doorstep.knock(number, "elsewhere", 0.0)
    assert doorstep.knock(100, "listed", 0.0, familiar=True).admitted
