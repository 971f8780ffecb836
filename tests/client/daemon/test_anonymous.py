"""Anonymous messages between whole clients in virtual time: real reply blocks across epochs, restarts, what is seen."""

from functools import cache

import trio

from mixnet.benchmarks.simulation import virtual
from mixnet.client.model.views import MessageState
from mixnet.sphinx import SphinxEngine
from tests.client.worlds.daemons import wait_for
from tests.client.worlds.town import START, Town, rules

LENGTH = 30.0  # virtual seconds that an observer watches
HANG_UP = 20.0


async def converse(alice, bob, answers=3):
    """One text, then an answer and another text in turn; the names on both sides."""
    address = (await alice.anonymous.create_address()).text
    number = await bob.anonymous.send(address, "who am I?")
    theirs = (await bob.message(number)).contact

    async def arrived() -> bool:
        return bool(await alice.page(None, 0))

    await wait_for(arrived)
    ours = (await alice.page(None, 0))[0].contact
    for turn in range(answers):
        await alice.send(ours, f"alice {turn}", wait=True)
        await bob.send(theirs, f"bob {turn}", wait=True)
    return ours, theirs


@cache
def watch(busy):
    """What the global observer sees, and how many packets reached a mailbox, to show that something happened."""
    town = Town(12, parameters=rules(epoch_length=25.0))
    seen = []
    town.network.tap = lambda when, source, target, size: seen.append((when, source, target, size))

    async def program():
        with trio.move_on_after(LENGTH):
            async with trio.open_nursery() as nursery:
                await nursery.start(town.run)
                alice = await town.start(nursery, "alice", 1)
                bob = await town.start(nursery, "bob", 2)
                if busy:
                    nursery.start_soon(converse, alice, bob, 100)
                await trio.sleep_until(HANG_UP)
                await town.hang_up()
                await trio.sleep_forever()

    virtual.run(program, seed=6)
    return sorted(seen), town.received["mailbox"]


def test_frames_of_idle_clients_and_of_an_anonymous_conversation_are_identical():
    """Over a lost link and into a second epoch, with its document and the reply blocks that are renewed then."""
    idle, idle_mail = watch(busy=False)
    busy, mail = watch(busy=True)
    assert busy == idle
    assert mail > idle_mail + 20 and len(idle) > 300


def test_answers_reach_a_writer_that_restarted_and_through_later_epochs():
    """Its reply blocks come from its store: none of its memory is left. Packets are real ones."""
    town = Town(3, parameters=rules(epoch_length=60.0))
    town.engine = SphinxEngine()
    store = town.store("bob")
    told = []

    async def program():
        async with trio.open_nursery() as nursery:
            await nursery.start(town.run)
            alice = await town.start(nursery, "alice", 1)
            async with trio.open_nursery() as life:
                bob = await town.start(life, "bob", 2, store)
                ours, theirs = await converse(alice, bob, 1)
                life.cancel_scope.cancel()
            number = await alice.send(ours, "while you were away")
            await trio.sleep(20)
            assert (await alice.message(number)).state is MessageState.SENT
            bob = await town.start(nursery, "bob", 2, store)
            await alice.wait_delivered(number)
            await trio.sleep_until(200)
            until = (await alice.page(ours, 0))[0].answer_until
            assert START + 200 < until <= START + 200 + 180
            await alice.send(ours, "in the fourth epoch", wait=True)
            told.extend(one.text for one in await bob.page(theirs, 0) if not one.outgoing)
            nursery.cancel_scope.cancel()

    virtual.run(program, seed=7)
    assert told == ["alice 0", "while you were away", "in the fourth epoch"]
