"""What a network adds to drawn delays: quantiles, distances, and controls that can fail."""

from itertools import pairwise

import numpy as np
import pytest

from mixnet.benchmarks.base.figures import flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost import latency
from mixnet.benchmarks.cost.latency import HOLDS, Passage, on_testbed
from mixnet.benchmarks.processes.load.drives import Drive
from mixnet.benchmarks.processes.load.testbed import HEAVIER, MEAN_DELAY, NODE, PATH
from mixnet.errors import Unavailable
from tests.benchmarks.testbeds import CAPACITY, FLOOR, FakeTestbed


async def found(size=Size.QUICK, **testbed):
    return await on_testbed(FakeTestbed(**testbed), size)


async def test_figures_are_what_the_nodes_add(autojump_clock):
    finding = await found()
    figures = flat([finding])
    assert figures["hop_p50_ms"] == pytest.approx(0.3, rel=0.05)
    assert figures["overhead_p50_ms"] == pytest.approx(1.5, rel=0.05)
    assert figures["overhead_p99_ms"] == pytest.approx(1.65, rel=0.05)
    assert figures["overhead_p50_ms_ci"][0] <= figures["overhead_p50_ms"] <= figures["overhead_p50_ms_ci"][1]
    assert figures["ks_gamma"] < 0.06
    assert figures["latency_loss"] == 0
    assert figures["rested_floor"] == 1.5
    assert figures["held_late"] == pytest.approx(0.005, rel=0.1)
    assert figures["half_load_nodes"] == pytest.approx((4 * 2.0 + 2.05) * FLOOR * CAPACITY)
    assert figures["half_load_players"] == pytest.approx(0.1)
    assert figures["half_load_machine"] == pytest.approx(1.5)
    assert [control["passed"] for control in figures["controls"]["latency"]] == [True] * 4


async def test_half_of_the_time_is_another_load_than_half_of_the_packets(autojump_clock, monkeypatch):
    monkeypatch.setitem(latency.SECONDS, Size.STANDARD, 2.0)
    monkeypatch.setattr(latency.os, "cpu_count", lambda: 2)
    testbed = FakeTestbed(wanted=0.8, generators=1.1)
    figures = flat([await on_testbed(testbed, Size.STANDARD, rates=(CAPACITY, CAPACITY / 5))])
    computed = (sum(testbed.ratios.get(name, 2.0) for name in PATH) * FLOOR * CAPACITY + 1.1) / 2
    node, *others = [rate for _, target, _, rate in testbed.drives[10:18] if target == NODE]
    assert node == pytest.approx(CAPACITY / 2 * 0.5 / 0.8, rel=0.01)
    assert [after / before for before, after in pairwise([node, *others])] == pytest.approx([0.5 / 0.8] * 3, rel=0.01)
    way, *others = [rate for _, target, _, rate in testbed.drives[10:18] if target == PATH[0]]
    assert way == pytest.approx(CAPACITY / 10 * 0.5 / computed, rel=0.01)
    assert len(others) == 3
    assert figures["hop_p50_half_busy_ms"] == pytest.approx(0.3, rel=0.05)
    assert figures["overhead_p99_half_busy_ms"] == pytest.approx(1.65, rel=0.05)
    assert figures["hop_half_busy"] == pytest.approx(0.8)
    assert figures["held_late_half_busy"] == pytest.approx(0.005, rel=0.25)  # of 600 packets
    assert "hop_half_busy" not in flat([await found()])


async def test_every_level_is_measured_and_becomes_a_point(autojump_clock, monkeypatch):
    monkeypatch.setitem(latency.SECONDS, Size.STANDARD, 2.0)
    curves = (await found(Size.STANDARD)).curves
    assert curves["overhead_p50_ms_by_load"]["x"] == [0.0, 0.25, 0.5, 0.75, 0.9]
    assert curves["hop_ks_by_load"]["x"] == curves["hop_busy_by_load"]["x"] == [0.0, 0.25, 0.5, 0.75, 0.9]
    assert curves["overhead_cdf_ms_50%"]["y"][0] == 0
    assert curves["overhead_cdf_ms_50%"]["y"][-1] == 1
    assert sum(curves["hop_histogram_ms_50%"]["y"]) > 100
    for curve in curves.values():
        assert len(curve["x"]) == len(curve["y"]) > 0


@pytest.mark.parametrize(
    ("late", "failed"), [({HEAVIER: 0.0004}, [0, 1]), ({NODE: 0.00005}, [2])], ids=["lateness unseen", "own cost"]
)
async def test_controls_fail_when_the_measurement_does(autojump_clock, late, failed):
    finding = await found(late=late)
    assert [number for number, control in enumerate(finding.controls) if not control.passed] == failed


async def test_lost_packets_are_said(autojump_clock):
    finding = await found(lost=2)
    assert flat([finding])["latency_loss"] > 0
    assert "nodes dropped 8 peel_full (" in finding.note
    assert "dropped" not in (await found()).note


def drive_of(overheads, delays):
    counts = {"sent": len(delays) + 1, "returned": len(delays), "spoilt": 0, "doubled": 0, "cpu": 0.2, "seconds": 1.0}
    return Drive(1.0, [{**counts, "overheads": list(overheads), "delays": list(delays)}], [], [])


def test_the_distance_sees_a_hold_that_is_wrong():
    rng = np.random.default_rng(1)
    delays = rng.gamma(HOLDS, MEAN_DELAY, 4000)
    right = Passage.of(drive_of(np.full(4000, 0.0005), delays), HOLDS)
    longer = Passage.of(drive_of(delays * 0.2, delays), HOLDS)
    rounded = Passage.of(drive_of(np.ceil(delays / 0.1) * 0.1 - delays, delays), HOLDS)
    assert right.ks < 0.03 < 0.08 < min(longer.ks, rounded.ks)
    assert right.ks_of_draws < 0.03
    assert right.lost == 1
    assert right.quantile_ms(0.5, rng).value == pytest.approx(0.5)
    assert right.ks_estimate(rng).low <= right.ks <= right.ks_estimate(rng).high


def test_too_few_packets_are_no_measurement():
    with pytest.raises(Unavailable, match="too busy"):
        Passage.of(drive_of([0.1] * 3, [0.1] * 3), HOLDS)
