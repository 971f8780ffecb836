"""Groups of real messengers, whose packets are lost, doubled and reordered."""

import pytest

from mixnet.client.e2e import group_changes
from mixnet.client.e2e.bodies import Text
from mixnet.client.e2e.group_bodies import GroupChanges, GroupPost, GroupSeen
from mixnet.client.e2e.group_changes import ChangeKind
from mixnet.client.groups import multicast, posts
from mixnet.client.groups.dispatch import Dispatch, TooManyExpiring
from mixnet.client.groups.multicast import TreeTiming
from mixnet.client.groups.refusals import LastAdmin, NoMember, NotAllowed
from mixnet.client.model.errors import BadLifetime, NoGroupFiles, UnknownContact
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.views import MessageState
from mixnet.client.storage.search import Filter
from mixnet.errors import RemoteError
from tests.client.worlds.circle import CLUB, Circle


@pytest.fixture
def circle(tmp_path):
    made = Circle(tmp_path, 4)
    made.found()
    return made


def test_everybody_gets_a_message_once(circle):
    number = circle.send("bob", "hello all")
    assert circle.run(120, lambda: circle.delivered("bob", number))
    for name in ("alice", "carol", "dave"):
        assert circle.heard(name) == [("bob", "hello all")]
    message = circle["bob"].messenger.message(number)
    assert (message.contact, message.reached, message.members) == (CLUB, 3, 3)
    assert message.state is MessageState.DELIVERED


def test_messages_come_in_their_author_s_order_though_packets_are_lost_and_doubled(tmp_path):
    circle = Circle(tmp_path, 4, seed=5, loss=0.1, duplication=0.2)
    circle.found()
    numbers = [circle.send("bob", f"b{n}") for n in range(6)] + [circle.send("carol", f"c{n}") for n in range(3)]
    assert circle.run(
        900,
        lambda: all(circle.delivered("bob" if i < 6 else "carol", number) for i, number in enumerate(numbers)),
    )
    for name in ("alice", "dave"):
        heard = circle.heard(name)
        assert [text for author, text in heard if author == "bob"] == [f"b{n}" for n in range(6)]
        assert [text for author, text in heard if author == "carol"] == [f"c{n}" for n in range(3)]
        assert len(heard) == 9


def test_members_are_no_contacts_and_can_t_write_to_the_user(circle):
    assert [contact.name for contact in circle["bob"].messenger.contacts()] == ["alice"]
    core = circle["bob"].messenger._core
    hidden = [contact for contact in core.contacts.all() if contact.role == "member"]
    assert len(hidden) == 2
    theirs = circle["carol"].messenger._core
    to_bob = next(c for c in theirs.contacts.all() if c.identity == core.identity_public)
    with theirs.change():
        theirs.enqueue(to_bob.id, 0, Text(1, "psst"), None, circle.now)
    circle.run(30)
    assert circle["bob"].inbox() == []
    with pytest.raises(UnknownContact):
        circle["carol"].messenger.send_text(to_bob.name, "psst", circle.now)


def test_a_member_becomes_a_contact_by_an_invitation_of_its_own(circle):
    text = circle["bob"].messenger.create_invitation("bob", circle.now).encode()
    assert circle["carol"].messenger.accept_invitation(text, "bobby", circle.now).name == "bobby"
    circle.run(30)
    number = circle["carol"].messenger.send_text("bobby", "hi", circle.now)
    assert circle.run(60, lambda: circle.delivered("carol", number))
    assert circle["bob"].inbox() == ["hi"]
    assert {contact.name for contact in circle["bob"].messenger.contacts()} == {"alice", "carol"}


def test_who_is_removed_reads_nothing_new(circle):
    assert circle.delivered("alice", said(circle, "alice", "before"))
    circle.groups("alice").remove(CLUB, "dave", circle.now)
    number = said(circle, "alice", "after")
    said(circle, "bob", "also after")
    assert circle["alice"].messenger.message(number).members == 2
    assert circle.run(60, lambda: circle.groups("dave").show(CLUB).state is GroupState.LEFT)
    circle.run(60)
    assert [text for _, text in circle.heard("dave")] == ["before"]
    with pytest.raises(NoMember):
        circle.send("dave", "still here?")
    assert all(circle.members(name) == {"alice", "bob", "carol"} for name in ("alice", "bob", "carol"))


