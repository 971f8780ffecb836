"""The commands, against a daemon in the same process and against a real one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from mixnet.client.api.connection import connect
from mixnet.client.api.sockets import NotRunning
from mixnet.client.cli import anonymous, contacts, daemon, inbox, messages, options, render
from mixnet.client.cli.app import app
from mixnet.client.daemon import background
from mixnet.client.model import paths
from mixnet.client.model.errors import MalformedInvitation
from mixnet.client.model.paths import NoProfile
from mixnet.client.model.views import MessageInfo, MessageKind, MessageState
from mixnet.client.profile import lock, passphrase
from mixnet.client.profile.profile import PassphraseNeeded, ProfileExists, load, open_store
from mixnet.client.traffic import directory_client
from mixnet.errors import LocalError, MixnetError, RemoteError, Unavailable
from mixnet.letters import steers
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap
from tests.client.worlds.daemons import daemon_of
from tests.client.worlds.town import Town, rules


async def test_init_makes_a_profile_once(network, capsys):
    await daemon.init("alice", folder=network, source="127.0.9.1", provider="ab" * 32)
    assert f"mixnet client start alice --dir {network}" in capsys.readouterr().out
    made = load(network / "clients" / "alice")
    assert (made.name, made.source, made.provider) == ("alice", "127.0.9.1", bytes([0xAB]) * 32)
    with pytest.raises(ProfileExists):
        await daemon.init("alice", folder=network)


async def test_init_without_a_network_says_how_to_make_one(tmp_path):
    with pytest.raises(LocalError, match="make one with `mixnet up`"):
        await daemon.init("alice", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_say_why_it_ended_is_asked_about_the_disk(network, monkeypatch):
    profile = SimpleNamespace(directory=network, file=network.joinpath)
    (network / paths.TROUBLE).write_text("")
    monkeypatch.setattr(background.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    assert "disk is full" in background._trouble(profile)
    (network / paths.TROUBLE).write_text("mixnet: no\n")
    assert background._trouble(profile) == "no"


@pytest.mark.parametrize("provider", ["zz" * 32, "ab" * 31, ""])
async def test_init_refuses_what_is_no_identity(network, provider):
    with pytest.raises(LocalError, match="64 hexadecimal"):
        await daemon.init("alice", folder=network, provider=provider)
    assert not (network / "clients").exists()


@pytest.mark.parametrize("name", ["../alice", "a/b", ".hidden", "-alice", ""])
async def test_a_name_never_leaves_the_folder(network, name):
    with pytest.raises(LocalError):
        await daemon.init(name, folder=network)
    assert not (network / "clients").exists()


async def test_where_the_network_is(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert options.network_folder(None) == tmp_path / "mixnet" / "local"
    monkeypatch.setenv("MIXNET_DIR", "/somewhere")
    assert options.network_folder(None) == Path("/somewhere")
    assert options.network_folder(Path("here")) == Path("here").absolute()


async def test_invite_accept_send_and_inbox(network, capsys):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob"):
        await contacts.invite("bob", out=network / "invitation", folder=network)
        assert (network / "invitation").stat().st_mode & 0o777 == 0o600
        capsys.readouterr()
        await contacts.accept("alice", str(network / "invitation"), contact="robert", wait=False, folder=network)
        shown = capsys.readouterr()
        assert shown.out.startswith("robert\tpending\t")
        assert "mixnet contacts alice --verify robert" in shown.err
        await contacts.contacts("alice", folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)[0]["name"] == "robert"
        await messages.send("alice", "robert", "see you", folder=network)
        assert "  [queued]  → robert: see you\n" in capsys.readouterr().out
        (network / "photo.jpg").write_bytes(b"x" * 1234)
        await messages.send("alice", "robert", file=network / "photo.jpg", folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)["size"] == 1234
        await inbox.inbox("alice", folder=network)
        assert capsys.readouterr().out == ""
        await inbox.inbox("alice", sent=True, folder=network, as_lines=True)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["text"] for line in lines] == ["see you", "photo.jpg"]
        assert [message.text async for message in alice.messages()] == ["see you", "photo.jpg"]


async def test_names_blocks_and_messages_given_up(network, capsys):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite(), "bob")
        capsys.readouterr()
        await contacts.contacts("alice", rename=("bob", "robert"), folder=network)
        assert capsys.readouterr().out.startswith("robert\tpending\t")
        await messages.send("alice", "robert", "short", expires="10m", folder=network, as_json=True)
        first = json.loads(capsys.readouterr().out)["id"]
        await messages.cancel("alice", first, folder=network)
        assert "[failed: cancelled by you" in capsys.readouterr().out
        await messages.message("alice", first, folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)["error"].startswith("cancelled by you")
        await inbox.inbox("alice", sent=True, folder=network)
        assert "[failed: cancelled by you" in capsys.readouterr().out
        for number in (first, 99, -1, 1 << 64):
            with pytest.raises(LocalError, match=r"failed already|no message of this number"):
                await messages.cancel("alice", number, folder=network)
        (network / "photo.jpg").write_bytes(b"x")
        await messages.send("alice", "robert", file=network / "photo.jpg", expires="2h", folder=network)
        for expires, why in [("soon", "like 10m"), ("8d", "at most 1w"), ("0s", "at most 1w")]:
            with pytest.raises(LocalError, match=why):
                await messages.send("alice", "robert", "hi", expires=expires, folder=network)
        await contacts.contacts("alice", block="robert", folder=network)
        assert "robert\tpending, blocked\t" in capsys.readouterr().out
        with pytest.raises(LocalError, match="mixnet contacts alice --unblock robert"):
            await messages.send("alice", "robert", "hi", folder=network)
        await contacts.contacts("alice", unblock="robert", folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)[0]["blocked"] is False
    _, bound, _ = app["contacts"].parse_args(["alice", "--rename", "bob", "robert"])
    assert bound.arguments["rename"] == ("bob", "robert")


async def test_an_invitation_from_standard_input_and_as_json(network, capsys, monkeypatch):
    async with daemon_of(network, "alice"), daemon_of(network, "bob"):
        capsys.readouterr()
        await contacts.invite("bob", folder=network, as_json=True)
        text = json.loads(capsys.readouterr().out)["invitation"]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"  {text}\n".encode())))
        await contacts.accept("alice", "-", wait=False, folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)["name"] == "bob"


def test_a_hyphen_for_standard_input_and_folders_with_spaces():
    _, bound, _ = app["accept"].parse_args(["bob", "-", "--no-wait"])
    assert bound.arguments["invitation"] == "-"
    _, bound, _ = app["client"]["start"].parse_args(["bob", "--passphrase-file", "-"])
    assert bound.arguments["passphrase_file"] == Path("-")
    suggested = options.command(Path("/tmp/two words"), "client", "start", "bob")
    assert suggested == "mixnet client start bob --dir '/tmp/two words'"


async def test_bad_input_is_one_named_error(network, tmp_path):
    async with daemon_of(network, "alice"):
        with pytest.raises(MalformedInvitation.__mro__[1], match="mixnet1:"):
            await contacts.accept("alice", "mixnet1:nonsense", folder=network)
        with pytest.raises(LocalError, match="no file of this name"):
            await contacts.accept("alice", str(tmp_path / "nothing"), folder=network)
        (tmp_path / "picture").write_bytes(b"\x89PNG\xff\x00")
        with pytest.raises(MalformedInvitation.__mro__[1], match="mixnet1:"):
            await contacts.accept("alice", str(tmp_path / "picture"), folder=network)
        with pytest.raises(LocalError, match="empty"):
            await contacts.accept("alice", "", folder=network)
        with pytest.raises(LocalError, match="carol"):
            await messages.send("alice", "carol", "hi", folder=network)
        with pytest.raises(FileExistsError):
            await contacts.invite("alice", out=network / "bootstrap.json", folder=network)
    with pytest.raises(NoProfile):
        await messages.send("nobody", "alice", "hi", folder=network)


async def test_a_new_profile_is_one_object_for_programs(network, capsys):
    await daemon.init("alice", folder=network, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"profile": "alice", "folder": str(network / "clients" / "alice")}


async def test_sending_without_a_daemon_says_what_to_type(network):
    await daemon.init("alice", folder=network)
    with pytest.raises(NotRunning, match=f"`mixnet client start alice --dir {network}`"):
        await messages.send("alice", "bob", "hi", folder=network)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "started"), [("y\n", True), ("yes\n", True), ("n\n", False), ("", False)])
async def test_at_a_terminal_a_daemon_is_offered(network, monkeypatch, answer, started):
    await daemon.init("alice", folder=network)
    starts: list[Path] = []

    async def start(directory: Path, _words: bytes | None) -> str:
        await trio.lowlevel.checkpoint()
        starts.append(directory)
        return ""

    monkeypatch.setattr(background, "start", start)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(NotRunning):  # nothing really started
        await contacts.contacts("alice", folder=network)
    assert starts == ([network / "clients" / "alice"] if started else [])


async def test_passphrases_come_from_files_and_the_environment_only(network, monkeypatch, tmp_path):
    (tmp_path / "words").write_bytes(b"secret\n")
    assert passphrase.given(tmp_path / "words") == b"secret"
    assert passphrase.given(None) is None
    monkeypatch.setenv("MIXNET_PASSPHRASE", "other")
    assert passphrase.given(None) == b"other"
    monkeypatch.setenv("MIXNET_PASSPHRASE", "")
    with pytest.raises(passphrase.EmptyPassphrase):
        passphrase.given(None)
    monkeypatch.delenv("MIXNET_PASSPHRASE")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(PassphraseNeeded):
        await daemon.init("alice", folder=network, passphrase=True)
    assert not (network / "clients").exists()


def a_message(**changes: object) -> MessageInfo:
    values: dict[str, object] = {
        "id": 7,
        "contact": "bob",
        "outgoing": False,
        "kind": MessageKind.TEXT,
        "state": MessageState.RECEIVED,
        "text": "hi",
        "path": "",
        "size": 0,
        "done": 0,
        "error": "",
        "created_at": 0.0,
        "sent_at": 0.0,
        "drawn_delay": 0.0,
        "received_at": 1e9,
    }
    return MessageInfo(**(values | changes))  # type: ignore[arg-type]


def test_what_a_contact_wrote_cannot_act_on_a_terminal(capsys):
    hostile = "\x1b[2J\rfrom: boss\n8  ← alice: forged\u202e\x07"
    render.message(a_message(text=hostile, contact=hostile))
    render.message(a_message(kind=MessageKind.FILE, text=hostile, path=hostile))
    render.table(("a", "b"), [(hostile, hostile)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert not any(steers(character) for line in lines for character in line.replace("\t", ""))


def test_every_command_has_an_example_and_help(capsys):
    tried = [["client", name] for name in ("init", "start", "stop", "status")]
    tried += [[name] for name in ("invite", "accept", "contacts", "send", "inbox", "message", "cancel")]
    tried += [[name] for name in ("search", "export", "import", "retention", "delete", "forge")]
    tried += [["proof", name] for name in ("export", "verify", "identity", "consent", "receipts")]
    for command in tried:
        app([*command, "--help"], result_action="return_value")
        shown = capsys.readouterr().out
        assert f"mixnet {' '.join(command)} " in shown
        assert "Example" in shown
        described = app[command[0]][command[1]] if len(command) > 1 else app[command[0]]
        options = described.assemble_argument_collection(parse_docstring=True)
        assert [one.names for one in options if one.show and not one.parameter.help] == []
        assert "--empty-" not in shown  # what cyclopts gives options of two values: it would take away what isn't there


def test_help_loads_nothing_heavy():
    heavy = ("nacl", "apsw", "doubleratchet", "trio", "phonenumbers")
    code = f"import sys, mixnet.client.cli.app; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split() == []


async def test_a_real_daemon_starts_answers_is_alone_and_stops(network, capsys):
    """With a document from before, and no network: everything but connecting works."""
    town = Town(start=time.time() - 10, parameters=rules(epoch_length=3600.0))
    town.bootstrap.save(network / "bootstrap.json")
    await daemon.init("alice", folder=network)
    directory = network / "clients" / "alice"
    store = open_store(load(directory))
    directory_client.keep(store, town.document())
    store.close()
    await daemon.start("alice", folder=network)
    try:
        async with connect(directory) as me:
            assert not (await me.status())["connected"]
            assert (await me.invite()).startswith("mixnet1:")
        with pytest.raises(lock.AlreadyRunning):
            await daemon.start("alice", folder=network)
        capsys.readouterr()
        await daemon.status("alice", folder=network)
        assert "not connected" in capsys.readouterr().out
    finally:
        await daemon.stop("alice", folder=network)
    assert lock.holder(directory / paths.LOCK) is None
    assert not (directory / paths.API_SOCKET).exists()
    with pytest.raises(NotRunning):
        await daemon.stop("alice", folder=network)
    log = (directory / paths.LOG).read_text()
    assert [json.loads(line)["event"] for line in log.splitlines()] == ["started", "ready", "stopped"]

    process = subprocess.Popen([sys.executable, "-m", "mixnet.client", str(directory)], stderr=subprocess.PIPE)
    while not await background._answers(directory):
        assert process.poll() is None
        await trio.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert await trio.to_thread.run_sync(process.wait) == 0
    assert process.stderr is not None
    with process.stderr as said:
        assert said.read() == b""


async def test_a_daemon_that_cannot_start_says_why_in_one_line(network):
    await daemon.init("alice", folder=network)
    (network / "clients" / "alice" / paths.KEY).write_bytes(b"short")
    with pytest.raises(MixnetError, match="damaged: restore it from a backup") as caught:
        await daemon.start("alice", folder=network)
    assert "\n" not in str(caught.value)
    with pytest.raises(NotRunning):
        await daemon.status("alice", folder=network)


@pytest.fixture
def silent(network):
    """A network of which nobody runs."""
    nobody = AuthorityInfo(Town().authority.public, "127.0.0.1:1")
    Bootstrap(time.time() - 10, 3600.0, (nobody,)).save(network / "bootstrap.json")
    return network


async def test_a_daemon_without_a_directory_waits_and_tells_everybody(silent, capsys, monkeypatch):
    """In the background: whoever starts it, asks for its status, wants something done, or stops it."""
    monkeypatch.setattr(background, "PATIENCE", 0.0)
    await daemon.init("alice", folder=silent)
    directory = silent / "clients" / "alice"
    await daemon.start("alice", folder=silent)
    try:
        assert "runs, and goes on waiting for the network's directory: no authority" in capsys.readouterr().out
        await daemon.status("alice", folder=silent)
        shown = capsys.readouterr().out
        assert "not connected: waiting for the network's directory" in shown
        assert "none yet" in shown
        with pytest.raises(Unavailable, match="waiting for the network's directory"):
            await contacts.contacts("alice", folder=silent)
    finally:
        await daemon.stop("alice", folder=silent)
    assert lock.holder(directory / paths.LOCK) is None
    log = [json.loads(line)["event"] for line in (directory / paths.LOG).read_text().splitlines()]
    assert log == ["started", "stopped"]


async def test_a_daemon_in_the_foreground_says_what_it_waits_for(silent, capsys, monkeypatch):
    monkeypatch.setattr("mixnet.client.daemon.daemon.PATIENCE", 0.2)
    await daemon.init("alice", folder=silent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(daemon.start, "alice", folder=silent, foreground=True))
        while not (said := capsys.readouterr().err):
            await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert said.startswith("mixnet: waiting for the network's directory: ")
    assert said.count("\n") == 1
    log = (silent / "clients" / "alice" / paths.LOG).read_text().splitlines()
    assert [json.loads(line)["event"] for line in log[:2]] == ["started", "retrying"]
    assert json.loads(log[1])["problem"] == said.removeprefix("mixnet: ").strip()


async def test_addresses_are_made_shown_and_retired(network, capsys):
    async with daemon_of(network, "alice"):
        capsys.readouterr()
        await anonymous.create("alice", expires="30d", folder=network, as_json=True)
        made = json.loads(capsys.readouterr().out)
        assert made["text"].startswith("mixnet-address1:") and made["expires_at"] > made["created_at"]
        await anonymous.show("alice", made["id"], qr=True, folder=network)
        assert made["text"] in capsys.readouterr().out
        await anonymous.retire("alice", made["id"], folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)["retired"]
        await anonymous.list_("alice", folder=network)
        assert capsys.readouterr().out.split("\t")[:2] == [made["id"], "retired"]
        with pytest.raises(LocalError, match="'nobody' is no anonymous conversation: `mixnet anonymous alice --dir"):
            await anonymous.anonymous("alice", end="nobody", folder=network)
        await anonymous.anonymous("alice", folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out) == []


async def test_what_can_t_be_sent_anonymously_is_said(network):
    async with daemon_of(network, "alice"):
        (network / "note.txt").write_text("no address")
        sent = {"folder": network}
        with pytest.raises(LocalError, match="add --anonymous"):
            await messages.send("alice", "mixnet-address1:x", "hi", **sent)
        with pytest.raises(LocalError, match="--answers is for"):
            await messages.send("alice", "bob", "hi", answers="1d", **sent)
        with pytest.raises(RemoteError, match="not a complete address"):
            await messages.send("alice", str(network / "note.txt"), "hi", anonymous=True, **sent)
