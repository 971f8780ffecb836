import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from mixnet.deploy.folders import PLAN, RUN, SOCKET, NetworkAlreadyRunning, NetworkNotRunning, Running, write_running
from mixnet.deploy.local import NoNetwork, PortInUse, check_addresses, down, load_plan, prepare, programs, status
from mixnet.deploy.plan import LocalMember, MemberKind
from mixnet.deploy.processes import Child, ProcessId, alive, identify
from mixnet.errors import LocalError

SMALL = {"layers": 1, "width": 1, "providers": 1, "authorities": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(tmp_path / "network", SMALL)
    return tmp_path / "network"


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the nodes do
        listening.bind((host, port))
        listening.listen()
        yield listening


def test_a_new_network_is_made_as_asked(folder: Path) -> None:
    plan = load_plan(folder)
    assert (plan.layers, plan.width, plan.providers, plan.authorities) == (1, 1, 1, 1)
    assert [program.name for program in programs(folder, plan)] == ["authority-1", "mix-1", "provider-1"]


def test_it_is_the_same_the_next_time(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert prepare(folder, {}) == prepare(folder, SMALL) == load_plan(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_it_does_not_change_its_shape(folder: Path) -> None:
    with pytest.raises(LocalError, match=r"--layers 1 --width 1.*leave the options out"):
        prepare(folder, {"layers": 2})


def test_an_address_in_use_is_named_and_nothing_is_made(folder: Path) -> None:
    member = load_plan(folder).members()[1]
    with listen(member.host, member.port), pytest.raises(PortInUse, match=f"mix-1 can't listen on {member.address}"):
        prepare(folder, {})


def test_a_new_network_avoids_the_addresses_of_another(tmp_path: Path) -> None:
    first = prepare(tmp_path / "network", SMALL)
    for path in (tmp_path / "network").rglob("*"):
        if path.is_file():
            path.unlink()
    for path in sorted((tmp_path / "network").rglob("*"), reverse=True):
        path.rmdir()
    with listen(first.members()[0].host, first.port):
        assert prepare(tmp_path / "network", SMALL).subnet != first.subnet


def test_a_port_in_use_everywhere_is_an_error(tmp_path: Path) -> None:
    with listen("", 0) as listening, pytest.raises(PortInUse, match="--port"):
        prepare(tmp_path / "network", {**SMALL, "port": listening.getsockname()[1]})
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_has_just_ended_is_no_obstacle() -> None:
    with listen("127.0.0.1", 0) as listening:
        member = LocalMember("mix-1", MemberKind.MIX, *listening.getsockname())
        with socket.create_connection((member.host, member.port)) as caller:
            accepted, _ = listening.accept()
            accepted.close()  # the end that closes first keeps the address for a minute
            assert caller.recv(1) == b""
        with pytest.raises(PortInUse):
            check_addresses([member])
    check_addresses([member])


async def test_a_network_that_runs_is_not_prepared_again(folder: Path) -> None:
    me = identify(os.getpid())
    assert me is not None
    write_running(folder, Running(me))
    with pytest.raises(NetworkAlreadyRunning, match="mixnet down"):
        prepare(folder, {})


async def test_status_and_down_of_what_does_not_run(folder: Path, tmp_path: Path) -> None:
    for look in (status, down):
        with pytest.raises(NetworkNotRunning):
            await look(folder)
        with pytest.raises(NoNetwork):
            await look(tmp_path)


async def test_status_of_nodes_that_do_not_answer(folder: Path) -> None:
    me = identify(os.getpid())
    assert me is not None
    write_running(folder, Running(me, {"mix-1": me}, {"mix-1": 2}))
    (folder / "mix-1" / SOCKET).touch()
    nodes = {node.member.name: node for node in await status(folder)}
    assert all(node.figures is None for node in nodes.values())
    assert (nodes["mix-1"].process, nodes["mix-1"].restarts) == (me, 2)
    assert nodes["mix-1"].uptime > 0
    assert nodes["provider-1"].process is None


async def test_down_ends_what_a_killed_supervisor_left_and_nobody_else(folder: Path) -> None:
    child = Child(("-c", "import time; time.sleep(600)"), folder / "log", folder)
    stranger = Child(("-c", "import time; time.sleep(600)"), folder / "log", folder)
    try:
        recycled = ProcessId(stranger.id.pid, stranger.id.started - 1)
        write_running(folder, Running(recycled, {"mix-1": child.id, "provider-1": recycled}))
        assert await down(folder) == 1
        assert not alive(child.id)
        assert alive(stranger.id)
        assert not (folder / RUN).exists()
    finally:
        await child.end()
        await stranger.end()


async def test_down_ends_a_client_that_does_not_listen_to_its_command(folder: Path) -> None:
    profile = folder / "clients" / "alice"
    profile.mkdir()
    (profile / "profile.toml").touch()
    deaf = (
        "import signal, sys, time; from pathlib import Path; from mixnet.client.profile.lock import hold; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "with hold(Path('daemon.lock')): Path('held').touch(); time.sleep(600)"
    )
    child = Child(("-c", deaf), profile / "log", profile)
    try:
        while not (profile / "held").exists():
            await trio.sleep(0.01)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child.wait)
            assert await down(folder) == 1
        assert not alive(child.id)
    finally:
        await child.end()


def test_an_unknown_engine_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no engine `steam`"):
        prepare(tmp_path / "network", {**SMALL, "engine": "steam"})
    assert not (tmp_path / "network").exists()


def test_a_folder_without_a_plan_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(NoNetwork, match="mixnet up"):
        load_plan(tmp_path)
    assert not (tmp_path / PLAN).exists()
