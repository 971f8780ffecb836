"""What a node does beside passing packets on: its keys, descriptor, documents and loops.

See spec/04-mixing.md 4.2 and 4.4, spec/05-directory.md 5.9 and 5.10.

Promises: every task here goes on for as long as the node runs; whatever can't be reached is tried again with capped,
jittered pauses. Loops leave on a Poisson schedule of their own, made before their slot.
"""

from __future__ import annotations

import random

import trio

from mixnet.counters import Counters, Event
from mixnet.errors import Unavailable
from mixnet.log import LogEntry
from mixnet.network import Address
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.descriptor import Descriptor
from mixnet.pki.errors import NoKey
from mixnet.pki.fetch import PATIENCE as UPLOAD_PATIENCE
from mixnet.pki.fetch import upload_descriptor
from mixnet.pki.keeper import DocumentKeeper
from mixnet.pki.waiting import Backoff, sleep_until
from mixnet.sphinx import Engine
from mixnode.context import NodeContext
from mixnode.key_rotation import KeyRotation
from mixnode.loops import Loop, Loops, make_loop
from mixnode.members import Members
from mixnode.outgoing import OutgoingLinks
from mixnode.schedule import PoissonSchedule

LEAD = 0.1  # seconds before its slot in which a loop is made
STALL = 0.25  # seconds by which a loop leaves too late if this machine stood still


async def turn_keys(context: NodeContext, rotation: KeyRotation, address: Address, counters: Counters) -> None:
    """Make the keys of coming epochs, and delete each key at the end of its grace, or when its memory is full.

    Keys that were retired are counted and told of; what replaces them while the node runs is published at once.
    """
    rng = context.rng.stream("retired keys")
    told: set[int] = set()
    started = False
    while True:
        now = context.clock.now()
        await rotation.turn(now, context.clock.past())
        retired = rotation.keys.retired
        fresh = retired.keys() - told
        told = set(retired)
        if fresh:
            counters.add(Event.KEYS_RETIRED, len(fresh))
            context.log.write(LogEntry.WARNING, warnings=sorted({str(retired[epoch]) for epoch in fresh}))
            if started:  # at the start `publish` does it
                await _upload(context, rotation, address, rng)
        started = True
        with trio.CancelScope() as nap:
            rotation.keys.wake_when_full(nap.cancel)
            context.clock.when_settled(nap.cancel)
            await sleep_until(context.clock, rotation.keys.next_turn(now))


async def publish(context: NodeContext, rotation: KeyRotation, address: Address, members: Members) -> None:
    """Give the authorities a descriptor with the keys of this and the next epochs, once an epoch.

    And once more if a document shows that others than those that have it will vote on the next one.
    """
    rng = context.rng.stream("descriptors")
    while True:
        epoch = context.epochs.at(context.clock.now())
        voters = context.trust.at(epoch + 1)
        backoff = Backoff(rng)
        while not await _upload(context, rotation, address, rng):
            await backoff.pause()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, context, members, epoch + 1, voters, nursery.cancel_scope)
            await sleep_until(context.clock, context.epochs.start(epoch + 1))
            nursery.cancel_scope.cancel()


async def _watch(
    context: NodeContext, members: Members, epoch: int, voters: Bootstrap, waiting: trio.CancelScope
) -> None:
    """Cancel `waiting` when a document has shown that others than `voters` make the one for `epoch`."""
    await trio.lowlevel.checkpoint()
    while context.trust.at(epoch) is voters:
        await members.wait_for_next()
    waiting.cancel()


async def _upload(context: NodeContext, rotation: KeyRotation, address: Address, rng: random.Random) -> bool:
    """Whether a majority of the authorities took the descriptor as of now."""
    now = context.clock.now()
    await rotation.turn(now, context.clock.past())
    descriptor = Descriptor(
        network_id=context.trust.network_id,
        identity=context.identity.public,
        role=context.config.role,
        address=str(address),
        epoch=context.epochs.at(now),
        keys=tuple(rotation.keys.publics(now).values()),
    )
    try:
        await upload_descriptor(
            context.trust,
            descriptor.sign(context.identity),
            network=context.network,
            identity=context.identity,
            rng=rng,
            # Said here, since a clock from before the network's beginning makes a descriptor that nobody can read.
            epochs=(descriptor.epoch, descriptor.epoch + 1),
            source=context.config.source,
            patience=min(UPLOAD_PATIENCE, context.epochs.length / 4),
        )
    except Unavailable:
        context.log.write(LogEntry.RETRYING, epoch=descriptor.epoch)
        return False
    return True


async def follow(context: NodeContext, keeper: DocumentKeeper, members: Members, links: OutgoingLinks) -> None:
    """Use each epoch's document from the beginning of the epoch on."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        while True:
            try:
                document = await keeper.wait_for_next()
            except Unavailable:  # it expired while this node stood still: there will be another
                continue
            context.log.write(LogEntry.NEW_EPOCH if members.ready else LogEntry.READY, epoch=document.epoch)
            members.update(document)
            links.prune()


async def send_loops(
    context: NodeContext, members: Members, loops: Loops, *, engine: Engine, links: OutgoingLinks, counters: Counters
) -> None:
    """Send loops at the network's rate, give up those that don't return, and warn when too many don't, or late."""
    schedule = PoissonSchedule(context.rng.stream("loops"), trio.current_time())
    routes = context.rng.stream("loop routes")
    told: set[str] = set()
    while True:
        rate = members.parameters.node_loop_rate
        if not members.ready or rate <= 0:
            await members.wait_for_next()
            continue
        slot, _ = schedule.next(rate, trio.current_time())
        # Not long before: what is made for the present and sent after an epoch's grace is for keys that are gone.
        await trio.sleep_until(slot - LEAD)
        loop = _make(context, members, loops, engine, routes)
        if loop is None:
            await members.wait_for_next()
            continue
        await trio.sleep_until(slot)
        left = trio.current_time()
        if left > slot + STALL:
            loops.stood_still(left - slot)
        links.send([loop.outgoing])
        loops.sent(loop.message, left + loop.delays + members.parameters.loop_lateness)
        counters.add(Event.LOOPS_SENT)
        counters.add(Event.LOOPS_LOST, loops.overdue(left))
        fresh = set(loops.warnings) - told
        if fresh:
            context.log.write(LogEntry.WARNING, warnings=sorted(fresh))
        told = set(loops.warnings)


def _make(context: NodeContext, members: Members, loops: Loops, engine: Engine, routes: random.Random) -> Loop | None:
    """A loop for the next slot; None as long as no document lists this node with keys for this time."""
    if not members.ready or members.document.node(context.identity.public) is None:
        return None
    try:
        return make_loop(
            members.document,
            context.identity.public,
            loops.message(),
            epochs=context.epochs,
            engine=engine,
            rng=routes,
            now=context.clock.now(),
        )
    except NoKey:
        return None
