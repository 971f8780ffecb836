"""Belief carried through pools, against the enumeration of everything that may have happened."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.benchmarks.anonymity import pool
from mixnet.benchmarks.anonymity.network import NetworkModel, flow
from mixnet.benchmarks.anonymity.pool import LoopModel, Visits, beginning, blurred, by_owner, entropies, propagate

# For each packet of a small network: when it comes, how long it stays at each of the nodes it passes.
PACKETS = st.lists(
    st.tuples(st.integers(0, 20), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12)), min_size=1, max_size=3)),
    min_size=1,
    max_size=5,
)


def stays(packets):
    """Visits with all times different."""
    rows, step = [], 0
    for number, (when, way) in enumerate(packets):
        now = when + number / 100
        for node, hold in way:
            step += 1
            left = now + hold + step / 1e5
            rows.append((number, node, now, left))
            now = left
    packet, node, arrival, departure = zip(*rows, strict=True)
    return Visits(np.array(packet), np.array(node), np.array(arrival), np.array(departure))


def enumerated(visits, target):
    """The chance that each frame that left for good is the target, by going through every choice of every pool."""
    events = sorted(
        [(when, 0, packet, node) for packet, node, when, _ in zip(*visits, strict=True)]
        + [(when, -1, packet, node) for packet, node, _, when in zip(*visits, strict=True)]
    )
    last = {
        packet: max(d for p, d in zip(visits.packet, visits.departure, strict=True) if p == packet)
        for packet in set(visits.packet.tolist())
    }
    found = {}

    def go(index, pools, frames, chance):
        """`pools`: the real packets at each node; `frames`: which real packet a frame (by number) carries."""
        if index == len(events):
            for frame, real in frames.items():
                if real == target:
                    found[frame] = found.get(frame, Fraction(0)) + chance
            return
        _, kind, frame, node = events[index]
        if kind == 0:
            here = (*pools.get(node, ()), frames[frame])
            go(index + 1, {**pools, node: here}, frames, chance)
            return
        here = pools[node]
        for chosen in range(len(here)):
            rest = here[:chosen] + here[chosen + 1 :]
            go(index + 1, {**pools, node: rest}, {**frames, frame: here[chosen]}, chance / len(here))

    go(0, {}, {packet: packet for packet in last}, Fraction(1))
    return found


@given(PACKETS, st.data())
@settings(deadline=None, max_examples=60)
def test_it_is_what_enumeration_finds(packets, data):
    visits = stays(packets)
    target = data.draw(st.integers(0, len(packets) - 1))
    belief = propagate(visits, beginning(len(packets), [target]), 3)[:, 0]
    found = enumerated(visits, target)
    assert belief == pytest.approx([float(found.get(packet, 0)) for packet in range(len(packets))])


@pytest.mark.parametrize(("n", "k", "later"), [(5, 2, 3), (2, 1, 0), (9, 4, 1), (3, 3, 4)])
def test_theorem_1_of_loopix(n, k, later):
    """n came, n - k left, then `later` came: who is the next to leave?"""
    total = n + later
    arrival = np.array([*range(n), *(100 + np.arange(later))], dtype=float)
    departure = np.array([*(50 + np.arange(n - k)), 200, *(300 + np.arange(total - (n - k) - 1))], dtype=float)
    order = np.argsort(arrival)  # who really leaves when doesn't matter
    visits = Visits(order, np.zeros(total, dtype=int), arrival, departure)
    belief = propagate(visits, beginning(total, range(total)), 1)
    leaves = int(order[n - k])
    assert belief[leaves, :n] == pytest.approx(k / (n * (later + k)))
    assert belief[leaves, n:] == pytest.approx(1 / (later + k))


def test_chance_is_neither_made_nor_lost():
    run = flow(NetworkModel(20, 1.0, 0.5, layers=3, width=2, providers=2), 20.0, np.random.default_rng(1))
    belief = propagate(run.visits, beginning(run.packets, range(0, run.packets, 7)), run.network.nodes)
    assert belief.min() >= 0
    assert belief.sum(axis=0) == pytest.approx(1.0)


def test_only_the_order_of_events_counts():
    run = flow(NetworkModel(20, 1.0, 0.5), 10.0, np.random.default_rng(2))
    bent = run.visits._replace(arrival=run.visits.arrival**3, departure=run.visits.departure**3)
    start = beginning(run.packets, [3, 50])
    assert (propagate(bent, start, 9) == propagate(run.visits, start, 9)).all()


def test_a_node_that_is_left_out_hides_nothing():
    run = flow(NetworkModel(20, 1.0, 0.5, layers=3, width=1), 10.0, np.random.default_rng(3))
    start = beginning(run.packets, [60])
    one = propagate(run.visits.only(run.visits.node == 0), start, 3)
    everything = propagate(run.visits, start, 3)
    assert 0 < entropies(one)[0] < entropies(everything)[0]
    nothing = propagate(run.visits.only(run.visits.node > 5), start, 3)
    assert entropies(nothing)[0] == 0
    assert nothing[60, 0] == 1


def test_what_is_still_inside_came_out_nowhere():
    visits = Visits(np.array([0, 1]), np.zeros(2, dtype=int), np.array([0.0, 1.0]), np.array([2.0, np.inf]))
    belief = propagate(visits, beginning(2, [0]), 1)
    assert belief[:, 0].tolist() == [0.5, 0.0]


def test_what_went_on_to_another_node_and_is_still_there_came_out_nowhere():
    """Two packets share a pool; one of them stays in the next."""
    visits = Visits(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([0.0, 0.5, 2.0]), np.array([3.0, 2.0, np.inf]))
    belief = propagate(visits, beginning(2, [0]), 2)
    assert belief[:, 0].tolist() == [0.5, 0.0]


def test_packets_of_one_instant_are_not_told_apart():
    """All stay for no time at all, at the same time: each may be each."""
    visits = Visits(np.arange(4), np.zeros(4, dtype=int), np.ones(4), np.ones(4))
    assert entropies(propagate(visits, beginning(4, [2]), 1)) == pytest.approx([2.0])


def test_entropies_are_by_column_and_owners_are_summed():
    belief = np.array([[0.5, 1.0], [0.25, 0.0], [0.25, 0.0]])
    assert entropies(belief) == pytest.approx([1.5, 0.0])
    assert by_owner(belief, np.array([1, 0, 0]), 3).tolist() == [[0.5, 0.0], [0.5, 1.0], [0.0, 0.0]]


def test_without_loops_nothing_is_blurred():
    run = flow(NetworkModel(10, 1.0, 0.5, layers=2, width=2), 12.0, np.random.default_rng(4))
    start = beginning(run.packets, [20, 30])
    sharp = propagate(run.visits, start, 4)
    same = blurred(run.visits, start, 4, LoopModel(rate=1e-12, arrivals=5.0, mu=2.0))
    assert same == pytest.approx(sharp, abs=1e-6)


@pytest.mark.parametrize(("inside", "rate"), [(1, 3.0), (6, 2.0), (10, 40.0)])
def test_theorem_2_of_loopix(inside, rate):
    """`inside` packets came one after the other in no time: the next frame is each of them with µ/(nµ + λM)."""
    scale = 1e9  # rates are so high that hardly a loop returned meanwhile
    loops = LoopModel(rate=rate * scale, arrivals=1000 * rate * scale, mu=20 * rate * scale)
    arrival = np.arange(inside) * 1e-15 / rate
    departure = np.where(np.arange(inside) == 0, 2e-14 / rate, np.inf)
    visits = Visits(np.arange(inside), np.zeros(inside, dtype=int), arrival, departure)
    belief = blurred(visits, beginning(inside, range(inside)), 1, loops)
    assert belief[0] == pytest.approx(20 / (20 * inside + 1), rel=0.01)


LAYERED = st.lists(
    st.tuples(st.integers(0, 40), st.lists(st.integers(1, 12), min_size=3, max_size=3), st.integers(0, 7)),
    min_size=1,
    max_size=40,
)


@given(LAYERED)
@settings(deadline=None, max_examples=100)
def test_whole_nodes_at_once_are_what_one_event_after_the_other_gives(packets):
    ways = [
        (when, [(2 * layer + (bits >> layer) % 2, hold) for layer, hold in enumerate(holds)])
        for when, holds, bits in packets
    ]
    visits = stays(ways)
    start = beginning(len(packets), range(len(packets)))
    order, leaving = pool._in_order(visits)
    slow = start.copy()
    pool._one_by_one(leaving, visits.packet[order], visits.node[order], slow, 6)
    assert pool._downstream(visits, 6) is not None
    assert propagate(visits, start, 6) == pytest.approx(slow, abs=1e-15, rel=1e-9)


def test_a_pool_that_never_empties_is_cut_and_loses_nothing(monkeypatch):
    run = flow(NetworkModel(30, 4.0, 0.5, layers=2, width=2), 8.0, np.random.default_rng(4))
    start = beginning(run.packets, range(0, run.packets, 31))
    whole = propagate(run.visits, start, 4)
    monkeypatch.setattr(pool, "_SMALLEST", -0.5)
    assert propagate(run.visits, start, 4) == pytest.approx(whole, abs=1e-15, rel=1e-9)
    assert whole.sum(axis=0) == pytest.approx(1.0)
