"""The side of an anonymous conversation that has no name: writes to an address, reads answers from reply blocks.

Promises: every conversation has keys of its own, and nothing that leaves in it names or numbers its writer; what comes
back counts only through a reply block of the very conversation that it claims to be of, so that nobody can find the
writer by trying a message on somebody whom he suspects; when reply blocks leave is drawn for each conversation apart.
They and acknowledgements are messages like all others, in payload slots.
"""

from __future__ import annotations

import os

from mixnet.client.anonymous.lifecycle import Correspondence
from mixnet.client.arq.sender import USER
from mixnet.client.core.conversation import Conversation, NewSession, Parcel
from mixnet.client.core.state import Core
from mixnet.client.e2e.anonymous_bodies import FIRST_BLOCKS, SUPPLY_BLOCKS, Opening, Supply, encode
from mixnet.client.e2e.public_address import PublicAddress
from mixnet.client.e2e.x3dh import start_untrusted
from mixnet.client.model.errors import (
    AddressOfOtherNetwork,
    ConversationEnded,
    ExpiredAddress,
    MalformedAddress,
    OwnAddress,
    TooManyConversations,
)
from mixnet.client.model.views import ContactState, Role
from mixnet.client.storage.database import is_of_store
from mixnet.client.storage.reply_blocks import KEPT, Given, SurbMaker, UnknownBlock, end_of
from mixnet.crypto import SymmetricKey
from mixnet.errors import RemoteError, Unavailable
from mixnet.pki.errors import NoKey

LANE = 0
OPEN_AT_ONCE = 32  # conversations
SPREAD = 1 / 40  # of an epoch, within which an answer is acknowledged: at a time drawn for each
SOON = 1 / 100  # of an epoch, within which the first supply follows the first message
RETRY = 1 / 20  # of an epoch, if no reply block can be made now


