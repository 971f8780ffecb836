import json
import re

import pytest

from mixnet.deploy.display import node_json, progress, say_json, show_nodes, tabulate
from mixnet.deploy.figures import DemoOutcome
from mixnet.deploy.local import NodeStatus
from mixnet.deploy.plan import LocalPlan
from mixnet.deploy.story import show_outcome

MIX = LocalPlan().members()[3]
FIGURES = {
    "ready": True,
    "layer": 2,
    "packets_in": 7,
    "packets_out": 6,
    "dropped": {"replayed": 1, "full": 0},
    "loops_sent": 4,
    "loops_returned": 3,
    "memory_bytes": 54_000_000,
    "cpu_seconds": 1.5,
}


def outcome(**changed) -> DemoOutcome:
    fields = {
        "delivered": 21,
        "sent": 21,
        "lost": 0,
        "duplicated": 0,
        "file_ok": True,
        "nodes": 11,
        "signatures": 3,
        "latency_ms": {"p50": 250.0, "p95": 400.0},
        "overhead_ms": {"p50": 40.0, "p95": 90.0},
        "cover_share": 0.75,
        "safety_numbers_equal": True,
        "killed": None,
        "file_bytes": 1_000_000,
        "file_seconds": 18.0,
        "ready_seconds": 4.5,
        "total_seconds": 40.0,
        "node_memory_mb": 55.0,
        "client_memory_mb": 70.0,
        "idle_cpu_percent": 5.0,
        "dropped": {},
    }
    return DemoOutcome(**{**fields, **changed})


def test_elsewhere_than_at_a_terminal_a_table_is_plain_and_never_cut(capsys) -> None:
    tabulate("title", ("a", "b"), [("x" * 300, 1), ("y", 22)])
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["title", "a" + " " * 299 + "   b", "x" * 300 + "   1", "y" + " " * 299 + "  22"]


def test_progress_is_silent_elsewhere_than_at_a_terminal(capsys) -> None:
    with progress("working", 10) as advance:
        advance(5)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_node_is_shown_with_its_figures(capsys) -> None:
    show_nodes([NodeStatus(MIX, None, 2, FIGURES)])
    title, _, row = capsys.readouterr().out.splitlines()
    assert title == "1 of 1 nodes ready"
    assert row.split() == ["mix-1", "ready", "2", "7", "6", "replayed", "1", "75%", "of", "4", "54", "MB", "0.0%", "2"]


def test_a_node_that_does_not_answer_is_shown_too(capsys) -> None:
    show_nodes([NodeStatus(MIX, None, 0, None)])
    assert "no answer" in capsys.readouterr().out


def test_a_node_as_json(capsys) -> None:
    say_json([node_json(NodeStatus(MIX, None, 0, FIGURES)), node_json(NodeStatus(MIX, None, 0, None))])
    well, silent = json.loads(capsys.readouterr().out)
    assert well["name"] == "mix-1"
    assert well["address"] == MIX.address
    assert well["packets_in"] == 7
    assert silent["ready"] is False


@pytest.mark.parametrize(
    ("changed", "success"),
    [
        ({}, True),
        ({"delivered": 20, "lost": 1}, False),
        ({"duplicated": 1}, False),
        ({"file_ok": False}, False),
        ({"safety_numbers_equal": False}, False),
        ({"killed": "mix-1", "dropped": {"full": 3}}, True),
        ({"latency_ms": {"p50": None, "p95": None}, "cover_share": None, "delivered": 0}, False),
    ],
)
def test_the_summary_says_whether_all_went_well(changed, success, capsys) -> None:
    result = outcome(**changed)
    assert result.success is success
    show_outcome(result)
    assert ("NOT everything was delivered" not in capsys.readouterr().out) is success


@pytest.mark.parametrize("columns", [80, 120])
def test_at_a_terminal_no_name_is_broken_and_no_line_is_too_long(columns, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    figures = {**FIGURES, "packets_in": 99_999, "packets_out": 99_999, "loops_sent": 999, "loops_returned": 999}
    show_nodes([NodeStatus(LocalPlan().members()[0], None, 0, {**figures, "dropped": {"malformed_packet": 12}})])
    printed = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, printed.splitlines())) <= columns
    assert all(text in printed for text in ("authority-1", "99999", "100% of 999", "54 MB", "restarts"))
