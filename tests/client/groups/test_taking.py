"""What a member takes of a group's posts: each tree once, and of nobody but those who were members when they wrote."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_bodies import GroupPost
from mixnet.client.groups import posts
from mixnet.client.groups.multicast import SPARE_PLAN
from mixnet.client.groups.posts import Post
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from tests.client.worlds.circle import CLUB, Circle


@dataclass
class Club:
    """Alice's side of a group, and what Bob makes of what he is told in it."""

    circle: Circle

    def __post_init__(self) -> None:
        self.registry = self.circle.groups("alice")._registry
        self.group = self.registry.named(CLUB)
        self.heads = self.registry.history(self.group).heads
        roster = self.registry.roster(self.group)
        self.keys = {member.name: key for key, member in roster.members.items()}
        self.order = roster.order()
        self.silence = len(self.circle.heard("bob"))
        self.before = self.rows("SELECT max(id) FROM group_posts WHERE id > ?", 0)[0][0]

    def post(self, text: str = "hello", *, key: SigningKey | None = None, **fields) -> Post:
        """What Alice, or who has another key, signs."""
        number = self.registry.take_number(self.group)
        given = {"number": number, "floor": number, "heads": self.heads, "text": text, **fields}
        return posts.write(key or self.group.key, self.group.identifier, **given)

    def tell(self, post: Post, sender: str = "alice", *, plan: int = 0, onward: str = "", spares: int = 0) -> None:
        """Let Bob hear a post in his session with `sender`, who asks him to pass it on to `onward`."""
        bobs = self.circle.groups("bob")._registry
        contact = bobs.peers(bobs.named(CLUB))[self.keys[sender]].contact
        way = bytes(self.order.index(self.keys[name]) for name in onward.split())
        with self.circle["bob"].messenger._core.change():
            body = GroupPost(post.raw, plan, way, spares)
            self.circle.groups("bob").handle_untrusted(contact, body, self.circle.now)

    def heard(self) -> list[tuple[str, str]]:
        """(author, text) of what Bob is shown since this test began."""
        return self.circle.heard("bob")[self.silence :]

    def rows(self, query: str, *values: object) -> list[tuple]:
        """What is in Bob's store of posts since the group is complete."""
        return self.circle["bob"].store.all(query, *(values or (self.before,)))

    def hops(self) -> list[tuple[str, int]]:
        """(to whom, by which tree) Bob will pass something on."""
        names = {key: name for name, key in self.keys.items()}
        rows = self.rows("SELECT target, plan FROM group_hops WHERE post > ? ORDER BY id")
        return [(names[bytes(target)], plan) for target, plan in rows]

    def receipts(self) -> list[tuple[int, bool, bool]]:
        """(tree, whether Bob answers in it himself, whether an answer is due) of all trees that he serves."""
        rows = self.rows("SELECT plan, receipts, due FROM group_receipts WHERE post > ? ORDER BY post, plan")
        return [(plan, bool(own), due is not None) for plan, own, due in rows]

    def nothing_came(self) -> bool:
        """Bob shows nothing, keeps nothing and passes nothing on."""
        return self.heard() == [] and not self.rows("SELECT 1 FROM group_posts WHERE id > ?")


@pytest.fixture(scope="module")
def settled(tmp_path_factory) -> Circle:
    """A group that all tests here use: no packet travels in it, and each test looks at posts of its own."""
    made = Circle(tmp_path_factory.mktemp("circle"), 3, seed=11)
    made.found()
    assert made.run(300, lambda: made["alice"].store.one("SELECT 1 FROM group_awaited") is None)
    return made


@pytest.fixture
def club(settled) -> Club:
    return Club(settled)


# A tree is served once.


def test_a_tree_that_comes_again_is_served_once(club):
    post = club.post()
    club.tell(post, onward="carol")
    assert (club.hops(), club.receipts()) == ([("carol", 0)], [(0, True, True)])
    for sender in ("alice", "carol"):  # from who sent it, and by another way
        club.tell(post, sender, onward="carol")
    club.circle["bob"].crash()
    club.tell(post, onward="carol")
    assert club.hops() == [("carol", 0)]
    assert club.heard() == [("alice", "hello")]


def test_a_tree_that_comes_again_changes_nothing_of_who_is_answered(club):
    post = club.post()
    club.tell(post, onward="carol")
    before = club.rows("SELECT * FROM group_receipts WHERE post > ?")
    club.tell(post, "carol", onward="carol")
    assert club.rows("SELECT * FROM group_receipts WHERE post > ?") == before


