"""A node as a real process: quiet, killed cleanly, and one line with status 2 for what its operator can put right."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from mixnet.crypto import SigningKey
from mixnet.errors import LocalError, Unavailable
from mixnet.identity import load_identity
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.status import _METRICS, _ask, read_status
from mixnode.config import NodeConfigError, load_config


def write(folder: Path, *, role: str = "mix", address: str = "127.0.0.1:0", **more: str | int) -> Path:
    """The folder of a node whose authority doesn't run."""
    folder.mkdir(exist_ok=True)
    key = folder / "identity.key"
    key.write_text(SigningKey.generate().expose().hex() + "\n")
    key.chmod(0o600)
    Bootstrap(float(int(time.time())), 1200.0, (AuthorityInfo(SigningKey.generate().public, "127.0.0.1:9"),)).save(
        folder / "bootstrap.json"
    )
    settings = {
        "role": role,
        "address": address,
        "bootstrap": "bootstrap.json",
        "key_file": "identity.key",
        "data_dir": "data",
        "log_file": "node.log",
        **more,
    }
    path = folder / "config.toml"
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return path


def start(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mixnode", str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, once it answers on its status socket and serves."""
    process = start(config)
    try:
        while "identity" not in status(config):
            assert process.poll() is None, process.stderr and process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def status(config: Path) -> dict[str, object]:
    async def ask() -> dict[str, object]:
        try:
            return await read_status(config.parent / "data" / "status.sock")
        except Unavailable:
            await trio.sleep(0.05)  # a process on a real clock: nothing else tells that it is up
            return {}

    return trio.run(ask)


def refused(config: Path, status: int = 2) -> str:
    """The one line with which a process that can't start ends."""
    process = start(config)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert out == b""
    lines = err.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("role", ["mix", "provider"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_quietly_and_ends_cleanly(tmp_path: Path, role: str, number: int) -> None:
    config = write(tmp_path / "node", role=role)
    with running(config) as process:
        answer = status(config)
        assert (answer["role"], answer["ready"], answer["packets_in"]) == (role, False, 0)
        assert isinstance(answer["memory_bytes"], int)
        assert b"mixnet_packets_in_total 0" in trio.run(_ask, tmp_path / "node" / "data" / "status.sock", _METRICS)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, b"", b"")
    assert not (tmp_path / "node" / "data" / "status.sock").exists()
    entries = [json.loads(line)["event"] for line in (tmp_path / "node" / "node.log").read_text().splitlines()]
    assert (entries[0], entries[-1]) == ("started", "stopped")


def test_killed_and_started_again_it_keeps_its_keys(tmp_path: Path) -> None:
    config = write(tmp_path / "node")
    with running(config) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = {path.name: path.read_bytes() for path in (tmp_path / "node" / "data" / "keys").glob("*.key")}
    assert len(before) == 3
    with running(config):
        after = {path.name: path.read_bytes() for path in (tmp_path / "node" / "data" / "keys").glob("*.key")}
    assert after == before


def test_a_port_in_use_and_a_second_process_are_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in refused(write(tmp_path / "one", address=f"127.0.0.1:{port}"), 3)
    config = write(tmp_path / "two")
    with running(config):
        assert "another process already runs" in refused(config, 3)
        assert status(config)["role"] == "mix"


def test_what_the_operator_can_put_right_is_one_line(tmp_path: Path) -> None:
    config = write(tmp_path / "node")
    (tmp_path / "node" / "identity.key").chmod(0o644)
    assert "chmod 600" in refused(config)
    assert "chmod 600" in (tmp_path / "node" / "node.log").read_text()
    (tmp_path / "node" / "bootstrap.json").write_text("{}")
    (tmp_path / "node" / "identity.key").chmod(0o600)
    assert "bootstrap" in refused(config)
    assert "no engine" in refused(write(tmp_path / "node", engine="other"))
    assert "can't read the configuration" in refused(tmp_path / "nothing.toml")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_node(tmp_path: Path, number: int) -> None:
    config = write(tmp_path / "node", workers=2)
    with running(config) as process:
        while len(workers := status(config).get("workers") or []) < 2:
            assert process.poll() is None
        assert [pid for pid in workers if Path(f"/proc/{pid}/cmdline").read_bytes()] == workers
        process.send_signal(number)
        _, err = process.communicate(timeout=30)  # whoever is left would still hold this pipe
        assert err == b""
    assert process.returncode == (0 if number == signal.SIGTERM else -number)
    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in workers):  # init reaps them when it pleases
        assert time.monotonic() < deadline


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("number", [-1, 9])
def test_an_impossible_number_of_workers_is_refused(tmp_path: Path, number: int) -> None:
    assert "`workers` is 0 to 8" in refused(write(tmp_path / "node", workers=number))


def test_peers_can_never_take_its_last_descriptor(tmp_path: Path) -> None:
    config = write(tmp_path / "node")
    few = f"ulimit -n 1000; exec {sys.executable} -m mixnode {config}"
    process = subprocess.run(["sh", "-c", few], capture_output=True, timeout=60, check=False)
    assert (process.returncode, b"ulimit -n" in process.stderr) == (2, True)


def test_a_providers_files_are_its_owners_only(tmp_path: Path) -> None:
    config = write(tmp_path / "node", role="provider")
    (tmp_path / "node" / "data").mkdir(mode=0o755)
    with running(config):
        files = list((tmp_path / "node" / "data").glob("mailboxes.sqlite*"))
        assert len(files) == 3
        assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_the_metrics_end_point_speaks_http(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = write(tmp_path / "node", metrics_address=f"127.0.0.1:{port}")
    with running(config):
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=10)
                break
            except ConnectionRefusedError:
                continue
        with connection:
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'mixnet_dropped_total{reason="replayed"} 0' in body


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("role = 'boss'", "role"),
        ("nonsense", "wrong"),
        ("role = 'mix'", "missing required field"),
        ("role = 'mix'\nunknown = 1", "unknown"),
    ],
)
def test_a_wrong_configuration_names_the_setting(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(NodeConfigError, match=why) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    path = write(tmp_path / "node")
    config = load_config(Path(os.path.relpath(path)))
    assert config.data_dir == tmp_path / "node" / "data"
    assert config.log_file == tmp_path / "node" / "node.log"
    path.write_text(path.read_text() + "mailbox_limit = 0\n")
    with pytest.raises(NodeConfigError, match="at least 1"):
        load_config(path)


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64])
def test_a_damaged_identity_is_refused_without_a_byte_of_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(LocalError, match="damaged"):
        load_identity(path)
    with pytest.raises(LocalError, match="can't read"):
        load_identity(tmp_path / "missing")
