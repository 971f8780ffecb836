"""Isolation, the (n-1) attack: everybody's packets but one client's are held back (spec/13-measurements.md 13.5).

Promises: real actors in virtual time; the attacker controls all links. He can hold up a direction between two hosts,
never one packet of a stream. At a `mix` he holds all that goes to it but by the target's provider, and what that
provider's other clients send, for good; `brief`, `second` and `half` are the same for so long at a time; over the whole
`network` what all other clients send. Scored is the truth; times to alarm are those of the actors. Positive controls:
no loops, so nobody notices; holds far above what a loop may take are noticed. Null: nothing is held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import trio
from numpy.typing import NDArray

from mixnet.benchmarks.attacks.acting import per_hour, share
from mixnet.benchmarks.attacks.adversary import document
from mixnet.benchmarks.attacks.alarms import Alarms
from mixnet.benchmarks.attacks.residence import Passages, Residence, alone, residence
from mixnet.benchmarks.base.figures import Control, Figure, Finding, Subject, at_least
from mixnet.benchmarks.base.jobs import Run
from mixnet.benchmarks.base.size import Size
from mixnet.benchmarks.base.statistics import Estimate, exact, mean
from mixnet.benchmarks.simulation.ground_truth import NODE_LOOP, Journey
from mixnet.benchmarks.simulation.trace import Trace
from mixnet.benchmarks.simulation.world import World, WorldConfig, run_world
from mixnet.errors import LocalError
from mixnet.pki.document import Document
from mixnet.pki.parameters import Parameters

SUBJECT = Subject(
    "isolation",
    "Isolation: the (n-1) attack",
    ("P1", "P2"),
    "external, global, active",
    "loops of clients and nodes tell that packets are held back; nodes' loops are in every pool",
    "Of holds that are shorter than what a loop may take nobody learns: its loops come back in time. No target "
    "in docs/measuring.md. A time without a value: no alarm came. Alone means without any packet of somebody "
    "else, nodes' loops included, which the attacker can't tell from other packets.",
)
PARAMETERS = Parameters(
    mean_delay=0.2,
    payload_rate=1.0,
    loop_rate=2.0,
    drop_rate=0.5,
    downlink_rate=4.0,
    node_loop_rate=0.5,
    link_latency=0.01,
    ack_delay=2.0,
)
CLIENTS = 6
PLACES = {
    "mix": "at a mix",
    "brief": "at a mix, 5 s of every 10",
    "second": "at a mix, 1 s of every 2",
    "half": "at a mix, 0.5 s of every 1",
    "network": "everywhere",
}
HOLDS = {"brief": (5.0, 10.0), "second": (1.0, 2.0), "half": (0.5, 1.0)}  # seconds: for how long, and how often
SHORT = ("second", "half")  # left out of a quick look
TARGET = "client-1"
BEGIN = 20.0  # seconds, when the attack begins
ENDS = 3.0  # mean delays before the end of a hold from which on packets are not counted
DRAINED = 12.0  # mean delays after which what came before is gone
SHORTEST_DRAIN, SHORTEST_END = 0.5, 0.25  # of a hold, if that is less than so many mean delays
LASTS = {Size.QUICK: 30.0, Size.STANDARD: 60.0, Size.FULL: 300.0}
RUNS = {Size.QUICK: 1, Size.STANDARD: 3, Size.FULL: 20}


def score(_trace: Trace, journeys: Sequence[Journey], *, since: float = 0.0) -> Finding:
    """How often a packet of a client was alone in a pool: at one of its mixes, and at all of them."""
    table = residence(journeys)
    clients = [one for one in table.journeys if one.kind != NODE_LOOP]
    if not clients:
        raise LocalError("the truth has no packet of a client")
    once, always, packets = _lonely(table, [(since, float("inf"))], {one.sender for one in clients})
    figures = (
        Figure("isolation_once", "packets alone in a pool at least once on their way", share(once, packets)),
        Figure("isolation_always", "packets alone in each pool on their way", share(always, packets)),
    )
    return SUBJECT.finding(f"a trace of {packets:,} packets", figures)


def measure(size: Size, run: Run, *, seed: int = 1) -> Finding:
    """Attack at a mix and everywhere, with loops and without, and not at all."""
    seconds = LASTS[size]
    seeds = range(seed, seed + RUNS[size])
    places = [place for place in PLACES if size is not Size.QUICK or place not in SHORT]
    jobs = [{"place": place, "seconds": seconds, "seed": one} for place in (*places, "") for one in seeds]
    jobs += [{"place": "network", "seconds": seconds, "seed": seed, "loops": False}]
    done = run(hold_back, jobs)
    number = len(seeds)
    by_place = {place: done[at * number : (at + 1) * number] for at, place in enumerate(places)}
    calm, blind = done[-number - 1 : -1], done[-1]
    figures = [figure for place, found in by_place.items() for figure in _figures(place, found)]
    unattacked = share(sum(one["always"] for one in calm), sum(one["packets"] for one in calm))
    figures.append(Figure("isolation_calm", "target's packets alone in each pool, without attack", unattacked))
    hours = sum(one["watched"] for one in calm)
    alarms = sum(len(one["alarms"]) for one in calm)
    figures.append(
        Figure("isolation_false_alarms", "alarms of an actor in an hour without attack", per_hour(alarms, hours), "1/h")
    )
    setting = (
        f"real actors, {CLIENTS} clients, 3x2 mixes, 2 providers, {PARAMETERS.send_rate:g} packets a second and client "
        f"of which {PARAMETERS.loop_rate:g} are loops, {PARAMETERS.node_loop_rate:g} loops a second and node; "
        f"{number} run(s) of {seconds:g} s of attack; seed {seed}"
    )
    return SUBJECT.finding(setting, figures, _controls(by_place["network"], by_place["brief"], blind, alarms))


def _controls(
    everywhere: Sequence[dict[str, Any]], brief: Sequence[dict[str, Any]], blind: dict[str, Any], alarms: int
) -> tuple[Control, ...]:
    lonely = share(blind["always"], blind["packets"])
    shown = {
        "no loops: no alarm (1: none)": not blind["alarms"],
        "loops, everywhere: somebody warns (1: yes)": all(one["alarms"] for one in everywhere),
        "loops, held back 5 s of every 10: somebody warns (1: yes)": all(one["alarms"] for one in brief),
    }
    return (
        Control.positive("no loops, everywhere: the target's packets alone in each pool", lonely, at_least(0.99)),
        *(Control.positive(what, exact(float(true)), at_least(1)) for what, true in shown.items()),
        Control.null("no attack: alarms", exact(alarms), chance=0.0),
    )


def hold_back(*, place: str, seconds: float, seed: int, loops: bool = True) -> dict[str, Any]:
    """Attack at this place for so long. A job.

    Of the target's packets: how many there were, how many were alone at least `once`, and `always`; `alarms`: seconds
    to each actor's alarm; `watched`: actor-seconds.
    """
    alarms = Alarms()
    siege = _Siege(place)

    async def attack(world: World) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarms.watch, world)
            await trio.sleep_until(BEGIN)
            nursery.start_soon(siege.run, world)
            await trio.sleep_until(BEGIN + seconds)
            nursery.cancel_scope.cancel()

    rates = {} if loops else {"loop_rate": 0.0, "node_loop_rate": 0.0}
    parameters = msgspec.structs.replace(PARAMETERS, **rates)
    world = run_world(attack, WorldConfig(seed=seed, clients=CLIENTS, codec="plain", parameters=parameters))
    table = residence(list(world.truth), siege.passed)
    once, always, packets = _lonely(table, siege.spans, {TARGET}, siege.mixes)
    return {
        "once": once,
        "always": always,
        "packets": packets,
        "alarms": alarms.after(BEGIN),
        "watched": seconds * (CLIENTS + len(world.nodes)),
    }


class _Siege:
    """Holds back all but the target's packets; `mixes` are those at which that is to isolate them, `spans` when."""

    def __init__(self, place: str) -> None:
        self.mixes: list[str] = []
        self.spans: list[tuple[float, float]] = []
        self.passed: dict[int, dict[str, float]] = {}
        self._place = place

    async def run(self, world: World) -> None:
        """Go on until cancelled."""
        self.passed = Passages(world.truth).when
        drain, end = DRAINED * PARAMETERS.mean_delay, ENDS * PARAMETERS.mean_delay
        if self._place not in HOLDS:
            self.mixes = _close(world, await document(world), self._place) if self._place else []
            self.spans.append((trio.current_time() + drain, float("inf")))
            return
        hold, period = HOLDS[self._place]
        drain, end = min(drain, SHORTEST_DRAIN * hold), min(end, SHORTEST_END * hold)
        network = await document(world)
        begun = trio.current_time()
        while True:
            self.mixes = _close(world, network, "mix")
            self.spans.append((begun + drain, begun + hold - end))
            await trio.sleep_until(begun + hold)
            world.network.heal()
            begun += period
            await trio.sleep_until(begun)


