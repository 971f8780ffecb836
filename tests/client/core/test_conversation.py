"""A session under way: what one side posts the other one opens, and both can be made again from their stores."""

from __future__ import annotations

import random

import pytest

from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.delivery_tags import tag
from mixnet.client.arq.fragments import LANES, WINDOW, Arrival, FragmentToSend, ProbeToSend, ReplyBlock
from mixnet.client.arq.sender import Transmission
from mixnet.client.core.conversation import Conversation, Delivered, NewSession, Parcel
from mixnet.client.core.outgoing import MessengerSettings
from mixnet.client.e2e.ratchet import Session
from mixnet.client.e2e.x3dh import Channels, Prekeys, start_untrusted
from mixnet.client.model.destination import Destination
from mixnet.client.model.views import ContactState, MessageKind, MessageState
from mixnet.client.storage.contacts import ContactTable
from mixnet.client.storage.database import Store
from mixnet.client.storage.messages import MessageTable, NewMessage
from mixnet.crypto import SymmetricKey
from mixnet.errors import RemoteError
from tests.client.worlds.channel import BLOCK_LIFE, START

LONG = 3000  # bytes of a body that takes more than one fragment
PLACE = Destination(b"P" * 32, b"M" * 32, b"S" * 32)


class Side:
    """One end of a session, with a store of its own."""

    def __init__(self, channels: Channels, session: Session, *, entry: bool) -> None:
        self.store = Store.open(":memory:", SymmetricKey(b"k" * 32))
        contact = ContactTable(self.store, b"i" * 32).add("friend", b"f" * 32, ContactState.ESTABLISHED, START)
        first = channels.incoming if entry else None
        new = NewSession(contact.id, channels, first, PLACE, session, expected=0)
        self.it = Conversation.create(self.store, new, MessengerSettings(), random.Random(1))

    def again(self) -> Conversation:
        """The conversation as a restart makes it."""
        (made,) = Conversation.load(self.store, MessengerSettings(), random.Random(1))
        return made

    def message(self, sent_at: float = 0.0) -> int:
        """A message of ours in the store."""
        table = MessageTable(self.store)
        number = table.add(NewMessage(self.it.contact, MessageKind.TEXT, MessageState.QUEUED, "hi"), START)
        if sent_at:
            table.left(number, sent_at, 0.0)
        return number

    def count(self, table: str) -> int:
        return self.store.one(f"SELECT count(*) FROM {table}")[0]

    def out(self, lane: int = 0) -> list[Transmission]:
        """All that a lane has to send now."""
        return list(iter(lambda: self.it.sender.next(lane, START), None))

    def fragments(self, lane: int = 0) -> list[FragmentToSend]:
        made = [self.it.content(transmission) for transmission in self.out(lane)]
        assert all(isinstance(one, FragmentToSend) for one in made)
        return made

    def takes(self, parts: list[FragmentToSend]) -> list[bytes]:
        """Keep fragments and deliver what is complete, as the inbox does."""
        opened = []
        for part in parts:
            lane = part.fragment.lane
            if self.it.receiver.is_new_untrusted(part.fragment):
                self.it.keep(part.fragment)
            self.it.skip(lane, part.fragment.floor)
            while (number := self.it.receiver.ready(lane)) is not None:
                whole = self.it.assemble(lane, number)
                opened.append(self.it.open_untrusted(whole))
                self.it.delivered(lane, whole)
        return opened

    def report(self) -> Ack:
        return self.it.told(Ack(0, 0.0, tuple(self.it.receiver.report(lane) for lane in range(LANES))))


def parcel(body: bytes, message: int | None = None, *, lane: int = 0, last: bool = False, size: int = 0) -> Parcel:
    return Parcel(lane, body, message, last, size, START + 90)


@pytest.fixture
def sides() -> tuple[Side, Side]:
    prekeys = Prekeys.generate(SymmetricKey(b"i" * 32))
    started = start_untrusted(SymmetricKey(b"a" * 32), prekeys.public, b"invitation", b"hello")
    answered = prekeys.answer_untrusted(started.hello, b"invitation")
    return Side(started.channels, started.session, entry=True), Side(answered.channels, answered.session, entry=False)


def test_both_ends_know_each_other_s_channels_and_who_began(sides):
    alice, bob = sides
    assert alice.it.incoming == bob.it.outgoing and alice.it.outgoing == bob.it.incoming
    for side, begun in ((alice, True), (bob, False)):
        for it in (side.it, side.again()):
            assert it.begun_here is begun and it.destination == PLACE
            assert (it.id, it.contact, it.incoming) == (side.it.id, side.it.contact, side.it.incoming)