def test_what_a_removed_member_writes_all_the_same_is_not_heard(circle):
    dave = circle["dave"].messenger
    dave.groups._membership.settle = lambda *_: None  # his client doesn't want to know
    circle.groups("alice").remove(CLUB, "dave", circle.now)
    assert circle.run(60, lambda: all("dave" not in circle.members(name) for name in ("bob", "carol")))
    dave.groups.send(CLUB, "still here", circle.now)
    circle.run(60)
    assert all(circle.heard(name) == [] for name in ("alice", "bob", "carol"))


def test_who_joins_later_sees_nothing_from_before(tmp_path):
    circle = Circle(tmp_path, 4, seed=2)
    circle.names = circle.names[:3]
    circle.found()
    said(circle, "bob", "old")
    circle.bring("alice", "dave")
    circle.names = (*circle.names, "dave")
    assert circle.run(300, lambda: circle.complete(circle.names))
    said(circle, "bob", "new")
    said(circle, "dave", "mine")
    assert circle.heard("dave") == [("bob", "new")]
    assert circle.heard("carol") == [("bob", "old"), ("bob", "new"), ("dave", "mine")]


def test_leaving_renaming_and_roles(circle):
    groups = circle.groups
    with pytest.raises(LastAdmin):
        groups("alice").leave(CLUB, circle.now)
    with pytest.raises(NotAllowed):
        groups("bob").remove(CLUB, "carol", circle.now)
    with pytest.raises(NotAllowed):
        groups("bob").rename(CLUB, "bob's", circle.now)
    groups("alice").promote(CLUB, "bob", circle.now)
    assert circle.run(60, lambda: all(admin(circle, name, "bob") for name in circle.names))
    with pytest.raises(NotAllowed):
        groups("bob").demote(CLUB, "alice", circle.now)
    groups("bob").remove(CLUB, "carol", circle.now)
    groups("alice").leave(CLUB, circle.now)
    rest = ("bob", "dave")
    assert circle.run(120, lambda: all(circle.members(name) == set(rest) for name in rest))
    groups("bob").rename(CLUB, "two", circle.now)
    assert circle.run(60, lambda: groups("dave").list()[0].title == "two")
    assert groups("bob").show("two").name == "two"  # his own choice
    assert groups("dave").show(CLUB).name == CLUB  # not hers: her name for it stays
    assert groups("alice").show(CLUB).state is GroupState.LEFT


def test_admins_who_leave_at_once_leave_an_admin(circle):
    groups = circle.groups
    with pytest.raises(LastAdmin):
        groups("alice").demote(CLUB, "alice", circle.now)
    groups("alice").promote(CLUB, "dave", circle.now)
    assert circle.run(60, lambda: admin(circle, "dave", "dave"))
    groups("alice").leave(CLUB, circle.now)
    groups("dave").leave(CLUB, circle.now)
    assert circle.run(120, lambda: all(circle.members(name) == {"bob", "carol"} for name in ("bob", "carol")))
    assert all(admin(circle, name, "bob") and not admin(circle, name, "carol") for name in ("bob", "carol"))
    groups("bob").promote(CLUB, "carol", circle.now)
    assert circle.run(60, lambda: all(admin(circle, "carol", name) for name in ("bob", "carol")))


def test_what_a_removed_author_wrote_is_treated_alike_whoever_passes_it_on(circle):
    """Carol doesn't know yet that dave was removed, and passes on what he wrote; bob and alice know."""
    said(circle, "dave", "first word")
    registry = circle["dave"].messenger.groups._registry
    group = registry.named(CLUB)
    history = registry.history(group)
    old = history.heads
    circle["carol"].online = False
    circle.groups("alice").remove(CLUB, "dave", circle.now)
    assert circle.run(120, lambda: circle.members("bob") == {"alice", "bob", "carol"})
    order = history.roster(old).order()
    number = registry.take_number(group)
    post = posts.write(group.key, group.identifier, number, number, old, text="one last word")

    def bring(name, sender, onward=b""):
        core = circle[name].messenger._core
        theirs = circle[name].messenger.groups._registry
        club = theirs.named(CLUB)
        key = next(k for k, m in history.roster(old).members.items() if m.name == sender)
        with core.change():
            body = GroupPost(post.raw, 0, onward, 0)
            circle[name].messenger.groups.handle_untrusted(theirs.peers(club)[key].contact, body, circle.now)

    onward = bytes(order.index(k) for k, m in history.roster(old).members.items() if m.name in ("alice", "bob"))
    bring("carol", "dave", onward)  # as far as she knows he is a member, and so it is filed there
    assert circle.heard("carol")[-1] == ("dave", "one last word")
    refused = {name: circle[name].refused for name in ("alice", "bob")}
    for name in ("alice", "bob"):
        with pytest.raises(RemoteError):
            bring(name, "carol")
    circle["carol"].online = True
    assert circle.run(200, lambda: circle.members("carol") == {"alice", "bob", "carol"})
    circle.run(60)
    assert all(circle[name].refused > refused[name] for name in ("alice", "bob"))  # hers came there too
    for name in ("alice", "bob"):
        assert circle.heard(name) == [("dave", "first word")]
    assert circle.heard("carol") == [("dave", "first word"), ("dave", "one last word")]  # what was read stays read
    with pytest.raises(RemoteError):
        bring("carol", "bob")  # now she decides as the others did
    said(circle, "bob", "onward")
    assert circle.heard("alice") == [("dave", "first word"), ("bob", "onward")]


