"""One session with a contact, in memory and in the store: its ratchet, its channels, all that is under way in it.

Promises: whatever changes here is written in the caller's transaction; made again from the store, a conversation goes
on where the store left it. If a transaction fails, its conversation must be made again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.delivery_tags import agree, tag
from mixnet.client.arq.fragments import LANES, WINDOW, ChannelKey, Fragment, FragmentToSend, ProbeToSend, spans
from mixnet.client.arq.receiver import Receiver
from mixnet.client.arq.sender import PEER, USER, Sender, Transmission
from mixnet.client.arq.timers import Path, RoundTripTimer
from mixnet.client.core.outgoing import Encodable, MessengerSettings
from mixnet.client.e2e.ratchet import Session
from mixnet.client.e2e.x3dh import Channels
from mixnet.client.model.destination import Destination
from mixnet.client.storage.database import Row, Store
from mixnet.client.storage.session_history import SessionHistory
from mixnet.crypto import SymmetricKey
from mixnet.errors import LocalError

_SELECT = """
SELECT id, contact, incoming, incoming_key, outgoing, outgoing_key, entry, entry_key, provider, mailbox, sphinx_public,
       ratchet, numbers_0, numbers_1, expected_0, expected_1,
       EXISTS (SELECT 1 FROM copied WHERE copied.session = sessions.id)
