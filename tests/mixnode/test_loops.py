"""Loops: their routes, who recognises them, what is noticed when they don't return, and how often falsely."""

from __future__ import annotations

import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.counters import Event
from mixnet.crypto import MAC_SIZE, SymmetricKey
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.parameters import Parameters
from mixnode.detector import HARMLESS, Detector, at_rest
from mixnode.loops import PATIENCE, Loops, Returned, loop_route
from tests.mixnode.town import Town

OFTEN = Parameters(node_loop_rate=1.0)


def make_loops() -> Loops:
    return Loops(SymmetricKey.generate())


async def test_the_loops_of_every_node_return(autojump_clock: MockClock) -> None:
    town = Town(parameters=OFTEN, providers=2)
    async with town.running():
        await trio.sleep(120)
        for member in town.members:
            sent, returned = member.count(Event.LOOPS_SENT), member.count(Event.LOOPS_RETURNED)
            assert sent > 60
            assert sent - 5 <= returned <= sent
            assert member.count(Event.LOOPS_LOST) == 0
            assert member.serving is not None
            assert member.serving.snapshot()["warnings"] == []


async def test_nodes_warn_when_a_mix_swallows_loops_and_stop_when_it_is_back(autojump_clock: MockClock) -> None:
    town = Town(parameters=Parameters(node_loop_rate=1.0, epoch_length=200.0))
    async with town.running() as nursery:
        await trio.sleep(30)
        victim, *others = town.members
        await town.stop(victim)
        await trio.sleep(60)
        for member in others:
            assert member.serving is not None
            assert member.serving.snapshot()["warnings"] == ["loops_missing"]
        await town.start(nursery, victim)  # in memory, so with new keys: the document needs them
        town.documents.clear()
        await trio.sleep(3 * town.parameters.epoch_length)
        for member in others:
            assert member.serving is not None
            assert member.serving.snapshot()["warnings"] == []


async def test_a_loop_goes_through_the_rest_of_the_network(autojump_clock: MockClock) -> None:
    town = Town(providers=2)
    async with town.running():
        for member in town.members:
            route = loop_route(town.document, member.identity.public, random.Random(3))
            layers = [town.document.layer_of(node.identity) for node in route]
            expected = {0: [1, 2, None, 0], 1: [2, None, 0, 1], 2: [None, 0, 1, 2], -1: [0, 1, 2, None]}
            assert layers == expected[member.layer]
            assert route[-1].identity == member.identity.public
            assert (route[-1].role is NodeRole.PROVIDER) == (member.layer == -1)
        with pytest.raises(LocalError):
            loop_route(town.document, bytes(32), random.Random(3))


def test_only_its_sender_recognises_a_loop_and_only_once() -> None:
    loops, stranger = make_loops(), make_loops()
    message = loops.message()
    loops.sent(message, 10.0)
    with pytest.raises(RemoteError):
        stranger.returned_untrusted(message, 10.0)
    assert loops.returned_untrusted(message, 10.0) is Returned.ON_TIME
    with pytest.raises(RemoteError):
        loops.returned_untrusted(message, 10.0)


@given(st.binary(max_size=64), st.integers(0, 32))
def test_nothing_else_is_taken_for_a_loop(garbage: bytes, position: int) -> None:
    loops = make_loops()
    message = bytearray(loops.message())
    loops.sent(bytes(message), 10.0)
    message[position] ^= 1
    for wrong in (garbage, bytes(message), bytes(message[:-1]), bytes(MAC_SIZE)):
        with pytest.raises(RemoteError):
            loops.returned_untrusted(wrong, 10.0)


def test_a_loop_is_lost_after_its_deadline_and_then_no_longer_counts() -> None:
    loops = make_loops()
    early, late = loops.message(), loops.message()
    loops.sent(early, 5.0)
    loops.sent(late, 5.5)
    lost = 5.0 + PATIENCE
    assert (loops.overdue(lost - 0.1), loops.overdue(lost), loops.overdue(lost + 0.1)) == (0, 1, 0)
    with pytest.raises(RemoteError):
        loops.returned_untrusted(early, lost)
    loops.returned_untrusted(late, lost)


