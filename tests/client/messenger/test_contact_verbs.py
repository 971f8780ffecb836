"""What a user decides about contacts, through the hostile network: names, and who is heard."""

import random

import pytest

from mixnet.client.e2e.bodies import CHUNK_SIZE
from mixnet.client.messenger.outbox import FROM_BLOCKED
from mixnet.client.model.durations import DAY
from mixnet.client.model.errors import BadName, ContactBlocked, NameTaken, UnknownContact
from mixnet.client.model.failures import TO_BLOCKED
from mixnet.client.model.views import ContactChanged, ContactState, MessageKind, MessageState
from mixnet.errors import MixnetError
from tests.client.worlds.channel import Channel
from tests.client.worlds.crashes import Killed, dying
from tests.client.worlds.friends import befriend, downloads, write


@pytest.fixture
def friends(tmp_path):
    made = Channel(tmp_path, seed=3)
    befriend(made)
    made.run(10)
    for person in made.people.values():
        person.events.clear()
    return made


def at(channel, name="bob"):
    return channel[name].messenger


def deliver(channel, sender, text, seconds=600):
    """Let a text arrive, as far as its sender can tell."""
    number = at(channel, sender).send_text({"alice": "bob", "bob": "alice"}[sender], text, channel.now)
    assert channel.run(seconds, lambda: at(channel, sender).message(number).state is MessageState.DELIVERED)
    return number


# names


def test_a_new_name_holds_for_old_messages_and_new_ones_and_goes_nowhere(friends):
    deliver(friends, "alice", "one")
    before = friends["alice"].fragments, friends["bob"].fragments
    assert at(friends).people.rename("alice", "Alice from work").name == "Alice from work"
    friends["bob"].crash()
    friends.run(30)
    assert (friends["alice"].fragments, friends["bob"].fragments) == before
    assert [message.contact for message in at(friends).messages("Alice from work")] == ["Alice from work"]
    at(friends).send_text("Alice from work", "two", friends.now)
    assert friends.run(60, friends.settled)
    assert friends["alice"].inbox() == ["two"]
    with pytest.raises(UnknownContact):
        at(friends).send_text("alice", "three", friends.now)


def test_names_that_can_t_be_given(friends):
    friends.join("carol")
    befriend(friends, "carol", "bob")
    for error, old, new in [
        (UnknownContact, "nobody", "x"),
        (BadName, "alice", " x"),
        (BadName, "alice", "x\n"),
        (NameTaken, "alice", "carol"),
    ]:
        with pytest.raises(error) as caught:
            at(friends).people.rename(old, new)
        assert isinstance(caught.value, MixnetError) and "\n" not in str(caught.value)
    friends["bob"].messenger.take_events()
    assert at(friends).people.rename("alice", "alice").name == "alice"
    assert at(friends).take_events() == []
    at(friends).people.rename("alice", "a")
    (event,) = at(friends).take_events()
    assert isinstance(event, ContactChanged) and event.contact.name == "a"


# blocking


@pytest.mark.parametrize("loss", [0.0, 0.4])
def test_a_blocked_contact_finds_nobody_there_and_is_heard_after_an_unblock(friends, loss):
    friends.loss = loss
    deliver(friends, "alice", "before")
    assert at(friends).people.block("alice", friends.now).blocked
    at(friends).take_events()
    friends["bob"].events.clear()
    left = friends["bob"].fragments, friends["bob"].replies
    texts = [at(friends, "alice").send_text("bob", f"during {number}", friends.now) for number in range(3)]
    friends.run(30)
    file = at(friends, "alice").send_file("bob", write(friends, 3 * CHUNK_SIZE), friends.now)
    friends["bob"].crash()
    friends.run(600)
    assert {at(friends, "alice").message(number).state for number in (*texts, file)} == {MessageState.SENT}
    assert (friends["bob"].fragments, friends["bob"].replies) == left
    assert friends["bob"].inbox() == ["before"] and downloads(friends) == {}
    assert friends["bob"].events == [] and at(friends).contacts()[0].blocked
    friends["bob"].crash()
    assert not at(friends).people.unblock("alice").blocked
    deliver(friends, "alice", "after", 1200)
    assert friends.run(1200, friends.settled)
    assert friends["bob"].inbox(MessageKind.TEXT) == ["before", "during 0", "during 1", "during 2", "after"]
    assert {at(friends, "alice").message(number).state for number in (*texts, file)} == {MessageState.DELIVERED}
    assert at(friends).contacts()[0].state is ContactState.ESTABLISHED


