"""The trace file: what is written is read back, and nothing else passes for a trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.benchmarks.simulation.trace import Trace, TraceRow, read
from mixnet.errors import LocalError
from tests.benchmarks.simulation import traces

HOSTS = st.sampled_from(["127.0.1.1", "127.0.2.1", "127.0.3.1", "alice"])
ROWS = st.lists(st.builds(TraceRow, st.integers(0, 10**15), HOSTS, HOSTS, st.integers(0, 10**6)), max_size=30)


@given(ROWS)
def test_a_trace_survives_its_file(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("trace") / "trace.csv"
    Trace(rows).write(path)
    assert read(path) == Trace(rows)
    assert read(path).fingerprint() == Trace(rows).fingerprint()


def test_the_file_has_the_stated_columns(tmp_path):
    trace = Trace()
    trace.tap(1.5, "a", "b", 3118)
    trace.write(tmp_path / "trace.csv")
    assert (tmp_path / "trace.csv").read_text() == "t_ns,src,dst,bytes\n1500000000,a,b,3118\n"


@pytest.mark.parametrize("text", ["", "a,b\n", "t_ns,src,dst,bytes\n1,a\n", "t_ns,src,dst,bytes\nx,a,b,1\n"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "trace.csv").write_text(text)
    with pytest.raises(LocalError):
        read(tmp_path / "trace.csv")


@given(ROWS, ROWS)
def test_fingerprints_tell_traces_apart(left, right):
    assert (Trace(left).fingerprint() == Trace(right).fingerprint()) == (left == right)


def test_links_have_two_directions():
    rows = [TraceRow(1, "a", "b", 10), TraceRow(2, "b", "a", 20), TraceRow(3, "a", "c", 30)]
    assert traces.link(Trace(rows), "a", "b") == [(1, 10)]
    assert traces.link(Trace(rows), "b", "a") == [(2, 20)]
    assert traces.around(Trace(rows), "a") == rows
    assert traces.around(Trace(rows), "c") == rows[2:]
