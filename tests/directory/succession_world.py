"""Authorities that succeed one another, in virtual time, each with a folder of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import trio

from mixnet.directory.succession import PROPOSAL
from mixnet.errors import Unavailable
from mixnet.link import Role
from mixnet.pki.bootstrap import AuthorityInfo, Bootstrap, Successor
from mixnet.pki.document import Document
from mixnet.pki.fetch import Caller, upload_descriptor
from mixnet.pki.trust import Trust
from mixnet.pki.views import timeless_untrusted
from mixnet.pki.waiting import sleep_until
from tests.directory.authority_world import Alter, AuthorityWorld
from tests.mixnet.pki.builders import Town, key

SOON = 1.0  # seconds into an epoch at which a test looks


def infos(numbers: Iterable[int]) -> tuple[AuthorityInfo, ...]:
    """Authorities by their numbers; those of the town are the first."""
    found = [AuthorityInfo(key(f"authority {number}").public, f"10.0.0.{number + 1}:7000") for number in numbers]
    return tuple(sorted(found, key=lambda one: one.identity))


def successors(town: Town, numbers: Iterable[int], first_epoch: int, threshold: int | None = None) -> Bootstrap:
    """The bootstrap file of a set that follows the town's own."""
    return town.bootstrap.succeeded_by(Successor(first_epoch, infos(numbers), threshold))


class SuccessionWorld(AuthorityWorld):
    """Authorities that others succeed. `plan` is what everybody should come to know: nodes upload by it."""

    def __init__(self, town: Town, nursery: trio.Nursery, folder: Path, plan: list[Bootstrap]) -> None:
        super().__init__(town, nursery)
        self._folder = folder
        self._plan = [town.bootstrap, *plan]
        self.reader = Trust(town.bootstrap)
        self._read = -1  # the epoch up to which the reader has followed

    @property
    def alive(self) -> set[int]:
        """The authorities that run."""
        return set(self._running)

    def folder(self, number: int) -> Path:
        """The data of one authority."""
        return self._folder / str(number)

    def propose(self, proposed: Bootstrap, *numbers: int) -> None:
        """What `mixnet authority propose` does."""
        for number in numbers:
            self.folder(number).mkdir(exist_ok=True)
            proposed.save(self.folder(number) / PROPOSAL)

    async def begin(self, *numbers: int, alter: Alter | None = None) -> None:
        """Start authorities with their folders."""
        for number in numbers:
            await self.start(number, alter=alter, data_dir=self.folder(number))

    def planned(self, epoch: int) -> Bootstrap:
        """Who should make the document for `epoch`."""
        return next(one for one in reversed(self._plan) if one.first_epoch <= epoch)

    async def until(self, epoch: int, share: float = 0.0) -> None:
        """Sleep until shortly after the beginning of an epoch, or a share of it later."""
        epochs = self.town.bootstrap.epochs
        await sleep_until(self.clock, epochs.start(epoch) + SOON + share * epochs.length)

    async def _upload_each_epoch(self, name: str) -> None:
        """To the authorities of now and to those that make the next document."""
        epochs = self.town.bootstrap.epochs
        while True:
            epoch = epochs.at(self.clock.now())
            async with trio.open_nursery() as nursery:
                for one in {id(one): one for one in (self.planned(epoch), self.planned(epoch + 1))}.values():
                    nursery.start_soon(self._upload_to, one, name, epoch)
            await sleep_until(self.clock, epochs.end(epoch))

    async def _upload_to(self, authorities: Bootstrap, name: str, epoch: int) -> None:
        try:
            await upload_descriptor(
                authorities,
                self.town.descriptor(name, epoch),
                network=self.network,
                identity=self.town.nodes[name][0],
                rng=self.rng.stream("upload", name, str(epoch), str(authorities.first_epoch)),
                source=self.town.address(name).partition(":")[0],
                patience=authorities.epochs.length / 3,
            )
        except Unavailable:
            return

    async def raw_from(self, number: int, epoch: int) -> bytes | None:
        """What one authority gives out as the document for `epoch`."""
        (info,) = infos([number])
        caller = Caller(self.town.bootstrap, self.network, identity=key("reader"), role=Role.CLIENT)
        return await caller.document(info, epoch)

    async def read(self, number: int, epoch: int) -> tuple[Document, bytes]:
        """The document for `epoch` from one authority, as a reader sees it who follows every document up to that."""
        for earlier in range(self._read + 1, epoch + 1):
            raw = await self.raw_from(number, earlier)
            if raw is not None:
                self.reader.follow(timeless_untrusted(raw, self.reader), raw)
                self._read = earlier
        raw = await self.raw_from(number, epoch)
        assert raw is not None
        return timeless_untrusted(raw, self.reader), raw
