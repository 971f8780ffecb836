"""A trace that is written while it happens: in order, with names, in bounded memory."""

import io
import random

from mixnet.benchmarks.processes.observer.recorder import SLACK, Recorder
from mixnet.benchmarks.simulation.trace import read


def test_rows_that_come_late_stand_in_their_place(tmp_path):
    path = tmp_path / "trace.csv"
    times = list(range(1000, 1000 + 3 * SLACK))
    draw = random.Random(1)
    shuffled = sorted(times, key=lambda when: when + draw.randrange(SLACK // 2))
    with path.open("w", newline="") as file, Recorder(file, 1000, {"127.0.9.1": "mix-1"}) as recorder:
        for when in shuffled:
            recorder.saw(when, "127.0.9.1", "127.0.9.2", when)
            assert len(recorder._waiting) <= SLACK
    rows = list(read(path))
    assert [row.t_ns for row in rows] == [when - 1000 for when in times]
    assert [row.size for row in rows] == times
    assert {(row.src, row.dst) for row in rows} == {("mix-1", "127.0.9.2")}
    assert recorder.count == len(times)


def test_what_was_before_the_begin_is_left_out():
    file = io.StringIO()
    with Recorder(file, 1000, {}) as recorder:
        recorder.saw(999, "a", "b", 1)
        recorder.saw(1000, "a", "b", 2)
    assert (recorder.count, file.getvalue()) == (1, "t_ns,src,dst,bytes\n0,a,b,2\n")
