"""Flooding: an attacker's clients fill a mix with his own packets (spec/13-measurements.md 13.5).

Promises: real actors in virtual time; his identities link as anybody can, send as fast as a provider takes it, all
through one mix, and ask it to hold each packet for long. He knows his own packets, so the entropy of the others is
computed without them, from the times at which nodes really let packets go. Positive control: the same flood on mixes
that send when enough have come, instead of each packet by its own time, and on providers that take all that is sent;
null: no flood.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import trio
from numpy.typing import NDArray

from mixnet.benchmarks.anonymity.pool import Visits, beginning, entropies, propagate
from mixnet.benchmarks.attacks.adversary import dial, document
from mixnet.benchmarks.attacks.alarms import Alarms
from mixnet.benchmarks.attacks.isolation import PARAMETERS
from mixnet.benchmarks.attacks.residence import Passages, Residence, as_it_went, residence
from mixnet.benchmarks.base.figures import Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, exact, mean, rate
from mixnet.benchmarks.controls.guards import BATCH, without_guards
from mixnet.benchmarks.simulation.codec import codec
from mixnet.benchmarks.simulation.ground_truth import NODE_LOOP, Journey
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.crypto import SigningKey
from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.link import Frame, FrameKind, Link
from mixnet.link import Role as Peer
from mixnet.pki.document import Document, Node
from mixnet.sphinx import Command, Hop, Kind
from mixnet.sphinx import microseconds as whole

SUBJECT = Subject(
    "flooding",
    "Flooding: an attacker's packets fill a mix",
    ("P1",),
    "external, local, active: clients of his own",
    "each packet leaves by its own time, whatever else is there; what a client may send is limited; loops",
    "No target in docs/measuring.md. His packets fill pools and hide nobody; they don't take away what hides others "
    "either, as long as the node has room and CPU for all: in virtual time work takes no time.",
)
CLIENTS = 6
IDENTITIES = {Size.QUICK: 2, Size.STANDARD: 8, Size.FULL: 40}
LASTS = {Size.QUICK: 20.0, Size.STANDARD: 60.0, Size.FULL: 300.0}
BEGIN = 20.0
OFFERED = 50  # packets a second of each identity
HOLD = 8.0  # mean delays, the longest that counts as ordinary
INTRUDER = "intruder"
TARGETS = 60  # honest packets whose entropy is computed
CONTROL = {"identities": 4, "seconds": 12.0, "off": ["pools", "rates"]}


def score(_trace: Trace, journeys: Sequence[Journey], *, mine: Collection[str] | None = None) -> Finding:
    """Which share of the pools is an attacker's who has the clients `mine`: by default whoever sends most."""
    table = residence(journeys)
    clients = [one.sender for one in table.journeys if one.kind != NODE_LOOP]
    if not clients:
        raise LocalError("the truth has no packet of a client")
    chosen = set(mine) if mine is not None else {max(sorted(set(clients)), key=clients.count)}
    shares = {host: _pool_share(table, host, chosen) for host in _mixes(table)}
    fullest = max(shares, key=lambda host: shares[host].value)
    figures = (
        Figure("flooding_pool_share", f"of the pool of {fullest} while others' packets arrive: his", shares[fullest]),
        Figure("flooding_entropy", "bits that hide others' packets", _entropy(table, chosen, 0.0), "bit"),
    )
    setting = f"a trace of {len(clients):,} packets; the attacker is {', '.join(sorted(chosen))}"
    return SUBJECT.finding(setting, figures)


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Flood, and compare with the same network in peace."""
    identities, seconds = IDENTITIES[size], LASTS[size]
    jobs: list[dict[str, Any]] = [
        {"identities": identities, "seconds": seconds, "seed": seed},
        {"identities": 0, "seconds": seconds, "seed": seed},
        {**CONTROL, "seed": seed},
        {**CONTROL, "identities": 0, "seed": seed},
    ]
    flooded, calm, naive, naive_calm = run(flood, jobs)
    figures = (
        Figure("flooding_pool_share", "of a mix' pool, while honest packets arrive: his", Estimate(*flooded["share"])),
        Figure(
            "flooding_admitted",
            "his packets that a provider lets in, each identity",
            exact(flooded["his"] / identities / seconds),
            "1/s",
        ),
        Figure(
            "flooding_entropy", "bits that hide honest packets from him, flooded", Estimate(*flooded["entropy"]), "bit"
        ),
        Figure("flooding_entropy_calm", "the same in peace", Estimate(*calm["entropy"]), "bit"),
        Figure(
            "flooding_entropy_change", "bits that the flood costs the same packets", _difference(calm, flooded), "bit"
        ),
        Figure("flooding_lost", "honest packets lost while he floods", rate(flooded["lost"], flooded["sent"])),
        Figure("flooding_alarms", "actors that warn", exact(flooded["alarms"])),
    )
    setting = (
        f"real actors, {CLIENTS} clients with {PARAMETERS.send_rate:g} packets a second each, 3x2 mixes; "
        f"{identities} identities that offer {OFFERED} packets a second each for {seconds:g} s; seed {seed}"
    )
    return SUBJECT.finding(setting, figures, _controls(calm, naive, naive_calm))


def _controls(calm: dict[str, Any], naive: dict[str, Any], naive_calm: dict[str, Any]) -> tuple[Control, ...]:
    return (
        Control.positive(
            f"mixes that send when {BATCH} packets are there, and clients without limits: bits that the flood costs",
            _difference(naive_calm, naive),
            at_least(1),
        ),
        Control.null("no flood: his share", Estimate(*calm["share"]), chance=0.0),
    )


def flood(*, identities: int, seconds: float, seed: int, off: Sequence[str] = ()) -> dict[str, Any]:
    """What becomes of a network that so many identities flood. A job."""
    alarms = Alarms()
    where: list[str] = []
    passed: dict[int, list[float]] = {}

    async def attack(world: World) -> None:
        nonlocal passed
        passed = Passages(world.truth).times
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarms.watch, world)
            await trio.sleep_until(BEGIN)
            network = await document(world)
            where.append(network.layers[0][0].address.partition(":")[0])
            for number in range(identities):
                nursery.start_soon(_identity, world, network, number)
            await trio.sleep_until(BEGIN + seconds)
            nursery.cancel_scope.cancel()

    with without_guards(off):
        world = run_world(attack, WorldConfig(seed=seed, clients=CLIENTS, codec="plain", parameters=PARAMETERS))
    table = as_it_went(list(world.truth), passed)
    his = {f"{INTRUDER}-{number}" for number in range(identities)}
    own = [one for one in table.journeys if one.sender in his]
    others = [one for one in table.journeys if one.sender not in his and _in_time(one, seconds)]
    return {
        "share": list(_pool_share(table, where[0], his, BEGIN)),
        "entropy": list(_entropy(table, his, BEGIN)),
        "his": len(own),
        "sent": len(others),
        "lost": sum(one.received_ns is None for one in others),
        "alarms": len(alarms.first),
    }


def _in_time(one: Journey, seconds: float) -> bool:
    """Sent during the flood, and due before its end."""
    sent = (one.sent_ns or 0) / 1e9
    return sent > BEGIN and sent + sum(one.delays) + 3.0 < BEGIN + seconds


async def _identity(world: World, network: Document, number: int) -> None:
    """One of the attacker's clients: as much as a provider reads, through one mix."""
    rng = world.stream(INTRUDER, str(number))
    name = f"{INTRUDER}-{number}"
    engine = world.truth.witness(codec("plain"), name, client=True)
    provider = network.providers[number % len(network.providers)]
    host = provider.address.partition(":")[0]
    try:
        link = await dial(world, host, SigningKey(rng.randbytes(32)), Peer.CLIENT, source=name)
    except (RemoteError, Unavailable):
        return
    async with link, trio.open_nursery() as nursery:
        nursery.start_soon(_listen, link)
        while True:
            packets = [
                engine.create(_way(network, provider, rng), b"", seed=rng.randbytes(32)) for _ in range(OFFERED // 5)
            ]
            await link.send([Frame(FrameKind.PACKET, packet) for packet in packets])
            await trio.sleep(0.2)


async def _listen(link: Link) -> None:
    """Read what comes down, so that the link lives."""
    while True:
        await link.receive()


def _way(network: Document, entry: Node, rng: random.Random) -> list[Hop]:
    """Through the flooded mix, held there for as long as counts as ordinary, to a provider that drops it."""
    mixes = [network.layers[0][0], *(rng.choice(layer) for layer in network.layers[1:])]
    path = [entry, *mixes, rng.choice(network.providers)]
    delays = [0.0, HOLD * network.parameters.mean_delay, 0.0, 0.0]
    hops = [
        Hop(node.key_at(network.epoch), Command(Kind.FORWARD, following.identity, whole(delay)))
        for node, following, delay in zip(path, path[1:], delays, strict=False)
    ]
    return [*hops, Hop(path[-1].key_at(network.epoch), Command(Kind.DROP))]


def _mixes(table: Residence) -> list[str]:
    mixes = {host for one in table.journeys if one.kind != NODE_LOOP for host in one.path[1:-1]}
    return sorted(mixes)


def _pool_share(table: Residence, host: str, his: Collection[str], since: float = 0.0) -> Estimate:
    """Of the packets that an honest one finds in the pool: how many are his, on average."""
    attacker = np.array([one.sender in his for one in table.journeys])[table.packet]
    here = table.at(host)
    shares = []
    for stay in np.flatnonzero(here & ~attacker & (table.arrival > since) & (table.departure > table.arrival)):
        there = here & (table.arrival < table.arrival[stay]) & (table.departure > table.arrival[stay])
        if there.any():
            shares.append(float((there & attacker).sum() / there.sum()))
    return mean(shares) if len(shares) > 1 else exact(0.0)


def _entropy(table: Residence, his: Collection[str], since: float) -> Estimate:
    """Bits that hide honest clients' packets, if the attacker's own and nodes' loops are taken out."""
    kept = [one.sender not in his and one.kind != NODE_LOOP for one in table.journeys]
    keep: NDArray[np.bool_] = np.array(kept)[table.packet]
    visits = Visits(table.packet[keep], table.node[keep], table.arrival[keep], table.departure[keep])
    entered = np.array([(one.sent_ns or 0) / 1e9 for one in table.journeys])
    end = float(entered.max()) - 3.0
    able = np.flatnonzero(np.array(kept) & (entered > since + 2.0) & (entered < end))
    if not len(able):
        raise LocalError("too short a run: no honest packet to look at")
    targets = able[np.unique(np.linspace(0, len(able) - 1, min(TARGETS, len(able))).astype(int))]
    belief = propagate(visits, beginning(len(table.journeys), targets), len(table.hosts))
    return mean(entropies(belief))


def _difference(calm: dict[str, Any], flooded: dict[str, Any]) -> Estimate:
    """Of the same packets, since honest actors send the same under one seed: what differs is the flood's doing."""
    return exact(calm["entropy"][0] - flooded["entropy"][0])
