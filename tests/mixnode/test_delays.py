"""Delays come out in the order of their times, whole batches at once, and never early."""

from hypothesis import given
from hypothesis import strategies as st

from mixnode.delays import Delays

TIMES = st.floats(0, 100)


@given(st.lists(st.one_of(st.tuples(st.just("add"), TIMES), st.tuples(st.just("expire"), TIMES)), max_size=60))
def test_what_is_due_comes_out_in_order_and_nothing_else_does(steps: list[tuple[str, float]]) -> None:
    delays: Delays[int] = Delays()
    held: list[tuple[float, int]] = []
    for number, (step, time) in enumerate(steps):
        if step == "add":
            delays.add(time, number)
            held.append((time, number))
        else:
            expected = sorted(one for one in held if one[0] <= time)
            assert delays.expire(time) == [item for _, item in expected]
            held = [one for one in held if one[0] > time]
        assert len(delays) == len(held)
        assert delays.next_due == min((due for due, _ in held), default=float("inf"))


def test_items_need_no_order_of_their_own() -> None:
    delays: Delays[object] = Delays()
    first, second = object(), object()
    delays.add(1.0, first)
    delays.add(1.0, second)
    assert delays.expire(1.0) == [first, second]
