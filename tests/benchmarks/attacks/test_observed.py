"""What an attack takes from the two files."""

import numpy as np
import pytest

from mixnet.benchmarks.attacks.observed import Observed, observe, unpacked
from mixnet.benchmarks.simulation.ground_truth import Journey, read
from mixnet.benchmarks.simulation.trace import Trace, TraceRow
from mixnet.errors import LocalError

LINK = 10_000_000
SECOND = 1_000_000_000


def journey(kind, sender, receiver, sent, delays=(0.5, 0.25), *, over=0.0):
    path = ["p1", "m1", "p2"]
    links = 3 + (kind != "drop")
    received = sent + round((sum(delays) + over) * SECOND) + links * LINK
    return Journey(0, kind, sender, receiver, list(delays), path, sent, received)


def example():
    rows = [TraceRow(n * SECOND, "10.0.0.1", "p1", 100) for n in range(1, 10)]
    rows += [TraceRow(5 * SECOND, "p2", "10.0.0.2", 300), TraceRow(2 * SECOND, "p1", "10.0.0.1", 100)]
    rows += [TraceRow(3 * SECOND, "10.0.0.1", "directory", 777), TraceRow(SECOND, "p1", "m1", 100)]
    journeys = [
        journey("payload", "10.0.0.1", "10.0.0.2", SECOND, over=3.0),
        journey("drop", "10.0.0.1", "p2", 2 * SECOND),
        journey("loop", "10.0.0.2", "10.0.0.2", 4 * SECOND, over=1.0),
        journey("node-loop", "m1", "m1", SECOND),
    ]
    return observe(Trace(rows), journeys, start=0.0)


def test_it_follows_from_the_files():
    seen = example()
    assert seen.clients == ("10.0.0.1", "10.0.0.2")
    assert seen.frame == 100
    assert seen.up[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert seen.down[0].tolist() == [2]
    assert seen.down[1].tolist() == []  # its packets enter at p1: what comes from p2 is not from its provider
    assert len(seen.rows.when) == 12  # what isn't at a client's link is left out
    assert seen.latency == pytest.approx(0.01)
    assert (seen.stages, seen.mean_delay) == (2, pytest.approx(0.375))
    assert seen.arrivals(1).tolist() == pytest.approx([1.78, 4.78])
    assert seen.onward(0).tolist() == pytest.approx([1.51, 2.51])
    assert seen.written(0, 10).tolist() == [[0, 1], [0, 0]]
    assert seen.written(5, 10).sum() == 0
    assert seen.related().tolist() == [[False, True], [True, False]]


def test_several_frames_in_one_write_are_several():
    rows = [TraceRow(n * SECOND, "a", "p1", 100) for n in range(1, 5)] + [TraceRow(9 * SECOND, "a", "p1", 300)]
    seen = observe(Trace(rows), [journey("drop", "a", "p2", SECOND)], start=0.0)
    assert seen.up[0].tolist() == [1, 2, 3, 4, 9, 9, 9]


def test_it_survives_as_arrays():
    seen = example()
    again = unpacked(seen.packed())
    assert isinstance(again, Observed)
    assert again.clients == seen.clients
    assert all(
        np.array_equal(one, other, equal_nan=True)
        for one, other in zip(seen.packed().values(), again.packed().values(), strict=True)
        if one.dtype.kind != "U"
    )


def test_a_packet_that_never_came_to_its_mailbox_has_no_arrival():
    lost = Journey(0, "payload", "a", "b", [0.5, 0.5], ["p1", "m1"], SECOND, None)
    seen = observe(Trace([TraceRow(SECOND, "a", "p1", 100)]), [lost], clients=["b"], start=0.0)
    assert seen.arrivals(1).tolist() == []
    assert seen.clients == ("a", "b")


def test_without_clients_there_is_nothing_to_see():
    with pytest.raises(LocalError):
        observe(Trace([TraceRow(1, "a", "b", 1)]), [])
    with pytest.raises(LocalError):
        observe(Trace(), [journey("drop", "a", "p2", 5)])


def test_the_truth_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "truth.ndjson"
    line = '{"msg":1,"kind":"drop","sender":"a","receiver":"p","path":["p"],"delays":[0.5],'
    line += '"sent_ns":3,"received_ns":null}\n'
    path.write_text(line)
    assert read(path) == [Journey(1, "drop", "a", "p", [0.5], ["p"], 3, None)]
    path.write_text(line + "{}\n")
    with pytest.raises(LocalError, match="line 2"):
        read(path)
