"""Whose a connection is, and what of a process's figures is told."""

import os
import socket

import msgspec
import trio

from mixnet.deploy.observe import live
from mixnet.deploy.observe.kernel import Connection
from mixnet.deploy.observe.live import GRACE, OTHERS, client_sample, node_sample
from mixnet.deploy.observe.samples import ClientSample, NodeSample


def connection(inode: int) -> Connection:
    return Connection("127.0.0.1", 4000, "127.0.3.1", 7400, inode, 0, 0)


async def test_a_connection_is_its_process_s_or_after_a_while_a_strangers(autojump_clock, monkeypatch):
    monkeypatch.setattr(live, "_sockets", lambda process: {os.getpid(): [1], 77: [2, 3]}.get(process, []))
    owners = live._Owners()
    assert owners.name_of(connection(1)) is None, "this process's own"
    assert owners.name_of(connection(2)) is None, "nobody knows yet"
    owners.know("alice", 77)
    assert owners.name_of(connection(2)) == owners.name_of(connection(3)) == "alice"
    assert owners.name_of(connection(8)) is None
    await trio.sleep(GRACE)
    assert owners.name_of(connection(8)) == OTHERS
    owners.know("bob", 78)
    monkeypatch.setattr(live, "_sockets", lambda process: {78: [8]}.get(process, []))
    assert owners.name_of(connection(8)) == "bob", "it was only late to tell"


async def test_strangers_cost_no_look_at_all_processes_at_each_tick(autojump_clock, monkeypatch):
    looks = []
    monkeypatch.setattr(live, "_sockets", lambda process: looks.append(process) or [])
    owners = live._Owners()
    for inode in (8, 9):
        owners.name_of(connection(inode))
    await trio.sleep(GRACE)
    assert {owners.name_of(connection(inode)) for inode in (8, 9)} == {OTHERS}
    looks.clear()
    assert {owners.name_of(connection(inode)) for inode in (8, 9, 8)} == {OTHERS}
    assert looks == []


def test_the_sockets_of_a_process_are_found():
    with socket.socket() as one:
        assert os.fstat(one.fileno()).st_ino in live._sockets(os.getpid())
    assert live._sockets(2**22 + 1) == []


FIGURES = {
    "role": "mix",
    "layer": 2,
    "identity": "f566de06cfc347e3",
    "ready": True,
    "epoch": None,
    "packets_in": 3,
    "dropped": {"replayed": 1},
    "warnings": ["loops_late"],
    "problem": "no document",
    "suspects": ["f566de06cfc347e3"],
    "pid": 1,
    "memory_bytes": 5,
    "cpu_seconds": 1.5,
}


def test_of_a_nodes_figures_no_identity_and_no_process_is_told():
    sample = node_sample(FIGURES, 2)
    assert sample == NodeSample(
        up=True,
        ready=True,
        layer=2,
        packets_in=3,
        dropped={"replayed": 1},
        warnings=["loops_late", "no document", "suspects: 1"],
        memory_bytes=5,
        cpu_seconds=1.5,
        restarts=2,
    )
    assert b"f566" not in msgspec.json.encode(sample)
    assert node_sample(None, 2) == NodeSample(restarts=2)


def test_of_a_clients_figures_its_name_and_provider_are_not_told():
    figures = {
        "role": "client",
        "name": "alice",
        "identity": "e80b7e0b",
        "connected": True,
        "alarm": "paused",
        "warnings": [],
        "problem": "",
        "frames": {"drop": 2},
        "loop_times": {"drawn": [1], "took": [0, 1]},
    }
    assert client_sample(figures, with_times=False) == ClientSample(
        up=True, connected=True, frames={"drop": 2}, warnings=["alarm: paused"]
    )
    assert client_sample(figures, with_times=True).took == [0, 1]
    del figures["loop_times"]
    assert client_sample(figures, with_times=True).took == [], "a daemon of an older version"
