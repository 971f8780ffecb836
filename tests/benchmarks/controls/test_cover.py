"""Each switch does what it says, in the actors of the world, and leaves nothing behind."""

from functools import cache

import pytest
import trio

import mixnode.clients
from mixnet.benchmarks.controls import cover
from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.client.traffic.schedule import Emitter
from mixnet.pki.parameters import Parameters
from mixnode.clients import ClientSession
from mixnode.delays import Delays
from tests.benchmarks.simulation import traces

BRISK = Parameters(
    mean_delay=0.5,
    payload_rate=2.0,
    loop_rate=0.5,
    drop_rate=0.5,
    downlink_rate=3.0,
    node_loop_rate=0.02,
    link_latency=0.01,
)
LENGTH = 40.0
PATCHED = [Emitter, Delays, ClientSession, mixnode.clients]


async def chat(world):
    await world.befriend(0, 1)
    await trio.sleep_until(25)
    await world.clients[0].send("client-2", "hello")
    await trio.sleep_until(LENGTH)


async def nothing(_world):
    await trio.sleep_until(LENGTH)


def world(program=chat):
    return run_world(program, WorldConfig(seed=5, clients=2, parameters=BRISK, codec="plain"))


@cache
def ordinary():
    return world()


def frames(world, src, dst, after=5.0):
    return [when / 1e9 for when, size in traces.link(world.trace, src, dst) if when > after * 1e9 and size == 3118]


def test_without_cover_only_messages_leave():
    with cover.cover_off():
        idle, busy = world(nothing), world()
    assert frames(idle, "client-1", "provider-1") == []
    assert {one.kind for one in busy.truth if one.sender == "client-1"} <= {"payload", "ack"}
    assert frames(busy, "client-1", "provider-1", 25) != []


def test_without_delays_a_packet_takes_its_links_alone():
    with cover.delays_off():
        drops = [one for one in world(nothing).truth if one.kind == "drop" and one.received_ns]
    drops = [one for one in drops if one.sent_ns > 10e9]  # nodes have dialled each other
    assert len(drops) > 50
    assert all(one.received_ns - one.sent_ns <= 5 * 10_000_001 for one in drops)
    assert all(sum(one.delays) > 0 for one in drops)


def test_an_unshaped_down_link_carries_mail_at_once_and_nothing_else():
    with cover.downlink_unshaped():
        seen = world()
    mail = [one for one in seen.truth if one.receiver == "client-2" and one.received_ns and one.kind != "drop"]
    due = sorted(one.sent_ns / 1e9 + sum(one.delays) + len(one.path) * 0.01 for one in mail)
    down = frames(seen, "provider-2", "client-2", 0.5)
    assert len(due) > 10
    for when in due:
        assert min(abs(when - frame) for frame in down) < 0.001
    assert len(down) - len(due) < 10  # answers of the directory


def test_work_at_the_slot_moves_messages_and_nothing_else():
    honest = {round(when, 6) for when in frames(ordinary(), "client-1", "provider-1")}
    with cover.work_at_slot(0.001):
        leaky = {round(when, 6) for when in frames(world(), "client-1", "provider-1")}
    assert leaky - honest
    assert {round(when - 0.001, 6) for when in leaky - honest} == honest - leaky


@pytest.mark.parametrize("name", cover.SWITCHES)
def test_a_switch_is_put_back(name):
    before = {owner: dict(vars(owner)) for owner in PATCHED}
    usual = ordinary().trace  # made before: it is kept, and here it would be kept as it is without the defence
    with cover.switched_off([name]):
        assert {owner: dict(vars(owner)) for owner in PATCHED} != before
        assert world().trace != usual
    assert {owner: dict(vars(owner)) for owner in PATCHED} == before
