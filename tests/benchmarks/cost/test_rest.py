"""The daemon at rest and starts: figures from what was seen, and controls that can fail."""

from dataclasses import replace

import pytest

from mixnet.benchmarks.base.figures import Verdict, flat
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.cost import idle, start
from mixnet.pki.parameters import Parameters

REST = idle.Rest((0.041, 0.04, 0.042, 0.039), 70.0, 94.0, 72_000_000, 0.05, 100e-6, 72e-6)
COST = {"create": 400e-6, "carry": 100e-6}


def verdict(one, key):
    return one.verdict(next(figure for figure in one.figures if figure.key == key))


def at_rest(rest=REST, busy=None):
    return idle.finding(Size.QUICK, rest, busy or replace(REST, shares=(0.09, 0.1, 0.11)), COST)


def test_an_idle_daemon_is_explained_by_what_it_must_do():
    one = at_rest()
    figures = flat([one])
    assert figures["idle_cpu"] == pytest.approx(4.05)
    assert figures["idle_mults"] == 32 * 6 + 2 * 9
    assert figures["idle_floor_cpu"] == pytest.approx(100 * 210 * 36e-6)
    assert figures["idle_warm_cpu"] == pytest.approx(100 * (34 * 400e-6 + 47 * 100e-6))
    assert figures["idle_waking_cpu"] == pytest.approx(0.7)
    assert figures["idle_ratio"] == pytest.approx(0.0405 / 0.0183, rel=0.001)
    assert one.credible
    assert verdict(one, "idle_cpu") is Verdict.MISSED
    assert verdict(at_rest(replace(REST, shares=(0.019,) * 4)), "idle_cpu") is Verdict.AIM
    assert verdict(at_rest(replace(REST, memory=95_000_000)), "idle_memory_mb") is Verdict.MISSED


@pytest.mark.parametrize(("rest", "busy"), [(REST, REST), (replace(REST, shares=(0.04, 0.04, 0.09, 0.09)), None)])
def test_each_control_of_the_daemon_can_fail(rest, busy):
    assert not at_rest(rest, busy).credible


def test_the_same_work_without_pauses_is_really_done():
    cost = idle.work(seconds=0.05)
    assert 0 < cost["carry"] < 0.05
    assert 50e-6 < cost["create"] < 0.05
    assert idle._warm(Parameters(), cost) > 0


BARE = [0.03, 0.031, 0.029, 0.03, 0.03]


def times(**more):
    added = {"bare": 0.0, "help": 0.07, "command": 0.35, "late": 0.1, "same": 0.001} | more
    return {name: [one + extra for one in BARE] for name, extra in added.items()}


def starts(ready=(0.8, 0.9, 1.2), **more):
    nodes = {name: [(one, 0.6) for one in ready] for name in start.NODES}
    return start.finding(Size.QUICK, times(**more), times(), nodes)


def test_starts_are_told_beside_bare_python():
    one = starts()
    figures = flat([one])
    assert figures["help_added_ms"] == pytest.approx(70)
    assert (figures["mix_ready_s"], figures["mix_ready_least_s"]) == (0.9, 0.8)
    assert figures["provider_ready_cpu_s"] == 0.6
    assert one.credible
    assert verdict(one, "help_added_ms") is verdict(one, "mix_ready_s") is Verdict.AIM
    assert verdict(starts(help=0.2), "help_added_ms") is Verdict.MISSED
    assert verdict(starts(ready=(1.1, 1.2)), "provider_ready_s") is Verdict.MISSED


@pytest.mark.parametrize("more", [{"late": 0.0}, {"same": 0.2}])
def test_each_control_of_the_starts_can_fail(more):
    assert not starts(**more).credible


def test_commands_are_started_and_timed():
    waited, worked = start.commands(1)
    assert waited["late"][0] >= start.LATER
    assert all(one > 0 for took in (*waited.values(), *worked.values()) for one in took)
