"""Sphinx keys and their tags in files (spec/04-mixing.md 4.2).

Promises: four files for each epoch: `EPOCH.key` with 32 bytes, `EPOCH.tags` with 16 bytes for each packet accepted,
`EPOCH.seal`, and `EPOCH.count` once there are tags, all for their owner only. A key is on the disk after its tag file
and its seal, and overwritten and removed before them. A key without a seal that proves its tags is removed at the next
start, because with it old packets might be accepted again; nothing else about a key is ever repaired.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mixnet.crypto import KEY_SIZE, SphinxSecret
from mixnet.errors import LocalError
from mixnet.files import make_folder, overwrite, replace_file, sync_folder
from mixnode import seal
from mixnode.keys import EpochKey, StoredKeys
from mixnode.replay import TAGS_LIMIT, Replay, TagFile

_KEY, _TAGS, _NEW, _OLD = ".key", ".tags", ".new", ".old"


class FileKeys:
    """Keys in a folder."""

    def __init__(self, folder: Path, *, limit: int = TAGS_LIMIT, boot: str | None = None) -> None:
        """Make `folder` if need be, for its owner only; LocalError if that is not possible.

        `limit`: tags for each key. `boot`: what names the kernel's present run, if not the kernel's own word.
        """
        self._folder = folder
        self._limit = limit
        self._boot = seal.this_boot() if boot is None else boot
        make_folder(folder)

    def load(self) -> StoredKeys:
        """Every key whose tags are proven; leftovers of an interrupted `create` or `delete` are removed."""
        epochs = {int(path.stem) for path in self._folder.iterdir() if path.stem.isdecimal()}
        loaded, retired = [], []
        for epoch in sorted(epochs):
            whole = self._path(epoch, _KEY).exists()
            if whole and seal.proves(self._path(epoch, _TAGS), self._boot):
                loaded.append(EpochKey(epoch, self._read(epoch), self._replay(epoch)))
                continue
            self.delete(epoch)
            if whole:
                retired.append(epoch)
        return StoredKeys(loaded, retired)

    def create(self, epoch: int) -> EpochKey:
        """A new key. Its tags and their seal come first, so that no kill leaves a key without them."""
        self.delete(epoch)
        secret = SphinxSecret.generate()
        replay = self._replay(epoch)
        try:
            seal.write_closed(self._path(epoch, _TAGS))
            replace_file(self._path(epoch, _KEY), secret.expose(), draft=self._path(epoch, _NEW))
        except OSError as error:
            replay.discard()
            raise LocalError(f"can't write a key in {self._folder}: {error.strerror}") from None
        return EpochKey(epoch, secret, replay)

    def delete(self, epoch: int) -> None:
        """Remove the key, and only then its tags and their seal; the key is gone from the disk too.

        It gets another name first: a kill must leave no key of random bytes. What nobody can overwrite is removed.
        """
        with suppress(FileNotFoundError):
            self._path(epoch, _KEY).replace(self._path(epoch, _OLD))
            sync_folder(self._folder)
        for suffix in (_OLD, _NEW):
            with suppress(OSError):
                overwrite(self._path(epoch, suffix))
            self._path(epoch, suffix).unlink(missing_ok=True)
        sync_folder(self._folder)
        self._path(epoch, _TAGS).unlink(missing_ok=True)
        seal.remove(self._path(epoch, _TAGS))

    def _path(self, epoch: int, suffix: str) -> Path:
        return self._folder / f"{epoch}{suffix}"

    def _replay(self, epoch: int) -> Replay:
        return Replay(TagFile(self._path(epoch, _TAGS), self._boot), self._limit)

    def _read(self, epoch: int) -> SphinxSecret:
        path = self._path(epoch, _KEY)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise LocalError(f"can't read the key {path}: {error.strerror}") from None
        if len(raw) != KEY_SIZE:
            raise LocalError(f"the key {path} is damaged: delete it and start again")
        return SphinxSecret(raw)
