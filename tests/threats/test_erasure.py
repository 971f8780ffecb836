"""P6, data protection: what a user has erased at the provider is gone from its files; what nobody fetches expires.

In a whole network in virtual time, by the client's own request, of which an observer of its link sees nothing.
"""

import sqlite3
from dataclasses import replace

import msgspec
import pytest
import trio

import mixnet.client.traffic.provider_mailbox
from mixnet.benchmarks.simulation.world import ONE_A_SECOND, WorldConfig, run_world
from mixnet.benchmarks.threats.trespass import on_disk
from mixnet.client.traffic.provider_mailbox import NotAnswered, ProviderAway
from mixnet.client.traffic.provider_requests import ProviderRequests
from mixnode import provider
from tests.threats.links import BRISK, CLIENTS, LENGTH, links

pytestmark = pytest.mark.timeout(600)
CONFIG = WorldConfig(seed=4, clients=2, width=1, disks=True, codec="plain")


def provider_of(world, client):
    """(folder of the client's provider, name of its mailbox)."""
    member = next(one for one in world.plan.actors if one.name == f"client-{client + 1}")
    providers = [one for one in world.plan.actors if one.name.startswith("provider")]
    return world.plan.folder(providers[client % len(providers)]), world.plan.identity(member).public


def packets_in(folder, mailbox):
    """The packets of a mailbox, as the provider's database has them; committed data only."""
    database = sqlite3.connect(f"file:{folder / 'mailboxes.sqlite'}?mode=ro", uri=True)
    rows = database.execute("SELECT packet FROM packets WHERE mailbox = ?", (mailbox,)).fetchall()
    database.close()
    return [packet for (packet,) in rows]


async def leave_mail_waiting(world):
    """Two people, of whom the second is cut off while the first writes."""
    await world.befriend(0, 1)
    world.network.partition(["client-2"], ["provider-2"])
    for number in range(3):
        await world.clients[0].send("client-2", f"text {number}")
    await trio.sleep(40)


def test_erased_mail_is_gone_from_the_disk_and_senders_send_it_again():
    found = {}

    async def program(world):
        await leave_mail_waiting(world)
        folder, mailbox = provider_of(world, 1)
        waiting = packets_in(folder, mailbox)
        found["before"] = (len(waiting), all(packet in on_disk(folder) for packet in waiting))
        world.network.heal()
        me = world.clients[1].mailbox
        while not found.get("erased"):
            try:
                await me.erase()
                found["erased"] = True
            except ProviderAway:
                await trio.sleep(1)
        kept = await me.show()
        disk = on_disk(folder)
        found["after"] = (sum(packet in disk for packet in waiting), mailbox in disk, kept.registered, kept.packets)
        await trio.sleep(200)
        found["texts"] = sorted(message.text for message in await world.inbox(1))
        found["alarm"] = (await world.clients[1].status())["alarm"]
        found["unknown"] = world.nodes["provider-2"].counters.snapshot()["dropped"].get("unknown_mailbox", 0)

    run_world(program, CONFIG)
    waiting, on_the_disk = found["before"]
    assert waiting >= 3
    assert on_the_disk  # the control: each of them is found before
    left, named, registered, packets = found["after"]
    assert (left, named, registered) == (0, True, True)
    assert packets < waiting  # only what came since
    assert found["texts"] == ["text 0", "text 1", "text 2"]
    assert found["alarm"] == "calm"
    assert found["unknown"] == 0  # there was no moment without a mailbox


def test_who_leaves_is_forgotten():
    found = {}

    async def program(world):
        folder, mailbox = provider_of(world, 1)
        other_folder, other = provider_of(world, 0)
        await trio.sleep(20)
        found["before"] = mailbox in on_disk(folder)
        await world.clients[1].mailbox.erase(leave=True)
        await trio.sleep(20)
        found["after"] = mailbox in on_disk(folder)
        found["other"] = other in on_disk(other_folder)

    run_world(program, CONFIG)
    assert found == {"before": True, "after": False, "other": True}


def test_what_nobody_fetches_expires_with_its_mailbox(monkeypatch):
    monkeypatch.setattr(provider, "LONGEST_SWEEP", 5.0)
    found = {}
    parameters = msgspec.structs.replace(ONE_A_SECOND, mailbox_age=168.0)

    async def program(world):
        await leave_mail_waiting(world)
        folder, mailbox = provider_of(world, 1)
        waiting = packets_in(folder, mailbox)
        disk = on_disk(folder)
        found["before"] = (len(waiting) >= 3, all(packet in disk for packet in waiting), mailbox in disk)
        world.crash("client-2")
        world.network.heal()  # so that the provider learns that its link has ended
        await trio.sleep(100)
        found["kept"] = mailbox in on_disk(folder)
        await trio.sleep(90)
        disk = on_disk(folder)
        found["after"] = (sum(packet in disk for packet in waiting), mailbox in disk)

    run_world(program, replace(CONFIG, parameters=parameters))
    assert found == {"before": (True, True, True), "kept": True, "after": (0, False)}


@pytest.mark.parametrize("away", ["cut off", "silent"])
def test_a_provider_that_is_away_is_named_and_nothing_is_claimed(monkeypatch, away):
    monkeypatch.setattr(mixnet.client.traffic.provider_mailbox, "SLOTS", 1)
    found = {}

    async def program(world):
        await trio.sleep(5)
        mailbox = world.clients[1].mailbox
        if away == "cut off":
            world.network.partition(["client-2"], ["provider-2"])
            await trio.sleep(120)  # it falls silent, and the link is given up
        else:
            monkeypatch.setattr(ProviderRequests, "take_untrusted", lambda _self, _frame: None)
        folder, name = provider_of(world, 1)
        found["error"] = await _error(mailbox.erase)
        found["there"] = name in on_disk(folder)

    run_world(program, CONFIG)
    assert found == {"error": ProviderAway if away == "cut off" else NotAnswered, "there": True}


async def _error(call):
    try:
        await call()
    except Exception as error:
        return type(error)
    return None


async def ask_a_lot(world):
    """Both people look at their mailboxes and empty them, again and again."""
    await trio.sleep(10)
    while trio.current_time() < LENGTH - 20:
        for me in world.clients:
            await me.mailbox.show()
            await me.mailbox.erase()


def test_an_observer_of_the_link_sees_nothing_of_it():
    quiet, _ = links(1)
    asking, world = links(1, ask_a_lot)
    assert asking == quiet
    for host in CLIENTS:
        assert sum(row.src == host for row in asking[host]) > 1.3 * LENGTH
    assert sum(serving.counters.snapshot()["requests"] for serving in world.nodes.values()) > LENGTH / 4  # the control
    assert BRISK.epoch_length < LENGTH
