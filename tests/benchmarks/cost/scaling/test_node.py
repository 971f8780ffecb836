"""What packets and epochs leave behind: figures from looks, and the altered nodes that must be noticed."""

import pytest

from mixnet.benchmarks.base.figures import Verdict, flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost.scaling.node import LEAKING, NODE, PACKETS, SLOWING, NodeLook, finding
from mixnet.benchmarks.processes.load.altered_nodes import LEAK, LeakingEngine, SlowingEngine
from mixnet.benchmarks.processes.load.altered_nodes import SLOWING as EVERY
from mixnet.benchmarks.report.plots import save
from mixnet.crypto import SphinxSecret
from mixnet.sphinx import Command, Hop, Kind, SphinxEngine

FLOOR = 72e-6
COUNTS = (0, *PACKETS[Size.QUICK])


def looks(counts=COUNTS, *, kept=20.0, cost=2.0, square=0.0):
    return [NodeLook(n, round(54e6 + kept * n), 0.5 + FLOOR * (cost * n + square * n * n), FLOOR) for n in counts]


def found(packets=None, epochs=None):
    nodes = {NODE: looks(), LEAKING: looks(kept=20 + LEAK), SLOWING: looks(square=0.001)} | (packets or {})
    idle = {name: looks(range(8), kept=5000.0, cost=900.0) for name in ("mix-1", "provider-1")} | (epochs or {})
    return finding(Size.QUICK, nodes, idle)


def verdict(one, key):
    return one.verdict(next(figure for figure in one.figures if figure.key == key))


def test_lines_are_found():
    one = found()
    figures = flat([one])
    assert figures["packet_bytes"] == pytest.approx(20, rel=0.01)
    assert figures["packet_ratio"] == pytest.approx(2.0, rel=0.01)
    assert figures["epoch_kb"] == pytest.approx(5.0, rel=0.01)
    assert one.credible
    assert verdict(one, "packet_bytes") is verdict(one, "packet_cpu_bend") is verdict(one, "epoch_kb") is Verdict.AIM


def test_leaks_and_squares_miss_their_targets():
    assert verdict(found({NODE: looks(kept=100), LEAKING: looks(kept=100 + LEAK)}), "packet_bytes") is Verdict.MISSED
    assert verdict(found({NODE: looks(square=0.001)}), "packet_cpu_bend") is Verdict.MISSED
    leaking = looks(range(8), kept=90_000.0, cost=900.0)
    assert verdict(found(epochs={"mix-1": leaking}), "epoch_kb") is Verdict.MISSED
    assert verdict(found(epochs={"provider-1": leaking}), "epoch_provider_kb") is Verdict.MISSED


@pytest.mark.parametrize(
    "packets",
    [{LEAKING: looks()}, {SLOWING: looks()}, {LEAKING: looks(kept=20 + LEAK, square=0.001)}],
)
def test_each_control_can_fail(packets):
    assert not found(packets).credible


def packet(secret):
    return SphinxEngine().create([Hop(secret.public, Command(Kind.DROP))], b"", seed=bytes(32))


def test_the_altered_engines_peel_as_the_real_one_and_do_what_they_say(monkeypatch):
    secret = SphinxSecret.generate()
    made = packet(secret)
    hashed = []
    monkeypatch.setattr("mixnet.benchmarks.processes.load.altered_nodes.keyed_hash", lambda *_: hashed.append(1))
    leaking, slowing = LeakingEngine(), SlowingEngine()
    for engine in (leaking, slowing):
        assert engine.peel_untrusted(secret, made) == SphinxEngine().peel_untrusted(secret, made)
    assert sum(map(len, leaking._kept)) == LEAK
    assert hashed == []
    for _ in range(EVERY):
        slowing.peel_untrusted(secret, made)
    assert len(hashed) == 2


def test_the_lines_are_drawn(tmp_path):
    drawn = save(found().as_map(), tmp_path / "plots")
    assert [path.name for path in drawn] == ["growth-kept.png", "growth-worked.png", "growth-epochs.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
