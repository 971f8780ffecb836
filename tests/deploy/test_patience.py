"""Limits that are put off as long as something gets on, in virtual time."""

import pytest
import trio

from mixnet.deploy.figures import DemoOutcome
from mixnet.deploy.patience import MOST, patient
from mixnet.deploy.story import show_outcome

LIMIT = 120.0


@pytest.mark.parametrize(
    ("steps", "every", "takes", "timed_out", "until"),
    [
        (0, 1.0, 60.0, False, 60.0),  # done before anybody looks twice
        (0, 1.0, 500.0, True, LIMIT),  # nothing happens at all
        (5, 100.0, 550.0, False, 550.0),  # slow, and on its way
        (5, 100.0, 5000.0, True, 500.0 + LIMIT),  # it was on its way, and stopped
        (10_000, 1.0, 5000.0, True, MOST * LIMIT),  # it gets on for ever
    ],
    ids=["quick", "dead", "slow", "stuck", "endless"],
)
async def test_a_block_may_take_as_long_as_something_gets_on(autojump_clock, steps, every, takes, timed_out, until):
    begun = trio.current_time()

    async def sign() -> object:
        await trio.lowlevel.checkpoint()
        return min(int((trio.current_time() - begun) / every), steps)

    done = False
    async with patient(sign, LIMIT) as patience:
        await trio.sleep(takes)
        done = True
    assert (patience.timed_out, done) == (timed_out, not timed_out)
    assert trio.current_time() - begun == pytest.approx(until, abs=3 * LIMIT / 60)


async def test_what_goes_wrong_in_a_block_is_raised_as_it_is(autojump_clock):
    async def sign() -> object:
        await trio.lowlevel.checkpoint()
        return 0

    with pytest.raises(ValueError, match="other"):
        async with patient(sign, LIMIT):
            raise ValueError("other")


@pytest.mark.parametrize(("timed_out", "words"), [(("texts",), "TIMED OUT: texts"), ((), "NOT everything")])
def test_what_timed_out_is_not_said_to_be_lost(capsys, timed_out, words):
    outcome = DemoOutcome(
        delivered=3, sent=7, lost=4, duplicated=0, file_ok=False, nodes=11, signatures=3,
        latency_ms={"p50": None, "p95": None}, overhead_ms={"p50": None, "p95": None}, cover_share=None,
        safety_numbers_equal=True, killed=None, file_bytes=1, file_seconds=0.0, ready_seconds=1.0, total_seconds=1.0,
        node_memory_mb=1.0, client_memory_mb=1.0, idle_cpu_percent=1.0, dropped={}, timed_out=timed_out,
    )  # fmt: skip
    show_outcome(outcome)
    shown = capsys.readouterr().out
    assert words in shown and not outcome.success
    assert ("  lost" in shown or "\nlost" in shown) == (not timed_out)
