"""Contacts by spoken codes: the daemon's side, from the typed code to the contact.

See spec/07-client.md 7.12.

Promises: a code serves one attempt, right or wrong, and ends after a time; both sides learn how it ended. An
invitation is made only once the other side has shown that it knows the code. Several codes run side by side; how many,
and how many questions they ask, is bounded. All is in memory: a daemon's end is the end of its codes.
Never: a frame of its own: questions leave in payload slots.
"""

from __future__ import annotations

import os
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

import trio

from mixnet.client.concurrency.worker import Worker
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.messenger.messenger import Messenger
from mixnet.client.model.code_states import SETTLED, TRANSITIONS, CodeChanged, CodeInfo, CodeState
from mixnet.client.model.errors import (
    CodeExpired,
    CodeUsed,
    NameTaken,
    NobodyWaits,
    NoNumber,
    TooManyCodes,
    UnknownCode,
    WrongCode,
)
from mixnet.client.model.names import check_name, same
from mixnet.client.model.views import ContactInfo, ContactState, Event
from mixnet.client.pairing.code import NUMBER_LIMIT, Code
from mixnet.client.pairing.exchange import Exchange, Joined, Meeting, Offered, noise
from mixnet.client.pairing.rendezvous import Rendezvous
from mixnet.client.pairing.spake2 import require
from mixnet.client.storage.database import is_of_store
from mixnet.client.traffic.provider_queries import NotAnswered
from mixnet.clock import Clock
from mixnet.errors import LocalError, MixnetError

LIFETIME = 1800.0  # seconds in which a code must be used; half of a slot's
LOOKS = 3  # at an empty slot, before nobody waits there
ATTEMPTS = 12  # at finding a number that nobody else has
FEW, MANY = 99, 9_999  # the largest number of the first attempts, and of the others
AT_ONCE = 8  # codes under way
KEPT = 16  # codes that are over, and still shown
_ACROSS = (CodeState.HANDED_OVER, CodeState.ACCEPTED)
_LATE = "the code was right and the invitation is across, but not answered yet: the contact may still come"
_TOLD = (MixnetError, OSError)  # errors that say in a sentence what is wrong
_UNEXPECTED = "something came that this program can't deal with: try again with another code"
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 1.0, 10.0, 1.05  # seconds between two looks at a slot


