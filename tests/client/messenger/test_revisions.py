"""Edits, deletions for everybody and messages that disappear, between two people: what each side shows and keeps."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixnet.client.arq.sender import USER
from mixnet.client.e2e.bodies import EDITS_LIMIT, Disappear, Edit, SignedEdit, Withdraw
from mixnet.client.messenger.outbox import NOT_REVISED
from mixnet.client.model.errors import NotYours, UnknownMessage
from mixnet.client.model.views import MessageReceived, MessageState
from tests.client.worlds.channel import Channel
from tests.client.worlds.friends import SLOW, befriend, downloads, write

HOUR = 3600.0


@pytest.fixture
def friends(tmp_path):
    made = Channel(tmp_path, seed=9)
    befriend(made)
    made.run(10)
    for person in made.people.values():
        person.events.clear()
    return made


def quiet(channel: Channel) -> bool:
    """Nothing of anybody waits or is under way."""
    tables = ("waiting", "outbound", "stranded", "sending")
    return not any(p.store.has(f"SELECT 1 FROM {table}") for p in channel.people.values() for table in tables)


def shown(person) -> list[tuple[str, bool, bool]]:
    return [(one.text, one.edited, one.withdrawn) for one in person.messenger.messages()]


def say(channel: Channel, name: str, body) -> None:
    """What a client of its own making sends."""
    other = next(one for one in channel.people if one != name)
    core = channel[name].messenger._core
    with core.change():
        core.enqueue(core.contacts.named(other).id, 0, body, None, channel.now, account=USER)
    assert channel.run(60, lambda: quiet(channel))


def wire(person, number: int) -> int:
    return person.messenger._core.messages.wire_id(number)


def test_an_edit_changes_the_text_on_both_sides_and_is_no_new_message(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    number = alice.send_text("bob", "see you at eigth", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    bob.mark_read(bob.messages()[0].id, friends.now)
    friends.run(10)
    friends["bob"].events.clear()
    edited = alice.revisions.edit(number, "see you at eight", friends.now)
    assert edited.edited
    assert edited.text == "see you at eight"
    assert friends.run(60, lambda: quiet(friends))
    assert shown(friends["bob"]) == shown(friends["alice"]) == [("see you at eight", True, False)]
    assert [one.text for one in bob.search("eight")] == ["see you at eight"]
    assert bob.search("eigth") == []
    assert not [event for event in friends["bob"].events if isinstance(event, MessageReceived)]
    assert [one.unread for one in bob.conversations()] == [0]


def test_what_has_not_left_is_only_written_anew(friends):
    alice = friends["alice"].messenger
    number = alice.send_text("bob", "firts", friends.now)
    assert not alice.revisions.edit(number, "first", friends.now).edited
    assert friends.run(60, lambda: quiet(friends))
    assert shown(friends["bob"]) == [("first", False, False)]


def test_a_deletion_leaves_a_mark_and_nothing_of_the_text(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    number = alice.send_text("bob", "the quick secret", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    assert alice.revisions.withdraw(number, friends.now).withdrawn
    assert friends.run(60, lambda: quiet(friends))
    assert shown(friends["bob"]) == shown(friends["alice"]) == [("", False, True)]
    assert bob.search("secret") == alice.search("secret") == []
    assert [one.unread for one in bob.conversations()] == [0]
    for person in friends.people.values():
        person.messenger.archive.sweep(friends.now)
        assert not [row for row in person.store.all("SELECT body FROM waiting UNION SELECT body FROM posted") if row]


def test_a_deletion_of_what_waits_is_a_cancellation(friends):
    alice = friends["alice"].messenger
    number = alice.send_text("bob", "never", friends.now)
    assert alice.revisions.withdraw(number, friends.now).state is MessageState.FAILED
    assert quiet(friends)
    friends.run(30)
    assert shown(friends["bob"]) == []


def test_a_file_is_not_sent_on_and_the_saved_one_stays(friends):
    alice = friends["alice"].messenger
    whole = alice.send_file("bob", write(friends, 1000, "saved.txt"), friends.now)
    assert friends.run(60, lambda: quiet(friends))
    part = alice.send_file("bob", write(friends, 3_000_000, "part.bin"), friends.now)
    assert friends.run(60, lambda: alice.message(part).done > 200_000)
    for number in (whole, part):
        alice.revisions.withdraw(number, friends.now)
    assert friends.run(120, lambda: quiet(friends))
    assert list(downloads(friends)) == ["saved.txt"]
    assert shown(friends["bob"]) == [("", False, True)] * 2
    assert {one.path for one in friends["bob"].messenger.messages()} == {""}


def test_a_file_that_was_deleted_before_it_came_never_comes(friends):
    """The lanes have no order between them: the deletion may be there first."""
    say(friends, "alice", Withdraw(77))
    core = friends["alice"].messenger._core
    number = friends["alice"].messenger.send_file("bob", write(friends, 10), friends.now)
    core.store.run("UPDATE messages SET wire = 77 WHERE id = ?", number)
    friends.run(30)
    assert shown(friends["bob"]) == []
    assert downloads(friends) == {}


def test_only_the_author_changes_a_message(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    number = alice.send_text("bob", "mine", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    (came,) = bob.messages()
    for refused in (
        lambda: bob.revisions.edit(came.id, "x", friends.now),
        lambda: bob.revisions.withdraw(came.id, 0.0),
    ):
        with pytest.raises(NotYours):
            refused()
    with pytest.raises(UnknownMessage):
        alice.revisions.edit(99, "x", friends.now)
    before = shown(friends["alice"])
    for body in (Edit(wire(friends["alice"], number), 1, "yours"), Withdraw(wire(friends["alice"], number))):
        say(friends, "bob", body)
    assert shown(friends["alice"]) == before


def test_a_hostile_contact_edits_no_more_than_the_limit_and_copies_do_nothing(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    number = alice.send_text("bob", "0", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    name = wire(friends["alice"], number)
    say(friends, "alice", Edit(name, 3, "3"))
    for late in (Edit(name, 3, "again"), Edit(name, 2, "older"), Edit(name + 1, 9, "unknown")):
        say(friends, "alice", late)
    assert shown(friends["bob"]) == [("3", True, False)]
    rows = bob._core.store.changes
    say(friends, "alice", Edit(name, EDITS_LIMIT + 1, "too many"))
    assert friends["bob"].refused == 1
    assert shown(friends["bob"]) == [("3", True, False)]
    assert rows <= bob._core.store.changes
    say(friends, "alice", SignedEdit(name, 4, "signed", 1, bytes(64)))
    assert friends["bob"].refused == 2
    say(friends, "alice", Withdraw(name))
    say(friends, "alice", Edit(name, 5, "back"))
    assert shown(friends["bob"]) == [("", False, True)]


def test_what_is_deleted_here_is_not_brought_back(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    number = alice.send_text("bob", "once", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    bob.archive.delete(bob.messages()[0].id)
    alice.revisions.edit(number, "twice", friends.now)
    alice.revisions.withdraw(number, friends.now)
    alice.archive.delete(number)  # what asks for the deletion is on its way all the same
    assert friends.run(60, lambda: quiet(friends))
    assert shown(friends["bob"]) == shown(friends["alice"]) == []


def test_a_signed_text_is_edited_by_a_signature(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    number = alice.send_text("bob", "I owe you 10", friends.now, signed=True)
    assert friends.run(60, lambda: quiet(friends))
    (came,) = bob.messages()
    before = bob._core.signatures.signed(came.id)
    alice.revisions.edit(number, "I owe you 20", friends.now + 5)
    assert friends.run(60, lambda: quiet(friends))
    after = bob._core.signatures.signed(came.id)
    assert before.origin.number == after.origin.number
    assert before.origin.digest != after.origin.digest
    after.origin.verify_untrusted(after.signature)
    assert alice._core.signatures.signed(number).signature == after.signature
    say(friends, "alice", Edit(wire(friends["alice"], number), 2, "unsigned"))
    assert shown(friends["bob"]) == [("I owe you 20", True, False)]
    alice.revisions.withdraw(number, friends.now)
    assert friends.run(60, lambda: quiet(friends))
    assert bob._core.signatures.signed(came.id) is None
    assert not bob.message(came.id).signed


def test_messages_disappear_on_both_sides_and_not_by_a_wrong_clock(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    kept = alice.send_text("bob", "before", friends.now)
    alice.revisions.let_disappear("bob", 3600, friends.now)
    assert friends.run(60, lambda: quiet(friends))
    assert [one.period for one in bob.contacts()] == [3600]
    for one, whom in ((alice, "bob"), (bob, "alice")):
        one.send_text(whom, f"to {whom}", friends.now)
    alice.send_file("bob", write(friends, 10, "saved.txt"), friends.now)
    assert friends.run(60, lambda: quiet(friends))
    read_at = friends.now + 100
    for one in (alice, bob):
        one.mark_read(max(m.id for m in one.messages()), read_at)
        assert not one.archive.sweep(-math.inf)
        one.archive.sweep(friends.now + 3000)
        assert len(one.messages()) == 4
        one.archive.sweep(read_at + HOUR)
        assert [m.id for m in one.messages()] == [kept]
    assert list(downloads(friends)) == ["saved.txt"]


def test_who_reads_with_a_clock_that_is_ahead_keeps_nothing_longer(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    alice.revisions.let_disappear("bob", 3600, friends.now)
    alice.send_text("bob", "soon", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    bob.mark_read(bob.messages()[0].id, friends.now + 1e8)
    bob.archive.sweep(friends.now)
    bob.archive.sweep(friends.now + HOUR)
    assert bob.messages() == []


def test_what_is_not_read_waits(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    alice.revisions.let_disappear("bob", 60, friends.now)
    alice.send_text("bob", "unread", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    bob.archive.sweep(friends.now + 1e6)
    assert shown(friends["bob"]) == [("unread", False, False)]


def test_of_two_periods_at_once_the_shorter_holds_for_both(friends):
    alice, bob = friends["alice"].messenger, friends["bob"].messenger
    alice.revisions.let_disappear("bob", 86_400, friends.now)
    bob.revisions.let_disappear("alice", 3600, friends.now)
    assert friends.run(60, lambda: quiet(friends))
    assert alice.contacts()[0].period == bob.contacts()[0].period == 3600
    bob.revisions.let_disappear("alice", 0, friends.now)
    assert friends.run(60, lambda: quiet(friends))
    assert alice.contacts()[0].period == bob.contacts()[0].period == 0
    for body in (Disappear(1 << 40, 60), Disappear(3, 59), Disappear(1, 60)):
        say(friends, "bob", body)
    assert alice.contacts()[0].period == 0


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]),
        st.sampled_from(["send", "edit", "withdraw", "delete", "read", "disappear", "restart", "wait", "renew"]),
        st.integers(0, 5),
    ),
    min_size=3,
    max_size=14,
)


@SLOW
@given(ACTS, st.integers(0, 1000))
def test_both_sides_agree_in_the_end_whatever_was_done(tmp_path_factory, acts, seed):
    channel = Channel(tmp_path_factory.mktemp("acts"), seed, loss=0.2, duplication=0.2)
    befriend(channel)
    said: dict[str, set[str]] = {"alice": set(), "bob": set()}
    for step, (name, act, which) in enumerate(acts):
        perform(channel, said, name, act, which, step)
    assert channel.run(4000, lambda: quiet(channel))
    views = {}
    for name, other in (("alice", "bob"), ("bob", "alice")):
        messages = channel[name].messenger.messages()
        assert {one.text for one in messages if one.outgoing and one.text} <= said[name]
        assert {one.text for one in messages if not one.outgoing and one.text} <= said[other]
        core = channel[name].messenger._core
        column = {True: "wire", False: "named"}
        views[name] = {
            (
                one.outgoing is (name == "alice"),
                core.store.value(int, f"SELECT {column[one.outgoing]} FROM messages WHERE id = ?", one.id),
            ): (one.text, one.edited, one.withdrawn, one.period)
            for one in messages
        }
    for key in views["alice"].keys() & views["bob"].keys():
        assert views["alice"][key] == views["bob"][key]
    assert channel["alice"].messenger.contacts()[0].period == channel["bob"].messenger.contacts()[0].period


def perform(channel, said, name, act, which, step) -> None:
    person, other = channel[name], "bob" if name == "alice" else "alice"
    messenger = person.messenger
    mine = [one.id for one in messenger.messages() if one.outgoing and not one.withdrawn]
    any_ = [one.id for one in messenger.messages()]
    text = f"{name} {step} " + "long " * 800 * (which == 5)
    if act == "send":
        said[name].add(text)
        messenger.send_text(other, text, channel.now)
    elif act == "edit" and mine:
        said[name].add(text)
        messenger.revisions.edit(mine[which % len(mine)], text, channel.now)
    elif act == "withdraw" and mine:
        messenger.revisions.withdraw(mine[which % len(mine)], channel.now)
    elif act == "delete" and any_:
        try:
            messenger.archive.delete(any_[which % len(any_)])
        except Exception as error:
            assert "under way" in str(error)
    elif act == "read" and any_:
        messenger.mark_read(any_[-1], channel.now)
    elif act == "disappear":
        messenger.revisions.let_disappear(other, which * 60, channel.now)
    elif act == "restart":
        person.crash()
    elif act == "renew":
        channel.introduce(name, other)
    else:
        channel.run(0.1 + which)


def test_on_the_wire_all_of_it_looks_like_a_text(friends):
    """As many packets as a text of that length takes, on the account of the user's own messages, in the same lane."""
    alice = friends["alice"].messenger
    core, bob = alice._core, alice._core.contacts.named("bob").id
    number = alice.send_text("bob", "see you at eight", friends.now)
    alice.send_text("bob", "behind it", friends.now)
    assert friends.run(60, lambda: quiet(friends))
    taken = []
    for act in (
        lambda: alice.send_text("bob", "a short text", friends.now),
        lambda: alice.revisions.edit(number, "see you at nine", friends.now),
        lambda: alice.revisions.let_disappear("bob", 60, friends.now),
        lambda: alice.revisions.withdraw(number, friends.now),
    ):
        before = friends["alice"].fragments
        act()
        (row,) = core.store.all("SELECT lane, account, held FROM waiting WHERE contact = ?", bob)
        assert friends.run(60, lambda: quiet(friends))
        taken.append((row, friends["alice"].fragments - before))
    assert taken == [((0, USER, 0), 1)] * 4


def test_who_was_not_told_in_time_is_told_when_it_is_done_again(friends):
    alice, bob = friends["alice"].messenger, friends["bob"]
    number, other = (alice.send_text("bob", text, friends.now) for text in ("one", "two"))
    assert friends.run(60, lambda: quiet(friends))
    friends.loss = 1.0
    alice.revisions.edit(number, "edited", friends.now)
    alice.revisions.withdraw(other, friends.now)
    friends.run(2)
    alice.expire(friends.now + 8 * 86_400.0)
    assert NOT_REVISED in {one.error for one in alice.messages()}
    assert quiet(friends)
    friends.loss = 0.0
    alice.revisions.edit(number, "edited", friends.now)
    alice.revisions.withdraw(other, friends.now)
    assert friends.run(60, lambda: quiet(friends))
    assert shown(bob) == [("edited", True, False), ("", False, True)]
