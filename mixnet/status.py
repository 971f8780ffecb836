"""How a process tells its operator how it is: a Unix socket that only that user can open (SPEC.md section 8).

Promises: the socket has permissions 0600 before the first connection can succeed; one short question, one msgpack map
(or one text), and the connection is closed; a socket left behind by a process that died is taken over, that of a
living one never. Never: anything about a packet, a user or a client's address; the answer is what `snapshot` gives.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import trio

from mixnet.errors import LocalError, Unavailable

SOCKET_NAME = "status.sock"
ANSWER_LIMIT = 1 << 20  # bytes
_TIMEOUT = 2.0  # seconds for the whole exchange
_STATUS, _METRICS = b"status\n", b"metrics\n"
_PATH_LIMIT = 100  # bytes that fit into the kernel's socket address on every system we know


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
            with trio.move_on_after(_TIMEOUT), suppress(trio.BrokenResourceError):
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
    answer = msgspec.msgpack.decode(await _ask(path, _STATUS))
    if not isinstance(answer, dict):
        raise LocalError(f"{path} does not belong to a process of this mixnet")
    return answer


async def read_metrics(path: Path) -> str:
    """The Prometheus text of the process that serves `path`; Unavailable if none does."""
    return (await _ask(path, _METRICS)).decode()


def process_figures() -> dict[str, Any]:
    """What every process reports of itself: {"memory_bytes": resident, "cpu_seconds": user and system, "pid"}."""
    times = os.times()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"memory_bytes": resident, "cpu_seconds": round(times.user + times.system, 3), "pid": os.getpid()}


async def _ask(path: Path, question: bytes) -> bytes:
    answer = bytearray()
    try:
        with trio.fail_after(_TIMEOUT), _reachable(path) as short:
            async with await trio.open_unix_socket(short) as stream:
                await stream.send_all(question)
                while part := await stream.receive_some(65536):
                    answer += part
                    if len(answer) > ANSWER_LIMIT:
                        raise LocalError(f"{path} does not belong to a process of this mixnet")
    except (OSError, trio.BrokenResourceError, trio.TooSlowError):
        raise Unavailable(f"nothing answers on {path}: the process is not running (or still starting)") from None
    return bytes(answer)


async def _line(stream: trio.SocketStream) -> bytes:
    """The question: up to the first line feed, the end, or 16 bytes."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < 16 and (part := await stream.receive_some(16)):
        line += part
    return bytes(line)


@contextmanager
def _bound(path: Path) -> Iterator[socket.socket]:
    """A listening Unix socket at `path`, removed at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, _reachable(path) as short:
        _refuse_living(path, short)
        try:
            listening.bind(short)
        except OSError as error:
            raise Unavailable(f"can't make the socket {path}: {error.strerror}") from None
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)  # nobody can connect before `listen`, so nobody ever saw it more open
        listening.listen(16)
        try:
            yield listening
        finally:
            path.unlink(missing_ok=True)


def _refuse_living(path: Path, short: str) -> None:
    """Unavailable if a process answers on the socket; else remove what a dead one left."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(short)
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise Unavailable(f"another process already runs in {path.parent}: stop it first")


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A name of `path` short enough for a socket address (about 100 bytes): by its folder's descriptor if need be."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    try:
        folder = os.open(path.parent, os.O_PATH)
    except OSError:
        raise Unavailable(f"there is no folder {path.parent}") from None
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
