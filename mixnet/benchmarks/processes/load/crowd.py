"""A crowd: many clients of one provider, in one process that also takes a mix's place (spec/13-measurements.md 13.10).

    python -m mixnet.benchmarks.processes.load.crowd FOLDER NAME    orders on standard input, answers on standard output

Promises: every client has a key and a link of its own, sends what a client sends (packets that the provider peels,
holds and passes on, to this process), takes its down-link and acknowledges its mail; mail is deposited over a link of a
node, as a mix deposits it. Clients send at the times of one Poisson process for all, which is what Poisson clients do
together, but in turns, so that none is silent for so long that a provider lets it go.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import time
from array import array
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from mixnet.benchmarks.processes.load.load_generator import BATCH, LoadGenerator, LoadOrder, serve
from mixnet.clock import WallClock
from mixnet.crypto import SigningKey
from mixnet.errors import Unavailable
from mixnet.explain import exit_status
from mixnet.link import Frame, FrameKind, Link
from mixnet.open_files import allow_files
from mixnet.pki.document import Node
from mixnet.sphinx import GEOMETRY, Command, Kind, header, microseconds
from mixnet.sphinx.keys import establish

_AT_ONCE = 8  # handshakes under way, fewer than a server takes
_ATTEMPTS = 3  # at having all clients that are wanted
_SILENCE = 30.0  # seconds
_MEAN_DELAY = 0.05  # seconds


class CrowdOrder(LoadOrder, kw_only=True):
    """One line of standard input.

    "join": have `count` clients at the node `target`. "mingle": let each send `rate` frames a second on average, for
    `seconds`, while `mail` packets a second come for mailboxes drawn from `mailboxes` idle ones (`idle_mailbox`) and
    the clients'.
    """

    mail: float = 0.0
    mailboxes: int = 0


def idle_mailbox(number: int) -> bytes:
    """The name (32 bytes) of a mailbox whose owner never comes."""
    return hashlib.blake2b(f"idle mailbox {number}".encode(), digest_size=32).digest()


@dataclass(slots=True, eq=False)
class _Client:
    """One client: its link, its mailbox, and the newest frame that it dealt with."""

    link: Link
    mailbox: bytes
    acknowledged: int = 0


class Crowd(LoadGenerator):
    """Clients, and one played mix."""

    order = CrowdOrder

    def __init__(self, folder: Path, name: str) -> None:
        """Take the place of the mix `name`; nobody has joined yet."""
        super().__init__(folder, name)
        self._clients: dict[str, list[_Client]] = {}
        self._body = os.urandom(GEOMETRY.body_size)
        self._mail = 0

    async def obey(self, order: Any) -> dict[str, Any]:
        """Carry out one order; what it gave."""
        if order.do == "join":
            await self._join(order.target, order.count)
            return {"clients": len(self._clients[order.target])}
        return await self._mingle(order)

    async def _join(self, target: str, number: int) -> None:
        node, clients = await self._node(target), self._clients.setdefault(target, [])
        allow_files(number)
        room = trio.CapacityLimiter(_AT_ONCE)

        async def one() -> None:
            async with room:
                with suppress(Unavailable):  # the answer says how many there are
                    client = await self._arrive(node)
                    clients.append(client)
                    self._keep(self._listen_to, client, clients)

        async with trio.open_nursery() as waiting:
            waiting.start_soon(self._stay)
            for _ in range(_ATTEMPTS):
                async with trio.open_nursery() as nursery:
                    for _ in range(number - len(clients)):
                        nursery.start_soon(one)
            waiting.cancel_scope.cancel()

    async def _stay(self) -> None:
        """Let nobody be silent for so long that a provider lets them go, while others join."""
        while True:
            await trio.sleep(_SILENCE)
            for client in [one for clients in self._clients.values() for one in clients]:
                with suppress(Unavailable), trio.CancelScope(shield=True):
                    await client.link.send([Frame(FrameKind.PAD, acknowledged=client.acknowledged)])

    async def _arrive(self, node: Node) -> _Client:
        identity = SigningKey.generate()
        return _Client(await self._join_as(identity, node), identity.public)

    async def _listen_to(self, client: _Client, friends: list[_Client]) -> None:
        """Take the down-link until it ends."""
        try:
            while True:
                for frame in await client.link.receive():
                    client.acknowledged = frame.sequence
                    self._mail += frame.kind is FrameKind.MAIL
        except (trio.EndOfChannel, Unavailable):
            friends.remove(client)

    async def _mingle(self, order: CrowdOrder) -> dict[str, Any]:
        node, clients = await self._node(order.target), self._clients[order.target]
        epoch = self._trust.epochs.at(WallClock().now())
        key, rng = node.key_at(epoch), random.Random(order.seed)
        boxes = [*map(idle_mailbox, range(order.mailboxes)), *(one.mailbox for one in clients)]
        sent, before, present = array("Q", [0, 0]), self._mail, len(clients)
        turns: list[_Client] = []
        begun, worked = trio.current_time(), time.process_time()

        async def talk() -> None:
            if not turns:
                turns.extend(rng.sample(clients, len(clients)))
            client = turns.pop()
            command = Command(Kind.FORWARD, self._identity.public, microseconds(rng.expovariate(1 / _MEAN_DELAY)))
            frame = Frame(FrameKind.PACKET, self._single(key, command), acknowledged=client.acknowledged)
            with suppress(Unavailable):  # the answer says how many were lost
                await client.link.send([frame])
                sent[0] += 1

        async with await self._dial(order.target) as link:

            async def deposit(number: int) -> None:
                packets = [self._single(key, Command(Kind.DELIVER_MAILBOX, rng.choice(boxes))) for _ in range(number)]
                await link.send([Frame(FrameKind.PACKET, packet) for packet in packets])
                sent[1] += number

            with trio.move_on_after(order.seconds):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_at_random, order.rate * len(clients), rng, talk)
                    nursery.start_soon(_in_lots, order.mail, rng, deposit)
                    await trio.sleep_forever()
        return {
            "seconds": trio.current_time() - begun,
            "cpu": time.process_time() - worked,
            "sent": sent[0],
            "deposited": sent[1],
            "fetched": self._mail - before,
            "clients": len(clients),
            "lost": present - len(clients),
        }

    def _single(self, key: bytes, command: Command) -> bytes:
        """A packet of one hop: a genuine header, and a body that nobody will read."""
        alpha, secrets = establish(os.urandom(32), (key,))
        beta, gamma = header.build(secrets, [command.serialize()], os.urandom(GEOMETRY.padding_size(1)))
        return alpha + beta + gamma + self._body


async def _at_random(rate: float, rng: random.Random, act: Any) -> None:
    """Act at Poisson times for ever; what is late is done at once."""
    if rate <= 0:
        return
    due = trio.current_time()
    with closing(WallClock().timer()) as timer:
        while True:
            due += rng.expovariate(rate)
            timer.set(due)
            await timer.wait()
            with trio.CancelScope(shield=True):  # a write that is cut short would cost the link
                await act()
            await trio.lowlevel.checkpoint()


async def _in_lots(rate: float, rng: random.Random, act: Any) -> None:
    """The same, in lots of random size, as batches of a mix."""
    if rate <= 0:
        return
    lot = (1 + BATCH) / 2

    async def some() -> None:
        await act(rng.randint(1, BATCH))

    await _at_random(rate / lot, rng, some)


if __name__ == "__main__":
    sys.exit(exit_status(partial(trio.run, serve, Path(sys.argv[1]), sys.argv[2], Crowd)))
