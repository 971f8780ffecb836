"""The small model of the pools agrees with the one that measures, and does little work."""

import math
import random

import numpy as np
import pytest

from mixnet.benchmarks.anonymity import model
from mixnet.benchmarks.anonymity.network import NetworkModel
from mixnet.benchmarks.anonymity.optimum import optimum as measured_optimum
from mixnet.deploy.observe import entropy
from mixnet.deploy.observe.entropy import Pools, estimate, optimum

LAYERS = (("mix-1", "mix-2"), ("mix-3", "mix-4"), ("mix-5", "mix-6"))


@pytest.mark.parametrize("rate", [0.5, 34.0, 1000.0])
@pytest.mark.parametrize("holds", [1, 2, 4])
def test_the_optimum_is_that_of_the_measurements(rate, holds):
    assert optimum(rate, holds, 0.05) == pytest.approx(measured_optimum(rate, holds, 0.05))


def test_nothing_is_hidden_by_nothing():
    assert optimum(0, 4, 0.05) == optimum(10, 4, 0) == 0
    assert estimate(Pools({}, LAYERS, 0.05), random.Random(1)) is None


def test_it_agrees_with_the_model_that_measures(monkeypatch):
    network = NetworkModel(users=4, rate=17.0, providers=2, layers=3, width=2, delay=0.05)
    exact = model.exact(network, 200, np.random.default_rng(1)).packet
    monkeypatch.setattr(entropy, "WORK", 60_000)
    pools = Pools({"provider-1": 34.0, "provider-2": 34.0}, LAYERS, 0.05)
    found, targets = estimate(pools, random.Random(1))
    error = math.hypot(exact.std() / math.sqrt(len(exact)), exact.std() / math.sqrt(targets))
    assert abs(found - exact.mean()) < 4 * error
    assert error < 0.1
    assert found < optimum(68.0, 4, 0.05)


def test_without_delay_between_few_packets_it_is_near_nothing():
    found, _ = estimate(Pools({"provider-1": 1.0}, LAYERS, 0.001), random.Random(1))
    assert found < 0.1


@pytest.mark.parametrize("rate", [1.0, 100.0, 3000.0, 1e6])
def test_the_work_is_bounded(rate, monkeypatch):
    pushed = []
    push = entropy.heappush
    monkeypatch.setattr(entropy, "heappush", lambda heap, event: (pushed.append(1), push(heap, event)))
    found, _ = estimate(Pools({"provider-1": rate}, LAYERS, 0.05), random.Random(1))
    assert found > 0
    assert len(pushed) < 2 * entropy.WORK
