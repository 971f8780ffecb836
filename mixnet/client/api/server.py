"""The daemon's end of the local socket.

Promises: only the owner of the profile is served (the socket's permissions, and the peer's user as the kernel says it);
what is no request is answered as such, and after what is no message at all the program is told so and cut off; neither
harms anybody else. Requests of one connection are answered in order; connections, messages and events in waiting are
bounded. Nothing a program does here moves a slot.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import trio

from mixnet.client.api import framing, sockets
from mixnet.client.api.command import Command
from mixnet.client.api.daemon import Follow
from mixnet.client.api.daemon_api import DaemonApi
from mixnet.client.api.protocol import command_untrusted, event_map
from mixnet.errors import LocalError, MixnetError, RemoteError, Unavailable

CONNECTIONS = 32
READ_SIZE = 65536
SEND_TIMEOUT = 30.0  # seconds that a program may take to read its answer
_FAREWELL = 1.0  # seconds that it may take to read why it is not served
_FULL = f"{CONNECTIONS} programs use this daemon, which is as many as can: close one of them and try again"
_FAULT = "the daemon failed at this, by a fault of its own, and goes on: please report it with what you did"


async def serve_api(
    path: Path, daemon: DaemonApi, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve `daemon` on the Unix socket `path`."""
    places = trio.CapacityLimiter(CONNECTIONS)

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                places.acquire_on_behalf_of_nowait(stream)
            except trio.WouldBlock:
                with suppress(trio.BrokenResourceError), trio.move_on_after(_FAREWELL):
                    await stream.send_all(framing.encode(framing.error_reply(None, Unavailable(_FULL))))
                return
            try:
                if _same_user(stream):
                    await _Connection(stream, daemon).run()
            except* (RemoteError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                pass  # this program is cut off; the others never notice
            except* Exception as failed:
                daemon.lasting.fault("a program", failed)
            finally:
                places.release_on_behalf_of(stream)

    with sockets.listen(path) as listener:
        async with listener:
            await trio.serve_listeners(handle, [listener], task_status=_Started(task_status))


class _Started:
    """Tells the caller that it may connect, without handing out the listeners."""

    def __init__(self, status: trio.TaskStatus[None]) -> None:
        self._status = status

    def started(self, _listeners: object = None) -> None:
        """The socket listens."""
        self._status.started()


class _Connection:
    """One program."""

    def __init__(self, stream: trio.abc.Stream, daemon: DaemonApi) -> None:
        self._stream = stream
        self._daemon = daemon
        self._sending = trio.Lock()

    async def run(self) -> None:
        """Answer until the program leaves; RemoteError if it sends what is no request."""
        decoder = framing.Decoder()
        async with trio.open_nursery() as nursery:
            following = False
            while data := await self._stream.receive_some(READ_SIZE):
                for message in await self._read_untrusted(decoder, bytes(data)):
                    try:
                        command = command_untrusted(message)
                    except RemoteError as error:
                        await self._refuse(framing.number_of(message), error)
                        continue
                    if isinstance(command, Follow) and not following:
                        following = True
                        await nursery.start(self._forward)
                    await self._answer(command)
            nursery.cancel_scope.cancel()

    async def _read_untrusted(self, decoder: framing.Decoder, data: bytes) -> list[dict[str, Any]]:
        try:
            return decoder.feed_untrusted(data)
        except RemoteError as error:  # nobody knows where the next message begins
            refused = error
        await self._refuse(None, refused)
        raise refused

    async def _refuse(self, number: int | None, error: RemoteError) -> None:
        await self._send(framing.encode(framing.error_reply(number, LocalError(str(error)))))

    async def _answer(self, command: Command[Any]) -> None:
        try:
            answer = msgspec.to_builtins(await command.run(self._daemon))
            encoded = framing.encode({"id": command.id, "ok": answer})
        except (MixnetError, OSError) as error:
            encoded = framing.encode(framing.error_reply(command.id, error))
        except Exception as error:  # a fault of this program, which must not take the daemon with it
            self._daemon.lasting.fault("a command", error)
            encoded = framing.encode(framing.error_reply(command.id, LocalError(f"{_FAULT} ({type(error).__name__})")))
        await self._send(encoded)

    async def _forward(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self._daemon.event_bus.follow() as events:
            task_status.started()
            async for event in events:
                await self._send(framing.encode(event_map(event)))

    async def _send(self, message: bytes) -> None:
        with trio.fail_after(SEND_TIMEOUT):
            async with self._sending:
                await self._stream.send_all(message)


def _same_user(stream: trio.SocketStream) -> bool:
    """Whether the kernel says that the peer is this user; where it doesn't say, the permissions have to do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    layout = struct.Struct("3i")
    _, user, _ = layout.unpack(stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size))
    return bool(user == os.getuid())
