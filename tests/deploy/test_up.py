"""The launcher on real processes: each test starts the `mixnet` command and looks at what runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixnet.client.model.paths import LOCK
from mixnet.client.profile import lock
from mixnet.deploy.folders import CLIENTS, CONFIG, RUN, SOCKET, Running, read_running
from mixnet.deploy.local import prepare
from mixnet.deploy.processes import ProcessId, alive

pytestmark = pytest.mark.timeout(300)

PLAN = {"layers": 1, "width": 1, "providers": 1, "authorities": 1}
SMALL = [word for name, count in PLAN.items() for word in (f"--{name}", str(count))]
COMMAND = (sys.executable, "-P", "-m", "mixnet")
LIMIT = 120.0  # seconds, for a machine that is busy with other things


def mixnet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT
    )


def until(condition) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def everybody(found: Running) -> list[ProcessId]:
    return [found.supervisor, *found.nodes.values()]


def who_runs(folder: Path) -> Running:
    found = read_running(folder)
    assert found is not None
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose network, if a failed test left one, is ended."""
    folder = tmp_path / "network"
    yield folder
    if (folder / RUN).exists():
        mixnet("down", "--dir", str(folder))


@pytest.fixture
def up(folder: Path) -> Running:
    result = mixnet("up", "--dir", str(folder), *SMALL)
    assert (result.returncode, result.stderr) == (0, "")
    assert "3 nodes ready in" in result.stdout
    return who_runs(folder)


def status(folder: Path) -> dict[str, dict]:
    return {node["name"]: node for node in json.loads(mixnet("status", "--json", "--dir", str(folder)).stdout)}


def test_a_network_runs_is_looked_at_mended_and_ended(up: Running, folder: Path) -> None:
    assert all(alive(process) for process in everybody(up))

    nodes = status(folder)
    assert list(nodes) == ["authority-1", "mix-1", "provider-1"]
    assert all(node["ready"] and node["memory_bytes"] > 0 for node in nodes.values())
    assert nodes["mix-1"]["layer"] == 1
    assert len({node["address"] for node in nodes.values()}) == 3

    again = mixnet("up", "--dir", str(folder))
    assert again.returncode == 2
    assert "is running already" in again.stderr
    assert len(again.stderr.splitlines()) == 1
    assert who_runs(folder) == up

    os.kill(up.nodes["mix-1"].pid, signal.SIGKILL)
    until(lambda: who_runs(folder).restarts == {"mix-1": 1})
    until(lambda: status(folder)["mix-1"]["ready"])
    table = mixnet("status", "--dir", str(folder))
    assert table.returncode == 0
    assert table.stdout.startswith("3 of 3 nodes ready\n")
    mended = who_runs(folder)
    assert mended.nodes["mix-1"] != up.nodes["mix-1"]

    ended = mixnet("down", "--dir", str(folder))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not any(alive(process) for process in everybody(mended))
    assert not (folder / RUN).exists()
    assert not list(folder.glob(f"*/{SOCKET}"))
    assert mixnet("down", "--dir", str(folder)).returncode == 3


def test_it_comes_back_as_it_was_and_clients_end_with_it(up: Running, folder: Path) -> None:
    before = {name: node["identity"] for name, node in status(folder).items()}
    mixnet("down", "--dir", str(folder))
    assert mixnet("up", "--dir", str(folder)).returncode == 0
    assert {name: node["identity"] for name, node in status(folder).items()} == before
    for step in (("init",), ("start",)):
        assert mixnet("client", *step, "alice", "--dir", str(folder)).returncode == 0
    held = folder / CLIENTS / "alice" / LOCK
    assert lock.holder(held) is not None
    ended = mixnet("down", "--dir", str(folder))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "ended 5 processes" in ended.stdout
    assert lock.holder(held) is None


def test_nothing_outlives_a_killed_supervisor(up: Running, folder: Path) -> None:
    os.kill(up.supervisor.pid, signal.SIGKILL)
    until(lambda: not any(alive(process) for process in everybody(up)))
    assert mixnet("up", "--dir", str(folder)).returncode == 0
    assert who_runs(folder).supervisor != up.supervisor


def test_a_node_that_does_not_start_is_named_and_nothing_runs(folder: Path) -> None:
    prepare(folder, PLAN)
    config = folder / "mix-1" / CONFIG
    config.write_text(config.read_text() + "colour = 'red'\n")
    result = mixnet("up", "--dir", str(folder))
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "mix-1 did not start" in result.stderr
    assert "colour" in result.stderr
    assert not (folder / RUN).exists()


def test_a_port_that_another_program_took_is_named(folder: Path) -> None:
    member = prepare(folder, PLAN).members()[2]
    address = (member.host, member.port)
    script = f"import socket, time; s = socket.create_server({address!r}); print(1, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        result = mixnet("up", "--dir", str(folder))
        other.kill()
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert f"provider-1 can't listen on {member.address}" in result.stderr
    assert not (folder / RUN).exists()


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "up", "--dir", str(folder), *SMALL, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_a_signal_ends_it(folder: Path, number: signal.Signals) -> None:
    with start(folder, "--foreground") as command:
        assert "3 nodes ready" in command.stdout.readline()
        found = who_runs(folder)
        assert found.supervisor.pid == command.pid
        command.send_signal(number)
        assert command.wait(LIMIT) == 0
        assert command.stderr.read() == ""
    assert not any(alive(process) for process in everybody(found))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_ends_early_takes_everything_with_it(folder: Path, number: signal.Signals) -> None:
    with start(folder) as command:
        until(lambda: command.poll() is not None or ((found := read_running(folder)) is not None and found.nodes))
        found = who_runs(folder)
        command.send_signal(number)
        command.wait(LIMIT)
        assert "Traceback" not in command.stderr.read()
    until(lambda: not (folder / RUN).exists())
    until(lambda: not any(alive(process) for process in everybody(found)))
