"""Where a keeper's documents come from, and what it has remembered, in tests of keepers."""

from __future__ import annotations

import random
from collections.abc import Callable

import trio

from mixnet.clock import VirtualClock
from mixnet.errors import Unavailable
from mixnet.pki.keeper import DocumentKeeper, Fetch
from mixnet.pki.requests import NEWEST
from mixnet.pki.trust import Trust
from mixnet.pki.views import Contradiction
from mixnet.timer import Timer
from tests.mixnet.pki.builders import START, Town

TOWN = Town()
LENGTH = TOWN.epoch_length


class Wrong:
    """A clock that someone sets; its town goes by the right one."""

    def __init__(self, right: VirtualClock, by: float = 0.0) -> None:
        self.by = by
        self._right = right

    def now(self) -> float:
        return self._right.now() + self.by

    def past(self) -> float:
        return self.now()

    def timer(self) -> Timer:
        return self._right.timer()


class Source:
    """Gives the document that `has` says is there at a time; keeps who asked when for what."""

    def __init__(self, has: Callable[[int, float], bool] = lambda epoch, now: True, seed: int = 1) -> None:
        self.clock = VirtualClock(START - trio.current_time())
        self.asked: list[tuple[float, int]] = []
        self.keeper = DocumentKeeper(Trust(TOWN.bootstrap), self.fetch, clock=self.clock, rng=random.Random(seed))
        self._has = has

    @property
    def elapsed(self) -> float:
        return self.clock.now() - START

    async def fetch(self, epoch: int, newest_epoch: int) -> bytes:
        await trio.lowlevel.checkpoint()
        self.asked.append((self.elapsed, epoch))
        present = TOWN.bootstrap.epochs.at(self.clock.now())
        wanted = range(present, -1, -1) if epoch == NEWEST else [epoch]
        for number in wanted:
            if self._has(number, self.elapsed):
                return TOWN.signed(number)
        raise Unavailable


class Notes:
    """What a keeper has had remembered, and how often it warned."""

    def __init__(self, full: bool = False) -> None:
        self.kept: list[bytes] = []
        self.introductions: list[bytes] = []
        self.accused: list[Contradiction] = []
        self.warned: list[str] = []
        self._full = full

    async def keep(self, raw: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self._full:
            raise Unavailable
        self.kept.append(raw)

    async def introduced(self, raw: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self._full:
            raise Unavailable
        self.introductions.append(raw)

    async def accuse(self, contradiction: Contradiction) -> None:
        await trio.lowlevel.checkpoint()
        if self._full:
            raise Unavailable
        self.accused.append(contradiction)

    def warn(self, warning: str, problem: str) -> None:
        assert problem
        self.warned.append(warning)

    def keeper(self, source: Source, fetch: Fetch | None = None, initial: bytes | None = None) -> DocumentKeeper:
        return DocumentKeeper(
            Trust(TOWN.bootstrap),
            fetch or source.fetch,
            clock=source.clock,
            rng=random.Random(1),
            initial=initial,
            memory=self,
            warn=self.warn,
        )
