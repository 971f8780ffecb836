"""One conversation in the simulated world, observed from every role (spec/13-measurements.md 13.9).

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
from unittest.mock import patch

import trio

from mixnet.benchmarks.attacks.adversary import VisitOutcome, document, identity_of, visit
from mixnet.benchmarks.simulation.network_plan import ActorKind
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.benchmarks.threats import trespass
from mixnet.benchmarks.threats.trespass import Attempt
from mixnet.crypto import SigningKey
from mixnet.link import Role
from mixnet.log import Log
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import Document
from mixnet.simulated import SimulatedStream

TEXT = "alice to bob: the parcel is under the third oak behind the mill"
LATER = "alice to bob: come when you are back"
NAME = "plans of the mill.bin"
FILE_SIZE = 3000
_BEGINNING = 10  # writes: the handshake, and some frames
_WORDS = {  # words, and the texts in which they are
    "parcel oak": [TEXT],
    "bob": [TEXT, LATER],
    "mill plans": [NAME],
    "back": [LATER],
    "treasure": [],
}
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
class DirectoryFiles:
    """The network's bootstrap file and document, the keys of all of its authorities, and the time."""

    bootstrap: Bootstrap
    document: Document
    keys: tuple[SigningKey, ...]
    now: float


@dataclass(slots=True)
class ScenarioRecord:
    """Everything that was seen. `visits` are (what was tried, whether it is allowed, whether it succeeded).

    `impostors` are links with a node in another's place, `itself` those with the node that was expected; `greeting` is
    how the second client's link began; `erased`: whether a mailbox was on the disk before and after its owner erased
    it; `searches` are (words, texts to be found, texts that were found).
    """

    wire: bytearray = field(default_factory=bytearray)
    disks: bytes = b""
    logs: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)
    clients: dict[str, bytes] = field(default_factory=dict)
    arrived: list[str] = field(default_factory=list)
    file: bytes = b""
    visits: list[tuple[str, bool, bool]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    greeting: list[bytes] = field(default_factory=list)
    erased: tuple[bool, bool] = (False, True)
    searches: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    impostors: list[bool] = field(default_factory=list)
    itself: list[bool] = field(default_factory=list)
    directory: DirectoryFiles | None = None


def live(seed: int = 1) -> ScenarioRecord:
    """Two people write to each other, the second one goes away and comes back; a third and strangers intrude."""
    seen = ScenarioRecord(file=os.urandom(FILE_SIZE))
    with TemporaryDirectory(prefix="mixnet-threats-") as folder, _listening(seen):
        path = Path(folder) / NAME
        path.write_bytes(seen.file)

        async def program(world: World) -> None:
            await _talk(world, seen, path)

        run_world(program, WorldConfig(seed=seed, clients=3, disks=True, width=1))
    return seen


async def _talk(world: World, seen: ScenarioRecord, path: Path) -> None:
    alice, bob, mallory = world.clients
    invitation = await alice.invite()
    await bob.accept(invitation)
    await bob.wait_established("client-1")
    await mallory.accept(invitation)
    await alice.send(_CLIENT, TEXT)
    await alice.send_file(_CLIENT, path)
    seen.directory = await _directory_files(world)
    await _knock(world, seen)
    seen.attempts += [*await trespass.frames(world), *await trespass.directory(world)]
    world.network.partition([_CLIENT], [_PROVIDER])  # so that mail stays in the provider's database
    await alice.send(_CLIENT, LATER)
    await trio.sleep(30)
    seen.disks = _disks(world)
    seen.attempts += await trespass.mailboxes(world, _CLIENT, _PROVIDER, seen.greeting)
    world.network.heal()
    seen.erased = await trespass.erasing(world, "provider-1")
    await trio.sleep(90)
    seen.attempts += await trespass.guests(world)
    seen.arrived = [str(message.text) for message in await world.inbox(1)]
    await _search(world, seen)
    for serving in world.nodes.values():
        seen.snapshots += [repr(serving.snapshot()), repr(serving.counters.prometheus())]
    seen.clients = {
        member.name: world.plan.identity(member).public
        for member in world.plan.actors
        if member.kind is ActorKind.CLIENT
    }


async def _search(world: World, seen: ScenarioRecord) -> None:
    """Words of what was written and of what was not, in what the sender has and in what the recipient has."""
    for client in world.clients[:2]:
        for words, expected in _WORDS.items():
            found = [message.text for message in await client.search(words)]
            seen.searches.append((words, sorted(expected), sorted(found)))


async def _directory_files(world: World) -> DirectoryFiles:
    keys = tuple(world.plan.identity(member) for member in world.plan.actors if member.kind is ActorKind.AUTHORITY)
    return DirectoryFiles(world.plan.bootstrap, await document(world), keys, world.clock.now())


async def _knock(world: World, seen: ScenarioRecord) -> None:
    """Links that nobody should get, one that anybody may have, and a node that isn't the one that was expected."""
    keys = {"stranger": SigningKey(os.urandom(32)), "client": identity_of(world, "client-1")}
    for host, who, role, allowed in _VISITS:
        reached = await visit(world, host, keys[who], role) is VisitOutcome.OPEN
        seen.visits.append((f"{who} as {role.name.lower()} at {host}", allowed, reached))
    for host in _PROVIDERS:
        for pretended in world.plan.actors:
            expected = world.plan.identity(pretended).public
            reached = await visit(world, host, keys["stranger"], Role.CLIENT, expect=expected) is VisitOutcome.OPEN
            (seen.itself if pretended.name == host else seen.impostors).append(reached)


def _disks(world: World) -> bytes:
    return b"".join(trespass.on_disk(trespass.folder(world, name)) for name in world.nodes)


@contextmanager
def _listening(seen: ScenarioRecord) -> Iterator[None]:
    """Copy what streams carry and what is logged."""
    send, write = SimulatedStream.send_all, Log.write

    async def send_all(self: SimulatedStream, data: bytes | bytearray | memoryview) -> None:
        seen.wire.extend(data)
        if (self.host, self.peer.host) == (_CLIENT, _PROVIDER) and len(seen.greeting) < _BEGINNING:
            seen.greeting.append(bytes(data))
        await send(self, data)

    def keep(self: Log, entry: Any, **values: object) -> None:
        seen.logs.append(f"{entry} {values!r}")
        write(self, entry, **values)

    with patch.object(SimulatedStream, "send_all", send_all), patch.object(Log, "write", keep):
        yield
