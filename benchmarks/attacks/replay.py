"""Replay: recorded packets are sent again, to running nodes and to one that was killed (SPEC.md section 13.5).

Promises: real nodes with disks, in virtual time. The attacker has everything that such an attack could want: packets in
the clear, a client's link, and a mix's key, with which he links as that node. `replay_accepted` counts packets that a
node lets through a second time: stored in a mailbox, or held to be sent on. Positive control: nodes that take each
packet for new. Null: packets that were never sent before are all accepted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import trio

from benchmarks.adversary import document, visit
from benchmarks.attacks.acting import ENGINE, never, no_files, share
from benchmarks.cast import Kind as Actor
from benchmarks.figures import Bound, Control, Figure, Finding, Role
from benchmarks.size import Size
from benchmarks.statistics import exact
from benchmarks.trace import Trace
from benchmarks.truth import Journey
from benchmarks.unguarded import unguarded
from benchmarks.world import World, WorldConfig, run_world
from mixnet.counters import Dropped, Event
from mixnet.crypto import SigningKey
from mixnet.link import Frame, FrameKind
from mixnet.link import Role as Peer
from mixnet.pki.document import Document, Node
from mixnet.pki.parameters import Parameters
from mixnet.sphinx import Command, Hop, Kind

if TYPE_CHECKING:
    from benchmarks.jobs import Run

NAME = "replay"
TITLE = "Replay: recorded packets are sent again"
THREATS = ("P2", "T3")
ADVERSARY = "internal or external, active"
DEFENCE = "a tag of each accepted packet, written down before the packet goes on and kept as long as its key"
PACKETS = {Size.QUICK: 20, Size.STANDARD: 200, Size.FULL: 2000}
AGAIN = 3  # times that each is sent again
UP = 30.0  # seconds until the network is there
BATCH = 100  # packets a visit: a client may send so many at once
PROVIDER, MIX = "provider-1", "mix-1"
STILL = Parameters(node_loop_rate=0.0)  # so that all that leaves a node is the attacker's


def score(_trace: Trace, _journeys: Sequence[Journey]) -> Finding:
    """Nothing to see in files."""
    raise no_files(NAME)


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Replay to a running provider and mix, and after kill -9."""
    count = PACKETS[size]
    jobs: list[dict[str, Any]] = [
        {"packets": count, "seed": seed},
        {"packets": count, "seed": seed, "kill": True},
        {"packets": 10, "seed": seed, "off": ["replay"]},
    ]
    running, killed, bare = run(send_again, jobs)
    both = [sum(pair) for pair in zip(running["again"], killed["again"], strict=True)]
    tries = 4 * count * AGAIN
    figures = (
        never("replay_accepted", "replayed packets accepted", sum(both), tries),
        never("replay_accepted_stored", "by a provider, for a mailbox", both[0], tries // 2),
        never("replay_accepted_forwarded", "by a mix, from another one", both[1], tries // 2),
        never("replay_accepted_after_kill", "after kill -9", sum(killed["again"]), tries // 2),
        Figure("replay_refused_known", "refusals counted as such, of all", share(running["refused"], tries // 2)),
        Figure("replay_keys_retired", "keys that kill -9 cost", exact(killed["retired"])),
    )
    fresh = sum(running["first"]) + sum(killed["first"])
    controls = (
        Control(
            Role.POSITIVE,
            "nodes that take each packet for new: accepted again",
            share(sum(bare["again"]), 2 * 10 * AGAIN),
            Bound(1, at_least=True),
        ),
        Control(Role.NULL, "packets that are sent for the first time: accepted", share(fresh, 4 * count), chance=1.0),
    )
    setting = (
        f"real nodes with disks, virtual time; {count} packets to a provider and {count} to a mix, each {AGAIN} "
        f"times again, while they run and after kill -9; seed {seed}"
    )
    return Finding(NAME, TITLE, THREATS, ADVERSARY, DEFENCE, setting, figures, controls)


def send_again(*, packets: int, seed: int, kill: bool = False, off: Sequence[str] = ()) -> dict[str, Any]:
    """How many were accepted `first` and `again`, by the provider and by the mix. A job."""
    found: dict[str, Any] = {}

    async def attack(world: World) -> None:
        await trio.sleep(UP)
        network = await document(world)
        raid = _Raid(world, network, random.Random(f"replay {seed}"), packets)
        found["first"] = await raid.send()
        if kill:
            for name in (PROVIDER, MIX):
                world.crash(name)
                await world.restart(name)
            await trio.sleep(UP)
            await raid.register()
        found["again"] = [sum(pair) for pair in zip(*[await raid.send() for _ in range(AGAIN)], strict=True)]
        counters = [world.nodes[name].counters for name in (PROVIDER, MIX)]
        found["refused"] = sum(one[Dropped.REPLAYED] for one in counters)
        found["retired"] = sum(one[Event.KEYS_RETIRED] for one in counters)

    with unguarded(off):
        run_world(attack, WorldConfig(seed=seed, clients=0, disks=True, parameters=STILL))
    return found


class _Raid:
    """Recorded packets and what it takes to send them."""

    def __init__(self, world: World, network: Document, rng: random.Random, packets: int) -> None:
        self._world = world
        self._mailbox = SigningKey(rng.randbytes(32))
        mixes = {one.name: world.cast.identity(one) for one in world.cast.of(Actor.MIX)}
        self._key = mixes["mix-2"]
        nodes = {one.address.partition(":")[0]: one for one in network.nodes}
        epoch = network.epoch
        self._to_provider = [
            self._packet(rng, [(nodes[PROVIDER], Command(Kind.DELIVER_MAILBOX, self._mailbox.public))], epoch)
            for _ in range(packets)
        ]
        onward = Command(Kind.FORWARD, nodes[PROVIDER].identity)
        ending = Command(Kind.DROP)
        self._to_mix = [
            self._packet(rng, [(nodes[MIX], onward), (nodes[PROVIDER], ending)], epoch, last=False)
            for _ in range(packets)
        ]

    async def register(self) -> None:
        """Have a mailbox."""
        await visit(self._world, PROVIDER, self._mailbox, Peer.CLIENT)

    async def send(self) -> tuple[int, int]:
        """Send all; how many the provider stored, and how many the mix sent on."""
        await self.register()
        provider, mix = (self._world.nodes[name].counters for name in (PROVIDER, MIX))
        before = provider[Event.PACKETS_STORED], mix[Event.PACKETS_OUT]
        for start in range(0, len(self._to_mix), BATCH):
            chunk = slice(start, start + BATCH)
            await visit(self._world, PROVIDER, self._key, Peer.NODE, self._to_provider[chunk])
            await visit(self._world, MIX, self._key, Peer.NODE, self._to_mix[chunk])
        return provider[Event.PACKETS_STORED] - before[0], mix[Event.PACKETS_OUT] - before[1]

    def _packet(
        self, rng: random.Random, hops: Sequence[tuple[Node, Command]], epoch: int, *, last: bool = True
    ) -> Frame:
        route = [Hop(node.key_at(epoch), command) for node, command in hops]
        if last:
            route.append(Hop(hops[-1][0].key_at(epoch), Command(Kind.DELIVER)))
        return Frame(FrameKind.PACKET, ENGINE.create(route, b"", seed=rng.randbytes(32)))
