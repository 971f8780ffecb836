"""The Unix socket on which a daemon talks with its user's programs (SPEC.md section 7).

Promises: only its owner can connect (0600, before the first connection can succeed); a folder with a path longer than a
socket address works too; a socket left by a daemon that died is replaced (the profile's lock says that it died).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from mixnet.errors import Unavailable

_PATH_LIMIT = 100  # bytes that fit into a socket address everywhere


class NotRunning(Unavailable):
    """No daemon runs on this profile: start it with `mixnet client start NAME`."""


@contextmanager
def listen(path: Path) -> Iterator[trio.SocketListener]:
    """A listener on the Unix socket `path`, removed at the end. The caller holds the profile's lock."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, _short(path) as short:
        path.unlink(missing_ok=True)
        listening.bind(short)
        path.chmod(0o600)  # nobody can connect before `listen`, so nobody ever saw it more open
        listening.listen(16)
        try:
            yield trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        finally:
            path.unlink(missing_ok=True)


async def dial(path: Path) -> trio.SocketStream:
    """Connect to the daemon at `path`; NotRunning if there is none."""
    try:
        with _short(path) as short:
            return await trio.open_unix_socket(short)
    except OSError:
        raise NotRunning from None


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of `path` that fits into a socket address: by the descriptor of its folder, if need be."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
