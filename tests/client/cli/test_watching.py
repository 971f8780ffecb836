"""Waiting for a message at the command line: what is shown, and what Ctrl-C leaves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from mixnet.client.api.connection import Connection
from mixnet.client.cli import contacts, messages, render, watching
from mixnet.client.model.views import ContactState, MessageInfo, MessageKind, MessageState
from mixnet.client.profile import lock
from mixnet.errors import LocalError, Unavailable
from tests.client.worlds.daemons import daemon_of

FILE = MessageInfo(7, "bob", True, MessageKind.FILE, MessageState.QUEUED, "a", "/a", 1000, 0, "", 1.0, 0.0, 0.0, 0.0)


def test_progress_is_a_few_lines_where_there_is_no_terminal(capsys):
    with render.waiting("sending", message=True) as show:
        show(FILE)
        for done in range(0, 1001, 5):
            show(replace(FILE, state=MessageState.SENT, done=done))
        show(replace(FILE, state=MessageState.DELIVERED, done=1000))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "mixnet: message 7 is queued, 0 % of 1,000 bytes"
    assert lines[1:] == [f"mixnet: message 7 is sent, {share} % of 1,000 bytes" for share in range(0, 101, 10)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("", [KeyboardInterrupt()])])
def test_ctrl_c_says_that_the_daemon_goes_on_and_what_to_do(capsys, error):
    with pytest.raises(type(error)), watching.Watch("alice smith", None) as watch:
        watch.accepted_message(7)
        raise error
    shown = capsys.readouterr().err
    assert "mixnet message 'alice smith' 7" in shown and "mixnet cancel 'alice smith' 7" in shown and "goes on" in shown


@pytest.mark.parametrize("number", [7, None])
def test_only_an_interrupted_wait_is_explained(capsys, number):
    with pytest.raises(ValueError, match="other"), watching.Watch("alice", None) as watch:
        if number is not None:
            watch.accepted_message(number)
        raise ValueError("other")
    with pytest.raises(KeyboardInterrupt), watching.Watch("alice", None):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == ""


async def test_sending_a_file_says_how_long_it_takes_and_a_wait_that_ends_early_how_to_look(
    network,
    capsys,
    monkeypatch,
):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite())
        (network / "a").write_bytes(b"x" * 1_000_000)
        capsys.readouterr()
        await messages.send("alice", "bob", file=network / "a", folder=network)
        assert "message 1: about 15s at this network's rate, if bob is there" in capsys.readouterr().err
        await messages.send("alice", "bob", file=network / "a", folder=network, as_json=True)
        shown = capsys.readouterr()
        assert json.loads(shown.out)["estimate"] == pytest.approx(27, abs=1) and shown.err == ""

        async def interrupted(self, number, on_change):
            on_change(await self.message(number))
            raise KeyboardInterrupt

        monkeypatch.setattr(Connection, "wait_delivered", interrupted)
        with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
            await messages.send("alice", "bob", "hi", wait=True, folder=network)
        assert f"cancel with `mixnet cancel alice 3 --dir {network}`" in capsys.readouterr().err


async def test_what_keeps_the_daemon_from_getting_on_is_said_once_and_that_it_is_over(
    capsys, monkeypatch, autojump_clock
):
    seen = ["", "not connected: away", "not connected: away", "", ""]

    async def trouble(_directory):
        await trio.lowlevel.checkpoint()
        return seen.pop(0)

    monkeypatch.setattr(watching, "_trouble", trouble)
    with trio.move_on_after(watching.QUICK + 4.5 * watching.LOOK):
        await watching.tell_trouble(Path("p"), "alice", None)
    assert capsys.readouterr().err.splitlines() == [
        "mixnet: not connected: away; what waits goes on by itself when that is over",
        "mixnet: that is over",
    ]


async def test_a_quick_command_is_told_of_nothing(capsys, monkeypatch, autojump_clock):
    monkeypatch.setattr(watching, "_trouble", None)
    with trio.move_on_after(watching.QUICK - 0.1):
        await watching.tell_trouble(Path("p"), "alice", None)
    assert capsys.readouterr().err == ""


async def test_what_takes_long_is_explained_and_what_fails_is_raised_as_it_is(capsys, autojump_clock):
    watch = watching.Watch("alice", Path("/x"))
    async with watch.long("see `mixnet contacts PROFILE`"):
        await trio.sleep(watching.SLOW - 1)
    assert capsys.readouterr().err == ""
    with pytest.raises(Unavailable):
        async with watch.long("see `mixnet contacts PROFILE`"):
            await trio.sleep(watching.SLOW + 1)
            raise Unavailable("x")
    assert capsys.readouterr().err == "mixnet: see `mixnet contacts alice --dir /x`\n"


async def test_a_daemon_that_does_not_answer_is_not_taken_for_one_without_trouble(network, monkeypatch):
    async with daemon_of(network, "alice") as alice:
        directory = network / "clients" / "alice"
        assert await watching._trouble(directory) != "x"
        monkeypatch.setattr(watching, "LOOK", 0.0)
        monkeypatch.setattr(lock, "holder", lambda _path: 7)
        assert await watching._trouble(directory) == (
            "the daemon (process 7) does not answer: it is busy, or was stopped"
        )
        assert await alice.contacts() == []


async def test_ctrl_c_while_an_invitation_is_accepted_says_what_goes_on(network, capsys, monkeypatch):
    async def interrupted(_self, _name):
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "wait_established", interrupted)
    async with daemon_of(network, "alice"), daemon_of(network, "bob") as bob:
        with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
            await contacts.accept("alice", await bob.invite(), contact="bob", folder=network)
        said = capsys.readouterr().err
        assert "waiting for the daemon of bob to answer" in said
        assert f"`mixnet contacts alice --delete bob --dir {network}` takes it back" in said
        await contacts.contacts("alice", folder=network)
        assert "an invitation that was used before is never answered" in capsys.readouterr().err


async def test_somebody_who_is_a_contact_already_is_not_shown_as_a_new_one(network, capsys):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite(), "bob")
        with pytest.raises(LocalError, match="already have this contact, named 'bob'"):
            await contacts.accept("alice", await bob.invite(), wait=False, folder=network)
        known = (await alice.contacts())[0]
        established = replace(known, state=ContactState.ESTABLISHED)
        assert "is a contact of yours already" in contacts._again(established, None)
        assert "not 'robert'" in contacts._again(established, "robert")
        assert "another try" in contacts._again(replace(known, state=ContactState.EXPIRED), None)
