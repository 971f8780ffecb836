import heapq
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.fragments import (
    LANES,
    MAX_FRAGMENTS,
    MESSAGE_LIMIT,
    WINDOW,
    Arrival,
    Fragment,
    Probe,
    ReplyBlock,
    has_room,
    spans,
)
from mixnet.client.arq.receiver import Receiver
from mixnet.client.arq.sender import Sender
from mixnet.client.arq.timers import Path, RoundTripTimer
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY

PATH = Path(round_trip=1.2, spread=0.12, ack_delay=0.1)
BLOCK = ReplyBlock(bytes(GEOMETRY.surb_size), 1_000_000)


def sender(seed=0, next_numbers=(0, 0)) -> Sender:
    rng = random.Random(seed)
    return Sender(RoundTripTimer(PATH, rng), rng, next_numbers)


def receiver(expected=(0, 0)) -> Receiver:
    return Receiver(expected, PATH.ack_delay)


def fragment(lane=0, number=0, floor=0, index=0, length=10) -> Fragment:
    start, end = spans(length)[index]
    return Fragment(lane, number, floor, index, length, bytes(end - start))


IDS = itertools.count()


def take(it: Receiver, arriving: Fragment, now=0.0, block=BLOCK) -> bool:
    new = it.is_new_untrusted(arriving)
    if new:
        it.take(arriving)
        it.skip(arriving.lane, arriving.floor)
    it.solicited(Arrival(next(IDS), block, arriving), now, new=new)
    return new


class Line:
    """A sender and a receiver, one slot every `slot` seconds each, over a path that loses and reorders."""

    def __init__(self, seed: int, loss: float, slot: float = 1 / 30) -> None:
        self.rng = random.Random(seed)
        self.loss, self.slot = loss, slot
        self.sender, self.receiver = sender(seed), receiver()
        self.now, self.transmissions, self.answers = 0.0, 0, 0
        self.delivered: list[tuple[int, int]] = []  # as the receiver delivers
        self.confirmed: list[tuple[int, int]] = []  # as the sender learns
        self._flying: list[tuple] = []

    def run(self, seconds: float) -> bool:
        end = self.now + seconds
        while self.now < end and self.sender.busy():
            self.now += self.slot
            self._forth()
            self._back()
            while self._flying and self._flying[0][0] <= self.now:
                _, _, what, content = heapq.heappop(self._flying)
                if what == "forth":
                    self._arrive(content)
                else:
                    self.confirmed += self.sender.acknowledged(content, self.now)
        return not self.sender.busy()

    def _fly(self, what, content) -> None:
        if self.rng.random() >= self.loss:
            delay = 0.2 + sum(self.rng.expovariate(20) for _ in range(4))
            heapq.heappush(self._flying, (self.now + delay, self.rng.random(), what, content))

    def _forth(self) -> None:
        made = self.sender.next_solicitation(self.now)
        for lane in range(LANES):
            made = made or self.sender.next(lane, self.now)
        if made is None:
            return
        self.transmissions += 1
        content = Probe(self.sender.floors())
        if made.place is not None:
            lane, number, index = made.place
            content = fragment(lane, number, self.sender.floors()[lane], index, self.sender.length(lane, number))
        self._fly("forth", Arrival(made.id, BLOCK if made.wants_surb else None, content))

    def _back(self) -> None:
        answer = self.receiver.answer(self.now)
        if answer is not None:
            self.answers += 1
            self._fly("back", answer.ack)

    def _arrive(self, arrival: Arrival) -> None:
        content, new = arrival.content, False
        if isinstance(content, Fragment):
            new = self.receiver.is_new_untrusted(content)
            if new:
                self.receiver.take(content)
            floors = {content.lane: content.floor}
        else:
            floors = dict(enumerate(content.floors))
        for lane, floor in floors.items():
            self.receiver.skip(lane, floor)
            while (number := self.receiver.ready(lane)) is not None:
                self.delivered.append((lane, number))
                self.receiver.deliver(lane)
        self.receiver.solicited(arrival, self.now, new=new)


LENGTHS = st.lists(st.integers(1, MESSAGE_LIMIT), min_size=1, max_size=WINDOW)


