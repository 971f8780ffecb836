"""Erases a profile's folder, as far as its medium allows (spec/07-client.md 7.11).

Promises: no daemon runs meanwhile; the key goes first, so whatever is interrupted, the store is noise from then on
(with a passphrase: to whoever has no copy of the salt, or not the passphrase); each file is overwritten once with
random bytes, synced, and removed; done again after an interruption it goes on. A file that has another name elsewhere
is not overwritten, since it is somebody's; a link is removed, never followed. What is no part of a profile is left, and
named.
Never: a promise about copies that a file system, a disk's controller or a backup kept.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from client.model import paths
from client.profile import lock
from mixnet.inventory import INVENTORY, Role, holders

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Erased:
    """Files that are gone, bytes that were overwritten, and what was left."""

    files: int
    bytes: int
    left: tuple[Path, ...]


def erase(directory: Path, *, keep_downloads: bool = False) -> Erased:
    """Erase the profile in `directory`; NoProfile, AlreadyRunning, OSError."""
    paths.check_profile(directory)
    with lock.hold(directory / paths.LOCK):
        files = size = 0
        for path in _in_order(directory, keep_downloads=keep_downloads):
            size += _overwrite(path)
            path.unlink()
            _sync(path.parent)
            files += 1
    if not keep_downloads:
        with suppress(OSError):  # something that isn't ours lies in it
            (directory / paths.DOWNLOADS).rmdir()
    with suppress(OSError):
        directory.rmdir()
    left = sorted(path for path in directory.rglob("*") if not path.is_dir()) if directory.exists() else []
    return Erased(files, size, tuple(left))


def _in_order(directory: Path, *, keep_downloads: bool) -> list[Path]:
    """The profile's files: the key first, and last what tells that there is a profile at all."""
    found = [path for path in directory.rglob("*") if stat.S_IFMT(path.lstat().st_mode) != stat.S_IFDIR]
    ours = [path for path in found if holders(INVENTORY[Role.CLIENT], str(path.relative_to(directory)))]
    if keep_downloads:
        ours = [path for path in ours if path.parent != directory / paths.DOWNLOADS]
    ranks = {paths.KEY: 0, paths.STORE: 1, paths.SETTINGS: 3}
    return sorted(ours, key=lambda path: (ranks.get(path.name, 2) if path.parent == directory else 2, path))


def _overwrite(path: Path) -> int:
    """Write random bytes over a file's own; how many. Nothing for what is no file, or has another name."""
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
        return 0
    handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        left = state.st_size
        while left:
            left -= os.write(handle, os.urandom(min(_CHUNK, left)))
        os.fsync(handle)
    finally:
        os.close(handle)
    return state.st_size


def _sync(directory: Path) -> None:
    """Have the removal on the disk, so that the order holds."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
