"""One encrypted file that is read and written from front to back: the form of a backup (spec/07-client.md 7.20).

Promises: without the passphrase nothing but the size can be read of it; a byte that was changed, left out, added,
moved or taken from another file is refused before anything that comes after it is given out, each with a sentence of
its own; what is held in memory is one part, whatever the file says.

    file   = magic 16 · salt 16 · check 8 · proof 16 · parts
    part   = start of the salt 8 · index 4 · last 1 · length 4 · ciphertext and tag

The key is Argon2id of passphrase and salt, so each file has its own, and the index can be the nonce. `check` is a hash
of what is before it, by which a damaged beginning is told from a wrong passphrase, which `proof` doesn't open.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
from collections.abc import Iterator
from typing import BinaryIO

from mixnet.crypto import NONCE_SIZE, TAG_SIZE, Label, digest, password_key, seal, unseal_untrusted
from mixnet.errors import LocalError, RemoteError

MAGIC = b"mixnet-backup/1\n"
_FAMILY = b"mixnet-backup/"
PART = 1 << 16  # bytes of plaintext in each part but the last
_SALT, _CHECK, _NAME = 16, 8, 8
_HEADER = len(MAGIC) + _SALT + _CHECK + TAG_SIZE
_PLACE = struct.Struct(f">{_NAME}sI?I")
_PROOF = (1 << 8 * NONCE_SIZE) - 1  # as a nonce: no part has this index
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without those that are taken for others
_GROUPS, _GROUP = 5, 5  # of a recovery key: 125 bits
_MISREAD = str.maketrans("OIL", "011")


class BadBackup(LocalError):
    """This file can't be used as a backup: take another copy of it."""


class NotBackup(BadBackup):
    """This file is no backup of a profile: give one that `mixnet profile backup` has made."""


class NewerBackup(BadBackup):
    """This backup was made by a newer version of the program: update the program here first."""


class DamagedBeginning(BadBackup):
    """The beginning of this backup is damaged: take another copy of the file."""


class WrongBackupPassphrase(BadBackup):
    """This passphrase or recovery key does not open the backup: check it, and which backup it is for."""


class CutBackup(BadBackup):
    """This backup is cut off: its end is missing, so nothing of it is used; copy the whole file again."""


class MixedUpBackup(BadBackup):
    """The parts of this backup are not in their order, so nothing of it is used; take another copy of the file."""


class ForeignPart(BadBackup):
    """This file has parts of two backups, so nothing of it is used; take another copy of the file."""


class DamagedBackup(BadBackup):
    """This backup is damaged, or was changed, so nothing of it is used; take another copy of the file."""


class LongerBackup(BadBackup):
    """Something follows behind the end of this backup, so nothing of it is used; take another copy of the file."""


def recovery_key() -> str:
    """A new passphrase that nobody has to think of: 5 groups of 5 letters and digits."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def as_typed(passphrase: bytes) -> bytes:
    """A recovery key as it was made, however it was typed; any other passphrase as it is."""
    letters = re.sub(r"[\s-]", "", passphrase.decode(errors="replace")).upper().translate(_MISREAD)
    if len(letters) != _GROUPS * _GROUP or not set(letters) <= set(_LETTERS):
        return passphrase
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP)).encode()


class SealedWriter:
    """Encrypts what is written; `finish` says that this was all."""

    def __init__(self, file: BinaryIO, passphrase: bytes) -> None:
        salt = os.urandom(_SALT)
        self._file, self._name, self._index = file, salt[:_NAME], 0
        self._key = password_key(as_typed(passphrase), salt).expose()
        self._held = bytearray()
        start = MAGIC + salt
        checked = start + _check(start)
        file.write(checked + seal(self._key, _nonce(_PROOF), b"", checked))

    def write(self, content: bytes) -> None:
        """Add to the file."""
        self._held += content
        while len(self._held) > PART:
            self._part(bytes(self._held[:PART]), last=False)
            del self._held[:PART]

    def finish(self) -> None:
        """Nothing comes after this."""
        self._part(bytes(self._held), last=True)

    def _part(self, content: bytes, *, last: bool) -> None:
        place = _PLACE.pack(self._name, self._index, last, len(content))
        self._file.write(place + seal(self._key, _nonce(self._index), content, place))
        self._index += 1


class SealedReader:
    """Gives what was written, in pieces."""

    def __init__(self, file: BinaryIO, passphrase: bytes) -> None:
        """Read the beginning; NotBackup, NewerBackup, DamagedBeginning, WrongBackupPassphrase, CutBackup."""
        header = file.read(_HEADER)
        if not header.startswith(_FAMILY[: len(header)]) or not header:
            raise NotBackup
        if len(header) < _HEADER:
            raise CutBackup
        start, checked = header[: len(MAGIC) + _SALT], header[:-TAG_SIZE]
        if checked != start + _check(start):
            raise NewerBackup if _is_newer(header) else DamagedBeginning
        salt = start[len(MAGIC) :]
        self._file, self._name, self._index, self._ended = file, salt[:_NAME], 0, False
        self._key = password_key(as_typed(passphrase), salt).expose()
        self._held = bytearray()
        try:
            unseal_untrusted(self._key, _nonce(_PROOF), header[-TAG_SIZE:], checked)
        except RemoteError:
            raise WrongBackupPassphrase from None

    def read(self, size: int) -> bytes:
        """The next `size` bytes; DamagedBackup if there are not so many."""
        while len(self._held) < size:
            if self._ended:
                raise DamagedBackup
            self._held += self._part()
        content = bytes(self._held[:size])
        del self._held[:size]
        return content

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, no more than a part at a time; DamagedBackup."""
        while size:
            piece = self.read(min(size, PART))
            size -= len(piece)
            yield piece

    def finish(self) -> None:
        """All was read: BadBackup if anything is left."""
        if not self._ended:
            self._held += self._part()
        if self._held or not self._ended:
            raise DamagedBackup

    def _part(self) -> bytes:
        raw = self._file.read(_PLACE.size)
        if len(raw) < _PLACE.size:
            raise CutBackup
        name, index, last, length = _PLACE.unpack(raw)
        if length > PART or raw[_NAME + 4] > 1:
            raise DamagedBackup
        sealed = self._file.read(length + TAG_SIZE)
        if name != self._name:
            raise ForeignPart
        if index != self._index:
            raise MixedUpBackup
        if len(sealed) < length + TAG_SIZE:
            raise CutBackup
        try:
            content = unseal_untrusted(self._key, _nonce(index), sealed, raw)
        except RemoteError:
            raise DamagedBackup from None
        self._index, self._ended = index + 1, bool(last)
        if self._ended and self._file.read(1):
            raise LongerBackup
        return content


def _nonce(number: int) -> bytes:
    return number.to_bytes(NONCE_SIZE, "big")


def _check(start: bytes) -> bytes:
    return digest(Label.BACKUP, b"beginning", start)[:_CHECK]


def _is_newer(header: bytes) -> bool:
    version = re.match(rb"mixnet-backup/(\d+)\n", header)
    return version is not None and int(version[1]) > 1
