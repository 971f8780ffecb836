"""Loops: their routes, who recognises them, what is noticed when they don't return, and how often falsely."""

from __future__ import annotations

import itertools
import math
import random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from mixnet.counters import Event
from mixnet.crypto import MAC_SIZE, SymmetricKey
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.parameters import Parameters
from mixnode.detector import FALSE_ALARM, TOLERATED, WINDOW, Detector, alarm_threshold, binomial_tail
from mixnode.loops import PATIENCE, Loops, loop_route
from tests.mixnode.town import Town

OFTEN = Parameters(node_loop_rate=1.0)


def make_loops() -> tuple[Loops, Detector]:
    detector = Detector()
    return Loops(SymmetricKey.generate(), detector), detector


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
        await trio.sleep(2 * town.parameters.epoch_length)
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
    loops, _ = make_loops()
    stranger, _ = make_loops()
    message = loops.message()
    loops.sent(message, 10.0)
    with pytest.raises(RemoteError):
        stranger.returned_untrusted(message)
    loops.returned_untrusted(message)
    with pytest.raises(RemoteError):
        loops.returned_untrusted(message)


@given(st.binary(max_size=64), st.integers(0, 32))
def test_nothing_else_is_taken_for_a_loop(garbage: bytes, position: int) -> None:
    loops, _ = make_loops()
    message = bytearray(loops.message())
    loops.sent(bytes(message), 10.0)
    message[position] ^= 1
    for wrong in (garbage, bytes(message), bytes(message[:-1]), bytes(MAC_SIZE)):
        with pytest.raises(RemoteError):
            loops.returned_untrusted(wrong)


def test_a_loop_is_lost_after_its_deadline_and_then_no_longer_counts() -> None:
    loops, _ = make_loops()
    early, late = loops.message(), loops.message()
    loops.sent(early, 5.0)
    loops.sent(late, 5.0 + PATIENCE)
    assert (loops.overdue(4.9), loops.overdue(5.0), loops.overdue(5.1)) == (0, 1, 0)
    with pytest.raises(RemoteError):
        loops.returned_untrusted(early)
    loops.returned_untrusted(late)


def test_the_detector_alarms_falsely_no_more_often_than_it_says() -> None:
    threshold = Detector().threshold
    assert binomial_tail(WINDOW, TOLERATED, threshold) <= FALSE_ALARM < binomial_tail(WINDOW, TOLERATED, threshold - 1)
    assert binomial_tail(WINDOW, 0.30, threshold) > 0.95


@settings(max_examples=50)
@given(st.integers(1, 60), st.floats(0, 1))
def test_the_binomial_tail_is_a_probability_that_falls(trials: int, chance: float) -> None:
    tail = [binomial_tail(trials, chance, least) for least in range(trials + 2)]
    assert math.isclose(tail[0], 1.0)
    assert tail[-1] == 0
    assert all(one >= other - 1e-12 for one, other in itertools.pairwise(tail))
    assert binomial_tail(trials, chance, alarm_threshold(trials, chance, 1e-3)) <= 1e-3


@given(st.lists(st.booleans(), max_size=300))
def test_the_detector_judges_window_by_window(returned: list[bool]) -> None:
    detector = Detector()
    expected = False
    for position, came in enumerate(returned):
        detector.returned() if came else detector.lost()
        start = position - position % WINDOW
        lost = returned[start : position + 1].count(False)
        if lost >= detector.threshold:
            expected = True
        elif position % WINDOW == WINDOW - 1:
            expected = False
        assert detector.alarmed is expected
