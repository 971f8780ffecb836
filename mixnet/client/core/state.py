"""The state of the messenger: the open sessions, what waits to be sent, and what its user is told of.

Promises: it is changed with the store, or not at all (client/core/changes.py); after a start it is what the store says.
Of what peers order no more than a bounded number of bodies waits for a contact.
"""

from __future__ import annotations

import random
import shlex
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from mixnet.client.arq.fragments import Arrival, ReplyBlock
from mixnet.client.arq.sender import PEER, USER
from mixnet.client.core.changes import Changes
from mixnet.client.core.conversation import Conversation, NewSession
from mixnet.client.core.feeders import Feeders
from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.core.parts import Memory, OwnDevices
from mixnet.client.core.pauses import Pauses
from mixnet.client.e2e.anonymous_bodies import AnonymousBody
from mixnet.client.e2e.bodies import Body, MessageEvent, WireId
from mixnet.client.e2e.x3dh import identity_public
from mixnet.client.model.contact_states import ContactEvent
from mixnet.client.model.destination import Home
from mixnet.client.model.durations import spoken
from mixnet.client.model.errors import BadLifetime, HomeOnly
from mixnet.client.model.failures import GivenUp
from mixnet.client.model.names import Names, check_sent
from mixnet.client.model.views import (
    AckChoice,
    ContactChanged,
    MessageKind,
    MessageReceived,
    MessageState,
    MessageStateChanged,
    ReadReceiptChoice,
    Role,
)
from mixnet.client.storage.contacts import Contact, ContactTable
from mixnet.client.storage.database import Store
from mixnet.client.storage.devices import DeviceTable
from mixnet.client.storage.messages import MessageTable, NewMessage
from mixnet.client.storage.signatures import SignatureTable
from mixnet.crypto import SymmetricKey

_IDENTITY = "identity"
_EXPIRING = (
    *("outbound", "waiting", "stranded", "sending", "receiving", "invitations", "device_asks"),
    *("anonymous", "anonymous_blocks", "anonymous_given"),
)
ORDERED = 1024  # bodies that peers ordered and that wait for a contact, above which none joins them
BACKLOG = 64  # bodies that wait for a contact, above which no answer that it can ask for again and again joins them
_HOLD_BACK = (
    "UPDATE waiting SET held = 1 WHERE account <> -1 AND NOT held"
    " AND contact IN (SELECT id FROM contacts WHERE acknowledgements = 'delayed')"
)
_UNDER_WAY = (
    "outbound",
    "sealed",
    "posted",
    "taken",
    "inbound",
    "copied",
)  # of a session, whose number may be given again
_CLOSING = "SELECT min(closes) FROM addresses WHERE closes > 0 AND prekeys IS NOT NULL"


class WaitingBody(NamedTuple):
    """A row of `waiting`: a body that is not encrypted yet."""

    id: int
    body: bytes
    message: int | None
    expires: float
    account: int


