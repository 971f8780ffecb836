"""A profile: the folder of one person, with everything that their daemon needs.

Promises: the folder is made whole or not at all, and only its owner can read it (0700, files 0600); keys and state lie
in the encrypted store alone, which a key file or a passphrase opens; a passphrase is never written down.

    profile.toml     name, how the store opens, engine, address to dial from, preferred provider; `daily_files`: bytes
                     of files that one contact may send in a day, `disk_reserve`: bytes that they leave free
    bootstrap.json   the network: authorities and threshold
    key              32 random bytes (key file), or the 16-byte salt of the passphrase
    store.db         the encrypted store
    daemon.lock      held by the daemon while it runs (client/profile/lock.py)
    downloads/       files that came
    uploads/         files that the page in a browser sends
    api.sock, status.sock, daemon.log    (the names are in client/model/paths.py)
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from mixnet.client.model import paths
from mixnet.client.model.names import check_name
from mixnet.client.profile.atomic_file import write_new
from mixnet.crypto import SymmetricKey, password_key
from mixnet.errors import LocalError
from mixnet.files import named
from mixnet.pki.bootstrap import Bootstrap

if TYPE_CHECKING:
    from mixnet.client.storage.database import Store

SALT_SIZE = 16
_INSTEAD = "restore a copy of the whole folder, or remove what is left of it and make a new profile"


class ProfileExists(LocalError):
    """There is a profile of that name already: choose another name, or remove its folder first."""


class BrokenProfile(LocalError):
    """The profile's folder is damaged: restore it from a backup, or make a new profile."""


class PassphraseNeeded(LocalError):
    """The profile is locked by a passphrase: give --passphrase-file, or set MIXNET_PASSPHRASE."""


class Lock(StrEnum):
    """What opens the store."""

    KEY_FILE = "key-file"
    PASSPHRASE = "passphrase"  # noqa: S105  # the kind of lock


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What profile.toml holds."""

    name: str
    lock: Lock = Lock.KEY_FILE
    engine: str = "mixnet"
    source: str | None = None
    provider: str | None = None
    daily_files: Annotated[int, msgspec.Meta(ge=0)] = 2 << 30
    disk_reserve: Annotated[int, msgspec.Meta(ge=0)] = 1 << 30


@dataclass(frozen=True, slots=True)
class Profile:
    """What a daemon must know before it opens its store. Without a directory it lives in memory only."""

    name: str
    bootstrap: Bootstrap
    directory: Path | None = None
    lock: Lock = Lock.KEY_FILE
    engine: str = "mixnet"
    source: str | None = None  # the local address to dial from
    provider: bytes | None = None  # identity of the provider to register with; None: a random one, at the first start
    downloads: Path | None = None  # where files go; without it none is accepted
    daily_files: int = 2 << 30  # bytes of files that one contact may send in a day
    disk_reserve: int = 1 << 30  # bytes of the disk that files of contacts leave free

    def file(self, name: str) -> Path:
        """The path of one of the profile's files."""
        if self.directory is None:
            raise LocalError("a profile in memory has no files")
        return self.directory / name


def create(
    directory: Path,
    *,
    name: str,
    bootstrap: Path,
    passphrase: bytes | None = None,
    source: str | None = None,
    provider: bytes | None = None,
    engine: str = "mixnet",
) -> Profile:
    """Make the folder of a new profile; on any failure nothing is left of it."""
    name = check_name(name)
    if name.startswith("."):
        raise LocalError("a profile's name has no dot at its start: choose another name")
    trust = Bootstrap.load(bootstrap)
    lock = Lock.KEY_FILE if passphrase is None else Lock.PASSPHRASE
    settings = _Settings(name, lock, engine, source, provider.hex() if provider else None)
    with whole_folder(directory) as scratch:
        write_new(scratch / paths.SETTINGS, _encode(settings))
        trust.save(scratch / paths.BOOTSTRAP)
        _make_store(scratch / paths.STORE, write_key(scratch, passphrase))
    return load(directory)


