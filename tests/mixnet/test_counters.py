"""Counters rise by fixed labels only, and what is published is coarse in value and in time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.counters import COARSENESS, REFRESH, Counters, Dropped, Event, Published
from mixnet.errors import LocalError

LABELS = st.sampled_from([*Event, *Dropped])


def bump(counters: Counters, which: Event | Dropped, number: int = 1) -> None:
    counters.add(which, number) if isinstance(which, Event) else counters.drop(which, number)


def published(text: str) -> dict[str, int]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in lines}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(LABELS, st.integers(0, 1000)), max_size=30))
def test_every_reading_is_the_sum_of_what_was_counted(steps: list[tuple[Event | Dropped, int]]) -> None:
    counters = Counters()
    expected = dict.fromkeys([*Event, *Dropped], 0)
    for which, number in steps:
        bump(counters, which, number)
        expected[which] += number
    snapshot = counters.snapshot()
    text = published(counters.prometheus())
    for which, number in expected.items():
        assert counters[which] == number
        if isinstance(which, Event):
            assert snapshot[which] == number
            assert text[f"mixnet_{which}_total"] == number // COARSENESS * COARSENESS
        else:
            assert snapshot["dropped"].get(which, 0) == number
            assert text[f'mixnet_dropped_total{{reason="{which}"}}'] == number // COARSENESS * COARSENESS


def test_no_single_packet_shows_in_what_is_published() -> None:
    counters = Counters()
    before = counters.prometheus()
    counters.add(Event.PACKETS_IN)
    assert counters.prometheus() == before


def test_a_published_text_is_the_same_for_a_quarter_of_a_minute() -> None:
    counters = Counters()
    published = Published(counters)
    first = published.text(100.0)
    counters.add(Event.PACKETS_IN, 1000)
    assert published.text(100.0 + REFRESH - 0.001) == first
    assert "mixnet_packets_in_total 1000" in published.text(100.0 + REFRESH)


def test_a_counter_never_falls_and_no_label_is_made_up() -> None:
    counters = Counters()
    with pytest.raises(LocalError):
        counters.add(Event.PACKETS_IN, -1)
    with pytest.raises(LocalError):
        counters.drop(Dropped.REPLAYED, -1)
    with pytest.raises(KeyError):
        counters.drop("of a peer")  # type: ignore[arg-type]


def test_the_names_are_fit_for_prometheus_and_no_two_are_alike() -> None:
    names = [str(which) for which in [*Event, *Dropped]]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalpha() and name.islower() for name in names)