def _close(world: World, network: Document, place: str) -> list[str]:
    """Hold back all but the target's packets; the mixes at which that is to isolate them."""
    layers = network.layers
    first = [node.address.partition(":")[0] for node in layers[0]]
    mixes = [node.address.partition(":")[0] for layer in layers for node in layer]
    clients = {world.client_name(index): index % 2 for index in range(CLIENTS)}
    providers = ["provider-1", "provider-2"]
    home = clients[TARGET]
    others = [name for name in clients if name != TARGET]
    if place == "network":
        world.network.hold_back(others, providers)
        return mixes
    everybody = [*providers, *mixes]
    world.network.hold_back([name for name in everybody if name not in (providers[home], first[0])], [first[0]])
    world.network.hold_back([name for name in others if clients[name] == home], [providers[home]])
    return first[:1]


def _lonely(
    table: Residence, spans: Sequence[tuple[float, float]], senders: set[str], where: Sequence[str] = ()
) -> tuple[int, int, int]:
    """(packets alone once, always, all) of these senders' at mixes, or at those of `where`.

    Counted are stays that begin within one of the spans. What the same sender has in the pool hides nobody.
    """
    owners = np.array([one.sender for one in table.journeys])
    mixes: set[str] = {host for one in table.journeys if one.kind != NODE_LOOP for host in one.path[1:-1]}
    places = [table.hosts.index(host) for host in (where or sorted(mixes)) if host in table.hosts]
    timely = np.isin(table.node, places)
    timely &= np.any([(table.arrival >= begin) & (table.arrival <= end) for begin, end in spans], axis=0)
    once = always = packets = 0
    for sender in sorted(senders):
        mine: NDArray[np.bool_] = owners[table.packet] == sender
        asked = mine & timely
        lonely = alone(table, asked, ~mine)
        for packet in np.unique(table.packet[asked]):
            verdicts = lonely[table.packet[asked] == packet]
            packets += 1
            once += bool(verdicts.any())
            always += bool(verdicts.all())
    return once, always, packets


def _figures(place: str, found: Sequence[dict[str, Any]]) -> list[Figure]:
    times = [one["alarms"] for one in found]
    where = PLACES[place]
    packets = sum(one["packets"] for one in found)
    kinds = {"client": "a client warns", "node": "a node warns", "target": "the target warns"}
    figures = [
        Figure(
            f"isolation_{place}",
            f"target's packets alone in each attacked pool, held back {where}",
            share(sum(one["always"] for one in found), packets),
        )
    ]
    for kind, what in kinds.items():
        firsts = [min((t for name, t in one.items() if _is(kind, name)), default=float("inf")) for one in times]
        figures.append(
            Figure(f"isolation_{place}_{kind}_alarm", f"until {what}, held back {where}", _mean(firsts), "s")
        )
    return figures


def _is(kind: str, name: str) -> bool:
    if kind == "target":
        return name == TARGET
    return name.startswith("client") == (kind == "client")


def _mean(times: Sequence[float]) -> Estimate:
    """Of one run the time itself; of runs some of which never came to it no mean."""
    if not np.isfinite(times).all():
        return Estimate(float("inf"), min(times), float("inf"))
    return exact(times[0]) if len(times) == 1 else mean(times)
