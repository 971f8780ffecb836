"""A node's Sphinx keys: one for each epoch, each with its replay tags, which are deleted with it.

See spec/04-mixing.md 4.2.

Promises: keys exist for this epoch and the next two; a key is accepted from one epoch before its own until `grace`
seconds after it, then it and its tags are deleted. A key of which it isn't certain that all its tags are known, or for
whose tags there is no more room, is retired: deleted, never used again, and replaced by a new one.
Never: a key that outlives its grace, on disk or in memory (Python can't promise to wipe what it forgets).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mixnet.clock import Epochs
from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError
from mixnet.sphinx import Engine, Peeled
from mixnode.replay import TAGS_LIMIT, NoJournal, Replay

AHEAD = 2  # epochs after the current one for which keys are published


@dataclass(frozen=True, eq=False, slots=True)
class EpochKey:
    """The key of one epoch, and the replay tags of the packets accepted under it."""

    epoch: int
    secret: SphinxSecret
    replay: Replay


class Retired(StrEnum):
    """Why a key was given up before its time; the operator reads it among the node's warnings."""

    UNPROVEN = "key_retired_unclean_end"
    FULL = "key_retired_memory_full"


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """What a store had: usable keys, and the epochs of those that it gave up."""

    keys: Sequence[EpochKey]
    retired: Sequence[int] = ()


class KeyStore(Protocol):
    """Where the keys of a node live between restarts."""

    def load(self) -> StoredKeys:
        """Every usable key; the others are deleted."""

    def create(self, epoch: int) -> EpochKey:
        """A new key, stored before it is returned."""

    def delete(self, epoch: int) -> None:
        """Remove the key and its tags."""


class MemoryKeys:
    """For the simulated world: a node that stops forgets its keys."""

    def __init__(self, limit: int = TAGS_LIMIT) -> None:
        """`limit`: tags for each key."""
        self._limit = limit

    def load(self) -> StoredKeys:
        """Nothing is remembered."""
        return StoredKeys(())

    def create(self, epoch: int) -> EpochKey:
        """A new key."""
        return EpochKey(epoch, SphinxSecret.generate(), Replay(NoJournal(), self._limit))

    def delete(self, epoch: int) -> None:
        """Nothing was stored."""


class KeyRing:
    """The keys of a node: made, published and deleted as epochs pass."""

    def __init__(self, store: KeyStore, epochs: Epochs, grace: float) -> None:
        """Load what `store` has; `grace` in seconds after an epoch's end. `turn` makes what is missing."""
        self.store = store
        self._epochs = epochs
        self._grace = grace
        stored = store.load()
        self._keys = {key.epoch: key for key in stored.keys}
        self._retired = dict.fromkeys(stored.retired, Retired.UNPROVEN)
        self._wake: Callable[[], None] = _nobody
        self._forgotten: Callable[[EpochKey], None] = _nobody

    def turn(self, now: float, past: float | None = None) -> None:
        """Make the keys of this epoch and the next ones, and delete those that are full or out of their grace.

        Their grace is over if it was before `past`, which is `now` unless that is doubtful.

        This waits for the disk: while packets come, the same steps are a `KeyRotation`'s.
        """
        for epoch in self.forget(now if past is None else past):
            self.store.delete(epoch)
        for epoch in self.missing(now):
            self.add(self.store.create(epoch))

    def forget(self, past: float) -> list[int]:
        """Give up the keys that are full or out of their grace: from now on nothing is peeled or admitted under them.

        The epochs of those that `store` has to delete, before it makes others in their place.
        """
        full = [epoch for epoch, key in self._keys.items() if key.replay.full]
        self._retired.update(dict.fromkeys(full, Retired.FULL))
        gone = full + [epoch for epoch in self._keys if epoch not in full and self._over(epoch, past)]
        for epoch in gone:
            key = self._keys.pop(epoch)
            key.replay.discard()
            self._forgotten(key)
        for epoch in [epoch for epoch in self._retired if self._over(epoch, past)]:
            del self._retired[epoch]
        return gone

    def missing(self, now: float) -> list[int]:
        """The epochs, this one or the next ones, for which `store` has to make a key."""
        current = self._epochs.at(now)
        return [epoch for epoch in range(current, current + AHEAD + 1) if epoch not in self._keys]

    def add(self, key: EpochKey) -> None:
        """Use and publish a key that `store` has made."""
        self._keys[key.epoch] = key

    def _over(self, epoch: int, past: float) -> bool:
        return self._epochs.end(epoch) + self._grace <= past

    @property
    def retired(self) -> dict[int, Retired]:
        """The epochs whose keys were given up, as long as packets for them may still come, and why."""
        return dict(self._retired)

    def wake_when_full(self, wake: Callable[[], None]) -> None:
        """Call `wake` when `turn` is due before its time, because a key is full."""
        self._wake = wake

    def when_forgotten(self, tell: Callable[[EpochKey], None]) -> None:
        """Call `tell` with each key that is given up, so that whoever else has it gives it up too."""
        self._forgotten = tell

    def next_turn(self, now: float) -> float:
        """When `turn` is due again: at the end of an epoch or of a grace."""
        current = self._epochs.at(now)
        ends = (self._epochs.end(current - 1) + self._grace, self._epochs.end(current))
        return next(end for end in ends if end > now)

    def publics(self, now: float) -> dict[int, bytes]:
        """The 32-byte public keys of this epoch and the next ones, for the descriptor."""
        current = self._epochs.at(now)
        return {epoch: self._keys[epoch].secret.public for epoch in range(current, current + AHEAD + 1)}

    def live(self, now: float) -> list[EpochKey]:
        """The keys that packets may be for at `now`: this epoch's, then the last one's and the next one's."""
        current = self._epochs.at(now)
        wanted = [current, current + 1]
        if now < self._epochs.end(current - 1) + self._grace:
            wanted.insert(1, current - 1)
        held = [self._keys[epoch] for epoch in wanted if epoch in self._keys]
        usable = [key for key in held if not key.replay.full]
        if len(usable) < len(held):
            self._wake()
        return usable

    def close(self) -> None:
        """Close the tag files; the keys stay where they are."""
        for key in self._keys.values():
            key.replay.close()
        self._keys.clear()


def _nobody(*_key: EpochKey) -> None:
    """Nobody waits for a full key, or has one that is given up."""


def peel_untrusted(engine: Engine, keys: Sequence[EpochKey], packet: bytes) -> tuple[EpochKey, Peeled]:
    """What `packet` asks for and the key it was made for: the header's MAC tells. RemoteError if no key fits.

    Each key that does not fit costs a whole peel, so time tells which one did (spec/02-sphinx.md 2.7).
    """
    for key in keys:
        try:
            return key, engine.peel_untrusted(key.secret, packet)
        except RemoteError:
            continue
    raise RemoteError("a packet for no key of ours")
