"""`mixnet plan`: wishes are kept, nothing cheaper keeps them, and a refusal's advice is good."""

import io
import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.benchmarks.cli.anonymity import bytes_a_second
from mixnet.benchmarks.cli.app import app
from mixnet.benchmarks.plan import plan as planning
from mixnet.benchmarks.plan import tables
from mixnet.benchmarks.plan.plan import FRAME, Meant, ParameterPlan, PlanGoal, Refusal, find
from mixnet.errors import LocalError
from mixnet.pki.parameters import parameters_from

WISH = PlanGoal(users=1000, latency=10.0, entropy=12.0, bandwidth=10_000.0)


@pytest.fixture(scope="module")
def plan():
    answer = find(WISH)
    assert isinstance(answer, ParameterPlan)
    return answer


def latencies(plan, count=200_000):
    """Texts' latencies by a simulation of its own."""
    rng, values = np.random.default_rng(99), plan.parameters
    holds = rng.gamma(values.layers + 1, values.mean_delay, count)
    slots = rng.exponential(1 / values.payload_rate, count) + rng.exponential(1 / values.downlink_rate, count)
    return holds + slots + (values.layers + 3) * values.link_latency


def test_the_wish_is_kept(plan):
    assert np.quantile(latencies(plan), 0.95) == pytest.approx(WISH.latency, rel=0.03)
    assert plan.verified.high >= WISH.entropy
    assert plan.verified.value == pytest.approx(WISH.entropy, abs=0.1)
    assert plan.bytes_per_second <= WISH.bandwidth
    values = plan.parameters
    assert (values.send_rate + values.downlink_rate) * FRAME == pytest.approx(plan.bytes_per_second, rel=0.01)
    assert values.downlink_rate > values.loop_rate + values.payload_rate


def test_nothing_cheaper_keeps_it(plan):
    rate = 0.97 * plan.send_rate
    delay = planning._longest_delay(WISH, rate)
    assert planning.expected(planning._with_nodes(WISH, rate, delay)) < WISH.entropy


def test_the_mean_is_another_latency(plan):
    other = find(replace(WISH, meant=Meant.MEAN))
    assert other.text_latency[0] == pytest.approx(10.0, rel=0.01)
    assert latencies(other).mean() == pytest.approx(10.0, rel=0.01)
    assert other.text_latency[1] > 12
    assert other.send_rate < plan.send_rate


