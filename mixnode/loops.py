"""Loops: packets that a node sends through the whole network to itself (spec/04-mixing.md 4.4).

Promises: to everybody else a loop is a packet like any other; only this process recognises its own, by an authenticator
under a key that lives in its memory; one loop counts once, as on time, late or lost. A mix sends through the layers
after its own, a provider and the layers before its own; a provider through all layers. Pure: randomness, seeds and time
are arguments.
"""

from __future__ import annotations

import os
import random
from enum import Enum, auto
from typing import NamedTuple

from mixnet.clock import Epochs
from mixnet.crypto import MAC_SIZE, SymmetricKey, equal, mac
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.document import Document, Node
from mixnet.pki.topology import hop_keys, sample_delays, sample_mixes, sample_provider
from mixnet.sphinx import Command, Engine, Hop, Kind, microseconds
from mixnode.detector import Detector
from mixnode.outgoing import Outgoing

NONCE_SIZE = 16
PATIENCE = 10.0  # seconds from when a loop is late to when it counts as lost
_MARK = b"\x00"  # the first byte of every plaintext says what it is: 0 is a loop
_NO_TARGET = bytes(32)


class Returned(Enum):
    """How a loop came back."""

    ON_TIME = auto()
    LATE = auto()


class Loop(NamedTuple):
    """A loop that is ready to leave."""

    outgoing: Outgoing
    message: bytes
    delays: float  # seconds, the sum of those drawn


class Loops:
    """The loops of one process that are under way."""

    def __init__(self, key: SymmetricKey) -> None:
        """`key` authenticates loops."""
        self._key = key
        self._lost = Detector()  # of all loops
        self._late = Detector()  # of those that return
        self._under_way: dict[bytes, float] = {}  # message → when it is late

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the network: more loops come late, or are lost, than chance and busy machines explain."""
        found = {"loops_late": self._late.alarmed, "loops_missing": self._lost.alarmed}
        return [name for name, alarmed in found.items() if alarmed]

    def message(self) -> bytes:
        """The plaintext of a new loop: mark, 16 random bytes, authenticator."""
        nonce = os.urandom(NONCE_SIZE)
        return _MARK + nonce + mac(self._key.expose(), nonce)

    def sent(self, message: bytes, timely: float) -> None:
        """A loop left; it is on time if it is back by `timely`, and lost `PATIENCE` seconds later (of one clock)."""
        self._under_way[message] = timely

    def stood_still(self, seconds: float) -> None:
        """This process did nothing for so long: that says nothing about the network, so all loops have longer."""
        self._under_way = {message: timely + seconds for message, timely in self._under_way.items()}

    def returned_untrusted(self, message: bytes, now: float) -> Returned:
        """A message came back; RemoteError if it is not a loop of ours, or one that came before or is lost."""
        nonce, tag = message[len(_MARK) : -MAC_SIZE], message[-MAC_SIZE:]
        if not message.startswith(_MARK) or len(nonce) != NONCE_SIZE or not equal(tag, mac(self._key.expose(), nonce)):
            raise RemoteError("a message for nobody here")
        timely = self._under_way.pop(message, None)
        if timely is None:
            raise RemoteError("a loop that is settled already")
        self._lost.add(False)
        self._late.add(now > timely)
        return Returned.LATE if now > timely else Returned.ON_TIME

    def overdue(self, now: float) -> int:
        """Give up the loops that are lost by now; how many."""
        lost = [message for message, timely in self._under_way.items() if timely + PATIENCE <= now]
        for message in lost:
            del self._under_way[message]
            self._lost.add(True)
        return len(lost)


def loop_route(document: Document, identity: bytes, rng: random.Random) -> tuple[Node, ...]:
    """The nodes of a loop, the last of which is the sender; LocalError if it is not in the document."""
    own = document.node(identity)
    if own is None:
        raise LocalError("only a node of the document sends loops")
    mixes = sample_mixes(document, rng)
    layer = document.layer_of(identity)
    if layer is None:
        return (*mixes, own)
    return (*mixes[layer + 1 :], sample_provider(document, rng), *mixes[:layer], own)


def make_loop(
    document: Document,
    identity: bytes,
    message: bytes,
    *,
    epochs: Epochs,
    engine: Engine,
    rng: random.Random,
    now: float,
) -> Loop:
    """A loop of the node `identity` that leaves about `now`; raises NoKey if the document is too old."""
    route = loop_route(document, identity, rng)
    delays = sample_delays(rng, document.parameters.mean_delay, len(route) - 1)
    keys = hop_keys(document, epochs, route, delays, now)
    hops = [
        Hop(key, Command(Kind.FORWARD, following.identity, microseconds(delay)))
        for key, following, delay in zip(keys, route[1:], delays, strict=False)
    ]
    hops.append(Hop(keys[-1], Command(Kind.DELIVER, _NO_TARGET, 0)))
    packet = engine.create(hops, message, seed=os.urandom(32))
    return Loop(Outgoing(route[0].identity, packet), message, sum(delays))
