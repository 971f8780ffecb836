"""Anonymous conversations as the messenger uses them: addresses, their owners and those who write to them.

Promises: all anonymous conversations together have one turn among the lanes of the contacts, so that no number of
strangers takes more slots from contacts than one lane does; only texts travel; nobody is told what was read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mixnet.client.anonymous.address_owner import AHEAD, AddressOwners
from mixnet.client.anonymous.lifecycle import Correspondence
from mixnet.client.anonymous.writer import AnonymousSenders
from mixnet.client.arq.fragments import Arrival, Fragment, Unverified
from mixnet.client.arq.sender import PEER, USER
from mixnet.client.core.conversation import Conversation
from mixnet.client.core.outgoing import Outgoing, OutgoingReply
from mixnet.client.core.setbacks import Setbacks
from mixnet.client.core.state import Core
from mixnet.client.e2e.anonymous_bodies import LETTER_LIMIT, MESSAGE_LIMIT, AnonymousBody, AnonymousText
from mixnet.client.model.durations import DAY, spoken
from mixnet.client.model.errors import AnonymousTextTooLong, BadLifetime, NotAnonymous
from mixnet.client.model.views import AddressInfo, CorrespondentInfo, MessageKind, MessageState, Role
from mixnet.client.storage.addresses import AddressTable
from mixnet.client.storage.database import Row
from mixnet.client.storage.messages import NewMessage
from mixnet.client.storage.reply_blocks import SurbMaker
from mixnet.errors import RemoteError
from mixnet.sphinx import Surb

LANE = 0
ANSWERS = DAY  # seconds for which a writer takes answers, unless its user says otherwise
ID_SIZE = 32  # of a reply block, before what came back through it
Refill = Callable[[Conversation, int, int, float], None]
NextFragment = Callable[[Conversation, int, int, float], Outgoing | None]


class Anonymous:
    """All anonymous conversations of a profile. Every change is one transaction."""

    def __init__(self, core: Core, surbs: SurbMaker) -> None:
        """Use the messenger's shared state; `surbs` makes reply blocks."""
        self._core = core
        self._shared = Correspondence(core)
        self._addresses = AddressTable(core.store, core.home)
        self._owners = AddressOwners(core, self._addresses, surbs, self._shared)
        self._senders = AnonymousSenders(core, surbs, self._shared)
        self._last = {USER: 0, PEER: 0}  # account → the contact whose turn it was
        self._setbacks = Setbacks[int]()  # of contacts

    # addresses

    def create_address(self, now: float, lifetime: float | None = None) -> AddressInfo:
        """A new address, good for `lifetime` seconds (None: until it is retired); TooManyAddresses, BadLifetime."""
        made = self._addresses.create(now, lifetime)
        if made.expires_at:
            self._core.expires(made.expires_at)
        return made

    def addresses(self) -> list[AddressInfo]:
        """All of them, oldest first."""
        return self._addresses.all()

    def retire_address(self, id_: str) -> AddressInfo:
        """Refuse in silence what begins at this address from now on; UnknownAddress."""
        return self._addresses.retire(id_)

    # the user's side of conversations

    def send(
        self, address: str, text: str, now: float, answers: float | None = None, lifetime: float | None = None
    ) -> int:
        """Begin a conversation with an address by a text, taking answers for `answers` seconds; the message's number.

        Raises MalformedAddress, AddressOfOtherNetwork, ExpiredAddress, OwnAddress, TooManyConversations,
        AnonymousTextTooLong, BadLifetime, and Unavailable while no way to the address is known.
        """
        most = self._core.settings.message_lifetime
        taken = min(ANSWERS, most) if answers is None else answers
        if not 0 < taken <= most:
            raise BadLifetime(f"answers are taken for more than 0s and at most {spoken(most)}: choose another time")
        _check_length(text)
        with self._core.change():
            contact = self._senders.start(address, now, taken)
            return self._enqueue(contact, text, now, lifetime)

    def write(self, contact: int, text: str, now: float, lifetime: float | None = None) -> int:
        """Queue one more text of a conversation; AnonymousTextTooLong, NoLongerReached, ConversationEnded."""
        _check_length(text)
        if self._core.anonymous[contact] is Role.READER:
            self._owners.check_reached(contact, now)
        else:
            self._senders.check_open(contact, now)
        with self._core.change():
            return self._enqueue(contact, text, now, lifetime)

    def _enqueue(self, contact: int, text: str, now: float, lifetime: float | None) -> int:
        core = self._core
        number = core.messages.add(NewMessage(contact, MessageKind.TEXT, MessageState.QUEUED, text), now)
        core.enqueue(contact, LANE, AnonymousText(text), number, now, lifetime=lifetime)
        return number

    def correspondents(self) -> list[CorrespondentInfo]:
        """All conversations, oldest first."""
        query = (
            "SELECT c.id, c.name, a.role, a.address, a.session, a.listens FROM anonymous a"
            " JOIN contacts c ON c.id = a.contact ORDER BY c.id"
        )
        return [self._info(row) for row in self._core.store.all(query)]

    def _info(self, row: Row) -> CorrespondentInfo:
        contact, name, role, address, session, listens = row
        side = Role(role)
        answer = self._owners.pool.until(contact) if side is Role.READER else 0.0
        listening = listens if side is Role.WRITER else 0.0
        return CorrespondentInfo(name, side, address, session is not None, answer, listening)

    def end(self, name: str) -> None:
        """End a conversation here; the other side is not told. Its messages stay. NotAnonymous."""
        contact = self._core.contacts.find_named(name)
        if contact is None or contact.id not in self._core.anonymous:
            raise NotAnonymous(
                f"{name!r} is no anonymous conversation: `mixnet anonymous PROFILE` shows those there are"
            )
        if contact.id in self._core.routes:
            with self._core.change():
                self._shared.end(contact.id)

    def went_on_elsewhere(self) -> None:
        """This profile was made of a backup: no conversation can go on, since none can be begun anew by itself."""
        for contact in self._core.anonymous.keys() & self._core.routes.keys():
            self._shared.end(contact)

    # what comes

    def greeted_untrusted(self, unverified: Unverified, now: float) -> bool:
        """Take a first message to one of our addresses; False if it is for something else, RemoteError."""
        return self._owners.greeted_untrusted(unverified, now)

    def admit_untrusted(self, conversation: Conversation, arrival: Arrival, now: float) -> None:
        """RemoteError for what a stranger may not send: beyond his bounds, or an answer that came by another way."""
        if self._core.anonymous[conversation.contact] is Role.WRITER:
            raise RemoteError("an answer that did not come through a reply block")
        self._owners.admit_untrusted(conversation, arrival, now)

    def came_back_untrusted(self, raw: bytes) -> tuple[Conversation, Arrival, bytes]:
        """(conversation, part of an answer, block) of a block's id and what came through it; UnknownBlock, RemoteError.

        A reply block of the reader's making is refused: used, it would tell him at which provider we are.
        """
        surb_id = raw[:ID_SIZE]
        conversation, plaintext = self._senders.open_untrusted(surb_id, raw[ID_SIZE:])
        arrival = Unverified.parse_untrusted(plaintext).verify_untrusted(conversation.incoming)
        content = arrival.content
        if arrival.block is not None or not isinstance(content, Fragment) or content.lane != LANE:
            raise RemoteError("an answer that is none")
        first = max(conversation.receiver.expected(LANE), content.floor)
        if content.length > MESSAGE_LIMIT or content.number >= first + AHEAD:
            raise RemoteError("an answer beyond the bounds")
        return conversation, arrival, surb_id

    def answered(self, conversation: Conversation, surb_id: bytes, now: float) -> None:
        """A part of an answer is stored: the block is used, and the reader will be told."""
        self._senders.answered(conversation, surb_id, now)

    def handle_untrusted(self, conversation: Conversation, body: AnonymousBody, now: float) -> None:
        """Do what a message says; RemoteError."""
        core, contact = self._core, conversation.contact
        if core.anonymous[contact] is Role.READER:
            self._owners.handle_untrusted(conversation, body, now)
            return
        if not isinstance(body, AnonymousText):
            raise RemoteError("an answer that is no text")
        core.received_text(contact, body.text, None, now)

    # what leaves

    def next(self, now: float, refill: Refill, fragment: NextFragment) -> Outgoing | None:
        """A part of a text of the user's, of the conversation whose turn it is; `fragment` gives a usual one's."""
        return self._in_turns(USER, now, lambda one: self._of_user(one, now, refill, fragment))

    def next_ordered(self, now: float, fragment: NextFragment) -> Outgoing | None:
        """What the other sides asked for: acknowledgements, and the reply blocks that go with them."""
        due = self._senders.wake_at()
        supply = due is not None and due <= now
        return self._in_turns(PEER, now, lambda one: self._of_peer(one, now, fragment, supply=supply))

    def _in_turns(self, account: int, now: float, get: Callable[[int], Outgoing | None]) -> Outgoing | None:
        for contact in self._in_turn(account):
            if self._setbacks.waits(contact, now):
                continue
            outgoing = None
            try:
                with self._core.refusing():
                    outgoing = get(contact)
            except RemoteError:  # whatever fails in one, the others have their turns
                self._setbacks.failed(contact, now)
            else:
                self._setbacks.succeeded(contact)
            if outgoing is not None:
                self._last[account] = contact
                return outgoing
        return None

    def _of_user(self, contact: int, now: float, refill: Refill, fragment: NextFragment) -> Outgoing | None:
        conversation = self._core.routes[contact]
        if self._core.anonymous[contact] is Role.WRITER:
            return fragment(conversation, LANE, USER, now)
        if (contact, LANE) in self._core.waiting:
            refill(conversation, LANE, USER, now)
        return self._owners.next_part(conversation, now)

    def _of_peer(self, contact: int, now: float, fragment: NextFragment, *, supply: bool) -> Outgoing | None:
        conversation = self._core.routes[contact]
        if self._core.anonymous[contact] is Role.READER:
            return self._acknowledgement(conversation, now)
        if supply:
            self._senders.supply(conversation, now)
        return fragment(conversation, LANE, PEER, now)

    def _in_turn(self, account: int) -> list[int]:
        there = sorted((self._core.anonymous.keys() & self._core.routes.keys()) - self._core.blocked)
        last = self._last[account]
        return [one for one in there if one > last] + [one for one in there if one <= last]

    def _acknowledgement(self, conversation: Conversation, now: float) -> OutgoingReply | None:
        answer = conversation.receiver.answer(now)
        if answer is None:
            return None
        ack = answer.ack.encode(conversation.incoming)
        return OutgoingReply(Surb.parse_untrusted(answer.surb), ack, conversation.id)

    def wake_at(self) -> float | None:
        """When `next` may have something by the passing of time alone."""
        times: list[float | None] = [self._senders.wake_at()]
        for contact in self._in_turn(USER):
            conversation = self._core.routes[contact]
            own: list[float | None] = []
            if self._core.anonymous[contact] is Role.READER:
                own += [conversation.receiver.due_at(), self._owners.wake_at(conversation)]
            elif conversation.wants_slot():
                own.append(conversation.wake_at())
            times += [max(time, self._setbacks.until(contact)) for time in own if time is not None]
        return min((time for time in times if time is not None), default=None)

    # the end

    def expire(self, now: float) -> None:
        """Forget what is over, in the caller's change."""
        store = self._core.store
        self._addresses.expire(now)
        store.run("DELETE FROM anonymous_blocks WHERE expires <= ?", now)
        store.run("DELETE FROM anonymous_given WHERE expires <= ?", now)
        for contact, role in store.all("SELECT contact, role FROM anonymous WHERE expires <= ?", now):
            look = (self._owners if role == Role.READER.value else self._senders).look
            if self._core.attempt(partial(look, contact, now)) is not None:
                self._shared.look_at(contact, now + DAY)


def _check_length(text: str) -> None:
    if len(text.encode()) > LETTER_LIMIT:
        raise AnonymousTextTooLong
