"""Clients, online or away, get over any number of replaced authorities, and believe neither a provider nor a thief."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from mixnet.benchmarks.simulation import virtual
from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.daemon.daemon import serve
from mixnet.client.model import paths
from mixnet.client.profile.profile import create, load, open_store
from mixnet.client.storage.database import Store
from mixnet.client.traffic import directory_client
from mixnet.client.traffic.directory_client import PATIENCE, PAUSE, StoreMemory
from mixnet.crypto import SymmetricKey
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.requests import AskDocument
from mixnet.pki.trust import Trust
from tests.client.worlds.daemons import befriend
from tests.client.worlds.town import RULES, Town

LENGTH = RULES.epoch_length
FIRST, SECOND = 2, 4
OLD = "10.0.0.1"
REPLACED = (
    "the authorities give directory documents that others signed than this machine knows: if the bootstrap file is not "
    "another network's, they have been replaced: get a fresh one from the network's operators"
)


def replaced() -> Town:
    town = Town(5)
    town.lineage.succeed(FIRST, announced=1)
    town.lineage.succeed(SECOND, announced=3)
    return town


def play(town: Town, program: Callable[[trio.Nursery], Awaitable[None]]) -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(town.run)
            await nursery.start(town.run_authority)
            await program(nursery)
            nursery.cancel_scope.cancel()

    virtual.run(run, seed=1)


async def until(epoch: float) -> None:
    await trio.sleep(epoch * LENGTH - trio.current_time())


async def status_of(client: Connection) -> tuple[int | None, str]:
    figures = await client.status()
    return figures["epoch"], figures["problem"]


def test_no_message_is_lost_while_the_authorities_are_replaced_twice():
    town = replaced()

    async def program(nursery: trio.Nursery) -> None:
        stores = {name: town.store(name) for name in ("alice", "bob")}
        alice = await town.start(nursery, "alice", 1, stores["alice"])
        bob = await town.start(nursery, "bob", 2, stores["bob"])
        await befriend(alice, bob)
        sent = []
        while trio.current_time() < (SECOND + 1.5) * LENGTH:
            sent.append((await alice.send("bob", f"text {len(sent)}"), f"text {len(sent)}"))
            await trio.sleep(3.0)
        for number, _ in sent:
            await alice.wait_delivered(number)
        came = [message.text async for message in bob.messages() if not message.outgoing]
        assert came == [text for _, text in sent]
        for name, client in (("alice", alice), ("bob", bob)):
            assert await status_of(client) == (town.bootstrap.epochs.at(town.clock.now()), "")
            assert directory_client.introductions(stores[name]) == [town.document(1), town.document(3)]
        assert town.questions == []  # the provider's documents are all that it takes

    play(town, program)


@pytest.mark.parametrize("gone", [(), (OLD,), ("10.0.9.11",)])
def test_a_client_that_was_away_for_a_month_is_led_across_two_successions(gone):
    """If the first ones are gone, all that it knows is: then it takes a fresh bootstrap file, and it says so."""
    town = replaced()

    async def program(nursery: trio.Nursery) -> None:
        store = town.store("alice")
        await trio.sleep(30 * 86400.0)
        for host in gone:
            town.network.crash(host)
        alice = await town.start(nursery, "alice", 1, store)
        await trio.sleep(60.0)
        if OLD in gone:
            assert "may have been replaced: get a fresh bootstrap file" in (await status_of(alice))[1]
            return
        present = town.bootstrap.epochs.at(town.clock.now())
        assert await status_of(alice) == (present, "")
        assert directory_client.introductions(store) == [town.document(1), town.document(3)]
        assert directory_client.kept(store) == town.document(present)

    play(town, program)


def test_a_provider_that_hides_the_introduction_is_passed_over_at_a_time_drawn_ahead():
    """What it gives then is of an unknown set: refused, until the authorities are asked, at no time of its choosing."""
    town = replaced()
    honest = town.document
    asked: list[float] = []

    async def program(nursery: trio.Nursery) -> None:
        store = town.store("alice")
        lying = True

        def hides(epoch: int = 0, by: Bootstrap | None = None, successor: object = None) -> bytes:
            return honest(epoch, by=town.bootstrap) if lying and epoch < FIRST else honest(epoch, by)

        town.document = hides  # type: ignore[method-assign, assignment]
        alice = await town.start(nursery, "alice", 1, store)
        await until(FIRST + 0.99)
        assert directory_client.introductions(store) == []
        assert (await status_of(alice))[0] == FIRST - 1
        assert "get a fresh bootstrap file" in (await status_of(alice))[1]
        assert town.questions == []
        lying = False

        async def watch() -> None:
            while not town.questions:
                await trio.sleep(0.1)
            asked.append(trio.current_time())

        nursery.start_soon(watch)
        await until(FIRST + 1.5)
        assert await status_of(alice) == (FIRST + 1, "")
        assert directory_client.introductions(store) == [town.document(1), town.document(3)]

    play(town, program)
    drawn = asked[0] - (FIRST + 1 + PATIENCE) * LENGTH
    pause = max(directory_client.SHORTEST_PAUSE, PAUSE * LENGTH)
    assert pause <= drawn <= 2 * pause + 1.0


@pytest.mark.parametrize("lie", ["forged", "by the thief", "altered"])
def test_a_provider_introduces_nobody(lie):
    """Its own document introduces the thief's authorities; a majority of the right ones didn't sign it."""
    town = replaced()
    honest = town.document
    thief = Town(5).lineage.succeed(FIRST, announced=1, name="thief")

    async def program(nursery: trio.Nursery) -> None:
        store = town.store("alice")

        def lies(epoch: int = 0, by: Bootstrap | None = None, successor: object = None) -> bytes:
            if epoch != 1 or by is not None:
                return honest(epoch, by)
            raw = honest(1, by=town.bootstrap, successor=thief.successor)
            if lie == "forged":
                return raw[:-1] + bytes([raw[-1] ^ 1])
            if lie == "altered":
                return raw.replace(thief.authorities[0].identity, town.lineage.sets[1].authorities[0].identity)
            return honest(1, by=town.lineage.sets[2], successor=thief.successor)

        town.document = lies  # type: ignore[method-assign, assignment]
        alice = await town.start(nursery, "alice", 1, store)
        await until(1.9)
        assert (await status_of(alice))[0] == 0
        assert (await status_of(alice))[1] != ""
        assert directory_client.introductions(store) == []

    play(town, program)


def stolen(town: Town) -> Callable[..., bytes]:
    """What the thief of the old set's keys makes for any epoch."""
    honest = town.document
    return lambda epoch=0, by=None, successor=None: honest(epoch, by=town.bootstrap)