@contextmanager
def whole_folder(directory: Path) -> Iterator[Path]:
    """A hidden folder that becomes a profile's when the block ends; on any failure nothing is left of it."""
    if os.path.lexists(directory):
        raise ProfileExists(f"there is a profile at {directory} already: choose another name, or remove it first")
    directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with named(directory):
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=directory.parent))  # mkdtemp makes it 0700
    try:
        with named(directory):
            yield scratch
            (scratch / paths.DOWNLOADS).mkdir(exist_ok=True, mode=0o700)
            for made in scratch.rglob("*"):
                made.chmod(0o700 if made.is_dir() else 0o600)
            scratch.rename(directory)
    except OSError as error:
        if directory.exists():
            raise ProfileExists from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load(directory: Path) -> Profile:
    """Read the profile in `directory`; its store stays closed."""
    paths.check_profile(directory)
    try:
        settings = msgspec.toml.decode((directory / paths.SETTINGS).read_bytes(), type=_Settings)
        provider = bytes.fromhex(settings.provider) if settings.provider else None
    except (msgspec.MsgspecError, ValueError) as error:
        raise BrokenProfile(f"{directory / 'profile.toml'} is damaged ({error}): correct it") from None
    return Profile(
        name=settings.name,
        bootstrap=Bootstrap.load(directory / paths.BOOTSTRAP),
        directory=directory,
        lock=settings.lock,
        engine=settings.engine,
        source=settings.source,
        provider=provider,
        downloads=directory / paths.DOWNLOADS,
        daily_files=settings.daily_files,
        disk_reserve=settings.disk_reserve,
    )


def open_store(
    profile: Profile, passphrase: bytes | None = None, tell: Callable[[str], None] = lambda _progress: None
) -> Store:
    """Open the profile's store; WrongPassphrase (mixnet.client.model.errors) if the key does not fit.

    `tell` hears how far it is if the store is of an older version and takes a while.
    """
    from mixnet.client.model.errors import DamagedStore, WrongPassphrase  # noqa: PLC0415  # as in `_make_store`
    from mixnet.client.storage.database import Store  # noqa: PLC0415

    store = profile.file(paths.STORE)
    key = store_key(store.parent, profile.lock, passphrase)
    if not store.is_file() or not store.stat().st_size:
        what = "is empty" if store.is_file() else "is missing"
        raise BrokenProfile(f"{store} {what}: {_INSTEAD}")
    try:
        return Store.open(store, key, tell, there=True)
    except DamagedStore:
        raise BrokenProfile(
            f"{store} is damaged, or was written by a newer version: update the program, or {_INSTEAD}"
        ) from None
    except WrongPassphrase:
        fits = "this passphrase" if profile.lock is Lock.PASSPHRASE else f"the file {paths.KEY} beside it"
        raise WrongPassphrase(
            f"{store} does not open with {fits}: check it and try again; if it is right, the store is damaged or"
            f" another profile's: {_INSTEAD}"
        ) from None


def _make_store(path: Path, key: SymmetricKey) -> None:
    """A new store with a new identity: so one without an identity is never taken for a new profile's."""
    from mixnet.client.profile.keys import load_keys  # noqa: PLC0415  # who only talks to a daemon needs no database
    from mixnet.client.storage.database import Store  # noqa: PLC0415

    store = Store.open(path, key)
    try:
        load_keys(store)
    finally:
        store.close()


def write_key(directory: Path, passphrase: bytes | None) -> SymmetricKey:
    """The key of a new store, and the file that gives it again: with a passphrase, or alone."""
    write_new(directory / paths.KEY, secrets.token_bytes(SymmetricKey.SIZE if passphrase is None else SALT_SIZE))
    return store_key(directory, Lock.KEY_FILE if passphrase is None else Lock.PASSPHRASE, passphrase)


def relock(directory: Path, lock: Lock) -> None:
    """In a copied folder: what opens the store here; the address to dial from was another machine's."""
    path = directory / paths.SETTINGS
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=_Settings)
    except msgspec.MsgspecError as error:
        raise BrokenProfile(f"{path} is damaged ({error}): correct it") from None
    path.unlink()
    write_new(path, _encode(msgspec.structs.replace(settings, lock=lock, source=None)))


def store_key(directory: Path, lock: Lock, passphrase: bytes | None) -> SymmetricKey:
    """The key of the store in a profile's folder; BrokenProfile, PassphraseNeeded."""
    try:
        raw = (directory / paths.KEY).read_bytes()
    except FileNotFoundError:
        raise BrokenProfile(f"{directory / paths.KEY} is missing: {_INSTEAD}") from None
    if lock is Lock.KEY_FILE:
        if len(raw) != SymmetricKey.SIZE:
            raise BrokenProfile(f"{directory / 'key'} is damaged: restore it from a backup")
        return SymmetricKey(raw)
    if passphrase is None:
        raise PassphraseNeeded
    if len(raw) != SALT_SIZE:
        raise BrokenProfile(f"{directory / 'key'} is damaged: restore it from a backup")
    return password_key(passphrase, raw)


def _encode(settings: _Settings) -> bytes:
    """TOML; a JSON string is a TOML basic string for what these fields may hold."""
    fields = {key: value for key, value in msgspec.to_builtins(settings).items() if value is not None}
    return b"".join(key.encode() + b" = " + msgspec.json.encode(value) + b"\n" for key, value in fields.items())
