"""Findings: a verdict follows from the figure and its controls, and every number survives JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Verdict, at_least, flat, flat_maps
from mixnet.benchmarks.base.statistics import Estimate, exact

MUST, AIM = Bound(0.2), Bound(0.05)
WON = Control.positive("without the defence", exact(0.995), at_least(0.99))
LOST = Control.positive("without the defence", exact(0.97), at_least(0.99))
CHANCE = Control.null("no signal", Estimate(0.52, 0.48, 0.56), chance=0.5)
SIGNAL = Control.null("no signal", Estimate(0.58, 0.54, 0.62), chance=0.5)


def figure(value, must=MUST, aim=AIM, key="gap"):
    return Figure(key, "a gap", Estimate(value, value - 0.01, value + 0.01), "bit", must, aim)


def finding(*figures, controls=(), name="one"):
    return Finding(name, "title", ("P1",), "external, global, passive", "mixing", "here", figures, controls)


@pytest.mark.parametrize(
    ("value", "must", "aim", "verdict"),
    [
        (0.05, MUST, AIM, Verdict.AIM),
        (0.2, MUST, AIM, Verdict.MUST),
        (0.2001, MUST, AIM, Verdict.MISSED),
        (0.2, MUST, None, Verdict.AIM),
        (0.06, None, AIM, Verdict.MISSED),
        (0.0, None, None, Verdict.UNCLAIMED),
        (math.nan, MUST, AIM, Verdict.MISSED),
        (3.0, at_least(2), None, Verdict.AIM),
        (1.9, at_least(2), None, Verdict.MISSED),
    ],
)
def test_a_verdict_follows_from_the_value(value, must, aim, verdict):
    assert figure(value, must, aim).verdict is verdict


@pytest.mark.parametrize(
    ("controls", "credible"),
    [((), True), ((WON, CHANCE), True), ((LOST, CHANCE), False), ((WON, SIGNAL), False), ((LOST, SIGNAL), False)],
)
def test_a_failed_control_voids_everything_that_is_claimed(controls, credible):
    good, bad, told = figure(0.01), figure(0.9), figure(0.1, None, None)
    found = finding(good, bad, told, controls=controls)
    assert found.credible is credible
    expected = [Verdict.AIM, Verdict.MISSED] if credible else [Verdict.VOID, Verdict.VOID]
    assert [found.verdict(one) for one in found.figures] == [*expected, Verdict.UNCLAIMED]


def test_a_control_that_could_not_be_computed_fails():
    assert not Control.positive("", exact(math.nan), at_least(0.5)).passed
    assert not Control.null("", exact(math.nan), chance=0.5).passed
    assert not Control.null("without a chance", exact(0.5)).passed


@given(st.floats(), st.floats(), st.booleans())
def test_a_bound_holds_on_one_side_only(limit, value, at_least):
    holds = Bound(limit, at_least).holds(value)
    assert holds is (value >= limit if at_least else value <= limit)
    if math.isnan(value):
        assert not holds


@given(st.floats(), st.floats(), st.floats())
def test_every_number_goes_through_json(value, low, high):
    found = finding(Figure("x", "what", Estimate(value, low, high)))
    shown = json.loads(json.dumps({**flat([found]), "finding": found.as_map()}, allow_nan=False))
    assert shown["x"] == (value if math.isfinite(value) else None)
    assert shown["x_ci"] == [low if math.isfinite(low) else None, high if math.isfinite(high) else None]


def test_flat_has_a_key_for_each_figure_and_loses_none():
    first, second = finding(figure(0.1, key="loss"), controls=(WON,)), finding(figure(0.3, key="loss"), name="two")
    merged = flat([first, second])
    assert (merged["loss"], merged["two_loss"]) == (0.1, 0.3)
    assert merged["loss_ci"] != merged["two_loss_ci"]
    assert [control["passed"] for control in merged["controls"]["one"]] == [True]
    assert merged == flat_maps([first.as_map(), second.as_map()])
