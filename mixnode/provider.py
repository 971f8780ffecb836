"""A provider: stores packets in mailboxes and serves the clients that own them (spec/06-providers.md 6.1).

Promises: a packet for a mailbox counts as accepted when it is committed; a client reaches its own mailbox only, the one
whose name is the identity that its link proved; a client that comes again replaces its old connection,
unless a copy of it that was restored later has its mailbox now: then it is told so.
Never: anything about a client in a log, or kept after it left, but the mailbox itself and, until its allowance is full
again, how much of that is left.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import trio

from mixnet.bucket import TokenBuckets
from mixnet.counters import Counters, Dropped, Event
from mixnet.errors import Unavailable
from mixnet.link import Frame, FrameKind, Link
from mixnet.randomness import Source
from mixnet.sphinx import Mailbox
from mixnode.arrival import Entrance
from mixnode.clients import ERASURE_BURST, ERASURE_RATE, ClientSession, SessionContext, allowance
from mixnode.mailboxes import GRAINS, Applied, Full, Moved, Open, StoredPacket, StorePacket, Sweep, Unknown
from mixnode.members import Members
from mixnode.storage import MailboxStorage

OPENED_AT_ONCE = 64  # mailboxes in one transaction
NEWCOMER_RATE, NEWCOMER_BURST = 0.05, 2048  # mailboxes that are registered from one origin: a second, and at once
LONGEST_SWEEP = 600.0  # seconds between deletions of what is too old


class Provider:
    """The clients of a provider and their mail."""

    def __init__(
        self, storage: MailboxStorage, arrived: Entrance, members: Members, rng: Source, counters: Counters
    ) -> None:
        """Packets of clients go into the queue `arrived`; each down-link's times come from a stream of `rng`."""
        now = trio.current_time()
        self._around = SessionContext(
            storage,
            arrived,
            members,
            counters,
            TokenBuckets(*allowance(members.parameters), now),
            TokenBuckets(ERASURE_RATE, ERASURE_BURST, now),
        )
        self._rng = rng
        # By origin, so that nobody alone takes all mailboxes with identities, which cost nothing.
        self._newcomers: TokenBuckets[str] = TokenBuckets(NEWCOMER_RATE, NEWCOMER_BURST, now)
        self._sessions: dict[bytes, ClientSession] = {}
        # A stream lives as long as its mailbox: a client that comes again must not see the same times again.
        self._streams: dict[bytes, random.Random] = {}

    async def deposit(self, packets: Sequence[Mailbox]) -> None:
        """Store packets, durably; those that can't be stored are dropped and counted."""
        counters = self._around.counters
        try:
            results = await self._around.storage.perform([StorePacket(one.mailbox, one.packet) for one in packets])
        except Unavailable:
            counters.drop(Dropped.MAILBOX_STORE, len(packets))
            return
        for packet, result in zip(packets, results, strict=True):
            match result:
                case StoredPacket(number):
                    counters.add(Event.PACKETS_STORED)
                    if packet.mailbox in self._sessions:
                        self._sessions[packet.mailbox].offer(number, packet.packet)
                case Unknown():
                    counters.drop(Dropped.UNKNOWN_MAILBOX)
                case _:
                    counters.drop(Dropped.MAILBOX_FULL)

    async def serve_client(self, link: Link) -> None:
        """Register the client's mailbox and serve its link until that ends."""
        mailbox = link.peer.identity
        if not self._around.storage.knows(mailbox) and not self._newcomers.take(link.origin, 1, trio.current_time()):
            self._around.counters.drop(Dropped.MAILBOX_LIMIT)
            return
        (opened,) = await self._around.storage.perform([Open(mailbox, link.peer.claim)])
        if isinstance(opened, Moved):
            await link.send([Frame(FrameKind.MOVED)])
            return
        if isinstance(opened, Full):
            self._around.counters.drop(Dropped.MAILBOX_LIMIT)
            return
        if mailbox in self._sessions:
            self._sessions[mailbox].scope.cancel()
        session = self._sessions[mailbox] = ClientSession(mailbox, self._around, link.peer.claim)
        stream = self._streams.setdefault(mailbox, self._rng.stream("downlink", mailbox.hex()))
        try:
            await session.run(link, stream)
        finally:
            if self._sessions.get(mailbox) is session:
                del self._sessions[mailbox]
            if session.erased:
                self._streams.pop(mailbox, None)

    async def sweep(self) -> None:
        """Delete what is too old, again and again; mailboxes in use stay."""
        while True:
            await trio.sleep(min(self._around.members.parameters.mailbox_age / GRAINS, LONGEST_SWEEP))
            in_use = [Open(mailbox) for mailbox, session in self._sessions.items() if not session.erased]
            try:
                for start in range(0, len(in_use), OPENED_AT_ONCE):
                    await self._around.storage.perform(in_use[start : start + OPENED_AT_ONCE])
                while await self._sweep_slice():
                    pass
            except Unavailable:
                self._around.counters.drop(Dropped.MAILBOX_STORE)

    async def _sweep_slice(self) -> bool:
        """Delete a part of what is too old; whether there is more. Raises Unavailable."""
        (swept,) = await self._around.storage.perform([Sweep()])
        if not isinstance(swept, Applied):
            return False
        self._around.counters.add(Event.PACKETS_EXPIRED, swept.packets)
        for mailbox in swept.mailboxes:
            self._streams.pop(mailbox, None)
        return swept.more
