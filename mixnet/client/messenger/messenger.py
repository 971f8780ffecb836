"""The messenger: every verb of a user on contacts and messages. Its only input and output is the store.

Promises: whatever a call changes is in the store, whole, before the call returns; each message is delivered exactly
once and in order, or its sender learns that it failed; a failed call changes nothing. Never: a socket, a packet, a
clock or a task: time and bytes come in as arguments. Calls must not overlap: the daemon makes one at a time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mixnet.client.anonymous.anonymous import Anonymous
from mixnet.client.contacts.copied_sessions import LINK_AGAIN, CopiedSessions
from mixnet.client.contacts.deletion import delete
from mixnet.client.contacts.introductions import Introductions
from mixnet.client.contacts.relinking import relink
from mixnet.client.contacts.renewal import Renewal
from mixnet.client.core.outgoing import MessengerSettings, Outgoing
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import SEEN_LIMIT, SIGNED_TEXT_LIMIT, TEXT_LIMIT, Seen, SignedText, Text, WireId
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.files.sender import FileSender
from mixnet.client.files.transfers import Transfers
from mixnet.client.groups.groups import Groups
from mixnet.client.messenger.archive import ArchiveOps
from mixnet.client.messenger.contact_verbs import ContactVerbs
from mixnet.client.messenger.held_back import HeldBack
from mixnet.client.messenger.inbox import Inbox
from mixnet.client.messenger.lookups import Lookups
from mixnet.client.messenger.outbox import Outbox
from mixnet.client.messenger.revisions import Revisions
from mixnet.client.model.destination import Home
from mixnet.client.model.errors import AnonymousOnly, ContactBlocked, NoGroupFiles, NotInGroups, TextTooLong
from mixnet.client.model.text_limits import check_text
from mixnet.client.model.views import (
    ContactInfo,
    ContactState,
    Event,
    MessageInfo,
    MessageKind,
    MessageState,
    ReadReceiptChoice,
)
from mixnet.client.signing.attestations import Attestations
from mixnet.client.signing.forgery import FORGED_LIMIT, forge_transcript
from mixnet.client.signing.proofs import proof_of
from mixnet.client.storage.contacts import Contact
from mixnet.client.storage.copies import copy_of, settled
from mixnet.client.storage.database import Store
from mixnet.client.storage.messages import NewMessage
from mixnet.client.storage.reply_blocks import SurbMaker
from mixnet.client.storage.timestamps import TimestampTable

_TEXT_LANE = 0
_ANSWERED = (ContactState.ESTABLISHED, ContactState.VERIFIED)


@dataclass(frozen=True, slots=True)
class MessengerParts:
    """What the user's devices build on: they stand above the messenger, and share its state."""

    core: Core
    introductions: Introductions
    transfers: Transfers
    receiving: FileReceiver


