"""The comparison by itself: what it must complain about, and what not."""

import pytest

from mixnet.client.model.views import MessageKind, MessageState
from tests.client.days.compare import Circle, Line, Meant, compare, devices_agree

DELIVERED, READ, RECEIVED = MessageState.DELIVERED, MessageState.READ, MessageState.RECEIVED
FAILED, SENT = MessageState.FAILED, MessageState.SENT
SOME_LEFT = Circle(("a", "b"), ("c",))


def line(where, author, text, state, error=""):
    return Line(where, author, text, MessageKind.TEXT, state, error)


def told(changes=(), circle=SOME_LEFT):
    """Two people with two texts and a group with one; `changes` alter the lines of one of them by name and place."""
    meant = [Meant("a", 0, "b", "1"), Meant("a", 0, "b", "2"), Meant("a", 0, "g", "3")]
    histories = {
        "a": [line("b", "a", "1", READ), line("b", "a", "2", DELIVERED), line("g", "a", "3", DELIVERED)],
        "b": [line("a", "a", "1", READ), line("a", "a", "2", RECEIVED), line("g", "a", "3", RECEIVED)],
        "c": [line("g", "a", "3", RECEIVED)],
    }
    for name, change in changes:
        histories[name] = change(histories[name])
    return compare(meant, histories, {"g": circle})


def test_equal_histories_are_fine():
    assert told() == []


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("b", lambda had: had[1:], "a to b: '1' is lost"),
        ("b", lambda had: [had[0], *had], "a to b: '1' is there 2 times"),
        ("b", lambda had: [had[1], had[0], had[2]], "a to b: not in the author's order"),
        ("b", lambda had: [*had, line("a", "a", "9", RECEIVED)], "a to b: nobody sent '9'"),
        ("b", lambda had: had[:2], "a in g for b: '3' is lost"),
        ("b", lambda had: [*had, had[2]], "a in g for b: '3' is there 2 times"),
        ("b", lambda had: [*had, line("a", "a", "", FAILED, "old copy")], "a to b: '' is failed: old copy"),
        ("b", lambda had: [line("a", "a", "1", RECEIVED), *had[1:]], "a to b: '1' is read"),
        ("c", lambda had: [*had, had[0]], "a in g for c: '3' is there 2 times"),
        ("a", lambda had: [*had[1:], line("b", "a", "1", SENT)], "a: '1' to b is sent for ever"),
        ("a", lambda had: [line("b", "a", "1", FAILED, "x"), *had[1:]], "a: '1' to b failed: x"),
        ("a", lambda had: had[1:], "a sent not 1"),
        ("a", lambda had: [had[0], *had], "a sent once more 1"),
    ],
)
def test_what_is_not_as_it_must_be_is_said(name, change, complaint):
    assert any(one.startswith(complaint) for one in told([(name, change)])), told([(name, change)])


def test_who_has_gone_may_lack_something():
    for circle in (SOME_LEFT, Circle(("a", "b"), (), ("c",))):
        assert told([("c", lambda _had: [])], circle) == []


def test_nobody_lacks_what_one_who_left_wrote_and_who_was_removed_may_have_failed_only():
    left, removed = Circle(("b", "c"), ("a",)), Circle(("b", "c"), (), ("a",))
    lacks = [("c", lambda _had: [])]
    assert told(lacks, left) == ["a in g for c: '3' is lost"] and told(lacks, removed) == []
    failed = [("a", lambda had: [*had[:2], line("g", "a", "3", FAILED, "removed")]), ("b", lambda had: had[:2])]
    assert told([*failed, *lacks], removed) == []
    assert told([*failed, *lacks], left) == ["a: '3' to g failed: removed"]
    stuck = [("a", lambda had: [*had[:2], line("g", "a", "3", SENT)])]
    assert all(told(stuck, circle) == ["a: '3' to g is sent for ever"] for circle in (left, removed))


def test_devices_that_differ_are_noticed():
    assert devices_agree("a", [("x",), ("y",)], [("x",), ("y",)]) == []
    assert devices_agree("a", [("x",), ("y",)], [("x",)]) == ["a: the satellite has not y"]
    assert devices_agree("a", [("x",)], [("x",), ("x",)]) == ["a: the satellite has once more x"]
    assert devices_agree("a", [("x",), ("y",)], [("y",), ("x",)]) == ["a: the satellite has another order"]
