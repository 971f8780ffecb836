"""A connected TCP socket for Trio that takes fewer turns of the scheduler (spec/03-links.md 3.1).

Promises: a stream as Trio's are, but for two things. What the kernel takes at once is sent without letting other tasks
run, and waiting comes before reading instead of after a failed attempt: a packet's way through a node has two turns of
the scheduler and one system call less. A receiver waits in every call, so whoever reads in a loop lets others run. It
knows when the bytes reached this machine, where the kernel says so, and not only when this process came to read them.
Told how many bytes its reader can use, it lets the kernel wait for so many: a peer that sends byte by byte buys no turn
of the scheduler for each.
Never: one call of a kind while another of its kind is under way; links see to that.
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import sys
import time
from collections.abc import Sequence

import trio

_SO_TIMESTAMPNS = 35  # Linux, asm-generic/socket.h; CPython gives it no name
_STAMP = struct.Struct("=qq")  # seconds and nanoseconds since 1970
_ROOM = socket.CMSG_SPACE(_STAMP.size)
_OLDEST = 1.0  # seconds that bytes may have waited to be read: more, or less than none, is a clock that was set


class TcpStream(trio.abc.Stream):
    """Bytes to and from a peer; takes over a connected socket.

    `arrived` is when the last of the bytes that were read came: seconds of Trio's clock, never falling.
    """

    arrived = -math.inf
    _least = 1

    def __init__(self, stream: trio.SocketStream) -> None:
        """Take over the socket of `stream`, which is of no use afterwards."""
        self.socket = socket.socket(fileno=stream.socket.detach())
        self.socket.setblocking(False)
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # refused on a connection that its peer has ended already
                self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def wait_for(self, least: int) -> None:
        """Let receivers wait until `least` bytes are here, or the stream's end; a help: some systems don't wait."""
        if least != self._least:
            with contextlib.suppress(OSError):  # the stream was closed, or has ended
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
            self._least = least

    def send_now(self, data: bytes | memoryview) -> int:
        """Send what the kernel takes at once; how many bytes. It never waits. Raises as `send_all`."""
        self._check_open()
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError("the peer is gone") from error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it; trio.BrokenResourceError if the peer is gone, trio.ClosedResourceError if we closed it."""
        await trio.lowlevel.checkpoint_if_cancelled()
        rest = memoryview(data)
        while rest:
            rest = rest[self.send_now(rest) :]
            if rest:
                await trio.lowlevel.wait_writable(self.socket)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel takes something."""
        self._check_open()
        await trio.lowlevel.wait_writable(self.socket)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What came, at most `max_bytes` (65,536); empty once the peer has ended the stream. Raises as `send_all`."""
        while True:
            self._check_open()
            await trio.lowlevel.wait_readable(self.socket)
            try:
                data, notes, _, _ = self.socket.recvmsg(max_bytes or 65536, _ROOM)
            except BlockingIOError:
                continue
            except OSError as error:
                self._check_open()
                raise trio.BrokenResourceError("the peer is gone") from error
            self.arrived = max(self.arrived, trio.current_time() - _waited(notes))
            return data

    @property
    def remote_host(self) -> str:
        """The IP address of the other end; empty if that is gone."""
        with contextlib.suppress(OSError):
            name = self.socket.getpeername()
            if isinstance(name, tuple):
                return str(name[0])
        return ""

    async def aclose(self) -> None:
        """Close the socket; who still waits for it gets trio.ClosedResourceError."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self.socket.fileno() < 0:
            raise trio.ClosedResourceError("this stream was closed")


def _waited(notes: Sequence[tuple[int, int, bytes]]) -> float:
    """The seconds for which the kernel had the bytes; 0 where it doesn't say."""
    for level, kind, data in notes:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) == _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack(data)
            waited = time.time() - seconds - nanoseconds / 1e9
            return waited if 0.0 <= waited <= _OLDEST else 0.0
    return 0.0
