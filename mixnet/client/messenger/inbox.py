"""Handles what arrives: fragments, acknowledgements, and the messages that they complete.

Promises: nothing is changed by bytes that do not verify; a fragment, the message that it completes and everything that
the message causes are stored together, before any acknowledgement of them can leave; a message is delivered once. What
a blocked contact sends is dropped unread, as if nobody were here: nothing is stored, and nothing leaves because of it.
"""

from __future__ import annotations

from functools import partial

from mixnet.client.anonymous.anonymous import Anonymous
from mixnet.client.arq import acks
from mixnet.client.arq.acks import LaneReport
from mixnet.client.arq.fragments import LANES, Arrival, ChannelKey, Fragment, PlaintextKind, Probe, Unverified
from mixnet.client.contacts.copied_sessions import CopiedSessions
from mixnet.client.contacts.introductions import Introductions
from mixnet.client.contacts.renewal import GRACE, Renewal
from mixnet.client.core.conversation import Conversation, Delivered
from mixnet.client.core.state import Core
from mixnet.client.e2e import anonymous_bodies
from mixnet.client.e2e.bodies import (
    REASONS,
    Abort,
    Body,
    Chunk,
    Disappear,
    Edit,
    End,
    MessageEvent,
    Offer,
    Refuse,
    Resume,
    Seen,
    SignedEdit,
    SignedText,
    Text,
    Withdraw,
    decode_untrusted,
)
from mixnet.client.e2e.group_bodies import GroupBody
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.files.sender import FileSender
from mixnet.client.groups.groups import Groups
from mixnet.client.messenger.allowed import Peer, check_untrusted
from mixnet.client.messenger.old_copies import ANONYMOUS, BETWEEN_DEVICES, BROKEN, OUTDATED, TOLD, UNOPENED
from mixnet.client.messenger.revisions import Revisions
from mixnet.client.model.views import DeviceRole, MessageKind, Role
from mixnet.client.signing.attestations import Attestations
from mixnet.crypto import SymmetricKey
from mixnet.errors import RemoteError

_GIVEN_UP = (
    "SELECT s.id, s.contact, s.incoming_key, r.settled FROM sessions s JOIN retired r ON r.session = s.id"
    " WHERE s.incoming = ?"
)
_RENEWAL = bytes([PlaintextKind.RENEWAL])
_PAUSE = 600.0  # seconds between two answers in a session that was given up

