"""The history of runs: a planted regression is noticed, a busy day is not taken for one."""

import json
import random

import pytest

from mixnet.benchmarks.base import history
from mixnet.benchmarks.base.history import PastRun, Trend, add, compare, read, run_of
from mixnet.cli import build

CPU = "Some Processor"


def run(ratio=2.0, *, width=0.02, cpu=CPU, size="quick", key="relay_ratio", when="2026-01-01"):
    return PastRun(when, cpu, "abc", size, {key: (ratio, ratio * (1 - width), ratio * (1 + width))})


def earlier(count=7, seed=1):
    rng = random.Random(seed)
    return [run(2.0 * rng.uniform(0.97, 1.03)) for _ in range(count)]


def verdict(one, before):
    (change,) = compare(one, before)
    return change.verdict


def test_a_planted_regression_is_noticed():
    assert verdict(run(2.0 * 1.25), earlier()) is Trend.WORSE


@pytest.mark.parametrize("seed", range(10))
def test_what_is_as_before_is_not_accused(seed):
    assert verdict(run(2.0 * random.Random(seed).uniform(0.95, 1.05)), earlier(seed=seed)) is Trend.SAME


def test_an_improvement_is_told():
    assert verdict(run(1.5), earlier()) is Trend.BETTER


def test_wide_intervals_widen_the_tolerance():
    assert verdict(run(2.5, width=0.3), earlier()) is Trend.SAME  # this run is unsure itself
    assert verdict(run(2.5), [run(width=0.4) for _ in range(7)]) is Trend.SAME  # earlier ones were


def test_one_bad_day_does_not_move_the_median():
    assert verdict(run(2.5), [*earlier(), run(9.0)]) is Trend.WORSE


@pytest.mark.parametrize("other", [{"cpu": "Another"}, {"size": "full"}, {"key": "peel_ratio"}])
def test_only_the_like_is_compared(other):
    assert verdict(run(2.5), [run(**other) for _ in range(7)]) is Trend.FIRST


def test_a_run_that_is_kept_already_is_not_compared_with_itself():
    assert verdict(run(2.5), [run(2.5), *earlier(2)]) is Trend.FIRST


def test_few_runs_say_nothing():
    assert verdict(run(2.5), earlier(2)) is Trend.FIRST


REPORT = {
    "relay_ratio": 2.1,
    "relay_ratio_ci": [2.0, 2.2],
    "peel_ratio": None,
    "peel_ratio_ci": [None, None],
    "packets_per_s": 5000.0,
    "report": {"begun": "2026-01-02", "size": "quick"},
    "machine": {"cpu": CPU, "commit": "abc"},
}


def test_a_report_becomes_one_line_that_is_read_as_it_was_written(tmp_path):
    path, one = tmp_path / "history.jsonl", run_of(REPORT)
    assert one.figures == {"relay_ratio": (2.1, 2.0, 2.2)}
    add(path, one)
    add(path, run())
    assert len(path.read_text().splitlines()) == 2
    assert read(path) == ([one, run()], 0)


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '{"figures": {"a": [1]}}', '{"figures": 1}', "null"])
def test_lines_that_are_none_are_left_out(tmp_path, line):
    path = tmp_path / "history.jsonl"
    add(path, run())
    with path.open("a") as file:
        file.write(line + "\n")
    assert read(path) == ([run()], 1)


def test_the_command_fails_where_a_figure_got_worse(tmp_path, capsys):
    path, report = tmp_path / "history.jsonl", tmp_path / "report.json"
    for one in earlier():
        add(path, one)
    worse = REPORT | {"relay_ratio": 2.6, "relay_ratio_ci": [2.5, 2.7]}
    for found, status in ((worse, 1), (REPORT | {"relay_ratio_ci": [2.0, 2.2]}, 0)):
        report.write_text(json.dumps(found))
        words = ["bench", "history", "--report", str(report), "--earlier", str(path), "--json"]
        assert build()(words, result_action="return_value") == status
        assert json.loads(capsys.readouterr().out)["changes"][0]["runs"] == 7


def test_every_figure_that_is_kept_is_one_that_a_report_has():
    assert set(history.FIGURES) >= {"peel_ratio", "relay_ratio", "provider_client_kb", "idle_ratio"}
