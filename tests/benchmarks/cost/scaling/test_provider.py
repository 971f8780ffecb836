"""What clients cost: the figures follow from what was read, and each control can fail."""

from dataclasses import replace

import pytest

from mixnet.benchmarks.base.figures import Verdict, flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost.scaling.line import fit
from mixnet.benchmarks.cost.scaling.provider import LEVELS, ProviderSteps, Step, _finding
from mixnet.benchmarks.processes.load.altered_nodes import HOARD
from mixnet.benchmarks.processes.load.syncs import Counts

KB = 1000
CLIENTS = LEVELS[Size.STANDARD]
WAVER = (3, -2, 1, -3, 2, -1, 0)


def step(clients, *, kb=80, ratio=3.0, square=0.0):
    memory = 55_000_000 + clients * kb * KB + 4000 * WAVER[CLIENTS.index(clients) if clients in CLIENTS else 0]
    share = 0.01 + clients * 0.0003 + square * clients**2
    return Step(clients, round(memory), share, (ratio, ratio * 1.05, ratio * 0.95), clients * 1.5, 60.0)


def hoarding(planted=HOARD):
    places = (10, 25, 40, 55, 70)
    return fit(places, [55e6 + 80e3 * n + planted * n * n / 2 for n in places])


def seen(**changes):
    steps = tuple(step(clients) for clients in CLIENTS)
    whole = ProviderSteps(
        steps, replace(steps[-1], memory=steps[-1].memory + 10_000), hoarding(), Counts(102, 5, 100, 1000)
    )
    return replace(whole, **changes)


def test_a_line_is_found_and_stays_below_its_target():
    found = _finding(Size.STANDARD, seen())
    figures = flat([found])
    assert figures["provider_client_kb"] == pytest.approx(80, rel=0.01)
    assert figures["provider_base_mb"] == pytest.approx(55, rel=0.01)
    assert figures["provider_frame_ratio"] == pytest.approx(3.0)
    assert figures["provider_syncs_batch"] == pytest.approx(1.02)
    assert figures["provider_syncs_packet"] == pytest.approx(0.107)
    assert found.credible
    verdicts = {figure.key: found.verdict(figure) for figure in found.figures}
    assert verdicts["provider_client_kb"] is Verdict.AIM
    assert verdicts["provider_syncs_batch"] is Verdict.MUST


def test_too_much_memory_a_client_misses_the_target():
    found = _finding(Size.STANDARD, seen(steps=tuple(step(clients, kb=130) for clients in CLIENTS)))
    (figure,) = (figure for figure in found.figures if figure.key == "provider_client_kb")
    assert found.verdict(figure) in {Verdict.MISSED, Verdict.VOID}


def test_a_quadratic_share_of_the_core_misses_the_target():
    found = _finding(Size.STANDARD, seen(steps=tuple(step(clients, square=1e-6) for clients in CLIENTS)))
    (figure,) = (figure for figure in found.figures if figure.key == "provider_cpu_bend")
    assert found.verdict(figure) is Verdict.MISSED


@pytest.mark.parametrize(
    "changes",
    [
        {"hoarding": hoarding(planted=0)},  # the planted leak left no trace
        {"hoarding": fit((10, 25, 40, 55, 70), [55e6 + 320e3 * n for n in (10, 25, 40, 55, 70)])},  # nor the square
        {"again": step(1000, kb=120)},  # memory grows though nobody comes
    ],
)
def test_each_control_can_fail(changes):
    assert not _finding(Size.STANDARD, seen(**changes)).credible
