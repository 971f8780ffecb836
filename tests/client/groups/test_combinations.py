"""A group whose members block each other, begin anew, or go on with an old copy of a profile."""

import pytest

from mixnet.client.e2e.group_bodies import (
    GroupAnswer,
    GroupBehind,
    GroupOffer,
    GroupPass,
    GroupPost,
    GroupSeen,
    GroupWant,
)
from mixnet.client.groups import posts
from mixnet.client.groups.rollback import DOUBTFUL
from mixnet.client.model.errors import ContactBlocked
from mixnet.client.model.failures import EXPIRED
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.views import MessageState
from mixnet.errors import RemoteError
from tests.client.worlds.circle import CLUB, Circle
from tests.client.worlds.crashes import copy, restore
from tests.client.worlds.friends import failures


def delivered(circle, sent):
    return lambda: all(circle.delivered(name, number) for name, number in sent)


def test_who_is_blocked_is_not_shown_in_groups_and_all_goes_on_after_it(circle):
    alice = circle["alice"].messenger
    alice.people.block("bob", circle.now)
    left = sent_to_each_other(circle)
    others, bobs = [], []
    for turn in range(3):
        others += [("alice", circle.send("alice", f"a{turn}")), ("carol", circle.send("carol", f"c{turn}"))]
        bobs.append(("bob", circle.send("bob", f"b{turn}")))
        circle.run(10)
    circle["alice"].crash()
    assert circle.run(300, delivered(circle, others)), "through carol, and around bob"
    circle.run(100)
    assert not any(circle.delivered(name, number) for name, number in bobs)
    assert sent_to_each_other(circle) == left
    assert circle.texts("alice") == ["c0", "c1", "c2"]
    assert sorted(circle.texts("carol")) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    circle["alice"].messenger.people.unblock("bob")
    after = circle.send("bob", "after")
    assert circle.run(300, delivered(circle, [*bobs, ("bob", after)]))
    assert circle.texts("alice") == ["c0", "c1", "c2", "b0", "b1", "b2", "after"], "as to somebody who was away"


def sent_to_each_other(circle):
    """What of the sessions of alice and bob changes if alice sends something to bob, or hears him."""
    core = circle["alice"].messenger._core
    contact = core.contacts.named("bob").id
    query = "SELECT ratchet, numbers_0, numbers_1, expected_0, expected_1 FROM sessions WHERE contact = ?"
    return core.store.all(query, contact)


def test_of_who_is_blocked_nothing_is_heard(circle):
    alice, bob = circle["alice"].messenger, circle["bob"].messenger
    alice.people.block("bob", circle.now)
    group, contact = bob.groups._registry.named(CLUB), bob._core.contacts.named("alice").id
    waits = alice._core.store.all("SELECT body FROM waiting")
    with bob._core.change():
        for body in (
            GroupOffer(bytes(32), "other"),
            GroupAnswer(group.identifier, bytes(32), bytes(32), "bob again"),
            GroupWant(group.identifier, ()),
            GroupSeen(group.identifier, (0,)),
        ):
            bob._core.enqueue(contact, 0, body, None, circle.now)
    circle.run(60)
    assert bob._core.store.one("SELECT 1 FROM outbound") is not None
    assert [one.name for one in alice.groups.list()] == [CLUB]
    assert alice._core.store.all("SELECT body FROM waiting") == waits, "nothing piles up for who is blocked"
    with pytest.raises(ContactBlocked):
        alice.send_text("bob", "hi", circle.now)


def test_who_was_blocked_when_it_accepted_comes_in_after_an_unblock(tmp_path):
    circle = Circle(tmp_path, 2, seed=5)
    alice, bob = circle.groups("alice"), circle.groups("bob")
    alice.create(CLUB, circle.now)
    alice.invite(CLUB, "bob", circle.now)
    assert circle.run(60, bob.list)
    circle["alice"].messenger.people.block("bob", circle.now)
    bob.accept(CLUB, circle.now)
    circle.run(30)
    assert bob.show(CLUB).state is GroupState.JOINING
    circle["alice"].messenger.people.unblock("bob")
    assert circle.run(60, lambda: circle.complete(circle.names))


