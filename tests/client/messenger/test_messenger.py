import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.arq.fragments import LARGE, Fragment, FragmentToSend, spans
from mixnet.client.e2e.bodies import CHUNK_SIZE, REASONS, REASONS_HERE, TEXT_LIMIT, Reason
from mixnet.client.model.contact_states import WrongStep
from mixnet.client.model.durations import DAY
from mixnet.client.model.errors import (
    AlreadyContact,
    ExpiredInvitation,
    FileMissing,
    FileTooLarge,
    MalformedInvitation,
    NameTaken,
    OwnInvitation,
    StoreUnavailable,
    TextTooLong,
    UnknownContact,
    UnknownMessage,
    UnusableText,
    WrongNetwork,
)
from mixnet.client.model.failures import EXPIRED
from mixnet.client.model.views import (
    ContactChanged,
    ContactState,
    FileProgress,
    MessageKind,
    MessageReceived,
    MessageState,
    MessageStateChanged,
)
from mixnet.errors import MixnetError, RemoteError
from tests.client.worlds.channel import START, Channel
from tests.client.worlds.friends import SLOW, befriend, downloads, write


@pytest.fixture
def channel(tmp_path):
    return Channel(tmp_path, seed=1)


@pytest.fixture
def friends(channel):
    befriend(channel)
    return channel


# contacts


def test_two_strangers_become_contacts(friends):
    (at_alice,), (at_bob,) = friends["alice"].messenger.contacts(), friends["bob"].messenger.contacts()
    assert (at_alice.name, at_bob.name) == ("bob", "alice")
    assert at_alice.safety_number == at_bob.safety_number
    assert not at_alice.verified
    assert friends["alice"].messenger.people.verify("bob").verified
    states = [e.contact.state for e in friends["bob"].events if isinstance(e, ContactChanged)]
    assert states == [ContactState.PENDING, ContactState.ESTABLISHED]
    friends["alice"].crash()
    assert friends["alice"].messenger.contacts()[0].state is ContactState.VERIFIED


def test_the_acceptor_may_write_at_once_but_not_verify(channel):
    channel.introduce()
    with pytest.raises(WrongStep):
        channel["bob"].messenger.people.verify("alice")
    channel["bob"].messenger.send_text("alice", "already", channel.now)
    assert channel.run(60, channel.settled)
    assert channel["alice"].inbox() == ["already"]


def test_an_invitation_is_used_once(channel):
    channel.join("carol")
    text = channel["alice"].messenger.create_invitation("alice", channel.now).encode()
    channel["bob"].messenger.accept_invitation(text, None, channel.now)
    assert channel.run(60, channel["alice"].messenger.contacts)
    channel["carol"].messenger.accept_invitation(text, None, channel.now)
    waiting = channel["carol"].messenger.send_text("alice", "hello?", channel.now)
    channel.run(60)
    assert [c.name for c in channel["alice"].messenger.contacts()] == ["bob"]
    assert channel["alice"].refused > 0
    assert channel["carol"].messenger.contacts()[0].state is ContactState.PENDING
    channel.now += 7 * DAY
    channel["carol"].messenger.next_outgoing(channel.now)
    assert channel["carol"].messenger.contacts()[0].state is ContactState.EXPIRED
    failed = channel["carol"].messenger.message(waiting)
    assert failed.state is MessageState.FAILED and "invitation was not answered" in failed.error


def test_an_expired_contact_may_be_invited_again(channel):
    channel["alice"].online = False
    channel.introduce()
    channel.now += 8 * DAY
    assert channel["bob"].messenger.next_outgoing(channel.now) is None
    assert channel["bob"].messenger.contacts()[0].state is ContactState.EXPIRED
    channel["alice"].online = True
    channel._queue.clear()
    for name in ("alice", "bob"):
        channel._later(0.0, "slot", name)
    befriend(channel)
    assert len(channel["bob"].messenger.contacts()) == 1


def test_the_first_message_again_only_gets_another_answer(tmp_path):
    channel = Channel(tmp_path, seed=5, loss=0.6, duplication=0.5)
    befriend(channel)
    assert len(channel["alice"].messenger.contacts()) == 1
    assert len(channel["alice"].messenger._core.conversations) == 1
    assert channel.reused == 0


