"""A node's Sphinx keys: one for each epoch, each with the replay tags that live and die with it (SPEC.md section 4).

Promises: keys exist for this epoch and the next two; a key is accepted from one epoch before its own until `grace`
seconds after it, then it and its tags are deleted; on disk it is readable by its owner only and never without its
tags: a key whose tags are missing is thrown away, because with it old packets would be accepted again.
Never: a key that outlives its grace, on disk or in memory (Python can't promise to wipe what it forgets).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mixnet.clock import Epochs
from mixnet.crypto import KEY_SIZE, SphinxSecret
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import Engine, Peeled
from mixnode.config import make_folder
from mixnode.replay import Journal, NoJournal, Replay, TagFile

AHEAD = 2  # epochs after the current one for which keys are published
_KEY, _TAGS, _NEW = ".key", ".tags", ".new"


@dataclass(frozen=True, eq=False, slots=True)
class EpochKey:
    """The key of one epoch and what it has seen."""

    epoch: int
    secret: SphinxSecret
    replay: Replay


class KeyStore(Protocol):
    """Where the keys of a node live between restarts."""

    def load(self) -> list[EpochKey]:
        """Every usable key."""

    def create(self, epoch: int) -> EpochKey:
        """A new key, stored before it is returned."""

    def delete(self, epoch: int) -> None:
        """Remove the key and its tags."""


class MemoryKeys:
    """For the simulated world: a node that stops forgets its keys."""

    def load(self) -> list[EpochKey]:
        """Nothing is remembered."""
        return []

    def create(self, epoch: int) -> EpochKey:
        """A new key."""
        return EpochKey(epoch, SphinxSecret.generate(), Replay(NoJournal()))

    def delete(self, epoch: int) -> None:
        """Nothing was stored."""


class FileKeys:
    """Keys in a folder: `EPOCH.key` with 32 bytes and `EPOCH.tags` with 16 bytes for each packet accepted."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` if need be, for its owner only; ConfigError if that is not possible."""
        self._folder = folder
        make_folder(folder)

    def load(self) -> list[EpochKey]:
        """Every key with its tags; leftovers of an interrupted `create` or `delete` are removed."""
        epochs = {int(path.stem) for path in self._folder.iterdir() if path.stem.isdecimal()}
        loaded = []
        for epoch in sorted(epochs):
            if self._path(epoch, _KEY).exists() and self._path(epoch, _TAGS).exists():
                loaded.append(EpochKey(epoch, self._read(epoch), Replay(self._journal(epoch))))
            else:
                self.delete(epoch)
        return loaded

    def create(self, epoch: int) -> EpochKey:
        """A new key. Its tags come first, so that no kill leaves a key without them."""
        secret = SphinxSecret.generate()
        journal = self._journal(epoch)
        new = self._path(epoch, _NEW)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secret.expose())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(self._path(epoch, _KEY))
        return EpochKey(epoch, secret, Replay(journal))

    def delete(self, epoch: int) -> None:
        """Remove the key, and only then its tags."""
        for suffix in (_KEY, _NEW, _TAGS):
            self._path(epoch, suffix).unlink(missing_ok=True)

    def _path(self, epoch: int, suffix: str) -> Path:
        return self._folder / f"{epoch}{suffix}"

    def _journal(self, epoch: int) -> Journal:
        return TagFile(self._path(epoch, _TAGS))

    def _read(self, epoch: int) -> SphinxSecret:
        path = self._path(epoch, _KEY)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise LocalError(f"can't read the key {path}: {error.strerror}") from None
        if len(raw) != KEY_SIZE:
            raise LocalError(f"the key {path} is damaged: delete it and start again")
        return SphinxSecret(raw)


class KeyRing:
    """The keys of a node through the epochs."""

    def __init__(self, store: KeyStore, epochs: Epochs, grace: float) -> None:
        """Load what `store` has; `grace` in seconds after an epoch's end. `turn` makes what is missing."""
        self._store = store
        self._epochs = epochs
        self._grace = grace
        self._keys = {key.epoch: key for key in store.load()}

    def turn(self, now: float) -> None:
        """Make the keys of this epoch and the next ones, and delete those that are out of their grace."""
        current = self._epochs.at(now)
        for epoch in [epoch for epoch in self._keys if self._epochs.end(epoch) + self._grace <= now]:
            self._store.delete(epoch)
            self._keys.pop(epoch).replay.close()
        for epoch in range(current, current + AHEAD + 1):
            if epoch not in self._keys:
                self._keys[epoch] = self._store.create(epoch)

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
        return [self._keys[epoch] for epoch in wanted if epoch in self._keys]

    def close(self) -> None:
        """Close the tag files; the keys stay where they are."""
        for key in self._keys.values():
            key.replay.close()
        self._keys.clear()


def peel_untrusted(engine: Engine, keys: Sequence[EpochKey], packet: bytes) -> tuple[EpochKey, Peeled]:
    """What `packet` asks for and the key it was made for: the header's MAC tells. RemoteError if no key fits."""
    for key in keys:
        try:
            return key, engine.peel_untrusted(key.secret, packet)
        except RemoteError:
            continue
    raise RemoteError("a packet for no key of ours")
