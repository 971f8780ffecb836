"""Serving links to whoever comes: limits before trust, and no peer can harm another (spec/03-links.md 3.6).

Promises: handshakes under way, links in all, links of strangers and links of one peer are bounded, and idle peers are
let go; a peer that sends anything wrong loses its connection, a counter rises, and the server goes on. A place follows
from the identity that a peer proved (`places.py`), the right to prove one from where it comes (`doorstep.py`): however
many strangers come, and whatever they say that they are, members come in. A peer that comes again replaces its oldest
link, which may have died unnoticed. Never: an answer to a refused peer, or its address anywhere but in these two
objects, while it is connected.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

import trio

from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link.connect import HANDSHAKE_TIMEOUT, HandshakeTimeout, accept_untrusted
from mixnet.link.doorstep import Doorstep, KnockLimits
from mixnet.link.handshake import Judge, Role, WrongPeer
from mixnet.link.pace import HandshakePace
from mixnet.link.places import Acquaintances, Places, Room, Standing
from mixnet.link.stream import Link
from mixnet.link.tls import TlsIdentity
from mixnet.network import Address, Network, origin_of

Handler = Callable[[Link], Awaitable[None]]
Accept = Callable[[trio.abc.Stream], Awaitable[Link]]


class LinkEvent(StrEnum):
    """The labels that a server of links counts."""

    ACCEPTED = "link_accepted"
    FULL = "link_refused_full"  # no place for such a peer
    BUSY = "link_refused_busy"  # too many handshakes: this one does not begin, or an older one is given up
    DISPLACED = "link_displaced"  # its place went to somebody with a better right to it
    HANDSHAKE_TIMEOUT = "link_handshake_timeout"
    HANDSHAKE_FAILED = "link_handshake_failed"
    NOT_ADMITTED = "link_not_admitted"
    REPLACED = "link_replaced"
    HOSTILE = "link_hostile"  # a RemoteError after the handshake


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """What a server grants: numbers of connections, and seconds."""

    connections: int = 1024
    reserved: int = 0  # of them, for peers that are no strangers
    per_peer: int = 2
    turnover: bool = False  # whether the newest stranger takes the place of the oldest: for links that are soon over
    knocks: KnockLimits = field(default_factory=KnockLimits)
    handshake_timeout: float = HANDSHAKE_TIMEOUT
    idle_timeout: float = 120.0
    stranger_lifetime: float = math.inf


async def serve_links(
    network: Network,
    address: Address,
    handler: Handler,
    *,
    identity: SigningKey,
    role: Role,
    network_id: bytes,
    admit: Judge,
    limits: LinkLimits | None = None,
    known: Acquaintances | None = None,
    count: Callable[[LinkEvent], None] = lambda _event: None,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen at `address` and run `handler` for each link that is admitted, until cancelled.

    Started with the address, its port chosen if 0 was asked for. To a server that is not told whom it knows all are
    strangers. The link closes when its handler returns, or raises RemoteError (which counts), trio.EndOfChannel or
    Unavailable; a handler's other errors end the server. Unavailable if the address can't be listened at.
    """
    limits = limits or LinkLimits()
    accept = partial(
        accept_untrusted,
        identity=TlsIdentity(identity),
        role=role,
        network_id=network_id,
        admit=admit,
        pace=HandshakePace(),
        timeout=limits.handshake_timeout,
    )
    server = _Server(accept, handler, limits, known or Acquaintances(), count)
    listener = await network.listen(address)
    async with listener, trio.open_nursery() as nursery:
        task_status.started(listener.address)
        while True:
            stream = await listener.accept()
            visitor = server.let_knock(stream)
            if visitor is None:
                await trio.aclose_forcefully(stream)
            else:
                nursery.start_soon(server.serve_stream, visitor)


@dataclass(frozen=True, slots=True, eq=False)
class _Visitor:
    """A connection whose handshake is under way."""

    stream: trio.abc.Stream
    origin: str
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class _Server:
    """The links of one listener."""

    def __init__(
        self,
        accept: Accept,
        handler: Handler,
        limits: LinkLimits,
        known: Acquaintances,
        count: Callable[[LinkEvent], None],
    ) -> None:
        self._accept = accept
        self._handler = handler
        self._limits = limits
        self._known = known
        self._count = count
        self._doorstep: Doorstep[_Visitor] = Doorstep(limits.knocks, trio.current_time())
        self._places: Places[Link] = Places(
            Room(limits.connections, limits.reserved, limits.per_peer, limits.turnover), known.standing
        )

    def let_knock(self, stream: trio.abc.Stream) -> _Visitor | None:
        """Whoever begins a handshake on `stream`; None, and count, if too many of its kind have begun one."""
        visitor = _Visitor(stream, origin_of(stream))
        knock = self._doorstep.knock(
            visitor, visitor.origin, trio.current_time(), familiar=self._known.familiar(visitor.origin)
        )
        if not knock.admitted or knock.displaced is not None:
            self._count(LinkEvent.BUSY)
        if knock.displaced is not None:
            knock.displaced.scope.cancel()
        return visitor if knock.admitted else None

    async def serve_stream(self, visitor: _Visitor) -> None:
        """The whole life of one connection."""
        link = None
        with visitor.scope:
            link = await self._shake_hands(visitor.stream)
        self._doorstep.leave(visitor)
        if link is not None:
            async with link:
                await self._serve_link(link, visitor.origin)

    async def _shake_hands(self, stream: trio.abc.Stream) -> Link | None:
        try:
            return await self._accept(stream)
        except HandshakeTimeout:
            self._count(LinkEvent.HANDSHAKE_TIMEOUT)
        except WrongPeer:
            self._count(LinkEvent.NOT_ADMITTED)
        except RemoteError:
            self._count(LinkEvent.HANDSHAKE_FAILED)
        return None

    async def _serve_link(self, link: Link, origin: str) -> None:
        standing = self._known.standing(link.peer.identity)
        entry = self._places.enter(link, link.peer.identity, origin)
        if not entry.admitted:
            self._count(LinkEvent.FULL)
            return
        if standing is not Standing.STRANGER:
            self._doorstep.expect(origin, link.peer.identity)
        self._count(LinkEvent.ACCEPTED)
        lifetime = self._limits.stranger_lifetime if standing is Standing.STRANGER else math.inf
        try:
            await self._close(entry.replaced, LinkEvent.REPLACED)
            await self._close(entry.displaced, LinkEvent.DISPLACED)
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.deadline = trio.current_time() + lifetime
                nursery.start_soon(link.end_after_silence, self._limits.idle_timeout)
                await self._handler(link)
                nursery.cancel_scope.cancel()
        except* RemoteError:
            self._count(LinkEvent.HOSTILE)
        except* (Unavailable, trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer is gone, which is its right
        finally:
            self._places.leave(link)

    async def _close(self, links: Sequence[Link], why: LinkEvent) -> None:
        """Close links that have lost their places."""
        for link in links:
            self._count(why)
            await link.aclose()
