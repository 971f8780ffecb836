"""The commands for proofs, receipts and forgeries, against the daemons of two people who have talked."""

import json
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from mixnet.client.api.connection import connect
from mixnet.client.api.daemon_api import DaemonApi
from mixnet.client.api.events import EventBus
from mixnet.client.api.server import serve_api
from mixnet.client.cli import contacts, daemon, inbox, messages, proofs, render
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.e2e.proof import BadProof
from mixnet.client.model import paths
from mixnet.client.model.views import MessageKind, MessageState, ReceiptState
from mixnet.client.profile import lock
from mixnet.clock import VirtualClock
from mixnet.errors import LocalError, RemoteError
from tests.client.worlds.channel import Channel
from tests.client.worlds.friends import befriend, write
from tests.client.worlds.town import Town


@pytest.fixture
def friends(tmp_path, monkeypatch):
    monkeypatch.delenv("MIXNET_DIR", raising=False)
    Town().bootstrap.save(tmp_path / "bootstrap.json")
    channel = Channel(tmp_path / "people", seed=3)
    befriend(channel)
    return channel


@asynccontextmanager
async def daemons(friends, network: Path):
    """Daemons around both messengers; `settle` lets the hostile network run until all is delivered."""
    async with trio.open_nursery() as nursery:
        held = []
        for name in ("alice", "bob"):
            directory = network / "clients" / name
            await daemon.init(name, folder=network)
            service = DaemonApi(name=name, worker=InlineWorker(), clock=VirtualClock(friends.now), event_bus=EventBus())
            service.open(friends[name].devices, stir=lambda: None, snapshot=dict)
            holding = lock.hold(directory / paths.LOCK)
            holding.__enter__()
            held.append(holding)
            await nursery.start(serve_api, directory / paths.API_SOCKET, service)
        yield
        for holding in held:
            holding.__exit__(None, None, None)
        nursery.cancel_scope.cancel()


def settle(friends) -> None:
    assert friends.run(600, friends.settled)
    friends.run(10)


def shown(capsys) -> str:
    return capsys.readouterr().out


async def test_from_a_signed_text_to_a_proof_that_somebody_verifies(friends, tmp_path, capsys):
    where = {"folder": tmp_path}
    async with daemons(friends, tmp_path):
        shown(capsys)
        await messages.send("alice", "bob", "I owe you ten", signed=True, **where)
        assert "[no receipt yet: the contact decides]" in shown(capsys)
        settle(friends)
        await inbox.inbox("bob", **where)
        asked = "[asks for a receipt: `mixnet proof consent NAME 1`]"
        assert shown(capsys).endswith(f"  signed  {asked}  ← alice: I owe you ten\n"), "in front of what she wrote"
        await proofs.receipts("bob", **where)
        assert "receipts for all contacts of whom nothing else was said: ask" in shown(capsys)
        await proofs.receipts("bob", "always", contact="alice", as_json=True, **where)
        assert json.loads(shown(capsys)) == {"contact": "alice", "receipts": "always"}
        await contacts.contacts("bob", default_read_receipts="on", **where)  # else that of reading leaves later
        shown(capsys)
        await proofs.consent("bob", 1, **where)
        assert "[receipt given]" in shown(capsys)
        settle(friends)
        await proofs.identity("alice", **where)
        key = shown(capsys).strip()
        await proofs.export("alice", 1, out=tmp_path / "debt", as_json=True, **where)
        told = json.loads(shown(capsys))
        assert (told["sender"], told["text"], told["submission"]) == (key, "I owe you ten", None)
        assert told["delivery"] <= told["reading"]
        assert (tmp_path / "debt").stat().st_mode & 0o777 == 0o600
        with pytest.raises(FileExistsError):
            await proofs.export("alice", 1, out=tmp_path / "debt", **where)
    proofs.verify(tmp_path / "debt", identity=key)
    lines = shown(capsys).splitlines()
    assert [line.split(":")[1].strip() for line in lines if line.startswith("proven")] == [
        "origin",
        "delivery",
        "reading",
    ]
    assert "not proven: submission: no such statement is in this file" in lines
    raw = bytearray((tmp_path / "debt").read_bytes())
    raw[40] ^= 1
    (tmp_path / "debt").write_bytes(raw)
    with pytest.raises(BadProof):
        proofs.verify(tmp_path / "debt")


async def test_a_large_proof_comes_in_pieces(friends, tmp_path, monkeypatch):
    friends["alice"].messenger.send_text("bob", "x" * 1000, friends.now, signed=True)
    monkeypatch.setattr("mixnet.client.api.proofs.PIECE", 100)
    async with daemons(friends, tmp_path), connect(tmp_path / "clients" / "alice") as alice:
        raw = await alice.proofs.export(1)
    assert raw == friends["alice"].messenger.proof(1) and len(raw) > 1000


