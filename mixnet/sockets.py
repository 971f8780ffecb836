"""Unix sockets that only their owner can open, in folders with paths of any length (spec/08-errors-and-figures.md 8.2).

Promises: nobody else can connect at any instant (0600 before the first connection can succeed); a path longer than a
socket address works too; the socket is gone when its owner ends it. Never: a decision whether a socket that is there
already belongs to somebody who lives; the caller knows.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATH_LIMIT = 100  # bytes that fit into the kernel's socket address on every system we know


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path`, in place of whatever was there, removed at the end; OSError if it can't be made."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made, short_name(path) as short:
        path.unlink(missing_ok=True)
        made.bind(short)
        path.chmod(0o600)  # nobody can connect before `listen`, so nobody ever saw it more open
        made.listen(16)
        try:
            yield made
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of `path` that fits into a socket address: by its folder's descriptor if need be; OSError without one."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
