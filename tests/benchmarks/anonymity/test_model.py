"""The modelled network: calibration, exact events against steps of time, corrupt mixes, loops."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from mixnet.benchmarks.anonymity import batched, model
from mixnet.benchmarks.anonymity.measure import CALIBRATION, SCALES, calibrate
from mixnet.benchmarks.anonymity.network import NetworkModel, flow, with_loops
from mixnet.benchmarks.base.jobs import inline
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import mean
from mixnet.errors import LocalError

BUSY = NetworkModel(users=500, rate=2.0, delay=0.5, layers=3, width=3)


def rng(seed=1):
    return np.random.default_rng(seed)


def test_it_reproduces_an_independent_simulator(capsys):
    found = calibrate(SCALES[Size.QUICK], inline, 1)
    with capsys.disabled():
        for row, ours in found:
            print(f"\n3x{row.width} {row.total:g}/s: {ours.value:.3f} against {row.entropy}±{row.within}", end="")
    assert len(found) == len(CALIBRATION) == 5
    for row, ours in found:
        assert abs(ours.value - row.entropy) <= row.within
        assert row.off(ours) == 0


def test_another_network_would_not_pass():
    row = CALIBRATION[1]
    other = mean([model.exact(replace(row.network, delay=0.55), 40, rng(n)).packet.mean() for n in range(4)])
    assert row.off(other) > 0


def test_steps_of_time_agree_with_exact_events():
    exact, steps = model.exact(BUSY, 12, rng(1)), batched.sample(BUSY, 10, rng(2))
    assert mean(steps.packet).value == pytest.approx(mean(exact.packet).value, abs=0.03)
    assert mean(steps.sender).value == pytest.approx(mean(exact.sender).value, abs=0.03)


def test_they_agree_on_senders_of_whom_only_some_are_watched():
    network = replace(BUSY, users=4000, rate=0.25)
    exact, steps = model.exact(network, 8, rng(1)), batched.sample(network, 8, rng(2))
    assert mean(steps.sender).value == pytest.approx(mean(exact.sender).value, abs=0.06)


@pytest.mark.parametrize("bad", [[3], [0, 1, 2], [3, 4, 6]])
def test_they_agree_where_mixes_are_corrupt(bad, monkeypatch):
    corrupt = np.isin(np.arange(9), bad)
    monkeypatch.setattr(NetworkModel, "pick_corrupt", lambda self, rng: corrupt)
    network = replace(BUSY, users=300, rate=1.0)
    exact, steps = model.exact(network, 16, rng(1)), batched.sample(network, 12, rng(2))
    assert mean(steps.packet).value == pytest.approx(mean(exact.packet).value, abs=0.1)
    assert mean(exact.packet).value < network.optimum - 0.01


def test_as_many_mixes_are_corrupt_as_the_share_says_and_no_provider():
    network = replace(BUSY, providers=5, corrupt=0.3)
    chosen = [network.pick_corrupt(rng(seed)) for seed in range(20)]
    assert {int(one.sum()) for one in chosen} == {3}
    assert not any(one[:5].any() for one in chosen)
    assert np.any(chosen, axis=0)[5:].all()


def test_a_wholly_corrupt_network_hides_nothing():
    network = NetworkModel(users=50, rate=1.0, delay=0.5, corrupt=1.0)
    for samples in (model.exact(network, 5, rng()), batched.sample(network, 5, rng())):
        assert not samples.packet.any()
        assert not samples.sender.any()
        assert samples.exposed.all()


def test_a_million_users_are_affordable():
    network = NetworkModel(users=1_000_000, rate=1.0, delay=0.5, width=8)
    samples = model.sample(network, 3, rng())
    assert samples.packet == pytest.approx(network.optimum, abs=0.02)
    assert (samples.sender < np.log2(1_000_000)).all()
    assert (samples.sender > 19).all()


def test_thin_and_single_layered_networks_lose_bits():
    def gap(network):
        return network.optimum - model.exact(network, 60, rng()).packet.mean()

    base = NetworkModel(users=50, rate=1.0, delay=0.5)
    assert gap(replace(base, width=10)) > 0.3 > 0.1 > gap(base)
    assert gap(replace(base, layers=1)) > 1.3  # one sees which of three mixes a packet entered: log2 3


def test_providers_hold_once_more():
    network = NetworkModel(users=48, rate=1.0, delay=0.5, width=2, providers=2)
    assert network.holds == 4
    run = flow(network, 5.0, rng())
    at_provider = run.visits.only(run.visits.node < 2)
    assert (at_provider.node == run.sender[at_provider.packet] % 2).all()
    assert len(at_provider.packet) == run.packets
    assert np.bincount(run.visits.packet).tolist() == [4] * run.packets


def test_holds_have_the_mean_and_the_total_rate_is_the_users():
    run = flow(NetworkModel(users=30, rate=2.0, delay=0.25), 100.0, rng())
    assert (run.visits.departure - run.visits.arrival).mean() == pytest.approx(0.25, rel=0.03)
    assert run.packets == pytest.approx(6000, rel=0.05)
    assert (run.left > run.entered).all()


def test_loops_hide_more_when_they_are_not_known_and_belief_stays_right():
    told, blind, surprise = (
        np.concatenate(parts)
        for parts in zip(
            *(model.hidden_by_loops(NetworkModel(40, 1.0, 0.5, width=2, loops=2.0), 40, rng(n)) for n in range(3)),
            strict=True,
        )
    )
    assert 0.2 < (blind - told).mean() < 1
    assert mean(surprise - blind).covers(0)
    assert abs((surprise - blind).mean()) < 0.3


def test_a_loop_leaves_a_mix_and_comes_back_to_it():
    run = flow(NetworkModel(40, 1.0, 0.5, layers=3, width=2, loops=1.0), 20.0, rng())
    visits, packets = with_loops(run, 20.0, rng(2))
    extra = visits.only(visits.packet >= run.packets)
    starts, ends = extra.only(np.isneginf(extra.arrival)), extra.only(np.isposinf(extra.departure))
    assert len(starts.packet) == len(ends.packet) == (packets - run.packets) // 2
    assert len(starts.packet) == pytest.approx(6 * 20, rel=0.2)
    assert sorted(starts.node.tolist()) == sorted(ends.node.tolist())
    middle = extra.only(np.isfinite(extra.arrival) & np.isfinite(extra.departure))
    assert len(middle.packet) == 2 * len(starts.packet)  # each passes the two other layers


def test_one_seed_gives_one_answer_and_json_has_it():
    job = {"network": asdict(NetworkModel(users=20, rate=1.0, delay=0.5)), "targets": 10}
    assert model.point(**job, seed=3) == model.point(**job, seed=3)
    assert model.point(**job, seed=3)["entropy"] != model.point(**job, seed=4)["entropy"]


@pytest.mark.parametrize(
    "wrong",
    [{"users": 0}, {"rate": 0.0}, {"delay": -1.0}, {"corrupt": 1.5}, {"layers": 0}, {"loops": 1.0, "providers": 2}],
)
def test_what_is_no_network_is_refused(wrong):
    with pytest.raises(LocalError):
        replace(BUSY, **wrong)
