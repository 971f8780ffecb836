"""What users' programs have: the API under asyncio and Trio alike, and the programs of docs/python.md."""

import importlib
import re
import runpy
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import get_ident
from types import SimpleNamespace
from typing import get_args

import anyio
import pytest
import trio

from mixnet import client
from mixnet.client.api.command import Access, Asks
from mixnet.client.api.connection import Connection
from mixnet.client.e2e.bodies import MessageEvent
from mixnet.client.model.views import ConversationKind, MessageKind, MessageReceived, MessageState
from mixnet.client.storage.messages import NewMessage
from tests.client.worlds.service import invitation, served

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "python.md"
PROGRAMS = sorted((ROOT / "docs" / "programs").glob("*.py"))
BACKENDS = ("asyncio", "trio")


def core_of(service):
    return service.user._core


def receive(world: SimpleNamespace, text: str, at: float, kind=MessageKind.TEXT, state=MessageState.RECEIVED) -> int:
    """As if a message of the contact bob had come at that time."""
    core = core_of(world.service)
    number = core.messages.add(NewMessage(core.contacts.named("bob").id, kind, state, text, "", 0, at, 1), at)
    world.event_bus.publish([MessageReceived(core.messages.get(number))])
    return number


async def elsewhere(backend: str, program: Callable[[], Awaitable[None]]) -> None:
    """Run a program as a user would, in a thread with an event loop of its own."""
    here = get_ident()

    async def run() -> None:
        assert get_ident() != here
        await program()

    await trio.to_thread.run_sync(lambda: anyio.run(run, backend=backend))


@pytest.fixture
async def world(tmp_path):
    async with served(tmp_path) as world:
        async with client.connect(tmp_path) as me:
            await me.accept(await invitation("bob"), "bob")
        world.folder = tmp_path
        yield world


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_program_asks_waits_and_follows_under_either_loop(world, backend):
    seen = []

    async def program() -> None:
        async with client.connect(world.folder) as me, anyio.create_task_group() as tasks:

            async def follow() -> None:
                async for message in me.messages(follow=True):
                    seen.append(message.text)
                    if message.text == "bye":
                        return

            tasks.start_soon(follow)
            number = await me.send("bob", "hello")
            assert (await me.message(number)).state is client.MessageState.QUEUED
            with pytest.raises(client.LocalError, match="carol"):
                await me.send("carol", "hello")
            with anyio.move_on_after(0.01) as gave_up:
                await me.wait_delivered(number)
            assert gave_up.cancelled_caught
            await me.send("bob", "bye")
            await me.rename("bob", "robert")  # what happens makes whoever follows look

    await elsewhere(backend, program)
    assert seen == ["hello", "bye"]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_program_learns_that_the_daemon_ended_under_either_loop(tmp_path, backend):
    async with trio.open_nursery() as nursery:

        async def program() -> None:
            async with client.connect(tmp_path) as me:
                followed = me.messages(follow=True)
                await me.next_change()
                token.run_sync_soon(leave.set)
                await anext(followed)

        token, leave = trio.lowlevel.current_trio_token(), trio.Event()

        async def run() -> None:
            with pytest.raises(client.DaemonEnded):
                await elsewhere(backend, program)

        async with served(tmp_path):
            nursery.start_soon(run)
            await leave.wait()


async def test_what_was_before_a_time_is_not_given_and_a_file_that_was_still_coming_is(world):
    async with client.connect(world.folder) as me:
        receive(world, "old", 100.0)
        file = receive(world, "file", 0.0, MessageKind.FILE, MessageState.RECEIVING)
        receive(world, "new", 200.0)
        told = [one.text async for one in me.messages(since=150.0)]
        assert told == ["new"]
        followed = me.messages(since=150.0, follow=True)
        assert (await anext(followed)).text == "new"
        core = core_of(world.service)
        core.messages.arrived(file, "/tmp/file", 300.0)
        core.messages.step(file, MessageEvent.COMPLETE)
        world.event_bus.publish([MessageReceived(core.messages.get(file))])
        with trio.fail_after(10):
            assert (await anext(followed)).text == "file"
        assert [one.text async for one in me.messages("bob", since=200.0)] == ["new", "file"], "as they were complete"


