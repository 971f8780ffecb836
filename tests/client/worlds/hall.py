"""People who meet in the slots of real providers' services, without a mixnet between: in virtual time, and cheaply."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from mixnet.client.concurrency.worker import InlineWorker
from mixnet.client.pairing.codes import Codes
from mixnet.client.pairing.matching import Matching
from mixnet.client.pairing.matching_store import MatchTable
from mixnet.client.pairing.rendezvous import Rendezvous
from mixnet.client.pairing.short_code import ShortCodes
from mixnet.client.traffic.provider_queries import NotAnswered
from mixnet.clock import VirtualClock
from mixnet.crypto import Label, SymmetricKey, derive
from mixnet.pki.descriptor import NodeRole
from mixnet.pki.document import Node
from mixnet.services import Question, ServiceAnswer, ServiceStatus, provider_for
from mixnode.services import SlotService
from tests.client.worlds.channel import NETWORK, START, Channel

STEP = 0.25  # seconds between two looks at the channel that carries what contacts write
WAY = 0.5  # seconds that a question and its answer take on average


def cheap(passphrase: bytes, salt: bytes) -> SymmetricKey:
    """In the place of Argon2id."""
    return SymmetricKey(derive(Label.MATCH, passphrase + salt))


class Hall:
    """Providers, and everybody's codes."""

    def __init__(self, tmp: Path, *names: str, providers: int = 2) -> None:
        self.channel = Channel(tmp, names=names)
        self.clock = VirtualClock(START)
        self.rng = random.Random(7)
        self.nodes = [
            Node(bytes([n]) * 32, NodeRole.PROVIDER, f"10.0.0.{n}:1", 0, (bytes(32),)) for n in range(1, providers + 1)
        ]
        self.desks = {node.identity: SlotService() for node in self.nodes}
        self.asked: list[tuple[bytes, Question]] = []
        self.deaf = False  # no provider answers
        self.step = STEP
        self.events: list[object] = []
        self.codes = {name: self._codes(name) for name in names}
        self.matching = {name: self._matching(name) for name in names}
        self.short_codes = ShortCodes(Rendezvous(self, day=True), NETWORK, self.nodes[0].identity)  # type: ignore[arg-type]
        self._scopes: dict[str, trio.CancelScope] = {}

    # what Services offers

    def provider_for(self, name: bytes) -> bytes:
        return provider_for(name, self.nodes)

    async def ask(self, provider: bytes, question: Question) -> ServiceAnswer:
        self.asked.append((provider, question))
        await trio.sleep(self.rng.expovariate(1 / WAY))
        if self.deaf:
            raise NotAnswered
        handler = self.desks[provider].handlers.get(question.operation)
        return ServiceAnswer(ServiceStatus.UNKNOWN) if handler is None else handler(question, trio.current_time())

    # the rest

    def restart_providers(self) -> None:
        """What was in memory is gone."""
        self.desks = {node.identity: SlotService() for node in self.nodes}

    def _codes(self, name: str) -> Codes:
        person = self.channel[name]
        return Codes(
            rendezvous=Rendezvous(self),  # type: ignore[arg-type]
            messenger=person.messenger,
            worker=InlineWorker(),
            clock=self.clock,
            rng=random.Random(f"codes {name}"),
            network_id=NETWORK,
            name=name,
            home=self.nodes[0].identity,
            publish=self.events.extend,
        )

    def _matching(self, name: str) -> Matching:
        person = self.channel[name]
        return Matching(
            rendezvous=Rendezvous(self, day=True),  # type: ignore[arg-type]
            table=MatchTable(person.store),
            messenger=person.messenger,
            worker=InlineWorker(),
            hash_worker=InlineWorker(),
            clock=self.clock,
            rng=random.Random(f"matching {name}"),
            network_id=NETWORK,
            name=name,
            publish=self.events.extend,
            stretch=cheap,
        )

    async def _match(self, name: str) -> None:
        """Matching, again and again: `restart` ends one life of it."""
        while True:
            with trio.CancelScope() as self._scopes[name]:
                await self.matching[name].look_regularly()

    def restart(self, name: str) -> None:
        """As kill -9 of somebody's daemon: only the store is left."""
        self.channel[name].crash()
        self.codes[name], self.matching[name] = self._codes(name), self._matching(name)
        self._scopes[name].cancel()

    @asynccontextmanager
    async def open(self, *, mail: bool = True):
        """Everything runs; `mail`: what contacts write to one another arrives."""
        async with trio.open_nursery() as nursery:
            for codes in self.codes.values():
                nursery.start_soon(codes.exchange_all)
            for name in self.matching:
                nursery.start_soon(self._match, name)
            if mail:
                nursery.start_soon(self._carry)
            yield
            nursery.cancel_scope.cancel()

    async def _carry(self) -> None:
        while True:
            await trio.sleep(self.step)
            self.channel.run(max(0.0, self.clock.now() - self.channel.now))

    def people(self, name: str) -> list[str]:
        return [one.name for one in self.channel[name].messenger.contacts()]
