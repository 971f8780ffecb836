"""The status socket: a process answers its operator on a Unix socket that only that user can open.

See spec/08-errors-and-figures.md 8.2.

Promises: the socket has permissions 0600 before the first connection can succeed; one short question, one msgpack map
(or one text), and the connection is closed; a socket left behind by a process that died is taken over, that of a
living one never, even if both start at one time: who serves in a folder holds the kernel's lock on it. Never: anything
about a packet, a user or a client's address; the answer is what `snapshot` gives.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import trio

from mixnet import sockets
from mixnet.errors import LocalError, Unavailable

SOCKET_NAME = "status.sock"
ANSWER_LIMIT = 1 << 20  # bytes
_STARTED = time.monotonic()  # of the process, but for the moments before this line
_TIMEOUT = 2.0  # seconds for the whole exchange
_STATUS, _METRICS = b"status\n", b"metrics\n"


async def serve_status(
    path: Path,
    snapshot: Callable[[], Mapping[str, Any]],
    *,
    metrics: Callable[[], str] = str,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer on the Unix socket `path` until cancelled; Unavailable if another living process already does."""
    with _bound(path) as listening:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))

        async def answer(stream: trio.SocketStream) -> None:
            with trio.move_on_after(_TIMEOUT), suppress(Exception):  # whatever fails costs this answer alone
                async with stream:
                    asked = await _line(stream)
                    await stream.send_all(
                        metrics().encode() if asked == _METRICS else msgspec.msgpack.encode(dict(snapshot()))
                    )

        async with listener, trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, answer, [listener])
            task_status.started()


async def read_status(path: Path) -> dict[str, Any]:
    """What the process that serves `path` says about itself; Unavailable if none does."""
    raw = await _ask(path, _STATUS)
    if not raw:
        raise _silent(path)
    try:
        return msgspec.msgpack.decode(raw, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise LocalError(f"{path} does not belong to a process of this mixnet") from None


def process_figures() -> dict[str, Any]:
    """What every process reports of itself: resident memory, CPU (user and system) and time since it started, number.

    {"memory_bytes", "cpu_seconds", "uptime_seconds", "pid"}; the second over the third is its share of a core.
    """
    times = os.times()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "memory_bytes": resident,
        "cpu_seconds": round(times.user + times.system, 3),
        "uptime_seconds": round(time.monotonic() - _STARTED, 1),
        "pid": os.getpid(),
    }


async def _ask(path: Path, question: bytes) -> bytes:
    answer = bytearray()
    try:
        with trio.fail_after(_TIMEOUT), sockets.short_name(path) as short:
            async with await trio.open_unix_socket(short) as stream:
                await stream.send_all(question)
                while part := await stream.receive_some(65536):
                    answer += part
                    if len(answer) > ANSWER_LIMIT:
                        raise LocalError(f"{path} does not belong to a process of this mixnet")
    except (OSError, trio.BrokenResourceError, trio.TooSlowError):
        raise _silent(path) from None
    return bytes(answer)


def _silent(path: Path) -> Unavailable:
    return Unavailable(f"nothing answers on {path}: the process is not running (or still starting, or about to end)")


async def _line(stream: trio.SocketStream) -> bytes:
    """The question: up to the first line feed, the end, or 16 bytes."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < 16 and (part := await stream.receive_some(16)):
        line += part
    return bytes(line)


@contextmanager
def _bound(path: Path) -> Iterator[socket.socket]:
    """A listening Unix socket at `path`, removed at the end; Unavailable if the folder is another living process'."""
    with _owned(path.parent), ExitStack() as opened:
        try:
            listening = opened.enter_context(sockets.listening(path))
        except OSError as error:
            raise Unavailable(f"can't make the socket {path}: {error.strerror}") from None
        yield listening


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Hold the kernel's lock on `folder`: it ends with the process, however that ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        raise Unavailable(f"there is no folder {folder}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(f"another process already runs in {folder}: stop it first") from None
        yield
    finally:
        os.close(descriptor)