@pytest.mark.parametrize("seed", range(4))
def test_both_accept_each_other_s_invitation(tmp_path, seed):
    channel = Channel(tmp_path, seed=seed, loss=0.3)
    texts = {name: channel[name].messenger.create_invitation(name, channel.now).encode() for name in ("alice", "bob")}
    channel["alice"].messenger.accept_invitation(texts["bob"], None, channel.now)
    channel["bob"].messenger.accept_invitation(texts["alice"], None, channel.now)
    for number in range(5):
        channel["alice"].messenger.send_text("bob", f"a{number}", channel.now)
        channel["bob"].messenger.send_text("alice", f"b{number}", channel.now)
    assert channel.run(3000, channel.settled)
    assert channel["bob"].inbox() == [f"a{n}" for n in range(5)]
    assert channel["alice"].inbox() == [f"b{n}" for n in range(5)]
    for person in channel.people.values():
        assert [c.state for c in person.messenger.contacts()] == [ContactState.ESTABLISHED]
        assert set(person.states()) == {"delivered"}


def test_invitations_that_can_t_be_accepted(channel):
    alice, bob, now = channel["alice"].messenger, channel["bob"].messenger, channel.now
    text = alice.create_invitation("alice", now).encode()
    with pytest.raises(MalformedInvitation):
        bob.accept_invitation(text[:-1], None, now)
    with pytest.raises(OwnInvitation):
        alice.accept_invitation(text, None, now)
    with pytest.raises(ExpiredInvitation):
        bob.accept_invitation(text, None, now + 8 * DAY)
    channel["bob"].messenger._core.home = channel["alice"].home.__class__(
        "bob", b"X" * 32, channel["bob"].home.destination
    )
    with pytest.raises(WrongNetwork):
        bob.accept_invitation(text, None, now)
    channel["bob"].crash()
    bob = channel["bob"].messenger
    assert bob.contacts() == []
    bob.accept_invitation(text, "my friend", now)
    with pytest.raises(AlreadyContact, match="my friend"):
        bob.accept_invitation(alice.create_invitation("alice", now).encode(), "other", now)
    carol = channel.join("carol").messenger
    with pytest.raises(NameTaken):
        bob.accept_invitation(carol.create_invitation("carol", now).encode(), "my friend", now)
    assert [c.name for c in bob.contacts()] == ["my friend"]


def test_an_invitation_used_too_late_is_refused(channel):
    channel["bob"].messenger.accept_invitation(
        channel["alice"].messenger.create_invitation("alice", channel.now).encode(), None, channel.now
    )
    first = channel["bob"].messenger.next_outgoing(channel.now)
    with pytest.raises(RemoteError):
        channel["alice"].messenger.delivered_untrusted(first.encode(None), channel.now + 8 * DAY)
    assert channel["alice"].messenger.contacts() == []


def test_equal_names_are_told_apart(friends):
    friends.people["bob2"] = friends.people["bob"]
    other = friends.join("carol")
    object.__setattr__(other.home, "name", "bob")
    befriended = friends["alice"].messenger.create_invitation("alice", friends.now)
    other.messenger.accept_invitation(befriended.encode(), None, friends.now)
    assert friends.run(60, lambda: len(friends["alice"].messenger.contacts()) == 2)
    assert [c.name for c in friends["alice"].messenger.contacts()] == ["bob", "bob (2)"]


# texts


