"""The whole measurement on the smallest scale, its controls, and sweeps."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mixnet.benchmarks.anonymity import measure as measuring
from mixnet.benchmarks.anonymity import model, small_world, sweep
from mixnet.benchmarks.anonymity.measure import BASE, measure, single_pool
from mixnet.benchmarks.base.figures import Role, Verdict, flat
from mixnet.benchmarks.base.jobs import inline
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact
from mixnet.errors import LocalError

TINY = measuring._Scale(runs=2, targets=5, worlds=1, seconds=30.0, epsilon_runs=1, most=1000)


def stage_row(bits=7.46):
    return {
        "packet": [bits, bits - 0.05, bits + 0.05],
        "sender": [3.9, 3.8, 4.0],
        "surprise": [7.4, 7.0, 8.0],
        "optimum": 7.5,
        "pool": 12.0,
    }


def run(function, jobs):
    """The model as it is; in the place of the actors (test_actors.py has them) what they are known to give."""
    if function is small_world.point:
        return [stage_row(0.0 if job.get("off") else 7.46) for job in jobs]
    return inline(function, jobs)


@pytest.fixture(scope="module")
def finding():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(measuring.SCALES, Size.QUICK, TINY)
        patch.setitem(sweep.TARGETS, Size.QUICK, 4)
        patch.setattr(model, "CHOICES", 2)
        yield measure(Size.QUICK, run)


def test_it_has_the_keys_of_the_document(finding):
    merged = json.loads(json.dumps(flat([finding])))
    assert {"h_gap_bits", "h_ratio", "epsilon_mean", "epsilon_p95"} <= set(merged)
    assert merged["h_gap_bits_ci"][0] <= merged["h_gap_bits"] <= merged["h_gap_bits_ci"][1]
    assert json.dumps(finding.as_map())


def test_it_has_both_kinds_of_controls_and_they_pass(finding):
    others = [control for control in finding.controls if "λ" not in control.what]  # test_model.py has the calibration
    assert len(others) == 4
    assert [control.what for control in others if not control.passed] == []
    assert {control.role for control in finding.controls} == set(Role)
    assert sum("λ" in control.what for control in finding.controls) == 5


def test_curves_have_intervals_around_them(finding):
    for name in ("pool", "layers", "width", "users", "corrupt"):
        curve = finding.curves[f"entropy_by_{name}"]
        assert len(curve["x"]) == len(curve["y"]) == len(curve["low"]) >= 3
        assert all(low <= y <= high for low, y, high in zip(curve["low"], curve["y"], curve["high"], strict=True))
        assert finding.curves[f"optimum_by_{name}"]["x"] == curve["x"]


def test_it_is_void_where_delays_hide_something_that_is_not_there(finding):
    controls = measuring._ours(exact(7.46), [stage_row()], stage_row(2.0))
    broken = replace(finding, controls=tuple(controls))
    gap = next(figure for figure in finding.figures if figure.key == "h_gap_bits")
    assert broken.verdict(gap) is Verdict.VOID


@pytest.mark.parametrize("packets", [1, 2, 64, 100])
def test_a_single_pool_hides_the_logarithm_of_its_size(packets):
    assert single_pool(packets) == pytest.approx(np.log2(packets))


def test_the_stage_holds_twelve_packets():
    assert small_world.TWELVE.pool == pytest.approx(12)


def test_a_sweep_changes_one_thing():
    rows = sweep.sweep(BASE, "width", 10, inline)
    assert [row["width"] for row in rows] == [1, 2, 3, 5, 8, 12]
    assert len({row["optimum"] for row in rows}) == 1
    assert rows[-1]["entropy"][0] < rows[0]["entropy"][0]
    assert [network.pool for _, network in sweep.around(BASE, "pool")] == pytest.approx([1, 2, 3, 5, 8, 12, 20, 40])


def test_a_wrong_name_is_refused():
    with pytest.raises(LocalError, match="choose from users"):
        sweep.around(BASE, "moon")


def test_exposed_paths_are_those_of_corrupt_mixes_alone():
    rng = np.random.default_rng(1)
    share, power = sweep.exposed_paths(3, 3, 1 / 3, rng)
    assert share.covers(3 * 2 * 1 / (9 * 8 * 7))  # three of nine, none twice
    assert power == pytest.approx(1 / 27)
    wide, power = sweep.exposed_paths(3, 60, 0.3, rng)
    assert wide.value == pytest.approx(power, abs=0.005)  # in a large network it is f to the power of k
    assert sweep.exposed_paths(2, 5, 1.0, rng)[0].value == 1


def test_the_model_sees_as_many_exposed_as_paths_are():
    network = replace(BASE, users=10, layers=1, width=4, corrupt=0.5)
    runs = [model.exact(network, 20, np.random.default_rng(seed)) for seed in range(12)]
    assert np.mean([run.exposed.mean() for run in runs]) == pytest.approx(0.5, abs=0.1)
