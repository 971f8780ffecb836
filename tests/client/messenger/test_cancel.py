"""Messages that are given up before they are delivered: by their user, or because their time is over."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.e2e.bodies import CHUNK_SIZE, REASONS_HERE, Reason
from mixnet.client.model.durations import DAY
from mixnet.client.model.errors import BadLifetime, NotUnderWay, UnknownMessage
from mixnet.client.model.failures import CANCELLED, EXPIRED
from mixnet.client.model.views import MessageKind, MessageState, MessageStateChanged
from mixnet.errors import MixnetError
from tests.client.worlds.channel import Channel
from tests.client.worlds.crashes import Killed, dying
from tests.client.worlds.friends import SLOW, befriend, downloads, failures, write


@pytest.fixture
def friends(tmp_path):
    made = Channel(tmp_path, seed=6)
    befriend(made)
    made.run(10)
    made["alice"].messenger.take_events()
    return made


def test_a_queued_text_is_never_sent_and_what_follows_arrives(friends):
    alice = friends["alice"]
    numbers = [alice.messenger.send_text("bob", f"{n}", friends.now) for n in range(5)]
    cancelled = alice.messenger.cancel(numbers[2], friends.now)
    assert (cancelled.state, cancelled.error) == (MessageState.FAILED, CANCELLED.unsent)
    (event,) = alice.messenger.take_events()
    assert event == MessageStateChanged(cancelled)
    alice.crash()
    assert friends.run(60, friends.settled)
    assert friends["bob"].inbox() == ["0", "1", "3", "4"]
    assert alice.messenger.message(numbers[2]) == cancelled


def test_a_text_under_way_is_not_waited_for(friends):
    """Its first fragments arrived and the rest never will: those behind it, complete over there, come out."""
    alice, seen = friends["alice"], 0

    def some(plaintext: bytes) -> bytes:
        nonlocal seen
        seen += 1
        return plaintext if seen < 4 else bytes(len(plaintext))

    friends.tamper = some
    long = alice.messenger.send_text("bob", "x" * 60_000, friends.now)
    friends.run(1)
    friends.tamper = None
    assert alice.messenger.message(long).state is MessageState.SENT
    behind = [alice.messenger.send_text("bob", f"{n}", friends.now) for n in range(3)]
    alice.messenger.cancel(long, friends.now)
    sent = alice.fragments
    alice.crash()
    assert friends.run(60, friends.settled)
    assert friends["bob"].inbox() == ["0", "1", "2"]
    assert alice.fragments - sent < 10, "no more of it is sent"
    assert {alice.messenger.message(number).state for number in behind} == {MessageState.DELIVERED}
    assert friends["bob"].store.all("SELECT * FROM inbound") == []


def test_what_the_receiver_holds_back_for_a_cancelled_text_comes_out(friends):
    """All of the next text has arrived before the cancelling: only the floor is missing."""
    alice = friends["alice"]
    friends.tamper = lambda plaintext: bytes(len(plaintext))
    lost = alice.messenger.send_text("bob", "lost", friends.now)
    assert friends.run(60, lambda: alice.messenger.message(lost).state is MessageState.SENT)
    friends.tamper = None
    alice.messenger.send_text("bob", "behind", friends.now)
    bob = friends["bob"].store
    assert friends.run(60, lambda: bob.all("SELECT * FROM inbound") != [])
    alice.messenger.cancel(lost, friends.now)
    assert friends.run(60, friends.settled)
    assert friends["bob"].inbox()[-1] == "behind"


@pytest.mark.parametrize("when", ["queued", "offered", "half", "ended"])
def test_a_cancelled_file_ends_on_both_sides_and_leaves_nothing(friends, when):
    alice, bob = friends["alice"], friends["bob"]
    number = alice.messenger.send_file("bob", write(friends, 3 * CHUNK_SIZE), friends.now)
    if when == "offered":
        assert friends.run(60, lambda: bob.messenger.files(0, 1, friends.now))
        assert bob.messenger.messages() == [], "it is not complete"
    if when == "half":
        assert friends.run(60, lambda: alice.messenger.message(number).done > 0)
    if when == "ended":
        assert friends.run(60, lambda: not alice.store.all("SELECT * FROM sending"))
    sent = alice.fragments
    given_up = alice.messenger.cancel(number, friends.now)
    assert given_up.error == (CANCELLED.unsent if when == "queued" else CANCELLED.sent)
    assert given_up.may_arrive == (when != "queued")
    alice.crash()
    friends.run(60)
    if when == "queued":
        assert alice.fragments == sent and bob.messenger.messages() == []
    else:
        (came,) = bob.messenger.messages()
        assert (came.state, came.error) == (MessageState.FAILED, REASONS_HERE[Reason.CANCELLED])
    assert downloads(friends) == {}
    alice.messenger.send_file("bob", write(friends, 1000, "next.bin"), friends.now)
    assert friends.run(60, friends.settled)
    assert list(downloads(friends)) == ["next.bin"]


def test_what_can_t_be_cancelled_says_why(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    number = alice.send_text("bob", "hi", friends.now)
    assert friends.run(60, friends.settled)
    failed = alice.send_text("bob", "no", friends.now)
    alice.cancel(failed, friends.now)
    for who, which, error, why in [
        (alice, number, NotUnderWay, "delivered already: it is too late"),
        (alice, failed, NotUnderWay, "failed already"),
        (bob, bob.messages()[0].id, NotUnderWay, "came to you"),
        (alice, 99, UnknownMessage, "mixnet inbox"),
    ]:
        with pytest.raises(error, match=why) as caught:
            who.cancel(which, friends.now)
        assert isinstance(caught.value, MixnetError) and "\n" not in str(caught.value)
    assert alice.message(number).error == ""


def test_what_was_given_up_is_not_wanted_any_more(friends):
    """The daemon asks before a packet that is ready leaves."""
    alice = friends["alice"].messenger
    number = alice.send_text("bob", "hi", friends.now)
    ready = alice.next_outgoing(friends.now)
    assert alice.wants(ready)
    alice.cancel(number, friends.now)
    assert not alice.wants(ready)
    friends["bob"].messenger.send_text("alice", "hi", friends.now)
    friends.run(60)
    assert friends["bob"].inbox() == [] and friends["alice"].inbox() == ["hi"]


@pytest.mark.parametrize("kind", list(MessageKind))
@pytest.mark.parametrize("when", range(1, 6))
def test_a_crash_while_cancelling_leaves_it_done_or_not_begun(friends, monkeypatch, kind, when):
    alice = friends["alice"]
    text = kind is MessageKind.TEXT
    path = write(friends, 10 * CHUNK_SIZE)
    send = alice.messenger.send_text if text else alice.messenger.send_file
    number = send("bob", "x" * 60_000 if text else path, friends.now)
    friends.run(0.5)
    with monkeypatch.context() as patch:
        patch.setattr(alice.store, "run", dying(alice.store.run, when, first=bool(when % 2)))
        with pytest.raises(Killed):
            alice.messenger.cancel(number, friends.now)
    alice.crash()
    assert alice.messenger.message(number).state in (MessageState.QUEUED, MessageState.SENT)
    assert friends.run(600, friends.settled)
    assert alice.messenger.message(number).state is MessageState.DELIVERED


@given(st.integers(0, 1 << 32), st.sampled_from([0.0, 0.3]))
@SLOW
def test_what_is_not_cancelled_arrives_once_in_order_whatever_happens(tmp_path_factory, seed, loss):
    channel = Channel(tmp_path_factory.mktemp("channel"), seed=seed, loss=loss, duplication=0.2)
    befriend(channel)
    rng, alice = random.Random(seed), channel["alice"]
    sent: dict[int, str] = {}
    cancelled: set[int] = set()
    for step in range(30):
        action = rng.random()
        if action < 0.5:
            text = f"{step} " + "x" * rng.choice([1, 3000, 30_000])
            sent[alice.messenger.send_text("bob", text, channel.now)] = text
        elif action < 0.6:
            path = write(channel, rng.randrange(3 * CHUNK_SIZE), f"{step}.bin", step)
            sent[alice.messenger.send_file("bob", path, channel.now)] = path.name
        elif action < 0.9 and sent:
            number = rng.choice(list(sent))
            if alice.messenger.message(number).state in (MessageState.QUEUED, MessageState.SENT):
                alice.messenger.cancel(number, channel.now)
                cancelled.add(number)
        else:
            channel[rng.choice(["alice", "bob"])].crash()
        channel.run(rng.expovariate(3.0))
    assert channel.run(20_000, channel.settled)
    channel.run(60)
    came = channel["bob"].inbox(MessageKind.TEXT)
    texts = {n: text for n, text in sent.items() if not text.endswith(".bin")}
    assert [text for text in texts.values() if text in came] == came
    assert {text for n, text in texts.items() if n not in cancelled} <= set(came)
    wanted = {text for n, text in sent.items() if n not in texts and n not in cancelled}
    assert wanted <= set(downloads(channel)) <= set(sent.values()), "no partial file is left"
    assert failures(channel) <= {CANCELLED.unsent, CANCELLED.sent}


# expiry


@pytest.mark.parametrize("kind", list(MessageKind))
def test_what_is_not_delivered_in_its_time_fails_and_the_rest_goes_on(friends, kind):
    alice = friends["alice"].messenger
    friends["bob"].online = False
    if kind is MessageKind.TEXT:
        short = alice.send_text("bob", "short", friends.now, 60)
    else:
        short = alice.send_file("bob", write(friends, 1000), friends.now, 60)
    alice.send_text("bob", "long", friends.now)
    friends.run(50)
    assert alice.message(short).state is MessageState.SENT
    friends["alice"].crash()
    alice = friends["alice"].messenger
    friends.run(15)
    assert (alice.message(short).state, alice.message(short).error) == (MessageState.FAILED, EXPIRED.sent)
    friends["bob"].online = True
    assert friends.run(600, friends.settled)
    assert friends["bob"].inbox()[-1] == "long"


def test_what_is_delivered_in_time_does_not_expire(friends):
    alice = friends["alice"].messenger
    number = alice.send_text("bob", "hi", friends.now, 30)
    assert friends.run(30, friends.settled)
    friends.run(120)
    assert alice.message(number).state is MessageState.DELIVERED


def test_while_nothing_can_be_sent_it_expires_too(friends):
    alice = friends["alice"].messenger
    number = alice.send_text("bob", "hi", friends.now, 30)
    alice.expire(friends.now + 29)
    assert alice.message(number).state is MessageState.QUEUED and alice.next_expiry == friends.now + 30
    alice.expire(friends.now + 30)
    assert failures(friends) == {EXPIRED.unsent} and alice.message(number).state is MessageState.FAILED
    assert alice.next_outgoing(friends.now + 30) is None


@pytest.mark.parametrize("lifetime", [0, -1.0, 7 * DAY + 1, float("nan"), float("inf")])
def test_a_time_that_the_network_does_not_allow_is_refused(friends, lifetime):
    alice = friends["alice"].messenger
    with pytest.raises(BadLifetime, match="at most 1w"):
        alice.send_text("bob", "hi", friends.now, lifetime)
    with pytest.raises(BadLifetime):
        alice.send_file("bob", write(friends, 10), friends.now, lifetime)
    assert alice.messages() == []
    alice.send_text("bob", "hi", friends.now, 7 * DAY)