@given(st.integers(0, 1 << 32), st.sampled_from([0.0, 0.2, 0.5]), st.booleans())
@SLOW
def test_everything_is_delivered_once_in_order_whatever_happens(tmp_path_factory, seed, loss, repeat):
    """Loss, delay, reordering, repetition, crashes and restarts of both sides, in the middle of texts and files."""
    channel = Channel(tmp_path_factory.mktemp("channel"), seed=seed, loss=loss, duplication=0.3 * repeat)
    befriend(channel)
    rng = random.Random(seed)
    sent: dict[str, list[str]] = {"alice": [], "bob": []}
    files: dict[str, dict[str, bytes]] = {"alice": {}, "bob": {}}
    for step in range(25):
        name, other = rng.choice([("alice", "bob"), ("bob", "alice")])
        action = rng.random()
        if action < 0.5:
            text = f"{step} " + "x" * rng.choice([1, 3000, TEXT_LIMIT - 10])
            channel[name].messenger.send_text(other, text, channel.now)
            sent[other].append(text)
        elif action < 0.6:
            path = write(channel, rng.randrange(3 * CHUNK_SIZE), f"{name}{step}.bin", step)
            channel[name].messenger.send_file(other, path, channel.now)
            files[other][path.name] = path.read_bytes()
        elif action < 0.8:
            channel[name].crash()
        channel.run(rng.expovariate(1.0))
    assert channel.run(20_000, channel.settled)
    channel.run(30)
    for name in ("alice", "bob"):
        assert channel[name].inbox(MessageKind.TEXT) == sent[name]
        assert downloads(channel, name) == files[name]
        assert set(channel[name].states()) <= {"delivered"}
        got = [e.message.id for e in channel[name].events if isinstance(e, MessageReceived)]
        assert len(got) == len(set(got))


def test_loss_of_three_quarters_of_round_trips_completes(tmp_path):
    """A dead mix in a layer of two, on the way there and on the way back."""
    channel = Channel(tmp_path, seed=2, loss=0.5)
    befriend(channel)
    channel["alice"].messenger.send_file("bob", write(channel, 300_000), channel.now)
    numbers = [channel["alice"].messenger.send_text("bob", str(n), channel.now) for n in range(10)]
    assert channel.run(600, channel.settled)
    assert channel["bob"].inbox(MessageKind.TEXT) == [str(n) for n in range(len(numbers))]
    assert len(downloads(channel)["file.bin"]) == 300_000


def test_even_three_quarters_lost_each_way_completes(tmp_path):
    channel = Channel(tmp_path, seed=2, loss=0.75)
    befriend(channel)
    channel["alice"].messenger.send_text("bob", "through", channel.now)
    assert channel.run(3000, channel.settled)
    assert channel["bob"].inbox() == ["through"]


def test_a_changed_packet_is_never_delivered(friends):
    rng = random.Random(4)

    def tamper(plaintext: bytes) -> bytes:
        if rng.random() < 0.5:
            return plaintext
        at = rng.randrange(len(plaintext))
        return plaintext[:at] + bytes([plaintext[at] ^ rng.randrange(1, 256)]) + plaintext[at + 1 :]

    friends.tamper = tamper
    content = write(friends, 200_000).read_bytes()
    friends["alice"].messenger.send_file("bob", friends.tmp / "file.bin", friends.now)
    for number in range(5):
        friends["alice"].messenger.send_text("bob", str(number), friends.now)
    assert friends.run(3000, friends.settled)
    assert friends["bob"].refused > 30
    assert friends["bob"].inbox(MessageKind.TEXT) == [str(n) for n in range(5)]
    assert downloads(friends) == {"file.bin": content}


@given(st.binary(max_size=2699))
@settings(max_examples=50)
def test_garbage_changes_nothing(tmp_path_factory, raw):
    messenger = Channel(tmp_path_factory.mktemp("garbage"), names=("alice",))["alice"].messenger
    for way in (messenger.delivered_untrusted, messenger.replied_untrusted):
        with pytest.raises(RemoteError):
            way(raw, START)
    assert messenger.messages() == [] and messenger.wake_at() is None


def test_states_and_times_of_a_text(friends):
    alice, bob = friends["alice"], friends["bob"]
    before = friends.now
    number = alice.messenger.send_text("bob", "hi", friends.now)
    assert alice.messenger.message(number).state is MessageState.QUEUED
    assert friends.run(60, friends.settled)
    out, (came,) = alice.messenger.message(number), bob.messenger.messages()
    assert out.state is MessageState.DELIVERED and came.state is MessageState.RECEIVED
    assert before < out.sent_at < came.received_at and out.drawn_delay > 0
    assert came.received_at - out.sent_at >= out.drawn_delay
    bob.messenger.mark_read(came.id, friends.now)
    assert bob.messenger.message(came.id).state is MessageState.READ
    assert friends.run(60, lambda: alice.messenger.message(number).state is MessageState.READ)
    seen = [e.message.state for e in alice.events if isinstance(e, MessageStateChanged)]
    assert seen == [MessageState.SENT, MessageState.DELIVERED, MessageState.READ]
    with pytest.raises(UnknownMessage):
        bob.messenger.mark_read(1000, friends.now)


