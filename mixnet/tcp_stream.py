"""A connected TCP socket with the fewest turns of the scheduler (SPEC.md section 3).

Promises: a stream as Trio's are, but for two things. What the kernel takes at once is sent without letting other tasks
run, and waiting comes before reading instead of after a failed attempt: a packet's way through a node has two turns of
the scheduler and one system call less. A receiver waits in every call, so whoever reads in a loop lets others run.
Never: one call of a kind while another of its kind is under way; links see to that.
"""

from __future__ import annotations

import socket

import trio


class TcpStream(trio.abc.Stream):
    """Bytes to and from a peer; takes over a connected socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        """Take over the socket of `stream`, which is of no use afterwards."""
        self.socket = socket.socket(fileno=stream.socket.detach())
        self.socket.setblocking(False)

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
                return self.socket.recv(max_bytes or 65536)
            except BlockingIOError:
                continue
            except OSError as error:
                self._check_open()
                raise trio.BrokenResourceError("the peer is gone") from error

    async def aclose(self) -> None:
        """Close the socket; who still waits for it gets trio.ClosedResourceError."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self.socket.fileno() < 0:
            raise trio.ClosedResourceError("this stream was closed")
