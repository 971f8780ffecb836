"""The schedules: absolute, seeded, and blind to what fills their slots."""

import math
import random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.traffic.schedule import (
    MOST_RESERVE,
    PADDING,
    STALL,
    Emitter,
    Prepared,
    ReadyQueue,
    Schedule,
    Sent,
    quiet_passed,
)
from mixnet.errors import LocalError
from mixnet.link import Frame, FrameKind


def packet(made: float = 0.0, fill: int = 0) -> Prepared:
    return Prepared(Frame(FrameKind.PACKET, bytes([fill]) * 3072), made)


def test_each_slot_is_the_one_before_plus_an_exponential_draw():
    schedule, stream = Schedule(3.0, random.Random(7), 100.0), random.Random(7)
    expected = 100.0
    for _ in range(1000):
        expected += stream.expovariate(3.0)
        assert schedule.next == expected
        assert schedule.advance() == expected


def test_the_slots_of_a_schedule_are_poisson():
    schedule = Schedule(5.0, random.Random(1), 0.0)
    slots = [schedule.advance() for _ in range(20_000)]
    gaps = [later - earlier for earlier, later in zip([0.0, *slots], slots, strict=False)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert mean == pytest.approx(0.2, rel=0.03)
    assert variance == pytest.approx(0.04, rel=0.06)


def test_a_new_rate_leaves_the_slot_that_is_drawn():
    schedule = Schedule(1.0, random.Random(1), 0.0)
    drawn = schedule.next
    schedule.change_rate(1000.0)
    assert schedule.advance() == drawn
    assert schedule.next - drawn < 0.1


def test_rate_zero_never_comes_and_a_negative_one_is_refused():
    silent = Schedule(0.0, random.Random(1), 5.0)
    assert silent.next == math.inf
    assert silent.reserve(1.0) == 0
    for rate in (-1.0, math.nan):
        with pytest.raises(LocalError):
            Schedule(rate, random.Random(1), 0.0)


@given(st.floats(0.001, 1e5), st.floats(0.0, 10.0))
def test_a_reserve_holds_for_two_slots_and_is_bounded(rate, seconds):
    assert 2 <= Schedule(rate, random.Random(1), 0.0).reserve(seconds) <= MOST_RESERVE


def test_a_message_goes_before_cover_and_old_packets_go_nowhere():
    queue = ReadyQueue()
    assert queue.take() is None
    queue.add_cover(packet(1.0, 1))
    queue.add_cover(packet(9.0, 2))
    question = Prepared(Frame(FrameKind.REQUEST, b"question"), 9.0)
    queue.put_front(question)
    later = Prepared(Frame(FrameKind.REQUEST, b"later"), 9.0)
    queue.put_front(Prepared(Frame(FrameKind.REQUEST, b"old"), 2.0))
    queue.put_front(later)
    assert queue.messages == 3
    queue.drop_older(5.0)
    assert (len(queue), queue.messages) == (3, 2)
    assert queue.take() is question
    assert queue.take() is later
    assert queue.messages == 0
    assert queue.take() == packet(9.0, 2)
    assert queue.take() is None
    queue.put_front(question)
    assert queue.messages == 1


def test_what_is_taken_back_does_not_leave_and_the_rest_keeps_its_order():
    queue = ReadyQueue()
    made = [packet(1.0, fill) for fill in range(4)]
    queue.add_cover(made[3])
    for one in made[:3]:
        queue.put_front(one)
    assert queue.take() is made[0]
    assert queue.in_front() == made[1:3]
    queue.take_back([made[0], made[1], made[3]])
    assert (len(queue), queue.messages) == (2, 1)
    assert [queue.take(), queue.take(), queue.take()] == [made[2], made[3], None]


async def times_of(rate: float, seconds: float, workload: list[float]) -> list[float]:
    """When an emitter emits while its shelf is filled at the times of `workload`."""
    queue, seen = ReadyQueue(), []
    emitter = Emitter(
        Schedule(rate, random.Random(3), trio.current_time()), queue, lambda sent: seen.append(trio.current_time())
    )
    start = trio.current_time()
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(emitter.emit_slots)
            for pause in workload:
                await trio.sleep(pause)
                queue.put_front(packet())
    return [round(when - start, 9) for when in seen]


@settings(max_examples=25)
@given(st.lists(st.floats(0.0, 2.0), max_size=40))
def test_what_fills_the_slots_never_moves_them(workload):
    async def both() -> tuple[list[float], list[float]]:
        return await times_of(8.0, 20.0, []), await times_of(8.0, 20.0, workload)

    idle, busy = trio.run(both, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(idle) > 50
    assert idle == busy


async def test_an_empty_shelf_sends_padding_at_its_slot(autojump_clock):
    sent: list[Sent] = []
    emitter = Emitter(Schedule(10.0, random.Random(1), 0.0), ReadyQueue(), sent.append)
    with trio.move_on_after(2.0):
        await emitter.emit_slots()
    assert sent
    assert all(one.prepared is PADDING for one in sent)


async def test_slots_of_a_time_asleep_are_left_out(mock_clock):
    sent: list[Sent] = []
    schedule = Schedule(10.0, random.Random(1), 0.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Emitter(schedule, ReadyQueue(), sent.append).emit_slots)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(100.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert all(one.slot > 100.0 - STALL for one in sent)
    assert len(sent) < 30
    assert schedule.next > 100.0


async def test_work_waits_for_a_slot_that_is_near_and_for_no_other(autojump_clock):
    near = Schedule(1.0, random.Random(1), 10.0)
    slot = near.next
    await trio.sleep_until(slot - 0.5)
    await quiet_passed([near])
    assert trio.current_time() == slot - 0.5
    await trio.sleep_until(slot - 0.001)
    await quiet_passed([near])
    assert trio.current_time() >= slot
