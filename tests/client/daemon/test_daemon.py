"""Whole clients in virtual time, on a town of their own: what others see of them, and what they do for their users."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from itertools import pairwise

import pytest
import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mixnet.benchmarks.simulation import virtual
from mixnet.client.api.connection import Connection
from mixnet.client.api.daemon_api import PATIENCE, StillWaiting
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.errors import StoreUnavailable
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.client.storage.database import Store
from mixnet.client.traffic.directory_client import EAGER, SHORTEST_PAUSE
from mixnet.client.traffic.packets import Packer
from mixnet.crypto import SigningKey, SymmetricKey
from mixnet.errors import Unavailable
from mixnet.link import FRAME_SIZE
from mixnet.network import Address
from tests.client.worlds.daemons import befriend, play, wait_for
from tests.client.worlds.town import RULES, START, Town, raw_key, rules

Sight = tuple[float, str, str, int]
LENGTH = 20.0  # virtual seconds that an observer watches
HANG_UP = 12.0  # when the provider closes every link, in all runs


def watch(workload: list[tuple[float, int, int]]) -> tuple[list[Sight], int]:
    """What the global observer sees while Alice and Bob do what `workload` says: (pause, who, bytes of text).

    Also gives the number of packets that reached a mailbox, which shows that something happened.
    """
    town = Town(11)
    seen: list[Sight] = []
    town.network.tap = lambda when, source, target, size: seen.append((when, source, target, size))

    async def use(alice: Connection, bob: Connection) -> None:
        await befriend(alice, bob)
        people = [(alice, "bob"), (bob, "alice")]
        for pause, who, size in workload:
            await trio.sleep(pause)
            me, other = people[who]
            await me.send(other, "x" * size)

    async def program() -> None:
        with trio.move_on_after(LENGTH):
            async with trio.open_nursery() as nursery:
                await nursery.start(town.run)
                alice = await town.start(nursery, "alice", 1)
                bob = await town.start(nursery, "bob", 2)
                if workload:
                    nursery.start_soon(use, alice, bob)
                await trio.sleep_until(HANG_UP)
                await town.hang_up()
                await trio.sleep_forever()

    virtual.run(program, seed=5)
    return sorted(seen), town.received["mailbox"]


@cache
def idle_run() -> tuple[list[Sight], int]:
    return watch([])


WORKLOADS = st.lists(st.tuples(st.floats(0.0, 4.0), st.integers(0, 1), st.integers(1, 9000)), min_size=1, max_size=12)


# Without `explain`, which traces every line of a whole network.
@settings(max_examples=12, phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink))
@given(WORKLOADS)
def test_frame_times_and_sizes_of_an_idle_and_a_busy_client_are_identical(workload):
    seen, mail = watch(workload)
    idle_seen, idle_mail = idle_run()
    assert seen == idle_seen
    assert mail > idle_mail


def test_what_an_observer_sees_is_frames_of_one_size_on_two_schedules_per_client():
    up = [when for when, source, _, size in idle_run()[0] if source == "10.0.9.1" and size > FRAME_SIZE]
    down = [when for when, _, target, size in idle_run()[0] if target == "10.0.9.1" and size > FRAME_SIZE]
    assert len(up) == pytest.approx(LENGTH * 4.0, rel=0.4)
    assert len(down) == pytest.approx(LENGTH * 6.0, rel=0.4)
    sizes = {size for _, source, target, size in idle_run()[0] if when_up(source, target)}
    assert min(sizes) < FRAME_SIZE  # the handshakes are in the trace, so the comparison covers them


def when_up(source: str, target: str) -> bool:
    return "10.0.9.1" in (source, target)


def test_two_people_exchange_texts_both_ways_and_learn_of_it():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        mine, theirs = await alice.contacts(), await bob.contacts()
        assert mine[0].safety_number == theirs[0].safety_number
        assert (await alice.verify("bob")).state is ContactState.VERIFIED
        sent = [await alice.send("bob", f"text {number} " + "x" * 3000 * number) for number in range(4)]
        for number in sent:
            assert (await alice.wait_delivered(number)).state in (MessageState.DELIVERED, MessageState.READ)
        await bob.send("alice", "and back", wait=True)
        came = [message async for message in bob.messages() if not message.outgoing]
        assert [message.text.split(" xx")[0].strip() for message in came] == [f"text {number}" for number in range(4)]
        assert all(message.received_at > START for message in came)
        out = [message async for message in alice.messages() if message.outgoing]
        for message, arrived in zip(out, came, strict=True):
            assert 0 < message.drawn_delay < arrived.received_at - message.sent_at
        assert [one.text async for one in alice.messages() if not one.outgoing] == ["and back"]
        assert [one.id for one in await alice.search("text")] == sorted(sent, reverse=True)
        await bob.mark_read(came[-1].id)

        async def is_read() -> bool:
            return (await alice.message(sent[-1])).state is MessageState.READ

        await wait_for(is_read)

    play(program)


def test_a_file_arrives_whole_and_an_iterator_that_follows_gives_it_once(tmp_path):
    content = hashlib.shake_128(b"file").digest(60_000)
    (tmp_path / "picture.bin").write_bytes(content)

    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2, downloads=tmp_path)
        await befriend(alice, bob)
        number = await alice.send_file("bob", tmp_path / "picture.bin")
        await alice.send("bob", "look at this")
        seen = []
        async for message in bob.messages(follow=True):
            seen.append(message)
            if len(seen) == 2:
                break
        assert {message.kind for message in seen} == {MessageKind.TEXT, MessageKind.FILE}
        assert all(message.state is MessageState.RECEIVED for message in seen)
        done = await alice.wait_delivered(number)
        assert done.size == done.done == len(content)

    play(program, Town(3, rules(payload_rate=20.0, downlink_rate=40.0)))


def test_messages_survive_lost_links_and_a_restart_of_both():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        stores: dict[str, Store] = {"alice": town.store("alice"), "bob": town.store("bob")}
        async with trio.open_nursery() as lives:
            alice = await town.start(lives, "alice", 1, stores["alice"])
            bob = await town.start(lives, "bob", 2, stores["bob"])
            await befriend(alice, bob)
            for number in range(3):
                await alice.send("bob", f"before {number} " + "y" * 5000)
            await trio.sleep(1.0)
            lives.cancel_scope.cancel()
        alice = await town.start(nursery, "alice", 1, stores["alice"])
        bob = await town.start(nursery, "bob", 2, stores["bob"])
        last = await alice.send("bob", "after")
        for _ in range(3):
            await trio.sleep(2.0)
            await town.hang_up()
        await alice.wait_delivered(last)
        texts = [message.text.split(" y")[0] async for message in bob.messages() if not message.outgoing]
        assert texts == ["before 0", "before 1", "before 2", "after"]

    play(program)


def test_loops_return_and_are_counted_and_dropping_them_all_pauses_messages_but_not_cover():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        await trio.sleep(30.0)
        calm = await alice.status()
        assert calm["alarm"] == "calm"
        assert calm["loops_lost"] == 0
        assert calm["loops_returned"] > 80
        town.swallow = True
        await trio.sleep(40.0)
        paused = await alice.status()
        assert paused["alarm"] == "paused"
        number = await alice.send("bob", "wait")
        await trio.sleep(20.0)
        after = await alice.status()
        assert (await alice.message(number)).state is MessageState.QUEUED
        assert after["frames"]["message"] == paused["frames"]["message"]
        assert after["frames"]["drop"] > paused["frames"]["drop"] + 30
        town.swallow = False
        await alice.wait_delivered(number)
        assert (await alice.status())["alarm"] == "warned"  # too many were lost, until enough have returned
        await trio.sleep(40.0)
        assert (await alice.status())["alarm"] == "calm"

    play(program, Town(3, rules(loop_rate=4.0, downlink_rate=12.0, epoch_length=600.0)))


def test_documents_come_through_the_provider_in_payload_slots():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        await trio.sleep_until(RULES.epoch_length * 3 + 60)
        figures = await alice.status()
        assert figures["epoch"] == 3
        assert figures["frames"]["request"] == 3
        assert figures["frames"].get("padding", 0) == 0
        assert figures["connections"] == 1
        await alice.send("bob", "in another epoch", wait=True)

    play(program)


def test_without_a_valid_document_slots_carry_padding_and_go_on():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        town.refuse_documents = True
        alice = await town.start(nursery, "alice", 1)
        await trio.sleep_until(RULES.epoch_length * 3 + 60)
        figures = await alice.status()
        assert figures["epoch"] == 0
        assert figures["frames"]["padding"] > 120

    play(program)


def test_a_start_without_any_document_waits_says_for_what_and_begins_by_itself():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        store = Store.open(":memory:", SymmetricKey(bytes(32)))
        alice = await town.start(nursery, "alice", 1, store)
        assert town.clock.now() - START == pytest.approx(PATIENCE)
        await trio.sleep(1800.0)
        figures = await alice.status()
        assert (figures["epoch"], figures["ready"], figures["connected"]) == (None, False, False)
        assert figures["problem"].startswith("waiting for the network's directory: no authority can be reached")
        with pytest.raises(StillWaiting, match="waiting for the network's directory"):
            await alice.invite()
        await nursery.start(town.run_authority)
        await trio.sleep(30.0)
        running = await alice.status()
        assert (running["connected"], running["problem"]) == (True, "")
        assert running["epoch"] == town.bootstrap.epochs.at(town.clock.now())
        assert running.keys() == figures.keys()
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        await alice.send("bob", "at last", wait=True)

    play(program)


def test_a_daemon_that_waits_asks_seldom_after_a_while():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        dialled: list[float] = []

        async def hang_up(stream: trio.abc.Stream) -> None:
            dialled.append(trio.current_time())
            await stream.aclose()

        await nursery.start(
            partial(trio.serve_listeners, hang_up, [await town.network.listen(Address("10.0.0.1", 7000))])
        )
        await town.start(nursery, "alice", 1, Store.open(":memory:", SymmetricKey(bytes(32))))
        await trio.sleep_until(1000.0)
        pauses = [second - first for first, second in pairwise(dialled)]
        assert len([pause for pause in pauses if pause < SHORTEST_PAUSE]) == EAGER - 1
        assert 60 < len(pauses) < 160

    play(program)


def test_a_daemon_that_waits_can_be_stopped():
    ended: list[float] = []

    async def program(town: Town, nursery: trio.Nursery) -> None:
        async with trio.open_nursery() as lives:
            alice = await town.start(lives, "alice", 1, Store.open(":memory:", SymmetricKey(bytes(32))))
            await alice.stop()
        ended.append(town.clock.now() - START)

    play(program)
    assert ended == [pytest.approx(PATIENCE)]


def test_mail_is_acknowledged_only_after_it_is_stored(monkeypatch):
    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        store = town.store("bob")
        bob = await town.start(nursery, "bob", 2, store)
        await befriend(alice, bob)
        await trio.sleep(10.0)
        full = True
        transaction = store.transaction

        def refuse():
            if full:
                raise StoreUnavailable("no space left")
            return transaction()

        monkeypatch.setattr(store, "transaction", refuse)
        number = await alice.send("bob", "keep this")
        await trio.sleep(30.0)
        figures = await bob.status()
        assert figures["problem"] == "no space left"
        received = figures["received"]
        done = sum(received.get(kind, 0) for kind in ("loop", "message", "acknowledgement", "refused", "stale"))
        kept = town.boxes[SigningKey(raw_key("mailbox bob")).public].under_way
        assert len(kept) >= received["mail"] - done > 0
        assert not [message async for message in bob.messages() if not message.outgoing]
        full = False
        await alice.wait_delivered(number)
        assert [message.text async for message in bob.messages() if not message.outgoing] == ["keep this"]

    play(program)


@pytest.mark.faults
@pytest.mark.parametrize("visit", ["next_outgoing", "wake_at", "transmitted", "wants"])
def test_a_fault_of_this_program_in_what_is_sent_ends_no_daemon(monkeypatch, visit):
    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        whole, failed = getattr(Messenger, visit), []

        def fail(self, *given):
            if len(failed) < 5:
                failed.append(visit)
                raise KeyError
            return whole(self, *given)

        monkeypatch.setattr(Messenger, visit, fail)
        numbers = [await alice.send("bob", f"{n}") for n in range(3)]
        if visit == "wants":  # asked only when something that is ready was given up
            await alice.cancel(numbers.pop())
        await trio.sleep(60.0)
        for number in numbers:
            await alice.wait_delivered(number)
        if failed:
            told = [(await one.status())["dropped"]["faults"] for one in (alice, bob)]
            assert sum(told) == len(failed)
        assert failed or visit == "wants"

    play(program)


def test_a_full_disk_stops_neither_cover_nor_daemon_and_messages_leave_when_there_is_room(monkeypatch):
    async def program(town: Town, nursery: trio.Nursery) -> None:
        store = town.store("alice")
        alice = await town.start(nursery, "alice", 1, store)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        number = await alice.send("bob", "first")
        full, transaction, run = True, store.transaction, store.run

        def refuse(*_values: object) -> None:
            raise StoreUnavailable

        monkeypatch.setattr(store, "transaction", lambda: refuse() if full else transaction())
        monkeypatch.setattr(store, "run", lambda *values: refuse() if full else run(*values))
        await trio.sleep_until(RULES.epoch_length + 30)  # so long that there is a new document, too
        figures = await alice.status()
        assert "free some space" in figures["problem"]
        assert figures["epoch"] == 1
        assert figures["connections"] == 1
        with pytest.raises(Unavailable):
            await alice.send("bob", "no room for this")
        full = False
        await alice.wait_delivered(number)
        assert (await alice.status())["problem"] == ""
        assert [message.text async for message in bob.messages() if not message.outgoing] == ["first"]

    play(program)


def test_a_machine_that_slept_through_a_whole_document_goes_on(monkeypatch):
    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        now, slept = town.clock.now, 0.0
        await trio.sleep_until(RULES.epoch_length - 1)  # the next document is here already
        monkeypatch.setattr(type(town.clock), "now", lambda _self: now() + slept)
        slept, town.swallow = 20 * RULES.epoch_length, True  # what was ready before no node takes any more
        await trio.sleep(60.0)
        before = (await alice.status())["frames"]["padding"]
        await trio.sleep(60.0)
        assert (await alice.status())["frames"]["padding"] > before + 100

    play(program)


def test_cover_is_made_however_long_the_messenger_works(monkeypatch):
    class Slow(InlineWorker):
        async def call(self, function, *args, **kwargs):  # type: ignore[no-untyped-def]
            await trio.sleep(3.0)
            return await super().call(function, *args, **kwargs)

    monkeypatch.setattr("mixnet.client.daemon.daemon.InlineWorker", Slow)

    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        await alice.send("bob", "hello", wait=True)
        assert (await alice.status())["frames"].get("padding", 0) == 0

    play(program, Town(3, rules(payload_rate=20.0)))


def test_a_stopped_daemon_ends():
    async def program(town: Town, nursery: trio.Nursery) -> None:
        async with trio.open_nursery() as lives:
            alice = await town.start(lives, "alice", 1)
            await alice.stop()

    play(program)


def test_where_slots_are_rare_a_message_waits_for_one_and_few_packets_are_made_in_vain(monkeypatch):
    made: list[object] = []
    create = Packer._create

    def creating(*args, **kwargs):  # type: ignore[no-untyped-def]
        made.append(args)
        return create(*args, **kwargs)

    monkeypatch.setattr(Packer, "_create", creating)

    async def program(town: Town, nursery: trio.Nursery) -> None:
        alice = await town.start(nursery, "alice", 1)
        bob = await town.start(nursery, "bob", 2)
        await befriend(alice, bob)
        await alice.send("bob", "hello", wait=True)
        figures = [await one.status() for one in (alice, bob)]
        assert sum(one["frames"].get("message", 0) for one in figures) <= 6  # of a greeting, its answer, and the text
        assert len(made) < 3 * sum(one["packets_out"] for one in figures)

    slow = rules(payload_rate=1 / 60, loop_rate=0.0, drop_rate=0.0, downlink_rate=0.1, epoch_length=40_000.0)
    play(program, Town(3, slow))