class Messenger(Lookups):
    """One profile's conversations. `now` is always seconds since the Unix epoch; a repeated `now` is fine."""

    def __init__(
        self,
        store: Store,
        settings: MessengerSettings,
        jitter: random.Random,
        home: Home,
        surbs: SurbMaker,
        *,
        pauses: random.Random,
    ) -> None:
        """Take up where the store left off; `home` is where contacts reach us and what we are called.

        `surbs` makes the reply blocks of anonymous messages, `pauses` is the stream of random pauses.
        """
        core = Core(store, settings, jitter, home, pauses)
        super().__init__(core, Transfers(core))
        # Each part is made after those that it is given. The inbox is last: it hands what comes to all of them.
        self._sending = FileSender(self._core, self._transfers)
        self._receiving = FileReceiver(self._core, self._transfers)
        self._renewal = Renewal(self._core, self._sending, self._receiving)
        self._introductions = Introductions(self._core, self._renewal)
        self.archive = ArchiveOps(self._core, self._receiving)
        self.anonymous = Anonymous(self._core, surbs)
        core.feeders.add(HeldBack(core))
        self.groups = Groups(self._core, self._introductions)
        copied = CopiedSessions(self._core, self._introductions)
        self._outbox = Outbox(self._core, self._sending, self._receiving, self.anonymous, self.groups, copied=copied)
        self.people = ContactVerbs(self._core, self._outbox)
        self.attestations = Attestations(self._core, self._receiving)
        self.revisions = Revisions(
            core, sending=self._sending, receiving=self._receiving, attesting=self.attestations, groups=self.groups
        )
        self.timestamps = TimestampTable(self._core.store, self._core.signatures)
        self._inbox = Inbox(
            self._core,
            introductions=self._introductions,
            sending=self._sending,
            receiving=self._receiving,
            renewal=self._renewal,
            copied=copied,
            attesting=self.attestations,
            revisions=self.revisions,
            groups=self.groups,
            anonymous=self.anonymous,
        )
        self.parts = MessengerParts(self._core, self._introductions, self._transfers, self._receiving)
        self._settle_copy()

    def _settle_copy(self) -> None:
        """At the first start of a profile that was made of a backup, give up what can't go on by itself."""
        core, copy = self._core, copy_of(self._core.store)
        if copy is None or copy.settled:
            return
        with core.change():
            self.anonymous.went_on_elsewhere()
            self.groups.went_on_elsewhere(copy.restored)
            for device in core.siblings:
                core.device_table.trouble(device, LINK_AGAIN)
            settled(core.store)

    # contacts

    def create_invitation(self, name: str, now: float) -> Invitation:
        """A single-use invitation that shows `name` as ours; `.encode()` gives the text to hand over. BadName."""
        return self._introductions.create(name, now)

    def accept_invitation(self, text: str, name: str | None, now: float) -> ContactInfo:
        """Become a contact of the inviter, called `name` here (None: as the invitation says).

        Raises MalformedInvitation, ExpiredInvitation, WrongNetwork, OwnInvitation, AlreadyContact, NameTaken, BadName.
        """
        return self._introductions.accept(text, name, now)

    def contact_by(self, channel: bytes) -> ContactInfo | None:
        """The contact that used our invitation of this channel, if anybody did."""
        return self._introductions.made_by(channel)

    def contact_of(self, identity: bytes) -> ContactInfo | None:
        """The user's contact of an identity (32 bytes), if there is one that has answered."""
        contact = self._core.contacts.known(identity)
        if contact is None or contact.role != "contact" or contact.state not in _ANSWERED:
            return None
        return self._core.contacts.info(contact.id)

    def relink(self, name: str, new_name: str, now: float) -> ContactInfo:
        """Let a contact be who came back under another name, with another identity, because the user says so.

        Raises UnknownContact, SameContact, ContactBlocked, WrongStep.
        """
        return relink(self._core, self._renewal, name, new_name, now)

    def default_read_receipts(self, choice: ReadReceiptChoice | None = None) -> ReadReceiptChoice:
        """Whether contacts learn what was read of whom nothing else was said; set first, if given."""
        if choice is not None:
            with self._core.change():
                self._core.contacts.set_default_reading(choice)
        return self._core.contacts.default_reading()

    def delete_contact(self, name: str) -> None:
        """Forget a contact with its session, its keys and its conversation; UnknownContact, AnonymousOnly."""
        contact = self._core.contacts.person(name)
        if contact.id in self._core.anonymous:
            raise AnonymousOnly("nobody anonymous is a contact: end the conversation, and delete its messages")
        with self._core.change():
            known_as = self.groups.known_as(contact)
            delete(self._core, contact, in_group=self.groups.shares(contact.id))
            self.groups.call_anew(known_as, contact.name)
        self._receiving.forget()
        self._core.store.forget_remnants()

    # messages

    def send_text(
        self, contact: str, text: str, now: float, lifetime: float | None = None, *, signed: bool = False
    ) -> int:
        """Queue a text, given up after `lifetime` seconds (None: as the network says), and return its number.

        `signed`: anybody can be shown that it is ours. Raises UnknownContact, ContactBlocked, UnusableText,
        TextTooLong, BadLifetime; to somebody anonymous AnonymousTextTooLong, NoLongerReached, ConversationEnded and
        AnonymousOnly too.
        """
        if self.groups.has(contact):
            if signed:
                raise NotInGroups
            return self.groups.send(contact, text, now, lifetime)
        core = self._core
        whom = self.addressed(contact, text, lifetime, signed=signed)
        if whom in core.anonymous:
            if signed:
                raise AnonymousOnly("what is signed isn't anonymous: leave the signature out")
            return self.anonymous.write(whom, text, now, lifetime)
        with core.change():
            to, state = core.contacts.get(whom), MessageState.QUEUED
            number = core.messages.add(NewMessage(whom, MessageKind.TEXT, state, text, period=to.period), now)
            wire, sign = core.messages.name_for_contact(number), core.signatures.sign_text
            body: Text | SignedText = Text(wire, text, to.period)
            if signed:
                body = msgspec.structs.replace(sign(number, wire, to.identity, text, now), period=to.period)
            core.enqueue(whom, _TEXT_LANE, body, number, now, lifetime=lifetime)
        return number

    def addressed(self, contact: str, text: str | None, lifetime: float | None, *, signed: bool = False) -> int:
        """The row of a contact to whom a text (None: a file) can be sent; errors as `send_text` raises them."""
        if text is not None:
            check_text(text, SIGNED_TEXT_LIMIT if signed else TEXT_LIMIT)
        self._core.check_lifetime(lifetime)
        return self._reached(contact).id

    def _reached(self, name: str) -> Contact:
        contact = self._core.contacts.person(name)
        if contact.blocked:
            raise ContactBlocked(self._core.unblock_first(contact))
        return contact

    def send_file(
        self, contact: str, path: Path, now: float, lifetime: float | None = None, *, signed: bool = False
    ) -> int:
        """Queue a file, read only as it is sent and given up after `lifetime` seconds, and return its number.

        `signed` as for a text. Raises UnknownContact, ContactBlocked, FileMissing, FileTooLarge, BadLifetime,
        NoGroupFiles.
        """
        self._core.check_lifetime(lifetime)
        if self.groups.has(contact):
            raise NoGroupFiles
        whom = self._reached(contact).id
        if whom in self._core.anonymous:
            raise AnonymousOnly("files can't be sent in an anonymous conversation: send a text")
        return self._sending.start(whom, path, now, lifetime, signed=signed)

    def send_anonymous(
        self, address: str, text: str, now: float, answers: float | None = None, lifetime: float | None = None
    ) -> int:
        """Begin an anonymous conversation with a public address, see `Anonymous.send`; the number of its first text."""
        check_text(text, TEXT_LIMIT)
        self._core.check_lifetime(lifetime)
        return self.anonymous.send(address, text, now, answers, lifetime)

    def cancel(self, number: int, now: float) -> MessageInfo:
        """Give up a message of ours that is queued or under way: it has failed then; UnknownMessage, NotUnderWay."""
        with self._core.change():
            self._outbox.cancel(number, now)
            self.groups.cancelled(number, now)
        return self._core.messages.get(number)

    def mark_read(self, number: int, now: float) -> None:
        """Mark a message, and what came before it in its conversation, as read; UnknownMessage."""
        core = self._core
        self.mark_shown(core.messages.unread(core.messages.contact_of(number), number), now)

    def mark_shown(self, numbers: Iterable[int], now: float) -> None:
        """Mark those of the messages that are unread as read, and tell their senders, if the user's choices say so.

        A blocked sender is not told, then or later, nobody is in an anonymous conversation, and nobody whom the user
        lets know nothing of it.
        """
        core = self._core
        with core.change():
            for contact, seen in core.messages.see(numbers).items():
                core.message_changed(seen[-1][0])  # other programs look again: one event of each conversation will do
                core.messages.begin_to_disappear([number for number, _ in seen], now)
                whole = [(number, remote) for number, remote in seen if remote is not None]
                for at in range(0, len(whole), SEEN_LIMIT):
                    self._tell_read(contact, whole[at : at + SEEN_LIMIT], now)

    def _tell_read(self, contact: int, seen: Sequence[tuple[int, int]], now: float) -> None:
        core = self._core
        self.groups.was_read(contact, seen, now)
        choice = core.contacts.reading(contact)
        if contact in core.blocked or choice is ReadReceiptChoice.OFF:
            return
        if core.contacts.get(contact).role == "contact":
            self.attestations.read(contact, [number for number, _ in seen], now)
            known = tuple(WireId(remote) for _, remote in seen if remote >= 0)  # not those of a session given up
            if known:
                core.enqueue(contact, _TEXT_LANE, Seen(known), None, now, held=core.hides_reading(contact))

    def proof(self, number: int) -> bytes:
        """The file that proves a signed message to anybody; UnknownMessage, NotSigned."""
        return proof_of(self._core, self.timestamps, number)

    def forge(self, contact: str, texts: Sequence[str], now: float) -> str:
        """A transcript in which the contact has written `texts`, and which nobody can tell from a genuine one.

        Nothing is stored or sent. UnknownContact, UnusableText, TextTooLong, NoSession.
        """
        for text in texts:
            check_text(text, TEXT_LIMIT)
        if sum(len(text) for text in texts) > FORGED_LIMIT:
            raise TextTooLong("these are too many letters for one transcript: forge them in parts")
        return forge_transcript(self._core, contact, texts, now)

    # the network

    @property
    def faults(self) -> int:
        """How often what a peer asked for was refused for an error that is a fault of this program."""
        return self._core.faults

    def next_outgoing(self, now: float) -> Outgoing | None:
        """What the next payload slot should carry, or None. It counts as sent now, unless `transmitted` says when."""
        return self._outbox.next(now)

    def transmitted(self, outgoing: Outgoing, slot_time: float, drawn_delay: float) -> None:
        """It left at `slot_time` (wall seconds) with `drawn_delay` seconds of mixing ahead: start its timer."""
        self._outbox.left(outgoing, slot_time, drawn_delay)

    def wants(self, outgoing: Outgoing) -> bool:
        """Whether what `next_outgoing` gave should still be sent: its message may have been given up since."""
        return self._outbox.wants(outgoing)

    def expire(self, now: float) -> None:
        """Give up what has waited too long; `next_outgoing` does it too."""
        self._outbox.expire(now)

    @property
    def next_expiry(self) -> float | None:
        """When the next thing that waits has waited too long."""
        return self._core.next_expiry

    def wake_at(self) -> float | None:
        """When `next_outgoing` may have something without any other call before (may be in the past); None: never."""
        return self._outbox.wake_at()

    def delivered_untrusted(self, message: bytes, now: float) -> list[Event]:
        """Take the plaintext of a packet that a contact sent; RemoteError if it is not one, StoreUnavailable."""
        self._inbox.delivered_untrusted(message, now)
        return self.take_events()

    def replied_untrusted(self, message: bytes, now: float, session: int | None = None) -> list[Event]:
        """Take the plaintext that came back through a reply block that left in a fragment of `session`.

        Raises RemoteError, for what is about another session too, and StoreUnavailable.
        """
        self._inbox.replied_untrusted(message, now, session)
        return self.take_events()

    def came_back_untrusted(self, raw: bytes, now: float) -> list[Event]:
        """Take what came through a reply block that none of this process is: its id (32 bytes), then what came.

        Raises UnknownBlock, RemoteError, StoreUnavailable.
        """
        self._inbox.came_back_untrusted(raw, now)
        return self.take_events()
