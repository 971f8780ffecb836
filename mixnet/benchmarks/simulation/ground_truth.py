"""Ground truth of a simulated run: what each packet was, who sent it, which way it went (docs/measuring.md).

Promises: nothing of it comes from the actors, which don't know that they are watched: each is given a packet engine
that lets this module see what it makes and peels, and does nothing else. A packet is followed from hop to hop by the
first 32 bytes of what came out of the last one. When it was sent follows from when its first hop peeled it and from the
latency of a link. Attacks read the trace; truth is for keeping the score.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import msgspec
import trio

from mixnet.crypto import SphinxSecret
from mixnet.errors import LocalError
from mixnet.sphinx import GEOMETRY, Deliver, Drop, Engine, Forward, Hop, Kind, Mailbox, Peeled, Reply, Surb, SurbKeys

_FORMAT = ("msg", "kind", "sender", "receiver", "path", "delays", "sent_ns", "received_ns")
NODE_LOOP = "node-loop"  # the kind of the loops that nodes send
LOOP = 0  # the first byte of a client's plaintext that marks a loop (client/arq/fragments.py has the table)


@dataclass(slots=True)
class Journey:
    """One packet's life. `delays` (seconds) are those its sender drew, `path` the hosts that peeled it, in order."""

    msg: int  # number of the packet, in the order in which packets were made
    kind: str
    sender: str
    receiver: str
    delays: list[float]
    path: list[str] = field(default_factory=list)
    sent_ns: int | None = None
    received_ns: int | None = None

    def as_map(self) -> dict[str, object]:
        """The fields of the NDJSON line, in the order of the format."""
        return {name: getattr(self, name) for name in _FORMAT}


class GroundTruth:
    """All journeys of a run."""

    def __init__(self, names: Mapping[bytes, str], latency: float) -> None:
        """`names` gives the host of each identity and mailbox; `latency` is what one link takes, in seconds."""
        self._names = dict(names)
        self._latency = latency
        self._journeys: list[Journey] = []
        self._by_alpha: dict[bytes, Journey] = {}

    def __iter__(self) -> Iterator[Journey]:
        """Those that were sent and reached their first hop; what was made and never left is no part of the truth."""
        return (journey for journey in self._journeys if journey.sent_ns is not None)

    def witness(self, engine: Engine, host: str, *, client: bool) -> Engine:
        """An engine for the actor at `host` that does what `engine` does and is seen doing it."""
        return _Witness(engine, self, host, client, engine.name)

    def created(self, header: bytes, host: str, hops: Sequence[Hop], kind: str) -> None:
        """A packet with this header was made at `host`."""
        receiver = self._receiver(host, hops)
        delays = [hop.command.delay_us / 1e6 for hop in hops if hop.command.kind is Kind.FORWARD]
        journey = Journey(len(self._journeys), kind, host, receiver, delays)
        self._journeys.append(journey)
        self._by_alpha[header[: GEOMETRY.alpha_size]] = journey

    def used(self, header: bytes, host: str) -> None:
        """A reply block with this header was used at `host`, which thereby becomes the sender."""
        journey = self._by_alpha.get(header[: GEOMETRY.alpha_size])
        if journey is not None:
            journey.sender = host

    def peeled(self, packet: bytes, host: str, peeled: Peeled, when: float) -> None:
        """`host` peeled a packet at `when`, seconds since the start."""
        journey = self._by_alpha.pop(packet[: GEOMETRY.alpha_size], None)
        if journey is None:
            return
        if journey.sent_ns is None:
            journey.sent_ns = round((when - self._latency) * 1e9)
        match peeled:
            case Forward(packet=inner) | Mailbox(packet=inner):
                journey.path.append(host)
                self._by_alpha[inner[: GEOMETRY.alpha_size]] = journey
            case Drop():
                journey.path.append(host)
                journey.received_ns = round(when * 1e9)
            case Deliver() | Reply():
                journey.received_ns = round(when * 1e9)

    def write(self, path: Path) -> None:
        """Write the NDJSON file."""
        with path.open("w") as file:
            self.dump(file)

    def dump(self, file: TextIO) -> None:
        """Write one line for each packet that was sent, in the order in which they were made."""
        for journey in self:
            file.write(json.dumps(journey.as_map(), separators=(",", ":")) + "\n")

    def _receiver(self, host: str, hops: Sequence[Hop]) -> str:
        """The owner of the mailbox, or the provider that drops it, or the maker of a loop."""
        for index, hop in enumerate(hops):
            if hop.command.kind is Kind.DELIVER_MAILBOX:
                return self._names.get(hop.command.target, "?")
            if hop.command.kind is Kind.DROP and index:
                return self._names.get(hops[index - 1].command.target, "?")
        return host


def read(path: Path) -> list[Journey]:
    """The journeys in an NDJSON file; LocalError if a line is not of the format."""
    journeys = []
    with path.open() as file:
        for number, line in enumerate(file, 1):
            try:
                journeys.append(msgspec.json.decode(line, type=Journey))
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise LocalError(f"{path} line {number} is no journey: see docs/measuring.md for the format") from None
    return journeys


def link_latency(journeys: Iterable[Journey]) -> float:
    """Seconds a link: the least that any packet took beyond its delays (what ends at a provider waits for no slot)."""
    over = [
        ((one.received_ns - one.sent_ns) / 1e9 - sum(one.delays)) / (len(one.path) + (one.kind != "drop"))
        for one in journeys
        if one.received_ns is not None and one.sent_ns is not None and one.path
    ]
    return max(0.0, min(over, default=0.0))


@dataclass(slots=True)
class _Witness:
    """An engine that reports to the truth."""

    engine: Engine
    truth: GroundTruth
    host: str
    client: bool
    name: str = "witness"

    def create(self, hops: Sequence[Hop], message: bytes, *, seed: bytes) -> bytes:
        packet = self.engine.create(hops, message, seed=seed)
        self.truth.created(packet, self.host, hops, self._kind(hops[-1].command.kind, message))
        return packet

    def create_surb(self, first_hop: bytes, hops: Sequence[Hop], *, seed: bytes) -> tuple[Surb, SurbKeys]:
        surb, keys = self.engine.create_surb(first_hop, hops, seed=seed)
        self.truth.created(surb.header, self.host, hops, "ack")
        return surb, keys

    def use_surb(self, surb: Surb, message: bytes) -> bytes:
        self.truth.used(surb.header, self.host)
        return self.engine.use_surb(surb, message)

    def open_reply_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        return self.engine.open_reply_untrusted(keys, body)

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        peeled = self.engine.peel_untrusted(secret, packet)
        self.truth.peeled(packet, self.host, peeled, trio.current_time())
        return peeled

    def _kind(self, last: Kind, message: bytes) -> str:
        if last is Kind.DROP:
            return "drop"
        if not self.client:
            return NODE_LOOP
        return "loop" if message[:1] == bytes([LOOP]) else "payload"