class Core(Changes):
    """The shared state of one profile's messenger."""

    def __init__(
        self, store: Store, settings: MessengerSettings, jitter: random.Random, home: Home, pauses: random.Random
    ) -> None:
        """Take up where the store left off; a new store gets an identity. `pauses` draws random pauses and no more."""
        check_sent(home.name)
        super().__init__(store)
        self.settings, self.jitter, self.home = settings, jitter, home
        self.identity = self._own_identity()
        self.identity_public = identity_public(self.identity)
        self.messages, self.contacts = MessageTable(store), ContactTable(store, self.identity_public)
        self.signatures = SignatureTable(store, self.identity, home.network_id)
        self.device_table = DeviceTable(store)
        self.siblings: set[int] = set()  # contacts' rows that are other devices of the user
        self.satellite = False  # this profile is a device of another one
        self._home_name = ""  # what that one is called here
        self.conversations: dict[int, Conversation] = {}
        self.by_incoming: dict[bytes, Conversation] = {}
        self.by_outgoing: dict[bytes, Conversation] = {}
        self.routes: dict[int, Conversation] = {}  # contact → where messages to it go out
        # (contact, lane) with bodies that are not encrypted yet → on which accounts
        self.waiting: dict[tuple[int, int], frozenset[int]] = {}
        self.files: set[int] = set()  # contacts with files that are not read to their ends yet
        self.blocked: set[int] = set()  # contacts that nothing is heard from or written to
        self.hushed: set[int] = set()  # contacts to whom nothing leaves by itself but after random pauses
        self.held: set[int] = set()  # contacts with bodies that are held back
        self.pauses = Pauses(settings.pause, pauses)
        self.anonymous: dict[int, Role] = {}  # contacts that stand for somebody anonymous, or for an address
        self.next_expiry: float | None = None
        # (contact, …): answers to those who use an old copy, in sessions that were given up. Not more than a few.
        self.last_words: deque[tuple[int, ReplyBlock, bytes]] = deque(maxlen=8)
        self.memories: list[Memory] = []  # of rooms above
        self.own_devices = OwnDevices()
        self.feeders = Feeders(self)
        with store.transaction():  # what was let go and did not leave: at a start it would show the start
            store.run(_HOLD_BACK)
        self.reload()

    def _remember(self) -> Callable[[], None]:
        """What makes memory again as it is now, once the store is as it is now again."""
        revisions = {number: (one, one.revision) for number, one in self.conversations.items()}
        routes = {contact: one.id for contact, one in self.routes.items()}
        waiting, files, blocked = dict(self.waiting), set(self.files), set(self.blocked)
        anonymous, held, hushed, next_expiry = dict(self.anonymous), set(self.held), set(self.hushed), self.next_expiry
        parts = [memory.remember() for memory in self.memories]

        def take_back() -> None:
            self.conversations, self.by_incoming, self.by_outgoing = {}, {}, {}
            self.held, self.hushed = held, hushed
            for number, (one, revision) in revisions.items():
                same = one.revision == revision
                again = one if same else Conversation.again(self.store, number, self.settings, self.jitter)
                self._enter(again if same else self.hush(again))
            self.routes = {contact: self.conversations[number] for contact, number in routes.items()}
            self.waiting, self.files, self.blocked, self.anonymous = waiting, files, blocked, anonymous
            self.next_expiry = next_expiry
            self.load_devices()
            for restore in parts:
                restore()

        return take_back

    def _own_identity(self) -> SymmetricKey:
        raw = self.store.setting(_IDENTITY)
        if raw is not None:
            return SymmetricKey(raw)
        made = SymmetricKey.generate()
        with self.store.transaction():
            self.store.set_setting(_IDENTITY, made.expose())
        return made

    def reload(self) -> None:
        """Make memory again from the store."""
        self.conversations, self.by_incoming, self.by_outgoing, self.routes = {}, {}, {}, {}
        known = self.contacts.all()
        self.hushed = {contact.id for contact in known if contact.acknowledgements is AckChoice.DELAYED}
        for conversation in Conversation.load(self.store, self.settings, self.jitter):
            self._enter(self.hush(conversation))
        self.blocked = {contact.id for contact in known if contact.blocked}
        for contact in known:
            if contact.session is not None:
                self.routes[contact.id] = self.conversations[contact.session]
        self.load_devices()
        rows = self.store.all("SELECT contact, role FROM anonymous")
        self.anonymous = {contact: Role(role) for contact, role in rows}
        self.find_waiting()
        self.last_words.clear()  # who was to have one may be gone
        for memory in self.memories:
            memory.reload()
        self.files = {row[0] for row in self.store.all("SELECT DISTINCT contact FROM sending")}
        self.find_next_expiry()

    def load_devices(self) -> None:
        """The other devices have sessions too; a satellite speaks for the identity of its home."""
        known = self.device_table.all()
        self.siblings = {device.contact for device in known}
        for device in known:
            session = self.contacts.get(device.contact).session
            if session is not None:
                self.routes[device.contact] = self.conversations[session]
        home = self.device_table.home()
        self.satellite = home is not None
        self._home_name = "" if home is None else home.name
        self.identity_public = identity_public(self.identity) if home is None else home.identity
        self.contacts.speak_for(self.identity_public)

    def _enter(self, conversation: Conversation) -> None:
        self.conversations[conversation.id] = conversation
        self.by_incoming[conversation.incoming.channel] = conversation
        self.by_outgoing[conversation.outgoing.channel] = conversation

    def hush(self, conversation: Conversation) -> Conversation:
        """What is under way to a contact for whom answers are held back goes on after a pause."""
        if conversation.contact in self.hushed:
            conversation.sender.hush()
        return conversation

    def hush_contact(self, contact: int, *, hushed: bool) -> None:
        """The user has said whether answers to a contact are held back. In a change."""
        if hushed:
            self.hushed.add(contact)
            self.hold_back(contact)
            return
        self.hushed.discard(contact)
        for conversation in self.conversations.values():
            if conversation.contact == contact:
                conversation.sender.speak()

    def hold_back(self, contact: int) -> None:
        """As at a start: what a hushed contact could have had long ago waits for a pause. In a change."""
        if contact in self.hushed:
            self.store.run(_HOLD_BACK + " AND contact = ?", contact)
            self.find_waiting()
            self.forget_last_words(contact)
            for one in [one for one in self.conversations.values() if one.contact == contact]:
                self.hush(one)

    def forget_last_words(self, contact: int) -> None:
        """Say nothing more in the sessions with a contact that were given up."""
        self.last_words = deque((one for one in self.last_words if one[0] != contact), self.last_words.maxlen)

    def find_waiting(self) -> None:
        """Look up for whom something waits, and for whom something is held back."""
        self.waiting, self.held = {}, set()
        for contact, lane, account, held in self.store.all("SELECT DISTINCT contact, lane, account, held FROM waiting"):
            self.waits(contact, lane, account, held=held)

    def waits(self, contact: int, lane: int, account: int, *, held: bool) -> None:
        """A body waits for a contact from now on, or is held back."""
        if held:
            self.held.add(contact)
        else:
            self.waiting[contact, lane] = self.waiting.get((contact, lane), frozenset()) | {account}

    def no_longer_waits(self, contact: int, lane: int) -> None:
        """A body that waited is gone: look up on which accounts there are still some."""
        query = "SELECT DISTINCT account FROM waiting WHERE contact = ? AND lane = ? AND NOT held"
        self.waiting[contact, lane] = frozenset(row[0] for row in self.store.all(query, contact, lane))
        if not self.waiting[contact, lane]:
            del self.waiting[contact, lane]

    def solicited(self, conversation: Conversation, arrival: Arrival, now: float, *, new: bool) -> None:
        """An answer is wanted: at once, or at a random moment if the user has said so of the contact."""
        contact = conversation.contact
        answer_at = self.pauses.moment(contact, now) if contact in self.hushed else None
        conversation.receiver.solicited(arrival, now, new=new, answer_at=answer_at)

    def open_conversation(self, new: NewSession) -> Conversation:
        """Store a new session and take it up."""
        conversation = Conversation.create(self.store, new, self.settings, self.jitter)
        self._enter(self.hush(conversation))
        return conversation

    def establish(self, conversation: Conversation) -> None:
        """The contact has answered in this session: from now on messages go out in one that works."""
        contact = self.contacts.get(conversation.contact)
        changed = self.contacts.step(contact, ContactEvent.ANSWER)
        if contact.session is None and not self.holds(contact.id):
            self.route(conversation)
        if changed and not contact.blocked and contact.role == "contact":
            self.contact_changed(contact.id)

    def route(self, conversation: Conversation) -> None:
        """Let messages to its contact go out in this conversation from now on."""
        self.contacts.use(conversation.contact, conversation.id)
        self.routes[conversation.contact] = conversation
        # An old copy of a profile, for which another session was begun, may not have heard who we are in groups.
        self.store.run("UPDATE group_peers SET greeted = 0 WHERE contact = ?", conversation.contact)

    def leave(self, conversation: Conversation) -> None:
        """Give a conversation up: nothing comes or goes in it any more, and nothing of that is kept. In a change."""
        for table in _UNDER_WAY:
            self.store.run(f"DELETE FROM {table} WHERE session = ?", conversation.id)  # noqa: S608  # our own names
        del self.conversations[conversation.id]
        del self.by_incoming[conversation.incoming.channel]
        del self.by_outgoing[conversation.outgoing.channel]
        if self.routes.get(conversation.contact) is conversation:
            del self.routes[conversation.contact]
            self.contacts.use(conversation.contact, None)

    def reaches(self, contact: int) -> bool:
        """Whether a contact has a session in which something can be sent."""
        route = self.routes.get(contact)
        return route is not None and not route.copied

    def holds(self, contact: int) -> bool:
        """Whether messages to a contact wait until it says what an older session has: client/contacts/renewal.py."""
        return self.store.has("SELECT 1 FROM stranded WHERE contact = ?", contact)

    def enqueue(
        self,
        contact: int,
        lane: int,
        body: Body | AnonymousBody,
        message: int | None,
        now: float,
        *,
        lifetime: float | None = None,
        account: int = PEER,
        held: bool | None = None,
    ) -> int:
        """Let a body wait for its turn to be encrypted, for `lifetime` seconds (None: the network's).

        If it is no message of the user's, it takes slots on this `account`; of what peers order no more than ORDERED
        bodies wait for a contact, and what is beyond that is left out. Gives its place. `held`: it is held back for a
        random pause (None: if it is not on the user's account, and such answers to the contact are).
        """
        if message is not None or (self.satellite and contact in self.siblings):
            account = USER
        if account != USER and contact not in self.siblings and self.backlog(contact) >= ORDERED:
            return 0
        held = (account != USER and contact in self.hushed) if held is None else held
        expires = now + (self.settings.message_lifetime if lifetime is None else lifetime)
        query = (
            "INSERT INTO waiting (contact, lane, body, message, expires, account, held) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        row = self.store.insert(query, contact, lane, msgspec.msgpack.encode(body), message, expires, account, held)
        self.waits(contact, lane, account, held=held)
        self.expires(expires)
        return row

    def next_waiting(self, contact: int, lane: int) -> WaitingBody | None:
        """What is encrypted next: what goes around in groups last."""
        query = "SELECT id, body, message, expires, account FROM waiting WHERE contact = ? AND lane = ? AND NOT held"
        direct = self.store.one(query + " AND account <= ? ORDER BY id LIMIT 1", contact, lane, PEER)
        row = direct or self.store.one(query + " ORDER BY id LIMIT 1", contact, lane)
        return None if row is None else WaitingBody(*row)

    def hides_reading(self, contact: int) -> bool:
        """Whether a contact learns that the user has read something, and not when."""
        return contact in self.hushed or self.contacts.reading(contact) is ReadReceiptChoice.DELAYED

    def read_at(self, contact: int, now: float) -> float:
        """The time of a reading that a contact may learn: when it is told of it."""
        return self.pauses.moment(contact, now) if self.hides_reading(contact) else now

    def backlog(self, contact: int) -> int:
        """How many bodies wait to be encrypted for a contact that are not on the user's account."""
        query = "SELECT count(*) FROM waiting WHERE contact = ? AND account <> ?"
        return self.store.value(int, query, contact, USER) or 0

    def crowded(self, contact: int) -> bool:
        """Whether so many of those wait for a contact that no answer to it shall join them."""
        return self.backlog(contact) >= BACKLOG

    def check_lifetime(self, lifetime: float | None) -> None:
        """Refuse a time that no message may wait: BadLifetime."""
        most = self.settings.message_lifetime
        if lifetime is not None and not 0 < lifetime <= most:
            raise BadLifetime(f"a message waits for more than 0s and at most {spoken(most)}: choose another time")

    def delete_messages(self, numbers: Sequence[int]) -> None:
        """Delete messages, and what else has their texts and files' names; in a change."""
        self.own_devices.messages_deleted(numbers)
        for number in numbers:
            self.store.run("DELETE FROM messages WHERE id = ?", number)

    def expires(self, when: float) -> None:
        """Something expires at `when`."""
        self.next_expiry = when if self.next_expiry is None else min(when, self.next_expiry)

    def find_next_expiry(self) -> None:
        """Look it up in the store."""
        first = [f"SELECT min(expires) FROM {table}" for table in _EXPIRING]  # noqa: S608
        rows = self.store.all(" UNION ALL ".join([*first, _CLOSING]))
        self.next_expiry = min((time for (time,) in rows if time is not None), default=None)

    def unblock_first(self, contact: Contact) -> str:
        """What a user reads who wants something of a contact that is blocked."""
        mine, theirs = shlex.quote(self.home.name), shlex.quote(contact.name)
        return f"you blocked {contact.name!r}: unblock it first with `mixnet contacts {mine} --unblock {theirs}`"

    def home_only(self) -> HomeOnly:
        """What a satellite's user is told of what the home alone can do."""
        return HomeOnly(
            f"this profile is a satellite, which can't do this: do it at your home device {self._home_name!r}"
        )

    def free_name(self, wanted: str, contact: int | None = None, *, ours: bool = False) -> str:
        """A name for what others brought, which looks like none that was ever one here: see client/model/names.py.

        `wanted` is their choice, or `ours`. `contact`: who is a member of groups already, and may keep its name there.
        """
        query = (
            "SELECT n.name FROM group_names n LEFT JOIN group_peers p ON p.grp = n.grp AND p.key = n.key"
            " WHERE p.contact IS NOT ?"
        )
        members = [] if contact is None and ours else [name for (name,) in self.store.all(query, contact)]
        taken = [self.home.name, *self.contacts.shown_names(), *members]
        return Names(taken, self.contacts.was_used).free(wanted, ours=ours)

    # messages and who is told of them

    def contact_changed(self, contact: int) -> None:
        """Tell of a contact's new state, or of a device's."""
        if contact in self.siblings:
            self.own_devices.changed(contact)
        else:
            self.emit(ContactChanged(self.contacts.info(contact)))

    def warn(self, contact: int, error: str, now: float) -> None:
        """File what is wrong with a contact's session where its messages are."""
        with self.change():
            entry = NewMessage(contact, MessageKind.TEXT, MessageState.FAILED, "", received_at=now, remote=0)
            number = self.messages.add(entry, now)
            self.messages.explain(number, error)
            self.message_changed(number)

    def message_changed(self, number: int) -> None:
        """Tell of a message's new state."""
        self.emit(MessageStateChanged(self.messages.get(number)))

    def received_text(self, contact: int, text: str, remote: WireId | None, now: float, period: int = 0) -> None:
        """File a text that came, and tell of it; `remote` is what its sender calls it, if anything. In a change."""
        state = MessageState.RECEIVED
        entry = NewMessage(contact, MessageKind.TEXT, state, text, received_at=now, remote=remote or 0, period=period)
        self.emit(MessageReceived(self.messages.get(self.messages.add(entry, now))))

    def step_message(self, number: int, event: MessageEvent) -> bool:
        """Let `event` happen to a message and tell of it; whether that changes anything."""
        info = self.messages.step(number, event)
        if info is not None:
            self.emit(MessageStateChanged(info))
        return info is not None

    def fail_message(self, number: int, error: str | GivenUp) -> bool:
        """A message has failed: record why, and withdraw what of it waits or is under way."""
        if isinstance(error, GivenUp):
            error = error.sent if self.messages.has_left(number) else error.unsent
        self.messages.explain(number, error)
        for whom in self.store.all("DELETE FROM waiting WHERE message = ? RETURNING contact, lane", number):
            self.no_longer_waits(*whom)
        self.store.run("DELETE FROM sending WHERE message = ?", number)
        self.store.run("DELETE FROM stranded WHERE message = ?", number)
        for session, lane, place in self.store.all(
            "SELECT session, lane, number FROM outbound WHERE message = ?", number
        ):
            self.conversations[session].withdraw(lane, place)
        return self.step_message(number, MessageEvent.FAIL)
