"""The terminal program, driven as its user drives it, before a daemon's real API."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import trio

from mixnet import extras
from mixnet.client.api.connection import connect
from mixnet.client.api.server import serve_api
from mixnet.client.chat import app as program
from mixnet.client.chat.history import History
from mixnet.client.cli.chat import ChatMissing, chat
from mixnet.client.e2e.bodies import MessageEvent
from mixnet.client.model import paths
from mixnet.client.model.views import MessageKind, MessageStateChanged
from tests.client.chat.screen import conversation, receive, use

HOSTILE = [
    "[bold red]markup[/] [@click=app.quit]leave[/] [link=file:///etc]x[/link] [/nothing",
    "\x1b[2J\x1b]0;title\x07\x9b31m\r\x08 \u202ereversed",
    "no\n18:00 you  delivered\n> yes\n" + "long " * 40 + "12:00 you delivered",
    "$[bold]$ {curly} \\[escaped] :smile: \U0001f600",
]
STATES = {MessageEvent.SEND: "sent", MessageEvent.DELIVER: "delivered", MessageEvent.SEE: "read"}


def step(world, number: int, event: MessageEvent, done: int | None = None) -> None:
    """Something happens to a message."""
    core = world.service.user._core
    core.messages.step(number, event)
    if done is not None:
        core.messages.progress(number, done)
    world.event_bus.publish([MessageStateChanged(core.messages.get(number))])


async def test_a_day_unread_counts_opening_writing_states_and_what_was_seen(tmp_path):
    async with conversation(tmp_path, "bob", "carol") as world:
        receive(world, "bob", "first", 100.0)
        receive(world, "bob", "second", 101.0)
        receive(world, "carol", "you there?", 50.0)

        async def play(user):
            await user.until("(2) bob")
            assert user.text.index("(2) bob") < user.text.index("(1) carol")  # the last to write is at the top
            await user.press("enter")
            await user.until("second")
            await user.until(lambda: "(2)" not in user.text)  # seen, and so marked as read
            assert "(1) carol" in user.text
            assert "Help" in user.text and "not connected" in user.text
            await user.press("h", "i", "ctrl+j", "!", "enter")
            await user.until("you  queued")
            number = user.app.query_one(History).options[-1].id
            for event, state in (
                (MessageEvent.SEND, "sent"),
                (MessageEvent.DELIVER, "delivered"),
                (MessageEvent.SEE, "read"),
            ):
                user.at_daemon(step, int(number), event)
                await user.until(f"you  {state}")
            assert "hi\n" in user.text and "  !" in user.text
            await user.press("escape", "down", "enter")
            await user.until("you there?")
            await user.press("b", "e", "g", "u", "n", "escape", "up", "enter")
            await user.until("second")
            assert "begun" not in user.text
            await user.until("carol invited draft")
            await user.press("escape", "down", "enter")
            await user.until("begun")

        await use(tmp_path, world, play)
        async with connect(tmp_path) as me:
            assert [one.unread for one in await me.conversations()] == [0, 0]
            assert [one.text async for one in me.messages("bob") if one.outgoing] == ["hi\n!"]


async def test_history_is_loaded_by_pages_as_one_scrolls_and_stays_in_place(tmp_path):
    async with conversation(tmp_path, "bob") as world:
        numbers = [receive(world, "bob", f"message {count}.", 100.0) for count in range(450)]

        async def play(user):
            await user.until("(450) bob")
            await user.press("enter")
            await user.until("message 449.")
            history = user.app.query_one(History)
            assert history.option_count <= 200
            await user.press("shift+tab", "up")
            assert history.chosen.id == numbers[-2]
            history.scroll_to(y=20, animate=False)
            await user.until("message 260.")
            top = next(line for line in user.text.splitlines() if "message" in line)
            history.scroll_to(y=2, animate=False)
            await user.until(lambda: history.option_count > 200)
            await user.pilot.pause(0.1)
            assert "message 251." in user.text, top
            await user.press("home")
            await user.until(lambda: history.option_count == 450 or history.scroll_to(y=0, animate=False))
            assert [int(option.id) for option in history.options] == numbers
            await user.press("home")
            await user.until("message 0.")
            user.at_daemon(receive, "bob", "meanwhile")
            await user.until(lambda: history.option_count == 451)
            assert "message 0." in user.text and "meanwhile" not in user.text  # one reads on where one was

        await use(tmp_path, world, play)
        async with connect(tmp_path) as me:
            assert [one.unread for one in await me.conversations()] == [1]  # nobody has seen the last one


def check_harmless(text: str, *shown: str) -> None:
    """Nothing but text, and no line of theirs at the edge at which ours begin."""
    flat = "".join(text.split())
    assert [one for one in shown if "".join(one.split()) not in flat] == []
    assert [letter for letter in text if not letter.isprintable() and letter != "\n"] == []
    assert not re.search(r"(?m)^(.{25}│)? 1[28]:00 you", text)


async def test_what_others_chose_is_text_wherever_it_is_shown(tmp_path):
    async with conversation(tmp_path, "bob") as world:
        for text in HOSTILE:
            receive(world, "bob", text)
        receive(world, "bob", HOSTILE[0], kind=MessageKind.FILE, path=f"/tmp/{HOSTILE[1]}")

        async def play(user):
            await user.until("bob")
            await user.press("enter")
            await user.until("[/nothing")
            check_harmless(user.text, "[/nothing", "file [bold red]markup[/]", "18:00 you  delivered")
            await user.press("shift+tab", "home", "enter")
            await user.until("Read or copy")
            await user.press("enter")
            await user.until("[bold red]markup[/]")
            check_harmless(user.text, "[/nothing")
            await user.press("escape", "ctrl+r")
            await user.write("markup")
            await user.press("enter")
            await user.until("2 found, newest")
            check_harmless(user.text, "[@click=app.quit]")
            await user.press("escape")
            for text in HOSTILE:
                user.app.warn(text)
                user.app.say(text)
                await user.pilot.pause()
                check_harmless(user.text)
            await user.until("$[bold]$ {curly}")

        await use(tmp_path, world, play)


@pytest.mark.parametrize("size", [(40, 15), (20, 8)])
async def test_one_can_write_at_any_width(tmp_path, size):
    async with conversation(tmp_path, "bob") as world:
        receive(world, "bob", "word " * 30)

        async def play(user):
            await user.until("bob")
            await user.press("enter", "h", "i", "enter")
            await user.until(lambda: user.app.query_one(History).option_count == 2)
            await user.press("ctrl+t")
            await user.until("bob: pending")
            await user.press("escape", "escape")
            await user.until("bob")
            assert max(map(len, user.text.splitlines())) <= size[0]

        await use(tmp_path, world, play, size)


async def test_when_the_daemon_ends_it_says_so_keeps_what_was_written_and_goes_on_with_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "RETRY", 0.05)
    (tmp_path / "other").mkdir()
    (tmp_path / paths.SETTINGS).touch()
    lives = [trio.CancelScope(), trio.CancelScope()]
    async with conversation(tmp_path / "other", "bob") as world, trio.open_nursery() as nursery:

        async def live(number: int, task_status=trio.TASK_STATUS_IGNORED) -> None:
            with lives[number]:
                await serve_api(tmp_path / paths.API_SOCKET, world.service, task_status=task_status)

        async def play(user):
            await user.until("No daemon runs")
            user.at_daemon(lambda _: nursery.start_soon(live, 0))
            await user.until("bob")
            await user.press("enter", "h", "i")
            user.at_daemon(lambda _: lives[0].cancel())
            await user.until("daemon")
            await user.press("enter")
            await user.until("no daemon runs: this waits")
            assert "│ hi" in user.text
            user.at_daemon(lambda _: nursery.start_soon(live, 1))
            await user.until("not connected")
            await user.press("enter")
            await user.until("you  queued")
            user.at_daemon(lambda _: lives[1].cancel())

        await use(tmp_path, world, play)


async def test_a_contact_is_verified_a_message_found_a_file_sent_and_a_group_begun(tmp_path):
    (tmp_path / "photo").write_bytes(b"x" * 4000)
    async with conversation(tmp_path, "bob") as world:
        for count in range(250):
            receive(world, "bob", f"message {count}." + (" needle" if count == 3 else ""))

        async def play(user):
            await user.until("bob")
            await user.press("enter")
            await user.until("message 249.")
            await user.press("ctrl+r")
            await user.write("needle")
            await user.press("enter")
            await user.until("1 found")
            await user.press("enter")
            await user.until("message 3. needle")
            assert user.app.query_one(History).chosen.text == "message 3. needle"
            await user.press("ctrl+o")
            await user.write(str(tmp_path / "photo"))
            await user.press("enter")
            await user.until(lambda: user.app.query_one(History).option_count == 251)
            number = int(user.app.query_one(History).options[-1].id)
            user.at_daemon(step, number, MessageEvent.SEND, 1000)
            await user.press("tab", "shift+tab", "end")
            await user.until("sent, 25 %")
            await user.press("ctrl+n", "down", "down", "enter")
            await user.write("club")
            await user.press("enter")
            await user.until("# club")
            listed = [one.name for one in user.app._conversations]
            await user.press("escape", "home", *["down"] * listed.index("club"), "enter")
            await user.until(lambda: user.app.opened.name == "club")
            await user.press("h", "i", "enter")
            await user.until("alone in this group")
            assert user.app.query_one(History).option_count == 0
            await user.press("ctrl+t")
            await user.until("(you), admin")
            await user.press("escape", "ctrl+g")
            await user.until("begin a new line")
            await user.press("escape")

        await use(tmp_path, world, play)


@pytest.mark.parametrize("cloned", [True, False])
def test_without_its_library_the_exact_command_is_said(monkeypatch, tmp_path, cloned):
    monkeypatch.setattr(extras, "CLONE", tmp_path)
    if cloned:
        (tmp_path / "Makefile").touch()
        monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setitem(sys.modules, "textual", None)
    for loaded in [name for name in sys.modules if name.startswith(("textual.", "mixnet.client.chat"))]:
        monkeypatch.delitem(sys.modules, loaded)
    with pytest.raises(ChatMissing) as told:
        chat("alice")
    command = re.search("`(.+?)`", str(told.value))[1]
    if cloned:
        assert shlex.split(command) == ["make", "-C", str(tmp_path), "extras"]
        return
    assert shlex.split(command)[:4] == [sys.executable, "-m", "pip", "install"]
    extra = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert shlex.split(command)[4:] == extra["tui"]


async def test_a_text_is_edited_and_deleted_and_a_period_is_shown(tmp_path):
    async with conversation(tmp_path, "bob") as world:

        async def play(user):
            await user.until("bob")
            await user.press("enter", "h", "i", "enter")
            await user.until("you  queued")
            await user.press("shift+tab", "enter")
            await user.until("Edit it")
            await user.press("down", "enter")
            await user.until("shall say")
            await user.write("oh ")
            await user.press("enter")
            await user.until("oh hi")
            user.at_daemon(lambda one: one.service.user.revisions.let_disappear("bob", 3600, 1e9))
            await user.until("disappear after 1h")
            await user.press("enter")
            await user.until("Delete it")
            await user.press("down", "down", "enter")
            await user.until("Keep it")
            await user.press("down", "enter")
            await user.until("(deleted by you)")
            assert "oh hi" not in user.text
            user.at_daemon(lambda one: [one.service.user.archive.delete(m.id) for m in one.service.user.messages()])
            await user.until(lambda: "deleted" not in user.text)

        await use(tmp_path, world, play)
