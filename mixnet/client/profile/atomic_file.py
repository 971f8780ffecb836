"""Writes a new file that appears whole or not at all, readable by its owner only.

Promises: never over another file. Where the system has files without a name (O_TMPFILE), a process that is killed
leaves nothing; elsewhere its hidden partial file stays until a file of the same name is written again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mixnet.files import named

_MODE = 0o600
_PREFIX = 100  # letters of the name that a partial file repeats


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """The file to write to; it gets its name at the end of the block. FileExistsError."""
    if os.path.lexists(path):
        raise FileExistsError(17, "there is such a file already: choose another name", str(path))
    _sweep(path)
    handle = _nameless(path)
    with named(path):
        if handle is None:
            with _hidden(path) as file:
                yield file
            return
        with os.fdopen(handle, "wb") as file:
            yield file
            _to_disk(file)
            # Only with a folder's number does Python follow the link that /proc shows; for a whole path it is silent.
            os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=file.fileno(), follow_symlinks=True)


def write_new(path: Path, content: bytes) -> None:
    """Write a whole new file; FileExistsError."""
    with new_file(path) as file:
        file.write(content)


def _nameless(path: Path) -> int | None:
    """A file without a name beside `path`; None where there is no such thing, or no way to name it."""
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(path.parent, os.O_WRONLY | os.O_TMPFILE, _MODE)
    except OSError:  # a file system that has none; any other trouble the next try will tell
        return None


@contextmanager
def _hidden(path: Path) -> Iterator[BinaryIO]:
    partial = path.with_name(f".{path.name[:_PREFIX]}.{os.urandom(6).hex()}.part")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
            yield file
            _to_disk(file)
        try:
            os.link(partial, path)  # unlike a rename, never over another file
        except FileExistsError:
            raise
        except OSError:
            partial.rename(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sweep(path: Path) -> None:
    """Remove partial files that a killed process left of a file of this name."""
    ours = re.compile(re.escape(f".{path.name[:_PREFIX]}.") + r"[0-9a-f]{12}\.part")
    with suppress(OSError):
        for left in [one for one in path.parent.iterdir() if ours.fullmatch(one.name)]:
            left.unlink(missing_ok=True)