def test_a_contact_who_began_anew_is_out_of_reach_in_a_group_until_it_is_invited_again(circle):
    circle["bob"].online = False
    circle.join("bobby")
    circle.introduce("alice", "bobby")
    circle.run(30)
    circle["alice"].messenger.relink("bob", "bobby", circle.now)
    old = circle.send("alice", "to the old one")
    assert circle.run(60, lambda: circle.texts("carol") == ["to the old one"])
    members = {one.name: one.connected for one in circle.groups("alice").show(CLUB).members}
    # The contact of that name is another one by now: who was it in the group is not called so any more.
    assert members == {"alice": True, "bob (2)": False, "carol": True}
    circle.groups("alice").remove(CLUB, "bob (2)", circle.now)
    assert circle.run(60, lambda: circle.delivered("alice", old))
    circle.groups("alice").invite(CLUB, "bob", circle.now)
    assert circle.run(60, circle.groups("bobby").list)
    circle.groups("bobby").accept(CLUB, circle.now)
    there = ("alice", "carol", "bobby")
    connected = lambda name: all(one.connected for one in circle.groups(name).show(CLUB).members)  # noqa: E731
    assert circle.run(900, lambda: all(len(circle.members(name)) == 3 and connected(name) for name in there))
    assert circle.members("alice") == {"alice", "bob", "carol"}  # bob is what she calls who names himself bobby
    assert circle.members("carol") == {"alice", "bobby", "carol"}
    sent = [(name, circle.send(name, name)) for name in there]
    assert circle.run(60, delivered(circle, sent))
    assert sorted(circle.texts("bobby")) == ["alice", "carol"]


def test_a_member_with_an_old_copy_of_its_profile_loses_nothing_that_it_says_afterwards(circle):
    """Its sessions are broken, that with another member for good, and its posts have numbers that others had."""
    bob = circle["bob"]
    saved = copy(bob)
    before = [
        ("bob", circle.send("bob", "one")),
        ("bob", circle.send("bob", "two")),
        ("carol", circle.send("carol", "x")),
    ]
    assert circle.run(300, delivered(circle, before))
    restore(bob, saved)
    sent = [("bob", circle.send("bob", "again one")), ("alice", circle.send("alice", "to bob"))]
    circle.run(100)
    circle.introduce("alice", "bob")
    circle.run(100)
    sent += [(name, circle.send(name, f"{name} goes on")) for name in circle.names]
    assert circle.run(2000, delivered(circle, sent))
    for name in ("alice", "carol"):
        own = [text for author, text in circle.heard(name) if author == "bob"]
        assert own == ["one", "two", "again one", "bob goes on"]
    assert {"to bob", "alice goes on", "carol goes on"} <= set(circle.texts("bob"))
    assert all("member" not in m.contact and m.contact.isprintable() for m in bob.messenger.messages())


def test_what_some_have_already_is_not_numbered_again_but_fails_and_says_so(circle):
    bob = circle["bob"].messenger
    circle["carol"].online = False
    number = circle.send("bob", "hello")
    assert circle.run(60, lambda: bob.message(number).reached == 1)
    tell(circle, number, signed(circle, number, 0, "what an older bob said"))
    assert (bob.message(number).state, failures(circle, "bob")) == (MessageState.FAILED, {DOUBTFUL})
    circle["carol"].online = True
    later = circle.send("bob", "later")
    assert circle.run(300, lambda: circle.delivered("bob", later))
    assert circle.heard("alice")[-1] == circle.heard("carol")[-1] == ("bob", "later")


def test_nobody_makes_a_member_give_up_its_posts_but_by_what_it_signed_itself(circle):
    bob = circle["bob"].messenger
    assert circle.run(60, delivered(circle, [("bob", circle.send("bob", "first"))]))
    circle["alice"].online = circle["carol"].online = False
    number = circle.send("bob", "hello")
    before = bob._core.store.all("SELECT * FROM group_posts"), bob._core.store.all("SELECT next_number FROM groups")
    group = circle["alice"].messenger.groups._registry.named(CLUB)
    heads = bob.groups._registry.history(bob.groups._registry.named(CLUB)).heads
    forged = posts.write(group.key, group.identifier, 10_000, 0, heads, text="I am bob").raw
    with pytest.raises(RemoteError):
        tell(circle, number, forged)
    (same,) = bob._core.store.one("SELECT raw FROM group_posts WHERE message = ?", number)
    tell(circle, number, posts.parse_untrusted(same).shown())  # the same post
    tell(circle, number, signed(circle, number, -1, "the one before"))
    now = bob._core.store.all("SELECT * FROM group_posts"), bob._core.store.all("SELECT next_number FROM groups")
    assert now == before
    tell(circle, number, signed(circle, number, 7, "written after the copy was made"))
    row = "SELECT number FROM group_posts WHERE message = ?"
    assert bob._core.store.one(row, number)[0] == bob._core.store.one("SELECT next_number FROM groups")[0] - 1
    circle["alice"].online = circle["carol"].online = True
    assert circle.run(300, lambda: circle.delivered("bob", number))
    assert circle.heard("alice")[-1] == circle.heard("carol")[-1] == ("bob", "hello")


def signed(circle, number, ahead, text):
    """A post that bob signed under the number of his message, or near it, before he went back to an old copy."""
    registry = circle["bob"].messenger.groups._registry
    group = registry.named(CLUB)
    (post,) = circle["bob"].store.one("SELECT number FROM group_messages WHERE message = ?", number)
    heads = registry.history(group).heads
    return posts.write(group.key, group.identifier, post + ahead, 0, heads, text=text).raw


