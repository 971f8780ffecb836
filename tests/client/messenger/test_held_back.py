"""What a contact learns of reading and presence is the user's choice: read receipts, and delayed acknowledgements."""

import pytest

from mixnet.client.arq import acks
from mixnet.client.e2e.bodies import REASONS, Reason, Seen, WireId
from mixnet.client.e2e.statements import ReceiptKind
from mixnet.client.model.errors import UnknownContact
from mixnet.client.model.views import AckChoice, MessageKind, MessageState, ReadReceiptChoice
from mixnet.client.storage.receipts import Rule
from tests.client.worlds.channel import Channel, Person

PAUSE = 60.0
SOON = 6.0  # seconds in which what was let go has left
ON, OFF, DELAYED, DEFAULT = (ReadReceiptChoice(one) for one in ("on", "off", "delayed", "default"))


class Watched(Channel):
    """Alice and bob, who pauses; what leaves bob is noted, and so are the moments that were drawn for it."""

    def __init__(self, tmp, seed=0, **of_bob):
        super().__init__(tmp, seed, names=("alice",))
        self.left: list[float] = []
        self.moments: list[float] = []
        self.join("bob", pause=PAUSE, **of_bob)
        self.introduce("bob", "alice")
        assert self.run(120, self.settled)
        self.run(60)

    @property
    def bob(self) -> Person:
        return self["bob"]

    def hush(self) -> None:
        self.bob.messenger.people.acknowledgements("alice", AckChoice.DELAYED)

    def _slot(self, name: str) -> None:
        before = (self["bob"].fragments, self["bob"].replies) if name == "bob" else None
        if name == "bob":
            pauses = self.bob.messenger._core.pauses
            self.moments += [moment for moment in pauses._moments.values() if moment <= self.now]
        super()._slot(name)
        if name == "bob" and before != (self.bob.fragments, self.bob.replies):
            self.left.append(self.now)

    def all_left_at_moments(self) -> bool:
        return all(any(moment <= when <= moment + SOON for moment in self.moments) for when in self.left)


def state(person: Person, number: int) -> MessageState:
    return person.messenger.message(number).state


def received_or_read(person: Person) -> int:
    return next(m.id for m in person.messenger.messages() if not m.outgoing)


def received(person: Person) -> int:
    return next(m.id for m in person.messenger.messages() if m.state is MessageState.RECEIVED)


# read receipts


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("choice", [(OFF, DEFAULT), (DELAYED, OFF)])
def test_off_is_here_only(tmp_path, choice, signed):
    channel = Watched(tmp_path)
    default, of_alice = choice
    channel.bob.messenger.default_read_receipts(default)
    channel.bob.messenger.people.read_receipts("alice", of_alice)
    channel.bob.messenger.attestations.set_rule(None, Rule.ALWAYS)
    number = channel["alice"].messenger.send_text("bob", "hi", channel.now, signed=signed)
    assert channel.run(60, channel.settled)
    channel.run(30)
    channel.left.clear()
    channel.bob.messenger.mark_read(received(channel.bob), channel.now)
    channel.run(12 * PAUSE)
    assert not channel.left
    assert state(channel["alice"], number) is MessageState.DELIVERED
    assert [m.state for m in channel.bob.messenger.messages()] == [MessageState.READ]


@pytest.mark.parametrize("choice", [(ON, DEFAULT), (OFF, ON)])
def test_on_is_at_once(tmp_path, choice):
    channel = Watched(tmp_path)
    channel.bob.messenger.default_read_receipts(choice[0])
    channel.bob.messenger.people.read_receipts("alice", choice[1])
    number = channel["alice"].messenger.send_text("bob", "hi", channel.now)
    assert channel.run(60, channel.settled)
    channel.run(30)
    channel.bob.messenger.mark_read(received(channel.bob), channel.now)
    assert channel.run(5, lambda: state(channel["alice"], number) is MessageState.READ)