@given(st.integers(0, 1 << 32), LENGTHS, LENGTHS)
@settings(max_examples=20)
def test_without_loss_each_fragment_leaves_once(seed, texts, files):
    line = Line(seed, loss=0.0)
    for lane, lengths in enumerate((texts, files)):
        for number, length in enumerate(lengths):
            line.sender.add(lane, number, length)
    assert line.run(600)
    fragments = sum(len(spans(length)) for length in (*texts, *files))
    assert line.transmissions <= 1.05 * fragments + 6
    assert line.answers <= fragments / 8 + len(texts) + len(files) + 6


@given(st.integers(0, 1 << 32), LENGTHS, st.sampled_from([0.1, 0.5, 0.75]))
@settings(max_examples=20)
def test_with_loss_all_is_delivered_once_in_order(seed, lengths, loss):
    line = Line(seed, loss)
    for lane in range(LANES):
        for number, length in enumerate(lengths):
            line.sender.add(lane, number, length)
    assert line.run(20_000)
    places = [(lane, number) for lane in range(LANES) for number in range(len(lengths))]
    assert sorted(line.delivered) == places and sorted(line.confirmed) == places
    for lane in range(LANES):
        assert [place for place in line.delivered if place[0] == lane] == [p for p in places if p[0] == lane]
    assert line.sender.wake_at() is None


def test_half_lost_each_way_costs_little_more_than_twice():
    """What is lost is known from answers: slots are not spent on what has arrived."""
    line = Line(3, loss=0.5)
    for number in range(WINDOW):
        line.sender.add(1, number, MESSAGE_LIMIT)
    assert line.run(20_000)
    assert line.transmissions < 2.6 * WINDOW * len(spans(MESSAGE_LIMIT))


def test_an_absent_receiver_is_asked_ever_less():
    line = Line(1, loss=1.0, slot=0.5)
    for number in range(WINDOW):
        line.sender.add(0, number, MESSAGE_LIMIT)
    assert not line.run(3600)
    first_hour = line.transmissions
    assert not line.run(3600)
    assert first_hour < WINDOW * len(spans(MESSAGE_LIMIT)) + 250
    assert line.transmissions - first_hour <= 8
    line.loss = 0.0
    line.sender.wake(line.now)
    assert line.run(1200)


def test_the_window_and_the_order_of_numbers():
    it = sender()
    for number in range(WINDOW):
        assert it.has_window(0) and it.next_number(0) == number
        it.add(0, number, 10)
    assert not it.has_window(0) and it.has_window(1)
    with pytest.raises(LocalError):
        it.add(0, 3, 10)
    it.withdraw(0, 0)
    assert it.has_window(0) and it.floors() == (1, 0)


def test_a_withdrawn_message_is_not_waited_for():
    line = Line(1, loss=0.0)
    for number in range(3):
        line.sender.add(0, number, 10)
    line.sender.withdraw(0, 1)
    assert line.run(60)
    assert line.delivered == [(0, 0), (0, 2)]
    line = Line(1, loss=0.0)
    line.sender.add(0, 0, 10)
    line.sender.withdraw(0, 0)
    assert line.sender.wake_at() is None and line.sender.next_solicitation(1e9) is None


def test_after_a_restart_only_what_is_missing_leaves():
    it = sender(next_numbers=(6, 0))
    it.add(0, 5, MESSAGE_LIMIT, acked=(1 << 24) - 1 - (1 << 9))
    assert it.next_number(0) == 6
    made = it.next(0, 0.0)
    assert made is not None and made.place == (0, 5, 9)
    assert it.next(0, 0.0) is None


def test_an_answer_that_came_back_late_does_no_harm():
    it = sender()
    it.add(0, 0, MESSAGE_LIMIT)
    while it.next(0, 0.0):
        pass
    full = Ack(1, 0.0, (LaneReport(0, {0: (1 << 24) - 1}), LaneReport(0, {})))
    none = Ack(2, 0.0, (LaneReport(0, {}), LaneReport(0, {})))
    assert it.acknowledged(full, 1.0) == [] and it.acknowledged(none, 1.1) == []
    assert it.acked(0, 0) == (1 << 24) - 1
    assert it.acknowledged(Ack(3, 0.0, (LaneReport(1, {}), LaneReport(0, {}))), 1.2) == [(0, 0)]
    assert it.acked(0, 0) is None


