"""Randomness for timing and routes: the system's generator, or seeded streams for the simulated world.

Promises: a schedule draws from a stream of its own, which nothing else touches, so that what one actor does can never
shift the times of another (spec/01-rooms.md 1.2). Keys never come from here: they come from `os.urandom`, in crypto.py.
"""

from __future__ import annotations

import hashlib
import random
from typing import Protocol


class Source(Protocol):
    """A family of independent random streams, told apart by their labels."""

    def stream(self, *label: str) -> random.Random:
        """A generator of its own for this label; the same label of the same seed gives the same sequence."""

    def child(self, *label: str) -> Source:
        """A family of its own, for one actor among many."""


class SystemSource:
    """The operating system's generator, for a real process: every stream is as unpredictable as every other."""

    def stream(self, *label: str) -> random.Random:
        """A `random.SystemRandom`; the label has no effect."""
        return random.SystemRandom()

    def child(self, *label: str) -> SystemSource:
        """The same family: there is no seed to divide."""
        return self


class SeededSource:
    """Reproducible streams for the simulated world and the tests; never for a real network."""

    def __init__(self, seed: int | str, *label: str) -> None:
        """Derive everything from `seed`; `label` is the path of the family below it."""
        self._seed = str(seed)
        self._label = label

    def stream(self, *label: str) -> random.Random:
        """A generator seeded with a hash of the seed and the whole label."""
        path = "\x1f".join((self._seed, *self._label, *label))
        return random.Random(hashlib.blake2b(path.encode(), digest_size=32).digest())

    def child(self, *label: str) -> SeededSource:
        """A family whose labels all start with `label`."""
        return SeededSource(self._seed, *self._label, *label)