def tell(circle, number, post):
    """Carol tells bob that she has another post of his."""
    bob = circle["bob"].messenger
    group = bob.groups._registry.named(CLUB)
    (at,) = bob._core.store.one("SELECT number FROM group_messages WHERE message = ?", number)
    contact = next(one.id for one in bob._core.contacts.all() if one.role == "member")
    with bob._core.change():
        bob.groups.handle_untrusted(contact, GroupBehind(group.identifier, at, post), circle.now)


def test_answers_do_not_pile_up_for_who_asks_and_asks(circle):
    alice, bob = circle["alice"].messenger, circle["bob"].messenger
    number = circle.send("bob", "hello")
    assert circle.run(60, delivered(circle, [("bob", number)]))
    circle["bob"].online = False
    group, contact = bob.groups._registry.named(CLUB), alice._core.contacts.named("bob").id
    for turn in range(100):
        old = GroupPost(signed(circle, number, 0, f"{turn}"), 0, b"", 0)
        for body in (old, GroupWant(group.identifier, ())):
            with alice._core.change():
                alice.groups.handle_untrusted(contact, body, circle.now)
    assert 50 < alice._core.backlog(contact) < 100


def test_what_would_be_numbered_again_when_its_time_is_over_fails(circle):
    bob = circle["bob"].messenger
    circle["alice"].online = circle["carol"].online = False
    number = circle.groups("bob").send(CLUB, "soon over", circle.now, 60.0)
    with bob._core.change():
        bob._core.store.run("UPDATE group_posts SET ends = ? WHERE message = ?", circle.now, number)
    tell(circle, number, signed(circle, number, 7, "written after the copy was made"))
    assert (bob.message(number).state, bob.message(number).error) == (MessageState.FAILED, EXPIRED.unsent)


def test_a_session_that_nobody_can_help_to_begin_again_keeps_nobody_awake(circle):
    carol, bob = circle["carol"].messenger, circle["bob"].messenger
    circle.run(30)
    lost = "SELECT introduced FROM group_peers WHERE introduced < 0"
    contact = next(one.id for one in carol._core.contacts.all() if one.role == "member")
    carol.people.block("alice", circle.now)
    with carol._core.change():
        carol.groups.lost_touch(contact, circle.now + 10**6)
    assert carol.next_outgoing(circle.now) is None and carol._core.store.one(lost) is not None
    later = carol.wake_at()
    assert later is not None and later > circle.now
    carol.people.unblock("alice")
    carol.next_outgoing(later)
    assert carol._core.store.one(lost) is None
    assert bob.groups.show(CLUB).state is GroupState.MEMBER


def test_who_is_blocked_is_greeted_once_it_is_not(circle):
    alice = circle["alice"].messenger
    contact, group = alice._core.contacts.named("bob").id, alice.groups._registry.named(CLUB)
    (key,) = alice._core.store.one("SELECT key FROM group_peers WHERE contact = ?", contact)
    alice.people.block("bob", circle.now)
    with alice._core.change():
        alice._core.store.run("UPDATE group_peers SET greeted = 0 WHERE contact = ?", contact)
        alice.groups._membership._bind(group, bytes(key), contact, None, circle.now)
    assert alice._core.backlog(contact) == 0
    alice.people.unblock("bob")
    circle.run(10)
    assert alice._core.store.one("SELECT greeted FROM group_peers WHERE contact = ?", contact) == (1,)


def test_a_member_that_asks_for_sessions_again_and_again_gets_one_and_its_silence_is_no_message(circle):
    carol, bob = circle["carol"].messenger, circle["bob"].messenger
    circle.run(30)
    mine, theirs = carol.groups._registry.named(CLUB), bob.groups._registry.named(CLUB)
    contact = next(one.id for one in carol._core.contacts.all() if one.role == "member")
    alice = carol._core.contacts.named("alice").id
    pair = bob.groups._registry.pair(theirs, bob.groups._registry.roster(theirs).members[mine.me])
    circle["bob"].online = False
    sessions = "SELECT count(*) FROM sessions WHERE contact = ?"
    before, messages = carol._core.store.one(sessions, contact)[0], carol.messages()
    for _ in range(3):
        made = bob.groups._membership._introductions.create("bob", circle.now, hidden=True).encode()
        body = GroupPass(mine.identifier, theirs.me, mine.me, pair.seal(made.encode()))
        with carol._core.change():
            carol.groups.handle_untrusted(alice, body, circle.now)
    assert carol._core.store.one(sessions, contact) == (before + 1,)
    carol.expire(circle.now + circle["carol"].settings.invitation_lifetime + 1.0)
    assert carol.messages() == messages
