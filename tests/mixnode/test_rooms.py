"""A room never makes anybody wait: it drops at the door, counts, and gives batches."""

import trio
import trio.lowlevel
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from mixnet.counters import Counters, Dropped
from mixnode.rooms import BATCH, Room


@given(st.integers(1, 40), st.lists(st.integers(0, 60), max_size=6))
def test_what_fits_comes_out_in_order_and_the_rest_is_counted(size: int, puts: list[int]) -> None:
    async def main() -> None:
        counters = Counters()
        room: Room[int] = Room(size, counters, Dropped.HOLD_FULL)
        given, taken = list(range(sum(puts))), []
        rest = iter(given)
        for count in puts:
            room.put([next(rest) for _ in range(count)])
        assert len(room) == min(size, len(given))
        while len(room):
            batch = await room.take()
            assert 1 <= len(batch) <= BATCH
            taken += batch
        assert taken == sorted(taken)
        assert len(taken) + counters[Dropped.HOLD_FULL] == len(given)

    trio.run(main)


async def test_who_waits_gets_a_single_item_at_once() -> None:
    room: Room[int] = Room(5, Counters(), Dropped.HOLD_FULL)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                assert await room.take() == [1]

            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            room.put([1])
    room.put([1, 2, 3])
    assert room.clear() == 3
    assert len(room) == 0
