"""Serving links to whoever comes: limits before trust, and no peer can harm another (spec/03-links.md 3.6).

Promises: handshakes under way, links in all, links of clients and links of one peer are bounded, and idle peers are let
go; a peer that sends anything wrong loses its connection, a counter rises, and the server goes on. Where handshakes are
too many, the oldest gives way: an honest one is over soon, so that who opens silent connections hinders only such.
However many clients come, the places that are reserved stay free of them, so that clients never crowd out nodes. A peer
that comes again replaces its oldest link, which may have died unnoticed. Never: an answer to a refused peer, or its
address in a counter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import trio

from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.link.connect import HANDSHAKE_TIMEOUT, HandshakeTimeout, accept_untrusted
from mixnet.link.handshake import Judge, Role, WrongPeer
from mixnet.link.stream import Link
from mixnet.link.tls import TlsIdentity
from mixnet.network import Address, Network

Handler = Callable[[Link], Awaitable[None]]
Accept = Callable[[trio.abc.Stream], Awaitable[Link]]


class LinkEvent(StrEnum):
    """The labels that a server of links counts."""

    ACCEPTED = "link_accepted"
    FULL = "link_refused_full"  # too many links, or too many of clients
    BUSY = "link_refused_busy"  # too many handshakes: the oldest is given up
    HANDSHAKE_TIMEOUT = "link_handshake_timeout"
    HANDSHAKE_FAILED = "link_handshake_failed"
    NOT_ADMITTED = "link_not_admitted"
    REPLACED = "link_replaced"
    HOSTILE = "link_hostile"  # a RemoteError after the handshake


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """What a server grants: numbers of connections, and seconds."""

    connections: int = 1024
    reserved: int = 0  # of them, for peers that are no clients
    handshakes: int = 64
    per_peer: int = 2
    handshake_timeout: float = HANDSHAKE_TIMEOUT
    idle_timeout: float = 120.0


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
    count: Callable[[LinkEvent], None] = lambda _event: None,
    task_status: trio.TaskStatus[Address] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen at `address` and run `handler` for each link that is admitted, until cancelled.

    Started with the address, its port chosen if 0 was asked for. The link closes when its handler returns, or raises
    RemoteError (which counts), trio.EndOfChannel or Unavailable; a handler's other errors end the server. Unavailable
    if the address can't be listened at.
    """
    limits = limits or LinkLimits()
    accept = partial(
        accept_untrusted,
        identity=TlsIdentity(identity),
        role=role,
        network_id=network_id,
        admit=admit,
        timeout=limits.handshake_timeout,
    )
    server = _Server(accept, handler, limits, count)
    listener = await network.listen(address)
    async with listener, trio.open_nursery() as nursery:
        task_status.started(listener.address)
        while True:
            stream = await listener.accept()
            handshake = server.make_room()
            if handshake is None:
                await trio.aclose_forcefully(stream)
            else:
                nursery.start_soon(server.serve_stream, stream, handshake)


class _Server:
    """The links of one listener."""

    def __init__(
        self, accept: Accept, handler: Handler, limits: LinkLimits, count: Callable[[LinkEvent], None]
    ) -> None:
        self._accept = accept
        self._handler = handler
        self._limits = limits
        self._count = count
        self._handshakes: dict[trio.CancelScope, None] = {}  # sets with an order: oldest first
        self._links: dict[Link, None] = {}

    def make_room(self) -> trio.CancelScope | None:
        """A scope for one connection's handshake; None, and count, if there is no room for another link."""
        if len(self._links) >= self._limits.connections:
            self._count(LinkEvent.FULL)
            return None
        if len(self._handshakes) >= self._limits.handshakes:
            self._count(LinkEvent.BUSY)
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
        handshake = trio.CancelScope()
        self._handshakes[handshake] = None
        return handshake

    async def serve_stream(self, stream: trio.abc.Stream, handshake: trio.CancelScope) -> None:
        """The whole life of one connection."""
        link = None
        with handshake:
            link = await self._shake_hands(stream)
        self._handshakes.pop(handshake, None)
        if link is not None:
            async with link:
                await self._serve_link(link)

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

    async def _serve_link(self, link: Link) -> None:
        older = [one for one in self._links if one.peer.identity == link.peer.identity]
        full = not self._has_room(link.peer.role)
        if full and not older:
            self._count(LinkEvent.FULL)
            return
        self._count(LinkEvent.ACCEPTED)
        self._links[link] = None
        try:
            surplus = len(older) + 1 - self._limits.per_peer
            await self._replace(older if full else older[: max(0, surplus)])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(link.end_after_silence, self._limits.idle_timeout)
                await self._handler(link)
                nursery.cancel_scope.cancel()
        except* RemoteError:
            self._count(LinkEvent.HOSTILE)
        except* (Unavailable, trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer is gone, which is its right
        finally:
            self._links.pop(link, None)

    def _has_room(self, role: Role) -> bool:
        """Whether one more link of this role fits."""
        limits = self._limits
        if role is not Role.CLIENT:
            return len(self._links) < limits.connections
        clients = sum(link.peer.role is Role.CLIENT for link in self._links)
        return clients < limits.connections - limits.reserved

    async def _replace(self, surplus: Sequence[Link]) -> None:
        """Close a peer's links for which there is no room beside its newest one."""
        for link in surplus:
            self._count(LinkEvent.REPLACED)
            self._links.pop(link, None)
            await link.aclose()
