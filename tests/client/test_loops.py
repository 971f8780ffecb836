"""The loop monitor: every transition, the bound on false alarms, and what does not count."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.loops import (
    DUMMIES,
    GIVE_UP,
    PENDING_LIMIT,
    TRANSITIONS,
    Alarm,
    Event,
    LoopMonitor,
    blackout,
    suspicion,
)

ALLOWED = 5.0


def loop_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def empty(monitor: LoopMonitor, now: float) -> None:
    for _ in range(DUMMIES):
        monitor.on_dummy(now)


def play(monitor: LoopMonitor, outcomes: list[bool], start: int = 0) -> None:
    """Send a loop for each outcome, and let it return if the outcome says so."""
    for number, lost in enumerate(outcomes, start):
        monitor.on_sent(loop_id(number), float(number), 0.1)
        if not lost:
            assert monitor.on_returned(loop_id(number))
        empty(monitor, number + 1 + ALLOWED)


def test_the_table_names_every_state_and_event():
    assert set(TRANSITIONS) == {(alarm, event) for alarm in Alarm for event in Event}


@pytest.mark.parametrize(
    ("events", "reached"),
    [
        ([], Alarm.CALM),
        ([Event.SUSPICION], Alarm.WARNED),
        ([Event.BLACKOUT], Alarm.PAUSED),
        ([Event.SUSPICION, Event.BLACKOUT], Alarm.PAUSED),
        ([Event.BLACKOUT, Event.SUSPICION], Alarm.PAUSED),
        ([Event.BLACKOUT, Event.RELIEF], Alarm.WARNED),
        ([Event.BLACKOUT, Event.RELIEF, Event.RECOVERY], Alarm.CALM),
        ([Event.SUSPICION, Event.RECOVERY], Alarm.CALM),
        ([Event.SUSPICION, Event.RELIEF], Alarm.WARNED),
    ],
)
def test_walk_through_the_table(events, reached):
    alarm = Alarm.CALM
    for event in events:
        alarm = TRANSITIONS[alarm, event]
    assert alarm is reached


def test_all_loops_lost_warns_then_pauses_and_returning_ones_recover():
    monitor = LoopMonitor(ALLOWED)
    play(monitor, [True] * 5)
    assert monitor.alarm is Alarm.WARNED
    play(monitor, [True] * 40, start=5)
    assert monitor.alarm is Alarm.PAUSED
    play(monitor, [False] * 15, start=100)
    assert monitor.alarm is Alarm.WARNED
    play(monitor, [False] * 100, start=200)
    assert monitor.alarm is Alarm.CALM
    assert (monitor.sent, monitor.returned, monitor.lost) == (160, 115, 45)


def test_the_crash_of_one_mix_of_two_warns_but_never_pauses():
    rng = random.Random(1)
    monitor = LoopMonitor(ALLOWED)
    play(monitor, [rng.random() < 0.5 for _ in range(5000)])
    assert monitor.alarm is Alarm.WARNED


def first_alarm(loss: float, seed: int, limit: int) -> int:
    rng, cusum = random.Random(seed), suspicion()
    for number in range(limit):
        cusum.add(rng.random() < loss)
        if cusum.fired:
            return number
    return limit


def test_harmless_loss_raises_no_alarm_and_a_fifth_lost_is_found_soon():
    assert all(first_alarm(0.01, seed, 20_000) == 20_000 for seed in range(20))
    found = [first_alarm(0.2, seed, 20_000) for seed in range(50)]
    assert sum(found) / len(found) < 100


def test_the_mean_time_to_a_false_alarm_is_at_least_the_bound():
    """Lorden's bound, at a threshold that can be reached: e^h loops or more on average."""
    times = []
    for seed in range(400):
        rng, cusum, number = random.Random(seed), blackout(), 0
        cusum.threshold = 3.0
        while not cusum.fired:
            cusum.add(rng.random() < cusum.harmless)
            number += 1
        times.append(number)
    assert sum(times) / len(times) >= 20.0  # e^3


def test_a_loop_is_lost_only_when_the_mailbox_was_seen_empty_after_its_time():
    monitor = LoopMonitor(ALLOWED)
    monitor.on_sent(loop_id(1), 0.0, 1.0)
    empty(monitor, 5.9)
    assert monitor.lost == 0
    for _ in range(20):  # a backlog: dummies never come in a row
        monitor.on_mail()
        monitor.on_dummy(20.0)
    assert monitor.lost == 0
    empty(monitor, 20.0)
    assert monitor.lost == 1


def test_a_provider_that_never_says_empty_gains_time_only():
    monitor = LoopMonitor(ALLOWED)
    monitor.on_sent(loop_id(1), 0.0, 1.0)
    monitor.on_tick(1.0 + ALLOWED + GIVE_UP * ALLOWED - 0.1)
    assert monitor.lost == 0
    monitor.on_tick(1.0 + ALLOWED + GIVE_UP * ALLOWED + 0.1)
    assert monitor.lost == 1


def test_a_lost_link_excuses_what_was_under_way():
    monitor = LoopMonitor(ALLOWED)
    monitor.on_sent(loop_id(1), 0.0, 1.0)
    monitor.on_link_lost()
    empty(monitor, 1000.0)
    assert monitor.lost == 0
    assert not monitor.on_returned(loop_id(1))


@given(st.lists(st.tuples(st.sampled_from("sread"), st.integers(0, 5)), max_size=200))
def test_whatever_happens_the_account_is_right(steps):
    monitor, now = LoopMonitor(ALLOWED), 0.0
    for step, number in steps:
        now += 1.0
        match step:
            case "s":
                monitor.on_sent(loop_id(int(now)), now, number / 10)
            case "r":
                monitor.on_returned(loop_id(max(0, int(now) - number)))
            case "e":
                empty(monitor, now)
            case "a":
                monitor.on_tick(now)
            case "d":
                monitor.on_link_lost()
        assert monitor.returned + monitor.lost <= monitor.sent
        assert monitor.alarm in Alarm


def test_what_is_awaited_is_bounded():
    monitor = LoopMonitor(ALLOWED)
    for number in range(PENDING_LIMIT + 10):
        monitor.on_sent(loop_id(number), 0.0, 0.0)
    assert not monitor.on_returned(loop_id(PENDING_LIMIT + 5))
    assert monitor.on_returned(loop_id(5))
