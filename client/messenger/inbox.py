"""Handles what arrives: fragments, acknowledgements, and the messages that they complete.

Promises: nothing is changed by bytes that do not verify; a fragment, the message that it completes and everything that
the message causes are stored together, before any acknowledgement of them can leave; a message is delivered once. What
a blocked contact sends is taken and acknowledged like everything else, so that it can't tell, and then dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from client.anonymous.anonymous import Anonymous
from client.arq import acks
from client.arq.fragments import Arrival, Fragment, Probe, Unverified
from client.contacts.introductions import Introductions
from client.contacts.renewal import Renewal
from client.core.conversation import Conversation, Delivered
from client.core.state import Core
from client.e2e.bodies import (
    REASONS,
    Abort,
    Body,
    Chunk,
    End,
    MessageEvent,
    Offer,
    Refuse,
    Resume,
    Seen,
    Text,
    decode_untrusted,
)
from client.e2e.group_bodies import OF_MEMBERS, GroupBody
from client.files.receiver import FileReceiver
from client.files.sender import FileSender
from client.groups.groups import Groups
from client.signing.attestations import Attestations
from mixnet.errors import RemoteError

_REMEDY = (
    "give a fresh invitation (`mixnet invite`) to the contact, who accepts it; what did not arrive is sent again then"
)
UNOPENED = f"a message of this contact does not open: one of you uses an old copy of a profile; {_REMEDY}"
OUTDATED = f"this profile is older than what the contact knows of it: nothing sent from here arrives; {_REMEDY}"


class Inbox:
    """Handles all that arrives in sessions."""

    def __init__(
        self,
        core: Core,
        *,
        introductions: Introductions,
        sending: FileSender,
        receiving: FileReceiver,
        renewal: Renewal,
        attesting: Attestations,
        groups: Groups,
        anonymous: Anonymous,
    ) -> None:
        self._core, self._introductions, self._renewal = core, introductions, renewal
        self._sending, self._receiving = sending, receiving
        self._attestations, self._groups, self._anonymous = attesting, groups, anonymous
        self.on_sibling: Callable[[int, Body, float], object] = lambda _device, _body, _now: None  # set by the devices

    def delivered_untrusted(self, raw: bytes, now: float) -> None:
        """Take the plaintext of a packet; RemoteError if it, or a message that it completes, is not genuine."""
        unverified = Unverified.parse_untrusted(raw)
        conversation = self._core.by_incoming.get(unverified.channel)
        if conversation is None:
            if not self._anonymous.greeted_untrusted(unverified, now):
                self._introductions.greeted_untrusted(unverified, now)
            return
        arrival = unverified.verify_untrusted(conversation.incoming)
        if conversation.contact in self._core.anonymous:
            self._anonymous.admit_untrusted(conversation, arrival, now)
        refused = self._take_untrusted(conversation, arrival, now)
        self._receiving.sweep()
        if refused is not None:
            raise refused

    def came_back_untrusted(self, raw: bytes, now: float) -> None:
        """Take an answer of somebody to whom we are anonymous: a reply block's id, and what came through it."""
        conversation, arrival, surb_id = self._anonymous.came_back_untrusted(raw)
        with self._core.change():
            refused = self._take_untrusted(conversation, arrival, now)
            self._anonymous.answered(conversation, surb_id, now)
        if refused is not None:
            raise refused

    def replied_untrusted(self, raw: bytes, now: float, session: int | None) -> None:
        """Take an acknowledgement through a reply block of `session`; RemoteError if it is not genuine.

        One about another session is refused, whoever made it: if it counted, somebody who knows us by name could try
        with a block that we gave under our name whether an anonymous conversation is ours, too; or the other way round.
        """
        conversation = self._core.by_outgoing.get(acks.channel_of_untrusted(raw))
        if conversation is None:
            raise RemoteError("an acknowledgement for an unknown channel")
        ack = acks.parse_untrusted(raw, conversation.outgoing)
        if conversation.id != session:
            raise RemoteError("an acknowledgement through a reply block of another conversation")
        if conversation.outdated(ack):
            self._warn(conversation.contact, OUTDATED, now)
            raise RemoteError("an acknowledgement of what was never sent")
        with self._core.change():
            for delivered in conversation.acknowledged(ack, now):
                self._note_delivery(delivered, now)
            if conversation.contact not in self._core.routes:
                self._core.establish(conversation)
            self._renewal.answered(conversation, now)

    def _note_delivery(self, delivered: Delivered, now: float) -> None:
        if delivered.message is None:
            return
        if delivered.size:
            self._sending.delivered(delivered.message, delivered.size, now)
        if delivered.last:
            self._core.step_message(delivered.message, MessageEvent.DELIVER)

    def _take_untrusted(self, conversation: Conversation, arrival: Arrival, now: float) -> RemoteError | None:
        """Store what is new and deliver what is complete; gives why a message was refused, once that is stored."""
        content = arrival.content
        refused = None
        if isinstance(content, Probe):
            new = any(floor > conversation.receiver.expected(lane) for lane, floor in enumerate(content.floors))
        else:
            new = conversation.receiver.is_new_untrusted(content)
        if new:
            with self._core.change():
                if isinstance(content, Fragment):
                    conversation.keep(content)
                    floors = {content.lane: content.floor}
                else:
                    floors = dict(enumerate(content.floors))
                # Below its floor the sender has given up: what is missing there never comes, so the lane goes on.
                for lane, floor in floors.items():
                    conversation.skip(lane, floor)
                    refused = self._deliver_ready_untrusted(conversation, lane, now) or refused
        # After the change: what is acknowledged through this reply block is stored.
        conversation.receiver.solicited(arrival, now, new=new)
        conversation.sender.wake(now)
        return refused

    def _deliver_ready_untrusted(self, conversation: Conversation, lane: int, now: float) -> RemoteError | None:
        """Deliver all that is complete and in order. What does not open is forgotten, what makes no sense passed over.

        Neither is raised here: that it was passed over must be stored first, or it would come again and again.
        """
        refused = None
        while (number := conversation.receiver.ready(lane)) is not None:
            try:
                message = conversation.assemble(lane, number)
                plaintext = conversation.open_untrusted(message)
            except RemoteError as error:
                conversation.spoil(lane, number)
                self._warn(conversation.contact, UNOPENED, now)
                return error
            # Counted before it is read: whatever is wrong with its contents, it does not come again.
            conversation.delivered(lane, message)
            if conversation.contact not in self._core.routes:
                self._core.establish(conversation)
            self._renewal.answered(conversation, now)
            try:
                if conversation.contact in self._core.anonymous:
                    self._anonymous.handle_untrusted(conversation, plaintext, now)
                else:
                    self._heed_untrusted(conversation, decode_untrusted(plaintext), now)
            except RemoteError as error:
                refused = error
        return refused

    def _warn(self, contact: int, error: str, now: float) -> None:
        """Show the user that a conversation is broken, once until something arrives in it again."""
        core = self._core
        if contact in core.anonymous:  # whoever has no name has nobody who could ask in another way
            return
        if contact in core.siblings:
            with core.change():
                core.device_table.trouble(contact, error)
        elif core.contacts.get(contact).role == "member":  # nobody shows these: the group mends it
            with core.change():
                self._groups.lost_touch(contact, now)
        elif contact not in core.blocked and core.messages.last_error(contact) not in (UNOPENED, OUTDATED):
            core.warn(contact, error, now)

    def _heed_untrusted(self, conversation: Conversation, body: Body, now: float) -> None:
        """Do what a message says; other devices of the user have a say that contacts don't have."""
        if isinstance(body, Resume):
            self._renewal.resumed(conversation, body, now)
        elif conversation.contact in self._core.siblings:
            self.on_sibling(conversation.contact, body, now)
        else:
            self._handle(conversation.contact, body, now)

    def _handle(self, contact: int, body: Body, now: float) -> None:  # noqa: PLR0912  # one for each kind of body
        """Do what a message says; what it names and we don't know is ignored, and so is a blocked contact.

        But for what it passes on as a member of a group, which is others' too.
        """
        if contact in self._core.blocked and not isinstance(body, OF_MEMBERS):
            return
        if isinstance(body, GroupBody):
            self._groups.handle_untrusted(contact, body, now)
            return
        if isinstance(body, Text | Offer) and self._core.contacts.get(contact).role != "contact":
            return  # who is known by a group only doesn't write to the user
        match body:
            case Text():
                self._core.received_text(contact, body.text, body.id, now)
            case Seen():
                for wire in body.ids:
                    if (number := self._core.messages.ours(wire, contact)) is not None:
                        self._core.step_message(number, MessageEvent.SEE)
            case Offer():
                self._receiving.offered(contact, body, now)
            case Chunk():
                self._receiving.chunk(contact, body, now)
            case End():
                self._receiving.ended(contact, body, now)
            case Abort():
                self._receiving.aborted(contact, body)
            case Refuse():
                if (number := self._core.messages.ours(body.id, contact)) is not None:
                    self._core.fail_message(number, REASONS[body.reason])
            case _:  # a confirmation has done its work by opening, and a greeting comes once only
                self._attestations.take(contact, body, now)