FROM sessions
"""
_LIVE = "WHERE id NOT IN (SELECT session FROM retired) ORDER BY id"


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a new conversation starts from; `entry` is the invitation's channel on the side that accepted it."""

    contact: int
    channels: Channels
    entry: ChannelKey | None
    destination: Destination
    session: Session
    expected: int  # in lane 0: the first message is already here on the inviter's side


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message to encrypt and send; its delivery brings `size` bytes of a file across, or the whole if `last`."""

    lane: int
    body: bytes
    message: int | None
    last: bool
    size: int
    expires: float
    account: int = PEER  # on whose it takes slots, if it is no message of the user's
    kept: bool = True  # until it is delivered, so that it can go out in another session

    @property
    def charged(self) -> int:
        """On whose account it takes slots."""
        return self.account if self.message is None else USER


@dataclass(frozen=True, slots=True)
class Delivered:
    """A parcel that the other side has acknowledged."""

    message: int | None
    last: bool
    size: int


class Conversation:
    """A session under way. `create` and `load` make one."""

    def __init__(self, store: Store, row: Row, settings: MessengerSettings, jitter: random.Random) -> None:
        """Rebuild it from its row and the tables of what is under way."""
        self.id, self.contact = int(row[0]), int(row[1])
        self.incoming, self.outgoing = _channel(row[2], row[3]), _channel(row[4], row[5])
        self._entry = _channel(row[6], row[7]) if row[6] is not None else None
        self.destination = Destination(bytes(row[8]), bytes(row[9]), bytes(row[10]))
        self._store = store
        self.history = SessionHistory(store, self.id)
        self._session = Session.restore(row[11])
        path = Path(settings.round_trip, settings.spread, settings.ack_delay)
        self.sender = Sender(RoundTripTimer(path, jitter), jitter, (int(row[12]), int(row[13])))
        self.receiver = Receiver((int(row[14]), int(row[15])), settings.ack_delay)
        self._unsent: dict[tuple[int, int], int] = {}  # (lane, number) → message whose first fragment has not left
        self.copied = bool(row[16])  # its keys may have been used elsewhere since: nothing comes or goes in it
        self.sender.closed = self.copied
        self.broken = False  # one of the two uses an old copy, as this process has seen: the other one is told
        self._in_hand: dict[int, int] = {}  # transmission of such a fragment → message
        self.revision = 0  # rises with each change of what the store has of it, too
        self._restore()

    def _restore(self) -> None:
        under_way = self._store.all(
            "SELECT lane, number, length, acked, o.message, m.sent_at, o.account FROM outbound o"
            " LEFT JOIN messages m ON m.id = o.message WHERE o.session = ? ORDER BY lane, number",
            self.id,
        )
        for lane, number, length, acked, message, sent_at, account in under_way:
            self.sender.add(lane, number, length, acked, account)
            if message is not None and sent_at == 0.0:
                self._unsent[lane, number] = message
        query = "SELECT lane, number, length, position FROM inbound WHERE session = ?"
        for lane, number, length, index in self._store.all(query, self.id):
            self.receiver.restore(lane, number, length, index)

    @classmethod
    def create(cls, store: Store, new: NewSession, settings: MessengerSettings, jitter: random.Random) -> Conversation:
        """Store a new session and open its conversation."""
        channels, entry, where = new.channels, new.entry, new.destination
        number = store.insert(
            "INSERT INTO sessions (contact, incoming, incoming_key, outgoing, outgoing_key, entry, entry_key, provider,"
            " mailbox, sphinx_public, ratchet, numbers_0, numbers_1, expected_0, expected_1)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0)",
            new.contact,
            *_columns(channels.incoming),
            *_columns(channels.outgoing),
            *((None, None) if entry is None else _columns(entry)),
            *(where.provider, where.mailbox, where.sphinx_public),
            *(new.session.serialize(), new.expected),
        )
        return cls.again(store, number, settings, jitter)

    @classmethod
    def load(cls, store: Store, settings: MessengerSettings, jitter: random.Random) -> list[Conversation]:
        """All conversations that go on, oldest first."""
        return [cls(store, row, settings, jitter) for row in store.all(_SELECT + _LIVE)]

    @classmethod
    def again(cls, store: Store, number: int, settings: MessengerSettings, jitter: random.Random) -> Conversation:
        """The conversation of a session, as the store has it."""
        row = store.one(_SELECT + "WHERE id = ?", number)
        assert row is not None  # noqa: S101  it was there before what is taken back
        return cls(store, row, settings, jitter)

    @property
    def begun_here(self) -> bool:
        """Whether this side accepted the invitation."""
        return self._entry is not None

    # sending

    def post(self, parcel: Parcel) -> None:
        """Encrypt a parcel, store it with the ratchet that has moved on, and put it under way."""
        if self.copied:
            raise LocalError("nothing may be encrypted in a copied session")
        self.revision += 1
        sealed = self._session.encrypt(parcel.body)
        self._store.run("UPDATE sessions SET ratchet = ? WHERE id = ?", sealed.session.serialize(), self.id)
        self._session = sealed.session
        if parcel.lane == 0 and parcel.kept:
            self.history.posted(self.sender.next_number(0), parcel.body)
        self.post_sealed(sealed.message, parcel)

    def post_sealed(self, ciphertext: bytes, parcel: Parcel) -> None:
        """Put under way what is encrypted already: the first message."""
        self.revision += 1
        lane, number = parcel.lane, self.sender.next_number(parcel.lane)
        query = "INSERT INTO outbound VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?)"
        about = (parcel.message, parcel.last, parcel.size, parcel.expires, parcel.charged)
        self._store.run(query, self.id, lane, number, len(ciphertext), *about)
        self._store.run("INSERT INTO sealed VALUES (?, ?, ?, ?)", self.id, lane, number, ciphertext)
        self._store.run(f"UPDATE sessions SET numbers_{lane:d} = ? WHERE id = ?", number + 1, self.id)  # noqa: S608
        self.sender.add(lane, number, len(ciphertext), account=parcel.charged)
        if parcel.message is not None and not self._known_sent(parcel.message):
            self._unsent[lane, number] = parcel.message

    def content(self, transmission: Transmission) -> Encodable:
        """The bytes of a transmission, once its reply block is known."""
        if transmission.place is None:
            return ProbeToSend(self.outgoing, transmission.id, self.sender.floors(), self.broken)
        lane, number, index = transmission.place
        length = self.sender.length(lane, number)
        start, end = spans(length)[index]
        query = "SELECT substr(ciphertext, ?, ?) FROM sealed WHERE session = ? AND lane = ? AND number = ?"
        row = self._store.one(query, start + 1, end - start, self.id, lane, number)
        assert row is not None  # noqa: S101  the sender knows only what is in the table
        if index == 0 and (lane, number) in self._unsent:
            self._in_hand[transmission.id] = self._unsent[lane, number]
        fragment = Fragment(lane, number, self.sender.floors()[lane], index, length, bytes(row[0]))
        first = self._entry is not None and (lane, number) == (0, 0)
        channel = self._entry if first and self._entry is not None else self.outgoing
        return FragmentToSend(channel, transmission.id, fragment, self.broken)

    def left(self, transmission: int, when: float) -> int | None:
        """A transmission left; gives the message that is sent by that for the first time, if any."""
        self.sender.sent(transmission, when)
        message = self._in_hand.pop(transmission, None)
        if message is None or message not in self._unsent.values():
            return None
        self._unsent = {place: other for place, other in self._unsent.items() if other != message}
        return message

    def outdated(self, ack: Ack) -> bool:
        """Whether the other side has messages of ours that we never sent: then our store is an old copy.

        Numbers alone don't tell: an old copy gives them again, to other messages.
        """
        return any(
            report.next_number > self.sender.next_number(lane) or not self._sent_these(lane, report)
            for lane, report in enumerate(ack.lanes)
        )

    def _sent_these(self, lane: int, report: LaneReport) -> bool:
        query = "SELECT number, ciphertext FROM sealed WHERE session = ? AND lane = ? AND number < ?"
        return all(
            agree(tag(bytes(ciphertext)), number, report.next_number, report.tags) is not False
            for number, ciphertext in self._store.all(query, self.id, lane, report.next_number)
        )

    def told(self, ack: Ack) -> Ack:
        """The acknowledgement with the tags of what was delivered last, and whether the session is broken."""
        lanes = enumerate(ack.lanes)
        return replace(
            ack,
            broken=self.broken,
            lanes=tuple(
                replace(report, tags=self.history.tags(lane, report.next_number, WINDOW)) for lane, report in lanes
            ),
        )

    def acknowledged(self, ack: Ack, now: float) -> list[Delivered]:
        """Take an acknowledgement in and forget what was delivered by it."""
        self.revision += 1
        places = self.sender.acknowledged(ack, now)
        delivered = [self._remove(lane, number) for lane, number in places]
        for lane, report in enumerate(ack.lanes):
            for number in report.partial:
                acked = self.sender.acked(lane, number)
                if acked is not None:
                    query = "UPDATE outbound SET acked = ? WHERE session = ? AND lane = ? AND number = ? AND acked <> ?"
                    self._store.run(query, acked, self.id, lane, number, acked)
        return [parcel for parcel in delivered if parcel is not None]

    def withdraw(self, lane: int, number: int) -> None:
        """Give a message under way up."""
        self.revision += 1
        self.sender.withdraw(lane, number)
        self._remove(lane, number)

    def _remove(self, lane: int, number: int) -> Delivered | None:
        where = "session = ? AND lane = ? AND number = ?"
        row = self._store.one(f"SELECT message, last, size FROM outbound WHERE {where}", self.id, lane, number)  # noqa: S608
        for table in ("outbound", "sealed", "posted"):
            self._store.run(f"DELETE FROM {table} WHERE {where}", self.id, lane, number)  # noqa: S608
        self._unsent.pop((lane, number), None)
        return None if row is None else Delivered(row[0], bool(row[1]), row[2])

    def _known_sent(self, message: int) -> bool:
        return self._store.has("SELECT 1 FROM messages WHERE id = ? AND sent_at > 0", message)

    # receiving

    def keep(self, fragment: Fragment) -> None:
        """Store a new fragment."""
        self.revision += 1
        query = "INSERT INTO inbound VALUES (?, ?, ?, ?, ?, ?)"
        self._store.run(query, self.id, fragment.lane, fragment.number, fragment.length, fragment.index, fragment.part)
        self.receiver.take(fragment)

    def skip(self, lane: int, floor: int) -> None:
        """Stop waiting for messages that the sender has given up."""
        self.revision += 1
        if self.receiver.skip(lane, floor):
            self._forget_below(lane)

    def assemble(self, lane: int, number: int) -> bytes:
        """All fragments of a complete message."""
        query = "SELECT part FROM inbound WHERE session = ? AND lane = ? AND number = ? ORDER BY position"
        return b"".join(row[0] for row in self._store.all(query, self.id, lane, number))

    def open_untrusted(self, message: bytes) -> bytes:
        """Decrypt a message and store the ratchet that moved on; RemoteError, without a change, if it does not open."""
        self.revision += 1
        opened = self._session.decrypt_untrusted(message)
        self._store.run("UPDATE sessions SET ratchet = ? WHERE id = ?", opened.session.serialize(), self.id)
        self._session = opened.session
        return opened.plaintext

    @property
    def session(self) -> Session:
        """The ratchet as it is now; it never changes, each step gives the next one."""
        return self._session

    def delivered(self, lane: int, message: bytes) -> None:
        """The next message of a lane, encrypted as it came, is delivered: expect the one after it."""
        self.revision += 1
        self.broken = False
        self.history.delivered(lane, self.receiver.expected(lane), message)
        self.receiver.deliver(lane)
        self._forget_below(lane)

    def spoil(self, lane: int, number: int) -> None:
        """Drop the fragments of a message that does not open."""
        self.revision += 1
        self.receiver.forget(lane, number)
        self._store.run("DELETE FROM inbound WHERE session = ? AND lane = ? AND number = ?", self.id, lane, number)

    def _forget_below(self, lane: int) -> None:
        expected = self.receiver.expected(lane)
        self._store.run("DELETE FROM inbound WHERE session = ? AND lane = ? AND number < ?", self.id, lane, expected)
        self._store.run(f"UPDATE sessions SET expected_{lane:d} = ? WHERE id = ?", expected, self.id)  # noqa: S608

    def wants_slot(self) -> bool:
        """Whether it may have something for a slot now or later without any news."""
        return self.sender.busy() or self.receiver.due_at() is not None

    def wake_at(self) -> float | None:
        """When it next has something to send by itself: 0.0 for at once."""
        if any(self.sender.waits(lane) for lane in range(LANES)):
            return 0.0
        times = [time for time in (self.sender.wake_at(), self.receiver.due_at()) if time is not None]
        return min(times, default=None)


def _columns(channel: ChannelKey) -> tuple[bytes, bytes]:
    """What `_channel` makes a channel of again."""
    return channel.channel, channel.key.expose()


def _channel(name: bytes, key: bytes) -> ChannelKey:
    return ChannelKey(bytes(name), SymmetricKey(bytes(key)))