@dataclass(kw_only=True, eq=False, repr=False)
class Codes:
    """The codes of one daemon. `exchange_all` must run; the other calls begin something and return.

    `name` is what invitations call us; at `home`, our own provider, no code of ours waits if others exist.
    """

    rendezvous: Rendezvous
    messenger: Messenger
    worker: Worker
    clock: Clock
    rng: random.Random
    network_id: bytes
    name: str
    home: bytes
    publish: Callable[[list[Event]], None]
    _infos: OrderedDict[int, CodeInfo] = field(init=False, default_factory=OrderedDict)
    _scopes: dict[int, trio.CancelScope] = field(init=False, default_factory=dict)
    _last: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._begun, self._to_begin = trio.open_memory_channel[Callable[[], Awaitable[None]]](AT_ONCE)

    async def exchange_all(self) -> None:
        """Go on with all codes, for ever."""
        async with trio.open_nursery() as nursery:
            async for task in self._to_begin:
                nursery.start_soon(task)

    # what users ask for

    def open(self) -> CodeInfo:
        """Begin a code of ours; it can be said once it is WAITING. TooManyCodes, CodesMissing."""
        require()
        return self._begin(True, self._invite)

    async def enter(self, text: str, contact: str | None = None) -> CodeInfo:
        """Use the code that somebody said, for a contact called `contact` (None: as the other side says).

        Raises MalformedCode, BadName, NameTaken, TooManyCodes: before the code's only guess is spent. CodesMissing.
        """
        require()
        code = Code.parse(text)
        if contact is not None:
            contact = check_name(contact)
            if same(contact) in {same(one.name) for one in await self.worker.call(self.messenger.contacts)}:
                raise NameTaken
        return self._begin(False, lambda number: self._join(number, code, contact))

    def all(self) -> list[CodeInfo]:
        """Those under way, and the last ones that are over, oldest first."""
        return list(self._infos.values())

    def get(self, number: int) -> CodeInfo:
        """One of them; UnknownCode."""
        if number not in self._infos:
            raise UnknownCode
        return self._infos[number]

    def cancel(self, number: int) -> CodeInfo:
        """Give a code up; what the other side has by now it keeps. UnknownCode."""
        if self.get(number).state not in SETTLED:
            self._scopes[number].cancel()
            self._step(number, CodeState.FAILED, error="cancelled by you")
        return self.get(number)

    # inside

    def _begin(self, ours: bool, work: Callable[[int], Awaitable[None]]) -> CodeInfo:
        if len(self._scopes) >= AT_ONCE:
            raise TooManyCodes
        self._last += 1
        state = CodeState.OPENING if ours else CodeState.JOINING
        info = CodeInfo(self._last, ours, state, "", "", "", self.clock.now() + LIFETIME)
        self._infos[info.id] = info
        self._scopes[info.id] = trio.CancelScope()
        self._begun.send_nowait(partial(self._live, info.id, work))
        return info

    async def _live(self, number: int, work: Callable[[int], Awaitable[None]]) -> None:
        """One code, from its beginning to its end."""
        scope = self._scopes[number]
        try:
            with scope:
                with trio.move_on_after(LIFETIME) as life:
                    await work(number)
                if life.cancelled_caught:
                    raise CodeExpired(_LATE) if self._infos[number].state in _ACROSS else CodeExpired
        except Exception as error:  # whatever the other side or a provider made go wrong ends this code alone
            if is_of_store(error) and not isinstance(error, _TOLD):
                raise
            self._step(number, CodeState.FAILED, error=str(error) if isinstance(error, _TOLD) else _UNEXPECTED)
        finally:
            del self._scopes[number]
            self._forget()

    def _step(self, number: int, state: CodeState, **changes: str) -> None:
        info = self._infos[number]
        if info.state in SETTLED:
            return
        if state not in TRANSITIONS[info.state]:
            raise LocalError(f"a code can't become {state} after {info.state}")
        self._infos[number] = replace(info, state=state, **changes)  # type: ignore[arg-type]
        self.publish([CodeChanged(self._infos[number])])

    def _forget(self) -> None:
        over = [number for number, info in self._infos.items() if info.state in SETTLED]
        for number in over[:-KEPT]:
            del self._infos[number]

    async def _invite(self, number: int) -> None:
        """The side that shows a code."""
        code, meeting, offered = await self._find_number()
        self._step(number, CodeState.WAITING, code=code.text)
        provider = self.rendezvous.provider_for(meeting.slot)
        reply = await self._await_body(provider, offered.slot)
        exchange = await self.worker.call(offered.try_untrusted, reply)
        if exchange is None:
            await self._put(provider, offered.refusal_slot(reply), noise())
            raise WrongCode
        invitation = await self.worker.call(self.messenger.create_invitation, self.name, self.clock.now())
        await self._put(provider, exchange.slot, exchange.seal(invitation.pack()))
        self._step(number, CodeState.HANDED_OVER)
        contact = await self._await_contact(lambda: self.messenger.contact_by(invitation.channel))
        self._step(number, CodeState.DONE, contact=contact.name)

    async def _join(self, number: int, code: Code, name: str | None) -> None:
        """The side that types it."""
        meeting = code.meeting(self.network_id)
        provider = self.rendezvous.provider_for(meeting.slot)
        offer = await self._look(provider, meeting.slot)
        joined = await self.worker.call(Joined.join_untrusted, meeting, code.password, offer)
        if await self._put(provider, joined.slot, joined.body) != 0:
            raise CodeUsed
        self._step(number, CodeState.REPLIED)
        answer = await self._await_body(provider, joined.exchange.slot)
        contact = await self._accept(joined.exchange, answer, name)
        self._step(number, CodeState.ACCEPTED, contact=contact.name)
        await self._await_contact(lambda: self._established(contact.name))
        self._step(number, CodeState.DONE)

    async def _accept(self, exchange: Exchange, answer: bytes, name: str | None) -> ContactInfo:
        text = Invitation.unpack_untrusted(exchange.open_untrusted(answer)).encode()
        contact = await self.worker.call(self.messenger.accept_invitation, text, name, self.clock.now())
        self.publish(await self.worker.call(self.messenger.take_events))
        return contact

    async def _find_number(self) -> tuple[Code, Meeting, Offered]:
        """A number that nobody else has, and our offer in its slot."""
        for attempt in range(ATTEMPTS):
            code = Code.make(self._free_number(FEW if attempt < ATTEMPTS // 3 else MANY))
            meeting = code.meeting(self.network_id)
            offered = await self.worker.call(Offered.offer, meeting, code.password)
            if await self._put(self.rendezvous.provider_for(meeting.slot), meeting.slot, offered.body) == 0:
                return code, meeting, offered
        raise NoNumber

    def _free_number(self, most: int) -> int:
        """A random number, at another provider than our own if there is one: it could tell that we wait there."""
        for _ in range(100):
            number = 1 + int.from_bytes(os.urandom(8), "big") % min(most, NUMBER_LIMIT)
            if self.rendezvous.provider_for(Code(number, ()).meeting(self.network_id).slot) != self.home:
                return number
        return number

    async def _put(self, provider: bytes, slot: bytes, body: bytes) -> int | None:
        """Put it there, however often it takes; the time of a code bounds it."""
        while True:
            try:
                return await self.rendezvous.put(provider, slot, body)
            except NotAnswered:
                await trio.sleep(LONGEST_PAUSE)

    async def _look(self, provider: bytes, slot: bytes) -> bytes:
        """What is in a slot in which something should be by now; NobodyWaits."""
        for _ in range(LOOKS):
            found = await self.rendezvous.read(provider, slot)
            if found is not None:
                return found
            await self._pause(FIRST_PAUSE)
        raise NobodyWaits

    async def _await_body(self, provider: bytes, slot: bytes) -> bytes:
        """What comes into a slot, however long that takes."""
        pause = FIRST_PAUSE
        while True:
            try:
                found = await self.rendezvous.read(provider, slot)
            except NotAnswered:
                found = None
            if found is not None:
                return found
            await self._pause(pause)
            pause = min(GROWTH * pause, LONGEST_PAUSE)

    async def _pause(self, mean: float) -> None:
        await trio.sleep(self.rng.uniform(0.5, 1.5) * mean)

    async def _await_contact(self, look: Callable[[], ContactInfo | None]) -> ContactInfo:
        """The contact, once both sides can write."""
        while True:
            contact = await self.worker.call(look)
            if contact is not None and contact.state is not ContactState.PENDING:
                return contact
            await self._pause(FIRST_PAUSE)

    def _established(self, name: str) -> ContactInfo | None:
        return next((one for one in self.messenger.contacts() if one.name == name), None)
