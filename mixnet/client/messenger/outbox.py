"""Chooses what goes into the next payload slot, and ends messages whose time is over.

Promises: as long as the user has something to send, three quarters of the slots are for that, every lane of every
contact in turn, so that nothing short waits behind something long; the others are for what peers order, each peer its
fair share (client/core/shares.py), acknowledgements first; no slot is left while anything waits. A message is encrypted
only when its turn comes, which keeps the store small and the ratchet turning; nothing that waits for a blocked contact
is sent until it is unblocked. Never: the same fragment twice without a reason to believe it lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from functools import partial

from mixnet.client.anonymous.anonymous import Anonymous
from mixnet.client.arq.fragments import LANES, FragmentToSend, ReplyBlock
from mixnet.client.arq.sender import PEER, USER, Transmission
from mixnet.client.contacts.copied_sessions import CopiedSessions
from mixnet.client.core.conversation import Conversation, Parcel
from mixnet.client.core.outgoing import Outgoing, OutgoingAnswer, OutgoingFragment, OutgoingReply
from mixnet.client.core.shares import Shares
from mixnet.client.core.state import Core, WaitingBody
from mixnet.client.e2e.bodies import (
    Disappear,
    Edit,
    MessageEvent,
    Reason,
    SignedEdit,
    Withdraw,
    decode_untrusted,
)
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.files.sender import FILE_LANE, FileSender
from mixnet.client.groups.groups import Groups
from mixnet.client.messenger.old_copies import ANONYMOUS, BROKEN, LAPSED
from mixnet.client.model.contact_states import ContactEvent
from mixnet.client.model.errors import NotUnderWay
from mixnet.client.model.failures import CANCELLED, EXPIRED, TO_BLOCKED, GivenUp
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.errors import RemoteError
from mixnet.sphinx import Surb

_NO_ANSWER = "the invitation was not answered: it has expired or somebody else used it; ask for a new one"
UNANSWERED = (
    "the invitation that you accepted last was not answered, so this contact's session is still the one of before:"
    " ask for a new invitation if it does not work"
)
_LOOK_AGAIN = 60.0  # seconds after which what could not be given up is looked at again
_STRANGERS = 0  # stands for all anonymous conversations: no conversation, no contact and no group has this number
_UNKNOWN = -(1 << 62)  # and this for all who are known by a group only, but not yet by which
FROM_BLOCKED = "you blocked the contact before this was complete: unblock it and ask for it again"
NOT_REVISED = (
    "an edit, a deletion for everyone or a change of the period did not get there in time: the contact may still have"
    " what was there before, so do it again"
)
_REVISIONS = Edit | SignedEdit | Withdraw | Disappear
_LATE_REVISIONS = (  # whose plaintexts are here; each has its row of a message, or is of the user's own account without
    "SELECT contact, body FROM waiting WHERE expires <= ? AND message IS NULL AND account = -1 UNION ALL"
    " SELECT contact, body FROM stranded WHERE expires <= ? AND message IS NULL AND body IS NOT NULL AND account = -1"
    " UNION ALL SELECT s.contact, p.body FROM outbound o JOIN posted p USING (session, lane, number)"
    " JOIN sessions s ON s.id = o.session WHERE o.expires <= ? AND o.message IS NULL AND o.account = -1"
)
_UNDELIVERED = "SELECT id FROM messages WHERE contact = ? AND outgoing AND state IN ('queued', 'sent') ORDER BY id"


class Outbox:
    """Decides what leaves next, of all that waits."""

    def __init__(
        self,
        core: Core,
        sending: FileSender,
        receiving: FileReceiver,
        anonymous: Anonymous,
        groups: Groups,
        *,
        copied: CopiedSessions,
    ) -> None:
        self._core, self._copied = core, copied
        self._sending, self._receiving = sending, receiving
        self._anonymous, self._groups = anonymous, groups
        # (conversation, lane) → in which of the user's turns it was last: who waits the longest is next. All anonymous
        # conversations have one turn together.
        self._served: dict[tuple[int, int], int] = {}
        self._turn = 0
        self._shares = Shares()
        self._peers: dict[int, int] = {}  # contact → whose share what it orders is,
        self._role_changes = 0  # as of these
        core.memories.append(self)

    def reload(self) -> None:
        """See `Memory`."""
        self._peers.clear()

    def remember(self) -> Callable[[], object]:
        """See `Memory`: what is looked up again is as it was."""
        return self._peers.clear

    def next(self, now: float) -> Outgoing | None:
        """What the next slot should carry, or None."""
        core, shares = self._core, self._shares
        self.expire(now)
        core.feeders.feed(now)
        offers = self._offers(now)
        outgoing = self._of_peers(offers, now) if shares.peers_first else None
        if outgoing is None and (outgoing := self._of_user(offers, now)) is not None:
            shares.taken_by_user()
        elif outgoing is None and not shares.peers_first:
            outgoing = self._of_peers(offers, now)
        if outgoing is None:
            shares.left_over()
        return outgoing

    def _named(self) -> list[Conversation]:
        """The conversations with contacts that are not blocked: strangers don't go before them.

        Of copied sessions nothing leaves but requests for others.
        """
        core = self._core
        silent = core.blocked | core.anonymous.keys()
        return [one for one in core.conversations.values() if one.contact not in silent and not one.copied]

    def left(self, outgoing: Outgoing, slot_time: float, drawn_delay: float) -> None:
        """It left: start its timer; a message of which it is the first is sent."""
        if isinstance(outgoing, OutgoingReply) and not isinstance(outgoing, OutgoingAnswer):
            return
        core = self._core
        conversation = core.conversations.get(outgoing.key[0])
        message = None if conversation is None else conversation.left(outgoing.key[1], slot_time)
        if message is not None:
            with core.change():
                core.messages.left(message, slot_time, drawn_delay)
                core.step_message(message, MessageEvent.SEND)

    def wake_at(self) -> float | None:
        """When `next` may have something by the passing of time alone: 0.0 for at once."""
        core = self._core
        if core.last_words or any(self._may_refill(contact, lane) for contact, lane in core.waiting):
            return 0.0
        if any(self._may_refill(contact, FILE_LANE) for contact in core.files):
            return 0.0
        times: list[float | None] = [
            conversation.wake_at() for conversation in self._named() if conversation.wants_slot()
        ]
        with suppress(RemoteError), core.refusing():
            times.append(self._anonymous.wake_at())
        times += [*core.feeders.due(), self._copied.wake_at()]
        return min((time for time in (*times, core.next_expiry) if time is not None), default=None)

    def _may_refill(self, contact: int, lane: int) -> bool:
        route = self._core.routes.get(contact)
        return contact not in self._core.blocked and route is not None and route.sender.has_window(lane)

    # who has something

    def _offers(self, now: float) -> dict[Conversation, list[set[int]]]:
        """The conversations that may have something for this slot: on which accounts, of each lane."""
        core = self._core
        waited_for = core.files | {contact for contact, _ in core.waiting}
        busy = [one for one in self._named() if one.contact in waited_for or one.wants_slot()]
        return {one: [self._accounts(one, lane, now) for lane in range(LANES)] for one in busy}

    def _accounts(self, conversation: Conversation, lane: int, now: float) -> set[int]:
        """On which accounts something could leave in a lane; what waits behind other bodies counts, too."""
        core, sender, contact = self._core, conversation.sender, conversation.contact
        accounts = sender.accounts(lane)
        if lane == 0 and sender.busy():
            asks = sender.wake_at()
            if asks is not None and asks <= now:
                accounts.add(sender.asker)
        waiting = core.waiting.get((contact, lane), frozenset())
        if lane == FILE_LANE and contact in core.files:
            waiting |= {USER}
        return accounts | waiting if waiting and self._goes_out_in(conversation, lane) else accounts

    # the user's own

    def _of_user(self, offers: Mapping[Conversation, Sequence[Set[int]]], now: float) -> Outgoing | None:
        """What is on the user's account, of the lane whose turn it is."""
        lanes = [(one.id, lane) for one, lanes in offers.items() for lane in range(LANES) if USER in lanes[lane]]
        for place in sorted([(_STRANGERS, 0), *lanes], key=lambda one: self._served.get(one, 0)):
            outgoing = None
            with suppress(RemoteError), self._core.refusing():  # whatever fails in one, the others have their turns
                if place[0] == _STRANGERS:
                    outgoing = self._anonymous.next(now, self._refill, self._fragment)
                else:
                    outgoing = self._fragment_in(*place, USER, now)
            if outgoing is not None:
                self._turn += 1
                self._served[place] = self._turn
                return outgoing
        return None

    # what peers order

    def _of_peers(self, offers: Mapping[Conversation, Sequence[Set[int]]], now: float) -> Outgoing | None:
        """What somebody ordered, of the peer that had least lately: an answer, if one is due, else a fragment."""
        ordered: defaultdict[int, list[Callable[[], Outgoing | None]]] = defaultdict(list)
        for conversation, lanes in offers.items():
            due = conversation.receiver.due_at()
            if due is not None and due <= now:
                ordered[self._peer(conversation, PEER)].insert(0, partial(self._answer, conversation.id, now))
            for lane, accounts in enumerate(lanes):
                for account in accounts - {USER}:
                    fragment = partial(self._fragment_in, conversation.id, lane, account, now)
                    ordered[self._peer(conversation, account)].append(fragment)
        for contact, block, raw in self._core.last_words:
            ordered[contact].append(partial(self._last_word, contact, block, raw, now))
        for conversation in self._copied.due(now):
            ordered[self._peer(conversation, PEER)].append(partial(self._copied.request, conversation.id, now))
        ordered[_STRANGERS].append(partial(self._anonymous.next_ordered, now, self._fragment))
        for peer in self._shares.in_turn(ordered):
            for get in ordered[peer]:
                outgoing = None
                with suppress(RemoteError), self._core.refusing():  # whatever fails in one, the others have their turns
                    outgoing = get()
                if outgoing is not None:
                    self._shares.taken_by(peer)
                    return outgoing
        return None

    def _peer(self, conversation: Conversation, account: int) -> int:
        """Whose share it is: a contact's, or that of a group, which all members share who are no contacts."""
        core, contact = self._core, conversation.contact
        if account > PEER:
            return -account
        if self._role_changes != core.contacts.role_changes:
            self._role_changes = core.contacts.role_changes
            self._peers.clear()
        if contact not in self._peers:
            role = "SELECT role FROM contacts WHERE id = ?"
            if core.store.value(str, role, contact) != "member":
                self._peers[contact] = contact
            else:
                group = core.store.value(int, "SELECT min(grp) FROM group_peers WHERE contact = ?", contact)
                if group is None:
                    return _UNKNOWN
                self._peers[contact] = -group
        return self._peers[contact]

    def _answer(self, session: int, now: float) -> OutgoingReply | None:
        conversation = self._core.conversations.get(session)
        answer = None if conversation is None else conversation.receiver.answer(now)
        if conversation is None or answer is None:
            return None
        # The block's length was checked when it came; what is in it only the network can judge.
        surb, ack = Surb.parse_untrusted(answer.surb), conversation.told(answer.ack)
        return OutgoingReply(surb, ack.encode(conversation.incoming), conversation.id)

    def _last_word(self, contact: int, block: ReplyBlock, raw: bytes, now: float) -> OutgoingReply | None:
        """An answer in a session that was given up: it is wanted as long as the one that took its place."""
        self._core.last_words.remove((contact, block, raw))
        route = self._core.routes.get(contact)
        if route is None or contact in self._core.blocked or block.until < now:
            return None
        return OutgoingReply(Surb.parse_untrusted(block.surb), raw, route.id)

    def _fragment_in(self, session: int, lane: int, account: int, now: float) -> Outgoing | None:
        conversation = self._core.conversations.get(session)
        return None if conversation is None else self._fragment(conversation, lane, account, now)

    # both

    def _fragment(self, conversation: Conversation, lane: int, account: int, now: float) -> Outgoing | None:
        transmission = self._transmission(conversation, lane, account, now)
        if transmission is None:
            return None
        # A change that failed on the way may have made all conversations again.
        current = self._core.conversations[conversation.id]
        return OutgoingFragment(
            destination=current.destination,
            wants_surb=transmission.wants_surb,
            key=(current.id, transmission.id),
            content=current.content(transmission),
        )

    def _transmission(self, conversation: Conversation, lane: int, account: int, now: float) -> Transmission | None:
        sender = conversation.sender
        if lane == 0 and sender.busy() and sender.asker == account:
            solicitation = sender.next_solicitation(now)
            if solicitation is not None:
                return solicitation
        if not sender.waits(lane, account):
            self._refill(conversation, lane, account, now)
        return sender.next(lane, now, account)

    def _goes_out_in(self, conversation: Conversation, lane: int) -> bool:
        """Whether the next message of a lane to the contact is encrypted here, and can be now."""
        route = self._core.routes.get(conversation.contact)
        return route is conversation and self._may_refill(conversation.contact, lane)

    def _refill(self, conversation: Conversation, lane: int, account: int, now: float) -> None:
        """Encrypt the next message of a lane, if it is on this account and there is room for it."""
        core, contact = self._core, conversation.contact
        if not self._goes_out_in(conversation, lane):
            return
        if (contact, lane) in core.waiting:
            first = core.next_waiting(contact, lane)
            if first is None or first.account == account:
                with core.change():
                    self._post_waiting(conversation, lane, first)
        elif lane == FILE_LANE and contact in core.files and account == USER:
            with core.change():
                parcel = self._sending.next_parcel(contact, now)
                if parcel is not None:
                    conversation.post(parcel)

    def _post_waiting(self, conversation: Conversation, lane: int, first: WaitingBody | None) -> None:
        core, contact = self._core, conversation.contact
        if first is not None:
            core.store.run("DELETE FROM waiting WHERE id = ?", first.id)
            # Sessions between devices are never renewed, and what they carry may be deleted before it is delivered.
            kept, text = contact not in core.siblings, first.message is not None
            conversation.post(Parcel(lane, first.body, first.message, text, 0, first.expires, first.account, kept))
        core.no_longer_waits(contact, lane)

    # giving up

    def wants(self, outgoing: Outgoing) -> bool:
        """Whether there still is a reason to send this: its message may have been given up since, or it is blocked."""
        conversation = self._core.conversations.get(outgoing.session)
        if conversation is None or conversation.contact in self._core.blocked:
            return False
        if not isinstance(outgoing, OutgoingFragment) or not isinstance(outgoing.content, FragmentToSend):
            return True
        fragment = outgoing.content.fragment
        return conversation.sender.acked(fragment.lane, fragment.number) is not None

    def cancel(self, number: int, now: float) -> None:
        """Give up a message of ours that is queued or under way; UnknownMessage, NotUnderWay."""
        message = self._core.messages.get(number)
        if not message.outgoing:
            raise NotUnderWay(f"message {number} came to you: only what you send can be cancelled")
        if message.state in (MessageState.DELIVERED, MessageState.READ):
            raise NotUnderWay(f"message {number} is {message.state} already: it is too late to cancel it")
        if message.state is MessageState.FAILED:
            raise NotUnderWay(f"message {number} has failed already, nothing is left to cancel: {message.error}")
        with self._core.change():
            self.give_up(number, Reason.CANCELLED, now, CANCELLED)

    def give_up(self, message: int, reason: Reason, now: float, error: str | GivenUp) -> None:
        """Send no more of a message: `reason` is for the receiver of a file, `error` for our user."""
        if self._core.messages.get(message).kind is MessageKind.FILE:
            self._sending.give_up(message, reason, now, error)
        else:
            self._core.fail_message(message, error)

    def stop(self, contact: int, now: float) -> None:
        """Give up all that is under way from a contact and to it, which was blocked."""
        for (message,) in self._core.store.all(_UNDELIVERED, contact):
            self.give_up(message, Reason.CANCELLED, now, TO_BLOCKED)
        self._receiving.give_up(contact, FROM_BLOCKED)
        for conversation in self._core.conversations.values():
            if conversation.contact == contact:
                conversation.receiver.hush()
        self._core.forget_last_words(contact)
        self._groups.silence(contact)

    def sweep(self) -> None:
        """Remove from the disk what was given up, once that is stored."""
        self._receiving.sweep()

    def expire(self, now: float) -> None:
        """Give up what has waited too long."""
        core = self._core
        if core.next_expiry is None or core.next_expiry > now:
            return
        with core.change():
            # Contacts first: what was written to who never answered fails with that reason, and is not found below.
            attempt = core.attempt
            first = (
                "SELECT o.session FROM outbound o JOIN sessions s ON s.id = o.session"
                " WHERE o.expires <= ? AND o.lane = 0 AND o.number = 0 AND s.entry IS NOT NULL"
            )
            for (session,) in core.store.all(first, now):
                attempt(partial(self._give_up_contact, session, now))
            for (message,) in core.store.all("SELECT message FROM sending WHERE expires <= ?", now):
                attempt(partial(self._sending.give_up, message, Reason.EXPIRED, now, EXPIRED))
            # All three are read before anything is given up, since that deletes rows of them.
            waiting = core.store.all("SELECT message FROM waiting WHERE expires <= ?", now)
            under_way = core.store.all("SELECT session, lane, number, message FROM outbound WHERE expires <= ?", now)
            stranded = core.store.all("SELECT message FROM stranded WHERE expires <= ?", now)
            self._warn_of_revisions(now)
            for message in sorted({row[-1] for row in (*waiting, *stranded, *under_way)} - {None}):
                attempt(partial(self._lapse, message, now))
            core.store.run("DELETE FROM waiting WHERE expires <= ?", now)
            core.store.run("DELETE FROM stranded WHERE expires <= ?", now)
            for session, lane, number, _ in under_way:
                if session in core.conversations:  # also what could not be given up just now: nothing waits for ever
                    core.conversations[session].withdraw(lane, number)
            core.store.run("DELETE FROM invitations WHERE expires <= ?", now)
            for expire in (core.own_devices.expire, self._anonymous.expire, self._receiving.expire):
                attempt(partial(expire, now))
            core.find_next_expiry()
            if core.next_expiry is not None and core.next_expiry <= now:  # what failed is not tried in each slot
                core.next_expiry = now + _LOOK_AGAIN
        self._receiving.sweep()

    def _warn_of_revisions(self, now: float) -> None:
        """Tell the user of edits and deletions that the other side did not get in time."""
        core = self._core
        late = [row for row in core.store.all(_LATE_REVISIONS, now, now, now) if row[0] not in core.anonymous]
        whose = {contact for contact, body in late if isinstance(decode_untrusted(bytes(body)), _REVISIONS)}
        for contact in sorted(whose):
            core.attempt(partial(core.warn, contact, NOT_REVISED, now))

    def _lapse(self, message: int, now: float) -> None:
        """The time of a message is over: it fails, with the reason if one is known."""
        messages = self._core.messages
        error = messages.last_error(messages.contact_of(message))
        why = error if error == ANONYMOUS else LAPSED if error in BROKEN else EXPIRED
        self.give_up(message, Reason.EXPIRED, now, why)

    def _give_up_contact(self, session: int, now: float) -> None:
        """Nobody answered in a session: its contact is expired, and so is what was written to it."""
        core = self._core
        conversation = core.conversations[session]
        number = conversation.contact
        contact = core.contacts.get(number)
        if contact.state is not ContactState.PENDING:
            if self._copied.unanswered(conversation):  # the user did not begin it, and the one of before goes on
                self._copied.forget(conversation)
            elif contact.role != "member":  # nobody shows these: the group mends it
                core.warn(number, UNANSWERED, now)
            return
        core.contacts.step(contact, ContactEvent.EXPIRE)
        if contact.role == "contact":
            core.contact_changed(number)
        unsent = "SELECT message FROM waiting WHERE contact = ? UNION SELECT message FROM sending WHERE contact = ?"
        for (message,) in core.store.all(unsent, number, number):
            if message is not None:
                core.fail_message(message, _NO_ANSWER)
        core.store.run("DELETE FROM waiting WHERE contact = ?", number)
