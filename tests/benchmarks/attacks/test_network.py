"""Attacks that hold back, swallow and flood: on real actors, and that each of them notices a broken guard."""

import math
from unittest.mock import patch

import pytest

from mixnet.benchmarks.attacks import dropping, flooding, isolation
from mixnet.benchmarks.attacks.acting import per_hour
from mixnet.benchmarks.attacks.detecting import client_alarms, node_alarms, node_detector_on
from mixnet.benchmarks.attacks.residence import alone, as_it_went, residence
from mixnet.benchmarks.controls.cover import switched_off
from mixnet.benchmarks.simulation.ground_truth import Journey, link_latency
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.client.traffic.loops import LoopMonitor
from mixnet.errors import LocalError
from mixnode.detector import Detector
from mixnode.loops import Loops

pytestmark = pytest.mark.timeout(300)
LINK = 10_000_000  # ns


def journey(number, sender, sent, delays, path=("p", "m", "n", "o", "q"), kind="payload"):
    """A packet that came through, `sent` in seconds."""
    received = round((sent + sum(delays)) * 1e9) + (len(path) + 1) * LINK
    return Journey(number, kind, sender, "r", list(delays), list(path), round(sent * 1e9), received)


# Who was where.


def test_stays_follow_from_delays():
    table = residence([journey(1, "a", 1.0, [0.5, 1.0, 0.25, 0.25])])
    here = table.at("m")
    assert table.arrival[here] == pytest.approx([1.0 + 0.01 + 0.5 + 0.01])
    assert table.departure[here] == pytest.approx([2.52])
    assert not table.at("nobody").any()
    assert link_latency(table.journeys) == pytest.approx(0.01)
    with pytest.raises(LocalError):
        residence([])


def test_times_that_are_known_better_count():
    held = residence([journey(1, "a", 1.0, [0.5, 1.0, 0.25, 0.25])], {1: {"m": 9.0}})
    assert held.departure[held.at("m")] == pytest.approx([10.0])
    assert held.arrival[held.at("n")] == pytest.approx([10.01])


@pytest.mark.parametrize(
    ("other", "lonely"),
    [
        (journey(2, "b", 1.2, [0.1, 0.5, 0.1, 0.1]), False),
        (journey(2, "b", 9.0, [0.1, 0.1, 0.1, 0.1]), True),
        (journey(2, "b", 1.2, [0.1, 0.1, 0.1, 0.1], ("p", "x", "n", "o", "q")), True),
        (journey(2, "m", 1.9, [0.1, 0.1, 0.1], ("n", "o", "q"), "node-loop"), False),
        (journey(2, "m", 3.0, [0.1, 0.1, 0.1], ("n", "o", "q"), "node-loop"), True),
    ],
    ids=["meets", "later", "another mix", "a loop leaves meanwhile", "a loop leaves later"],
)
def test_alone_is_without_anybody_else_in_the_pool(other, lonely):
    table = residence([journey(1, "a", 1.0, [0.5, 1.0, 0.25, 0.25]), other])
    mine = (table.packet == 0) & table.at("m")
    assert alone(table, mine, table.packet == 1).tolist() == [lonely]
    assert alone(table, mine, table.packet == 0).tolist() == [True]


def test_isolation_from_files():
    several = [journey(number, "ab"[number % 2], number * 50.0, [0.5, 1.0, 0.25, 0.25]) for number in range(10)]
    found = {figure.key: figure.estimate.value for figure in isolation.score(Trace(), several).figures}
    assert found == {"isolation_once": 1.0, "isolation_always": 1.0}
    crowd = [journey(number, f"c{number}", 1.0 + number / 100, [0.5, 1.0, 0.25, 0.25]) for number in range(10)]
    found = {figure.key: figure.estimate.value for figure in isolation.score(Trace(), crowd).figures}
    assert found["isolation_always"] == 0.0


def test_stays_as_they_went_follow_from_who_peeled_when():
    whole = journey(1, "a", 1.0, [0.5, 1.0, 0.25, 0.25])
    lost = journey(2, "b", 1.0, [0.5, 1.0, 0.25, 0.25], ("p", "m"))
    lost.received_ns = None
    loop = journey(3, "m", 1.0, [0.1, 0.1, 0.1], ("n", "o", "p"), kind="node-loop")
    table = as_it_went(
        [whole, lost, loop], {1: [1.01, 1.02, 3.0, 3.01, 3.02, 3.5], 2: [1.01, 1.5], 3: [1.01, 1.11, 1.31, 1.4]}
    )
    held = list(
        zip(table.packet, (table.hosts[node] for node in table.node), table.arrival, table.departure, strict=True)
    )
    assert [stay[:2] for stay in held] == [
        *((0, host) for host in "pmno"), (1, "p"), (1, "m"), (2, "m"), (2, "n"), (2, "o"), (2, "p")
    ]  # fmt: skip
    assert [stay[2:] for stay in held] == [
        pytest.approx(stay)
        for stay in [
            (1.01, 1.01), (1.02, 2.99), (3.0, 3.0), (3.01, 3.01), (1.01, 1.49), (1.5, 3.5),
            (1.0, 1.0), (1.01, 1.1), (1.11, 1.3), (1.31, 1.39),
        ]
    ]  # fmt: skip


# Holding back.


def test_others_warn_when_they_are_held_back_and_loops_hide_the_target():
    found = isolation.hold_back(place="network", seconds=22, seed=2)
    assert found["packets"] > 10
    assert found["always"] < found["packets"]
    assert sorted(name for name in found["alarms"] if name.startswith("client")) == [f"client-{n}" for n in range(2, 7)]
    assert isolation.TARGET not in found["alarms"]
    assert all(5 < seconds < 22 for seconds in found["alarms"].values())