@pytest.mark.parametrize("restarts", [False, True])
def test_what_is_posted_in_each_lane_is_opened_in_its_order_and_confirmed(sides, restarts):
    alice, bob = sides
    bodies = {0: [b"one", b"two" * LONG, b"three"], 1: [b"file" * LONG]}
    for lane, texts in bodies.items():
        for body in texts:
            alice.it.post(parcel(body, lane=lane, last=True, size=len(body)))
    for lane, texts in bodies.items():
        if restarts:
            alice.it, bob.it = alice.again(), bob.again()
        assert bob.takes(alice.fragments(lane)) == texts
    assert bob.count("inbound") == 0 and bob.again().receiver.expected(0) == 3 and bob.again().receiver.expected(1) == 1
    assert not alice.it.outdated(bob.report())
    delivered = alice.it.acknowledged(bob.report(), START)
    assert delivered == [Delivered(None, True, len(body)) for texts in bodies.values() for body in texts]
    assert [alice.count(table) for table in ("outbound", "sealed", "posted")] == [0, 0, 0]
    assert not alice.it.wants_slot() and alice.it.acknowledged(bob.report(), START) == []
    again = alice.again().sender
    assert [again.next_number(lane) for lane in range(LANES)] == [3, 1]


def test_what_was_confirmed_in_part_is_not_sent_again_after_a_restart(sides):
    alice, bob = sides
    alice.it.post(parcel(b"x" * LONG))
    parts = alice.fragments()
    assert len(parts) > 1 and bob.takes(parts[:1]) == []
    bob.it = bob.again()
    assert alice.it.acknowledged(bob.report(), START) == []
    alice.it = alice.again()
    assert [part.fragment.index for part in alice.fragments()] == list(range(1, len(parts)))
    assert bob.takes(parts[1:]) == [b"x" * LONG]


def test_the_first_message_of_who_began_goes_to_the_invitation_s_channel(sides):
    alice, bob = sides
    alice.it.post_sealed(b"hello" * 500, parcel(b""))
    alice.it.post(parcel(b"second"))
    alice.it.post(parcel(b"other lane", lane=1))
    bob.it.post(parcel(b"first"))
    channels = [(part.fragment.number, part.channel) for part in alice.fragments()]
    assert channels[0] == channels[1] == (0, alice.it.incoming)  # which stands for the invitation's here
    assert channels[-1] == (1, alice.it.outgoing)
    assert [part.channel for part in alice.fragments(1)] == [alice.it.outgoing]
    assert [part.channel for part in bob.fragments()] == [bob.it.outgoing]
    assert alice.count("posted") == 1 and bob.count("posted") == 1  # what is sealed already has no body here


def test_a_probe_says_which_messages_are_under_way(sides):
    alice, _ = sides
    for number in range(3):
        alice.it.post(parcel(b"text"))
        assert alice.it.sender.next_number(0) == number + 1
    alice.it.withdraw(0, 0)
    probe = alice.it.content(Transmission(77, None, True))
    assert probe == ProbeToSend(alice.it.outgoing, 77, (1, 0))
    assert {part.fragment.floor for part in alice.fragments()} == {1}


def test_a_message_is_sent_when_its_first_fragment_leaves_and_only_once(sides):
    alice, _ = sides
    number = alice.message()
    alice.it.post(parcel(b"x" * LONG, number))
    first, second = alice.out()[:2]
    for transmission in (second, first):
        alice.it.content(transmission)
    assert alice.it.left(second.id, START) is None
    assert alice.it.left(first.id, START) == number
    assert alice.it.left(first.id, START) is None


def test_a_message_in_several_parcels_is_sent_with_the_first_of_them(sides):
    alice, _ = sides
    number, other = alice.message(), alice.message()
    for message in (number, number, other):
        alice.it.post(parcel(b"part", message))
    alice.it = alice.again()
    made = alice.out()
    for transmission in made:
        alice.it.content(transmission)
    assert [alice.it.left(one.id, START) for one in made] == [number, None, other]


def test_a_message_that_was_sent_before_a_restart_is_not_sent_anew(sides):
    alice, _ = sides
    for message in (alice.message(sent_at=START), None):
        alice.it.post(parcel(b"part", message))
    for it in (alice.it, alice.again()):
        alice.it = it
        made = alice.out()
        for transmission in made:
            alice.it.content(transmission)
        assert [alice.it.left(one.id, START) for one in made] == [None, None]