def test_loops_that_come_late_count_as_late_and_not_as_lost() -> None:
    loops = make_loops()
    for number in range(6):
        message = loops.message()
        loops.sent(message, float(number))
        assert loops.warnings == []
        assert loops.returned_untrusted(message, number + PATIENCE - 0.1) is Returned.LATE
        assert loops.overdue(number + PATIENCE + 1) == 0
    assert loops.warnings == ["loops_late"]
    for _ in range(1000):
        message = loops.message()
        loops.sent(message, 7.0)
        assert loops.returned_untrusted(message, 7.0) is Returned.ON_TIME
    assert loops.warnings == []


def test_lost_loops_are_not_late() -> None:
    loops = make_loops()
    for _ in range(6):
        loops.sent(loops.message(), 0.0)
    assert loops.overdue(PATIENCE) == 6
    assert loops.warnings == ["loops_missing"]


def test_what_a_machine_that_stood_still_sees_late_is_on_time() -> None:
    loops = make_loops()
    message, lost = loops.message(), loops.message()
    loops.sent(message, 1.0)
    loops.sent(lost, 1.0)
    loops.stood_still(30.0)
    assert loops.overdue(30.9 + PATIENCE) == 0
    assert loops.returned_untrusted(message, 31.0) is Returned.ON_TIME
    assert loops.overdue(31.0 + PATIENCE) == 1


@given(st.lists(st.tuples(st.sampled_from("sroh"), st.integers(0, 20)), max_size=200))
def test_every_loop_is_settled_once_and_in_one_way(steps: list[tuple[str, int]]) -> None:
    loops, sent, settled, now, lost = make_loops(), [], set(), 0.0, 0
    for step, number in steps:
        now += 1.0
        match step:
            case "s":
                sent.append((loops.message(), now + number / 4))
                loops.sent(*sent[-1])
            case "r" if sent:
                message, _ = sent[number % len(sent)]
                try:
                    loops.returned_untrusted(message, now)
                except RemoteError:
                    continue
                assert message not in settled
                settled.add(message)
            case "o":
                lost += loops.overdue(now)
            case "h":
                loops.stood_still(number / 4)
        assert len(settled) + lost <= len(sent)
    assert len(settled) + lost + loops.overdue(float("inf")) == len(sent)


@pytest.mark.parametrize(("held", "warnings"), [(8.0, ["loops_late"]), (0.5, [])], ids=["long", "short"])
async def test_nodes_warn_of_packets_that_are_held_back_for_seconds(
    autojump_clock: MockClock, held: float, warnings: list[str]
) -> None:
    town = Town(parameters=OFTEN, providers=2)
    async with town.running():
        await trio.sleep(30)
        hosts = [member.host for member in town.members]
        with trio.move_on_after(60):
            while True:
                town.network.hold_back(hosts, hosts[:1])
                await trio.sleep(held)
                town.network.heal()
                await trio.sleep(2.0)
        for member in town.members:
            assert member.serving is not None
            assert member.serving.snapshot()["warnings"] == warnings
            assert (member.count(Event.LOOPS_LATE) > 10) == bool(warnings)
            assert member.count(Event.LOOPS_LOST) == 0


def first_alarm(share: float, rng: random.Random, most: int) -> int:
    detector = Detector()
    for number in range(most):
        detector.add(rng.random() < share)
        if detector.alarmed:
            return number
    return most


def test_a_fifth_is_found_in_a_minute_and_a_twentieth_within_the_hour() -> None:
    rng = random.Random(1)
    fifth = [first_alarm(0.2, rng, 1800) for _ in range(100)]
    twentieth = [first_alarm(0.05, rng, 1800) for _ in range(100)]
    assert sum(fifth) / 100 < 50  # loops, of which there is one every two seconds
    assert sum(twentieth) / 100 < 500
    assert max(twentieth) < 1800


def test_what_an_honest_network_has_raises_no_alarm() -> None:
    rng = random.Random(2)
    assert all(first_alarm(HARMLESS, rng, 20_000) == 20_000 for _ in range(20))


@given(st.lists(st.booleans(), max_size=300))
def test_an_alarm_begins_when_a_test_fires_and_ends_when_all_are_at_rest(harms: list[bool]) -> None:
    detector, mirror, expected = Detector(), at_rest(), False
    for harm in harms:
        detector.add(harm)
        for test in mirror:
            test.add(harm)
        expected = any(test.fired for test in mirror) or (expected and not all(test.at_rest for test in mirror))
        assert detector.alarmed is expected
