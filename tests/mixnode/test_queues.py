"""A queue never makes anybody wait: it drops what is too much, counts, and gives batches."""

import trio
import trio.lowlevel
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from mixnet.counters import Counters, Dropped
from mixnode.queues import BATCH, DropQueue


@given(st.integers(1, 40), st.lists(st.integers(0, 60), max_size=6))
def test_what_fits_comes_out_in_order_and_the_rest_is_counted(size: int, puts: list[int]) -> None:
    async def main() -> None:
        counters = Counters()
        queue: DropQueue[int] = DropQueue(size, counters, Dropped.HOLD_FULL)
        given, taken = list(range(sum(puts))), []
        rest = iter(given)
        for count in puts:
            queue.put([next(rest) for _ in range(count)])
        assert len(queue) == min(size, len(given))
        while len(queue):
            batch = await queue.take()
            assert 1 <= len(batch) <= BATCH
            taken += batch
        assert taken == sorted(taken)
        assert len(taken) + counters[Dropped.HOLD_FULL] == len(given)

    trio.run(main)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 50)), st.sampled_from([("take", 0), ("give up", 0), ("clear", 0)])
    ),
    max_size=30,
)


@given(st.integers(1, 70), STEPS)
def test_it_does_what_a_list_would_whoever_waits_or_gives_up(size: int, steps: list[tuple[str, int]]) -> None:
    async def main() -> None:
        counters = Counters()
        queue: DropQueue[int] = DropQueue(size, counters, Dropped.HOLD_FULL)
        waiting: list[int] = []
        count = dropped = 0
        for step, number in steps:
            if step == "put":
                items = list(range(count, count + number))
                count += number
                fits = min(number, size - len(waiting))
                waiting += items[:fits]
                dropped += number - fits
                assert queue.put(items) == fits
            elif step == "clear":
                assert queue.clear() == len(waiting)
                waiting.clear()
            else:
                with trio.CancelScope() as scope:
                    if step == "give up" or not waiting:
                        scope.cancel()
                    assert await queue.take() == waiting[:BATCH]
                if not scope.cancelled_caught:
                    del waiting[:BATCH]
            assert len(queue) == len(waiting)
        assert counters[Dropped.HOLD_FULL] == dropped

    trio.run(main)


async def test_all_that_is_put_at_a_time_wakes_once_and_lets_others_run_between_batches() -> None:
    queue: DropQueue[int] = DropQueue(100, Counters(), Dropped.HOLD_FULL)
    order: list[str] = []
    async with trio.open_nursery() as nursery:

        async def take() -> None:
            while len(order) - order.count("others") < 3:
                order.append(f"{len(await queue.take())} taken")

        async def others() -> None:
            for _ in range(4):
                order.append("others")
                await trio.lowlevel.checkpoint()

        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        queue.put(list(range(80)))
        nursery.start_soon(others)
    taken = [place for place, what in enumerate(order) if what != "others"]
    assert [order[place] for place in taken] == ["32 taken", "32 taken", "16 taken"]
    assert "others" in order[taken[0] : taken[2]]


async def test_who_waits_gets_a_single_item_at_once() -> None:
    queue: DropQueue[int] = DropQueue(5, Counters(), Dropped.HOLD_FULL)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                assert await queue.take() == [1]

            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            queue.put([1])
    queue.put([1, 2, 3])
    assert queue.clear() == 3
    assert len(queue) == 0


async def test_what_comes_alone_is_dealt_with_at_once_and_never_before_what_waits() -> None:
    queue: DropQueue[int] = DropQueue(5, Counters(), Dropped.HOLD_FULL)
    seen: list[int] = []
    queue.when_alone(seen.extend)
    assert queue.put([1]) == 1
    assert (seen, len(queue)) == ([1], 0)
    assert queue.put([2, 3]) == 2
    assert queue.put([4]) == 1
    assert seen == [1]
    assert await queue.take() == [2, 3, 4]
    assert queue.put([5]) == 1
    assert (seen, len(queue)) == ([1, 5], 0)


async def test_those_that_come_alone_are_no_more_than_a_batch_in_a_row() -> None:
    queue: DropQueue[int] = DropQueue(5, Counters(), Dropped.HOLD_FULL)
    seen: list[int] = []
    queue.when_alone(seen.extend)
    for number in range(BATCH + 2):
        queue.put([number])
    assert (len(seen), len(queue)) == (BATCH, 2)
    assert await queue.take() == [BATCH, BATCH + 1]
    queue.put([99])
    assert seen[-1] == 99