def test_what_is_given_up_is_gone_and_not_waited_for(sides):
    alice, bob = sides
    number = alice.message()
    for body, message in ((b"zero", None), (b"one", number), (b"two", None)):
        alice.it.post(parcel(body, message))
    alice.it.withdraw(0, 1)
    alice.it.withdraw(0, 0)
    assert alice.count("outbound") == alice.count("sealed") == alice.count("posted") == 1
    assert bob.takes(alice.fragments()) == [b"two"]
    assert alice.it.acknowledged(bob.report(), START) == [Delivered(None, False, 0)]
    assert bob.count("inbound") == 0 and bob.again().receiver.expected(0) == 3


def test_what_does_not_open_changes_nothing_and_may_come_again(sides):
    alice, bob = sides
    alice.it.post(parcel(b"x" * LONG))
    parts = alice.fragments()
    before = bob.it.session.serialize()
    for part in parts:
        bob.it.keep(part.fragment)
    whole = bob.it.assemble(0, 0)
    with pytest.raises(RemoteError):
        bob.it.open_untrusted(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert bob.it.session.serialize() == before == bob.again().session.serialize()
    bob.it.spoil(0, 0)
    assert bob.count("inbound") == 0
    assert bob.takes(parts) == [b"x" * LONG]
    assert bob.it.session.serialize() == bob.again().session.serialize() != before


def test_the_ratchet_moves_on_in_store_and_memory_alike(sides):
    alice, _ = sides
    before = alice.it.session.serialize()
    alice.it.post(parcel(b"text"))
    assert alice.it.session.serialize() == alice.again().session.serialize() != before


def test_an_answer_about_what_was_never_sent_tells_of_an_old_copy(sides):
    alice, bob = sides
    for body in (b"one", b"two"):
        alice.it.post(parcel(body))
    alice.it.post(parcel(b"file", lane=1))
    assert not alice.it.outdated(Ack(0, 0.0, (LaneReport(2, {}), LaneReport(1, {}))))
    assert alice.it.outdated(Ack(0, 0.0, (LaneReport(3, {}), LaneReport(1, {}))))
    assert alice.it.outdated(Ack(0, 0.0, (LaneReport(2, {}), LaneReport(2, {}))))
    bob.takes(alice.fragments())
    right = bob.report()
    assert not alice.it.outdated(right)
    assert len(right.lanes[0].tags) == 2 and right.lanes[1].tags == ()
    for lane, number, tags in (
        (0, 2, (right.lanes[0].tags[0], tag(b"else"))),
        (0, 1, (tag(b"else"),)),
        (1, 1, (b"8" * 8,)),
    ):
        lanes = list(right.lanes)
        lanes[lane] = LaneReport(number, {}, tags)
        assert alice.it.outdated(Ack(0, 0.0, tuple(lanes))), (lane, number)
    beyond = LaneReport(1, {}, right.lanes[0].tags[:1])
    assert not alice.it.outdated(Ack(0, 0.0, (beyond, LaneReport(0, {}))))


def test_an_answer_has_the_tags_of_the_last_window_of_its_lane(sides):
    _, bob = sides
    for number in range(WINDOW + 5):
        bob.it.history.delivered(0, number, b"%d" % number)
    told = bob.it.told(Ack(9, 1.5, (LaneReport(WINDOW + 5, {WINDOW + 6: 1}), LaneReport(0, {}))))
    assert (told.newest, told.held, told.lanes[0].partial, told.lanes[1].tags) == (9, 1.5, {WINDOW + 6: 1}, ())
    assert told.lanes[0].tags == tuple(tag(b"%d" % number) for number in range(5, WINDOW + 5))


def test_it_wakes_for_what_is_first_its_own_time_out_or_an_answer_that_is_due(sides):
    alice, _ = sides
    assert alice.it.wake_at() is None and not alice.it.wants_slot()
    alice.it.post(parcel(b"text"))
    assert alice.it.wake_at() == 0.0 and alice.it.wants_slot()
    alice.out()
    own = alice.it.sender.wake_at()
    assert alice.it.wake_at() == own > START
    block = ReplyBlock(b"block", int(START + BLOCK_LIFE))
    delay = MessengerSettings().ack_delay
    alice.it.receiver.solicited(Arrival(1, block, None), START, new=True)
    assert alice.it.wake_at() == START + delay < own
    alice.it.withdraw(0, 0)
    assert alice.it.wake_at() == START + delay and alice.it.wants_slot()
    assert alice.it.receiver.answer(START + 1) is not None
    assert alice.it.wake_at() is None and not alice.it.wants_slot()
    alice.it.post(parcel(b"file", lane=1))
    assert alice.it.wake_at() == 0.0


def test_a_message_that_is_given_up_on_its_way_out_was_not_sent(sides):
    alice, _ = sides
    alice.it.post(parcel(b"text", alice.message()))
    (made,) = alice.out()
    alice.it.content(made)
    alice.it.withdraw(0, 0)
    assert alice.it.left(made.id, START) is None
