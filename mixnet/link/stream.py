"""A link: frames between two peers that know each other, over any stream of Trio (spec/03-links.md 3.3).

Promises: what is sent in one call leaves in one write; at most one task's frames are sealed at a time; a link on which
a write was cut short is closed, never continued. A link that ends, however it ends, is one event: `trio.EndOfChannel`
for its receiver, `Unavailable` for its sender. Never: an error message to the peer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import trio

from mixnet.errors import LocalError, RemoteError, Unavailable
from mixnet.link.frames import FRAME_SIZE, Frame, FrameReader
from mixnet.link.handshake import Peer
from mixnet.link.tls import TlsSession
from mixnet.network import origin_of
from mixnet.tcp_stream import TcpStream

SEND_TIMEOUT = 60.0  # seconds in which a peer must take what is sent to it
READ_SIZE = 65536  # bytes that one receive takes from the stream


class LinkLost(Unavailable):
    """The link to a peer is gone: connect again."""


class Link(trio.abc.AsyncResource):
    """Frames to and from `peer`. Any task may send; one task at a time receives.

    `arrived` is when the last of the frames that `receive` gave came, before any work on them: Trio's seconds.
    """

    peer: Peer
    arrived: float

    def __init__(
        self, stream: trio.abc.Stream, session: TlsSession, peer: Peer, reader: FrameReader, early: list[Frame]
    ) -> None:
        """Take over a stream whose handshake is done, and the frames that came with its end.

        `connect` and `accept_untrusted` make links.
        """
        self.peer = peer
        self._stream = stream
        self._tcp = stream if isinstance(stream, TcpStream) else None
        self._session = session
        self._reader = reader
        self._early = early
        self.arrived = self._heard = trio.current_time()
        self._sending = trio.Lock()
        self._rest = b""  # sealed, and not yet taken by the stream
        self._usable = True

    @property
    def origin(self) -> str:
        """Where the peer of an accepted link is, as far as its part of a server goes (`mixnet.network.origin`)."""
        return origin_of(self._stream)

    async def end_after_silence(self, seconds: float) -> None:
        """End the link once no frame has come for `seconds`: a task beside the receiver, which spares it a deadline."""
        while (left := self._heard + seconds - trio.current_time()) > 0:  # noqa: ASYNC110 -- it moves on with every frame
            await trio.sleep(left)
        await self.aclose()

    async def send(self, frames: Sequence[Frame]) -> None:
        """Send frames in one write; Unavailable if the link is gone, or the peer takes nothing for a minute.

        If it is cancelled while frames are under way, the link is closed. RemoteError if the peer broke TLS.
        """
        await self.send_bytes([frame.encode() for frame in frames])

    def send_at_once(self, frames: Sequence[bytes]) -> bool:
        """Send encoded frames without letting others run, if the stream takes them and nobody is sending.

        False if nothing was sent: use `send_bytes`, which also says why. If the stream took a part only, `unfinished`
        is set until the next `send_bytes`, be it of nothing, which sends the rest first.
        """
        if self._tcp is None or self._rest or self._sending.locked() or not self._usable:
            return False
        try:
            sealed = self._session.seal_untrusted(b"".join(frames))
            self._rest = sealed[self._tcp.send_now(sealed) :]
        except (RemoteError, trio.BrokenResourceError, trio.ClosedResourceError):
            self._usable = False
            return False
        return True

    @property
    def unfinished(self) -> bool:
        """Whether frames that were sent at once are still under way to the stream."""
        return bool(self._rest)

    async def send_bytes(self, frames: Sequence[bytes]) -> None:
        """Send frames that are encoded already, in one write, as `send` does."""
        plaintext = b"".join(frames)
        if len(plaintext) != FRAME_SIZE * len(frames):
            raise LocalError(f"a frame has {FRAME_SIZE} bytes")
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._sending.acquire_nowait()  # a lock that is free needn't be a checkpoint
        except trio.WouldBlock:
            await self._sending.acquire()
        try:
            if not self._usable:
                raise LinkLost
            if plaintext or self._rest:
                sealed = self._session.seal_untrusted(plaintext)
                rest, self._rest = self._rest, b""
                await self._write(rest + sealed)
            else:
                await trio.lowlevel.checkpoint()
        finally:
            self._sending.release()

    async def receive(self) -> list[Frame]:
        """The frames that came, at least one. RemoteError for hostile bytes; trio.EndOfChannel at any end."""
        frames, self._early = self._early, []
        if frames:
            await trio.lowlevel.checkpoint()
        while not frames:
            data = await self._read()
            if not data:
                await self.aclose()
                raise trio.EndOfChannel("the link is gone")
            try:
                self._session.put_untrusted(data)
                frames = self._reader.read_untrusted(self._session.open_untrusted())
            except RemoteError:
                await self.aclose()
                raise
        self._heard = self.arrived
        return frames

    async def aclose(self) -> None:
        """Close the link at once, without a word; frames that were sent before still travel."""
        self._usable = False
        await self._stream.aclose()

    async def _read(self) -> bytes:
        """What comes next; empty at the stream's end, however it ends."""
        data: bytes | bytearray = b""
        if self._tcp is not None:
            self._tcp.wait_for(self._session.missing)
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            data = await self._stream.receive_some(READ_SIZE)
        self.arrived = trio.current_time() if self._tcp is None else self._tcp.arrived
        return bytes(data)

    async def _write(self, sealed: bytes) -> None:
        """Give all of `sealed` to the stream, or close it: half a record can't be continued."""
        done = False
        try:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                taken = 0 if self._tcp is None else self._tcp.send_now(sealed)
                if taken < len(sealed):
                    with trio.move_on_after(SEND_TIMEOUT):
                        await self._stream.send_all(sealed[taken:])
                        done = True
                else:
                    done = True
        finally:
            if not done:
                self._usable = False
                await trio.aclose_forcefully(self._stream)
        if not done:
            raise LinkLost