def test_documents_of_stolen_keys_of_the_old_set_are_refused():
    """The provider gives them, and, at all addresses of authorities, the thief does."""
    town = replaced()

    async def program(nursery: trio.Nursery) -> None:
        store = town.store("alice")
        alice = await town.start(nursery, "alice", 1, store)
        await until(FIRST - 0.5)
        assert directory_client.introductions(store) == [town.document(1)]
        town.document = stolen(town)  # type: ignore[method-assign]
        await until(FIRST + 1.99)
        assert await status_of(alice) == (FIRST - 1, REPLACED)
        assert town.questions != []

    play(town, program)


def test_after_a_restart_they_are_refused_too():
    """Control: without the introduction, which a client that was away lacks, they would not be."""
    town = replaced()

    async def program(nursery: trio.Nursery) -> None:
        store = town.store("alice")
        async with trio.open_nursery() as first_life:
            await town.start(first_life, "alice", 1, store)
            await until(FIRST + 0.5)
            first_life.cancel_scope.cancel()
        assert directory_client.kept(store) == town.document(FIRST)  # which tells nobody who comes after whom
        town.document = stolen(town)  # type: ignore[method-assign]
        await until(FIRST + 5.5)
        alice = await town.start(nursery, "alice", 1, store)
        epoch, problem = await status_of(alice)
        assert (epoch, REPLACED in problem) == (None, True)
        bob = await town.start(nursery, "bob", 2)
        assert (await status_of(bob))[0] == FIRST + 5

    play(town, program)


def test_a_profile_takes_a_fresh_bootstrap_file(tmp_path: Path):
    """In the old one's place; contacts, mailbox and messages stay, and introductions that don't fit are harmless."""
    town = replaced()
    town.bootstrap.save(tmp_path / "old.json")
    profile = create(
        tmp_path / "alice", name="alice", bootstrap=tmp_path / "old.json", provider=town.providers[1].public
    )
    town.lineage.sets[-1].save(tmp_path / "fresh.json")

    async def live(store: Store, task_status: trio.TaskStatus[object]) -> None:
        await serve(
            replace(load(tmp_path / "alice"), directory=None, source="10.0.9.1"),  # without sockets: no thread here
            network=town.network,
            clock=town.clock,
            rng=town.rng.child("alice"),
            engine=town.engine,
            store=store,
            task_status=task_status,  # type: ignore[arg-type]
        )

    async def program(nursery: trio.Nursery) -> None:
        store = open_store(profile)
        bob = await town.start(nursery, "bob", 2)
        async with trio.open_nursery() as first_life:
            alice = Connection(DirectChannel(await first_life.start(live, store)))
            await befriend(alice, bob)
            await until(FIRST - 0.5)
            first_life.cancel_scope.cancel()
        assert directory_client.introductions(store) == [town.document(1)]
        await trio.sleep(10 * LENGTH)
        town.network.crash(OLD)
        town.network.crash("10.0.9.11")
        (tmp_path / "fresh.json").replace(tmp_path / "alice" / paths.BOOTSTRAP)
        alice = Connection(DirectChannel(await nursery.start(live, store)))
        await alice.wait_delivered(await alice.send("bob", "still me"))
        await bob.wait_delivered(await bob.send("alice", "still you"))
        assert (await status_of(alice))[1] == ""

    play(town, program)


# The store.


async def test_introductions_stay_in_the_store_in_order() -> None:
    store = Store.open(":memory:", SymmetricKey(bytes(32)))
    memory = StoreMemory(store, InlineWorker())
    assert directory_client.introductions(store) == []
    expected = [bytes([number]) for number in range(12)]
    for raw in expected:
        await memory.introduced(raw)
    assert directory_client.introductions(store) == expected
    store.set_setting("directory introduction 4", b"damaged")
    store.delete_setting("directory introduction 5")
    await memory.introduced(b"another")
    assert directory_client.introductions(store) == [*expected[:4], b"damaged", *expected[6:], b"another"]
    assert Trust(Town(5).bootstrap, directory_client.introductions(store)).introductions == []


def test_the_questions_that_are_counted_are_the_readers():
    """Control: a client whose provider is silent does ask the authorities."""
    town = replaced()
    town.refuse_documents = True

    async def program(nursery: trio.Nursery) -> None:
        await town.start(nursery, "alice", 1)
        await until(3.0)
        assert any(isinstance(question, AskDocument) for question in town.questions)

    play(town, program)
