"""The parts that hand bodies to the sessions by the passing of time.

Promises: one that fails is left alone for a while (client/core/setbacks.py), and the others go on; what the store can't
do is raised.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from mixnet.client.core.changes import Changes
from mixnet.client.core.setbacks import Setbacks
from mixnet.errors import RemoteError


class Feeder(Protocol):
    """A part that is asked before each slot."""

    def feed(self, now: float) -> None:
        """Let wait what is due."""

    def wake_at(self) -> float | None:
        """When `feed` has something to do: 0.0 for at once, None for never."""


class Feeders:
    """All such parts of a messenger."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._all: list[Feeder] = []
        self._setbacks = Setbacks[int]()

    def add(self, feeder: Feeder, *, first: bool = False) -> None:
        """Ask this part before each slot; `first`: before those that are there."""
        self._all.insert(0 if first else len(self._all), feeder)

    def feed(self, now: float) -> None:
        """Let all parts hand over what is due."""
        for feeder in self._all:
            if not self._setbacks.waits(id(feeder), now):
                try:
                    with self._changes.refusing():
                        feeder.feed(now)
                except RemoteError:
                    self._setbacks.failed(id(feeder), now)
                else:
                    self._setbacks.succeeded(id(feeder))

    def due(self) -> list[float]:
        """When the parts next have something to hand over."""
        times: list[float] = []
        for feeder in self._all:
            with suppress(RemoteError), self._changes.refusing():
                due = feeder.wake_at()
                if due is not None:
                    times.append(max(due, self._setbacks.until(id(feeder))))
        return times