_ROLES = {"contact": Peer.CONTACT, "member": Peer.MEMBER}  # of rows of contacts that have sessions


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
        copied: CopiedSessions,
        attesting: Attestations,
        revisions: Revisions,
        groups: Groups,
        anonymous: Anonymous,
    ) -> None:
        self._core, self._introductions, self._renewal, self._copied = core, introductions, renewal, copied
        self._sending, self._receiving = sending, receiving
        self._attestations, self._groups, self._anonymous = attesting, groups, anonymous
        self._revisions = revisions
        self._answered: dict[int, float] = {}  # session that was given up → when its contact was last told so

    def delivered_untrusted(self, raw: bytes, now: float) -> None:
        """Take the plaintext of a packet; RemoteError if it, or a message that it completes, is not genuine."""
        with self._core.refusing():
            if raw[:1] == _RENEWAL:
                self._copied.asked_untrusted(raw, now)
                return
            unverified = Unverified.parse_untrusted(raw)
            conversation = self._core.by_incoming.get(unverified.channel)
            if conversation is None:
                self._given_up_untrusted(unverified, now)
                if not self._anonymous.greeted_untrusted(unverified, now):
                    self._introductions.greeted_untrusted(unverified, now)
                return
            if conversation.contact in self._core.blocked or conversation.copied:
                return
            arrival = unverified.verify_untrusted(conversation.incoming)
            if conversation.contact in self._core.anonymous:
                self._anonymous.admit_untrusted(conversation, arrival, now)
            refused = self._take_untrusted(conversation, arrival, now)
            self._receiving.sweep()
        if refused is not None:
            raise refused

    def _given_up_untrusted(self, unverified: Unverified, now: float) -> None:
        """Tell both sides if a contact writes in a session that it had given up: it uses a copy from before that.

        RemoteError if it is of such a session at all: nothing of it is delivered.
        """
        row = self._core.store.one(_GIVEN_UP, unverified.channel)
        if row is None:
            return
        session, contact, key, settled = row
        channel = ChannelKey(unverified.channel, SymmetricKey(bytes(key)))
        arrival = unverified.verify_untrusted(channel)
        # `settled` is when it said so (1 and less: it did not, so it may not have heard of the new session yet).
        if settled > 1 and now >= settled + GRACE and contact not in self._core.blocked:
            self._warn(contact, TOLD, now)
            hushed = contact in self._core.hushed  # an answer at once would show that we are there
            if arrival.block is not None and not hushed and now >= self._answered.get(session, 0.0) + _PAUSE:
                self._answered[session] = now
                nothing = tuple(LaneReport(0, {}) for _ in range(LANES))
                raw = acks.Ack(arrival.transmission, 0.0, nothing, broken=True).encode(channel)
                self._core.last_words.append((contact, arrival.block, raw))
        raise RemoteError("a fragment of a session that was given up")

    def came_back_untrusted(self, raw: bytes, now: float) -> None:
        """Take an answer of somebody to whom we are anonymous: a reply block's id, and what came through it."""
        with self._core.refusing():
            conversation, arrival, surb_id = self._anonymous.came_back_untrusted(raw)
            if conversation.contact in self._core.blocked:
                return
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
        with self._core.refusing():
            conversation = self._core.by_outgoing.get(acks.channel_of_untrusted(raw))
            if conversation is None:
                raise RemoteError("an acknowledgement for an unknown channel")
            if conversation.contact in self._core.blocked or conversation.copied:
                return
            ack = acks.parse_untrusted(raw, conversation.outgoing)
            if conversation.id != session:
                raise RemoteError("an acknowledgement through a reply block of another conversation")
            if conversation.outdated(ack):
                conversation.broken = True
                self._warn(conversation.contact, OUTDATED, now)
                raise RemoteError("an acknowledgement of what was never sent")
            if ack.broken:
                self._warn(conversation.contact, TOLD, now)
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
                    # What was refused in one lane may have made the conversation again, or ended it.
                    current = self._core.conversations.get(conversation.id)
                    if current is not None:
                        current.skip(lane, floor)
                        refused = self._deliver_ready_untrusted(current, lane, now) or refused
        if arrival.broken:
            self._warn(conversation.contact, TOLD, now)
        # After the change: what is acknowledged through this reply block is stored. What was refused may have been
        # taken back, and the conversation made again by that.
        current = self._core.conversations.get(conversation.id)
        if current is not None:
            self._core.solicited(current, arrival, now, new=new)
            current.sender.wake(now)
        return refused

    def _deliver_ready_untrusted(self, conversation: Conversation, lane: int, now: float) -> RemoteError | None:
        """Deliver all that is complete and in order. What does not open is forgotten, what is refused passed over.

        Neither is raised here: that it was passed over must be stored first, or it would come again and again.
        """
        core, refused = self._core, None
        current: Conversation | None = conversation
        while current is not None and (number := current.receiver.ready(lane)) is not None:
            try:
                message = current.assemble(lane, number)
                plaintext = current.open_untrusted(message)
            except RemoteError as error:
                current.spoil(lane, number)
                current.broken = True
                self._warn(current.contact, UNOPENED, now)
                return error
            # Counted before it is read: whatever is wrong with its contents, it does not come again.
            current.delivered(lane, message)
            refused = core.attempt(partial(self._proven, current, now)) or refused
            refused = core.attempt(partial(self._read_untrusted, current.id, plaintext, now)) or refused
            current = core.conversations.get(conversation.id)  # what was taken back made it again
        return refused

    def _proven(self, conversation: Conversation, now: float) -> None:
        """Something opened, so the other side has this session."""
        if conversation.contact not in self._core.routes:
            self._core.establish(conversation)
        self._renewal.answered(conversation, now)

    def _warn(self, contact: int, error: str, now: float) -> None:
        """Show the user that a conversation is broken, once until something arrives in it again."""
        core = self._core
        if contact in core.anonymous:  # nobody can ask in another way, or renew it
            error = ANONYMOUS
        if contact in core.siblings:
            with core.change():
                core.device_table.trouble(contact, BETWEEN_DEVICES)
        elif core.contacts.get(contact).role == "member":  # nobody shows these: the group mends it
            with core.change():
                self._groups.lost_touch(contact, now)
        elif core.messages.last_error(contact) not in BROKEN:
            core.warn(contact, error, now)

    def _read_untrusted(self, session: int, plaintext: bytes, now: float) -> None:
        """Do what a message says, if it is of one who may say it."""
        conversation = self._core.conversations[session]
        contact, peer = conversation.contact, self._peer(conversation.contact)
        if peer in (Peer.STRANGER, Peer.OWNER):
            said = anonymous_bodies.decode_untrusted(plaintext)
            check_untrusted(peer, said)
            self._anonymous.handle_untrusted(conversation, said, now)
            return
        body = decode_untrusted(plaintext)
        check_untrusted(peer, body)
        if isinstance(body, Resume):
            self._renewal.resumed(conversation, body, now)
        elif peer in (Peer.SATELLITE, Peer.HOME):
            self._core.own_devices.heard_untrusted(contact, body, now)
        elif isinstance(body, GroupBody):
            self._groups.handle_untrusted(contact, body, now)
        else:
            self._handle(contact, body, now)

    def _peer(self, contact: int) -> Peer | None:
        """What a contact's row is to this profile; None for one in whose name nothing can come."""
        core = self._core
        if contact in core.anonymous:
            return Peer.STRANGER if core.anonymous[contact] is Role.READER else Peer.OWNER
        device = core.device_table.get(contact) if contact in core.siblings else None
        if device is not None:
            return Peer.SATELLITE if device.role is DeviceRole.SATELLITE else Peer.HOME
        return _ROLES.get(core.contacts.get(contact).role)

    def _handle(self, contact: int, body: Body, now: float) -> None:
        """Do what a contact says; what it names and we don't know is ignored."""
        match body:
            case Text() | SignedText() if self._core.messages.came(contact, body.id):
                pass  # its sender's profile was restored, and has no word of what was delivered before
            case Text():
                self._core.received_text(contact, body.text, body.id, now, body.period)
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
                self._refused(contact, body)
            case Edit() | SignedEdit() | Withdraw() | Disappear():
                self._revisions.take_untrusted(contact, body, now)
            case _:  # a confirmation has done its work by opening
                self._attestations.take(contact, body, now)

    def _refused(self, contact: int, body: Refuse) -> None:
        """A file of ours is not kept there, even if the acknowledgement of its end came before this."""
        core = self._core
        number = core.messages.ours(body.id, contact)
        if number is None:
            return
        is_file = core.messages.get(number).kind is MessageKind.FILE
        late = is_file and core.messages.step(number, MessageEvent.REFUSE) is not None
        if not core.fail_message(number, REASONS[body.reason]) and late:
            core.message_changed(number)