async def test_a_refusal_is_plain_to_the_sender(friends, tmp_path, capsys):
    async with daemons(friends, tmp_path):
        await messages.send("alice", "bob", "I owe you ten", signed=True, folder=tmp_path)
        settle(friends)
        await proofs.consent("bob", 1, refuse=True, folder=tmp_path, as_json=True)
        assert json.loads(shown(capsys).splitlines()[-1])["receipt"] == "withheld"
        settle(friends)
        await inbox.inbox("alice", sent=True, folder=tmp_path)
        assert "[delivered]  [the contact gives no receipt]" in shown(capsys)
        for number in (0, 5, -1, 1 << 70):
            with pytest.raises(LocalError):
                await proofs.consent("bob", number, folder=tmp_path)
            with pytest.raises(LocalError):
                await proofs.export("bob", number, out=tmp_path / "none", folder=tmp_path)
    assert not (tmp_path / "none").exists()


async def test_a_signed_file_is_compared_with_its_proof(friends, tmp_path, capsys):
    path = write(friends, 100_000, "contract.pdf")
    async with daemons(friends, tmp_path):
        await messages.send("alice", "bob", file=path, signed=True, folder=tmp_path)
        settle(friends)
        await proofs.export("bob", 1, out=tmp_path / "proof", folder=tmp_path)
    proofs.verify(tmp_path / "proof", content=path, as_json=True)
    assert json.loads(shown(capsys).splitlines()[-1])["name"] == "contract.pdf"
    (friends.tmp / "other.pdf").write_bytes(path.read_bytes()[:-1] + b"\0\0")
    with pytest.raises(RemoteError, match="is not the file"):
        proofs.verify(tmp_path / "proof", content=friends.tmp / "other.pdf")


async def test_a_forgery_is_made_and_verifies_as_no_evidence(friends, tmp_path, capsys):
    friends["alice"].messenger.send_text("bob", "hi", friends.now)
    settle(friends)
    async with daemons(friends, tmp_path):
        await proofs.forge("bob", "alice", "the moon\x1b[2J", "is cheese", out=tmp_path / "forged", folder=tmp_path)
        assert "2 messages that alice never sent" in shown(capsys)
        await proofs.forge("bob", "alice", "again", folder=tmp_path)
        assert len(shown(capsys).splitlines()) == 4
        for texts in ((), ("",), ("x" * 70_000,), ("x" * 60_000,) * 3):
            with pytest.raises(LocalError):
                await proofs.forge("bob", "alice", *texts, folder=tmp_path)
        with pytest.raises(LocalError):
            await proofs.forge("bob", "nobody", "x", folder=tmp_path)
        async with connect(tmp_path / "clients" / "bob") as bob:
            assert [message.text async for message in bob.messages()] == ["hi"]
            largest = await bob.proofs.forge("alice", ["x" * 43_690] * 3)  # what one answer may carry
            assert len(largest) > 300_000
    proofs.verify(tmp_path / "forged")
    lines = shown(capsys).splitlines()
    assert lines[0] == "text: the moon\\x1b[2J" and any(line.startswith("not proven: who wrote it") for line in lines)
    proofs.verify(tmp_path / "forged", as_json=True)
    assert json.loads(shown(capsys))["evidence"] is False


def test_what_is_no_proof_is_one_sentence(tmp_path):
    (tmp_path / "proof").write_bytes(b"hello")
    (tmp_path / "empty").write_bytes(b"")
    for file in ("proof", "empty"):
        with pytest.raises(BadProof, match="no genuine proof"):
            proofs.verify(tmp_path / file)
    with pytest.raises(LocalError, match="not a file"):
        proofs.verify(tmp_path)
    with pytest.raises(FileNotFoundError):
        proofs.verify(tmp_path / "nowhere")
    for key in ("zz", "ab" * 31, ""):
        with pytest.raises(LocalError, match="64 hexadecimal"):
            proofs._key(key)


def test_a_contact_can_not_write_that_it_signed(capsys):
    """What stands before the arrow is the client's; all that a contact chooses comes after it."""
    base = {"id": 7, "outgoing": False, "contact": "bob  signed"}
    for signed in (False, True):
        render.message(SimpleMessage(**base, signed=signed, receipt=ReceiptState.GIVEN if signed else None))
        assert ("signed" in shown(capsys).split("←")[0]) is signed


class SimpleMessage(SimpleNamespace):
    text, path, error, size = "hi  [receipt given]", "", "", 0
    author, members, reached, answer_until = "", 0, 0, None
    edited, withdrawn, period, disappears, may_arrive = False, False, 0, None, False
    kind, state, created_at, received_at = MessageKind.TEXT, MessageState.RECEIVED, 1.0, 1.0
