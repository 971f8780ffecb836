"""The loop monitor: every transition, the bound on false alarms, and what does not count."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.traffic.loops import (
    DUMMIES,
    GIVE_UP,
    PENDING_LIMIT,
    THRESHOLD,
    TRANSITIONS,
    Alarm,
    LoopAllowance,
    LoopEvent,
    LoopMonitor,
    blackout,
    lateness,
    suspicion,
)

ALLOWED = 5.0
TIMELY = 1.0
DRAINED = 200.0
ALLOWANCE = LoopAllowance(late=TIMELY, lost=ALLOWED, stall=2.0, drained=DRAINED)


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
            assert monitor.on_returned(loop_id(number), number + 0.2)
        empty(monitor, number + 1 + ALLOWED)


def test_the_table_names_every_state_and_event():
    assert set(TRANSITIONS) == {(alarm, event) for alarm in Alarm for event in LoopEvent}


@pytest.mark.parametrize(
    ("events", "reached"),
    [
        ([], Alarm.CALM),
        ([LoopEvent.SUSPICION], Alarm.WARNED),
        ([LoopEvent.BLACKOUT], Alarm.PAUSED),
        ([LoopEvent.SUSPICION, LoopEvent.BLACKOUT], Alarm.PAUSED),
        ([LoopEvent.BLACKOUT, LoopEvent.SUSPICION], Alarm.PAUSED),
        ([LoopEvent.BLACKOUT, LoopEvent.RELIEF], Alarm.WARNED),
        ([LoopEvent.BLACKOUT, LoopEvent.RELIEF, LoopEvent.RECOVERY], Alarm.CALM),
        ([LoopEvent.SUSPICION, LoopEvent.RECOVERY], Alarm.CALM),
        ([LoopEvent.SUSPICION, LoopEvent.RELIEF], Alarm.WARNED),
    ],
)
def test_walk_through_the_table(events, reached):
    alarm = Alarm.CALM
    for event in events:
        alarm = TRANSITIONS[alarm, event]
    assert alarm is reached


def test_all_loops_lost_warns_then_pauses_and_returning_ones_recover():
    monitor = LoopMonitor(ALLOWANCE)
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
    monitor = LoopMonitor(ALLOWANCE)
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
    monitor = LoopMonitor(ALLOWANCE)
    monitor.on_sent(loop_id(1), 0.0, 1.0)
    empty(monitor, 5.9)
    assert monitor.lost == 0
    for _ in range(20):  # a backlog: dummies never come in a row
        monitor.on_mail()
        monitor.on_dummy(20.0)
    assert monitor.lost == 0
    empty(monitor, 20.0)
    assert monitor.lost == 1


OVERDUE = ALLOWED + GIVE_UP * ALLOWED


@pytest.mark.parametrize("drained", [0.0, DRAINED])
def test_a_provider_that_never_says_empty_gains_time_only(drained):
    """At most what a full mailbox takes to come down; where nothing has a schedule, none is ever full."""
    monitor = LoopMonitor(ALLOWANCE._replace(drained=drained))
    for number in range(40):
        monitor.on_sent(loop_id(number), 0.0, 1.0)
    end = max(1.0 + OVERDUE, drained)
    monitor.on_tick(end - 0.1)
    assert monitor.lost == 0
    assert monitor.alarm is (Alarm.WARNED if drained else Alarm.CALM)
    monitor.on_tick(end + 0.1)
    assert monitor.lost == 40
    assert monitor.alarm is Alarm.PAUSED


def flooded(monitor: LoopMonitor, loops: int, wait: float, keeps: int) -> float:
    """A loop a second; each waits so long behind others' mail, and one in `keeps` finds room in the mailbox."""
    now = 0.0
    for now in map(float, range(loops)):
        monitor.on_sent(loop_id(int(now)), now, 0.1)
        back = int(now - wait)
        if back >= 0 and back % keeps == 0:
            assert monitor.on_returned(loop_id(back), now)
        monitor.on_mail()
        monitor.on_frame(now)
        monitor.on_tick(now)
        assert monitor.alarm is not Alarm.PAUSED
    return now


@pytest.mark.parametrize("keeps", [1, 20, 150])
def test_whoever_fills_the_mailbox_pauses_nothing_as_long_as_a_loop_comes_back(keeps):
    monitor = LoopMonitor(ALLOWANCE)
    end = flooded(monitor, 2000, DRAINED - 1, keeps)
    assert monitor.alarm is Alarm.WARNED
    assert monitor.lost == 0
    for number in range(int(end - DRAINED), int(end)):
        monitor.on_returned(loop_id(number), end)
    empty(monitor, end + 1 + ALLOWED)
    assert monitor.alarm is not Alarm.PAUSED
    assert monitor.returned + monitor.lost == monitor.sent


def test_who_swallows_all_loops_and_fills_the_mailbox_is_found_when_a_full_one_would_have_come_down():
    monitor = LoopMonitor(ALLOWANCE)
    begun = flooded(monitor, 400, 100.0, 1)
    found = next(
        now
        for now in range(int(begun), int(begun + 10 * DRAINED))
        if monitor.on_tick(float(now)) or monitor.alarm is Alarm.PAUSED
    )
    assert begun + DRAINED < found <= begun + DRAINED + 2


def test_a_lost_link_excuses_what_was_under_way():
    monitor = LoopMonitor(ALLOWANCE)
    monitor.on_sent(loop_id(1), 0.0, 1.0)
    monitor.on_link_lost()
    empty(monitor, 1000.0)
    assert monitor.lost == 0
    assert not monitor.on_returned(loop_id(1), 1000.0)


