"""What a node costs a packet: the figures follow from the readings, and the controls can fail."""

import pytest

from mixnet.benchmarks.base.figures import Figure, Verdict, at_least, flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost.throughput import _gain, on_testbed, ratio, saturated
from mixnet.benchmarks.processes.load.meter import MeterReading, Window, windows
from mixnet.benchmarks.processes.load.testbed import CLEAR, HEAVIER, HELPED, NODE, TWIN
from mixnet.errors import LocalError
from tests.benchmarks.testbeds import CAPACITY, FLOOR, FakeTestbed


async def found(size=Size.QUICK, **testbed):
    return await on_testbed(FakeTestbed(**testbed), size)


def verdict(finding, key):
    return finding.verdict(next(figure for figure in finding.figures if figure.key == key))


async def test_a_node_of_two_floors_costs_two_floors(autojump_clock):
    finding = await found()
    figures = flat([finding])
    assert figures["relay_ratio"] == pytest.approx(2.0, rel=0.01)
    assert figures["packets_per_s_core"] == pytest.approx(1 / (2 * FLOOR), rel=0.01)
    assert figures["packets_per_s"] == pytest.approx(CAPACITY, rel=0.01)
    assert figures["relay_clear_ratio"] == pytest.approx(0.5, rel=0.01)
    assert figures["relay_floor_us"] == pytest.approx(72)
    assert (figures["loss"], figures["network_loss"]) == (0, 0)
    assert [control["passed"] for control in figures["controls"]["throughput"]] == [True, True, True]
    assert verdict(finding, "loss") is Verdict.AIM
    assert verdict(finding, "relay_ratio") in {Verdict.AIM, Verdict.MUST}


@pytest.mark.parametrize(
    ("main", "worker", "gain", "cost", "met"),
    [(1.1, 1.0, 2 / 1.1, 1.05, True), (0.7, 1.6, 2 / 1.6, 1.15, False), (2.0, 0.0, 1.0, 1.0, False)],
)
async def test_two_cores_gain_what_the_busiest_process_leaves(autojump_clock, main, worker, gain, cost, met):
    finding = await found(ratios={HELPED: main}, worker=worker)
    figures = flat([finding])
    assert figures["two_core_ratio"] == pytest.approx(gain, rel=0.01)
    assert figures["two_core_cost"] == pytest.approx(cost, rel=0.01)
    assert (verdict(finding, "two_core_ratio") is Verdict.AIM) is met


def test_two_cores_that_were_never_busy_gain_nothing():
    nothing = _gain([Window(1.0, 0.9, 0.1, 9000, FLOOR)], [])
    assert Figure("two_core_ratio", "", nothing, "", at_least(1.5)).verdict is Verdict.MISSED


@pytest.mark.parametrize("ratios", [{HEAVIER: 2.1}, {TWIN: 1.5}, {TWIN: 2.5}])
async def test_a_measurement_that_notices_no_difference_is_void(autojump_clock, ratios):
    finding = await found(ratios=ratios)
    assert not finding.credible
    assert verdict(finding, "relay_ratio") is Verdict.VOID


async def test_every_lost_packet_misses_the_target(autojump_clock):
    finding = await found(lost=1)
    assert flat([finding])["loss"] > 0
    assert verdict(finding, "loss") is Verdict.MISSED


async def test_a_slow_node_misses_the_target(autojump_clock):
    finding = await found(ratios={NODE: 3.2, TWIN: 3.2, HEAVIER: 4.2, CLEAR: 1.0})
    assert verdict(finding, "relay_ratio") is Verdict.MISSED


async def test_a_node_that_is_never_busy_tells_nothing(autojump_clock):
    with pytest.raises(LocalError, match="never saturated"):
        await found(wanted=0.8)


async def test_steps_of_load_become_curves(autojump_clock):
    curves = (await found(Size.STANDARD)).curves
    assert curves["load_ratio"]["x"] == [0.25, 0.5, 0.75, 0.9, 1.2]
    assert curves["load_loss"]["y"] == [0.0] * 5
    for curve in curves.values():
        assert len(curve["x"]) == len(curve["y"]) > 0


def reading(when, cpu, packets, waited=0.0):
    return MeterReading(when, cpu, waited, packets, 50.0, FLOOR)


def test_a_worker_counts_from_when_it_began():
    before = MeterReading(0, 1.0, 0.0, 0, 50.0, FLOOR, {7: 0.5, 8: 9.0})
    after = MeterReading(1, 1.3, 0.0, 100, 50.0, FLOOR, {7: 0.9, 9: 0.1})  # 8 has ended, 9 is new
    (window,) = windows([before, after])
    assert window.workers == pytest.approx((0.4, 0.1))
    assert window.busiest == pytest.approx(0.004)
    assert window.together == pytest.approx(0.008)


def test_windows_are_what_lies_between_readings():
    made = windows([reading(0, 0, 0), reading(1, 0.5, 1000, waited=0.45), reading(2, 0.5, 1000), reading(3, 1.5, 9000)])
    assert [one.packets for one in made] == [1000, 8000]  # nothing passed in the second one
    assert made[0].wanted == pytest.approx(0.95)
    assert made[0].cost == pytest.approx(0.5 / 1000)
    assert saturated(made) == made
    estimate = ratio(made)
    assert estimate.low <= estimate.value <= estimate.high