def test_an_answer_about_what_was_never_sent_changes_nothing():
    it = sender()
    it.add(0, 0, 10)
    hostile = Ack(99, 60.0, (LaneReport(1 << 31, {1 << 31: 1}), LaneReport(7, {9: 3})))
    assert it.acknowledged(hostile, 0.0) == [(0, 0)]
    assert it.next_number(0) == 1 and it.next_number(1) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.integers(0, 40),
            st.integers(0, 15),
            st.integers(0, 23),
            st.sampled_from([10, 9000, MESSAGE_LIMIT]),
        ),
        max_size=200,
    )
)
def test_a_hostile_sender_can_t_exhaust_the_receiver(arrivals):
    it = receiver()
    for lane, number, behind, index, length in arrivals:
        if index >= len(spans(length)) or behind > number:
            continue
        try:
            take(it, fragment(lane, number, number - behind, index, length))
        except RemoteError:
            continue
    for lane in it._lanes:
        assert len(lane.partial) <= WINDOW
        assert all(lane.expected <= number < lane.expected + WINDOW for number in lane.partial)
    assert len(it._blocks) <= 6


def test_the_receiver_refuses_what_contradicts_itself():
    it = receiver()
    assert take(it, fragment(length=9000, index=1))
    assert not take(it, fragment(length=9000, index=1))
    with pytest.raises(RemoteError, match="contradicts"):
        take(it, fragment(length=9001, index=0))
    with pytest.raises(RemoteError, match="window"):
        take(it, fragment(number=WINDOW))
    it.forget(0, 0)
    assert take(it, fragment(length=9001, index=0))


def test_a_reply_block_is_answered_once_and_not_at_once():
    it = receiver()
    take(it, fragment(number=0), now=5.0)
    take(it, fragment(number=1), now=5.05)
    assert it.due_at() == 5.1 and it.answer(5.09) is None
    assert it.answer(5.1) is not None
    assert it.answer(9.0) is None and it.due_at() is None
    take(it, fragment(number=1), now=10.0)  # again: the answer was lost
    take(it, fragment(number=1), now=10.0)
    assert it.answer(10.2) is not None and it.answer(10.2) is not None and it.answer(10.2) is None
    take(it, fragment(number=2), now=11.0, block=None)
    assert it.due_at() is None


def test_a_reply_block_is_not_used_after_its_end():
    it = receiver()
    take(it, fragment(number=0), now=0.0, block=ReplyBlock(b"first", 20))
    take(it, fragment(number=1), now=1.0, block=ReplyBlock(b"second", 10))
    answer = it.answer(15.0)
    assert answer is not None and answer.surb == b"first", "the newest of those that may still be used"
    take(it, fragment(number=2), now=16.0, block=ReplyBlock(b"third", 20))
    assert it.answer(20.5) is None and it.due_at() is None, "nothing left to answer through"
    take(it, fragment(number=2), now=21.0, block=ReplyBlock(b"fourth", 40))
    assert it.answer(30.0) is not None, "a fresh one is answered through"


def test_an_answer_tells_what_is_here():
    it = receiver((3, 0))
    take(it, fragment(number=4, length=9000, index=2))
    answer = it.answer(1.0)
    assert answer is not None and answer.surb == BLOCK.surb
    assert answer.ack.held == 1.0 and answer.ack.lanes == (LaneReport(3, {4: 4}), LaneReport(0, {}))
    again = Arrival(answer.ack.newest, BLOCK, fragment(number=4, length=9000, index=2))
    it.solicited(again, 2.0, new=False)
    assert it.due_at() is None, "one packet's reply block is used once"


def test_timeouts_learn_and_grow():
    timing = RoundTripTimer(PATH, random.Random(0))
    for _ in range(50):
        timing.measured(4.0)
    assert 4.0 <= timing.timeout(0) <= 1.25 * (4.0 + 4 * PATH.spread + PATH.ack_delay) + 0.2
    assert timing.timeout(20) > 10 * timing.timeout(0)
    assert timing.timeout(10_000) <= 1.25 * 600


def all_out(length: int = MESSAGE_LIMIT) -> tuple[Sender, list[int]]:
    """One message under way, whose fragments left a second after one another, and their transmissions."""
    it = sender()
    it.add(0, 0, length)
    made = [it.next(0, float(second)) for second in range(len(spans(length)))]
    return it, [one.id for one in made if one is not None]


def told(newest: int, held: float, here: int = 0) -> Ack:
    return Ack(newest, held, (LaneReport(0, {0: here}), LaneReport(0, {})))


def lost_by(held: float) -> list[int]:
    """Which fragments leave again when the newest that is here, that of second 2, was answered after `held` seconds."""
    it, ids = all_out()
    it.acknowledged(told(ids[2], held, here=1 << 2), 40.0)
    return [made.place[2] for made in iter(lambda: it.next(0, 41.0), None) if made.place is not None]