async def test_history_comes_backwards_by_the_page_and_a_conversation_says_how_much_is_unread(world):
    async with client.connect(world.folder) as me:
        numbers = [receive(world, f"{number} " + "z" * 4000, 100.0 + number) for number in range(300)]
        found, before = [], None
        while page := await me.history("bob", before):
            assert len(page) <= 200
            found += page
            before = page[-1].id
        assert [one.id for one in found] == numbers[::-1]
        assert await me.conversations() == [
            client.Conversation("bob", ConversationKind.CONTACT, 300, numbers[-1], 399.0)
        ]
        await me.mark_read(numbers[-3])
        await me.mark_read(numbers[-3])
        assert (await me.conversations())[0].unread < 300
        with pytest.raises(client.LocalError, match="carol"):
            await me.history("carol")


def test_the_public_names_are_those_of_the_page_and_the_page_has_the_programs():
    page = PAGE.read_text(encoding="utf-8")
    assert len(PROGRAMS) == 3
    for program in PROGRAMS:
        assert f"```python\n{program.read_text(encoding='utf-8')}```" in page
    named = set(re.findall(r"\bclient\.([A-Z]\w+)", page))
    assert named and named <= set(client.__all__)
    assert set(client.__all__) == {name for name in vars(client.public) if name[0] != "_"} - {"annotations"}


def classes(answer: object) -> set[type]:
    """Those of our own in the type of an answer."""
    inner = {one for part in get_args(answer) for one in classes(part)}
    return inner | {answer} if isinstance(answer, type) and answer.__module__.startswith("mixnet.client.") else inner


def test_what_each_verb_answers_is_named_for_users_programs():
    """A user can write the type of whatever a verb of a connection gives."""
    parts = [Connection, *Access.__subclasses__()]
    asks = [value for part in parts for value in vars(part).values() if isinstance(value, Asks)]
    assert len(asks) > 40
    answers = {one for ask in asks for one in classes(ask._request.returns)}
    assert {one.__name__ for one in answers} - set(client.__all__) == set()


def run(name: str, *arguments: object) -> None:
    """A program of the page, in a thread, as if it were called with these arguments."""
    sys.argv = [name, *map(str, arguments)]
    runpy.run_path(str(ROOT / "docs" / "programs" / f"{name}.py"), run_name="__main__")


@pytest.fixture
def arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", [])
    importlib.import_module("mixnet.client")


async def test_the_journal_goes_on_where_it_was(world, arguments, tmp_path):
    journal = tmp_path / "journal"
    receive(world, "one", 100.0)
    await trio.to_thread.run_sync(run, "journal", world.folder, journal)
    receive(world, 'two\n"', 200.0)
    for _ in range(2):
        await trio.to_thread.run_sync(run, "journal", world.folder, journal)
    lines = journal.read_text().splitlines()
    assert [line.split('"text": ')[1] for line in lines] == ['"one"}', r'"two\n\""}']


async def test_the_answering_program_answers_what_comes_and_no_history(tmp_path, arguments):
    async with trio.open_nursery() as nursery, served(tmp_path) as world, client.connect(tmp_path) as me:
        await me.accept(await invitation("bob"), "bob")
        receive(world, "history", 100.0)

        async def answer() -> None:
            with pytest.raises(SystemExit, match="answer: The daemon has ended"):
                await trio.to_thread.run_sync(run, "answer", tmp_path)

        nursery.start_soon(answer)
        sent = []
        with trio.fail_after(30):
            while not sent:
                receive(world, "hey", 9e9)
                await trio.sleep(0.05)
                sent = [one async for one in me.messages() if one.outgoing]
        assert {one.text for one in sent} == {"Thank you for 3 letters. I am a program."}


async def test_the_delivering_program_shows_how_far_a_file_is(world, arguments, tmp_path, capsys):
    (tmp_path / "report").write_bytes(b"x" * 2000)

    async def deliver() -> None:
        async with client.connect(world.folder) as me:
            while not (sent := await me.history("bob")):
                await trio.sleep(0.01)
            core = core_of(world.service)
            core.messages.progress(sent[0].id, 2000)
            for event in (MessageEvent.SEND, MessageEvent.DELIVER):
                core.messages.step(sent[0].id, event)
            world.event_bus.publish([MessageReceived(core.messages.get(sent[0].id))])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(deliver)
        await trio.to_thread.run_sync(run, "deliver", world.folder, "bob", tmp_path / "report")
    assert capsys.readouterr().out.splitlines()[-1] == "bob has report"
