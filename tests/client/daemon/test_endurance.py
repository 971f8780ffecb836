"""Sweeps, imports and given-up messages, where a whole daemon or a process that dies matters."""

import pytest
import trio
import trio.lowlevel

from mixnet.client.api import archive
from mixnet.client.api.messages import NotDelivered
from mixnet.client.messenger.archive import ArchiveOps
from mixnet.client.model.errors import StoreUnavailable
from mixnet.client.model.failures import CANCELLED, EXPIRED
from mixnet.client.model.views import MessageState
from mixnet.client.storage.database import Store
from mixnet.client.storage.retention import SWEEP_EVERY
from mixnet.client.traffic.sender import PacketSender
from tests.client.worlds.archive import KEY, NOW, access, file, messenger_of
from tests.client.worlds.crashes import Killed, dying
from tests.client.worlds.daemons import befriend, play, wait_for
from tests.client.worlds.town import Town, rules


def quiet() -> Town:
    """A town with few frames, so that minutes cost little."""
    return Town(3, rules(payload_rate=1.0, loop_rate=0.2, drop_rate=0.1, downlink_rate=2.0))


def test_a_daemon_deletes_what_is_past_its_period_by_itself():
    """Every SWEEP_EVERY seconds, at once when a period is set, and after the store could be written again."""
    seen = {}

    async def program(town, nursery):
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)

        async def left():
            return [message.text async for message in alice.messages()]

        await alice.send("bob", "old", wait=True)
        await alice.archive.retain("bob", 150.0)
        assert await left() == ["old"]
        sent = trio.current_time()
        await trio.sleep_until(sent + 80)
        await alice.send("bob", "new", wait=True)
        await trio.sleep_until(sent + 140)
        assert await left() == ["old", "new"]

        async def gone():
            return await left() == ["new"]

        await wait_for(gone)
        seen["after"] = trio.current_time() - sent
        await alice.archive.retain("bob", 60.0)
        await trio.sleep(1)
        assert await left() == [], "at once when a period changes"

    play(program, quiet())
    assert 150 - 5 < seen["after"] < 150 + SWEEP_EVERY + 1


def test_a_sweep_that_meets_a_full_disk_is_done_again(monkeypatch):
    sweep, calls = ArchiveOps.sweep, []

    def full_at_first(self, now):
        calls.append(now)
        if len(calls) < 3:
            raise StoreUnavailable
        return sweep(self, now)

    monkeypatch.setattr(ArchiveOps, "sweep", full_at_first)

    async def program(town, nursery):
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        await alice.send("bob", "old", wait=True)
        await trio.sleep(62)
        await alice.archive.retain("bob", 60.0)
        await trio.sleep(15)
        assert [message.text async for message in alice.messages()] == []

    play(program, quiet())
    assert len(calls) >= 3 and calls[2] - calls[0] < 12


def test_a_disk_that_fills_up_during_a_sweep_leaves_all_or_nothing_of_a_batch(tmp_path):
    store = Store.open(tmp_path / "s.db", KEY)
    alice = messenger_of(store)
    for number in range(50):
        file(alice, f"{number} " + "w" * 400)
    alice.archive.retain("bob", 60.0)
    run, calls = store.run, 0

    def full(statement, *values):
        nonlocal calls
        calls += statement.startswith("DELETE FROM messages")
        if calls == 20:
            raise StoreUnavailable
        run(statement, *values)

    store.run = full
    with pytest.raises(StoreUnavailable):
        alice.archive.sweep(NOW + 61)
    assert len(alice.messages()) == 50 and len(alice.search("w*")) == 50
    store.run = run
    assert alice.archive.sweep(NOW + 61) is False
    assert alice.messages() == [] and store.all("SELECT rowid FROM found WHERE found MATCH 'w*'") == []


@pytest.mark.parametrize("paused", [False, True])
def test_a_message_given_up_before_its_slot_does_not_leave_a_whole_daemon(monkeypatch, paused):
    """It is taken from the shelf, where it is ready; and while nothing may be sent, what waits expires all the same."""
    if paused:
        monkeypatch.setattr(PacketSender, "_may_send", lambda self: False)

    async def program(town, nursery):
        if paused:
            monkeypatch.undo()
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        if paused:
            monkeypatch.setattr(PacketSender, "_may_send", lambda self: False)
        for number in range(2 if paused else 6):
            # The pauses cover all of a slot's life: waiting, encrypted, on the shelf.
            given_up = await alice.send("bob", f"no {number}", expires=10.0 if paused else None)
            if paused:
                with pytest.raises(NotDelivered, match=EXPIRED.unsent):
                    await alice.wait_delivered(given_up)
                continue
            await trio.lowlevel.checkpoint()
            if (await alice.message(given_up)).state is MessageState.QUEUED:
                assert (await alice.cancel(given_up)).error in (CANCELLED.sent, CANCELLED.unsent)
                assert (await alice.message(given_up)).sent_at == 0.0
        if paused:
            monkeypatch.undo()
        await alice.send("bob", "yes", wait=True)
        assert [message.text async for message in bob.messages()] == ["yes"]

    play(program, quiet())


async def test_an_import_that_died_half_way_goes_on_when_it_is_done_again(tmp_path, monkeypatch):
    first = messenger_of(Store.open(":memory:", KEY))
    for number in range(30):
        file(first, f"{number}", state=MessageState.RECEIVED)
    await access(first).export(tmp_path / "a")
    monkeypatch.setattr(archive, "AT_ONCE", 10)
    store = Store.open(tmp_path / "s.db", KEY)
    second = messenger_of(store)
    second.archive.take_in = dying(second.archive.take_in, 3, first=False)
    store.insert = dying(store.insert, 24, first=True)
    with pytest.raises(Killed):
        await access(second).import_file(tmp_path / "a")
    store.close()
    second = messenger_of(Store.open(tmp_path / "s.db", KEY))
    assert [message.text for message in second.messages()] == [f"{number}" for number in range(20)]
    done = await access(second).import_file(tmp_path / "a")
    assert (done.added, done.skipped) == (10, 20)
    assert [message.text for message in second.messages()] == [f"{number}" for number in range(30)]
