"""Replay: recorded packets are sent again, to running nodes and to one that was killed (spec/13-measurements.md 13.5).

Promises: real nodes with disks, in virtual time. The attacker has everything that such an attack could want: packets in
the clear, and a mix's key, with which he links as that node. He sends each packet twice in one write, then again as it
was, with the bit flipped that means nothing, and with another body; and he kills nodes, at rest and at the very instant
at which they have let the first packet through. `replay_accepted` counts packets that a node lets through a second
time: stored in a mailbox, or sent on. A refusal counts only if the node refused a replay. Positive control: nodes that
take each packet for new. Null: packets that were never sent before are all accepted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal
from unittest.mock import patch

import trio

from mixnet.benchmarks.attacks.acting import ENGINE, always, never, no_files, share
from mixnet.benchmarks.attacks.adversary import document, identity_of, visit
from mixnet.benchmarks.base.figures import Bound, Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import exact
from mixnet.benchmarks.controls.guards import without_guards
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.counters import Counters, Dropped, Event
from mixnet.crypto import SigningKey
from mixnet.errors import LocalError
from mixnet.link import Frame, FrameKind
from mixnet.link import Role as Peer
from mixnet.pki.document import Document, Node
from mixnet.pki.parameters import Parameters
from mixnet.sphinx import GEOMETRY, Command, Hop, Kind

SUBJECT = Subject(
    "replay",
    "Replay: recorded packets are sent again",
    ("P2", "T3"),
    "internal or external, active",
    "a tag of each accepted packet, written down before the packet goes on and kept as long as its key",
)
PACKETS = {Size.QUICK: 20, Size.STANDARD: 200, Size.FULL: 2000}
UP = 30.0  # seconds until the network is there
BATCH = 100  # packets a visit, each twice: fewer than a node's first queue takes from one link
HURRIED = 20  # packets of which some have been let through when the node dies: one batch
PROVIDER, MIX, ELSEWHERE = "provider-1", "mix-1", "provider-2"  # the last is where the mix sends on to
STILL = Parameters(node_loop_rate=0.0)  # so that all that leaves a node is the attacker's
score = no_files(SUBJECT.name)


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Replay to a running provider and mix, and after kill -9."""
    count = PACKETS[size]
    jobs: list[dict[str, Any]] = [
        {"packets": count, "seed": seed},
        {"packets": count, "seed": seed, "kill": "rest"},
        {"packets": HURRIED, "seed": seed, "kill": "instant"},
        {"packets": 10, "seed": seed, "off": ["replay"]},
    ]
    *tried, bare = run(send_again, jobs)
    figures, controls = _figures(tried), _controls(tried, bare)
    setting = (
        f"real nodes with disks, virtual time; {count} packets to a provider and {count} to a mix, each twice at once "
        f"and {len(WAYS)} times again, while they run and after kill -9 ({HURRIED} where that is at the instant); "
        f"seed {seed}"
    )
    return SUBJECT.finding(setting, figures, controls)