def test_each_tree_is_served_beside_the_others(club):
    post = club.post()
    for plan in (0, 3, 1, 3, 0):
        club.tell(post, plan=plan, onward="carol")
    assert club.hops() == [("carol", 0), ("carol", 3), ("carol", 1)]
    assert [plan for plan, _, _ in club.receipts()] == [0, 1, 3]


def test_a_first_tree_that_comes_after_another_one_needs_no_answer_of_its_own(club):
    post = club.post()
    club.tell(post, plan=2)
    club.tell(post, plan=0, onward="carol")
    assert club.receipts() == [(0, False, False), (2, True, True)]


def test_a_spare_copy_of_what_is_here_is_dropped_and_one_of_what_is_not_is_taken(club):
    post = club.post()
    club.tell(post)
    club.tell(post, "carol", plan=SPARE_PLAN, spares=1)
    assert (club.receipts(), club.hops()) == ([(0, True, True)], [])
    news = club.post("news")
    club.tell(news, "carol", plan=SPARE_PLAN)
    assert [text for _, text in club.heard()] == ["hello", "news"]
    assert (SPARE_PLAN, True, True) in club.receipts()


@pytest.mark.parametrize(
    ("plan", "onward", "spares"), [(0, [7], 0), (0, [255], 0), (0, [0, 0], 0), (SPARE_PLAN, [0], 0)]
)
def test_an_impossible_way_on_is_refused(club, plan, onward, spares):
    post = club.post()
    bobs = club.circle.groups("bob")._registry
    contact = bobs.peers(bobs.named(CLUB))[club.keys["alice"]].contact
    with pytest.raises(RemoteError, match="way on"), club.circle["bob"].messenger._core.change():
        body = GroupPost(post.raw, plan, bytes(onward), spares)
        club.circle.groups("bob").handle_untrusted(contact, body, club.circle.now)
    assert club.nothing_came()


# Of nobody but members.


@pytest.mark.parametrize("sender", ["alice", "carol"])
def test_a_post_by_a_stranger_is_refused_whoever_passes_it_on(club, sender):
    with pytest.raises(RemoteError, match="isn't in it"):
        club.tell(club.post("psst", key=SigningKey(b"x" * 32)), sender)
    assert club.nothing_came()


def test_a_change_signed_by_a_member_may_not_be_brought_by_a_stranger_s_post(club):
    """A change has its own right, so such a post comes as far as its author's place in the roster."""
    renaming = group_changes.rename(club.group.key, club.group.identifier, club.heads, "ours")
    with pytest.raises(RemoteError, match="between others"):
        club.tell(club.post("", key=SigningKey(b"x" * 32), change=renaming.raw))
    assert club.nothing_came()
    assert club.circle.groups("bob").show(CLUB).title == CLUB


def test_who_came_later_writes_nothing_as_of_before(club):
    """Carol is a member now, and names changes by which she was none yet."""
    carol = club.circle.groups("carol")._registry
    history, key = club.registry.history(club.group), carol.named(CLUB).key
    joining = next(change for change in history.missing(()) if change.subject == key.public)
    with pytest.raises(RemoteError, match="between others"):
        club.tell(club.post("from before", key=key, heads=joining.parents, number=0, floor=0), "carol")
    assert club.nothing_came()


def test_what_was_written_before_we_came_is_not_for_us(club):
    history = club.registry.history(club.group)
    joining = next(change for change in history.missing(()) if change.subject == club.keys["bob"])
    with pytest.raises(RemoteError, match="between others"):
        club.tell(club.post("of bob", heads=joining.parents))
    assert club.nothing_came()


def test_nobody_brings_us_what_we_wrote_ourselves(club):
    bobs = club.circle.groups("bob")._registry.named(CLUB)
    with pytest.raises(RemoteError, match="between others"):
        club.tell(club.post("as bob", key=bobs.key, number=0, floor=0))
    assert club.nothing_came()


def test_what_is_far_ahead_of_its_author_s_other_posts_is_refused(club):
    expected = club.circle.groups("bob")._registry.peers(club.circle.groups("bob")._registry.named(CLUB))
    first = expected[club.keys["alice"]].expected
    with pytest.raises(RemoteError, match="far ahead"):
        club.tell(club.post(number=first + 64, floor=0))
    club.tell(club.post(number=first + 63, floor=0))
    assert club.heard() == [] and club.rows("SELECT 1 FROM group_posts WHERE id > ?")
