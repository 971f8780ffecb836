"""Profiles that were made of a backup: their sessions are begun anew by themselves, and nothing is doubled."""

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixnet.client.contacts.copied_sessions import LONGEST
from mixnet.client.contacts.renewal import LOST_HERE
from mixnet.client.e2e.ratchet import _Aead
from mixnet.client.e2e.renewal_request import RenewalRequest
from mixnet.client.model.views import ContactState, MessageState
from mixnet.client.storage import copies
from mixnet.errors import LocalError, RemoteError
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import CLUB, Circle
from tests.client.worlds.crashes import copy, restore
from tests.client.worlds.friends import befriend, downloads, errors, write

DAY = 86_400


def made_of(channel, person, saved, made):
    """The store is put back to a copy of before, as `mixnet profile restore` does it."""
    restore(person, saved)
    copies.mark(person.store, made, channel.now)
    person.store._connection.close()
    person.open()


def renewed(channel):
    return not any(known.renewing for person in channel.people.values() for known in person.messenger.contacts())


def settled(channel):
    return renewed(channel) and channel.settled()


def texts(person):
    """What came and counts, in order: without the notes about the session."""
    return [m.text for m in person.messenger.messages() if not m.outgoing and m.state is not MessageState.FAILED]


@pytest.fixture
def keys(monkeypatch):
    """Every key and nonce of a session that encrypted anything, on all machines: none may encrypt two things."""
    used, encrypt = {}, _Aead.encrypt

    async def recorded(plaintext, key, associated_data):
        sealed = await encrypt(plaintext, key, associated_data)
        assert used.setdefault(key, sealed) == sealed, "one key and nonce for two messages"
        return sealed

    monkeypatch.setattr(_Aead, "encrypt", staticmethod(recorded))
    return used


@pytest.fixture
def channel(tmp_path, keys):
    made = Channel(tmp_path, seed=5)
    befriend(made)
    made.run(10)
    return made


def exchange(channel, word):
    channel["alice"].messenger.send_text("bob", f"{word} of alice", channel.now)
    channel["bob"].messenger.send_text("alice", f"{word} of bob", channel.now)
    assert channel.run(120, channel.settled)
    channel.run(5)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_both_sides_go_on_by_themselves_and_are_told(channel, who):
    """Who was invited and who did invite are restored alike."""
    other = "bob" if who == "alice" else "alice"
    assert channel[other].messenger.people.verify(who).verified
    exchange(channel, "before")
    made, saved = channel.now, copy(channel[who])
    exchange(channel, "after")
    made_of(channel, channel[who], saved, made)
    number = channel[who].messenger.send_text(other, "from the new machine", channel.now)
    channel[other].messenger.send_text(who, "to the new machine", channel.now)
    assert channel[who].messenger.contacts()[0].renewing
    assert channel.run(200, lambda: settled(channel))
    channel.run(20)
    assert channel[who].messenger.message(number).state is MessageState.DELIVERED
    assert texts(channel[other])[-1] == "from the new machine"
    assert texts(channel[who]) == [f"before of {other}", "to the new machine"]
    (there,), (here,) = errors(channel[other]), errors(channel[who])
    assert there.startswith("this contact's profile was restored from a backup of 2027-01-15 08:00 UTC")
    assert "the safety number is the same" in there and "(1 of them left after that) is not there any more" in there
    assert here.startswith("this profile was restored from a backup of 2027-01-15 08:00 UTC") and LOST_HERE in here
    (known,) = channel[other].messenger.contacts()
    assert (known.name, known.verified, known.state) == (who, True, ContactState.VERIFIED)
    for person in channel.people.values():
        rest = ("copied", "stranded", "waiting", "outbound")
        assert [person.store.all(f"SELECT * FROM {table}") for table in rest] == [[]] * 4


def test_nothing_is_said_to_be_lost_if_nothing_was_written(channel):
    exchange(channel, "before")
    made, saved = channel.now, copy(channel["bob"])
    made_of(channel, channel["bob"], saved, made)
    assert channel.run(200, lambda: settled(channel))
    channel.run(20)
    (there,), (here,) = errors(channel["alice"]), errors(channel["bob"])
    assert there.endswith("the safety number is the same") and here.endswith("does not come again")


def test_what_waited_in_the_backup_arrives_once_whether_the_old_machine_sent_it_or_not(channel):
    alice, bob = channel["alice"], channel["bob"]
    exchange(channel, "before")
    alice.online = False
    sent = [bob.messenger.send_text("alice", f"waited {n}", channel.now) for n in range(20)]
    path = write(channel, 200_000)
    sent.append(bob.messenger.send_file("alice", path, channel.now))
    channel.run(30)  # some are under way by now, others wait
    made, saved = channel.now, copy(bob)
    alice.online = True
    assert channel.run(300, lambda: len(texts(alice)) > 10)
    made_of(channel, bob, saved, made)
    assert channel.run(900, lambda: settled(channel))
    channel.run(60)
    assert {bob.messenger.message(number).state for number in sent} == {MessageState.DELIVERED}
    assert sorted(text for text in texts(alice) if text.startswith("waited")) == sorted(
        f"waited {n}" for n in range(20)
    )
    assert downloads(channel, "alice") == {"file.bin": path.read_bytes()}


