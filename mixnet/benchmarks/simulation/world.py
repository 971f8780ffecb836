"""A network of real actors, unchanged, in one process and in virtual time (spec/12-simulated-world.md 12.1).

Promises: one seed gives one trace. Authorities, mixes, providers and client daemons are the very functions that real
processes run; only network, clock, randomness, packet codec and storage are handed to them. Nothing here waits for a
thread or a socket. Never: a hook in an actor, so what is measured here is what runs.

    async def friends(world: World) -> None:
        await world.befriend(0, 1)
        await world.clients[0].send("client-2", "hello")
        await trio.sleep(60)

    world = run_world(friends, WorldConfig(seed=7, clients=2))
    world.trace.write(Path("trace.csv"))
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import trio

import mixnet.client.daemon.daemon
import mixnet.directory.authority
import mixnode.node
from mixnet.benchmarks.simulation import virtual
from mixnet.benchmarks.simulation.codec import codec
from mixnet.benchmarks.simulation.ground_truth import GroundTruth
from mixnet.benchmarks.simulation.network_plan import GENESIS, Actor, ActorKind, NetworkPlan
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.client.api.connection import Connection, DirectChannel
from mixnet.client.api.daemon_api import DaemonApi
from mixnet.client.model.views import MessageInfo
from mixnet.clock import VirtualClock
from mixnet.errors import LocalError
from mixnet.pki.parameters import Parameters
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from mixnode.node import Serving

# One packet a second from each client, and one to each.
ONE_A_SECOND = Parameters(
    mean_delay=0.5,
    payload_rate=0.6,
    loop_rate=0.2,
    drop_rate=0.2,
    downlink_rate=1.0,
    node_loop_rate=0.1,
    link_latency=0.01,
    ack_delay=2.0,
)
Play = Callable[..., Awaitable[None]]
STARTUP = 120.0  # virtual seconds in which everything must be up


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """What a world is made of. `layers` times `width` mixes; `latency` in seconds, `loss` a probability per segment.

    With `disks`, nodes keep their state in files of a temporary folder, so that they survive a crash.
    """

    seed: int | str = 1
    clients: int = 2
    layers: int = 3
    width: int = 2
    providers: int = 2
    authorities: int = 3
    parameters: Parameters = ONE_A_SECOND
    codec: Literal["sphinx", "plain"] = "sphinx"
    latency: float = 0.01
    loss: float = 0.0
    disks: bool = False


@dataclass(slots=True)
class _Role:
    """An actor that runs, or ran until it crashed."""

    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)
    crashed: bool = False


class World:
    """The network of one configuration; `async with` it inside `virtual.run`, or let `run_world` do both."""

    def __init__(self, config: WorldConfig, folder: Path) -> None:
        """Prepare everybody; `folder` is empty and belongs to this world."""
        self.config = config
        self.trace = Trace()
        self.clock = VirtualClock(GENESIS)
        self.clients: list[Connection] = []
        self.nodes: dict[str, Serving] = {}
        self._rng = SeededSource(config.seed)
        self.network = SimulatedNetwork(
            self._rng.child("network"), latency=lambda _rng: config.latency, loss=config.loss
        )
        self.network.tap = self.trace.tap
        self.plan = NetworkPlan(folder, _counts(config), config.parameters, self._rng.child("cast"), disks=config.disks)
        self.truth = GroundTruth(self.plan.names(), config.latency)
        self._roles: dict[str, _Role] = {}
        self._lives: dict[str, int] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start everybody at once, and wait until all are ready."""
        self._nursery = await self._stack.enter_async_context(trio.open_nursery())
        try:
            with trio.fail_after(STARTUP):
                await self._start_all()
        except BaseException as error:
            with trio.CancelScope(shield=True):  # short: all that is left to do is to be cancelled
                await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everybody, unobserved: the world ends, the network would go on."""
        self.network.tap = None
        self._nursery.cancel_scope.cancel()
        await self._stack.aclose()

    def stream(self, *label: str) -> random.Random:
        """A random stream for a workload, which no actor shares."""
        return self._rng.child("workload").stream(*label)

    # Faults.

    def crash(self, name: str) -> None:
        """Kill an actor and its connections at this instant, as kill -9 does; of its disk remains what is written."""
        role = self._roles[name]
        if role.crashed:
            raise LocalError(f"{name} has crashed already")
        role.crashed = True
        self.network.crash(name)
        self.plan.photograph(self.plan.member(name))
        role.scope.cancel()

    async def restart(self, name: str) -> None:
        """Start an actor that crashed again, and wait until it is ready."""
        await self._roles[name].ended.wait()
        member = self.plan.member(name)
        self.plan.put_back(member)
        started = await self._start(member)
        if isinstance(started, DaemonApi):
            self.clients[member.number - 1] = Connection(DirectChannel(started))

    # What workloads share.

    async def befriend(self, inviter: int, guest: int) -> None:
        """Make two clients contacts, by an invitation; each calls the other by its profile's name."""
        one, other = self.clients[inviter], self.clients[guest]
        names = [self.client_name(inviter), self.client_name(guest)]
        await other.accept(await one.invite(), names[0])
        await other.wait_established(names[0])
        await one.wait_established(names[1])

    def client_name(self, client: int) -> str:
        """The name, and host, of the client with this index: `client-1` has index 0."""
        return self.plan.of(ActorKind.CLIENT)[client].name

    async def inbox(self, client: int) -> list[MessageInfo]:
        """All messages that a client has received whole, in the order in which they are shown."""
        return [message async for message in self.clients[client].messages() if not message.outgoing]

    # Inside.

    async def _start_all(self) -> None:
        clients: dict[str, Connection] = {}

        async def start(member: Actor) -> None:
            started = await self._start(member)
            if isinstance(started, DaemonApi):
                clients[member.name] = Connection(DirectChannel(started))

        async with trio.open_nursery() as starting:
            for member in self.plan.actors:
                starting.start_soon(start, member)
        self.clients = [clients[member.name] for member in self.plan.of(ActorKind.CLIENT)]

    async def _start(self, member: Actor) -> object:
        """Let an actor run, and return what it gives when it is ready."""
        role = self._roles[member.name] = _Role()
        started = await self._nursery.start(self._perform, role, self._play(member))
        if isinstance(started, Serving):
            self.nodes[member.name] = started
        return started

    async def _perform(self, role: _Role, play: Play, task_status: trio.TaskStatus[object]) -> None:
        """Run an actor until it ends or crashes."""
        try:
            with role.scope:
                await play(task_status=task_status)
        finally:
            role.ended.set()

    def _play(self, member: Actor) -> Play:
        """The actor's own function, with the world in the place of the real one."""
        network, clock = self.network, self.clock
        life = self._lives[member.name] = self._lives.get(member.name, 0) + 1
        rng = self._rng.child(member.name, str(life))  # a real process never draws the same numbers again either
        engine = self.truth.witness(codec(self.config.codec), member.name, client=member.kind is ActorKind.CLIENT)
        match member.kind:
            case ActorKind.AUTHORITY:
                config = self.plan.authority(member)
                return partial(mixnet.directory.authority.serve, config, network=network, clock=clock, rng=rng)
            case ActorKind.CLIENT:
                return partial(
                    mixnet.client.daemon.daemon.serve,
                    self.plan.profile(member),
                    network=network,
                    clock=clock,
                    rng=rng,
                    engine=engine,
                    store=self.plan.store(member),
                )
            case _:
                return partial(
                    mixnode.node.serve,
                    self.plan.node(member),
                    network=network,
                    clock=clock,
                    rng=rng,
                    engine=engine,
                    identity=self.plan.identity(member),
                    trust=self.plan.bootstrap,
                )


def run_world(program: Callable[[World], Awaitable[None]], config: WorldConfig | None = None) -> World:
    """Run a world until `program` returns; it holds trace and truth afterwards. Raises what `program` raises."""
    config = config or WorldConfig()
    with tempfile.TemporaryDirectory(prefix="mixnet-world-") as folder:
        world = World(config, Path(folder))

        async def main() -> None:
            async with world:
                await program(world)

        virtual.run(main, seed=config.seed)
    return world


def _counts(config: WorldConfig) -> dict[ActorKind, int]:
    return {
        ActorKind.AUTHORITY: config.authorities,
        ActorKind.MIX: config.layers * config.width,
        ActorKind.PROVIDER: config.providers,
        ActorKind.CLIENT: config.clients,
    }
