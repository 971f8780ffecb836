"""The file that a demonstration sends unless it is given one (spec/11-demonstration.md).

Promises: half of it is random bytes, which nothing can compress, and half is text that this machine has anyway: the
sources of Python's own library. No two demonstrations send the same file.
"""

from __future__ import annotations

import hashlib
import os
import sysconfig
from pathlib import Path

SIZE = 1_000_000  # bytes


def _library_text(size: int) -> bytes:
    """`size` bytes of Python's own sources, in the order of their names, from the start again if they don't suffice."""
    text = bytearray()
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    while len(text) < size:
        before = len(text)
        for source in sources:
            if len(text) >= size:
                break
            text += source.read_bytes()
        if len(text) == before:  # a Python without sources: its documentation strings are text as well
            text += (__doc__ or "").encode()
    return bytes(text[:size])


def make_file(path: Path, size: int = SIZE) -> None:
    """Write the file."""
    path.write_bytes(os.urandom(size - size // 2) + _library_text(size // 2))


def digest_of(path: Path) -> bytes:
    """A 32-byte hash of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).digest()