@pytest.mark.parametrize("signed", [False, True])
def test_a_delayed_one_leaves_at_a_random_moment_and_says_no_other(tmp_path, signed):
    channel = Watched(tmp_path)
    assert channel.bob.messenger.default_read_receipts() is DELAYED
    channel.bob.messenger.attestations.set_rule(None, Rule.ALWAYS)
    number = channel["alice"].messenger.send_text("bob", "hi", channel.now, signed=signed)
    assert channel.run(60, channel.settled)
    channel.run(30)
    read_at = channel.now
    channel.left.clear(), channel.moments.clear()
    channel.bob.messenger.mark_read(received(channel.bob), read_at)
    assert channel.run(15 * PAUSE, lambda: state(channel["alice"], number) is MessageState.READ)
    assert channel.left and channel.all_left_at_moments()
    if signed:
        receipts = channel["alice"].messenger._core.signatures.receipts(number)
        assert receipts[-1].time == int(channel.moments[0]) >= read_at


def test_a_restart_neither_loses_nor_hastens_it(tmp_path):
    """Moments that pass while the daemon is off would all come at its start, and show it."""
    channel = Watched(tmp_path)
    for seed in range(3):
        number = channel["alice"].messenger.send_text("bob", f"{seed}", channel.now)
        assert channel.run(60, lambda: state(channel["alice"], number) is MessageState.DELIVERED)  # noqa: B023
        channel.bob.messenger.mark_read(received(channel.bob), channel.now)
        channel.run(1)
        waits = channel.bob.store.has("SELECT 1 FROM waiting WHERE held")
        channel.bob.online = False
        channel.run(11 * PAUSE)
        channel.bob.crash()
        channel.bob.online = True
        channel.left.clear(), channel.moments.clear()
        assert channel.run(15 * PAUSE, lambda: state(channel["alice"], number) is MessageState.READ)  # noqa: B023
        if waits:
            assert channel.left and channel.all_left_at_moments()
        channel.run(60)


def test_the_choice_is_the_users_for_contacts_that_there_are(tmp_path):
    channel = Watched(tmp_path)
    for verb, choice in (("read_receipts", OFF), ("acknowledgements", AckChoice.DELAYED)):
        with pytest.raises(UnknownContact):
            getattr(channel.bob.messenger.people, verb)("nobody", choice)
    assert channel.bob.messenger.default_read_receipts(OFF) is OFF
    assert channel.bob.messenger.default_read_receipts(DEFAULT) is DELAYED


# acknowledgements


def plain(channel: Watched) -> None:
    channel["alice"].messenger.send_text("bob", "hi", channel.now)


def signed(channel: Watched) -> None:
    channel.bob.messenger.attestations.set_rule(None, Rule.ALWAYS)
    channel["alice"].messenger.send_text("bob", "hi", channel.now, signed=True)


def refused_file(channel: Watched) -> None:
    path = channel.tmp / "large"
    path.write_bytes(bytes(100_000))
    channel["alice"].messenger.send_file("bob", path, channel.now)


def probe(channel: Watched) -> None:
    """Alice gives something up, so that bob is asked for nothing but an answer."""
    number = channel["alice"].messenger.send_text("bob", "hi", channel.now)
    channel["alice"].messenger.cancel(number, channel.now)
    channel["alice"].messenger.send_text("bob", "hi again", channel.now)


def answers_wanted_again(channel: Watched) -> None:
    """What bob sent is not acknowledged; then alice comes back."""
    channel["alice"].online = False
    channel.bob.messenger.send_text("alice", "are you there?", channel.now)
    channel.run(20)
    channel.left.clear(), channel.moments.clear()
    channel.run(3 * PAUSE)
    channel["alice"].online = True


def new_session(channel: Watched) -> None:
    """Alice accepts an invitation of bob's again: bob confirms it, and gives the old session up."""
    invitation = channel.bob.messenger.create_invitation("bob", channel.now)
    channel["alice"].messenger.accept_invitation(invitation.encode(), None, channel.now)