def test_who_is_away_gets_it_later(friends):
    friends["bob"].online = False
    for number in range(40):
        friends["alice"].messenger.send_text("bob", str(number), friends.now)
    friends.run(600)
    assert set(friends["alice"].states()) <= {"sent", "queued"}
    friends["bob"].online = True
    assert friends.run(3000, friends.settled)
    assert friends["bob"].inbox() == [str(n) for n in range(40)]


def test_what_can_t_be_delivered_in_time_fails_and_the_next_gets_through(friends):
    friends.loss = 1.0
    lost = [friends["alice"].messenger.send_text("bob", f"lost {n}", friends.now) for n in range(20)]
    friends["alice"].messenger.send_file("bob", write(friends, 100_000), friends.now)
    friends.run(60)
    friends.now += 7 * DAY
    friends._queue.clear()
    for name in ("alice", "bob"):
        friends._later(0.0, "slot", name)
    friends.run(5)
    assert set(friends["alice"].states()) == {"failed"}
    assert friends["alice"].messenger.message(lost[0]).error == EXPIRED.sent
    friends.loss = 0.0
    friends["alice"].messenger.send_text("bob", "found", friends.now)
    friends["alice"].messenger.send_file("bob", write(friends, 100_000, "again.bin"), friends.now)
    assert friends.run(3000, friends.settled)
    assert friends["bob"].inbox(MessageKind.TEXT) == ["found"]
    assert list(downloads(friends)) == ["again.bin"]


