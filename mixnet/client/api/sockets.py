"""The Unix socket on which a daemon talks with its user's programs.

Promises: only its owner can connect (0600, before the first connection can succeed); a folder with a path longer than a
socket address works too; a socket left by a daemon that died is replaced (the profile's lock says that it died).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.abc
import trio

from mixnet import sockets
from mixnet.errors import Unavailable


class NotRunning(Unavailable):
    """No daemon runs on this profile: start it with `mixnet client start PROFILE`."""


class NotReached(Unavailable):
    """The daemon runs and can't be reached: try again; if that lasts, stop it with `mixnet client stop PROFILE`."""


class ConnectionLost(Unavailable):
    """The daemon goes on, but ended this connection, which it does if nobody reads for 30 seconds: try again."""


class DaemonEnded(ConnectionLost):
    """The daemon has ended: start it again with `mixnet client start PROFILE`."""


class DaemonReplaced(ConnectionLost):
    """The daemon was stopped and started again meanwhile: try again."""


@contextmanager
def listen(path: Path) -> Iterator[trio.SocketListener]:
    """A listener on the Unix socket `path`, removed at the end. The caller holds the profile's lock."""
    with sockets.listening(path) as listening:
        yield trio.SocketListener(trio.socket.from_stdlib_socket(listening))


async def dial(path: Path) -> anyio.abc.ByteStream:
    """Connect to the daemon at `path`, under asyncio or Trio; NotRunning if there is none."""
    try:
        with sockets.short_name(path) as short:
            return await anyio.connect_unix(short)
    except OSError:
        raise NotRunning from None
