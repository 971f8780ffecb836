"""What somebody wrote before it left a group arrives, whoever tells of the leaving first; nothing else of it does."""

import pytest

from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_bodies import GroupChanges, GroupPost
from mixnet.client.groups import posts
from mixnet.client.groups.leavers import LATE
from mixnet.client.groups.membership import Membership
from mixnet.client.groups.missing_parents import HELD
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.views import MessageState
from mixnet.errors import RemoteError
from tests.client.worlds.circle import CLUB, Circle

OTHERS = ("alice", "bob")
LAST = [("carol", "last words")]


class Parting(Circle):
    """Carol writes and leaves, and nothing of it has left her device."""

    def __init__(self, tmp):
        super().__init__(tmp, 3)
        self.found()
        self.run(10)  # until everybody has said with which number it begins
        registry = self.registry("carol")
        club = registry.named(CLUB)
        history = registry.history(club)
        self.key, self.heads, self.identifier = club.key, history.heads, club.identifier
        self.keys = {member.name: key for key, member in history.roster(history.heads).members.items()}
        bobs = self.registry("bob")
        self.contacts = {key: peer.contact for key, peer in bobs.peers(bobs.named(CLUB)).items()}
        self["carol"].online = False
        self.text = self.send("carol", "last words")
        self.groups("carol").leave(CLUB, self.now)
        rows = self["carol"].store.all("SELECT raw FROM group_posts WHERE author = ? ORDER BY number", club.me)
        self.posts = [posts.parse_untrusted(bytes(raw)) for (raw,) in rows]
        assert [bool(post.text) for post in self.posts] == [True, False]

    def registry(self, name):
        return self[name].messenger.groups._registry

    def tell(self, sender, body, later=0.0):
        """Let Bob hear something from a member, or from another contact, as if it had come in their session."""
        if isinstance(body, posts.Post):
            body = GroupPost(body.raw, 0, b"", 0)
        contact = self.contacts[self.keys[sender]] if sender in self.keys else sender
        with self["bob"].messenger._core.change():
            self.groups("bob").handle_untrusted(contact, body, self.now + later)

    def news(self):
        """The leaving without the post that brings it."""
        return GroupChanges(self.identifier, (self.posts[1].change,))

    def backdated(self, number, floor=0):
        """A text that Carol signs as if she had not left yet."""
        return posts.write(self.key, self.identifier, number, floor, self.heads, text=f"text {number}")

    def settles(self):
        """Those who have it all answer, and she waits for nobody."""
        self["carol"].online = True
        assert self.run(300, lambda: self["carol"].store.one("SELECT 1 FROM group_awaited") is None)
        message = self["carol"].messenger.message(self.text)
        assert (message.state, message.reached, message.members) == (MessageState.DELIVERED, 2, 2)
        assert all(self.heard(name) == LAST for name in OTHERS)
        assert self.groups("carol").show(CLUB).state is GroupState.LEFT


@pytest.fixture
def parting(tmp_path):
    return Parting(tmp_path)


@pytest.mark.parametrize("through", ["carol", "alice"])
def test_what_was_written_before_is_taken_after_the_leaving_became_known(parting, through):
    text, leave = parting.posts
    parting.tell("alice", leave)  # it waits for the text in its author's order; the change in it doesn't
    assert parting.members("bob") == set(OTHERS) and parting.heard("bob") == []
    parting["bob"].crash()
    parting.tell(through, text)
    assert parting.heard("bob") == LAST
    parting.settles()


def test_who_hears_of_the_leaving_by_others_answers_what_came_before_all_the_same(parting):
    parting.tell("alice", parting.news())
    parting.settles()


def test_two_who_leave_at_once_don_t_wait_for_each_other(parting):
    """Neither hears of the other's leaving by the group, in which they are no more."""
    other = parting.send("bob", "my last words")
    parting.groups("bob").leave(CLUB, parting.now)
    parting["carol"].online = True
    for name in ("bob", "carol"):
        assert parting.run(300, lambda who=name: parting[who].store.one("SELECT 1 FROM group_awaited") is None)
    for name, number in (("bob", other), ("carol", parting.text)):
        message = parting[name].messenger.message(number)
        assert (message.state, message.reached, message.members) == (MessageState.DELIVERED, 1, 1)
        assert parting.heard(name) == []
    assert sorted(parting.heard("alice")) == [("bob", "my last words"), *LAST]


