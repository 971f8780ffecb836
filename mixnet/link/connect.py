"""Opening links: who dials and who accepts, and their handshake (spec/03-links.md 3.4).

Promises: a link is returned only when both sides proved who they are and accepted each other, within the time given;
otherwise the stream is closed. The initiator never shows its identity to a peer that it did not expect.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from mixnet.crypto import SigningKey, equal
from mixnet.errors import Unavailable
from mixnet.link.frames import Frame, FrameReader
from mixnet.link.handshake import Handshake, HandshakeRefused, HandshakeSide, Judge, Role
from mixnet.link.pace import HandshakePace
from mixnet.link.stream import READ_SIZE, Link
from mixnet.link.tls import TlsIdentity, TlsSession
from mixnet.network import Address, Network
from mixnet.tcp_stream import TcpStream

HANDSHAKE_TIMEOUT = 10.0  # seconds


class HandshakeTimeout(HandshakeRefused):
    """The peer took too long for its handshake."""


async def connect(
    network: Network,
    address: Address,
    *,
    identity: SigningKey | TlsIdentity,
    role: Role,
    network_id: bytes,
    expect: bytes | Callable[[bytes], bool],
    source: str | None = None,
    claim: bytes = b"",
    timeout: float = HANDSHAKE_TIMEOUT,  # noqa: ASYNC109 -- it ends in Unavailable, as all that can't be reached does
) -> Link:
    """A link to the peer at `address` whose identity is `expect`, or satisfies it; `claim` as `Peer` has it.

    Unavailable if nobody answers within `timeout` seconds, or the peer ends the connection; RemoteError if it is not
    the expected peer, which then has not seen our identity.
    """
    session = _tls(identity).session(HandshakeSide.INITIATOR, _pin(expect))
    # The peer's role is whatever its identity, which is pinned, says that it is.
    handshake = Handshake(
        HandshakeSide.INITIATOR, role=role, network_id=network_id, judge=lambda _identity, _role: True, claim=claim
    )
    with trio.move_on_after(timeout):
        stream = await network.dial(address, source=source)
        try:
            return await _establish_untrusted(stream, session, handshake, HandshakePace())
        except trio.EndOfChannel:
            raise Unavailable(f"{address} ended the connection during the handshake") from None
    raise Unavailable(f"{address} took too long for its handshake")


async def accept_untrusted(
    stream: trio.abc.Stream,
    *,
    identity: SigningKey | TlsIdentity,
    role: Role,
    network_id: bytes,
    admit: Judge,
    pace: HandshakePace | None = None,
    timeout: float = HANDSHAKE_TIMEOUT,  # noqa: ASYNC109 -- it ends in a RemoteError, as all else that a peer does wrong
) -> Link:
    """The link that a peer opens on `stream`; RemoteError if that fails within `timeout` seconds.

    `admit` judges the peer's identity and role before anything but the TLS handshake is sent to it; `pace` is the
    server's, which all its handshakes share.
    """
    session = _tls(identity).session(HandshakeSide.RESPONDER, lambda _identity: True)
    handshake = Handshake(HandshakeSide.RESPONDER, role=role, network_id=network_id, judge=admit)
    with trio.move_on_after(timeout):
        try:
            return await _establish_untrusted(stream, session, handshake, pace or HandshakePace())
        except trio.EndOfChannel:
            raise HandshakeRefused from None
    raise HandshakeTimeout


def _tls(identity: SigningKey | TlsIdentity) -> TlsIdentity:
    return identity if isinstance(identity, TlsIdentity) else TlsIdentity(identity)


def _pin(expect: bytes | Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    return expect if callable(expect) else lambda identity: equal(identity, expect)


async def _establish_untrusted(
    stream: trio.abc.Stream, session: TlsSession, handshake: Handshake, pace: HandshakePace
) -> Link:
    """Drive both machines over the stream: RemoteError, or EndOfChannel at its end; it is closed on any failure."""
    reader = FrameReader()
    try:
        while not await pace.step(session.handshake_untrusted):
            await _send(stream, session.take())
            session.put_untrusted(await _receive(stream, session.missing))
        outgoing = session.take()
        outgoing += _sealed(session, handshake.secured_untrusted(session.identity, session.version, session.group))
        while not (frames := reader.read_untrusted(session.open_untrusted())):
            await _send(stream, outgoing)
            outgoing = b""
            session.put_untrusted(await _receive(stream, session.missing))
        await _send(stream, outgoing + _sealed(session, handshake.greeted_untrusted(frames[0])))
        return Link(stream, session, handshake.peer, reader, frames[1:])
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        await trio.aclose_forcefully(stream)
        raise trio.EndOfChannel from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


def _sealed(session: TlsSession, frames: list[Frame]) -> bytes:
    return session.seal_untrusted(b"".join(frame.encode() for frame in frames)) if frames else b""


async def _send(stream: trio.abc.Stream, data: bytes) -> None:
    if data:
        await stream.send_all(data)


async def _receive(stream: trio.abc.Stream, least: int) -> bytes:
    if isinstance(stream, TcpStream):
        stream.wait_for(least)
    data = await stream.receive_some(READ_SIZE)
    if not data:
        raise trio.EndOfChannel
    return bytes(data)
