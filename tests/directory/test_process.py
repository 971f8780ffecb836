"""The real thing: authorities as processes on loopback, and the commands that look at what they say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from mixnet.network import TCP
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from mixnet.pki.descriptor import Descriptor, NodeRole
from mixnet.pki.errors import Expired
from mixnet.pki.fetch import upload_descriptor
from mixnet.randomness import SystemSource
from mixnet.status import read_status
from tests.mixnet.pki.builders import Town, key, sphinx_key

TOWN = Town(mixes=3, providers=1)
SUBNET = f"127.77.{os.getpid() % 254 + 1}"  # of this process alone: tests run side by side
HOSTS = tuple(f"{SUBNET}.{number}" for number in (1, 2, 3))
PORT = 7471
PATIENCE = 60.0


def write_network(folder: Path) -> Bootstrap:
    infos = tuple(
        AuthorityInfo(one.public, f"{host}:{PORT}") for one, host in zip(TOWN.authorities, HOSTS, strict=True)
    )
    bootstrap = Bootstrap(float(int(time.time())), 1200.0, infos)
    bootstrap.save(folder / "bootstrap.json")
    for number, (one, host) in enumerate(zip(TOWN.authorities, HOSTS, strict=True)):
        own = folder / str(number)
        own.mkdir()
        (own / "identity.key").write_text(one.expose().hex())
        (own / "identity.key").chmod(0o600)
        lines = {
            "address": f"{host}:{PORT}",
            "bootstrap": "../bootstrap.json",
            "key_file": "identity.key",
            "data_dir": ".",
            "log_file": "node.log",
            "source": host,
            "mixes": [identity.hex() for identity, role in TOWN.approved.items() if role == NodeRole.MIX],
            "providers": [identity.hex() for identity, role in TOWN.approved.items() if role == NodeRole.PROVIDER],
        }
        (own / "config.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items()))
    return bootstrap


async def upload_all(bootstrap: Bootstrap) -> None:
    async def upload(name: str) -> None:
        identity, role = TOWN.nodes[name]
        keys = tuple(sphinx_key(name, epoch) for epoch in range(3))
        raw = Descriptor(bootstrap.network_id, identity.public, role, f"{SUBNET}.9:1", 0, keys).sign(identity)
        rng = SystemSource().stream("upload")
        await upload_descriptor(bootstrap, raw, network=TCP(), identity=identity, rng=rng, patience=PATIENCE)

    async with trio.open_nursery() as nursery:
        for name in TOWN.nodes:
            nursery.start_soon(upload, name)


def start(config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mixnet.directory", str(config)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("network")
    bootstrap = write_network(folder)
    processes = [start(folder / str(number) / "config.toml") for number in range(3)]
    try:
        trio.run(upload_all, bootstrap)
        yield folder
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        ended = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert ended == [("", "")] * 3


def directory(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return command("directory", *arguments)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`mixnet …` as the console script runs it, without the other rooms."""
    code = (
        "import sys; from cyclopts import App; from mixnet.directory.cli import app; "
        "from mixnet.explain import exit_status;"
        "root = App(backend='trio', result_action='return_int_as_exit_code_else_zero'); root.command(app, name='*');"
        "sys.exit(exit_status(lambda: root(sys.argv[1:])))"
    )
    line = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE)


def test_show_asks_verifies_and_saves(running: Path, tmp_path: Path) -> None:
    shown = directory("show", "--dir", running, "--json", "--out", tmp_path / "consensus")
    assert (shown.returncode, shown.stderr) == (0, "")
    told = json.loads(shown.stdout)
    assert (told["epoch"], told["nodes"], len(told["signed_by"])) == (0, 4, 3)
    assert [len(layer) for layer in told["layers"]] == [1, 1, 1]
    bootstrap = running / "bootstrap.json"
    verified = directory("verify", tmp_path / "consensus", "--bootstrap", bootstrap, "--json")
    assert verified.returncode == 0
    assert json.loads(verified.stdout) == told


def test_show_in_plain_text_names_every_node(running: Path) -> None:
    shown = directory("show", "--dir", running).stdout
    assert "signed by 3 of 3 authorities (2 are required)" in shown
    for identity in TOWN.approved:
        assert identity.hex()[:16] in shown


def test_verify_says_why_not(running: Path, tmp_path: Path) -> None:
    directory("show", "--dir", running, "--out", tmp_path / "consensus")
    late = directory("verify", tmp_path / "consensus", "--bootstrap", running / "bootstrap.json", "--at", "9e9")
    assert (late.returncode, late.stdout) == (2, "")
    assert late.stderr == f"mixnet: {Expired()}\n"


