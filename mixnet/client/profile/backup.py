"""Backups of a profile: one encrypted file with all that makes it, and a profile made of one (spec/07-client.md 7.20).

Promises: a backup shows the profile at one instant, whether its daemon runs or not; nothing of it is ever on a disk in
clear; the file, and the folder that is made of it, appear whole or not at all. A profile made of a backup knows that it
is one (client/storage/copies.py): its daemon never encrypts with keys that the copied one may have used since.
Never: a word in it of who made it when that is not encrypted.

What is encrypted: the length of a msgpack map (4 bytes), the map, then the bytes of its files, in their order.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO

import apsw
import msgspec

from mixnet.client.model import paths
from mixnet.client.model.errors import StoreUnavailable
from mixnet.client.profile import lock
from mixnet.client.profile.atomic_file import new_file
from mixnet.client.profile.profile import (
    Lock,
    PassphraseNeeded,
    Profile,
    load,
    open_store,
    relock,
    store_key,
    whole_folder,
    write_key,
)
from mixnet.client.profile.sealed_file import DamagedBackup, SealedReader, SealedWriter
from mixnet.client.storage import copies
from mixnet.client.storage.database import Store
from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError
from mixnet.files import named

Tell = Callable[[str], None]
_CHUNK = 1 << 20
_MANIFEST = 1 << 22  # bytes of the map, at most
_FIXED = (paths.SETTINGS, paths.BOOTSTRAP, paths.STORE)
_LONG = 64 << 20  # bytes that take long


def _nothing(_progress: str) -> None:
    """Nobody listens."""


class BackupExists(LocalError):
    """There is such a file already: choose another name, or add --force to replace it."""


class NoRoom(LocalError):
    """The disk is full: nothing was written."""

    exit_status = 1


class NoPlainFile(LocalError):
    """A file of this folder is a link or a device: copy the folder again, with the files themselves."""


class _File(msgspec.Struct, frozen=True):
    name: str
    size: Annotated[int, msgspec.Meta(ge=0)]


class _Manifest(msgspec.Struct, frozen=True):
    """What the encrypted map says; `key` opens the store, which is encrypted once more."""

    name: str
    made: float
    lock: Lock
    key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    files: list[_File]


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds; `size` is its own."""

    made: float
    contents: copies.Contents
    downloads: int
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The profile that was made of a backup, or of another folder."""

    profile: Profile
    made: float
    contents: copies.Contents
    downloads: int


def back_up(
    profile: Profile,
    to: Path,
    secret: bytes,
    *,
    passphrase: bytes | None = None,
    downloads: bool = False,
    force: bool = False,
    tell: Tell = _nothing,
) -> BackedUp:
    """Write a backup that `secret` opens; BackupExists, NoRoom, WrongPassphrase, OSError."""
    made = time.time()
    with ExitStack() as stack, _room():
        if lock.holder(profile.file(paths.LOCK)) is None:  # else its daemon has the store open, and is of this version
            stack.enter_context(lock.hold(profile.file(paths.LOCK)))
        key = SymmetricKey.generate()
        store = open_store(profile, passphrase, tell)
        try:
            contents = copies.contents(store)
            file = stack.enter_context(_snapshot(profile, store, key))
        finally:
            store.close()
        files: list[tuple[str, int, BinaryIO]] = []
        for path in [profile.file(name) for name in (paths.SETTINGS, paths.BOOTSTRAP)]:
            opened = stack.enter_context(path.open("rb"))
            files.append((path.name, os.fstat(opened.fileno()).st_size, opened))
        files.append((paths.STORE, os.fstat(file.fileno()).st_size, file))
        came = _downloads(profile) if downloads else []
        for path in came:
            opened = stack.enter_context(path.open("rb"))
            name = f"{paths.DOWNLOADS}/{path.relative_to(profile.file(paths.DOWNLOADS))}"
            files.append((name, os.fstat(opened.fileno()).st_size, opened))
        manifest = _Manifest(
            profile.name, made, profile.lock, key.expose(), [_File(name, length) for name, length, _ in files]
        )
        out = stack.enter_context(_written(to, force=force))
        sealed, raw = SealedWriter(out, secret), msgspec.msgpack.encode(manifest)
        sealed.write(len(raw).to_bytes(4, "big") + raw)
        progress = _Progress(sum(length for _, length, _ in files), tell)
        for _, length, source in files:
            for piece in _pieces(source, length):
                sealed.write(piece)
                progress.moved(len(piece))
        sealed.finish()
        size = out.tell()
    return BackedUp(made, contents, len(came), size)


def restore(
    backup: Path,
    directory: Callable[[str], Path],
    secret: bytes,
    *,
    passphrase: bytes | None = None,
    unlocked: bool = False,
    tell: Tell = _nothing,
) -> Restored:
    """Make the profile of a backup, in the new folder that `directory` gives for its name.

    `passphrase` is to lock it; a profile that had one becomes `unlocked` only if that is said. BadBackup,
    ProfileExists, PassphraseNeeded, NoRoom, OSError.
    """
    with backup.open("rb") as file, _room():
        reader = SealedReader(file, secret)
        manifest = _manifest(reader)
        folder = directory(manifest.name)
        _check_lock(manifest.lock, passphrase, unlocked=unlocked)
        with whole_folder(folder) as scratch:
            progress = _Progress(sum(one.size for one in manifest.files), tell)
            for one in manifest.files:
                with _place(scratch, one.name).open("xb") as out:
                    for piece in reader.pieces(one.size):
                        out.write(piece)
                        progress.moved(len(piece))
            reader.finish()
            kept = _settle(scratch, SymmetricKey(manifest.key), manifest.made, passphrase, tell)
        return Restored(load(folder), manifest.made, kept, len(manifest.files) - len(_FIXED))


def take_over(
    folder: Path,
    directory: Callable[[str], Path],
    *,
    passphrase: bytes | None = None,
    tell: Tell = _nothing,
) -> Restored:
    """Make a profile of a plain copy of another one's folder, which stays as it is; `passphrase` opens and locks it.

    AlreadyRunning, ProfileExists, WrongPassphrase, BrokenProfile, NoPlainFile, NoRoom, OSError.
    """
    profile = load(folder)
    with ExitStack() as stack, _room():
        if lock.holder(profile.file(paths.LOCK)) is not None:
            raise lock.AlreadyRunning(
                "a daemon runs on this folder: stop it, or make a backup of it while it runs"
                " (`mixnet profile backup PROFILE FILE`)"
            )
        made = max(path.stat().st_mtime for path in folder.glob(f"{paths.STORE}*"))
        target = directory(profile.name)
        scratch = stack.enter_context(whole_folder(target))
        for name in (paths.SETTINGS, paths.BOOTSTRAP, paths.KEY, paths.STORE, f"{paths.STORE}-wal"):
            if os.path.lexists(folder / name):
                _copy(folder / name, scratch / name)
        open_store(replace(profile, directory=scratch), passphrase, tell).close()  # says what is wrong with it
        key = store_key(scratch, profile.lock, passphrase)
        (scratch / paths.KEY).unlink()
        came = [] if profile.file(paths.DOWNLOADS).is_symlink() else _downloads(profile)
        for path in came:
            place = _place(scratch, f"{paths.DOWNLOADS}/{path.relative_to(profile.file(paths.DOWNLOADS))}")
            _copy(path, place)
        kept = _settle(scratch, key, made, passphrase, tell)
        stack.close()
        return Restored(load(target), made, kept, len(came))


def _check_lock(before: Lock, passphrase: bytes | None, *, unlocked: bool) -> None:
    if before is Lock.PASSPHRASE and passphrase is None and not unlocked:
        raise PassphraseNeeded(
            "the profile was locked by a passphrase: choose one for it here (--passphrase or --passphrase-file), or add"
            " --no-passphrase"
        )


def _settle(scratch: Path, key: SymmetricKey, made: float, passphrase: bytes | None, tell: Tell) -> copies.Contents:
    """A store of its own key in place of the copied one, which is marked as what it is."""
    copied = scratch / paths.STORE
    old, path = Store.open(copied, key, tell, there=True), scratch / f"{paths.STORE}.new"
    fresh = write_key(scratch, passphrase)
    try:
        old.copy(path, fresh)
    finally:
        old.close()
    for left in scratch.glob(f"{paths.STORE}*"):
        if left != path:
            left.unlink()
    path.rename(copied)
    relock(scratch, Lock.KEY_FILE if passphrase is None else Lock.PASSPHRASE)
    store = Store.open(copied, fresh, there=True)
    try:
        return copies.mark(store, made, time.time())
    finally:
        store.close()


def _manifest(reader: SealedReader) -> _Manifest:
    """What the file says that it holds; DamagedBackup, unless its files are those of a profile."""
    size = int.from_bytes(reader.read(4), "big")
    if size > _MANIFEST:
        raise DamagedBackup
    try:
        manifest = msgspec.msgpack.decode(reader.read(size), type=_Manifest)
    except msgspec.MsgspecError:
        raise DamagedBackup from None
    if tuple(one.name for one in manifest.files[: len(_FIXED)]) != _FIXED:
        raise DamagedBackup
    names = [one.name for one in manifest.files]
    folders = {name[:at] for name in names for at, letter in enumerate(name) if letter == "/"}
    if len(set(names)) < len(names) or not folders.isdisjoint(names):
        raise DamagedBackup
    return manifest


def _place(folder: Path, name: str) -> Path:
    """Where a file of the backup goes: nowhere but into the new folder; DamagedBackup."""
    if name in _FIXED:
        return folder / name
    parts = name.split("/")
    if parts[0] != paths.DOWNLOADS or len(parts) < 2 or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise DamagedBackup
    path = folder.joinpath(*parts)
    path.parent.mkdir(exist_ok=True, parents=True, mode=0o700)
    return path


def _downloads(profile: Profile) -> list[Path]:
    """The files that came, whole; hidden ones are still coming."""
    root = profile.file(paths.DOWNLOADS)
    found = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _copy(source: Path, target: Path) -> None:
    """Copy a file, and nothing that a link or a device stands for: the folder may have been made by anybody."""
    if not stat.S_ISREG(source.lstat().st_mode):
        raise NoPlainFile(f"{source} is no plain file: copy the folder again, with the files themselves")
    opened = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(opened, "rb") as file, target.open("xb") as out:
        shutil.copyfileobj(file, out, _CHUNK)


@contextmanager
def _snapshot(profile: Profile, store: Store, key: SymmetricKey) -> Iterator[BinaryIO]:
    """A copy of the store under `key`, in a file that has lost its name before anything is in it."""
    path = profile.file(f".backup-{os.urandom(6).hex()}")
    with path.open("xb+") as file:
        store.copy(path, key, nameless=True)
        yield file


@contextmanager
def _written(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """The file to write to, which appears whole; `force` lets it take the place of another one."""
    if not force and os.path.lexists(path):
        raise BackupExists(f"there is a file at {path} already: choose another name, or add --force to replace it")
    draft = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}") if force else path
    with named(path):
        with new_file(draft) as file:
            yield file
        if force:
            draft.replace(path)


@contextmanager
def _room() -> Iterator[None]:
    """A full disk is said in one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom from None
        raise
    except StoreUnavailable as error:
        if isinstance(error.__cause__, apsw.FullError):
            raise NoRoom from None
        raise


class _Progress:
    """Tells each tenth of what takes long."""

    def __init__(self, total: int, tell: Tell) -> None:
        self._total, self._tell, self._done, self._tenths = total, tell, 0, 0

    def moved(self, size: int) -> None:
        """So many bytes more are done."""
        self._done += size
        if self._total > _LONG and 10 * self._done // self._total > self._tenths:
            self._tenths = 10 * self._done // self._total
            self._tell(f"{self._tenths}0 % of {self._total >> 20} MiB")


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """What a file holds; LocalError if it is not as long any more."""
    while size:
        piece = file.read(min(size, _CHUNK))
        if not piece:
            raise LocalError("a file of the profile was cut off while it was read: try again")
        size -= len(piece)
        yield piece
