"""Hostile links: figures from what both sides and the provider said, and controls that can fail."""

import random
from dataclasses import replace

import pytest

from mixnet.benchmarks.base.figures import Verdict, flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost import hostile
from mixnet.benchmarks.processes.load.hostile import MODES
from mixnet.benchmarks.processes.load.testbed import open_testbed
from mixnet.link import FRAME_SIZE

CALM = hostile.Phase(0.0005, 0.001, 1000, 0, 0.2, 0.01)
BESIDE = replace(CALM, p50=0.0006, cpu=0.3, hostile=2e6, came=40.0)
RED = {
    "updates": [hostile.Pair(CALM, replace(BESIDE, p50=0.02))],
    "packets": [hostile.Pair(CALM, replace(BESIDE, lost=300))],
}


def found(calm=CALM, beside=BESIDE, trusting=None, later=None):
    pairs = [hostile.Pair(calm, beside), hostile.Pair(later or calm, beside)]
    return hostile.finding(Size.QUICK, dict.fromkeys(hostile.MODES, pairs), {**RED, **(trusting or {})})


def verdict(one, key):
    return one.verdict(next(figure for figure in one.figures if figure.key == key))


def test_each_kind_of_links_can_be_sent():
    assert hostile.MODES.keys() == MODES.keys()
    assert set(RED) == set(hostile._CONTROLS) <= set(MODES)


def test_round_trips_are_told_over_calm_and_cost_by_the_megabyte():
    one = found()
    figures = flat([one])
    assert one.credible
    assert figures["hostile_updates_p50_ratio"] == pytest.approx(1.2)
    assert figures["hostile_updates_ms_mb"] == pytest.approx(50)
    assert "hostile_dripped_ms_mb" not in figures
    for mode in MODES:
        assert figures[f"hostile_{mode}_mb_s"] == 2.0
        assert verdict(one, f"hostile_{mode}_lost") is Verdict.AIM
    slow = found(beside=replace(BESIDE, p50=0.0007))
    assert verdict(slow, "hostile_tiny_p50_ratio") is Verdict.MISSED
    assert verdict(slow, "hostile_packets_p50_ratio") is Verdict.UNCLAIMED
    assert verdict(found(beside=replace(BESIDE, lost=1)), "hostile_garbage_lost") is Verdict.MISSED


@pytest.mark.parametrize(
    "more",
    [
        {"trusting": {"updates": [hostile.Pair(CALM, BESIDE)]}},
        {"trusting": {"packets": [hostile.Pair(CALM, BESIDE)]}},
        {"later": replace(CALM, p50=0.0007)},
        {"calm": replace(CALM, lost=1)},
    ],
)
def test_each_control_can_fail(more):
    assert not found(**more).credible


def test_a_phase_is_what_came_back_and_what_got_through():
    rng = random.Random(1)
    honest = {"overheads": [rng.expovariate(1000) for _ in range(999)], "sent": 1000, "returned": 999}
    sent = {"bytes": 3000, "came": 6, "seconds": 1.5}
    calm, unread = hostile.phase(honest, 0.1, 0.0), hostile.phase(honest, 0.1, 0.0, sent)
    assert calm.p50 == sorted(honest["overheads"])[499]
    assert calm.p90 > calm.p50
    assert (calm.lost, calm.hostile, calm.came) == (1, 0, 0)
    assert (unread.hostile, unread.came) == (2000, 4)
    assert hostile.phase(honest, 0.1, 0.0, sent, 10.0).hostile == 10 * FRAME_SIZE


@pytest.mark.timeout(300)
async def test_real_links_beside_real_clients():
    async with open_testbed(setup=hostile.SETUP) as testbed:
        course = hostile._Course(testbed, hostile.PROVIDER, 0.5, 1, print)
        seen = await course.run(MODES, 1)
    for (pair,) in seen.values():
        assert pair.calm.sent > 0
        assert pair.beside.sent > 0
        assert pair.beside.came > 0