def test_show_without_a_network_is_one_line(tmp_path: Path) -> None:
    shown = directory("show", "--dir", tmp_path)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.count("\n") == 1
    assert "bootstrap.json" in shown.stderr


def test_evidence_says_that_there_is_none(running: Path) -> None:
    assert json.loads(directory("evidence", "--dir", running, "--json").stdout) == {"answered": 3, "evidence": []}
    shown = directory("evidence", "--bootstrap", running / "bootstrap.json").stdout
    assert shown == "3 of 3 authorities answered, 0 contradictions are proven\n"


def test_history_tells_of_the_first_epoch(running: Path) -> None:
    directory("show", "--dir", running)
    (epoch,) = json.loads(directory("history", "--dir", running, "--json").stdout)
    assert (epoch["epoch"], len(epoch["signed_by"]), epoch["missing"]) == (0, 3, [])
    assert epoch["attempt"] >= 1
    assert "3 of 3" in directory("history", "--bootstrap", running / "bootstrap.json").stdout


def test_why_tells_where_a_node_stands_or_why_not(running: Path) -> None:
    directory("show", "--dir", running)
    listed, stranger = next(iter(TOWN.approved)).hex(), key("stranger").public.hex()
    told = json.loads(directory("show", "--dir", running, "--why", listed, "--json").stdout)
    assert told["state"].startswith("it is listed")
    assert len(told["authorities"]) == 3
    said = directory("show", "--dir", running, "--why", stranger).stdout
    assert said.count("has not approved it") == 3
    wrong = directory("show", "--dir", running, "--why", "nobody")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_an_operator_approves_and_revokes_while_it_runs(running: Path) -> None:
    stranger = key("another stranger").public.hex()
    for number in range(2):
        said = command("authority", "approve", stranger, "--role", "provider", "--dir", running / str(number))
        assert (said.returncode, said.stderr) == (0, "")
    told = directory("show", "--dir", running, "--why", stranger).stdout
    assert told.count("has approved it as a provider") == 2
    command("authority", "revoke", stranger, "--dir", running / "0")
    told = directory("show", "--dir", running, "--why", stranger).stdout
    assert told.count("has approved it as a provider") == 1


def test_there_is_nobody_to_approve_a_node_in_an_empty_folder(tmp_path: Path) -> None:
    said = command("authority", "approve", "00" * 32, "--dir", tmp_path)
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)


def test_the_operator_is_told(running: Path) -> None:
    status = trio.run(read_status, running / "0" / "status.sock")
    directory("show", "--dir", running)
    assert status["role"] == "authority"
    assert status["identity"] == TOWN.authorities[0].public.hex()[:16]
    assert status["memory_bytes"] > 0


def test_the_log_tells_nothing_about_anybody(running: Path) -> None:
    directory("show", "--dir", running)
    text = (running / "0" / "node.log").read_text()
    assert "new_epoch" in text
    secrets = [identity.hex()[:8] for identity in TOWN.approved] + [SUBNET, str(PORT)]
    assert not any(secret in text for secret in secrets)


@pytest.mark.parametrize(
    ("change", "problem"),
    [("address", "address"), ("mixes", "mixes"), ("bootstrap", "bootstrap")],
)
def test_a_wrong_configuration_is_one_line_and_status_2(tmp_path: Path, change: str, problem: str) -> None:
    write_network(tmp_path)
    config = tmp_path / "0" / "config.toml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith(f"{change} ")]
    config.write_text("\n".join(lines))
    _, said = (process := start(config)).communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert problem in said


def test_a_port_in_use_is_one_line_and_a_status_that_is_tried_again(running: Path, tmp_path: Path) -> None:
    config = (running / "0" / "config.toml").read_text()
    for name in ("bootstrap.json", "0/identity.key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((running / name).read_bytes())
        (tmp_path / name).chmod(0o600)
    (tmp_path / "0" / "config.toml").write_text(config)
    _, said = (process := start(tmp_path / "0" / "config.toml")).communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert said.count("\n") == 1
    assert "another program listens there" in said


@pytest.mark.parametrize("arguments", [[], ["one", "two"]])
def test_the_usage_is_said(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mixnet.directory", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == 2
    assert "python -m mixnet.directory CONFIG.toml" in ended.stderr


def test_the_key_of_no_authority_is_refused(tmp_path: Path) -> None:
    write_network(tmp_path)
    (tmp_path / "0" / "identity.key").write_text(key("stranger").expose().hex())
    _, said = (process := start(tmp_path / "0" / "config.toml")).communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "not in the bootstrap file" in said