@pytest.mark.parametrize("asks", [plain, signed, refused_file, probe, answers_wanted_again, new_session])
@pytest.mark.parametrize("restart", [False, True])
def test_nothing_leaves_for_a_contact_but_at_random_moments(tmp_path, asks, restart):
    channel = Watched(tmp_path, downloads=None)
    channel.hush()
    channel.left.clear(), channel.moments.clear()
    asks(channel)
    if restart:
        channel.run(2)
        channel.bob.online = False
        channel.run(11 * PAUSE)
        channel.bob.crash()
        channel.bob.online = True
    channel.run(8 * PAUSE)
    assert channel.left and channel.all_left_at_moments()


def test_each_message_is_delivered_once_and_in_order(tmp_path):
    channel = Watched(tmp_path, seed=5)
    channel.loss = channel.duplication = 0.1
    channel.hush()
    sent = [f"text {n}" for n in range(20)]
    for text in sent:
        channel["alice"].messenger.send_text("bob", text, channel.now)
        channel.bob.messenger.send_text("alice", text, channel.now)
    assert channel.run(60, lambda: len(channel.bob.inbox()) >= 5)  # they arrive as fast as ever
    assert channel.run(60 * PAUSE, channel.settled)
    assert channel.bob.inbox() == channel["alice"].inbox() == sent
    assert set(channel["alice"].states()) == {"delivered"}


def test_a_file_gets_through_both_ways(tmp_path):
    channel = Watched(tmp_path)
    channel.hush()
    path = tmp_path / "file"
    path.write_bytes(bytes(200_000))
    channel["alice"].messenger.send_file("bob", path, channel.now)
    channel.bob.messenger.send_file("alice", path, channel.now)
    assert channel.run(60 * PAUSE, channel.settled)
    assert channel["alice"].inbox(MessageKind.FILE) == channel.bob.inbox(MessageKind.FILE) == ["file"]


def test_an_answer_tells_neither_when_something_came_nor_wears_the_sender_out(tmp_path):
    channel = Watched(tmp_path)
    channel.hush()
    told = []
    original = channel["alice"].messenger.replied_untrusted

    def look(raw, now, session=None):
        conversation = channel["alice"].messenger._core.by_outgoing[acks.channel_of_untrusted(raw)]
        told.append(acks.parse_untrusted(raw, conversation.outgoing).held)
        return original(raw, now, session)

    channel["alice"].messenger.replied_untrusted = look
    for _ in range(10):
        channel["alice"].messenger.send_text("bob", "hi", channel.now)
        assert channel.run(20 * PAUSE, channel.settled)
    assert told and set(told) == {None}
    before = channel["alice"].fragments
    for _ in range(5):
        channel["alice"].messenger.send_text("bob", "hi", channel.now)
        assert channel.run(20 * PAUSE, channel.settled)
    assert channel["alice"].fragments - before < 5 * 12  # its timer has learned how long an answer takes


def test_what_the_user_writes_leaves_at_once(tmp_path):
    channel = Watched(tmp_path)
    channel.hush()
    channel.bob.messenger.send_text("alice", "hi", channel.now)
    assert channel.run(5, lambda: channel["alice"].inbox() == ["hi"])


def test_prompt_again_lets_all_go_on(tmp_path):
    channel = Watched(tmp_path)
    channel.hush()
    channel["alice"].online = False
    channel.bob.messenger.send_text("alice", "hi", channel.now)
    channel.run(30)
    channel.bob.crash()
    channel["alice"].online = True
    channel.bob.messenger.people.acknowledgements("alice", AckChoice.PROMPT)
    assert channel.run(60, channel.settled)
    number = channel["alice"].messenger.send_text("bob", "hi", channel.now)
    assert channel.run(20 * PAUSE, lambda: state(channel["alice"], number) is MessageState.DELIVERED)
    number = channel["alice"].messenger.send_text("bob", "hi", channel.now)
    assert channel.run(10, lambda: state(channel["alice"], number) is MessageState.DELIVERED)