def test_who_has_left_believes_of_others_only_what_they_say_of_themselves(parting):
    carol = parting.groups("carol")
    registry = parting.registry("carol")
    club = registry.named(CLUB)
    contacts = {name: registry.peers(club)[parting.keys[name]].contact for name in OTHERS}
    alice = parting.registry("alice").named(CLUB)
    removal = group_changes.about(
        alice.key, club.identifier, parting.heads, group_changes.ChangeKind.REMOVE, parting.keys["bob"]
    )
    waits = "SELECT count(*) FROM group_awaited"
    with parting["carol"].messenger._core.change():
        for body in (removal.raw, parting.posts[1].change):
            carol.handle_untrusted(contacts["alice"], GroupChanges(club.identifier, (body,)), parting.now)
    assert parting["carol"].store.one(waits) == (4,)
    with parting["carol"].messenger._core.change():
        carol.handle_untrusted(contacts["bob"], GroupChanges(club.identifier, (removal.raw,)), parting.now)
    assert parting["carol"].store.one(waits) == (2,)


def test_who_has_left_tells_what_its_leaving_builds_on(tmp_path):
    """Bob lacks a change that Carol knew, and nobody but her can tell him."""
    circle = Circle(tmp_path, 3)
    circle.found()
    carol, alice = circle["carol"].messenger, circle["alice"].messenger.groups._registry
    peers = carol.groups._registry.peers(carol.groups._registry.named(CLUB))
    club = alice.named(CLUB)
    circle["alice"].online = False
    renamed = group_changes.rename(club.key, club.identifier, alice.history(club).heads, "old club")
    with carol._core.change():
        contact = peers[club.me].contact
        carol.groups.handle_untrusted(contact, GroupChanges(club.identifier, (renamed.raw,)), circle.now)
    carol.groups.leave(CLUB, circle.now)
    assert circle.run(120, lambda: any(len(group.members) == 2 for group in circle.groups("bob").list()))
    assert circle.groups("bob").show(CLUB).state is GroupState.MEMBER


def test_who_was_removed_beside_its_leaving_learns_that_nobody_takes_what_it_wrote(parting):
    parting.groups("alice").remove(CLUB, "carol", parting.now)
    parting["carol"].online = True
    assert parting.run(300, lambda: parting["carol"].store.one("SELECT 1 FROM group_awaited") is None)
    message = parting["carol"].messenger.message(parting.text)
    assert message.state is MessageState.FAILED and "removed" in message.error
    parting.run(60)
    assert parting.heard("alice") == []  # to Bob it may have come before he heard of the removal


def test_what_waits_for_changes_outlasts_a_restart(parting):
    alice = parting.registry("alice").named(CLUB)
    renamed = group_changes.rename(alice.key, alice.identifier, parting.heads, "old club")
    late = posts.write(alice.key, alice.identifier, alice.next_number, 0, (renamed.hash,), text="in the old club")
    parting.tell("carol", late)
    parting["bob"].crash()
    parting.tell("alice", GroupChanges(parting.identifier, (renamed.raw,)))
    heard = [(m.author, m.text) for m in parting["bob"].messenger.messages(CLUB)]
    assert heard == [("alice", "in the old club")]
    assert parting["bob"].store.one("SELECT 1 FROM group_held") is None
    unknown = (bytes(32),)
    for number in range(alice.next_number + 1, alice.next_number + HELD + 4):
        parting.tell("alice", posts.write(alice.key, alice.identifier, number, number, unknown, text=str(number)))
    assert parting["bob"].store.one("SELECT count(*) FROM group_held") == (HELD,)
    parting["bob"].messenger.next_outgoing(parting.now + parting["bob"].settings.message_lifetime + 1)
    assert parting["bob"].store.one("SELECT 1 FROM group_held") is None


def test_who_keeps_the_leaving_from_somebody_has_a_limit(parting):
    parting.tell("alice", parting.news())
    first = parting.posts[0].number
    parting.tell("carol", parting.backdated(first + LATE - 1, first + LATE - 1))
    with pytest.raises(RemoteError, match="whose author isn't in it"):
        parting.tell("carol", parting.backdated(first + LATE, first + LATE))
    assert parting.heard("bob") == [("carol", f"text {first + LATE - 1}")]


