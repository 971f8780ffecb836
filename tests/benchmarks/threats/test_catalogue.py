"""The catalogue: no row is met but by a figure with its controls, and whatever isn't tried isn't claimed."""

import pytest

from mixnet.benchmarks.attacks import ATTACKS
from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, at_least
from mixnet.benchmarks.base.statistics import Estimate, exact
from mixnet.benchmarks.report.parts import absent
from mixnet.benchmarks.threats.catalogue import CLASSES, REQUIREMENTS, as_map, classes, rows, squares
from mixnet.benchmarks.threats.render import matrix

WON = Control.positive("without", exact(1), at_least(0.99))
LOST = Control.positive("without", exact(0.5), at_least(0.99))


MUST = Bound(0.2)


def found(value, *, control=WON, must=MUST, key="x", threats=("P1",), adversary="external, global, passive"):
    figure = Figure(key, "what", Estimate(value, value, value), "", must)
    return Finding("name", "title", threats, adversary, "d", "s", (figure,), (control,)).as_map()


def of(requirement, *findings):
    return [row for row in rows(findings) if row.requirement == requirement]


def test_without_findings_nothing_is_claimed_and_everything_is_there():
    listed = rows([])
    assert [row.requirement for row in listed] == list(REQUIREMENTS)
    assert {row.verdict for row in listed} == {"not claimed"}
    assert all(row.tried for row in listed)
    assert {square.verdict for square in squares([])} == {"not claimed"}
    assert len(squares([])) == 11 * 8


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (found(0.1), "met"),
        (found(0.3), "not met"),
        (found(0.1, control=LOST), "not met"),
        (found(0.1, must=None), "not claimed"),
        (found(float("nan")), "not met"),
    ],
)
def test_a_row_is_met_by_a_figure_with_its_controls(finding, verdict):
    [row] = of("P1", finding)
    assert row.verdict == verdict
    square = next(one for one in squares([finding]) if (one.requirement, one.adversary) == ("P1", row.adversary))
    assert (square.verdict, square.tried) == (verdict, 1)


def test_what_else_was_tried_does_not_answer_for_an_attack_that_was_not():
    check = found(0.0, threats=("P2",))
    missing = next(one for one in absent(set(ATTACKS) - {"correlation"}))
    rows_ = of("P2", check, missing.as_map())
    assert [row.verdict for row in rows_] == ["met", "not claimed"]
    assert "not measured" in rows_[1].tried
    square = next(
        one
        for one in squares([check, missing.as_map()])
        if (one.requirement, one.adversary) == ("P2", check["adversary"])
    )
    assert square.verdict == "not claimed"
    assert {one.name for one in absent([])} == set(ATTACKS)
    assert absent(ATTACKS) == []


def test_the_worst_counts_for_an_adversary():
    both = [found(0.1), found(0.3)]
    assert {one.verdict for one in squares(both) if one.tried} == {"not met"}
    assert {one.verdict for one in squares([found(0.1), found(0.1, must=None)]) if one.tried} == {"not claimed"}


def test_what_corrupt_providers_learn_is_told_and_not_claimed():
    [row] = of("P2", found(0.999, must=None, key="correlation_exit_auc", threats=("P2",)))
    assert (row.adversary, row.verdict) == ("internal, global, passive", "not claimed")


def test_a_partly_answered_requirement_says_what_is_missing():
    assert [row.verdict for row in of("P6", found(0, threats=("P6",)))] == ["met", "not claimed"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("external, global, passive; internal ones too", {("external", "global", "passive")}),
        ("internal, active: a local mix", {("internal", "local", "active"), ("internal", "global", "active")}),
        ("internal or external, local, active", {("internal", "local", "active"), ("external", "local", "active")}),
        ("anybody", set(CLASSES)),
        ("", set()),
    ],
)
def test_classes_are_read_from_the_description(text, expected):
    assert classes(text) == expected


def test_the_map_and_the_matrix_hold_everything():
    shown = as_map([found(0.1)])
    assert len(shown["rows"]) == len(rows([found(0.1)]))
    head, lines = matrix([found(0.1)])
    assert len(head) == 9
    assert [line[0] for line in lines] == [name for name in REQUIREMENTS if name[0] != "F"]
    assert sum(line.count("met") for line in lines) == 1
