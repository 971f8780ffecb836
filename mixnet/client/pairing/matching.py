"""Matching: two people who have each other's address find each other, and nobody learns their other entries.

See spec/07-client.md 7.13.

Promises: off until its user turns it on. An entry is looked for in a slot whose name, for one day, only those can
compute who have both addresses; the provider sees that name, never an address or who asks. Visits come at random times,
entry by entry, so many a day that neither entries nor what happens to them can be told from their number. Who has both
addresses may be somebody else: a contact found so is not verified. What is under way is stored before it is sent.
Never: an address in anything that leaves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from mixnet import crypto
from mixnet.client.concurrency.worker import Worker
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.address_entries import Entry, normal
from mixnet.client.model.errors import AlreadyContact, OwnInvitation, WrongCode
from mixnet.client.model.match_states import MatchState, MatchStatus
from mixnet.client.model.names import clean, free_for_user
from mixnet.client.model.views import ContactInfo, ContactState, Event
from mixnet.client.pairing.exchange import Exchange, Joined, Meeting, Offered, noise, reply_slot
from mixnet.client.pairing.matching_store import Answering, Look, MatchTable, Offering, Replying, Spoiled
from mixnet.client.pairing.rendezvous import Rendezvous
from mixnet.client.pairing.spake2 import require
from mixnet.client.storage.database import is_of_store
from mixnet.clock import Clock
from mixnet.crypto import Label, SymmetricKey
from mixnet.errors import Unavailable

DAY = 86_400.0
PAUSE = 30.0  # seconds between two visits, on average: 2,880 a day for all entries that are looked for
MET_PAUSE = 15.0  # and, beside them, for those that met somebody
SPOILED = "somebody answered who isn't them, or at the same time: trying again tomorrow"
Stretch = Callable[[bytes, bytes], SymmetricKey]


def meeting(network_id: bytes, secret: bytes) -> Meeting:
    """Where those meet who have a day's secret of a pair."""
    return Meeting(network_id, b"match", secret)


def day_secret(network_id: bytes, pair: tuple[str, str], day: int, stretch: Stretch) -> bytes:
    """32 bytes that follow from two addresses, in either order, for one day; as slow as `stretch` makes it."""
    names = [address.encode() for address in sorted(pair)]
    salt = crypto.digest(Label.MATCH, b"salt", network_id, day.to_bytes(4, "big"))[:16]
    return stretch(crypto.digest(Label.MATCH, b"pair", *names), salt).expose()


