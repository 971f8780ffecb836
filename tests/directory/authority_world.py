"""Authorities as actors on a simulated network, in virtual time."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import trio
import trio.testing

from mixnet.clock import VirtualClock
from mixnet.counters import Counters
from mixnet.directory.authority import Authority
from mixnet.directory.consensus import NO_DOCUMENT, commit, encode_vote
from mixnet.directory.voting import Round, Statement
from mixnet.errors import Unavailable
from mixnet.link import Role
from mixnet.pki.document import Document
from mixnet.pki.fetch import Caller, accept_untrusted, fetch_document, upload_descriptor
from mixnet.pki.requests import NEWEST, AskStep
from mixnet.pki.trust import Trust
from mixnet.pki.waiting import sleep_until
from mixnet.randomness import SeededSource
from mixnet.simulated import SimulatedNetwork
from tests.directory.builders import authority_config
from tests.mixnet.pki.builders import START, Town, key

Alter = Callable[[Authority], None]


def two_faced(town: Town, number: int) -> Alter:
    """Makes an authority tell every second one that asks for its vote another vote."""

    def alter(authority: Authority) -> None:
        honest, asked = authority._requests._step, itertools.count()

        def step(request: AskStep) -> bytes | None:
            said = honest(request)
            if request.step > 0 or said is None or next(asked) % 2:
                return said
            me = town.authorities[number]
            secret = key(f"the other secret of {number}").expose()
            double = Round(town.bootstrap, request.epoch, request.attempt, me, {})
            commitment = commit(town.bootstrap, request.epoch, me.public, secret)
            double.cast(Statement(encode_vote(NO_DOCUMENT, town.parameters, commitment, []), secret))
            return double.bundle(0)

        authority._requests._step = step  # type: ignore[method-assign]

    return alter


class AuthorityWorld:
    """Starts, crashes and asks the authorities of a town; node `name` keeps uploading once it is started."""

    def __init__(self, town: Town, nursery: trio.Nursery, *, seed: int = 1, **network: Any) -> None:
        self.town = town
        self.rng = SeededSource(seed)
        self.clock = VirtualClock(START - trio.current_time())
        self.network = SimulatedNetwork(self.rng.child("network"), **network)
        self.counters: defaultdict[int, Counters] = defaultdict(Counters)
        self._nursery = nursery
        self.authorities: dict[int, Authority] = {}
        self._running: dict[int, trio.CancelScope] = {}

    @property
    def elapsed(self) -> float:
        """Virtual seconds since genesis."""
        return self.clock.now() - START

    async def start(self, *numbers: int, alter: Alter | None = None, **changes: Any) -> None:
        """Start these authorities, as `mixnet.directory.authority.serve` does but for the status socket.

        `alter` makes them false before they begin.
        """
        for number in numbers:
            authority = Authority(
                authority_config(self.town, number, **changes),
                network=self.network,
                clock=self.clock,
                rng=self.rng.child(f"authority {number} at {self.elapsed}"),
                counters=self.counters[number],
            )
            if alter is not None:
                alter(authority)
            self.authorities[number] = authority
            self._running[number] = await self._nursery.start(self._run, authority)

    async def _run(self, authority: Authority, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(authority.listen)
                task_status.started(scope)
                await authority.live()

    async def crash(self, number: int) -> None:
        """It is gone, with its streams; what it had not written to a folder is lost."""
        self.network.crash(f"10.0.0.{number + 1}")
        self._running.pop(number).cancel()
        await trio.testing.wait_all_tasks_blocked()

    def enter(self, *names: str) -> None:
        """Let nodes upload a descriptor for every epoch from now on."""
        for name in names:
            self._nursery.start_soon(self._upload_each_epoch, name)

    async def upload(self, name: str, epoch: int, *, patience: float = 20.0) -> None:
        await upload_descriptor(
            self.town.bootstrap,
            self.town.descriptor(name, epoch),
            network=self.network,
            identity=self.town.nodes[name][0],
            rng=self.rng.stream("upload", name, str(epoch)),
            source=self.town.address(name).partition(":")[0],
            patience=patience,
        )

    async def _upload_each_epoch(self, name: str) -> None:
        epochs = self.town.bootstrap.epochs
        while True:
            epoch = epochs.at(self.clock.now())
            try:
                await self.upload(name, epoch, patience=epochs.length / 3)
            except Unavailable:
                continue
            await sleep_until(self.clock, epochs.end(epoch))

    async def fetch(
        self, *, town: Town | None = None, epoch: int = NEWEST, newest_epoch: int = -1
    ) -> tuple[Document, bytes]:
        """What a client gets, from any authority of `town`."""
        return await fetch_document(
            Trust((town or self.town).bootstrap),
            network=self.network,
            clock=self.clock,
            identity=key("reader"),
            role=Role.CLIENT,
            rng=self.rng.stream("fetch"),
            epoch=epoch,
            newest_epoch=newest_epoch,
        )

    async def fetch_when_ready(self, epoch: int = NEWEST) -> tuple[Document, bytes]:
        while True:
            try:
                return await self.fetch(epoch=epoch)
            except Unavailable:
                await trio.sleep(0.1)

    async def fetch_from(self, number: int, epoch: int = NEWEST) -> tuple[Document, bytes]:
        """What one authority gives out."""
        trust = self.town.bootstrap
        caller = Caller(trust, self.network, identity=key("reader"), role=Role.CLIENT)
        raw = await caller.document(trust.authorities[number], epoch)
        if raw is None:
            raise Unavailable
        return accept_untrusted(raw, trust, self.clock.now(), epoch=epoch), raw