@pytest.mark.parametrize("away", [1, 10 * PAUSE])
def test_an_unblock_shows_no_contact_its_moment(tmp_path, away):
    """What was let go before the block, or under way, would all leave at once."""
    channel = Watched(tmp_path, downloads=None)
    channel.hush()
    refused_file(channel)
    channel.run(2)
    channel["alice"].online = False
    assert channel.run(20 * PAUSE, lambda: channel.bob.store.has("SELECT 1 FROM outbound"))
    channel.run(PAUSE)
    channel.bob.messenger.people.block("alice", channel.now)
    channel.left.clear(), channel.moments.clear()
    channel.run(away)
    assert not channel.left and len(channel.moments) <= 1  # one was drawn before
    channel.bob.messenger.people.unblock("alice")
    channel["alice"].online = True
    channel.run(8 * PAUSE)
    assert channel.left and channel.all_left_at_moments()
    assert not channel.bob.store.has("SELECT 1 FROM outbound") and not channel.bob.messenger._core.held


@pytest.mark.parametrize("unblocked", [False, True])
def test_what_waits_is_held_back_from_the_choice_on(tmp_path, unblocked):
    """Bodies for which the window has no room, as if `alice` let bob fill it."""
    channel = Watched(tmp_path)
    channel["alice"].online = False
    core = channel.bob.messenger._core
    (alice,) = (one.id for one in core.contacts.all())
    with core.change():
        for number in range(100):
            core.enqueue(alice, 0, Seen((WireId(number),)), None, channel.now)
    channel.run(30)
    if unblocked:
        channel.bob.messenger.people.block("alice", channel.now)
    channel.hush()
    if unblocked:
        channel.bob.messenger.people.unblock("alice")
    channel.run(2)
    channel.left.clear(), channel.moments.clear()
    channel["alice"].online = True
    channel.run(12 * PAUSE)
    assert channel.left and channel.all_left_at_moments()
    assert not channel.bob.store.has("SELECT 1 FROM waiting") and not core.held and not core.waiting


@pytest.mark.parametrize("choice", [OFF, DELAYED])
def test_consent_given_afterwards_tells_no_more_of_reading(tmp_path, choice):
    channel = Watched(tmp_path)
    channel.bob.messenger.people.read_receipts("alice", choice)
    number = channel["alice"].messenger.send_text("bob", "hi", channel.now, signed=True)
    assert channel.run(60, channel.settled)
    channel.bob.messenger.mark_read(received(channel.bob), channel.now)
    channel.run(12 * PAUSE)
    channel.left.clear(), channel.moments.clear()
    channel.bob.messenger.attestations.consent(received_or_read(channel.bob), True, channel.now)
    channel.run(SOON)
    receipts = lambda: [one.kind for one in channel["alice"].messenger._core.signatures.receipts(number)]  # noqa: E731
    assert receipts() == [ReceiptKind.DELIVERY]
    channel.run(12 * PAUSE)
    assert receipts() == [ReceiptKind.DELIVERY, ReceiptKind.READING][: 1 + (choice is DELAYED)]


@pytest.mark.parametrize("hushed", [False, True])
@pytest.mark.parametrize("size", [1000, 100_000])
def test_the_sender_of_a_file_that_was_refused_learns_of_it(tmp_path, hushed, size):
    """Even if all pieces are acknowledged first, as they are where the refusal waits for the same moment."""
    channel = Watched(tmp_path, downloads=None)
    if hushed:
        channel.hush()
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    number = channel["alice"].messenger.send_file("bob", path, channel.now)
    assert channel.run(12 * PAUSE, lambda: state(channel["alice"], number) is MessageState.FAILED)
    assert channel["alice"].messenger.message(number).error == REASONS[Reason.NO_ROOM]
    assert channel["alice"].events[-1].message.error
