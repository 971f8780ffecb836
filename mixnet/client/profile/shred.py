"""Erases a profile's folder, as far as its medium allows (spec/07-client.md 7.11).

Promises: no daemon runs meanwhile; the key goes first, so whatever is interrupted, the store is noise from then on
(with a passphrase: to whoever has no copy of the salt, or not the passphrase); each file is overwritten once with
random bytes, synced, and removed; done again after an interruption it goes on. A file that has another name elsewhere
is not overwritten, since it is somebody's; a link is removed, never followed. What is no part of a profile is left, and
named.
Never: a promise about copies that a file system, a disk's controller or a backup kept.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mixnet.client.model import paths
from mixnet.client.profile import lock
from mixnet.files import overwrite, sync_folder
from mixnet.inventory import INVENTORY, Role, holders


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
            size += overwrite(path)
            path.unlink()
            sync_folder(path.parent)
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
