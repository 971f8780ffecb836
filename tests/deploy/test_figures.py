import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.deploy.figures import DemoMessage, cover_share, dropped_in_all, percentile, quantiles_ms, tally

seconds = st.floats(0, 1e6)


@given(st.lists(seconds, min_size=1, max_size=50))
def test_the_percentiles_lie_where_they_must(values) -> None:
    assert percentile(values, 0.0) == min(values)
    assert percentile(values, 1.0) == max(values)
    assert percentile(values, 0.5) == pytest.approx(statistics.median(values))


def test_no_values_have_no_percentile() -> None:
    assert quantiles_ms([]) == {"p50": None, "p95": None}
    assert quantiles_ms([0.1, 0.2, 0.3]) == {"p50": 200.0, "p95": 290.0}


def test_latency_counts_the_first_copy_and_overhead_leaves_the_drawn_delay_out() -> None:
    record = DemoMessage(confirmed=True, sent_at=100.0, drawn_delay=0.25, received_at=(102.0, 100.75))
    assert record.latency == 0.75
    assert record.overhead == 0.5


@pytest.mark.parametrize(
    ("confirmed", "received", "delivered", "duplicated"),
    [(True, (1.0,), 1, 0), (False, (1.0,), 0, 0), (True, (), 0, 0), (True, (1.0, 2.0, 3.0), 1, 2)],
)
def test_a_message_is_delivered_when_both_ends_say_so(confirmed, received, delivered, duplicated) -> None:
    counted = tally([DemoMessage(confirmed, 0.0, 0.0, received)])
    assert (counted.sent, counted.delivered, counted.lost, counted.duplicated) == (
        1,
        delivered,
        1 - delivered,
        duplicated,
    )


def test_the_share_of_cover_is_taken_over_all_clients() -> None:
    kinds = frozenset({"drop", "loop"})
    assert cover_share([{"payload": 1, "drop": 2}, {"payload": 2, "loop": 5}], kinds) == 0.7
    assert cover_share([], kinds) is None


def test_drops_are_added_up_by_reason() -> None:
    assert dropped_in_all([{"dropped": {"full": 1, "mac": 0}}, {"dropped": {"full": 2}}, {}]) == {"full": 3}
