"""The connections of a page: so many at once, and none of another user of this machine (docs/pages.md).

Promises: what a process of another user sends is not even parsed, where the kernel tells whose a connection is; when
the block ends, so do all connections, also those whose other side doesn't read.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from starlette.types import ASGIApp

MOST = 64
IDLE = 5.0  # seconds without a request after which a connection is closed
REFUSING = 0.1  # seconds that a connection of somebody else's has to take its refusal
_TABLE = Path("/proc/net/tcp")
_REFUSAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """Serve `app` at a socket that is bound, as long as the block runs."""
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = IDLE
    wrapped, context = ASGIWrapper(cast(ASGIFramework, app)), WorkerContext(None)
    room, opened = trio.Semaphore(MOST), set[trio.SocketStream]()

    async def handle(stream: trio.SocketStream) -> None:
        try:
            if _is_ours(stream.socket):
                await TCPServer(wrapped, config, context, ConnectionState({}), cast(Any, stream))
            else:
                await _refuse(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it has ended
        finally:
            stream.socket.close()
            opened.discard(stream)
            room.release()

    async def accept(nursery: trio.Nursery) -> None:
        while True:
            await room.acquire()
            stream = await listener.accept()
            opened.add(stream)
            nursery.start_soon(handle, stream)

    listening.listen(MOST)
    async with (
        trio.SocketListener(trio.socket.from_stdlib_socket(listening)) as listener,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(accept, nursery)
        try:
            yield
        finally:
            for stream in opened:  # Hypercorn shields what it sends from being cancelled, but not from this
                stream.socket.close()
            nursery.cancel_scope.cancel()


async def _refuse(stream: trio.SocketStream) -> None:
    """Say no without waiting for a word: whoever is silent would have a place among the connections for so long."""
    with trio.move_on_after(REFUSING):
        await stream.send_all(_REFUSAL)
        await stream.send_eof()
        await stream.receive_some(1 << 16)  # else what it has sent makes the system take the refusal back


def _is_ours(connection: trio.socket.SocketType) -> bool:
    """Whether a process of this user's is at the other end; where the kernel doesn't say, the cookie decides alone."""
    try:
        ends = [_hex(connection.getpeername()), _hex(connection.getsockname())]
        with _TABLE.open() as table:
            owner = next((row[7] for row in map(str.split, table) if row[1:3] == ends), "")
    except OSError:
        return True
    return not owner or int(owner) == os.getuid()


def _hex(address: tuple[str, int]) -> str:
    """As the kernel's table has it: the address in the machine's byte order."""
    return f"{int.from_bytes(socket.inet_aton(address[0]), sys.byteorder):08X}:{address[1]:04X}"
