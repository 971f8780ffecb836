"""Slots keep what was put for its time, in order, within their bounds, and never let one push out another."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.services import ServiceAnswer, ServiceStatus
from mixnode.slots import OVERHEAD, PLACES, Slots

HOUR = 3600.0
STEPS = st.lists(
    st.tuples(
        st.sampled_from("pr"), st.sampled_from([b"a" * 32, b"b" * 32, b"c" * 32]), st.integers(0, 6), st.floats(0, 900)
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=200)
@given(STEPS, st.sampled_from([700, 1500, 100_000]))
def test_slots_are_what_a_simple_model_says(steps: list[tuple[str, bytes, int, float]], limit: int) -> None:
    slots, model, now = Slots(HOUR, limit), {}, 0.0
    for what, name, number, pause in steps:
        now += pause
        model = {key: value for key, value in model.items() if value[0] > now}
        until, bodies = model.get(name, (now + HOUR, []))
        if what == "r":
            there = number < len(bodies)
            expected = (
                ServiceAnswer(ServiceStatus.DONE, bodies[number]) if there else ServiceAnswer(ServiceStatus.NOTHING)
            )
            assert slots.read(name, number, now) == expected
            continue
        body = bytes([number]) * (10 * number)
        used = sum(OVERHEAD + sum(map(len, one)) for _, one in model.values())
        if body in bodies:
            assert slots.put(name, body, now) == ServiceAnswer(ServiceStatus.DONE, bytes([bodies.index(body)]))
        elif len(bodies) == PLACES or used + len(body) + (0 if bodies else OVERHEAD) > limit:
            assert slots.put(name, body, now) == ServiceAnswer(ServiceStatus.FULL)
        else:
            model[name] = (until, [*bodies, body])
            assert slots.put(name, body, now) == ServiceAnswer(ServiceStatus.DONE, bytes([len(bodies)]))
        assert len(slots) == len(model)


def test_a_flood_is_refused_and_takes_nothing_from_those_who_were_there() -> None:
    slots = Slots(HOUR, 100_000)
    slots.put(b"mine".ljust(32), b"hello", 0.0)
    answers = [slots.put(number.to_bytes(32, "big"), bytes(2200), 1.0).status for number in range(1000)]
    assert answers.count(ServiceStatus.DONE) == (100_000 - OVERHEAD - 5) // (2200 + OVERHEAD)
    assert answers.count(ServiceStatus.FULL) == 1000 - answers.count(ServiceStatus.DONE)
    assert slots.read(b"mine".ljust(32), 0, 2.0) == ServiceAnswer(ServiceStatus.DONE, b"hello")
    assert slots.put(b"late".ljust(32), bytes(2200), HOUR + 1).status is ServiceStatus.DONE
    assert len(slots) == 1
