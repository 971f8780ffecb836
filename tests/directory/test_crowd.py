"""A network has its documents while strangers, ten times as many as places, want all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
import trio
from trio.testing import MockClock

from mixnet.crypto import SigningKey
from mixnet.directory.guests import Guests
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Frame, FrameKind, Link, Role, Standing, TlsIdentity, ask, connect
from mixnet.link.places import Places
from mixnet.network import Address
from mixnet.pki.requests import AskDocument, encode
from tests.directory.authority_world import AuthorityWorld
from tests.mixnet.pki.builders import Town

PLACES = 4
STRANGERS = 10 * PLACES
TOWN = Town(mixes=3, providers=1, epoch_length=20.0)
ADDRESSES = [f"10.0.0.{number}:7000" for number in (1, 2, 3)]


async def hold(link: Link) -> None:
    """Keep a place, and say something now and then."""
    while True:
        await link.send([Frame(FrameKind.PAD)])
        await trio.sleep(5)


async def devour(link: Link) -> None:
    """Ask for documents all the time."""
    while True:
        await ask(link, encode(AskDocument()))


async def flood(link: Link) -> None:
    """Send frames without end."""
    for _ in range(50):
        await link.send([Frame(FrameKind.PAD)] * 32)
    await trio.sleep_forever()


async def strange(world: AuthorityWorld, number: int, role: Role) -> None:
    """One of many: half of them from one address, the others each from its own."""
    rng, identity = world.rng.stream("stranger", str(number)), TlsIdentity(SigningKey(number.to_bytes(32)))
    source = "10.9.9.9" if number % 2 else f"10.9.{number // 250}.{number % 250}"
    deed = (hold, devour, flood)[number % 3]
    while True:
        address = Address.parse(rng.choice(ADDRESSES))
        try:
            if rng.random() < 0.2:
                stream = await world.network.dial(address, source=source)
                await trio.sleep(11)
                await stream.aclose()
                continue
            settings = {"identity": identity, "role": role, "network_id": TOWN.bootstrap.network_id, "source": source}
            async with await connect(world.network, address, expect=lambda _one: True, **settings) as link:
                await deed(link)
        except (Unavailable, RemoteError, trio.EndOfChannel):
            await trio.sleep(rng.uniform(4, 8))


async def read_for_the_first_time(world: AuthorityWorld, epoch: int) -> None:
    """A new client keeps asking; Trio's TooSlowError if it gets nothing in this epoch."""
    with trio.fail_after(TOWN.epoch_length / 2):
        await world.fetch_when_ready(epoch)


async def live_through(world: AuthorityWorld, nursery: trio.Nursery, role: Role) -> None:
    await world.start(0, 1, 2, connection_limit=PLACES, stranger_rate=1 << 20)
    for number in range(STRANGERS * len(ADDRESSES)):
        nursery.start_soon(strange, world, number, role)
    await trio.sleep(1)
    world.enter(*TOWN.nodes)
    for epoch in range(4):
        await trio.sleep(max(TOWN.bootstrap.epochs.start(epoch) + 7 - world.clock.now(), 0))
        await read_for_the_first_time(world, epoch)
        for number in range(3):
            document = world.authorities[number]._archive.document(epoch)
            assert document is not None, (epoch, number)
            assert {node.identity for node in document.nodes} == set(TOWN.approved), (epoch, number)


@pytest.mark.parametrize("role", [Role.CLIENT, Role.NODE])
async def test_every_epoch_has_its_document_while_strangers_take_all_they_can(
    autojump_clock: MockClock, nursery: trio.Nursery, role: Role
) -> None:
    await live_through(AuthorityWorld(TOWN, nursery), nursery, role)
    nursery.cancel_scope.cancel()


@contextmanager
def by_what_they_say() -> Iterator[None]:
    """The defence taken out: nobody is known by the identity that was proven, and whoever came first stays."""
    with (
        patch.object(Guests, "standing", lambda *_who: Standing.STRANGER),
        patch.object(Places, "_loser", lambda *_who: None),
    ):
        yield


async def test_without_proven_standing_they_go_without(autojump_clock: MockClock) -> None:
    missed = False
    with by_what_they_say():
        try:
            async with trio.open_nursery() as nursery:
                await live_through(AuthorityWorld(TOWN, nursery), nursery, Role.CLIENT)
                nursery.cancel_scope.cancel()
        except* (AssertionError, trio.TooSlowError):
            missed = True
    assert missed