def test_a_file_that_was_coming_begins_again(channel):
    alice, bob = channel["alice"], channel["bob"]
    path = write(channel, 400_000)
    number = alice.messenger.send_file("bob", path, channel.now)
    assert channel.run(300, lambda: alice.messenger.message(number).done > 0)
    made, saved = channel.now, copy(bob)
    channel.run(2)
    shutil.rmtree(bob.settings.downloads)  # another machine
    made_of(channel, bob, saved, made)
    assert channel.run(900, lambda: settled(channel))
    assert downloads(channel) == {"file.bin": path.read_bytes()}
    assert alice.messenger.message(number).state is MessageState.DELIVERED


def test_a_contact_who_is_away_for_days_is_asked_until_it_is_back(channel):
    alice, bob = channel["alice"], channel["bob"]
    exchange(channel, "before")
    made, saved = channel.now, copy(bob)
    exchange(channel, "after")
    alice.online, channel.loss = False, 1.0  # no provider keeps anything for so long
    made_of(channel, bob, saved, made)
    before = bob.fragments
    channel.rest(10 * DAY)  # longer than an invitation is good for
    assert 10 * DAY / LONGEST - 5 < bob.fragments - before < 10 * DAY / LONGEST + 30
    bob.messenger.send_text("alice", "still here", channel.now)
    alice.online, channel.loss = True, 0.0
    assert channel.run(3 * LONGEST, lambda: settled(channel))
    assert texts(alice)[-1] == "still here"


def test_a_backup_that_is_restored_twice_goes_on_where_it_was_restored_last(channel):
    alice, bob = channel["alice"], channel["bob"]
    exchange(channel, "before")
    waiting = bob.messenger.send_text("alice", "under way", channel.now)
    made, saved = channel.now, copy(bob)
    for time in ("first", "second"):
        made_of(channel, bob, saved, made)
        number = bob.messenger.send_text("alice", f"restored the {time} time", channel.now)
        assert channel.run(400, lambda: settled(channel)), time
        assert bob.messenger.message(number).state is MessageState.DELIVERED
        channel.run(20)
    assert texts(alice) == ["before of bob", "under way", "restored the first time", "restored the second time"]
    assert bob.messenger.message(waiting).state is MessageState.DELIVERED
    alice.messenger.send_text("bob", "both ways", channel.now)
    assert channel.run(100, channel.settled)
    assert texts(bob)[-1] == "both ways"


def test_a_backup_from_before_a_renewal_is_understood(channel):
    alice, bob = channel["alice"], channel["bob"]
    made, saved = channel.now, copy(bob)
    channel.introduce("alice", "bob")
    assert channel.run(200, lambda: settled(channel))
    channel.rest(7200)  # whoever uses the old session after that is a copy
    made_of(channel, bob, saved, made)
    bob.messenger.send_text("alice", "found again", channel.now)
    assert channel.run(400, lambda: settled(channel))
    assert texts(alice) == ["found again"]


def test_both_sides_may_be_restored_at_once(channel):
    alice, bob = channel["alice"], channel["bob"]
    exchange(channel, "before")
    made, saved = channel.now, (copy(alice), copy(bob))
    exchange(channel, "after")
    made_of(channel, alice, saved[0], made)
    made_of(channel, bob, saved[1], made)
    exchange(channel, "restored")
    assert channel.run(400, lambda: settled(channel))
    assert texts(alice) == ["before of bob", "restored of bob"]
    assert texts(bob) == ["before of alice", "restored of alice"]


def test_a_blocked_contact_is_neither_asked_nor_answered(channel):
    alice, bob = channel["alice"], channel["bob"]
    bob.messenger.people.block("alice", channel.now)
    made, saved = channel.now, copy(bob)
    made_of(channel, bob, saved, made)
    before = bob.fragments
    channel.run(100)
    assert bob.fragments == before
    bob.messenger.people.unblock("alice")
    alice.messenger.people.block("bob", channel.now)
    before = alice.fragments
    channel.run(100)
    assert alice.fragments == before and bob.messenger.contacts()[0].renewing
    alice.messenger.people.unblock("bob")
    assert channel.run(LONGEST, lambda: settled(channel))


# What others could do with requests.


def _request(channel, **changes):
    """A genuine request of bob's, and the messenger that it is for."""
    bob = channel["bob"]
    made_of(channel, bob, copy(bob), channel.now)
    conversation = next(iter(bob.messenger._core.conversations.values()))
    outgoing = bob.messenger._outbox._copied
    outgoing.due(channel.now)
    return conversation, outgoing.request(conversation.id, channel.now).encode(None)


def test_no_changed_byte_of_a_request_begins_anything(channel):
    _, raw = _request(channel)
    alice = channel["alice"]
    sessions = alice.store.all("SELECT * FROM sessions")
    for at in range(0, len(raw), 7):
        with pytest.raises(RemoteError):
            alice.messenger.delivered_untrusted(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], channel.now)
    for length in range(0, len(raw), 100):
        with pytest.raises(RemoteError):
            alice.messenger.delivered_untrusted(raw[:length], channel.now)
    assert alice.store.all("SELECT * FROM sessions") == sessions
    alice.messenger.delivered_untrusted(raw, channel.now)
    assert len(alice.store.all("SELECT * FROM sessions")) == len(sessions) + 1