def test_what_an_answer_was_held_for_is_no_part_of_the_round_trip():
    it, ids = all_out(10)
    it.acknowledged(told(ids[0], held=30.0), 31.0)
    wait = 1.0 + 8 * PATH.spread + PATH.ack_delay  # the round trip, its deviation, and the receiver's pause
    assert 31.0 + wait <= it.wake_at() <= 31.0 + 1.25 * wait


def test_what_left_while_an_answer_was_held_and_has_not_arrived_is_lost():
    """What left before second 5 was due when the answer left, even if others overtook it."""
    overtaken = 6 * PATH.spread
    assert lost_by(held=3.0 + overtaken - 0.01) == [0, 1, 3, 4]
    assert lost_by(held=3.0 + overtaken + 0.01) == [0, 1, 3, 4, 5]
    assert lost_by(held=0.0) == [0, 1]


def test_a_sign_of_life_shortens_a_long_wait_and_never_lengthens_a_short_one():
    it, _ = all_out(10)
    while it.wake_at() < 3600.0:  # nobody answers: waits have grown
        assert it.next_solicitation(it.wake_at() or 1.0) is not None
    it.wake(3000.0)
    fresh = it.wake_at()
    assert 3000.0 < fresh <= 3000.0 + 1.25 * (PATH.round_trip + 8 * PATH.spread + PATH.ack_delay)
    it, _ = all_out(10)
    due = it.wake_at()
    assert it.next_solicitation(due) is not None  # one timeout passed
    while it.wake_at() == 0.0:
        it.next_solicitation(due)
    again = it.wake_at()
    it.wake(again - 0.001)
    assert it.wake_at() == again


def test_an_answer_older_than_its_pause_says_counts_as_no_time_at_all():
    it, ids = all_out(10)
    it.acknowledged(told(ids[0], held=50.0), 31.0)
    wait = 8 * PATH.spread + PATH.ack_delay
    assert 31.0 + wait <= it.wake_at() <= 31.0 + 1.25 * wait


def test_what_was_known_to_be_here_stays_known():
    it, ids = all_out()
    it.acknowledged(told(ids[3], 0.0, here=0b1010), 40.0)
    it.acknowledged(told(ids[2], 0.0, here=0b0100), 40.1)
    assert it.acked(0, 0) == 0b1110


def test_a_lane_waits_for_a_slot_only_with_something_to_send():
    it, ids = all_out()
    assert not it.waits(0) and not it.waits(1)
    it.acknowledged(told(ids[9], 0.0, here=1 << 9), 40.0)
    assert it.waits(0)
    while it.next(0, 41.0):
        pass
    assert not it.waits(0)
    it.add(1, 0, 10, acked=1)
    assert not it.waits(1) and it.next(1, 42.0) is None
    it.add(1, 1, 10)
    assert it.waits(1)


def asked(it: Sender, now: float) -> list:
    """What leaves at `now` only to be answered."""
    return list(iter(lambda: it.next_solicitation(now), None))


def test_time_out_after_time_out_more_reply_blocks_leave_until_the_other_side_is_taken_to_be_away():
    it, _ = all_out()
    counts = []
    for _ in range(26):
        due = it.wake_at()
        assert due > 0.0 and it.next_solicitation(due - 0.001) is None
        counts.append(len(asked(it, due)))
    assert counts == [2, 3, 4, 5, *[6] * 20, 1, 1]


def test_while_a_burst_leaves_it_asks_for_a_slot_at_once():
    it, _ = all_out(10)
    due = it.wake_at()
    assert it.next_solicitation(due) is not None
    assert it.wake_at() == 0.0 and not it._too_silent()
    assert it.next_solicitation(due) is not None
    assert it.wake_at() > due


def test_only_fragments_with_room_for_a_reply_block_leave_again_at_a_time_out_the_oldest_first():
    it, _ = all_out()
    due = it.wake_at()
    again = [made.place[2] for made in asked(it, due)]
    assert again == [7, 15] and all(has_room(index, MAX_FRAGMENTS) for index in again)
    assert [made.place[2] for made in asked(it, it.wake_at())] == [23, 7, 15]


def test_a_sign_of_life_begins_the_time_outs_anew():
    it, _ = all_out(10)
    for _ in range(10):
        asked(it, it.wake_at())
    it.wake(5000.0)
    it.wake(5000.0)
    assert len(asked(it, it.wake_at())) == 2  # as at a first time-out