def test_nothing_else_is_taken(parting):
    text, leave = parting.posts
    parting.tell("alice", leave)
    with pytest.raises(RemoteError, match="from one who isn't in it"):
        parting.tell(1000, text)
    alice = parting.registry("alice").named(CLUB)
    removal = group_changes.about(
        alice.key, alice.identifier, parting.heads, group_changes.ChangeKind.REMOVE, parting.key.public
    )
    week = parting["bob"].settings.message_lifetime
    for sender in ("carol", "alice"):
        with pytest.raises(RemoteError, match="whose author isn't in it"):
            parting.tell(sender, parting.backdated(leave.number + 1))
        with pytest.raises(RemoteError, match="whose author isn't in it"):
            parting.tell(sender, text, later=week)
    parting.tell("alice", GroupChanges(parting.identifier, (removal.raw,)))  # it did not know of the leaving
    for sender in ("carol", "alice"):
        with pytest.raises(RemoteError, match="whose author isn't in it"):
            parting.tell(sender, text)
    assert parting.heard("bob") == []
    parting["bob"].messenger.next_outgoing(parting.now + week + 1)
    assert parting["bob"].store.one("SELECT 1 FROM group_leavers") is None


def test_a_greeting_that_comes_after_the_news_lets_what_came_be_shown(tmp_path, monkeypatch):
    late = []
    hello = Membership.hello_untrusted

    def greet(self, group, contact, body, now):
        member = self._registry.roster(group).members.get(body.key)
        if self._core.home.name == "bob" and not late and member is not None and member.name == "carol":
            late.append(body)
        else:
            hello(self, group, contact, body, now)

    monkeypatch.setattr(Membership, "hello_untrusted", greet)
    parting = Parting(tmp_path)
    for post in reversed(parting.posts):
        parting.tell("alice", post)
    assert parting.heard("bob") == []
    parting.tell("carol", late[0])
    assert parting.heard("bob") == LAST


def test_who_was_removed_says_so_to_who_left_before(parting):
    """Bob knew that Carol had left, so he knows her no more as a member when he is removed."""
    parting.tell("alice", parting.news())
    alice = parting.registry("alice").named(CLUB)
    removal = group_changes.about(
        alice.key,
        alice.identifier,
        parting.heads,
        group_changes.ChangeKind.REMOVE,
        parting.registry("bob").named(CLUB).me,
    )
    parting.tell("alice", GroupChanges(parting.identifier, (removal.raw,)))
    assert parting.groups("bob").show(CLUB).state is GroupState.LEFT
    parting["carol"].online = True
    assert parting.run(300, lambda: parting["carol"].store.one("SELECT 1 FROM group_awaited") is None)
    assert parting.delivered("carol", parting.text) and parting.heard("alice") == LAST


def unknown(parting, name, number):
    """A post of Alice's that builds on what nobody has, passed on by `name`."""
    alice = parting.registry("alice").named(CLUB)
    parting.tell(name, posts.write(alice.key, alice.identifier, number, number, (bytes(32),), text=f"{number}"))


def test_nobody_pushes_out_what_others_passed_on(parting):
    unknown(parting, "carol", 1000)
    for number in range(HELD + 4):
        unknown(parting, "alice", 2000 + number)
    assert parting["bob"].store.one("SELECT count(*) FROM group_held") == (HELD,)
    carol = parting.contacts[parting.keys["carol"]]
    assert parting["bob"].store.one("SELECT count(*) FROM group_held WHERE contact = ?", carol) == (1,)


def test_what_waits_alone_is_forgotten_in_time(parting):
    bob = parting["bob"].messenger
    unknown(parting, "alice", 1000)
    with bob._core.change():
        bob._core.store.run("DELETE FROM group_posts")
    later = parting.now + parting["bob"].settings.message_lifetime
    assert bob.groups._dispatch.wake_at() <= later
    bob.groups._dispatch.feed(later)
    assert parting["bob"].store.one("SELECT 1 FROM group_held") is None


def test_who_has_left_answers_nobody_whom_it_has_blocked(parting):
    carol, registry = parting["carol"].messenger, parting.registry("carol")
    alice, club = parting.registry("alice").named(CLUB), parting.registry("carol").named(CLUB)
    contact = registry.peers(club)[alice.me].contact
    body = GroupPost(posts.write(alice.key, alice.identifier, 99, 99, parting.heads, text="hi").raw, 0, b"", 0)
    for answers in (1, 0):
        before = carol._core.backlog(contact)
        with carol._core.change():
            carol.groups.handle_untrusted(contact, body, parting.now)
        assert carol._core.backlog(contact) == before + answers
        carol.people.block("alice", parting.now)
