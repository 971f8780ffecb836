"""`mixnet inbox` shows what is new and marks that as read, and nothing that it has not shown."""

import json
import os
import sys
import threading
from contextlib import asynccontextmanager

import pytest
import trio

from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.messages import MarkShown
from mixnet.client.api.server import serve_api
from mixnet.client.cli import inbox
from mixnet.client.e2e.bodies import MessageEvent
from mixnet.client.model import paths
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.client.profile import lock
from mixnet.client.storage.messages import NewMessage
from mixnet.errors import LocalError
from tests.client.worlds.service import make_service

NOW = 1_800_000_000.0


class Desk:
    """A daemon's messenger, in which messages come and go as a test wants it."""

    def __init__(self, service) -> None:
        self.me, self.core = Connection(DirectChannel(service)), service.user._core
        for name in ("bob", "carol"):
            with self.core.change():
                self.core.contacts.add(name, name.encode().ljust(32), ContactState.ESTABLISHED, NOW)

    def comes(self, *texts: str, of: str = "bob") -> None:
        with self.core.change():
            for text in texts:
                self.core.received_text(self.core.contacts.named(of).id, text, None, NOW)

    def comes_a_file(self, of: str = "bob") -> int:
        with self.core.change():
            row = self.core.contacts.named(of).id
            return self.core.messages.add(NewMessage(row, MessageKind.FILE, MessageState.RECEIVING, "f", remote=3), NOW)

    async def unread(self) -> list[str]:
        return [one.text async for one in self.me.messages() if one.unread]


@pytest.fixture
async def desk(tmp_path):
    service = make_service(name="alice")
    directory = tmp_path / "clients" / "alice"
    directory.mkdir(parents=True)
    (directory / paths.SETTINGS).touch()
    with lock.hold(directory / paths.LOCK):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_api, directory / paths.API_SOCKET, service)
            yield Desk(service)
            nursery.cancel_scope.cancel()


@pytest.fixture
def shown(tmp_path, capsys):
    """What the command says with these options: numbers of the messages, and what stands beside them."""

    async def show(**options) -> tuple[list[int], str]:
        await inbox.inbox("alice", folder=tmp_path, as_lines=True, **options)
        said = capsys.readouterr()
        return [json.loads(line)["id"] for line in said.out.splitlines()], said.err

    return show


async def test_what_is_new_is_shown_once_and_all_of_it_on_request(desk, shown):
    assert await shown() == ([], "mixnet: nothing has come yet\n")
    desk.comes("a", "b")
    desk.comes("c", of="carol")
    assert (await shown(contact="bob"))[0] == [1, 2]
    assert await desk.unread() == ["c"]
    assert await shown() == ([3], "")
    numbers, said = await shown()
    assert numbers == [] and "nothing new; 3 messages came before: `mixnet inbox alice --all" in said
    numbers, said = await shown(contact="bob")
    assert numbers == [] and "nothing new; 2 messages" in said and "--contact bob" in said
    assert (await shown(show_all=True))[0] == [1, 2, 3]
    with pytest.raises(LocalError, match="no contact named 'dave'"):
        await shown(contact="dave")


async def test_pages_of_all_lead_back_to_the_first(desk, shown):
    desk.comes(*map(str, range(7)))
    await desk.me.send("bob", "mine")
    assert (await shown(last=3))[0] == [5, 6, 7]
    assert await desk.unread() == ["0", "1", "2", "3"]  # they were not shown
    assert (await shown(show_all=True, last=3, before=5))[0] == [2, 3, 4]
    numbers, said = await shown(last=3, sent=True)
    assert numbers == [6, 7, 8] and "--sent --before 6 " in said
    numbers, said = await shown(last=3, before=3)
    assert (numbers, said) == ([1, 2], "")
    assert await desk.unread() == []


async def test_a_failure_of_what_came_is_news_and_stays_so_until_it_was_shown(desk, shown):
    number = desk.comes_a_file()
    desk.core.warn(desk.core.contacts.named("bob").id, "this does not open", NOW)
    assert (await desk.me.conversations())[0].unread == 1
    with desk.core.change():
        desk.core.fail_message(number, "it ends here")
    assert (await desk.me.conversations())[0].unread == 2
    assert (await shown())[0] == [2, 1], "as they were complete"
    assert (await desk.me.conversations())[0].unread == 0
    assert (await shown())[0] == []


