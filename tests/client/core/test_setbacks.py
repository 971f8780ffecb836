"""A part that failed is left alone for a while, whatever the clock does meanwhile."""

from mixnet.client.core.setbacks import FIRST, LONGEST, Setbacks

NOW = 1_800_000_000.0
YEARS = 9 * 365 * 86400.0


def test_each_pause_is_twice_as_long_up_to_the_longest():
    parts, now = Setbacks[str](), NOW
    pauses = []
    for _ in range(14):
        parts.failed("one", now)
        pauses.append(parts.until("one") - now)
        assert parts.waits("one", now) and not parts.waits("other", now)
        now = parts.until("one")
        assert not parts.waits("one", now)
    assert pauses[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST] and pauses[-1] == LONGEST
    parts.succeeded("one")
    assert parts.until("one") == 0.0 and not parts.waits("one", now)


def test_a_clock_that_is_set_back_or_forward_lets_nothing_wait_for_years():
    parts = Setbacks[str]()
    parts.failed("one", NOW + YEARS)
    assert not parts.waits("one", NOW)
    parts.failed("one", NOW)
    assert parts.waits("one", NOW) and not parts.waits("one", NOW + YEARS)
