"""Test clients that write down what they send and receive: the truth about a recording (spec/13-measurements.md 13.6).

Promises: on the wire a test client is a client: its provider, the document's rates, three Poisson processes, frames of
one size, messages or drop cover in payload slots, loops; it acknowledges what it gets. The truth holds what its ends
know and null for all else: what became of cover that a provider discards, nobody can know from outside.
Never: anything about clients or packets other than these.
"""

from __future__ import annotations

import json
import os
import random
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import trio

from mixnet.benchmarks.processes.load.load_generator import link_of_client
from mixnet.benchmarks.simulation.ground_truth import LOOP, Journey
from mixnet.client.model.destination import Destination
from mixnet.client.traffic.routes import Map, Route
from mixnet.clock import WallClock
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.deploy.folders import BOOTSTRAP
from mixnet.deploy.plan import LocalPlan
from mixnet.errors import RemoteError
from mixnet.link import Frame, FrameKind, Link, Role, TlsIdentity
from mixnet.network import TCP, Address
from mixnet.pki.bootstrap import Bootstrap
from mixnet.pki.document import Document
from mixnet.pki.fetch import fetch_document
from mixnet.pki.trust import Trust
from mixnet.sphinx import Deliver, Kind, SphinxEngine

FIRST_HOST = 200  # 127.0.S.200 and up: above those of the demonstration's people
MOST = 50
TALKING = 0.5  # the share of payload slots that have a message, for those who talk
_MESSAGE = struct.Struct(">BQ")
_PAYLOAD = LOOP + 1


