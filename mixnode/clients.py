"""One client's connection to its provider (spec/06-providers.md 6.2 and 6.3).

Promises: a client may send packets that are to be forwarded, dummies and requests, at the network's rates, and nothing
else; its down-link runs on a Poisson schedule from a random stream of its own, which neither its mail nor its requests
can shift. Mail is deleted when the client acknowledges it. Never: a time, an address or a count of one client anywhere.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import msgspec
import trio

from mixnet.bucket import TokenBuckets
from mixnet.counters import Counters, Dropped, Event
from mixnet.errors import RemoteError
from mixnet.link import Assembler, Frame, FrameKind, Link, Role, split
from mixnet.pki.parameters import Parameters
from mixnet.pki.requests import AskDocument, DocumentAnswer, encode
from mixnode.arrival import Arrived, Entrance, Sender
from mixnode.downlink import Downlink
from mixnode.mailboxes import Account, Acknowledge, Erase, Inspect, Load, Loaded, Open, Operation
from mixnode.members import Members
from mixnode.schedule import PoissonSchedule
from mixnode.storage import MailboxStorage

REQUEST_LIMIT = 1024  # bytes
HEADROOM = 1.5  # how much above the network's rates a client may send
FLOOD_PAUSE = 0.1  # seconds for which a client far above its rates is not read: TCP then slows it down, not us
# Tokens that a packet costs which no key opens. Not above the headroom: reply blocks of contacts, which it can't check,
# can make a client send garbage in all of its slots, and it must lose nothing by that.
GARBAGE = HEADROOM
ERASURE_RATE, ERASURE_BURST = 1 / 60, 5  # of one mailbox: a second, and at once
ERASED = b"erased"


class EraseRequest(msgspec.Struct, frozen=True, tag_field="op", tag="erase", forbid_unknown_fields=True):
    """The client wants its mailbox and all that it holds deleted; with `again`, and registered anew in that moment."""

    again: bool = False


class AccountRequest(msgspec.Struct, frozen=True, tag_field="op", tag="account", forbid_unknown_fields=True):
    """The client wants to know what is kept of its mailbox."""


Request = AskDocument | EraseRequest | AccountRequest
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)


@dataclass(frozen=True)
class SessionContext:
    """What a provider shares with the sessions of its clients."""

    storage: MailboxStorage
    arrived: Entrance
    members: Members
    counters: Counters
    allowances: TokenBuckets[bytes]  # of frames, by mailbox: to connect again gives nothing
    erasures: TokenBuckets[bytes]


class ClientSession:
    """The connection of the client whose mailbox is `mailbox` (32 bytes)."""

    def __init__(self, mailbox: bytes, around: SessionContext, claim: bytes) -> None:
        """`claim` says of several copies of the client which one this is."""
        self.mailbox, self._claim = mailbox, claim
        self.scope = trio.CancelScope()
        self.erased = False
        self._around = around
        self._downlink = Downlink()
        self._through: int | None = None  # the number of the newest packet to delete
        self._work = trio.Event()
        self._erasing: int | None = None  # the last request for the erasure under way: answered when nothing is left
        self._sender = Sender(Role.CLIENT, self._pay_for_garbage)

    def offer(self, number: int, packet: bytes) -> None:
        """A packet was stored in the mailbox just now."""
        self._downlink.offer(number, packet)
        self._nudge()

    async def run(self, link: Link, stream: random.Random) -> None:
        """Serve the link until it ends; `stream` gives the times of the down-link."""
        with self.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_down, link, stream)
                nursery.start_soon(self._keep)
                await self._receive(link, nursery)

    def _pay_for_garbage(self, number: int) -> None:
        """Packets that no key opens cost more than others, since all keys are tried."""
        self._around.allowances.charge(self.mailbox, number * (GARBAGE - 1))

    async def _send_down(self, link: Link, stream: random.Random) -> None:
        """One frame a slot, prepared before it."""
        schedule = PoissonSchedule(stream, trio.current_time())
        counters = self._around.counters
        while True:
            self._downlink.prepare()
            self._nudge()
            slot, skipped = schedule.next(self._around.members.parameters.downlink_rate, trio.current_time())
            counters.add(Event.SLOTS_SKIPPED, skipped)
            await trio.sleep_until(slot)
            kind, frame = self._downlink.take()
            await link.send_bytes([frame])
            counters.add(_SENT.get(kind, Event.DUMMIES_OUT))

    async def _receive(self, link: Link, nursery: trio.Nursery) -> None:
        """Take the client's frames as far as it may send them; RemoteError for what a client may not send."""
        members, counters = self._around.members, self._around.counters
        allowances = self._around.allowances
        assembler = Assembler(limit=REQUEST_LIMIT, streams=1)
        while True:
            frames = await link.receive()
            now = link.arrived
            allowances.adapt(*allowance(members.parameters))
            passing = frames[: allowances.take(self.mailbox, len(frames), now)]
            counters.drop(Dropped.RATE_LIMIT, len(frames) - len(passing))
            packets = [Arrived(frame.body, now, self._sender) for frame in passing if frame.kind is FrameKind.PACKET]
            counters.add(Event.PACKETS_IN, len(packets))
            self._around.arrived.put(packets)
            for frame in passing:
                self._acknowledge_untrusted(frame.acknowledged)
                if frame.kind is FrameKind.REQUEST:
                    await self._request_untrusted(assembler, frame, nursery)
                elif frame.kind is FrameKind.PAD:
                    counters.add(Event.DUMMIES_IN)
                elif frame.kind is not FrameKind.PACKET:
                    raise RemoteError("a frame that no client may send")
            if not passing:
                await trio.sleep(FLOOD_PAUSE)

    def _acknowledge_untrusted(self, sequence: int) -> None:
        through = self._downlink.acknowledged_untrusted(sequence)
        if through is not None:
            self._through = through
            self._work.set()

    async def _request_untrusted(self, assembler: Assembler, frame: Frame, nursery: trio.Nursery) -> None:
        """Answer a request once it is whole, in the slots of the down-link."""
        complete = assembler.feed_untrusted(frame)
        if complete is None:
            return
        number, message = complete
        try:
            request = _REQUESTS.decode(message)
        except (ValueError, RecursionError):
            raise RemoteError("a request of an unknown kind") from None
        if self._erasing is not None and isinstance(request, EraseRequest) and request.again != self.erased:
            self._erasing = number  # asked again, since it takes long
            return
        if self._downlink.answering or self._erasing is not None:
            self._around.counters.drop(Dropped.REQUEST)
            return
        self._around.counters.add(Event.REQUESTS)
        match request:
            case AskDocument(epoch):
                self._answer(number, encode(DocumentAnswer(self._around.members.raw(epoch))))
            case EraseRequest(again):
                if self._around.erasures.take(self.mailbox, 1, trio.current_time()):
                    self._erasing = number
                    await self._erase(again=again)
                    nursery.start_soon(self._answer_when_erased)
                else:
                    self._around.counters.drop(Dropped.REQUEST)
            case AccountRequest():
                (found,) = await self._around.storage.perform([Inspect(self.mailbox)])
                self._answer(number, msgspec.msgpack.encode(_told(found) if isinstance(found, Account) else None))

    def _answer(self, number: int, answer: bytes) -> None:
        self._downlink.answer(split(answer, FrameKind.RESPONSE, number))

    async def _erase(self, *, again: bool) -> None:
        """Delete the mailbox; it comes back empty in the same transaction, with this link, or with the next one."""
        self.erased, self._through = not again, None
        self._downlink.forget()
        await self._around.storage.perform([Erase(self.mailbox), *([Open(self.mailbox, self._claim)] if again else [])])
        if again:
            self._downlink.resume()
            self._nudge()

    async def _answer_when_erased(self) -> None:
        """What was in the mailbox is on nobody's way any more; the client is told once it is off the disk, too."""
        await self._around.storage.cleaned(self.mailbox)
        number, self._erasing = self._erasing, None
        if number is not None:
            self._answer(number, ERASED)

    async def _keep(self) -> None:
        """Delete what was acknowledged and load what is to be sent, one transaction at a time."""
        while True:
            operations: list[Operation] = []
            if self._through is not None:
                operations.append(Acknowledge(self.mailbox, self._through))
                self._through = None
            wanted = self._downlink.wanted()
            if wanted is not None:
                operations.append(Load(self.mailbox, *wanted))
            if not operations:
                await self._work.wait()
                self._work = trio.Event()
                continue
            for result in await self._around.storage.perform(operations):
                if isinstance(result, Loaded) and wanted is not None:
                    self._downlink.loaded(result.packets, wanted[1])

    def _nudge(self) -> None:
        if self._downlink.hungry:
            self._work.set()


def allowance(parameters: Parameters) -> tuple[float, float]:
    """(frames a second, frames at once) that a client may send."""
    return parameters.send_rate * HEADROOM, parameters.client_burst


def _told(kept: Account) -> dict[str, float | None]:
    """The answer to AskAccount."""
    return {"packets": kept.packets, "bytes": kept.size, "expires": kept.expires, "next_expiry": kept.next_expiry}


_SENT = {FrameKind.MAIL: Event.PACKETS_FETCHED, FrameKind.RESPONSE: Event.PACKETS_OUT}