async def test_what_completes_meanwhile_with_a_lower_number_is_not_taken_for_read(desk, shown, monkeypatch):
    file = desk.comes_a_file()
    desk.comes("later")
    mark = MarkShown.run

    async def mark_late(request, service):
        with desk.core.change():
            desk.core.messages.arrived(file, "/f", NOW)
            desk.core.messages.step(file, MessageEvent.COMPLETE)
        await mark(request, service)

    monkeypatch.setattr(MarkShown, "run", mark_late)
    assert (await shown())[0] == [2]
    assert (await shown())[0] == [1]


async def test_to_look_is_not_to_read(desk, shown):
    desk.comes("a")
    assert (await shown(keep_unread=True))[0] == [1]
    [one async for one in desk.me.messages()]
    await desk.me.message(1), await desk.me.search("a"), await desk.me.history(None), await desk.me.count()
    assert await desk.unread() == ["a"]


async def test_counts_are_those_of_all_listings(desk, tmp_path, capsys):
    desk.comes("a", "b")
    desk.comes("c", of="carol")
    await inbox.inbox("alice", counts=True, folder=tmp_path)
    assert capsys.readouterr().out.splitlines() == ["bob\tcontact\t2", "carol\tcontact\t1"]
    await inbox.inbox("alice", counts=True, contact="carol", folder=tmp_path, as_lines=True)
    assert json.loads(capsys.readouterr().out) == {"name": "carol", "kind": "contact", "unread": 1}
    assert [one.unread for one in await desk.me.conversations()] == [2, 1]
    assert await desk.me.count() == (3, 3) and await desk.me.count("bob") == (2, 2)


@asynccontextmanager
async def pipe(monkeypatch, lines: int):
    """Standard output is a pipe, of which somebody reads so many lines, and leaves."""
    reads, writes = os.pipe()
    taken: list[str] = []

    def read() -> None:
        with os.fdopen(reads, encoding="utf-8", buffering=1) as file:
            taken.extend(file.readline() for _ in range(lines))

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(writes, "w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        yield taken
        monkeypatch.undo()
        await trio.to_thread.run_sync(reader.join)
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # what is left in the buffer would fail


async def test_a_reader_that_leaves_after_ten_lines_has_read_ten(desk, tmp_path, monkeypatch):
    desk.comes(*map(str, range(30)))
    async with pipe(monkeypatch, 10) as taken:
        with pytest.raises(BrokenPipeError):
            await inbox.inbox("alice", folder=tmp_path)
    assert len(taken) == 10
    assert await desk.unread() == list(map(str, range(10, 30)))


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
async def test_what_ends_in_the_middle_has_marked_what_was_shown(desk, tmp_path, monkeypatch, capsys, error, after):
    desk.comes(*map(str, range(5)))
    show, left = inbox.render.message, iter(range(after))

    def fails(one) -> None:
        if next(left, None) is None:
            raise error
        show(one)

    monkeypatch.setattr(inbox.render, "message", fails)
    with pytest.raises((error, BaseExceptionGroup)):
        await inbox.inbox("alice", folder=tmp_path)
    assert len(capsys.readouterr().out.splitlines()) == after
    assert await desk.unread() == list(map(str, range(after, 5)))


async def test_following_marks_as_it_goes_on(desk, tmp_path, capsys):
    desk.comes("a")
    async with trio.open_nursery() as nursery:

        async def follow() -> None:
            await inbox.inbox("alice", follow=True, folder=tmp_path)

        nursery.start_soon(follow)
        with trio.fail_after(5):
            while await desk.unread():
                await trio.sleep(0.001)
            desk.comes("b")
            await desk.me.mark_read(1)  # something happens
            while await desk.unread():
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert [line[-1] for line in capsys.readouterr().out.splitlines()] == ["a", "b"]
