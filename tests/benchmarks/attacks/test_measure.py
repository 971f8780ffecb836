"""The three passive attacks on real actors: defended, undefended, and from files."""

import pytest

from mixnet.benchmarks.attacks import activity, correlation, disclosure, scenarios
from mixnet.benchmarks.attacks.observed import observe, unpacked
from mixnet.benchmarks.attacks.pairs import PairTable, Scored
from mixnet.benchmarks.attacks.scenarios import converse, play
from mixnet.benchmarks.base.figures import Role, flat
from mixnet.benchmarks.base.size import Size
from tests.benchmarks.attacks.worlds import SMALL, played, run, small

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def files():
    """Trace and truth of a network without any protection of its receiving side."""
    world = played(**SMALL, off=["downlink"], quiet=False)
    return world.trace, list(world.truth)


def test_correlation_is_at_chance_until_the_defence_is_off(monkeypatch):
    small(monkeypatch, correlation)
    monkeypatch.setitem(correlation.PLANS, Size.QUICK, correlation.PairCounts(200, 60, 200))
    found = correlation.measure(Size.QUICK, run, seed=1)
    figures = {figure.key: figure.estimate for figure in found.figures}
    assert found.credible or [c.role for c in found.controls if not c.passed] == [Role.NULL]
    won = [control.what for control in found.controls if control.role is Role.POSITIVE and control.passed]
    assert all(any(method in what for what in won) for method in correlation.METHODS)
    assert abs(figures["correlation_auc"].value - 0.5) < 0.1
    assert abs(figures["correlation_entry_auc"].value - 0.5) < 0.2
    assert figures["correlation_exit_auc"].value > 0.97
    assert figures["correlation_both_auc"].value >= figures["correlation_exit_auc"].value - 0.02
    assert figures["schedule_up_rate"].covers(1.0)
    assert figures["schedule_up_ks"].value < 0.06
    control = found.curves["auc_window_control"]
    assert dict(zip(control["x"], control["y"], strict=True))[100.0] == pytest.approx(0.92, abs=0.07)
    assert {"correlation_auc", "correlation_tpr_1pct"} <= set(flat([found]))
    assert found.as_map()["controls"]


def test_model_and_actors_agree_where_nothing_is_shaped():
    """The same evidence in the same window: areas under the curve, and the actors' own at mailboxes."""
    seen = unpacked(run(converse, [{**SMALL, "off": ["downlink"]}])[0])
    table = PairTable(seen, 30.0)
    by_link, by_mailbox = (correlation.auc(*table.scores(view)) for view in ("external", "exit"))
    assert by_link.value == pytest.approx(by_mailbox.value, abs=0.05)
    assert by_link.value == pytest.approx(0.78, abs=0.12)
    assert table.share() == pytest.approx(0.25, abs=0.06)


def test_only_pairs_that_wrote_are_true_and_only_strangers_false():
    seen = unpacked(run(converse, [SMALL])[0])
    true, false = PairTable(seen, 60.0).labels()
    assert true[0, 1] and true[0, 2] and true[5, 0]
    assert not true[0, 3] and false[0, 3] and false[0, 6] and false[6, 7]
    assert not (true & false).any()
    assert not false[1, 0]  # acknowledgements go that way


def test_disclosure_is_at_chance_until_the_defence_is_off(monkeypatch):
    small(monkeypatch, disclosure)
    monkeypatch.setitem(disclosure.REPEATS, Size.QUICK, 2)
    found = disclosure.measure(Size.QUICK, run, seed=1)
    figures = {figure.key: figure for figure in found.figures}
    positive = [control for control in found.controls if control.role is Role.POSITIVE]
    assert positive[0].estimate.value == pytest.approx(0.78, abs=0.08)
    assert positive[1].estimate.value == pytest.approx(0.97, abs=0.03)
    assert figures["disclosure_ratio"].estimate.value < 2
    assert figures["disclosure_exit_ratio"].estimate.value > 10
    assert found.curves["found_rounds"]["y"][-1] < 0.13


def test_activity_is_hidden_until_the_defence_is_off(monkeypatch):
    small(monkeypatch, activity)
    monkeypatch.setitem(activity.PLANS, Size.QUICK, activity.WindowPlan(100, 100.0))
    monkeypatch.setattr(activity, "LENGTHS", (10.0,))
    found = activity.measure(Size.QUICK, run, seed=1)
    figures = {figure.key: figure.estimate for figure in found.figures}
    assert figures["undetectability_differences"].value == 0
    assert figures["undetectability_actors_auc"].low < 0.55
    assert figures["undetectability_auc"].value < 0.62
    cover, slot, moved, null = found.controls
    assert cover.passed
    assert slot.estimate.value > 0.6
    assert moved.passed
    assert abs(null.estimate.value - 0.5) < 0.25


@pytest.mark.parametrize("attack", [correlation, disclosure, activity])
def test_files_are_enough(files, attack, monkeypatch):
    monkeypatch.setattr(activity, "LENGTHS", (10.0,))
    found = attack.score(*files)
    assert found.figures
    assert not found.controls
    assert "10 clients" in found.setting
    assert all(figure.must is None for figure in found.figures)  # too few for a claim
    if attack is correlation:
        assert found.figures[0].estimate.value > 0.6


def test_files_without_a_signal_say_so(files):
    trace, journeys = files
    quiet = [journey for journey in journeys if journey.kind in ("loop", "drop")]
    for attack in (correlation, disclosure, activity):
        found = attack.score(trace, quiet)
        assert found.figures == ()
        assert found.note


def test_one_seed_gives_one_run(monkeypatch):
    monkeypatch.setattr(scenarios, "SETTLING", 20.0)  # seconds, in which they meet and begin to write
    one, other = (observe(world.trace, list(world.truth)) for world in (play(**TINY), play(**TINY)))
    assert activity.differing(one, other) == 0


TINY = {"clients": 4, "busy": 3, "seconds": 5, "seed": 2}


def test_claims_need_enough_pairs():
    few = Scored(*(correlation.np.arange(50.0) for _ in range(2)))
    many = Scored(*(correlation.np.arange(1000.0) for _ in range(2)))
    assert all(figure.must is None for figure in correlation._figures(few, "x", 1000.0, ""))
    assert any(figure.must is not None for figure in correlation._figures(many, "x", 1000.0, ""))
    assert all(figure.must is None for figure in correlation._figures(many, "x", 100.0, ""))
