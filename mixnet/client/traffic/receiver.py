"""Receives packets: peels them, tells their kind, hands messages on, acknowledges the mail (spec/04-mixing.md 4.5).

Promises: mail is taken in the order in which it came; the provider is told that a packet arrived only after all that it
changed is stored; a packet that is malformed, foreign or a copy changes nothing but a counter. Work is put off while a
slot is about to come. Never: a wait in `offer`; what the queue can't take ends the link, and comes again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import trio

from mixnet.client.arq.fragments import PlaintextKind
from mixnet.client.concurrency.worker import Worker
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.errors import StoreUnavailable
from mixnet.client.model.views import Event
from mixnet.client.storage.database import is_of_store
from mixnet.client.storage.reply_blocks import UnknownBlock
from mixnet.client.traffic.loops import LoopMonitor
from mixnet.client.traffic.provider_link import Overrun
from mixnet.client.traffic.provider_queries import ProviderQueries
from mixnet.client.traffic.schedule import Schedule, quiet_passed
from mixnet.client.traffic.surb_table import ReplyTable
from mixnet.clock import Clock
from mixnet.crypto import SphinxSecret
from mixnet.errors import RemoteError
from mixnet.sphinx import Deliver, Engine, Reply

QUEUE_LIMIT = 4096  # packets, 12 MiB
RETRY = 2.0  # seconds after the store could not be written
Done = Callable[[], None]
_LOOP = bytes([PlaintextKind.LOOP])


class ReceivedMessage(NamedTuple):
    """A plaintext, and who reads it."""

    kind: str
    message: bytes
    read_untrusted: Callable[[bytes, float], list[Event]]


@dataclass(kw_only=True, eq=False, repr=False)
class PacketReceiver:
    """Deals with the packets of one mailbox, one after the other. `publish` gets what happened, after it is stored."""

    secret: SphinxSecret
    engine: Engine
    messenger: Messenger
    worker: Worker
    replies: ReplyTable
    loops: LoopMonitor
    provider_queries: ProviderQueries
    clock: Clock
    schedules: Sequence[Schedule]
    publish: Callable[[list[Event]], None]
    _working: bool = field(init=False, default=False)
    counts: Counter[str] = field(init=False, default_factory=Counter)
    problem: str = field(init=False, default="")
    faults: int = field(init=False, default=0)  # of what was refused, for errors that are faults of this program

    def __post_init__(self) -> None:
        self._in, self._out = trio.open_memory_channel[tuple[bytes, Done]](QUEUE_LIMIT)

    @property
    def idle(self) -> bool:
        """Whether all that came is dealt with."""
        return not self._working and self._out.statistics().current_buffer_used == 0

    def offer(self, packet: bytes, done: Done) -> None:
        """Take a packet of 3,072 bytes; `done` is called once it is dealt with. Overrun if too many wait."""
        try:
            self._in.send_nowait((packet, done))
        except trio.WouldBlock:
            raise Overrun from None

    async def take_packets(self) -> None:
        """Deal with all that is offered, for ever."""
        async for packet, done in self._out:
            self._working = True
            try:
                await quiet_passed(self.schedules)
                await self._take(packet)
                done()
            finally:
                self._working = False

    async def _take(self, packet: bytes) -> None:
        """Deal with one packet, however often the store has to be tried."""
        try:
            received = self._open_untrusted(packet)
            events = await self._keep_trying(received) if received else []
        except UnknownBlock:  # used before, too old, or of a time before a restart
            self.counts["stale"] += 1
            events = []
        except Exception as error:
            if is_of_store(error):
                raise
            self.counts["refused"] += 1
            self.faults += not isinstance(error, RemoteError)
            events = []
        self.publish(events)

    async def _keep_trying(self, received: ReceivedMessage) -> list[Event]:
        """Hand it to the messenger until it is stored. While the disk is full, all the rest stays with the provider."""
        while True:
            try:
                events = await self.worker.call(received.read_untrusted, received.message, self.clock.now())
            except StoreUnavailable as error:
                self.problem = str(error)
                await trio.sleep(RETRY)
            else:
                self.problem = ""
                self.counts[received.kind] += 1
                return events

    def _open_untrusted(self, packet: bytes) -> ReceivedMessage | None:
        """What the messenger must read, if it is more than cover; RemoteError if it is malformed or foreign."""
        match self.engine.peel_untrusted(self.secret, packet):
            case Deliver(message) if message[:1] == _LOOP:
                self.counts["loop" if self.loops.on_returned(message[1:], trio.current_time()) else "stale"] += 1
                return None
            case Deliver(message):
                return ReceivedMessage("message", message, self.messenger.delivered_untrusted)
            case Reply(surb_id, body):
                awaited = self.replies.take(surb_id)
                if awaited is None:  # the store knows those that outlive a restart
                    return ReceivedMessage("message", surb_id + body, self.messenger.came_back_untrusted)
                message = self.engine.open_reply_untrusted(awaited.keys, body)
                if awaited.session is None:  # one that a question carried
                    self.counts[
                        "answer" if self.provider_queries.answered_untrusted(surb_id, message) else "stale"
                    ] += 1
                    return None
                read = partial(self.messenger.replied_untrusted, session=awaited.session)
                return ReceivedMessage("acknowledgement", message, read)
            case _:
                raise RemoteError("a packet that is for no client")
