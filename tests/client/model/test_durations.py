import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.model.durations import BadDuration, about, seconds, spoken


@pytest.mark.parametrize(
    ("written", "length"), [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("1w", 604_800), ("0s", 0)]
)
def test_what_a_person_writes(written, length):
    assert seconds(written) == length


@pytest.mark.parametrize("written", ["", "10", "m", "-1m", "1.5h", "10 m", "10M", "1y", "1h30m", "٣d", "9" * 10 + "s"])
def test_what_is_no_duration(written):
    with pytest.raises(BadDuration, match="like 10m, 2h or 3d"):
        seconds(written)


@given(st.integers(0, 10**8))
def test_what_is_said_is_what_was_meant(length):
    assert seconds(spoken(length)) == length
    assert spoken(length + 0.5) == spoken(length)


@pytest.mark.parametrize(
    ("length", "said"),
    [(0.0, "0s"), (52.3, "53s"), (119.0, "119s"), (120.5, "3m"), (39_600.0, "11h"), (1e6, "12d"), (2e6, "4w")],
)
def test_how_long_something_takes(length, said):
    assert about(length) == said