def test_a_detector_that_is_blind_is_reported():
    with (
        patch.object(LoopMonitor, "_judge", lambda _self, *, lost: None),
        patch.object(LoopMonitor, "_judge_lateness", lambda _self, _late: None),
    ):
        assert isolation.hold_back(place="network", seconds=22, seed=2)["alarms"] == {}


def test_brief_attacks_isolate_and_clients_warn_of_late_loops():
    found = isolation.hold_back(place="brief", seconds=40, seed=2)
    assert found["packets"] > 3
    assert found["always"] > 0
    assert any(name.startswith("client") for name in found["alarms"])
    assert isolation.TARGET not in found["alarms"]


def test_a_brief_attack_is_missed_by_clients_that_are_blind_to_lateness():
    with (
        patch.object(LoopMonitor, "_judge_lateness", lambda _self, _late: None),
        patch.object(Loops, "warnings", []),
    ):
        assert isolation.hold_back(place="brief", seconds=20, seed=2)["alarms"] == {}


def test_holds_that_are_shorter_than_what_a_loop_may_take_are_seen_by_nobody():
    found = isolation.hold_back(place="half", seconds=20, seed=2)
    assert found["packets"] > 0
    assert found["alarms"] == {}


# Swallowing.


def test_the_real_actors_notice_that_packets_are_swallowed():
    found = dropping.swallow(loss=1.0, seconds=30, seed=2)["alarms"]
    assert sum(name.startswith("client") for name in found) == dropping.CLIENTS
    assert not dropping.swallow(loss=0.0, seconds=12, seed=2)["alarms"]


@pytest.mark.parametrize("kind", [node_alarms, client_alarms])
def test_the_more_is_swallowed_the_sooner_they_warn(kind):
    calm, some, everything = (kind(loss=loss, seconds=1200, runs=5, seed=1) for loss in (0.0, 0.2, 1.0))
    assert calm == {"first": [None] * 5, "alarms": 0}
    assert None not in some["first"] + everything["first"]
    assert max(everything["first"]) < min(some["first"]) + 30
    assert max(everything["first"]) < 80
    assert kind(loss=0.2, seconds=1200, runs=5, seed=1) == some


def test_a_nodes_detector_that_never_alarms_is_reported():
    with patch.object(Detector, "add", lambda _self, _harm: None):
        assert node_alarms(loss=1.0, seconds=600, runs=1, seed=1)["first"] == [None]


def test_a_clients_detector_that_expires_nothing_is_reported():
    with patch.object(LoopMonitor, "on_dummy", lambda _self, _now: None):
        assert client_alarms(loss=1.0, seconds=600, runs=1, seed=1)["first"] == [None]


def test_six_lost_loops_in_a_row_are_too_many_and_five_are_not():
    assert node_detector_on([True] * 6) == 6
    assert node_detector_on([True] * 5 + [False] * 400 + [True] * 5) is None


def test_dropping_from_files():
    came = [journey(number, "m", number * 2.0, [0.1, 0.1], ("n", "o"), "node-loop") for number in range(60)]
    found = {figure.key: figure.estimate.value for figure in dropping.score(Trace(), came).figures}
    assert found == {"dropping_lost_node_loop": 0.0, "dropping_nodes_warned": 0.0}
    for number, one in enumerate(came):
        one.received_ns = None if number % 2 else one.received_ns
    found = {figure.key: figure.estimate.value for figure in dropping.score(Trace(), came).figures}
    assert found["dropping_lost_node_loop"] == pytest.approx(0.5, abs=0.02)
    assert found["dropping_nodes_warned"] == 1.0


def test_rates_of_rare_events_have_an_interval():
    none = per_hour(0, 36_000)
    assert none.value == 0.0
    assert none.high == pytest.approx(0.369, abs=0.001)
    assert per_hour(20, 36_000).covers(2.0)
    assert dropping._median([1.0, math.inf, 3.0]).value == 3.0


# Flooding.


def test_a_flood_fills_the_pool_and_costs_nobody_anonymity():
    flooded, calm = (flooding.flood(identities=number, seconds=10, seed=2) for number in (1, 0))
    assert flooded["share"][0] > 0.7
    assert calm["share"][0] == 0.0
    assert flooded["entropy"] == calm["entropy"]
    assert flooded["lost"] == calm["lost"] == 0
    assert flooded["his"] <= 200 + 10 * 1.5 * isolation.PARAMETERS.send_rate + 1
    unlimited = flooding.flood(identities=1, seconds=10, seed=2, off=["rates"])
    assert unlimited["his"] > 1.5 * flooded["his"]


def test_a_flood_costs_anonymity_where_mixes_send_by_count():
    naive, calm = (flooding.flood(**flooding.CONTROL | {"identities": number}, seed=2) for number in (4, 0))
    difference = flooding._difference(calm, naive)
    assert difference.value > 1
    assert [control.passed for control in flooding._controls(calm, naive, calm)] == [True, True]
    assert not flooding._controls(calm, calm, calm)[0].passed


def test_a_floods_entropy_is_of_what_nodes_did_and_not_of_what_senders_asked_for():
    """Break: nodes that hold nothing."""
    with switched_off(["delays"]):
        assert flooding.flood(identities=0, seconds=10, seed=2)["entropy"][0] < 1


def test_flooding_from_files_finds_the_busiest():
    several = [journey(number, "flood", number / 10, [0.5, 1.0, 0.25, 0.25]) for number in range(100)]
    several += [journey(100 + number, "a", number / 2, [0.5, 1.0, 0.25, 0.25]) for number in range(20)]
    found = flooding.score(Trace(), several)
    assert "flood" in found.setting
    assert found.figures[0].estimate.value > 0.7
