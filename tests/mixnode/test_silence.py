"""A node keeps quiet about packets and users: in its log, its counters, its status and its files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

import mixnode
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.errors import LocalError
from mixnet.link import FrameKind
from mixnet.log import FIELDS, Log, LogEntry
from mixnet.pki.parameters import Parameters
from tests.mixnode.town import Town, packet_frame

SOURCES = sorted(Path(mixnode.__file__).parent.glob("*.py"))
SPEAKING = {"print", "logging", "structlog", "warnings", "syslog", "traceback"}


def test_the_corpus_is_not_empty() -> None:
    assert len(SOURCES) > 15


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nothing_is_logged_but_fixed_entries_with_allowed_fields(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            assert not names & SPEAKING
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in SPEAKING
            if called.endswith("log.write"):
                entry = ast.unparse(node.args[0])
                assert entry.startswith("LogEntry.")
                fields = {keyword.arg for keyword in node.keywords}
                assert fields <= FIELDS
                assert "problem" not in fields or source.name == "__main__.py"


async def test_a_busy_nodes_log_has_no_trace_of_anybody(tmp_path: Path, autojump_clock: MockClock) -> None:
    town = Town(parameters=Parameters(node_loop_rate=1.0, epoch_length=60.0))
    provider = town.providers[0]
    path, log = tmp_path / "node.log", Log(tmp_path / "node.log")
    town.logs[provider.name] = log
    me, secret = SigningKey.generate(), SphinxSecret.generate()
    async with town.running():
        await trio.sleep(70)
        async with await town.client(me) as link:
            packet = town.mail(me.public, secret, b"hello")
            await link.send([packet_frame(packet), packet_frame(packet), packet_frame(bytes(3072))])
            while not any(frame.kind is FrameKind.MAIL for frame in await link.receive()):
                pass
        await town.stop(town.mixes[0])
        await trio.sleep(60)
        assert provider.serving is not None
        status = str(provider.serving.snapshot())
    log.close()
    text = path.read_text()
    assert all(name in text for name in ("ready", "new_epoch"))
    hidden = [me.public, packet[:16], *(one.identity.public for one in town.members)]
    for secret_bytes in hidden:
        assert secret_bytes.hex()[:12] not in text
    assert not re.search(r"[0-9a-fA-F]{12,}", text)
    assert not re.search(r"\d+\.\d+\.\d+\.\d+", text)
    assert me.public.hex()[:12] not in status
    assert provider.identity.public.hex() not in status
    assert "10.0." not in status


def test_what_is_not_in_the_table_cannot_be_logged(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    with pytest.raises(LocalError):
        log.write(LogEntry.STARTED, peer="somebody")
    with pytest.raises(ValueError, match="not a valid"):
        log.write("said hello")  # type: ignore[arg-type]
    log.write(LogEntry.STARTED, role="mix")
    log.close()
    log.write(LogEntry.STOPPED)
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0
    assert len((tmp_path / "log").read_text().splitlines()) == 1