def test_what_waits_for_a_blocked_contact_fails_and_nothing_is_sent(friends):
    friends["alice"].online = False
    messenger = at(friends)
    numbers = [messenger.send_text("alice", f"{n}", friends.now) for n in range(30)]
    numbers.append(messenger.send_file("alice", write(friends, 40 * CHUNK_SIZE), friends.now))
    friends.run(5)
    messenger.people.block("alice", friends.now)
    sent = friends["bob"].fragments
    messages = [messenger.message(number) for number in numbers]
    assert {(m.state, m.error, m.sent_at > 0) for m in messages} == {
        (MessageState.FAILED, TO_BLOCKED.unsent, False),
        (MessageState.FAILED, TO_BLOCKED.sent, True),
    }
    with pytest.raises(ContactBlocked, match="`mixnet contacts bob --unblock alice`"):
        messenger.send_text("alice", "hi", friends.now)
    with pytest.raises(ContactBlocked):
        messenger.send_file("alice", write(friends, 10), friends.now)
    friends["bob"].crash()
    friends.run(120)
    assert friends["bob"].fragments == sent
    friends["alice"].online = True
    friends.run(60)
    heard = friends["alice"].inbox(MessageKind.TEXT)
    assert heard == [f"{n}" for n in range(len(heard))]
    at(friends).people.unblock("alice")
    at(friends).send_text("alice", "again", friends.now)
    assert friends.run(600, lambda: "again" in friends["alice"].inbox())
    friends.run(60)
    assert friends["alice"].inbox(MessageKind.TEXT) == [*heard, "again"]
    files = [m for m in at(friends, "alice").messages() if m.kind is MessageKind.FILE]
    assert all(m.state is MessageState.FAILED for m in files), "what the contact waited for is called off in the end"
    assert downloads(friends, "alice") == {}


def test_a_file_on_its_way_in_ends_at_the_block_and_leaves_nothing(friends):
    number = at(friends, "alice").send_file("bob", write(friends, 20 * CHUNK_SIZE), friends.now)
    assert friends.run(600, lambda: at(friends, "alice").message(number).done > 2 * CHUNK_SIZE)
    assert any(name.endswith(".part") for name in downloads(friends))
    at(friends).people.block("alice", friends.now)
    (came,) = at(friends).messages()
    assert (came.state, came.error) == (MessageState.FAILED, FROM_BLOCKED)
    assert downloads(friends) == {}
    at(friends).people.unblock("alice")
    assert friends.run(600, friends.settled)
    assert at(friends, "alice").message(number).state is MessageState.DELIVERED
    assert downloads(friends) == {} and len(at(friends).messages()) == 1


def test_no_receipt_goes_to_a_blocked_contact_and_none_is_taken_from_it_before_an_unblock(friends):
    ours = deliver(friends, "bob", "ours")
    theirs = deliver(friends, "alice", "theirs")
    (came,) = [m for m in at(friends).messages() if not m.outgoing]
    at(friends).people.block("alice", friends.now)
    at(friends).mark_read(came.id, friends.now)
    at(friends, "alice").mark_read(1, friends.now)
    friends.run(60)
    assert at(friends).message(came.id).state is MessageState.READ
    assert at(friends).message(ours).state is MessageState.DELIVERED
    at(friends).people.unblock("alice")
    friends.run(60)
    assert at(friends, "alice").message(theirs).state is MessageState.DELIVERED
    assert at(friends).message(ours).state is MessageState.READ, "it is sent again, as to somebody who was away"