def test_the_invitation_in_a_request_is_for_its_contact_alone(channel):
    """Whoever had the invitation all the same would become a contact by any other one."""
    conversation, raw = _request(channel)
    channel.join("mallory")
    opened = RenewalRequest.open_untrusted(conversation.outgoing, raw)
    stolen = type(channel["bob"].messenger.create_invitation("bob", channel.now)).unpack_untrusted(opened.invitation)
    channel["mallory"].messenger.accept_invitation(stolen.encode(), None, channel.now)
    channel.run(60)
    assert [known.name for known in channel["bob"].messenger.contacts()] == ["alice"]


@pytest.mark.parametrize("content", [b"", b"no invitation", None])
def test_a_contact_can_ask_for_nothing_but_a_session_with_itself(channel, content):
    conversation, _ = _request(channel)
    if content is None:  # an invitation of somebody else
        channel.join("mallory")
        content = channel["mallory"].messenger.create_invitation("mallory", channel.now).pack()
    raw = RenewalRequest(int(channel.now), content).seal(conversation.outgoing, bytes(32))
    with pytest.raises(RemoteError):
        channel["alice"].messenger.delivered_untrusted(raw, channel.now)


def test_requests_again_and_again_leave_no_more_than_one_session_behind(channel):
    conversation, _ = _request(channel)
    bob, alice = channel["bob"], channel["alice"]
    bob.online = False
    for _ in range(50):
        invitation = bob.messenger.create_invitation("bob", channel.now).pack()
        raw = RenewalRequest(int(channel.now), invitation).seal(conversation.outgoing, bytes(32))
        alice.messenger.delivered_untrusted(raw, channel.now)
        channel.run(1)
    assert alice.store.one("SELECT count(*) FROM sessions") == (2,)
    with pytest.raises(LocalError):  # whatever else went wrong
        bob.messenger._core.routes[1].post(None)


# Groups and anonymous conversations.


def test_in_a_group_a_restored_member_writes_under_numbers_that_nobody_has(tmp_path, keys):
    circle = Circle(tmp_path, 3)
    circle.found()
    bob = circle["bob"]
    circle.send("bob", "before")
    assert circle.run(300, circle.settled)
    made, saved = circle.now, copy(bob)
    for number in range(3):
        circle.send("bob", f"after {number}")
        circle.send("carol", f"carol's {number}")
    assert circle.run(300, circle.settled)
    made_of(circle, bob, saved, made)
    circle.send("bob", "from the new machine")
    circle.send("carol", "to all")
    assert circle.run(900, lambda: circle.complete(circle.names) and circle.settled()), circle.report()
    circle.run(30)
    assert texts(circle["carol"])[-1] == texts(circle["alice"])[-2] or "from the new machine" in texts(circle["alice"])
    assert texts(circle["carol"]).count("from the new machine") == 1
    assert texts(bob).count("to all") == 1
    assert circle["alice"].store.all("SELECT * FROM group_proofs") == [], "no number has two posts"
    said = [m.error for m in bob.messenger.messages(CLUB) if m.error]
    assert len(said) == 1 and "does not come again" in said[0]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["a", "b", "wait", "save", "restore", "away", "back"]), max_size=14), st.integers(0, 99)
)
def test_whatever_happens_nothing_is_doubled_or_lost_in_silence(tmp_path_factory, keys, steps, seed):
    channel = Channel(tmp_path_factory.mktemp("world"), seed=seed, loss=0.1, duplication=0.05)
    befriend(channel)
    alice, bob = channel["alice"], channel["bob"]
    saved, sent, restored = (channel.now, copy(bob)), {"alice": [], "bob": []}, False
    for step, what in enumerate(steps):
        if what in "ab":
            me, other = ("alice", "bob") if what == "a" else ("bob", "alice")
            sent[me].append((channel[me].messenger.send_text(other, f"{what} {step}", channel.now), f"{what} {step}"))
        elif what == "wait":
            channel.run(3)
        elif what == "save":
            saved = channel.now, copy(bob)
        elif what == "restore":
            made_of(channel, bob, saved[1], saved[0])
            restored = True
        else:
            alice.online = what == "back"
    alice.online = True
    assert channel.run(3000, lambda: settled(channel))
    channel.run(60)
    for me, other in ((alice, bob), (bob, alice)):
        came = texts(other)
        assert len(came) == len(set(came)), "nothing is doubled"
        for number, text in sent[me.name]:
            states = {m.text: m.state for m in me.messenger.messages() if m.outgoing}
            if states.get(text) in (MessageState.DELIVERED, MessageState.READ):
                assert text in came or (me is alice and restored and errors(alice)), "what is lost is said"
            elif text in states:
                assert states[text] is MessageState.FAILED and me.messenger.message(number).error
    if restored:
        assert any("restored" in error for error in errors(bob)) and any("restored" in e for e in errors(alice))