class AnonymousSenders:
    """All conversations in which this profile is anonymous."""

    def __init__(self, core: Core, surbs: SurbMaker, shared: Correspondence) -> None:
        self._core, self._surbs, self._shared = core, surbs, shared
        self.given = Given(core.store)

    def start(self, text: str, now: float, answers: float) -> int:
        """Begin a conversation with an address, in the caller's change; gives what stands for it among contacts.

        Raises MalformedAddress, AddressOfOtherNetwork, ExpiredAddress, OwnAddress, TooManyConversations, Unavailable.
        """
        core = self._core
        address = self._check(PublicAddress.parse_untrusted(text), now)
        name = core.free_name(f"address-{os.urandom(2).hex()}", ours=True)
        # What stands for the address in the archive is random: no two conversations have anything in common.
        contact = core.contacts.add(name, os.urandom(32), ContactState.ESTABLISHED, now).id
        core.anonymous[contact] = Role.WRITER
        opening = encode(Opening(tuple(self._first_blocks(contact, address.destination.provider, now))))
        try:
            started = start_untrusted(SymmetricKey.generate(), address.keys, address.transcript, opening)
        except RemoteError:
            raise MalformedAddress from None
        conversation = core.open_conversation(
            NewSession(contact, started.channels, address.channel, address.destination, started.session, expected=0)
        )
        expires = now + core.settings.message_lifetime
        conversation.post_sealed(started.hello, Parcel(LANE, b"", None, False, 0, expires, USER))
        core.expires(expires)
        first = now + self._drawn(SOON)
        self._shared.begin(conversation, Role.WRITER, address.id, now, listens=now + answers, supply=first)
        self._shared.look_at(contact, now + answers)
        return contact

    def _first_blocks(self, contact: int, entry: bytes, now: float) -> list[bytes]:
        """FIRST_BLOCKS blocks, of epochs as late as there are keys for; Unavailable if none can be made."""
        made: list[bytes] = []
        missing: Unavailable = NoKey()
        for epoch in reversed(self._surbs.open_epochs(now)):
            try:
                made.append(self._make(contact, entry, epoch))
            except Unavailable as error:  # a node may have published fewer keys than there are epochs
                if is_of_store(error):
                    raise
                missing = error
            if len(made) == FIRST_BLOCKS:
                break
        if not made:
            raise missing
        return made

    def _check(self, address: PublicAddress, now: float) -> PublicAddress:
        core = self._core
        if address.network_id != core.home.network_id:
            raise AddressOfOtherNetwork
        if 0 < address.expires <= now:
            raise ExpiredAddress
        if address.destination.mailbox == core.home.destination.mailbox:
            raise OwnAddress
        query = "SELECT count(*) FROM anonymous WHERE role = ? AND session IS NOT NULL"
        if (core.store.value(int, query, Role.WRITER.value) or 0) >= OPEN_AT_ONCE:
            raise TooManyConversations
        return address

    def check_open(self, contact: int, now: float) -> None:
        """ConversationEnded if answers are taken no longer."""
        if not self._core.store.has("SELECT 1 FROM anonymous WHERE contact = ? AND listens > ?", contact, now):
            raise ConversationEnded

    # reply blocks that leave

    def supply(self, conversation: Conversation, now: float) -> None:
        """Queue reply blocks, and what was received, if their time has come."""
        core, contact = self._core, conversation.contact
        if not core.store.has("SELECT 1 FROM anonymous WHERE contact = ? AND supply <= ?", contact, now):
            return
        with core.change():
            blocks = self._fresh(conversation, now)
            report = conversation.receiver.report(LANE)
            partial = tuple((number - report.next_number, bitmap) for number, bitmap in report.partial.items())
            lifetime = min(core.settings.message_lifetime, 3 * self._surbs.epochs.length)
            body = Supply(tuple(blocks), report.next_number, partial)
            core.enqueue(contact, LANE, body, None, now, lifetime=lifetime)
            due = self._next_time(now) if len(blocks) < SUPPLY_BLOCKS else now + self._drawn(SOON)
            core.store.run("UPDATE anonymous SET supply = ? WHERE contact = ?", due, contact)

    def wake_at(self) -> float | None:
        """When `supply` next has something for any conversation."""
        query = "SELECT min(a.supply) FROM anonymous a JOIN contacts c ON c.id = a.contact WHERE c.standing = 'open'"
        return self._core.store.value(float, query)

    def _fresh(self, conversation: Conversation, now: float) -> list[bytes]:
        """Up to SUPPLY_BLOCKS blocks for the epochs that lack some, the present one first."""
        made: list[bytes] = []
        for epoch in self._surbs.open_epochs(now):
            lacking = self.given.lacks(conversation.contact, end_of(self._surbs.epochs, epoch))
            for _ in range(min(lacking, SUPPLY_BLOCKS - len(made))):
                try:
                    made.append(self._make(conversation.contact, conversation.destination.provider, epoch))
                except Unavailable as error:  # a provider or a key is not in this document: the next one may have it
                    if is_of_store(error):
                        raise
                    return made
        return made

    def _make(self, contact: int, entry: bytes, epoch: int) -> bytes:
        made = self._surbs.make(entry, epoch)
        kept = min(KEPT, self._core.settings.message_lifetime)
        self._core.expires(self.given.add(contact, made, kept))
        return made.block.serialize()

    def _next_time(self, now: float) -> float:
        """Some time in the next epoch, drawn anew each time: at its start all conversations of a writer would show."""
        epochs = self._surbs.epochs
        return epochs.end(epochs.at(now)) + epochs.length * self._core.jitter.uniform(0.05, 0.95)

    def _drawn(self, share: float) -> float:
        return self._surbs.epochs.length * self._core.jitter.uniform(0.0, share)

    # answers that come

    def open_untrusted(self, surb_id: bytes, body: bytes) -> tuple[Conversation, bytes]:
        """(conversation, plaintext) of what came through a block of ours; UnknownBlock, RemoteError."""
        contact, keys = self.given.find(surb_id)
        conversation = self._core.routes.get(contact)
        if conversation is None:
            raise UnknownBlock
        return conversation, self._surbs.open_untrusted(keys, body)

    def answered(self, conversation: Conversation, surb_id: bytes, now: float) -> None:
        """A part of an answer came through this block, perhaps again: the reader will be told, and given others."""
        core, contact = self._core, conversation.contact
        with core.change():
            self.given.used(surb_id)
            due = now + core.settings.ack_delay + self._drawn(SPREAD)
            query = "UPDATE anonymous SET touched = ?, supply = min(coalesce(supply, ?), ?) WHERE contact = ?"
            core.store.run(query, now, due, due, contact)

    # the end

    def look(self, contact: int, now: float) -> None:
        """The time for answers may be over; what is under way by then may still come, for a day."""
        query = "SELECT session, listens, touched FROM anonymous WHERE contact = ?"
        session, listens, touched = self._core.store.all(query, contact)[0]
        if listens > now:
            self._shared.look_at(contact, listens)
        elif listens > 0:
            self._core.store.run("UPDATE anonymous SET listens = 0, supply = NULL WHERE contact = ?", contact)
            self._shared.look_at(contact, now + KEPT)
        elif touched + KEPT > now or self._core.conversations[session].sender.busy():
            self._shared.look_at(contact, now + KEPT)
        else:
            self._shared.end(contact)