def _figures(tried: Sequence[dict[str, Any]]) -> tuple[Figure, ...]:
    _, at_rest, at_once = tried
    stored, forwarded = (sum(one["again"][place] + one["twice"][place] for one in tried) for place in (0, 1))
    tries, twice = (sum(one[what] for one in tried) for what in ("tries", "tries_twice"))
    return (
        never("replay_accepted", "replayed packets accepted", stored + forwarded, tries + twice),
        never("replay_accepted_stored", "by a provider, for a mailbox", stored, (tries + twice) // 2),
        never("replay_accepted_forwarded", "by a mix, from another one", forwarded, (tries + twice) // 2),
        never("replay_accepted_at_once", "twice in one write", sum(sum(one["twice"]) for one in tried), twice),
        never("replay_accepted_after_kill", "after kill -9", sum(at_rest["again"]), at_rest["tries"]),
        never(
            "replay_accepted_after_instant",
            "after kill -9 at the instant at which the first was let through",
            sum(at_once["again"]),
            at_once["tries"],
        ),
        Figure(
            "replay_refused_known",
            "of what was sent again: refused as a replay, and for no other reason",
            share(sum(one["refused"] for one in tried), tries),
            must=at_least(1),
        ),
        Figure(
            "replay_keys_retired",
            "keys that kill -9 cost",
            exact(at_rest["retired"] + at_once["retired"]),
            must=Bound(0),
        ),
    )


def _controls(tried: Sequence[dict[str, Any]], bare: dict[str, Any]) -> tuple[Control, ...]:
    calm = [one for one in tried if not one["instant"]]
    fresh, sent = (sum(one[what] for one in calm) for what in ("accepted", "tries_twice"))
    return (
        always("nodes that take each packet for new: accepted again", sum(bare["again"]), bare["tries"]),
        always("the same: accepted twice at once", sum(bare["twice"]), bare["tries_twice"]),
        Control.null("packets that are sent for the first time: accepted", share(fresh, sent), chance=1.0),
    )


def send_again(
    *, packets: int, seed: int, kill: Literal["", "rest", "instant"] = "", off: Sequence[str] = ()
) -> dict[str, Any]:
    """What the provider and the mix accepted of so many packets for each. A job.

    `accepted`: of all, for the first time; `twice`: of the copies in the same write; `again`: of `tries` sent later, of
    which `refused` were refused as replays; `retired`: keys.
    """
    found: dict[str, Any] = {"tries": 2 * packets * len(WAYS), "tries_twice": 2 * packets, "instant": kill == "instant"}

    async def attack(world: World) -> None:
        await trio.sleep(UP)
        raid = _Raid(world, await document(world), random.Random(f"replay {seed}"), packets)
        with _killing(world) if kill == "instant" else nullcontext():
            first = await raid.send(copies=2)
        if kill:
            for name in (PROVIDER, MIX):
                if kill == "rest":
                    world.crash(name)
                await world.restart(name)
            await trio.sleep(UP)
        counters = [world.nodes[name].counters for name in (PROVIDER, MIX)]
        before = sum(one[Dropped.REPLAYED] for one in counters)
        again = [await raid.send(way) for way in WAYS]
        found["accepted"] = sum(min(one, packets) for one in first)
        found["twice"] = [max(0, one - packets) for one in first]
        found["again"] = [sum(pair) for pair in zip(*again, strict=True)]
        found["refused"] = sum(one[Dropped.REPLAYED] for one in counters) - before
        found["retired"] = sum(one[Event.KEYS_RETIRED] for one in counters)

    with without_guards(off):
        run_world(attack, WorldConfig(seed=seed, clients=0, disks=True, parameters=STILL))
    return found


@contextmanager
def _killing(world: World) -> Iterator[None]:
    """Kill both nodes, each within the very step in which it first counts a packet as stored or sent on."""
    add = Counters.add
    fatal = {
        id(world.nodes[PROVIDER].counters): (PROVIDER, Event.PACKETS_STORED),
        id(world.nodes[MIX].counters): (MIX, Event.PACKETS_OUT),
    }

    def add_and_die(self: Counters, event: Event, number: int = 1) -> None:
        add(self, event, number)
        name, last = fatal.get(id(self), ("", None))
        if event is last and number:
            del fatal[id(self)]
            world.crash(name)

    with patch.object(Counters, "add", add_and_die):
        yield
    if fatal:
        raise LocalError("a node that was to die accepted nothing: report it")


def _as_it_was(packet: bytes) -> bytes:
    return packet


def _other_point(packet: bytes) -> bytes:
    """With alpha's top bit flipped, which X25519 ignores: another packet to whoever compares bytes."""
    last = GEOMETRY.alpha_size - 1
    return packet[:last] + bytes([packet[last] ^ 0x80]) + packet[last + 1 :]


def _other_body(packet: bytes) -> bytes:
    """With a body that only the recipient would refuse."""
    return packet[: GEOMETRY.header_size] + bytes(byte ^ 1 for byte in packet[GEOMETRY.header_size :])


WAYS: tuple[Callable[[bytes], bytes], ...] = (_as_it_was, _other_point, _other_body)


class _Raid:
    """Recorded packets and what it takes to send them."""

    def __init__(self, world: World, network: Document, rng: random.Random, packets: int) -> None:
        self._world = world
        self._mailbox = SigningKey(rng.randbytes(32))
        self._key = identity_of(world, "mix-2")
        nodes = {one.address.partition(":")[0]: one for one in network.nodes}
        epoch = network.epoch
        self._to_provider = [
            self._packet(rng, [(nodes[PROVIDER], Command(Kind.DELIVER_MAILBOX, self._mailbox.public))], epoch)
            for _ in range(packets)
        ]
        onward = Command(Kind.FORWARD, nodes[ELSEWHERE].identity)
        ending = Command(Kind.DROP)
        self._to_mix = [
            self._packet(rng, [(nodes[MIX], onward), (nodes[ELSEWHERE], ending)], epoch, last=False)
            for _ in range(packets)
        ]

    async def send(self, way: Callable[[bytes], bytes] = _as_it_was, *, copies: int = 1) -> tuple[int, int]:
        """Send all, each so many times in one write; how many the provider stored, and how many the mix sent on."""
        await visit(self._world, PROVIDER, self._mailbox, Peer.CLIENT)  # so that it has a mailbox
        provider, mix = (self._world.nodes[name].counters for name in (PROVIDER, MIX))
        before = provider[Event.PACKETS_STORED], mix[Event.PACKETS_OUT]
        for start in range(0, len(self._to_mix), BATCH):
            chunk = slice(start, start + BATCH)
            for host, packets in ((PROVIDER, self._to_provider), (MIX, self._to_mix)):
                frames = [Frame(FrameKind.PACKET, way(packet)) for packet in packets[chunk]]
                await visit(self._world, host, self._key, Peer.NODE, frames * copies)
        return provider[Event.PACKETS_STORED] - before[0], mix[Event.PACKETS_OUT] - before[1]

    def _packet(
        self, rng: random.Random, hops: Sequence[tuple[Node, Command]], epoch: int, *, last: bool = True
    ) -> bytes:
        route = [Hop(node.key_at(epoch), command) for node, command in hops]
        if last:
            route.append(Hop(hops[-1][0].key_at(epoch), Command(Kind.DELIVER)))
        return ENGINE.create(route, b"", seed=rng.randbytes(32))
