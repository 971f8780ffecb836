"""ε: the paper's experiment, its labels, and what makes it larger and smaller."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from mixnet.benchmarks.anonymity import epsilon
from mixnet.benchmarks.anonymity.epsilon import PAPER, Writing, looks
from mixnet.benchmarks.anonymity.network import flow


def found(network, writing=Writing.RANDOM, seed=1):
    return epsilon.estimate(looks(network, writing, np.random.default_rng(seed)), np.random.default_rng(0))


def test_the_targets_are_met():
    both = np.concatenate([looks(PAPER, Writing.RANDOM, np.random.default_rng(seed)) for seed in (1, 2)])
    result = epsilon.estimate(both, np.random.default_rng(0))
    assert 0.4 < result.mean.value <= 0.60
    assert 1.0 < result.p95.value <= 1.7
    assert result.mean.low < result.mean.value < result.mean.high


def test_regular_writers_tell_less_and_shorter_delays_tell_more():
    usual = found(PAPER).mean
    assert found(PAPER, Writing.REGULAR).mean.high < usual.low
    assert found(replace(PAPER, layers=1)).mean.low > usual.high
    assert found(replace(PAPER, delay=0.05)).mean.value > 3


def test_nothing_is_told_where_all_mixes_look_at_equal_crowds():
    """Two senders with the same label weights in every pool: here, by labels that are copies."""
    run = flow(replace(PAPER, users=2), 60.0, np.random.default_rng(1))
    labels = np.repeat(epsilon._labels(run, Writing.RANDOM, np.random.default_rng(2)).sum(axis=1)[:, None], 2, axis=1)
    belief = epsilon.propagate(run.visits, labels, run.network.nodes)
    assert (belief[:, 0] == belief[:, 1]).all()


@pytest.mark.parametrize("writing", Writing)
def test_a_message_is_labelled_once_and_after_it_was_written(writing):
    run = flow(PAPER, epsilon.LASTS, np.random.default_rng(5))
    labels = epsilon._labels(run, writing, np.random.default_rng(6))
    assert set(np.unique(labels)) == {0.0, 1.0}
    packet, user = np.nonzero(labels)
    assert (run.sender[packet] == user).all()
    assert len(packet) / PAPER.users == pytest.approx(epsilon.LASTS * epsilon.PAYLOAD, rel=0.05)
    if writing is Writing.REGULAR:
        times = run.entered[labels[:, 0] == 1]
        assert (times >= np.arange(len(times))).all()


def test_a_job_gives_arrays_and_follows_from_its_seed():
    job = {"network": asdict(replace(PAPER, users=10)), "writing": "random"}
    one, same = epsilon.point(**job, seed=1)["epsilon"], epsilon.point(**job, seed=1)["epsilon"]
    assert one.shape[0] == 5
    assert np.array_equal(one, same, equal_nan=True)
