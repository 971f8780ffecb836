"""A client whose clock is set, forward or back: its history stays, and what waits is delivered."""

from functools import partial

import pytest
import trio

from mixnet.client.api.connection import Connection
from mixnet.client.model.views import MessageState
from mixnet.clock import VirtualClock
from mixnet.pki.agreed_clock import ALONE
from tests.client.worlds.daemons import befriend, play
from tests.client.worlds.town import Town
from tests.mixnet.pki.sources import Wrong

MONTH = 30 * 86_400.0


async def history(town: Town, alice: Connection, bob: Connection) -> int:
    """What may be destroyed: something said, kept for a week, and a text that waits; the number of that."""
    await befriend(alice, bob)
    await alice.send("bob", "before", wait=True)
    await alice.archive.retain("bob", 7 * 86_400.0)
    town.swallow = True  # bob isn't there
    return await alice.send("bob", "waits")


@pytest.mark.parametrize("leap", [MONTH, -MONTH])
def test_a_leap_destroys_nothing_and_what_waited_is_delivered(leap):
    async def program(town: Town, nursery: trio.Nursery) -> None:
        await nursery.start(town.run_authority)
        wall = Wrong(town.clock)
        alice = await town.start(nursery, "alice", 1, clock=wall)
        bob = await town.start(nursery, "bob", 2)
        number = await history(town, alice, bob)
        invitation = await alice.invite()
        await alice.anonymous.create_address(86_400.0)
        await trio.sleep(2.0)
        wall.by = leap
        written = await alice.send("bob", "written with a wrong clock")
        await trio.sleep(100.0)
        kept = [(one.text, one.state) for one in await alice.page(None, 0)]
        assert [text for text, _ in kept] == ["before", "waits", "written with a wrong clock"]
        assert MessageState.FAILED not in [state for _, state in kept]
        wall.by = 0.0
        await trio.sleep(70.0)  # what is ready is for keys of before
        town.swallow = False
        await alice.wait_delivered(number)
        await alice.wait_delivered(written)
        assert [one.retired for one in await alice.anonymous.addresses()] == [False]
        carol = await town.start(nursery, "carol", 3)
        await carol.accept(invitation, "alice")
        await carol.wait_established("alice")

    play(program)


@pytest.mark.parametrize("by", [MONTH, -MONTH])
def test_a_start_with_a_wrong_clock_destroys_nothing(by):
    async def program(town: Town, nursery: trio.Nursery) -> None:
        await nursery.start(town.run_authority)
        store = town.store("alice")
        alice = await town.start(nursery, "alice", 1, store)
        bob = await town.start(nursery, "bob", 2)
        number = await history(town, alice, bob)
        await trio.sleep(5.0)
        await alice.stop()
        await trio.sleep(5.0)
        wall = Wrong(town.clock, by)
        alice = await town.start(nursery, "alice", 1, store, clock=wall)
        await trio.sleep(40.0)
        assert store.all("SELECT text FROM messages WHERE state != 'failed' ORDER BY id") == [("before",), ("waits",)]
        wall.by, town.swallow = 0.0, False
        while (await alice.status())["epoch"] is None:
            await trio.sleep(1.0)
        await alice.wait_delivered(number)
        assert [one.text for one in await alice.page(None, 0)] == ["before", "waits"]

    play(program)


def test_what_is_over_goes_when_the_time_has_really_come():
    """The control: a month that everybody has, of which this machine's own clock knows a part only."""

    async def program(town: Town, nursery: trio.Nursery) -> None:
        await nursery.start(town.run_authority)
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        number = await history(town, alice, bob)
        await trio.sleep(10.0)
        assert isinstance(town.clock, VirtualClock)
        town.clock._start += MONTH
        await trio.sleep(100.0)
        assert [one.id for one in await alice.page(None, 0)] in ([], [number])
        assert all(one.state is MessageState.FAILED for one in await alice.page(None, 0))

    play(program)


def test_a_period_holds_some_time_without_any_directory():
    """Nobody confirms or contradicts the clock of this machine: after a day it is believed."""

    async def program(town: Town, nursery: trio.Nursery) -> None:
        store = town.store("alice")
        alice = await town.start(nursery, "alice", 1, store)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        await alice.send("bob", "before", wait=True)
        await alice.archive.retain("bob", 7 * 86_400.0)
        await alice.stop()
        await bob.stop()
        await trio.sleep(5.0)
        wall = Wrong(town.clock, MONTH)
        nursery.start_soon(partial(town.start, nursery, "alice", 1, store, clock=wall))
        await trio.sleep(0.9 * ALONE)
        assert store.all("SELECT text FROM messages") == [("before",)]
        await trio.sleep(0.2 * ALONE)
        assert store.all("SELECT text FROM messages") == []

    play(program, hours=30)
