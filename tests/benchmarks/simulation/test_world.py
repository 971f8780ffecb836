"""The simulated world: one seed, one trace; true truth; and a network that loses nothing when parts of it crash."""

import io
import json
import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import trio

from mixnet.benchmarks.simulation.world import WorldConfig, run_world
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.pki.parameters import Parameters

pytestmark = pytest.mark.timeout(600)
QUICK = Parameters(
    mean_delay=0.05,
    payload_rate=3.0,
    loop_rate=0.2,
    drop_rate=0.2,
    downlink_rate=4.0,
    node_loop_rate=0.05,
    link_latency=0.01,
    retransmit_timeout=2.0,
)


@cache
def talked(seed):
    """A world of small talk, which nobody changes."""
    return run_world(small_talk, WorldConfig(seed=seed, codec="plain"))


async def small_talk(world):
    """Two clients become contacts and write to each other for a virtual minute."""
    await world.befriend(0, 1)
    await world.clients[0].send("client-2", "hello")
    await world.clients[1].send("client-1", "hi " * 1000)
    await trio.sleep_until(70)
    assert [message.text for message in await world.inbox(1)] == ["hello"]
    assert [message.text for message in await world.inbox(0)] == ["hi " * 1000]


def test_one_seed_gives_one_trace_with_either_codec():
    sphinx, again = (run_world(small_talk, WorldConfig(seed=4, codec="sphinx")) for _ in range(2))
    plain = talked(4)
    assert len(sphinx.trace) > 800
    assert sphinx.trace == again.trace
    assert sphinx.trace == plain.trace
    assert _dump(sphinx.truth) == _dump(again.truth) == _dump(plain.truth)


def test_another_seed_gives_another():
    """Control."""
    assert talked(4).trace != talked(6).trace


def test_the_trace_is_the_same_in_another_process():
    """Sets of keys have another order in each process: nothing that is seen may follow from it."""
    program = (
        "from tests.benchmarks.simulation.test_world import *\n"
        "print(run_world(small_talk, WorldConfig(seed=4, codec='plain')).trace.fingerprint())"
    )
    salt = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # another than this process has
    other = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert other.strip() == talked(4).trace.fingerprint()


def _dump(truth):
    file = io.StringIO()
    truth.dump(file)
    return file.getvalue()


def test_the_truth_agrees_with_the_trace():
    world = talked(6)
    lines = [json.loads(line) for line in _dump(world.truth).splitlines()]
    assert {line["kind"] for line in lines} == {"payload", "ack", "loop", "drop", "node-loop"}
    departures = {(row.t_ns, row.src) for row in world.trace}
    for line in lines:
        assert list(line) == ["msg", "kind", "sender", "receiver", "path", "delays", "sent_ns", "received_ns"]
        assert any((line["sent_ns"] + slack, line["sender"]) in departures for slack in (-1, 0, 1))
        if line["received_ns"] is not None:
            hops = len(line["path"]) + (line["kind"] != "drop")
            shortest = sum(line["delays"]) + hops * world.config.latency
            assert line["received_ns"] - line["sent_ns"] >= round(shortest * 1e9) - 10
        if line["kind"] in ("payload", "ack"):
            assert {line["sender"], line["receiver"]} == {"client-1", "client-2"}
            assert len(line["delays"]) == 4
        if line["kind"] == "loop":
            assert line["sender"] == line["receiver"]
        if line["kind"] == "drop":
            assert line["receiver"].startswith("provider")
    settled = [line for line in lines if line["sent_ns"] < 50e9]
    assert all(line["received_ns"] is not None for line in settled)  # nothing was lost


def test_a_mix_that_is_killed_during_a_file_transfer_loses_nothing(tmp_path):
    content = random.Random(1).randbytes(100_000)
    (tmp_path / "file.bin").write_bytes(content)
    received, arrived, lost = [], [], []

    async def program(world):
        await world.befriend(0, 1)
        number = await world.clients[0].send_file("client-2", tmp_path / "file.bin")
        await world.clients[0].send("client-2", "after it")
        await trio.sleep(8)
        during = await world.clients[0].message(number)
        assert during.state is not MessageState.DELIVERED
        victim = next(name for name in world.nodes if name.startswith("mix"))
        world.crash(victim)
        await trio.sleep(60)
        await world.restart(victim)
        with trio.fail_after(1200):
            await world.clients[0].wait_delivered(number)
        received.extend(await world.inbox(1))
        arrived.extend(Path(message.path).read_bytes() for message in received if message.kind is MessageKind.FILE)
        lost.extend(one for one in world.truth if one.kind == "payload" and one.received_ns is None)

    run_world(program, WorldConfig(seed=8, parameters=QUICK, codec="plain"))
    assert lost  # the crash did cost packets, or this test would show nothing
    assert sorted(message.text for message in received) == ["after it", "file.bin"]
    assert arrived == [content]


def provider_killed(*, disks):
    """(texts sent, texts received, packets that the provider had before it was killed)"""
    texts = [f"message {number}" for number in range(12)]
    received = []

    async def program(world):
        await world.befriend(0, 1)
        world.network.crash("client-2")
        world.network.partition(["client-2"], ["provider-2"])  # nobody fetches what is stored from now on
        for text in texts:
            await world.clients[0].send("client-2", text)
        await trio.sleep(30)
        world.crash("provider-2")
        await trio.sleep(5)
        await world.restart("provider-2")
        world.network.heal()
        await trio.sleep(120)
        received.extend(message.text for message in await world.inbox(1))

    world = run_world(program, WorldConfig(seed=9, parameters=QUICK, codec="plain", disks=disks))
    accepted = [one for one in world.truth if one.kind == "payload" and "provider-2" in one.path]
    return texts, received, accepted


def test_a_provider_that_is_killed_has_kept_what_it_accepted():
    texts, received, accepted = provider_killed(disks=True)
    assert received == texts
    assert len(accepted) >= len(texts)
    assert all(one.received_ns is not None for one in accepted)


def test_a_provider_without_a_disk_would_not():
    """Control."""
    _, _, accepted = provider_killed(disks=False)
    assert any(one.received_ns is None for one in accepted)


def test_errors_of_a_program_come_out_of_the_world():
    async def program(world):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_world(program, WorldConfig(clients=0))