@given(st.lists(st.tuples(st.sampled_from("sreadf"), st.integers(0, 5)), max_size=200))
def test_whatever_happens_the_account_is_right(steps):
    monitor, now = LoopMonitor(ALLOWANCE), 0.0
    for step, number in steps:
        now += 1.0
        match step:
            case "s":
                monitor.on_sent(loop_id(int(now)), now, number / 10)
            case "r":
                monitor.on_returned(loop_id(max(0, int(now) - number)), now)
            case "e":
                empty(monitor, now)
            case "a":
                monitor.on_tick(now)
            case "d":
                monitor.on_link_lost()
            case "f":
                monitor.on_frame(now)
        assert monitor.returned + monitor.lost <= monitor.sent
        assert monitor.late <= monitor.returned
        assert monitor.alarm in Alarm


def test_what_is_awaited_is_bounded():
    monitor = LoopMonitor(ALLOWANCE)
    for number in range(PENDING_LIMIT + 10):
        monitor.on_sent(loop_id(number), 0.0, 0.0)
    assert not monitor.on_returned(loop_id(PENDING_LIMIT + 5), 0.0)
    assert monitor.on_returned(loop_id(5), 0.0)


# Late loops.


def one_late(monitor: LoopMonitor, number: int, *, took: float, seen_empty: float | None = None) -> None:
    """A loop that takes so long; the mailbox is seen empty at `seen_empty` after it left."""
    start = 100.0 * number
    monitor.on_sent(loop_id(number), start, 0.1)
    if seen_empty is not None:
        empty(monitor, start + seen_empty)
    assert monitor.on_returned(loop_id(number), start + took)
    monitor.on_mail()


def test_loops_that_come_late_warn_and_neither_alarm_nor_pause():
    monitor = LoopMonitor(ALLOWANCE)
    for number in range(8):
        one_late(monitor, number, took=4.0, seen_empty=3.0)
        assert monitor.warnings == []
    one_late(monitor, 8, took=4.0, seen_empty=3.0)
    assert (monitor.late, monitor.lost) == (9, 0)
    assert monitor.warnings == ["loops_late"]
    for number in range(9, 500):
        one_late(monitor, number, took=4.0, seen_empty=3.0)
    assert monitor.alarm is Alarm.CALM
    for number in range(500, 850):
        one_late(monitor, number, took=0.5)
    assert monitor.warnings == []


@pytest.mark.parametrize("seen_empty", [None, 0.9, 1.1])
def test_a_loop_that_may_have_waited_in_the_mailbox_is_not_late(seen_empty):
    monitor = LoopMonitor(ALLOWANCE)
    for number in range(100):
        one_late(monitor, number, took=4.0, seen_empty=seen_empty)
    assert monitor.late == 0
    assert monitor.warnings == []


def test_what_is_not_known_to_be_on_time_does_not_wash_the_late_ones_away():
    monitor = LoopMonitor(ALLOWANCE)
    for number in range(9):
        for other in range(200):
            one_late(monitor, 1000 * number + other, took=4.0)
        one_late(monitor, 1000 * number + 999, took=4.0, seen_empty=3.0)
    assert monitor.warnings == ["loops_late"]


def test_a_lost_loop_is_not_late():
    monitor = LoopMonitor(ALLOWANCE)
    play(monitor, [True] * 20)
    assert (monitor.late, monitor.lost) == (0, 20)
    assert monitor.warnings == []


def test_time_in_which_nothing_came_down_counts_for_nothing():
    """A machine that stood still finds old dummies first and the loops behind them."""
    monitor = LoopMonitor(ALLOWANCE)
    monitor.on_frame(0.0)
    monitor.on_sent(loop_id(1), 0.0, 0.1)
    monitor.on_sent(loop_id(2), 0.0, 0.1)
    for _ in range(DUMMIES):
        monitor.on_frame(8.0)
        monitor.on_dummy(8.0)
    assert monitor.on_returned(loop_id(1), 8.1)
    assert (monitor.late, monitor.lost) == (0, 0)
    monitor.on_frame(9.2)
    empty(monitor, 9.2)
    assert monitor.on_returned(loop_id(2), 9.3)
    assert monitor.late == 1


def test_a_short_gap_is_no_excuse():
    monitor = LoopMonitor(ALLOWANCE)
    monitor.on_sent(loop_id(1), 0.0, 0.1)
    for when in (0.0, 1.9, 2.0):
        monitor.on_frame(when)
    empty(monitor, 2.0)
    assert monitor.on_returned(loop_id(1), 2.1)
    assert monitor.late == 1


def test_a_hundredth_may_come_late_and_a_twentieth_is_noticed():
    def first(share: float, seed: int, most: int) -> int:
        rng, test = random.Random(seed), lateness()
        return next((number for number in range(most) if test.add(rng.random() < share) or test.fired), most)

    assert pytest.approx(13.8, abs=0.1) == THRESHOLD
    assert all(first(0.01, seed, 20_000) == 20_000 for seed in range(20))
    found = [first(0.05, seed, 20_000) for seed in range(50)]
    assert sum(found) / len(found) < 450


def test_dummies_from_before_a_standstill_do_not_say_that_the_mailbox_is_empty():
    monitor = LoopMonitor(ALLOWANCE)
    monitor.on_sent(loop_id(1), 0.0, 0.1)
    monitor.on_frame(0.0)
    empty(monitor, 0.0)
    for when in (3.0, 4.9):
        monitor.on_frame(when)
        monitor.on_dummy(when)
    assert monitor.on_returned(loop_id(1), 5.0)
    assert monitor.late == 0