def test_a_member_who_forges_a_change_is_ignored(circle):
    bob = circle["bob"].messenger
    registry = bob.groups._registry
    group = registry.named(CLUB)
    history = registry.history(group)
    forged = group_changes.about(group.key, group.identifier, history.heads, ChangeKind.REMOVE, history.adder(group.me))
    with bob._core.change():
        for peer in registry.peers(group).values():
            bob._core.enqueue(peer.contact, 0, GroupChanges(group.identifier, (forged.raw,)), None, circle.now)
        bob.groups._dispatch.write(group, circle.now, change=forged)
    refused = circle["carol"].refused
    circle.run(60)
    assert circle["carol"].refused > refused
    assert all(circle.members(name) == set(circle.names) for name in circle.names)
    number = said(circle, "alice", "still together")
    assert circle.delivered("alice", number)


def test_a_message_altered_by_who_passes_it_on_is_refused(circle):
    core, registry = circle["bob"].messenger._core, circle["bob"].messenger.groups._registry
    group = registry.named(CLUB)
    carol = next(k for k, m in registry.roster(group).members.items() if m.name == "carol")
    taken = []
    take = Dispatch.take_untrusted
    said(circle, "alice", "first")
    circle["bob"].messenger.groups._dispatch.take_untrusted = lambda g, c, body, post, now: (
        taken.append(post.raw),
        take(circle["bob"].messenger.groups._dispatch, g, c, body, post, now),
    )
    circle.send("alice", "pay bob")
    circle.run(20)
    at = len(taken[0]) - 40  # in what is encrypted, before the key
    altered = taken[0][:at] + bytes([taken[0][at] ^ 1]) + taken[0][at + 1 :]
    refused = circle["carol"].refused
    with core.change():
        body = GroupPost(altered, 40, b"", 0)
        core.enqueue(registry.peers(group)[carol].contact, 0, body, None, circle.now)
    circle.run(30)
    assert circle["carol"].refused == refused + 1
    assert [text for _, text in circle.heard("carol")] == ["first", "pay bob"]


def test_members_who_are_away_get_it_later_and_nobody_waits_for_them(tmp_path):
    circle = Circle(tmp_path, 6, seed=3)
    circle.found()
    for name in ("bob", "carol"):
        circle[name].online = False
    number = circle.send("alice", "who is there?")
    here = ("dave", "erin", "frank")
    assert circle.run(60, lambda: all(circle.heard(name) for name in here))
    assert circle.run(60, lambda: circle["alice"].messenger.message(number).reached == 3)
    circle["bob"].online = circle["carol"].online = True
    assert circle.run(300, lambda: circle.delivered("alice", number))
    assert circle.heard("bob") == circle.heard("carol") == [("alice", "who is there?")]


def test_those_behind_who_is_away_get_a_first_message_before_anybody_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(TreeTiming, "latency", 0)  # so that a small group's tree has inner places
    circle = Circle(tmp_path, 6, seed=3)
    circle.found()
    core = circle["alice"].messenger._core
    assert circle.run(300, lambda: core.store.one("SELECT 1 FROM group_awaited") is None)
    monkeypatch.setattr(multicast, "_PATIENCE", 1000.0)
    core.store.run("UPDATE group_peers SET answered = 0")
    number = circle.send("alice", "who is there?")
    (hop,) = core.store.all("SELECT target FROM group_hops ORDER BY id LIMIT 1")
    roster = circle["alice"].messenger.groups._registry.roster(circle["alice"].messenger.groups._registry.named(CLUB))
    away = roster.members[bytes(hop[0])].name  # the first child, with the most behind it
    circle[away].online = False
    here = [name for name in circle.names if name not in ("alice", away)]
    assert circle.run(60, lambda: all(circle.heard(name) for name in here))
    assert circle.run(60, lambda: circle["alice"].messenger.message(number).reached == 4)
    assert all(len(circle.heard(name)) == 1 for name in here)
    assert core.store.one("SELECT plans FROM group_posts")[0] == 1


