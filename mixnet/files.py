"""Replaces files in one step, overwrites them, and makes folders (spec/04-mixing.md 4.2, spec/05-directory.md 5.11).

Promises: a file is the old one or the new one, never half of one, whatever is killed when, and the new one is on the
disk when the call returns. Nobody but its owner may read it unless the caller says so, at no instant. What a kill left
half-written is removed by the next attempt; a failure leaves nothing.
Never: a promise about copies that a file system, a disk's controller or a backup kept of what was overwritten.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mixnet.errors import LocalError

_CHUNK = 1 << 20  # bytes


def replace_file(
    path: Path,
    content: bytes,
    *,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
    draft: Path | None = None,
) -> None:
    """Write `content` to a file beside `path` and rename that to `path`; OSError, with a file name, if it can't be.

    `owner`: (user, group) to which the file is given; `draft`: another name for the file beside it, in the same folder.
    """
    draft = draft or path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)  # else a power cut might take the new name back
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if error.filename in (None, str(draft)):  # a full disk names no file, and nobody knows the draft
            error.filename, error.filename2 = str(path if path.parent.is_dir() else path.parent), None
        raise


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Let an OSError about a hidden file beside `path`, or about none, be told of `path`: its user named nothing else.

    Of the folder above, if that is what isn't there.
    """
    try:
        yield
    except OSError as error:
        if _is_hidden(error.filename, path.parent):
            error.filename, error.filename2 = str(path if path.parent.is_dir() else path.parent), None
        raise


def _is_hidden(about: object, folder: Path) -> bool:
    """Whether the file that an OSError is about is none that a user knows: it lies beside what was named, hidden."""
    if not isinstance(about, str | bytes):
        return True
    way = os.path.relpath(os.fsdecode(about), folder)
    return os.fsdecode(about).startswith("/proc/self/fd/") or bool(re.match(r"\.[^./]", way))


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, for their owner only; LocalError if that is not possible."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(f"can't make the folder {folder}: {error.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def overwrite(path: Path) -> int:
    """Write random bytes over a file's own, on the disk; how many. OSError.

    Nothing is done to what is no file (a link is never followed), or has another name elsewhere: that is somebody's.
    """
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