class Chronicle:
    """What the test clients of one recording know together. Times: nanoseconds since the Unix epoch."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.journeys: list[Journey] = []

    def begin(self, kind: str, sender: str, receiver: str, path: list[str], delays: list[float]) -> Journey:
        """A packet that is about to leave."""
        journey = Journey(len(self.journeys), kind, sender, receiver, delays, path)
        self.journeys.append(journey)
        return journey

    def between(self, begun_ns: int, ended_ns: int) -> list[Journey]:
        """What left in that time."""
        return [one for one in self.journeys if one.sent_ns is not None and begun_ns <= one.sent_ns < ended_ns]

    def dump(self, file: TextIO, journeys: Iterable[Journey], begun_ns: int) -> None:
        """Write the NDJSON lines of `journeys`; times count from `begun_ns`."""
        for journey in journeys:
            line = journey.as_map()
            for key in ("sent_ns", "received_ns"):
                when = line[key]
                line[key] = when - begun_ns if isinstance(when, int) else None
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


@dataclass
class TestClient:
    """One of them. `partner` is whom it talks to; without one it sends cover only."""

    __test__ = False  # for pytest: no test, though its name begins so

    name: str
    host: str
    trust: Bootstrap
    document: Document
    names: Mapping[str, str]
    chronicle: Chronicle
    rng: random.Random
    partner: TestClient | None = None
    _identity: SigningKey = field(default_factory=SigningKey.generate)
    _secret: SphinxSecret = field(default_factory=SphinxSecret.generate)
    _acknowledged: int = 0

    def __post_init__(self) -> None:
        """Choose a provider."""
        self._home = self.rng.choice(self.document.providers)
        self._engine = SphinxEngine()
        self._map = Map(self.document, self.trust.epochs)

    @property
    def destination(self) -> Destination:
        """Where messages for it go."""
        return Destination(self._home.identity, self._identity.public, self._secret.public)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be a client until cancelled; started when its link is up."""
        link = await link_of_client(TlsIdentity(self._identity), self._home, self.trust.network_id, self.host)
        rates = self.document.parameters
        async with link, trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, link)
            nursery.start_soon(self._emit, link, rates.payload_rate, self._payload)
            nursery.start_soon(self._emit, link, rates.loop_rate, self._loop)
            nursery.start_soon(self._emit, link, rates.drop_rate, self._drop)
            task_status.started()

    async def _emit(self, link: Link, rate: float, make: Callable[[], tuple[bytes, Journey]]) -> None:
        """One packet at each Poisson time, made before it."""
        due = trio.current_time()
        while rate > 0:
            packet, journey = make()
            due += self.rng.expovariate(rate)
            await trio.sleep_until(due)
            frame = Frame(FrameKind.PACKET, packet, acknowledged=self._acknowledged)
            journey.sent_ns = time.time_ns()
            await link.send([frame])

    async def _listen(self, link: Link) -> None:
        while True:
            for frame in await link.receive():
                now = time.time_ns()
                if frame.kind is FrameKind.MAIL:
                    self._read_untrusted(frame.body, now)
                self._acknowledged = frame.sequence

    def _read_untrusted(self, packet: bytes, now: int) -> None:
        """A packet from the mailbox: which one it was, if it is one of ours."""
        try:
            peeled = self._engine.peel_untrusted(self._secret, packet)
        except RemoteError:
            return
        if isinstance(peeled, Deliver) and len(peeled.message) == _MESSAGE.size:
            _, number = _MESSAGE.unpack(peeled.message)
            if number < len(self.chronicle.journeys):
                self.chronicle.journeys[number].received_ns = now

    def _payload(self) -> tuple[bytes, Journey]:
        if self.partner is None or self.rng.random() >= TALKING:
            return self._drop()
        return self._message("payload", _PAYLOAD, self.partner)

    def _loop(self) -> tuple[bytes, Journey]:
        return self._message("loop", LOOP, self)

    def _message(self, kind: str, first: int, to: TestClient) -> tuple[bytes, Journey]:
        route = self._map.deliver(self.rng, self._home.identity, to.destination, WallClock().now())
        journey = self._begin(kind, route, to.name)
        return self._create(route, _MESSAGE.pack(first, journey.msg)), journey

    def _drop(self) -> tuple[bytes, Journey]:
        route = self._map.drop(self.rng, self._home.identity, WallClock().now())
        path = self._path(route)
        return self._create(route, b""), self._begin("drop", route, path[-1])

    def _begin(self, kind: str, route: Route, receiver: str) -> Journey:
        delays = [hop.command.delay_us / 1e6 for hop in route.hops if hop.command.kind is Kind.FORWARD]
        return self.chronicle.begin(kind, self.name, receiver, self._path(route), delays)

    def _path(self, route: Route) -> list[str]:
        """The names of the nodes on a route, its own provider first."""
        onward = [hop.command.target for hop in route.hops if hop.command.kind is Kind.FORWARD]
        nodes = {node.identity: node for node in self.document.nodes}
        hosts = [Address.parse(nodes[one].address).host for one in (self._home.identity, *onward)]
        return [self.names.get(host, host) for host in hosts]

    def _create(self, route: Route, message: bytes) -> bytes:
        return self._engine.create(route.hops, message, seed=os.urandom(32))


def hosts(plan: LocalPlan, count: int) -> dict[str, str]:
    """The names of so many test clients by their addresses."""
    return {f"127.0.{plan.subnet}.{FIRST_HOST + number}": f"client-{number + 1}" for number in range(count)}


async def enroll(folder: Path, own: Mapping[str, str], names: Mapping[str, str]) -> list[TestClient]:
    """The test clients at the hosts `own`, each two of whom talk to each other; a last one alone is idle."""
    trust = Bootstrap.load(folder / BOOTSTRAP)
    rng = random.SystemRandom()
    document, _ = await fetch_document(
        Trust(trust), network=TCP(), clock=WallClock(), identity=SigningKey.generate(), role=Role.CLIENT, rng=rng
    )
    chronicle = Chronicle()
    made = [TestClient(name, host, trust, document, names, chronicle, rng) for host, name in own.items()]
    for one, other in zip(made[::2], made[1::2], strict=False):
        one.partner, other.partner = other, one
    return made