def test_the_author_learns_who_read_it_from_those_who_tell(circle):
    number = said(circle, "alice", "read this")
    alice = circle["alice"].messenger
    read(circle, "bob")
    read(circle, "bob")
    assert circle.run(60, lambda: alice.message(number).readers == 1)
    assert alice.groups.reading.readers(number) == ["bob"]
    assert alice.message(number).state is MessageState.DELIVERED
    circle["carol"].messenger.people.block("alice", circle.now)
    read(circle, "carol")
    read(circle, "dave")
    circle.run(30)
    assert alice.groups.reading.readers(number) == ["bob", "dave"]  # carol blocked the author
    later = said_to(circle, "alice", "and this", ("bob", "dave"))
    assert alice.message(later).readers == 0
    assert circle["bob"].messenger.message(read(circle, "bob")).state is MessageState.READ


def test_all_have_read_it_when_all_have_said_so_and_nobody_reads_for_others(circle):
    number = said(circle, "alice", "read this")
    bob, alice = circle["bob"].messenger, circle["alice"].messenger
    registry = alice.groups._registry
    group = registry.named(CLUB)
    post = alice._core.store.one("SELECT number FROM group_messages WHERE message = ?", number)[0]
    with alice._core.change(), pytest.raises(RemoteError):
        alice.groups.reading.seen_untrusted(group, -1, GroupSeen(group.identifier, (post,)), circle.now)
    key = registry.member_of(group, next(c.id for c in alice._core.contacts.all() if c.name == "bob")).key
    first = registry.peers(group)[key].first
    registry.set_peer(group, key, first=post + 1)  # as if bob had joined later
    with alice._core.change():
        contact = registry.peers(group)[key].contact
        alice.groups.reading.seen_untrusted(group, contact, GroupSeen(group.identifier, (post,)), circle.now)
    assert alice.message(number).readers == 0
    registry.set_peer(group, key, first=first)
    with bob._core.change():  # of what was before it joined, and of what never was
        contact = next(c.id for c in bob._core.contacts.all() if c.name == "alice")
        bob._core.enqueue(contact, 0, GroupSeen(group.identifier, (0, 10_000, post, post)), None, circle.now)
    assert circle.run(60, lambda: alice.message(number).readers == 1)
    for name in ("carol", "dave"):
        read(circle, name)
    assert circle.run(60, lambda: alice.message(number).state is MessageState.READ)
    assert alice.groups.reading.readers(number) == ["bob", "carol", "dave"]


def test_what_expired_is_passed_on_to_nobody_and_keeps_nothing_back(circle):
    circle["dave"].online = False
    expiring = circle.groups("alice").send(CLUB, "come at once", circle.now, 30.0)
    later = circle.send("alice", "too late")
    assert circle.run(20, lambda: circle.heard("bob") == [("alice", "come at once"), ("alice", "too late")])
    assert not circle.run(40)
    message = circle["alice"].messenger.message(expiring)
    assert message.state is MessageState.FAILED and "(2 of 3 have it)" in message.error
    for name in ("alice", "bob", "carol"):
        hops = "SELECT 1 FROM group_hops h JOIN group_posts p ON p.id = h.post WHERE p.ends IS NOT NULL"
        assert circle[name].messenger._core.store.one(hops) is None
    circle["dave"].online = True
    assert circle.run(200, lambda: circle.delivered("alice", later))
    assert circle.heard("dave") == [("alice", "too late")]
    assert circle.heard("bob") == [("alice", "come at once"), ("alice", "too late")]


