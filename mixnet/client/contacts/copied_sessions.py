"""Sessions of a profile that was made of a backup, and how they are begun anew by themselves (spec/07-client.md 7.20).

Promises: in a copied session nothing is encrypted, acknowledged, sent again or delivered, since the profile that was
copied may have gone on with its keys; all that leaves is a request for another session, with an invitation for this
contact alone, until the contact has used it. Whoever gets such a request answers it by itself, if it is genuine and of
a contact whom the user has not blocked; nothing about the old session changes before the new one works (7.15).
What a restored profile can't go on with at all has ended, and says why.
"""

from __future__ import annotations

import os

from mixnet.client.arq.fragments import CHANNEL_SIZE, ChannelKey
from mixnet.client.arq.sender import PEER
from mixnet.client.contacts.introductions import Introductions, check_usable
from mixnet.client.core.conversation import Conversation
from mixnet.client.core.outgoing import OutgoingFragment
from mixnet.client.core.setbacks import Setbacks
from mixnet.client.core.state import Core
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.e2e.renewal_request import RenewalRequest, RequestToSend
from mixnet.client.storage import copies
from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError, RemoteError

LONGEST = 3600.0  # seconds between two requests to a contact that doesn't answer
_FIRST = 4  # round trips between the first two
_RANDOM = 32
LINK_AGAIN = (
    "this device or the other one was restored from a backup, so nothing gets across: revoke the satellite at its home"
    " (`mixnet device revoke`) and link it again with a new profile"
)


class CopiedSessions:
    """Asks for other sessions in the place of copied ones, and answers those who ask."""

    def __init__(self, core: Core, introductions: Introductions) -> None:
        self._core, self._introductions = core, introductions
        self._due: dict[int, tuple[float, float]] = {}  # session → when the next request leaves, the pause after it
        self._often = Setbacks[int]()  # contacts that have asked of late
        self._begun: dict[int, int] = {}  # contact → the session that its last request made

    # at the restored client

    def wake_at(self) -> float | None:
        """When a request is due: 0.0 for at once, None for never."""
        return min((self._due.get(one.id, (0.0, 0.0))[0] for one in self._copied()), default=None)

    def due(self, now: float) -> list[Conversation]:
        """The sessions in which a request may leave now."""
        for conversation in self._copied():
            if conversation.id not in self._due:
                # At once, unless the moment would show a contact when the daemon has started.
                hushed, pauses = conversation.contact in self._core.hushed, self._core.pauses
                first = pauses.moment(conversation.contact, now) if hushed else now
                self._due[conversation.id] = first, _FIRST * self._core.settings.round_trip
        return [one for one in self._copied() if self._due[one.id][0] <= now]

    def _copied(self) -> list[Conversation]:
        silent = self._core.blocked | self._core.anonymous.keys()
        return [one for one in self._core.conversations.values() if one.copied and one.contact not in silent]

    def request(self, session: int, now: float) -> OutgoingFragment | None:
        """The next request in a session; None if it has ended."""
        core = self._core
        conversation = core.conversations.get(session)
        if conversation is None or not conversation.copied:
            return None
        _, pause = self._due[session]
        self._due[session] = now + pause, min(2 * pause, LONGEST)
        copy = copies.copy_of(core.store)
        wanted = RenewalRequest(0 if copy is None else int(copy.made), self._invitation(conversation, now))
        raw = wanted.seal(conversation.outgoing, os.urandom(_RANDOM))
        return OutgoingFragment(
            destination=conversation.destination, wants_surb=False, key=(session, -1), content=RequestToSend(raw)
        )

    def _invitation(self, conversation: Conversation, now: float) -> bytes:
        """The invitation that stands for the contact, or a new one; none for another device of the user."""
        core, contact = self._core, conversation.contact
        if contact in core.siblings:
            return b""
        standing = (
            "SELECT c.asked FROM copied c JOIN invitations i ON i.id = c.invitation"
            " WHERE c.contact = ? AND i.expires > ? AND i.prekeys IS NOT NULL"
        )
        made = core.store.value(bytes, standing, contact, now)
        if made is None:
            hidden = core.contacts.get(contact).role == "member"
            with core.change():
                invitation = self._introductions.create(core.home.name, now, hidden=hidden)
                made = invitation.pack()
                core.store.run(
                    "UPDATE copied SET asked = ?, invitation = (SELECT id FROM invitations WHERE channel = ?)"
                    " WHERE contact = ?",
                    *(made, invitation.channel, contact),
                )
        return made

    # at its contacts

    def asked_untrusted(self, raw: bytes, now: float) -> None:
        """A contact whose profile was restored asks for another session: begin it. RemoteError."""
        core, name = self._core, raw[1 : 1 + CHANNEL_SIZE]
        row = core.store.one("SELECT contact, incoming_key FROM sessions WHERE incoming = ?", name)
        if row is None:
            raise RemoteError("a request for another session in an unknown channel")
        asked = RenewalRequest.open_untrusted(ChannelKey(name, SymmetricKey(bytes(row[1]))), raw)
        contact = core.contacts.get(row[0])
        if contact.blocked:
            return
        if contact.id in core.siblings:
            with core.change():
                core.device_table.trouble(contact.id, LINK_AGAIN)
                core.contact_changed(contact.id)
            return
        if contact.id in core.anonymous:
            raise RemoteError("a request for another session in an anonymous conversation")
        try:
            invitation = Invitation.unpack_untrusted(asked.invitation)
            check_usable(core, invitation, now)
        except LocalError as error:
            raise RemoteError("a request for another session with an impossible invitation") from error
        if invitation.keys.identity != contact.identity or invitation.device:
            raise RemoteError("a request for another session with somebody else's invitation")
        known = core.store.has("SELECT 1 FROM sessions WHERE entry = ?", invitation.channel)
        if known or self._often.waits(contact.id, now):
            return  # it comes again
        self._often.failed(contact.id, now)
        started = self._introductions.begin(invitation)
        with core.change():
            self._forget_unanswered(contact.id)
            begun = self._introductions.greet(contact.id, invitation, started, now, account=PEER)
            core.hush(begun)
            core.store.run("INSERT INTO restorations VALUES (?, ?, 0)", begun.id, asked.made)
        self._begun[contact.id] = begun.id

    def _forget_unanswered(self, contact: int) -> None:
        """Of several requests the last one counts: the invitation of one before it may be a copy's that has ended."""
        core = self._core
        before = core.conversations.get(self._begun.get(contact, 0))
        if before is not None and self.unanswered(before):
            self.forget(before)

    def unanswered(self, conversation: Conversation) -> bool:
        """Whether a session was begun for a request, and its first message isn't known to have arrived."""
        query = (
            "SELECT 1 FROM restorations r JOIN outbound o USING (session) WHERE r.session = ? AND NOT r.ours"
            " AND o.lane = 0 AND o.number = 0"
        )
        return self._core.store.has(query, conversation.id)

    def forget(self, conversation: Conversation) -> None:
        """Nothing came of a session: leave no trace of it. In a change."""
        self._core.leave(conversation)
        self._core.store.run("DELETE FROM restorations WHERE session = ?", conversation.id)
        self._core.store.run("DELETE FROM sessions WHERE id = ?", conversation.id)