def test_a_verified_contact_stays_so_and_both_words_may_be_said_twice(friends):
    at(friends).people.verify("alice")
    at(friends).take_events()
    for verb, blocked in [("block", True), ("unblock", False)]:
        for _ in range(2):
            now = (friends.now,) if blocked else ()
            assert getattr(at(friends).people, verb)("alice", *now).blocked is blocked
        (event,) = at(friends).take_events()
        assert event.contact.blocked is blocked and event.contact.verified
    with pytest.raises(UnknownContact):
        at(friends).people.block("nobody", friends.now)


def test_somebody_blocked_before_the_answer_becomes_a_contact_after_an_unblock(tmp_path):
    channel = Channel(tmp_path, seed=4)
    channel.introduce()
    failed = at(channel).send_text("alice", "hi", channel.now)
    at(channel).people.block("alice", channel.now)
    assert at(channel).message(failed).error == TO_BLOCKED.unsent
    at(channel).take_events()
    channel.run(60)
    (contact,) = at(channel).contacts()
    assert (contact.state, contact.blocked) == (ContactState.PENDING, True)
    assert (channel["bob"].fragments, channel["bob"].replies, channel["bob"].events) == (0, 0, [])
    assert at(channel, "alice").contacts() == []
    at(channel).people.unblock("alice")
    assert channel.run(60, lambda: at(channel).contacts()[0].state is ContactState.ESTABLISHED)
    assert channel["alice"].inbox() == []


def test_an_expired_contact_that_is_blocked_is_not_invited_by_mistake(tmp_path):
    channel = Channel(tmp_path, seed=4)
    channel["alice"].online = False
    channel.introduce()
    at(channel).people.block("alice", channel.now)
    channel.now += 8 * DAY
    at(channel).next_outgoing(channel.now)
    invitation = at(channel, "alice").create_invitation("alice", channel.now).encode()
    with pytest.raises(ContactBlocked):
        at(channel).accept_invitation(invitation, None, channel.now)
    at(channel).people.unblock("alice")
    assert at(channel).accept_invitation(invitation, None, channel.now).state is ContactState.PENDING


@pytest.mark.parametrize("seed", range(6))
def test_a_block_is_whole_or_not_at_all_whichever_write_was_the_last(friends, monkeypatch, seed):
    """The process dies in the middle of a block; texts and a file go on, or have all failed."""
    messenger = at(friends)
    numbers = [messenger.send_text("alice", f"{n}", friends.now) for n in range(3)]
    numbers.append(messenger.send_file("alice", write(friends, 20 * CHUNK_SIZE), friends.now))
    friends.run(0.2)
    store = friends["bob"].store
    with monkeypatch.context() as patch:
        patch.setattr(store, "run", dying(store.run, 1 + 2 * seed, first=bool(seed % 2)))
        with pytest.raises(Killed):
            messenger.people.block("alice", friends.now)
    friends["bob"].crash()
    assert not at(friends).contacts()[0].blocked
    assert friends.run(600, friends.settled)
    assert set(friends["bob"].states()) == {"delivered"}
    assert friends["alice"].inbox(MessageKind.TEXT) == ["0", "1", "2"]


def test_blocking_and_unblocking_at_random_never_loses_repeats_or_reorders(tmp_path):
    for seed in range(4):
        channel = Channel(tmp_path / str(seed), seed, loss=0.3, duplication=0.3)
        befriend(channel)
        rng, texts = random.Random(seed), []
        for step in range(30):
            action = rng.random()
            if action < 0.6:
                texts.append(f"{step}")
                at(channel, "alice").send_text("bob", texts[-1], channel.now)
            elif action < 0.7:
                channel["bob"].crash()
            elif at(channel).contacts()[0].blocked:
                at(channel).people.unblock("alice")
            else:
                at(channel).people.block("alice", channel.now)
            channel.run(rng.expovariate(2.0))
        if at(channel).contacts()[0].blocked:
            at(channel).people.unblock("alice")
        assert channel.run(3000, channel.settled)
        assert set(channel["alice"].states()) == {"delivered"}
        assert channel["bob"].inbox() == texts