def test_what_comes_when_its_time_is_over_is_neither_shown_nor_passed_on_nor_acknowledged(circle):
    number = circle.groups("alice").send(CLUB, "now", circle.now, 30.0)
    row = circle["alice"].messenger._core.store.one("SELECT raw, grp FROM group_posts WHERE message = ?", number)
    circle["alice"].messenger.cancel(number, circle.now)
    circle.run(40)
    bob, registry = circle["bob"].messenger, circle["bob"].messenger.groups._registry
    group = registry.named(CLUB)
    others = bytes(range(4))
    with bob._core.change():
        contact = next(c.id for c in bob._core.contacts.all() if c.name == "alice")
        bob.groups.handle_untrusted(contact, GroupPost(bytes(row[0]), 0, others, 7), circle.now)
        assert bob._core.store.one("SELECT 1 FROM group_hops") is None
        assert bob._core.store.one("SELECT 1 FROM group_receipts WHERE due IS NOT NULL") is None
    assert circle.heard("bob") == []
    said(circle, "alice", "then")
    assert circle.heard("bob") == [("alice", "then")] and registry.named(CLUB) == group


def test_a_text_that_waited_for_one_that_was_given_up_is_shown_though_it_is_below_the_floor(circle):
    said(circle, "alice", "first")
    registry = circle["alice"].messenger.groups._registry
    group = registry.named(CLUB)
    given_up, waits, last = (registry.take_number(group) for _ in range(3))
    bob = circle["bob"].messenger
    contact = next(c.id for c in bob._core.contacts.all() if c.name == "alice")
    for number, floor in ((waits, given_up), (last, last)):
        heads = registry.history(group).heads
        post = posts.write(group.key, group.identifier, number, floor, heads, text=f"{number - given_up}")
        with bob._core.change():
            bob.groups.handle_untrusted(contact, GroupPost(post.raw, 0, b"", 0), circle.now)
    assert circle.heard("bob") == [("alice", "first"), ("alice", "1"), ("alice", "2")]


def test_few_texts_with_a_time_of_their_own_are_under_way(circle):
    circle["dave"].online = False
    for turn in range(16):
        circle.groups("alice").send(CLUB, f"{turn}", circle.now, 600.0)
    with pytest.raises(TooManyExpiring):
        circle.groups("alice").send(CLUB, "one more", circle.now, 600.0)
    with pytest.raises(BadLifetime):
        circle["alice"].messenger.send_text(CLUB, "never", circle.now, 0.0)
    circle["alice"].messenger.send_text(CLUB, "without", circle.now)


def test_all_of_it_survives_crashes(circle):
    numbers = []
    for turn, name in enumerate(("alice", "bob", "carol", "dave") * 3):
        numbers.append((name, circle.send(name, f"{name} {turn}")))
        circle.run(0.2)
        circle[circle.names[(turn + 1) % 4]].crash()
        circle[name].crash()
    assert circle.run(900, lambda: all(circle.delivered(name, number) for name, number in numbers))
    for name in circle.names:
        for author in circle.names:
            if author != name:
                heard = [text for who, text in circle.heard(name) if who == author]
                assert heard == [f"{author} {turn}" for turn in range(12) if circle.names[turn % 4] == author]


def test_the_archive_has_group_messages(circle):
    said(circle, "bob", "the treasure is under the oak")
    alice = circle["alice"].messenger
    (found,) = alice.search("treas*", where=Filter(contact=CLUB))
    assert (found.contact, found.author) == (CLUB, "bob")
    assert alice.search("treasure", where=Filter(contact="bob")) == []
    alice.mark_read(found.id, circle.now)
    alice.archive.delete(found.id)
    assert alice.search("treasure") == []
    assert alice.archive.clear(CLUB) == (0, 0)


def test_a_file_for_a_group_is_refused(circle, tmp_path):
    with pytest.raises(NoGroupFiles):
        circle["alice"].messenger.send_file(CLUB, tmp_path / "x", circle.now)


def test_a_cancelled_message_goes_no_further(circle):
    number = circle.send("alice", "never mind")
    circle["alice"].messenger.cancel(number, circle.now)
    circle.run(40)
    assert all(circle.heard(name) == [] for name in ("bob", "carol", "dave"))


def read(circle, name):
    """`name` reads all that came."""
    messenger = circle[name].messenger
    last = [m.id for m in messenger.messages(CLUB) if not m.outgoing][-1]
    messenger.mark_read(last, circle.now)
    return last


def said_to(circle, name, text, whom):
    number = circle.send(name, text)
    assert circle.run(200, lambda: all(circle.heard(one)[-1:] == [(name, text)] for one in whom))
    return number


def said(circle, name, text):
    number = circle.send(name, text)
    assert circle.run(200, lambda: circle.delivered(name, number)), circle["alice"].messenger.message(number)
    return number


def admin(circle, name, whom):
    return any(m.name == whom and m.admin for m in circle.groups(name).show(CLUB).members)
