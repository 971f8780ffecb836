"""Entropy out of trace and truth: made from the model it is the model's; real actors agree with it."""

from dataclasses import replace

import numpy as np
import pytest

from mixnet.benchmarks.anonymity import actors, small_world
from mixnet.benchmarks.anonymity.network import NetworkModel, flow
from mixnet.benchmarks.anonymity.pool import beginning, entropies, propagate
from mixnet.benchmarks.simulation.ground_truth import Journey
from mixnet.benchmarks.simulation.trace import Trace, TraceRow
from mixnet.errors import LocalError
from tests.benchmarks.anonymity.traces import FRAME, recorded

NETWORK = NetworkModel(users=10, rate=3.0, delay=0.5, layers=3, width=2, providers=2)


@pytest.fixture(scope="module")
def run():
    return flow(NETWORK, 60.0, np.random.default_rng(1))


@pytest.fixture(scope="module")
def files(run):
    return recorded(run)


def test_what_is_observed_is_what_the_model_says(run, files):
    seen = actors.observe(*files, targets=60)
    assert seen.unmatched == 0
    assert seen.network.users == 10
    assert (seen.network.providers, seen.network.layers, seen.network.width) == (2, 3, 2)
    assert seen.network.delay == pytest.approx(0.5, rel=0.05)
    assert seen.network.total == pytest.approx(30, rel=0.1)
    # The links' latency shifts arrivals alike at all nodes: without it orders differ, entropy doesn't.
    targets = np.arange(300, 1300, 20)
    belief = propagate(run.visits, beginning(run.packets, targets), NETWORK.nodes)
    assert seen.packet.mean() == pytest.approx(entropies(belief).mean(), abs=0.08)
    assert seen.surprise.mean() == pytest.approx(seen.packet.mean(), abs=0.5)
    assert 3.0 < seen.sender.mean() < np.log2(10)


def test_frames_of_others_and_handshakes_change_nothing(files):
    trace, journeys = files
    more = list(trace)
    more += [TraceRow(row.t_ns + 300, row.src, row.dst, 517) for row in list(trace)[::3]]
    more += [TraceRow(row.t_ns + 5000, row.src, row.dst, FRAME) for row in list(trace)[::5]]
    loops = [Journey(10**6, "node-loop", "node-0", "node-0", [0.1] * 4, ["node-0"] * 5, 1, 2)]
    plain, noisy = actors.observe(trace, journeys), actors.observe(Trace(sorted(more)), [*journeys, *loops])
    assert (plain.packet == noisy.packet).all()


def test_writes_are_counted_in_frames_and_handshakes_are_none():
    sizes = [3118, 2 * 3096 + 22, 6 * 3096 + 44, 517, 6 * 3096 + 22, 3096]
    trace = Trace(TraceRow(number * 1_000_000_000, "a", "b", size) for number, size in enumerate(sizes))
    assert actors._frames(trace) == {("a", "b"): [0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]}


def test_frames_of_one_write_are_for_each_who_sent_then(files):
    """Two packets in step all the way, their frames in the same writes: neither is told from the other."""
    trace, journeys = files
    twin = [replace(one, msg=one.msg + 10**5) for one in journeys]
    seen = actors.observe(Trace(row._replace(size=2 * 3096 + 22) for row in trace), [*journeys, *twin])
    assert seen.unmatched == 0
    assert seen.packet.mean() > actors.observe(trace, journeys).packet.mean() + 0.9


def test_what_did_not_come_through_is_no_target(run):
    trace, journeys = recorded(run, until=50.0)
    seen = actors.observe(trace, journeys)
    assert seen.unmatched == 0  # those under way are told by their paths
    assert seen.packet.min() > 3


def test_a_trace_that_is_too_short_says_so(run):
    trace, journeys = recorded(run, until=9.0)
    with pytest.raises(LocalError, match="too short"):
        actors.observe(trace, journeys)
    with pytest.raises(LocalError, match="observe for longer"):
        actors.observe(trace, [])


@pytest.mark.timeout(300)
def test_real_actors_hide_what_the_model_says_and_nothing_without_delays():
    seen = small_world.point(seconds=30.0, seed=1)
    assert seen["pool"] == pytest.approx(12, rel=0.1)
    assert seen["optimum"] - seen["packet"][0] == pytest.approx(0.025, abs=0.1)
    assert seen["surprise"][0] == pytest.approx(seen["packet"][0], abs=0.5)
    bare = small_world.point(seconds=10.0, seed=1, off=["delays"])
    assert bare["packet"][0] < 0.05
    assert bare["right"] > 0.99
