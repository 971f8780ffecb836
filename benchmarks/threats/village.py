"""One conversation in the simulated world, looked at from everywhere (SPEC.md section 13.9).

Promises: real packets, real links, nodes that keep their state on disk. What is returned is all that links carried, all
that nodes wrote, logged and said of themselves, what arrived, and what became of whoever had no right to be there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from benchmarks.cast import PORT, Kind
from benchmarks.world import World, WorldConfig, run_world
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link import Role, connect
from mixnet.log import Log
from mixnet.network import Address
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import Document
from mixnet.pki.fetch import fetch_document
from mixnet.pki.trust import Trust
from mixnet.simulated import SimulatedStream

TEXT = "alice to bob: the parcel is under the third oak behind the mill"
LATER = "alice to bob: come when you are back"
NAME = "plans of the mill.bin"
FILE_SIZE = 3000
_CLIENT, _PROVIDER = "client-2", "provider-2"
_PROVIDERS = ("provider-1", "provider-2")
# (host, identity, role, whether it may): a stranger is nobody's node; a client is no node; anybody may be a client.
_VISITS = (
    ("mix-1", "stranger", Role.NODE, False),
    ("mix-1", "stranger", Role.AUTHORITY, False),
    ("mix-1", "stranger", Role.CLIENT, False),
    ("provider-1", "stranger", Role.NODE, False),
    ("provider-1", "stranger", Role.AUTHORITY, False),
    ("provider-1", "client", Role.NODE, False),
    ("authority-1", "stranger", Role.AUTHORITY, False),
    ("authority-1", "client", Role.AUTHORITY, False),
    ("provider-1", "stranger", Role.CLIENT, True),
)


@dataclass(frozen=True, slots=True)
class Papers:
    """The network's bootstrap file and document, the keys of all of its authorities, and the time."""

    bootstrap: Bootstrap
    document: Document
    keys: tuple[SigningKey, ...]
    now: float


@dataclass(slots=True)
class Seen:
    """Everything that was seen. `visits` are (what was tried, whether it is allowed, whether it succeeded).

    `impostors` are links with a node in another's place, `itself` those with the node that was expected.
    """

    wire: bytearray = field(default_factory=bytearray)
    disks: bytes = b""
    logs: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)
    clients: dict[str, bytes] = field(default_factory=dict)
    arrived: list[str] = field(default_factory=list)
    file: bytes = b""
    visits: list[tuple[str, bool, bool]] = field(default_factory=list)
    impostors: list[bool] = field(default_factory=list)
    itself: list[bool] = field(default_factory=list)
    papers: Papers | None = None


def live(seed: int = 1) -> Seen:
    """Two people write to each other, the second one goes away and comes back; strangers knock."""
    seen = Seen(file=os.urandom(FILE_SIZE))
    with TemporaryDirectory(prefix="mixnet-threats-") as folder, _listening(seen):
        path = Path(folder) / NAME
        path.write_bytes(seen.file)

        async def program(world: World) -> None:
            await _talk(world, seen, path)

        run_world(program, WorldConfig(seed=seed, disks=True, width=1))
    return seen


async def _talk(world: World, seen: Seen, path: Path) -> None:
    await world.befriend(0, 1)
    await world.clients[0].send(_CLIENT, TEXT)
    await world.clients[0].send_file(_CLIENT, path)
    seen.papers = await _papers(world)
    await _knock(world, seen)
    await trio.sleep(30)
    world.network.partition([_CLIENT], [_PROVIDER])  # so that mail stays in the provider's database
    await world.clients[0].send(_CLIENT, LATER)
    await trio.sleep(30)
    seen.disks = _disks(world)
    world.network.heal()
    await trio.sleep(120)
    seen.arrived = [str(message.text) for message in await world.inbox(1)]
    for serving in world.nodes.values():
        seen.snapshots += [repr(serving.snapshot()), repr(serving.counters.prometheus())]
    seen.clients = {
        member.name: world.cast.identity(member).public for member in world.cast.members if member.kind is Kind.CLIENT
    }


async def _papers(world: World) -> Papers:
    found, _ = await fetch_document(
        Trust(world.cast.bootstrap), network=world.network, clock=world.clock,
        identity=SigningKey(os.urandom(32)), role=Role.CLIENT, rng=world.stream("stranger"), source="stranger",
    )  # fmt: skip
    keys = tuple(world.cast.identity(member) for member in world.cast.members if member.kind is Kind.AUTHORITY)
    return Papers(world.cast.bootstrap, found, keys, world.clock.now())


async def _knock(world: World, seen: Seen) -> None:
    """Links that nobody should get, one that anybody may have, and a node that isn't the one that was expected."""
    members = {member.name: member for member in world.cast.members}
    keys = {"stranger": SigningKey(os.urandom(32)), "client": world.cast.identity(members["client-1"])}
    for host, who, role, allowed in _VISITS:
        expected = world.cast.identity(members[host]).public
        reached = await _linked(world, host, keys[who], role, expected)
        seen.visits.append((f"{who} as {role.name.lower()} at {host}", allowed, reached))
    for host in _PROVIDERS:
        for pretended in members.values():
            expected = world.cast.identity(pretended).public
            reached = await _linked(world, host, keys["stranger"], Role.CLIENT, expected)
            (seen.itself if pretended.name == host else seen.impostors).append(reached)


async def _linked(world: World, host: str, identity: SigningKey, role: Role, expected: bytes) -> bool:
    try:
        link = await connect(
            world.network, Address(host, PORT), identity=identity, role=role,
            network_id=world.cast.bootstrap.network_id, expect=expected, source="stranger",
        )  # fmt: skip
    except (RemoteError, Unavailable):
        return False
    async with link:
        with trio.move_on_after(5):
            try:
                await link.send([])
                while True:
                    await link.receive()
            except (trio.EndOfChannel, Unavailable):
                return False
    return True


def _disks(world: World) -> bytes:
    folders = [world.cast.folder(member) for member in world.cast.members if member.name in world.nodes]
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


@contextmanager
def _listening(seen: Seen) -> Iterator[None]:
    """Copy what streams carry and what is logged."""
    send, write = SimulatedStream.send_all, Log.write

    async def send_all(self: SimulatedStream, data: bytes | bytearray | memoryview) -> None:
        seen.wire.extend(data)
        await send(self, data)

    def keep(self: Log, entry: Any, **values: object) -> None:
        seen.logs.append(f"{entry} {values!r}")
        write(self, entry, **values)

    SimulatedStream.send_all, Log.write = send_all, keep  # type: ignore[method-assign]
    try:
        yield
    finally:
        SimulatedStream.send_all, Log.write = send, write  # type: ignore[method-assign]
