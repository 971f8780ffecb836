"""The source's time-outs: around those who are away, a few times, and never for ever."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.groups.multicast import PLANS, SPARES, Delivery, TreeTiming, spare_targets
from mixnet.client.groups.rollercoaster import split

TIMING = TreeTiming.of(MessengerSettings())


def made(count, doubted=(), seed=1):
    return Delivery(range(count), doubted, TIMING, random.Random(seed))


def reached(plan, away):
    """Who gets it by a tree if these pass nothing on."""
    got, open_ = set(), list(plan.branches)
    while open_:
        branch = open_.pop()
        if branch.child not in away:
            got.add(branch.child)
            open_ += split(branch.onward, TIMING.latency)
    return got


def test_all_who_answer_in_time_hear_of_it_once():
    delivery = made(99)
    for member in reached(delivery.start(10.0), away=set()):
        assert delivery.acknowledged(member) and not delivery.acknowledged(member)
    assert delivery.next_due == math.inf and not delivery.missing and delivery.due(1e9) == []


@given(st.integers(1, 99), st.sets(st.integers(0, 98)), st.integers(0, 1000))
def test_all_who_are_there_get_it_whoever_is_away(count, away, seed):
    delivery = made(count, seed=seed)
    away &= set(range(count))
    plans, got, now, rounds = [delivery.start(0.0)], set(), 0.0, 0
    while plans:
        rounds += len(plans)
        for plan in plans:
            for member in reached(plan, away):
                got.add(member)
                delivery.acknowledged(member)
        now = delivery.next_due
        plans = delivery.due(now) if now < math.inf else []
    assert got == set(range(count)) - away == set(range(count)) - delivery.missing
    assert rounds <= PLANS


def test_who_is_in_doubt_has_nobody_behind_it_from_the_start():
    delivery = made(40, doubted=range(10))
    assert reached(delivery.start(0.0), away=set(range(10))) == set(range(10, 40))


def test_an_answer_ends_the_doubt_and_a_time_out_begins_it():
    delivery = made(2)
    delivery.start(0.0)
    (plan,) = delivery.due(delivery.next_due)
    assert {b.child for b in plan.branches} <= delivery.doubted
    delivery.acknowledged(0)
    assert 0 not in delivery.doubted


@pytest.mark.parametrize("count", [1, 20])
def test_who_never_answers_is_written_to_directly_once(count):
    delivery = made(count)
    plans = [delivery.start(0.0)]
    while delivery.next_due < math.inf:
        plans += delivery.due(delivery.next_due)
    direct = [branch for plan in plans[-1:] for branch in plan.branches]
    assert all(not branch.onward for branch in direct) and len(plans) <= PLANS
    assert len({plan.number for plan in plans}) == len(plans)


def test_those_behind_who_is_late_get_a_tree_of_their_own_at_once():
    delivery = made(99)
    late = delivery.start(0.0).branches[0]
    assert late.onward
    for member in set(range(99)) - {late.child, *late.onward}:
        delivery.acknowledged(member)
    plan = delivery.due(delivery.next_due)[0]
    assert reached(plan, away={late.child}) >= set(late.onward)


def test_a_first_message_is_hedged_and_one_to_those_who_answered_lately_is_not():
    everybody = range(99)
    assert made(99).start(0.0, everybody).spares == SPARES
    assert made(99).start(0.0).spares == made(99).start(0.0, range(3)).spares == 0
    assert made(99, doubted=range(40)).start(0.0, range(40)).spares == 0  # they are on leaves anyway
    assert made(3).start(0.0, range(3)).spares == 0  # nobody is behind anybody
    assert made(16).start(0.0, range(16)).spares == 5  # the more members, the more copies
    long = Delivery(everybody, (), TIMING, random.Random(1), packets=3)
    assert long.start(0.0, everybody).spares == SPARES // 3
    assert made(99).start(0.0, everybody).number == 0


def test_only_the_first_tree_is_hedged():
    delivery = made(99)
    delivery.start(0.0, range(99))
    while delivery.next_due < math.inf:
        assert all(plan.spares == 0 for plan in delivery.due(delivery.next_due))


@given(st.integers(0, 20), st.integers(0, 8))
def test_spare_copies_go_to_others_once_each(count, spares):
    got = spare_targets(range(count), spares, random.Random(1))
    assert len(got) == len(set(got)) == min(count, spares)