def test_nodes_suffice():
    plan = planning._with_nodes(replace(WISH, users=200_000, packet_cpu=1e-3), 2.0, 5.0)
    assert plan.mix_rate * 1e-3 <= planning.BUSY
    assert (plan.provider_rate + plan.provider_frames) * 1e-3 <= planning.BUSY + 0.01
    assert plan.network.pool <= planning.HELD
    slow = planning._with_nodes(replace(WISH, users=200_000, packet_cpu=1e-9), 2.0, 5.0)
    assert slow.width == -(-2_000_000 // planning.HELD)


def test_a_thin_network_pays_for_its_gap():
    """So few packets that mixes are nearly empty: the rate must be above what the optimum asks for."""
    wish = PlanGoal(users=20, latency=60.0, entropy=5.0, bandwidth=50_000.0)
    plan = find(wish)
    assert plan.verified.high >= 5.0
    assert plan.network.optimum >= 5.0


@pytest.mark.parametrize(
    "wish",
    [
        PlanGoal(users=10, latency=60.0, entropy=6.0, bandwidth=1000.0),
    ],
)
def test_the_advice_of_a_refusal_is_good_and_no_less_would_do(wish):
    refusal = find(wish)
    assert isinstance(refusal, Refusal)
    changes = {
        "latency": (refusal.latency, 0.97),
        "bandwidth": (refusal.bandwidth, 0.97),
        "users": (refusal.users, 0.85),
        "entropy": (refusal.entropy, 1.02),
    }
    assert sum(value is not None for value, _ in changes.values()) >= 2
    for name, (value, less) in changes.items():
        if value is not None:
            number = int if name == "users" else float
            assert isinstance(
                find(replace(wish, **{name: number(value * (0.999 if name == "entropy" else 1))})), ParameterPlan
            ), name
            assert isinstance(find(replace(wish, **{name: number(value * less)})), Refusal), name


def test_slots_that_are_too_rare_are_named():
    refusal = find(PlanGoal(users=100, latency=1.0, entropy=5.0, bandwidth=2000.0))
    assert "even if no node holds them" in refusal.why
    assert refusal.entropy is None


@given(
    st.integers(2, 100_000),
    st.floats(0.5, 600),
    st.floats(0, 20),
    st.floats(500, 1e6),
    st.integers(1, 3),
    st.sampled_from(Meant),
)
@settings(deadline=None, max_examples=40)
def test_every_plan_is_within_its_wish_and_an_authority_takes_it(users, latency, entropy, bandwidth, layers, meant):
    wish = PlanGoal(users, latency, entropy, bandwidth, meant, layers)
    plan = planning._cheapest(wish, entropy)
    if plan is None:
        return
    assert plan.bytes_per_second <= bandwidth * 1.001
    assert plan.text_latency[0 if meant is Meant.MEAN else 1] <= latency * 1.001
    assert plan.network.optimum >= entropy - 0.01
    assert plan.parameters.layers == layers


@pytest.mark.parametrize(
    "wrong",
    [{"users": 1}, {"latency": 0.0}, {"bandwidth": -1.0}, {"entropy": -1.0}, {"layers": 4}, {"packet_cpu": 0.0}],
)
def test_wishes_that_nobody_can_mean_are_refused(wrong):
    with pytest.raises(LocalError):
        replace(WISH, **wrong)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10kB/s", 10_000),
        ("10 kB/s", 10_000),
        ("80kbit/s", 10_000),
        ("80 kbps", 10_000),
        ("1.5MB", 1.5e6),
        ("700", 700),
    ],
)
def test_bandwidths_as_people_write_them(text, value):
    assert bytes_a_second(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "fast", "-1", "0", "10 KiB/s", "10kB/h", "1e3"])
def test_other_bandwidths_are_refused(text):
    with pytest.raises(LocalError, match="no bandwidth"):
        bytes_a_second(text)


ARGUMENTS = [
    "plan",
    "--clients",
    "1000",
    "--latency",
    "10",
    "--entropy",
    "12",
    "--bandwidth",
    "10kB/s",
    "--packet-cpu",
    "200",
]


def test_people_get_parameters_that_go_into_a_configuration(capsys, plan):
    assert app(ARGUMENTS, result_action="return_value") == 0
    shown = capsys.readouterr().out
    table = tomllib.load(io.BytesIO(shown[shown.index("[parameters]") :].encode()))["parameters"]
    assert parameters_from(table) == plan.parameters
    for word in ("kB/s", "GB in 30 days", "share of a core", "1 MB takes", "hides its sender", "H* - H"):
        assert word in shown
    assert max(map(len, shown.splitlines())) <= 80 + 30  # piped lines are never cut


def test_programs_get_one_object(capsys):
    assert app([*ARGUMENTS, "--json"], result_action="return_value") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["possible"]
    assert answer["packet_cpu_us"] == pytest.approx(200)
    assert answer["mix_cpu"] == pytest.approx(answer["mix_packets_per_s"] * 200e-6)
    assert parameters_from(answer["parameters"]).layers == 3


def test_a_refusal_says_what_would_do(capsys):
    arguments = [
        "plan",
        "--clients",
        "10",
        "--latency",
        "60",
        "--entropy",
        "6",
        "--bandwidth",
        "1kB/s",
        "--packet-cpu",
        "200",
    ]
    assert app([*arguments, "--layers", "3"], result_action="return_value") == 1
    shown = capsys.readouterr().out
    assert shown.startswith("This can't be had")
    users = int(shown.split(" users")[0].split()[-1])
    assert 10 < users < 20
    assert app([*arguments, "--json"], result_action="return_value") == 1
    assert json.loads(capsys.readouterr().out)["instead"]["users"] == users


def test_the_floor_is_a_time():
    assert 1e-6 < tables.floor() < 0.1
