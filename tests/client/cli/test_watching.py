"""Waiting for a message at the command line: what is shown, and what Ctrl-C leaves."""

import json
from dataclasses import replace

import pytest

from client.api.connection import Connection
from client.cli import messages, render, watching
from client.model.views import MessageInfo, MessageKind, MessageState
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
