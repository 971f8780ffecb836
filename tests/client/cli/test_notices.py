"""Notices are few, say how much came and nothing of it, and go when it was read."""

import math
from itertools import pairwise

import pytest
import trio

from mixnet.client.cli.notices import Notice, follow, notice
from mixnet.client.model.views import Conversation, ConversationKind


class World:
    """A daemon in which messages come and are read, and the desktop, in virtual time."""

    def __init__(self) -> None:
        self.unread: dict[str, int] = {}
        self.shown: list[tuple[float, str, str]] = []
        self.cleared: list[float] = []
        self._change = trio.Event()

    async def conversations(self) -> list[Conversation]:
        await trio.lowlevel.checkpoint()
        return [Conversation(name, ConversationKind.ANONYMOUS, n, 0, 0.0) for name, n in self.unread.items()]

    async def next_change(self) -> trio.Event:
        await trio.lowlevel.checkpoint()
        return self._change

    async def show(self, one: Notice) -> None:
        await trio.lowlevel.checkpoint()
        self.shown.append((trio.current_time(), one.title, one.text))

    async def clear(self) -> None:
        await trio.lowlevel.checkpoint()
        if len(self.cleared) < len(self.shown):
            self.cleared.append(trio.current_time())

    async def after(self, seconds: float, **unread: int) -> None:
        await trio.sleep(seconds)
        self.unread |= unread
        self._change.set()
        self._change = trio.Event()


@pytest.fixture
async def world(nursery):
    made = World()
    made.unread["old"] = 5
    nursery.start_soon(lambda: follow(made, made, names=True, every=30.0))
    yield made


async def test_what_was_unread_before_is_no_news_and_what_comes_is(world, autojump_clock):
    await world.after(100)
    assert world.shown == []
    await world.after(0, bob=1)
    await trio.sleep(5)
    assert world.shown == [(101.0, "bob", "1 new message")]


async def test_a_crowd_is_one_notice_in_each_period(world, autojump_clock):
    for number in range(600):  # ten strangers a second for a minute
        await world.after(0.1, **{f"stranger {number}": 1})
    await trio.sleep(60)
    times = [at for at, _, _ in world.shown]
    assert len(times) == math.ceil(60 / 30) + 1
    assert min(later - at for at, later in pairwise(times)) >= 30.0
    assert world.shown[-1][1:] == ("stranger 0, stranger 1, stranger 10 and 597 more", "600 new messages")


async def test_what_is_read_elsewhere_at_once_is_no_notice_and_one_goes_when_all_is_read(world, autojump_clock):
    await world.after(10, bob=1)
    await world.after(0.5, bob=0)  # seen in an open chat
    await trio.sleep(60)
    assert world.shown == []
    await world.after(0, bob=2, carol=1)
    await trio.sleep(5)
    await world.after(0, bob=0)
    await trio.sleep(5)
    assert world.cleared == []
    await world.after(0, carol=0)
    await trio.sleep(5)
    assert len(world.cleared) == len(world.shown) == 1
    await world.after(100, carol=1)
    await trio.sleep(5)
    assert world.shown[-1][1:] == ("carol", "1 new message")


@pytest.mark.parametrize("name", ["<b>bob</b>", "bob\n1 new message\x1b[2J", "bob\u202e", "אב"])
def test_nothing_but_a_number_is_told_unless_names_are_asked_for_which_stay_on_a_line(name):
    assert notice({name: 2}, names=False) == Notice("mixnet", "2 new messages")
    told = notice({name: 1000}, names=True)
    assert told.text == "1,000 new messages" and "\n" not in told.title and "\x1b" not in told.title