@dataclass(kw_only=True, eq=False, repr=False)
class Matching:
    """Looks for the entries of one profile. `look_regularly` must run.

    `hash_worker` is where `stretch` works, which takes a second or so: messages don't wait for it.
    """

    rendezvous: Rendezvous
    table: MatchTable
    messenger: Messenger
    worker: Worker
    hash_worker: Worker
    clock: Clock
    rng: random.Random
    network_id: bytes
    name: str
    publish: Callable[[list[Event]], None]
    stretch: Stretch = crypto.password_key
    _changed: trio.Event = field(init=False, default_factory=trio.Event)
    _visited: dict[str, float] = field(init=False, default_factory=dict)
    _busy: trio.Lock = field(init=False, default_factory=trio.Lock)  # one of the two tasks visits an entry at a time

    # what users ask for

    async def start(self, me: str, entries: Iterable[Entry]) -> MatchStatus:
        """Look for these entries, for somebody whose own address is `me`; BadAddress, CodesMissing."""
        require()
        await self.worker.call(
            self.table.begin, normal(me), [Entry(normal(entry.address), entry.label) for entry in entries]
        )
        self._wake()
        return await self.status()

    async def stop(self) -> None:
        """Look for nobody, and forget all entries; contacts that were found stay."""
        await self.worker.call(self.table.end)
        self._visited.clear()

    async def status(self) -> MatchStatus:
        """What there is to know."""
        return await self.worker.call(self._status)

    def _status(self) -> MatchStatus:
        infos = self.table.infos()
        looked_for = sum(info.state in _OPEN for info in infos)
        return MatchStatus(self.table.me or "", DAY / PAUSE / looked_for if looked_for else 0.0, infos)

    # inside

    async def look_regularly(self) -> None:
        """Look, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._visit_some, PAUSE, frozenset({MatchState.LOOKING}))
            nursery.start_soon(self._visit_some, MET_PAUSE, frozenset({MatchState.MET}))

    async def _visit_some(self, mean: float, states: frozenset[MatchState]) -> None:
        """Visit entries in these states, the one that waited longest first."""
        while True:
            changed = self._changed
            if await self.worker.call(self._count, states):
                await trio.sleep(self.rng.expovariate(1 / mean))
            else:
                await changed.wait()
                continue
            async with self._busy:
                look = await self.worker.call(self._next, states)
                if look is not None:
                    await self._try_visit(look)

    def _wake(self) -> None:
        """Let both tasks look again."""
        self._changed.set()
        self._changed = trio.Event()

    def _count(self, states: frozenset[MatchState]) -> int:
        return sum(look.state in states for look in self.table.all()) if self.table.me is not None else 0

    def _next(self, states: frozenset[MatchState]) -> Look | None:
        """The entry that waited longest; of those that were never visited, any."""
        found = [look for look in self.table.all() if look.state in states]
        self.rng.shuffle(found)
        return min(found, key=lambda look: self._visited.get(look.address, 0.0), default=None)

    async def _try_visit(self, look: Look) -> None:
        self._visited[look.address] = self.clock.now()
        with suppress(Unavailable):  # also of the store, in whatever is done: its turn comes again
            try:
                await self._visit(look)
            except Unavailable:
                raise
            except Exception as error:  # whatever the other side or a provider made go wrong ends its day alone
                if is_of_store(error):
                    raise
                await self._spoil(look)
        self._wake()

    async def _spoil(self, look: Look) -> None:
        await self.worker.call(self.table.keep, look.address, Spoiled(), MatchState.LOOKING, SPOILED)

    async def _visit(self, look: Look) -> None:
        """Whatever is next for this entry. WrongCode, RemoteError: nothing more on this day."""
        here = await self._begin_day(look)
        if here is None or here.secret is None:
            return
        match here.progress:
            case Spoiled():
                return
            case Answering():
                await self._answer(here, here.progress)
            case Replying():
                await self._await_answer(here, here.progress)
            case _:
                await self._meet(here, meeting(self.network_id, here.secret))

    async def _begin_day(self, look: Look) -> Look | None:
        """The entry with the secret of today; None if it was found meanwhile, or is gone."""
        day = int(self.clock.now() // DAY)
        if look.day == day and look.secret is not None:
            return look
        if isinstance(look.progress, Answering) and await self._settled(look, look.progress):
            return None
        me = await self.worker.call(lambda: self.table.me)
        if me is None:
            return None
        secret = await self.hash_worker.call(day_secret, self.network_id, (me, look.address), day, self.stretch)
        await self.worker.call(self.table.begin_day, look.address, day, secret)
        return await self.worker.call(self.table.get, look.address)

    async def _meet(self, look: Look, where: Meeting) -> None:
        """Put our offer; who was first invites, the other one replies."""
        provider = self.rendezvous.provider_for(where.slot)
        offering = await self.worker.call(self._offering, look, where)
        place = await self.rendezvous.put(provider, where.slot, offering.body)
        if place == 0:
            reply = await self.rendezvous.read(provider, reply_slot(where.context, offering.body))
            if reply is not None:
                offered = await self.worker.call(Offered.restore, where, offering.side)
                await self._invite(look, provider, offered, reply)
        elif place is not None:
            offer = await self.rendezvous.read(provider, where.slot)
            if offer is not None:
                await self._reply(look, where, offer)

    def _offering(self, look: Look, where: Meeting) -> Offering:
        """The offer of the day, made once and stored before it leaves."""
        if isinstance(look.progress, Offering):
            return look.progress
        offered = Offered.offer(where, _words(look))
        offering = Offering(offered.body, offered.serialize())
        self.table.keep(look.address, offering, MatchState.LOOKING)
        return offering

    async def _invite(self, look: Look, provider: bytes, offered: Offered, reply: bytes) -> None:
        exchange = await self.worker.call(offered.try_untrusted, reply)
        if exchange is None:
            await self.rendezvous.put(provider, offered.refusal_slot(reply), noise())
            raise WrongCode
        answering = await self.worker.call(self._make_answer, look, exchange)
        await self._answer(look, answering)

    def _make_answer(self, look: Look, exchange: Exchange) -> Answering:
        invitation = self.messenger.create_invitation(self.name, self.clock.now())
        answering = Answering(exchange.slot, exchange.seal(invitation.pack()), invitation.channel)
        self.table.keep(look.address, answering, MatchState.MET)
        return answering

    async def _answer(self, look: Look, answering: Answering) -> None:
        """Let the invitation be there, until it was used."""
        if await self._settled(look, answering) or answering.placed or look.secret is None:
            return
        provider = self.rendezvous.provider_for(meeting(self.network_id, look.secret).slot)
        if await self.rendezvous.put(provider, answering.slot, answering.body) is not None:
            placed = Answering(answering.slot, answering.body, answering.channel, placed=True)
            await self.worker.call(self.table.keep, look.address, placed, MatchState.MET)

    async def _settled(self, look: Look, answering: Answering) -> bool:
        """Whether the invitation was used; then the entry is found."""
        contact = await self.worker.call(self.messenger.contact_by, answering.channel)
        if contact is None or contact.state is ContactState.PENDING:
            return False
        await self.worker.call(self.table.settle, look.address, MatchState.FOUND, contact.name)
        return True

    async def _reply(self, look: Look, where: Meeting, offer: bytes) -> None:
        joined = await self.worker.call(Joined.join_untrusted, where, _words(look), offer)
        exchange = joined.exchange
        replying = Replying(joined.slot, joined.body, exchange.context, offer, exchange.reply, exchange.key.expose())
        await self.worker.call(self.table.keep, look.address, replying, MatchState.MET)
        await self._await_answer(look, replying)

    async def _await_answer(self, look: Look, replying: Replying) -> None:
        """Let our reply be there, and look for the invitation."""
        if look.secret is None:
            return
        provider = self.rendezvous.provider_for(meeting(self.network_id, look.secret).slot)
        place = await self.rendezvous.put(provider, replying.slot, replying.body)  # again: a restart forgets it
        if place != 0:
            if place is not None:
                raise WrongCode
            return
        exchange = Exchange(replying.context, replying.offer, replying.reply, SymmetricKey(replying.key))
        answer = await self.rendezvous.read(provider, exchange.slot)
        if answer is None:
            return
        text = Invitation.unpack_untrusted(exchange.open_untrusted(answer)).encode()
        try:
            contact = await self.worker.call(self._accept, look, text)
        except AlreadyContact as error:
            await self.worker.call(self.table.settle, look.address, MatchState.KNOWN, "", str(error))
        except OwnInvitation:
            await self._spoil(look)
        else:
            await self.worker.call(self.table.settle, look.address, MatchState.FOUND, contact.name)
        self.publish(await self.worker.call(self.messenger.take_events))

    def _accept(self, look: Look, text: str) -> ContactInfo:
        """The contact is called what the address book calls it; AlreadyContact, whose session stays as it is."""
        known = self.messenger.contact_of(Invitation.parse_untrusted(text).keys.identity)
        if known is not None:
            raise AlreadyContact(f"you already have this contact, named {known.name!r}")
        names = {contact.name for contact in self.messenger.contacts()}
        name = free_for_user(clean(look.label or look.address), names)
        return self.messenger.accept_invitation(text, name, self.clock.now())


_OPEN = (MatchState.LOOKING, MatchState.MET)


def _words(look: Look) -> bytes:
    """The password of a pair on a day."""
    return crypto.digest(Label.MATCH, b"words", look.secret or b"")