def test_bad_input_is_one_sentence(friends):
    messenger, now = friends["alice"].messenger, friends.now
    for error, call in [
        (UnknownContact, lambda: messenger.send_text("nobody", "hi", now)),
        (UnknownContact, lambda: messenger.messages("nobody")),
        (TextTooLong, lambda: messenger.send_text("bob", "é" * (TEXT_LIMIT // 2 + 1), now)),
        (UnusableText, lambda: messenger.send_text("bob", "", now)),
        (UnusableText, lambda: messenger.send_text("bob", "\ud800", now)),
        (FileMissing, lambda: messenger.send_file("bob", friends.tmp / "nowhere", now)),
        (UnknownMessage, lambda: messenger.message(99)),
    ]:
        with pytest.raises(error) as caught:
            call()
        assert isinstance(caught.value, MixnetError) and "\n" not in str(caught.value) and ":" in str(caught.value)
    assert messenger.messages() == []


def test_search(friends):
    messenger = friends["alice"].messenger
    for text in ("the quick brown fox", "a lazy dog", 'a "quoted" fox* AND'):
        messenger.send_text("bob", text, friends.now)
    assert [m.text for m in messenger.search("fox")] == ['a "quoted" fox* AND', "the quick brown fox"]
    assert [m.text for m in messenger.search("brown quick")] == ["the quick brown fox"]
    assert [m.text for m in messenger.search('fox* "AND')] == ['a "quoted" fox* AND']
    assert messenger.search("cat") == [] and messenger.search("") == [] and messenger.search("a OR \0 NEAR(") == []


# files


def test_a_large_file_wastes_no_slot_and_lets_texts_pass(tmp_path):
    channel = Channel(tmp_path, seed=9, names=("alice", "bob"))
    befriend(channel)
    size = 1 << 20
    path = write(channel, size)
    fragments, replies = channel["alice"].fragments, channel["bob"].replies
    file = channel["alice"].messenger.send_file("bob", path, channel.now)
    assert channel.run(600, lambda: channel["alice"].messenger.message(file).done > 0)
    text = channel["alice"].messenger.send_text("bob", "meanwhile", channel.now)
    assert channel.run(600, lambda: channel["alice"].messenger.message(text).state is MessageState.DELIVERED)
    assert channel["alice"].messenger.message(file).done < size // 2
    assert channel.run(600, channel.settled)
    minimal = -(-size // LARGE)
    assert channel["alice"].fragments - fragments <= 1.06 * minimal
    assert channel["bob"].replies - replies <= minimal / 8 + 2
    assert downloads(channel) == {"file.bin": path.read_bytes()}
    done = [e.message.done for e in channel["bob"].events if isinstance(e, FileProgress)]
    assert done == sorted(done) and done[-1] == size and len(done) == -(-size // CHUNK_SIZE) + 1


def test_several_files_and_contacts_take_turns(friends):
    friends.join("carol")
    befriend(friends, "alice", "carol")
    messenger = friends["alice"].messenger
    numbers = [
        messenger.send_file("bob", write(friends, 500_000, "one.bin"), friends.now),
        messenger.send_file("bob", write(friends, 500_000, "two.bin"), friends.now),
        messenger.send_file("carol", write(friends, 1_000_000, "three.bin"), friends.now),
    ]
    friends.run(20)
    done = [messenger.message(number).done for number in numbers]
    assert (
        all(done) and max(done[:2]) - min(done[:2]) <= 2 * CHUNK_SIZE and abs(sum(done[:2]) - done[2]) < 6 * CHUNK_SIZE
    )
    assert friends.run(600, friends.settled)
    assert set(downloads(friends)) == {"one.bin", "two.bin"} and set(downloads(friends, "carol")) == {"three.bin"}


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_file_that_vanishes_or_changes_fails_on_both_sides(friends, change):
    path = write(friends, 2_000_000)
    number = friends["alice"].messenger.send_file("bob", path, friends.now)
    assert friends.run(600, lambda: friends["bob"].events and friends["alice"].messenger.message(number).done > 0)
    assert any(name.endswith(".part") for name in downloads(friends))
    path.unlink() if change == "gone" else path.write_bytes(b"another")
    assert friends.run(600, friends.settled)
    friends.run(30)
    reason = Reason.VANISHED if change == "gone" else Reason.CHANGED
    (sent,), (came,) = friends["alice"].messenger.messages(), friends["bob"].messenger.messages()
    assert (sent.state, came.state) == (MessageState.FAILED, MessageState.FAILED)
    assert (sent.error, came.error) == (REASONS[reason], REASONS_HERE[reason])
    assert downloads(friends) == {}
    friends["alice"].messenger.send_file("bob", write(friends, 100_000, "next.bin"), friends.now)
    friends["alice"].messenger.send_text("bob", "sorry", friends.now)
    assert friends.run(600, friends.settled)
    assert set(downloads(friends)) == {"next.bin"} and friends["bob"].inbox(MessageKind.TEXT) == ["sorry"]


def test_a_file_too_large_is_refused_on_either_side(channel):
    channel.join("carol", file_limit=1000)
    befriend(channel, "carol", "bob")
    with pytest.raises(FileTooLarge):
        channel["carol"].messenger.send_file("bob", write(channel, 1001), channel.now)
    number = channel["bob"].messenger.send_file("carol", write(channel, 1_000_000), channel.now)
    assert channel.run(600, channel.settled)
    failed = channel["bob"].messenger.message(number)
    assert failed.state is MessageState.FAILED and failed.error == REASONS[Reason.TOO_LARGE]
    assert channel["carol"].messenger.messages()[0].state is MessageState.FAILED
    channel.run(30)
    assert downloads(channel, "carol") == {}


def test_a_file_that_can_t_be_stored_fails_alone(friends):
    (friends.tmp / "bob" / "downloads").write_bytes(b"in the way")
    number = friends["alice"].messenger.send_file("bob", write(friends, 300_000), friends.now)
    friends["alice"].messenger.send_text("bob", "hi", friends.now)
    assert friends.run(600, friends.settled)
    assert friends["alice"].messenger.message(number).error == REASONS[Reason.NO_ROOM]
    assert friends["bob"].inbox(MessageKind.TEXT) == ["hi"]


def test_a_strange_name_lands_in_the_folder(friends):
    path = friends.tmp / "..evil\\..\\name.txt"
    path.write_bytes(b"content")
    friends["alice"].messenger.send_file("bob", path, friends.now)
    assert friends.run(60, friends.settled)
    assert downloads(friends) == {"name.txt": b"content"}


def test_a_restart_clears_what_a_crash_left(friends):
    friends["alice"].messenger.send_file("bob", write(friends, 2_000_000), friends.now)
    friends.run(10)
    bob = friends["bob"]
    assert any(name.endswith(".part") for name in downloads(friends))
    bob.store.run("UPDATE messages SET state = 'failed'")
    bob.crash()
    assert downloads(friends) == {} and bob.store.all("SELECT * FROM receiving") == []


# the store


def test_nothing_readable_on_disk(friends):
    marker = "a-marker-nobody-else-writes"
    friends["alice"].messenger.send_text("bob", marker * 50, friends.now)
    path = friends.tmp / (marker + ".txt")
    path.write_text(marker * 10_000)
    friends["alice"].messenger.send_file("bob", path, friends.now)
    friends.run(3)
    for name in ("alice", "bob"):
        stores = [file for file in (friends.tmp / name).iterdir() if file.is_file()]
        assert len(stores) >= 2, "the store and its journal"
        for file in stores:
            content = file.read_bytes()
            assert content and marker.encode() not in content and b"alice" not in content


def test_the_sender_s_store_holds_only_what_is_under_way(friends):
    friends.loss = 1.0
    friends["alice"].messenger.send_file("bob", write(friends, 20_000_000), friends.now)
    friends.run(60)
    size = sum(file.stat().st_size for file in (friends.tmp / "alice").iterdir() if file.name == "store.db")
    held = friends["alice"].store.one("SELECT sum(length(ciphertext)) FROM sealed")[0]
    assert held < 16 * 63_000 and size < 4_000_000


def test_a_full_disk_loses_nothing(friends):
    bob, pages = friends["bob"].store, friends["bob"].store.one("PRAGMA page_count")[0]
    bob.run(f"PRAGMA max_page_count = {pages + 5}")
    for number in range(12):
        friends["alice"].messenger.send_text("bob", f"{number} " + "x" * 9000, friends.now)
    friends.run(30)
    assert "delivered" in friends["alice"].states() or "sent" in friends["alice"].states()
    with pytest.raises(StoreUnavailable, match="free some space"):
        for _ in range(100):
            friends["bob"].messenger.send_text("alice", "y" * 9000, friends.now)
    kept = [m.text for m in friends["bob"].messenger.messages() if m.outgoing]
    bob.run("PRAGMA max_page_count = 1000000")
    assert friends.run(3000, friends.settled)
    assert [text.split()[0] for text in friends["bob"].inbox()] == [str(n) for n in range(12)]
    assert friends["alice"].inbox() == kept


def test_an_idle_messenger_has_nothing_to_do(friends):
    assert friends.run(60, friends.settled)
    friends.run(60)
    for person in friends.people.values():
        assert person.messenger.next_outgoing(friends.now) is None
        wake = person.messenger.wake_at()
        assert wake is None or wake > friends.now + DAY


def test_wake_at_tells_of_everything(friends):
    """A daemon that asks only when told to must see the same deliveries."""
    friends.loss = 0.3
    original = friends._slot

    def slot(name: str) -> None:
        wake = friends[name].messenger.wake_at()
        if wake is not None and wake <= friends.now:
            original(name)
        else:
            before = friends[name].messenger.next_outgoing(friends.now)
            assert before is None, "there was something although wake_at said no"
            friends._later(friends.rng.expovariate(30), "slot", name)

    friends._slot = slot
    friends["alice"].messenger.send_file("bob", write(friends, 300_000), friends.now)
    friends["bob"].messenger.send_text("alice", "hi", friends.now)
    assert friends.run(600, friends.settled)


def test_memory_is_bounded_whatever_a_contact_sends(friends):
    """A contact that sends parts of messages it never completes holds one window of each lane, no more."""
    conversation = next(iter(friends["bob"].messenger._core.conversations.values()))
    rng = random.Random(1)
    for transmission in range(3000):
        number, length = rng.randrange(200), 60_000
        index = rng.randrange(len(spans(length)) - 1)
        start, end = spans(length)[index]
        part = Fragment(rng.randrange(2), number, 0, index, length, os.urandom(end - start))
        try:
            raw = FragmentToSend(conversation.incoming, transmission, part).encode(None)
            friends["bob"].messenger.delivered_untrusted(raw, friends.now)
        except RemoteError:
            continue
    (held,) = friends["bob"].store.one("SELECT sum(length(part)) FROM inbound")
    assert 0 < held <= 2 * 16 * 62_412
