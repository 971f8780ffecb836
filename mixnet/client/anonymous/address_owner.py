"""The side of an anonymous conversation that owns the address: reads what strangers write, answers by reply blocks.

Promises: what any number of strangers do is bounded in conversations, bytes, texts a day and work, apart from what
contacts have; a copy of a first message opens nothing; each reply block is used once, in its own epoch, and is gone
from the store before the packet leaves; an answer that can't leave any more fails and says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import inf

from mixnet import crypto
from mixnet.bucket import TokenBucket
from mixnet.client.anonymous.lifecycle import Correspondence
from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.fragments import Arrival, Fragment, FragmentToSend, Probe, ReplyBlock, Unverified, spans
from mixnet.client.arq.sender import Transmission
from mixnet.client.core.conversation import Conversation, NewSession
from mixnet.client.core.outgoing import OutgoingAnswer
from mixnet.client.core.state import Core
from mixnet.client.e2e.anonymous_bodies import (
    MESSAGE_LIMIT,
    AnonymousBody,
    AnonymousText,
    Opening,
    Supply,
    blocks_untrusted,
    decode_untrusted,
)
from mixnet.client.e2e.x3dh import Answered
from mixnet.client.model.destination import Destination
from mixnet.client.model.durations import DAY
from mixnet.client.model.errors import NoLongerReached
from mixnet.client.model.views import ContactState, Role
from mixnet.client.storage.addresses import AddressTable, OpenAddress
from mixnet.client.storage.reply_blocks import Pool, SurbMaker, end_of
from mixnet.crypto import Label
from mixnet.errors import RemoteError
from mixnet.sphinx import Surb

LANE = 0
OPEN_AT_ONCE = 64  # conversations
OPENINGS = (64, 3600.0)  # first messages: so many at once, and so many more in this time (seconds)
TEXTS = (256, DAY)
HELD = 49_152  # bytes of incomplete messages of one conversation, beside the next one
AHEAD = 8  # messages that may be under way to us
REMEMBERED = 4096  # first messages
TRIES = 4  # how often a part of an answer leaves
LINGER = DAY  # seconds after the last sign of a writer for which his conversation stays open
_HEAD = crypto.KEY_SIZE * 2 + crypto.KEM_CIPHERTEXT_SIZE  # of a first message: what its keys follow from
_NOWHERE = Destination(bytes(32), bytes(32), bytes(32))
EXPIRED = "the sender can no longer be reached: the last reply block expired before this could leave"


class AddressOwners:
    """All conversations in which somebody anonymous wrote to us."""

    def __init__(self, core: Core, addresses: AddressTable, surbs: SurbMaker, shared: Correspondence) -> None:
        self._core, self._addresses, self._surbs, self._shared = core, addresses, surbs, shared
        self.pool = Pool(core.store)
        self._openings, self._texts = _allowance(*OPENINGS), _allowance(*TEXTS)

    # first messages

    def greeted_untrusted(self, unverified: Unverified, now: float) -> bool:
        """Take a first message to one of our addresses; False if its channel is none of theirs, RemoteError."""
        listening = self._addresses.listening(unverified.channel, now)
        if listening is None:
            return False
        arrival = unverified.verify_untrusted(listening.address.channel)
        fragment = arrival.content
        if not isinstance(fragment, Fragment) or len(fragment.part) != fragment.length or fragment.length < _HEAD:
            raise RemoteError("a first anonymous message that is not whole")
        # Channels and keys follow from the head alone: a second message with the same one is a copy, whatever follows.
        digest = crypto.digest(Label.ADDRESS, b"used", fragment.part[:_HEAD])
        row = self._core.store.one("SELECT session FROM anonymous_openings WHERE digest = ?", digest)
        if row is None:
            self._answer_untrusted(listening, arrival, fragment.part, digest, now)
        elif row[0] in self._core.conversations:
            conversation = self._core.conversations[row[0]]
            if conversation.contact not in self._core.blocked:
                conversation.receiver.solicited(arrival, now, new=False)
        else:
            raise RemoteError("a first anonymous message that came before")
        return True

    def _answer_untrusted(
        self, listening: OpenAddress, arrival: Arrival, hello: bytes, digest: bytes, now: float
    ) -> None:
        if not self._openings.take(1, now):
            raise RemoteError("more first anonymous messages than are taken")
        answered = listening.prekeys.answer_untrusted(hello, listening.address.transcript)
        body = decode_untrusted(answered.plaintext)
        if not isinstance(body, Opening):
            raise RemoteError("a first anonymous message that is none")
        room = self._find_room_untrusted()
        with self._core.change():
            if room is not None:
                self._shared.end(room)
            conversation = self._open(listening, answered, now)
            query = "INSERT INTO anonymous_openings VALUES (?, ?, ?, ?)"
            self._core.store.run(query, digest, listening.address.id, conversation.id, now)
            newest = "SELECT digest FROM anonymous_openings ORDER BY arrived DESC LIMIT ?"
            self._core.store.run(f"DELETE FROM anonymous_openings WHERE digest NOT IN ({newest})", REMEMBERED)  # noqa: S608
            self._take_blocks(conversation.contact, body.blocks, now)
        conversation.receiver.solicited(arrival, now, new=True)

    def _open(self, listening: OpenAddress, answered: Answered, now: float) -> Conversation:
        core = self._core
        name = core.free_name(f"anonymous-{os.urandom(2).hex()}", ours=True)
        # What stands for them in the archive is random: their key was made for this conversation alone.
        contact = core.contacts.add(name, os.urandom(32), ContactState.ESTABLISHED, now)
        new = NewSession(contact.id, answered.channels, None, _NOWHERE, answered.session, expected=1)
        conversation = core.open_conversation(new)
        self._shared.begin(conversation, Role.READER, listening.address.id, now, listens=0.0, supply=None)
        return conversation

    def _find_room_untrusted(self) -> int | None:
        """The conversation that has to end for a new one, if any has; RemoteError if all can still be answered.

        Nothing is raised inside a change: that would make all conversations again, those with contacts included.
        """
        query = (
            "SELECT a.contact, a.listens, c.standing = 'open' AS heard FROM anonymous a"
            " JOIN contacts c ON c.id = a.contact WHERE a.role = ? AND a.session IS NOT NULL"
            " ORDER BY heard, a.listens > 0, a.touched"
        )
        rows = self._core.store.all(query, Role.READER.value)
        if len(rows) < OPEN_AT_ONCE:
            return None
        contact, listens, heard = rows[0]
        if heard and listens > 0:
            raise RemoteError("no place for one more anonymous conversation")
        return int(contact)

    # what comes

    def admit_untrusted(self, conversation: Conversation, arrival: Arrival, now: float) -> None:
        """RemoteError for what would exceed a stranger's bounds."""
        content = arrival.content
        if isinstance(content, Probe):
            if content.floors[1]:
                raise RemoteError("an anonymous message in the lane of files")
            return
        expected = max(conversation.receiver.expected(LANE), content.floor)
        if content.lane != LANE or content.length > MESSAGE_LIMIT or content.number >= expected + AHEAD:
            raise RemoteError("an anonymous message beyond the bounds")
        if not self._texts.has(now):
            raise RemoteError("more anonymous texts than are taken in a day")
        if content.number > expected:
            query = "SELECT coalesce(sum(length(part)), 0) FROM inbound WHERE session = ?"
            if (self._core.store.value(int, query, conversation.id) or 0) + len(content.part) > HELD:
                raise RemoteError("more of incomplete anonymous messages than is kept")

    def handle_untrusted(self, conversation: Conversation, body: AnonymousBody, now: float) -> None:
        """Do what a message of a stranger says; RemoteError."""
        core, contact = self._core, conversation.contact
        core.store.run("UPDATE anonymous SET touched = ? WHERE contact = ?", now, contact)
        if isinstance(body, AnonymousText):
            self._texts.take(1, now)
            core.received_text(contact, body.text, None, now)
        elif isinstance(body, Supply):
            self._take_blocks(contact, body.blocks, now)
            self._confirm_untrusted(conversation, body, now)
        else:
            raise RemoteError("a second first anonymous message")

    def _take_blocks(self, contact: int, raw: tuple[bytes, ...], now: float) -> None:
        epochs = self._surbs.epochs
        present = epochs.at(now)
        ends = frozenset(end_of(epochs, epoch) for epoch in range(present, present + 3))
        blocks = blocks_untrusted(raw, ends)
        self.pool.keep(contact, blocks)
        for block in blocks:
            self._core.expires(block.until)
        until = self.pool.until(contact)
        self._core.store.run("UPDATE anonymous SET listens = max(listens, ?) WHERE contact = ?", until, contact)
        self._shared.look_at(contact, until or now + LINGER)

    def _confirm_untrusted(self, conversation: Conversation, body: Supply, now: float) -> None:
        partial = {body.next_number + ahead: bitmap for ahead, bitmap in body.partial}
        report = LaneReport(body.next_number, partial)
        ack = Ack(0, 0.0, (report, LaneReport(0, {})))
        if conversation.outdated(ack):
            raise RemoteError("an anonymous acknowledgement of what was never sent")
        for delivered in conversation.acknowledged(ack, now):
            self._shared.delivered(delivered)
        low = conversation.sender.floors()[LANE]
        self._core.store.run("DELETE FROM anonymous_parts WHERE session = ? AND number < ?", conversation.id, low)

    # answers

    def check_reached(self, contact: int, now: float) -> None:
        """NoLongerReached if no reply block is left, and none can be expected."""
        if not self._core.store.has("SELECT 1 FROM anonymous WHERE contact = ? AND listens >= ?", contact, now):
            raise NoLongerReached

    def next_part(self, conversation: Conversation, now: float) -> OutgoingAnswer | None:
        """The next part of an answer and the block that it goes through, if one may be used now."""
        place = next((place for place, due in self._due(conversation) if due <= now), None)
        if place is None:
            return None
        core = self._core
        with core.change():
            block = self.pool.take(conversation.contact, now, self._surbs.epochs.length)
            if block is None:
                return None
            query = (
                "INSERT INTO anonymous_parts VALUES (?, ?, ?, 1, ?)"
                " ON CONFLICT DO UPDATE SET tries = tries + 1, left_at = excluded.left_at"
            )
            core.store.run(query, conversation.id, *place, now)
        return _through(block, conversation, place)

    def wake_at(self, conversation: Conversation) -> float | None:
        """When `next_part` may have something by the passing of time alone."""
        first = min((due for _, due in self._due(conversation)), default=None)
        block = None if first is None else self.pool.next_time(conversation.contact, self._surbs.epochs.length)
        return None if first is None or block is None else max(first, block)

    def _due(self, conversation: Conversation) -> Iterator[tuple[tuple[int, int], float]]:
        """((message, part), when it may leave) of all parts that have not arrived and may leave once more."""
        if not conversation.sender.busy():
            return
        rows = self._core.store.all(
            "SELECT number, position, tries, left_at FROM anonymous_parts WHERE session = ?", conversation.id
        )
        left = {(number, position): (tries, left_at) for number, position, tries, left_at in rows}
        for place in missing(conversation):
            tries, left_at = left.get(place, (0, 0.0))
            if not tries:
                yield place, 0.0
            elif tries < TRIES:
                yield place, left_at + self.patience() * 2 ** (tries - 1)

    def patience(self) -> float:
        """Seconds after which a part whose arrival was not confirmed leaves again: the first time."""
        return self._surbs.epochs.length / 20 + 4 * self._core.settings.round_trip

    # the end

    def look(self, contact: int, now: float) -> None:
        """Something of this conversation may be over: its reply blocks, or the conversation itself."""
        query = "SELECT session, listens, touched FROM anonymous WHERE contact = ?"
        session, listens, touched = self._core.store.all(query, contact)[0]
        conversation = self._core.conversations[session]
        if listens > now:
            self._shared.look_at(contact, listens)
            return
        self._core.store.run("UPDATE anonymous SET listens = 0 WHERE contact = ?", contact)
        self._fail_unsent(conversation)
        if touched + LINGER > now:
            self._shared.look_at(contact, touched + LINGER)
        elif conversation.sender.busy():  # what has left may still be confirmed, until its own time is over
            self._shared.look_at(contact, now + LINGER)
        else:
            self._shared.end(contact)

    def _fail_unsent(self, conversation: Conversation) -> None:
        """What has left whole may have arrived, and waits for its confirmation; the rest can't leave any more."""
        core = self._core
        waiting = core.store.all("SELECT message FROM waiting WHERE contact = ?", conversation.contact)
        left = {number for (number, _), due in self._due(conversation) if due == 0.0}
        query = "SELECT number, message FROM outbound WHERE session = ? AND lane = ?"
        under_way = core.store.all(query, conversation.id, LANE)
        unsent = [message for number, message in under_way if number in left]
        for message in (*(row[0] for row in waiting), *unsent):
            if message is not None:
                core.fail_message(message, EXPIRED)


def missing(conversation: Conversation) -> Iterator[tuple[int, int]]:
    """(message, part) of all that is under way and not known to have arrived, in order."""
    sender = conversation.sender
    for number in range(sender.floors()[LANE], sender.next_number(LANE)):
        acked = sender.acked(LANE, number)
        if acked is not None:
            for index in range(len(spans(sender.length(LANE, number)))):
                if not acked >> index & 1:
                    yield number, index


def _through(block: ReplyBlock, conversation: Conversation, place: tuple[int, int]) -> OutgoingAnswer:
    transmission = Transmission(int.from_bytes(os.urandom(4), "big"), (LANE, *place), wants_surb=False)
    content = conversation.content(transmission)
    assert isinstance(content, FragmentToSend)  # noqa: S101  it has a place
    # The block's length was checked when it came; what is in it only the network can judge.
    return OutgoingAnswer(Surb.parse_untrusted(block.surb), content.encode(None), conversation.id, transmission.id)


def _allowance(number: int, seconds: float) -> TokenBucket:
    """So many at once, and so many more in that time."""
    return TokenBucket(number / seconds, number, -inf)
