"""Runners: the order of results, what is kept and when it is used again, and what a failure leaves."""

import json
import time

import numpy as np
import pytest

from mixnet.benchmarks.base import jobs
from mixnet.benchmarks.base.jobs import Kept, here, inline, runner, shared


def square(*, number):
    return {"square": number**2}


def slow_first(*, number):
    time.sleep(0.3 if number == 0 else 0)
    return number


def arrays(*, number):
    return {"row": np.arange(number), "matrix": np.eye(2) * number}


def fails_at_three(*, number):
    if number == 3:
        raise ValueError("three")
    return number


JOBS = [{"number": number} for number in range(5)]


def counting(called):
    def source(function, wanted):
        called.extend(wanted)
        return here(function, wanted)

    return source


def test_results_are_in_the_order_of_the_jobs():
    assert inline(square, JOBS) == [{"square": number**2} for number in range(5)]
    assert inline(square, []) == []
    with shared(2) as run:
        assert run(slow_first, JOBS[:3]) == [0, 1, 2]
        assert run(square, JOBS[:1]) == [{"square": 0}]  # by the same processes


@pytest.mark.parametrize("function", [square, arrays])
def test_what_is_kept_is_not_done_again(tmp_path, function):
    called = []
    run = runner(counting(called), kept=Kept(tmp_path, "code"))
    first = run(function, JOBS[:2])
    second = run(function, JOBS)
    assert called == JOBS
    np.testing.assert_equal(second[:2], first)
    np.testing.assert_equal(runner(counting(called), kept=Kept(tmp_path, "code"))(function, JOBS), second)
    assert called == JOBS


def test_nothing_is_kept_for_other_code_another_function_or_other_arguments(tmp_path):
    called = []
    runner(counting(called), kept=Kept(tmp_path, "code"))(square, JOBS[:1])
    runner(counting(called), kept=Kept(tmp_path, "new code"))(square, JOBS[:1])
    runner(counting(called), kept=Kept(tmp_path, "code"))(slow_first, JOBS[:1])
    runner(counting(called), kept=Kept(tmp_path, "code"))(square, JOBS[1:2])
    assert len(called) == 4


def test_what_was_done_before_a_failure_is_kept(tmp_path):
    called = []
    with pytest.raises(ValueError, match="three"):
        runner(counting(called), kept=Kept(tmp_path, "code"))(fails_at_three, JOBS)
    called.clear()
    with pytest.raises(ValueError, match="three"):
        runner(counting(called), kept=Kept(tmp_path, "code"))(fails_at_three, JOBS)
    assert called == JOBS[3:]


@pytest.mark.parametrize(("function", "ending"), [(square, ".json"), (arrays, ".npz")])
@pytest.mark.parametrize("left", [0, 1, 12, -1])
def test_a_spoilt_result_is_done_again(tmp_path, function, ending, left):
    kept, called = Kept(tmp_path, "code"), []
    first = runner(counting(called), kept=kept)(function, JOBS[1:2])
    path = kept.path(function, JOBS[1]).with_suffix(ending)
    path.write_bytes(path.read_bytes()[:left])
    np.testing.assert_equal(runner(counting(called), kept=kept)(function, JOBS[1:2]), first)
    assert len(called) == 2


def test_progress_counts_what_was_kept_too(tmp_path):
    told = []
    run = runner(here, kept=Kept(tmp_path, "code"), watch=lambda done, total: told.append((done, total)))
    run(square, JOBS[:2])
    run(square, JOBS[:3])
    assert told == [(0, 2), (1, 2), (2, 2), (2, 3), (3, 3)]


def test_a_failure_in_a_process_is_raised_here():
    with pytest.raises(ValueError, match="three"), shared(2) as run:
        run(fails_at_three, JOBS)


def test_a_cluster_made_here():
    with shared(1, jobs.LOCAL) as run:
        assert run(square, JOBS) == inline(square, JOBS)
        with pytest.raises(ValueError, match="three"):
            run(fails_at_three, JOBS)


def test_the_code_has_one_name():
    assert jobs.code() == jobs.code()
    assert len(json.dumps(jobs.code())) == 66