def test_nothing_is_armed_by_a_sign_of_life_where_nothing_is_under_way():
    it = sender()
    it.wake(10.0)
    assert it.wake_at() is None and asked(it, 1e9) == []
    it, _ = all_out(10)
    due = it.wake_at()
    it.wake(0.5)  # nobody was late yet: nothing to shorten
    assert it.wake_at() == due


def test_giving_up_the_last_message_ends_all_of_it_and_giving_up_twice_does_no_harm():
    it, _ = all_out(10)
    asked(it, it.wake_at())
    it.withdraw(0, 0)
    it.withdraw(0, 0)
    assert it.wake_at() is None and not it.busy()
    it.add(0, 1, 10)
    assert it.next(0, 9000.0) is not None
    assert len(asked(it, it.wake_at())) == 2


def test_the_receiver_forgets_what_never_came_without_harm():
    it = receiver()
    it.forget(0, 3)
    it.deliver(0)
    assert it.expected(0) == 1
    take(it, fragment(number=1))
    assert it.ready(0) == 1
    it.deliver(0)
    assert it.report(0) == LaneReport(2, {})


def test_a_reply_block_may_be_used_until_its_very_end():
    it = receiver()
    take(it, fragment(), now=0.0, block=ReplyBlock(b"block", 20))
    assert it.answer(20.0) is not None


def test_after_nothing_was_left_to_answer_through_one_fresh_block_gives_one_answer():
    it = receiver()
    take(it, fragment(number=0), now=0.0, block=ReplyBlock(b"first", 1))
    assert it.answer(5.0) is None
    for number in (1, 2):
        take(it, fragment(number=number), now=6.0, block=ReplyBlock(b"later", 40))
    assert it.answer(6.2) is not None and it.answer(6.2) is None


def test_what_was_stored_before_a_restart_is_here_after_it():
    it = receiver((2, 0))
    for lane, number, index in ((0, 3, 0), (0, 3, 2), (1, 0, 1), (0, 2, 0)):
        it.restore(lane, number, 10 if number == 2 else 9000, index)
    assert it.report(0) == LaneReport(2, {2: 1, 3: 0b101}) and it.report(1) == LaneReport(0, {0: 0b10})
    assert it.ready(0) == 2 and it.ready(1) is None
    assert not it.is_new_untrusted(fragment(number=3, index=2, length=9000))
    with pytest.raises(RemoteError, match="contradicts"):
        it.is_new_untrusted(fragment(number=3, index=1, length=9001))


def test_however_many_ask_again_few_reply_blocks_are_kept():
    it = receiver()
    take(it, fragment(), now=0.0)
    for _ in range(3):
        take(it, fragment(), now=0.0)
    assert it.answer(1.0) is not None and it.due_at() is not None
    for _ in range(20):
        take(it, fragment(), now=1.0)
    assert len(it._blocks) == 6


def test_after_nothing_was_left_to_answer_through_nothing_is_owed():
    it = receiver()
    take(it, fragment(), now=0.0, block=ReplyBlock(b"first", 1))
    assert it.answer(5.0) is None
    take(it, fragment(), now=6.0)
    take(it, fragment(number=1), now=6.0)
    assert it.answer(6.2) is not None and it.answer(6.3) is None


def test_a_transmission_counts_from_when_it_left_not_from_when_it_was_chosen():
    it = sender()
    it.add(0, 0, 10)
    made = it.next(0, 0.0)
    it.sent(made.id + 1, 500.0)  # of another life: nothing is known of it
    assert it.wake_at() < 10.0
    it.sent(made.id, 40.0)
    assert 41.0 < it.wake_at() < 45.0
    it.acknowledged(told(made.id, 0.0), 41.0)
    wait = 1.0 + 8 * PATH.spread + PATH.ack_delay
    assert 41.0 + wait <= it.wake_at() <= 41.0 + 1.25 * wait


def test_without_a_time_out_what_may_still_arrive_is_not_sent_again_to_ask_for_an_answer():
    it = sender()
    it.add(0, 0, MESSAGE_LIMIT, acked=1 << 15 | 1 << 23)
    left = [made.place[2] for made in iter(lambda: it.next(0, 1.0), None)]
    assert 7 in left and len(left) == MAX_FRAGMENTS - 2
    assert it.wake_at() == 0.0  # fourteen have left since the last reply block
    (probe,) = asked(it, 1.0)
    assert probe.place is None and probe.wants_surb
