"""Two posts under one number, to different members: all learn of it, by what their author signed and nothing else."""

import dataclasses

import pytest

from mixnet.client.e2e.group_bodies import GroupDiffer, GroupPost
from mixnet.client.groups import posts
from mixnet.errors import RemoteError
from tests.client.worlds.circle import CLUB, Circle

NAMES = ("alice", "carol", "dave", "erin")


@pytest.fixture
def club(tmp_path):
    """Five in a group, of whom bob will lie."""
    circle = Circle(tmp_path, 5, seed=9)
    circle.found()
    assert circle.run(
        300, lambda: all(p.store.one("SELECT 1 FROM group_awaited") is None for p in circle.people.values())
    )
    return circle


def group_of(circle, name):
    return circle.groups(name)._registry.named(CLUB)


def key_of(circle, name):
    return group_of(circle, name).me


def posts_of_one_number(circle, *variants):
    """Posts by bob, all under his next number."""
    registry, group = circle.groups("bob")._registry, group_of(circle, "bob")
    number, heads = registry.take_number(group), registry.history(group).heads
    said = [{"text": one} if isinstance(one, str) else one for one in variants]
    return [posts.write(group.key, group.identifier, number, number, heads, **one) for one in said]


def hand(circle, sender, receiver, post, onward=b""):
    """`sender` gives somebody a copy of an open post."""
    peer = circle.groups(sender)._registry.peers(group_of(circle, sender))[key_of(circle, receiver)]
    circle[sender].messenger._core.enqueue(peer.contact, 0, GroupPost(post.raw, 0, onward, 0), None, circle.now)


def warned(circle, name, about="bob"):
    """How often somebody was told that a member's posts differ."""
    errors = [m.error for m in circle[name].messenger.messages(CLUB) if not m.outgoing]
    return sum(f"{about} sent two different messages as one" in error for error in errors)


def a_round(circle, names=NAMES):
    for name in names:
        circle.send(name, f"{name} says something")
    circle.run(90)


VARIANTS = {
    "two texts": ("yes", "no", "no", "no"),
    "one alone has the other": ("yes", "yes", "yes", "no"),
    "three texts": ("yes", "no", "perhaps", "no"),
    "a text and nothing": ("yes", {}, {}, {}),
    "a text that is over sooner": ("yes", {"text": "yes", "expires": 1 << 39}, "yes", "yes"),
    "one that says another one is not waited for": ("yes", {"text": "yes", "lapsing": ((0, 0),)}, "yes", "yes"),
    "the same text, signed twice": ("yes", {"text": "yes"}, "yes", "yes"),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_learn_within_a_round_of_posts_that_there_are_two(club, variant):
    said = VARIANTS[variant]
    kinds = {str(one): one for one in said}
    made = dict(zip(kinds, posts_of_one_number(club, *kinds.values()), strict=True))
    for name, one in zip(NAMES, said, strict=True):
        hand(club, "bob", name, made[str(one)])
    club.run(30)
    assert [warned(club, name) for name in NAMES] == [0, 0, 0, 0]
    a_round(club)
    assert [warned(club, name) for name in NAMES] == [1, 1, 1, 1]
    a_round(club)
    assert [warned(club, name) for name in NAMES] == [1, 1, 1, 1], "once"


def test_the_order_of_two_texts_is_one_of_the_things_that_differ(club):
    (yes,), (no,) = posts_of_one_number(club, "yes"), posts_of_one_number(club, "no")
    group = group_of(club, "bob")
    no_first = posts.write(group.key, group.identifier, yes.number, yes.floor, yes.heads, text="no")
    yes_later = posts.write(group.key, group.identifier, no.number, no.floor, no.heads, text="yes")
    for name, pair in zip(NAMES, ((yes, no), (no_first, yes_later), (yes, no), (yes, no)), strict=True):
        for post in pair:
            hand(club, "bob", name, post)
    club.run(30)
    assert (club.texts("alice"), club.texts("carol")) == (["yes", "no"], ["no", "yes"])
    a_round(club)
    assert all(warned(club, name) == 2 for name in NAMES)


def test_whoever_never_writes_learns_it_from_those_who_do_and_others_from_what_he_shows(club):
    first, second = posts_of_one_number(club, "yes", "no")
    for name in NAMES:
        hand(club, "bob", name, second if name == "erin" else first)
    club.run(30)
    a_round(club, ("alice",))
    assert (warned(club, "alice"), warned(club, "erin")) == (1, 1)
    a_round(club, ("alice",))
    assert [warned(club, name) for name in NAMES] == [1, 1, 1, 1]


def test_a_post_that_comes_after_what_is_said_of_it_is_compared_too(club):
    first, second = posts_of_one_number(club, "yes", "no")
    hand(club, "bob", "alice", first)
    club.run(30)
    a_round(club, ("alice",))
    hand(club, "bob", "carol", second)
    club.run(30)
    assert (warned(club, "alice"), warned(club, "carol")) == (1, 1)


def test_it_survives_restarts_and_what_was_said_is_not_in_what_is_kept(club):
    first, second = posts_of_one_number(club, "zqmarkeryes", "zqmarkerno")
    for name in NAMES:
        hand(club, "bob", name, first if name == "alice" else second)
    club.run(30)
    for name in NAMES:
        club[name].crash()
    a_round(club)
    assert [warned(club, name) for name in NAMES] == [1, 1, 1, 1]
    for name in NAMES:
        messenger = club[name].messenger
        for message in messenger.messages(CLUB):
            if message.text.startswith("zq"):
                messenger.archive.delete(message.id)
        store = club[name].store
        assert store.one("SELECT count(*) FROM group_proofs") == (1,)
        assert b"zqmarker" not in store._connection.serialize("main")


def test_whoever_joined_since_learns_it_and_so_does_everybody_of_what_it_was_told(tmp_path):
    circle = Circle(tmp_path, 4, seed=10)
    circle.groups("alice").create(CLUB, circle.now)
    for name in ("bob", "carol"):
        circle.bring("alice", name)
    assert circle.run(300, lambda: circle.complete(("alice", "bob", "carol")))
    circle.bring("alice", "dave")
    assert circle.run(300, lambda: circle.complete(circle.names))
    first, second = posts_of_one_number(circle, "yes", "no")
    for name, post in (("alice", first), ("carol", first), ("dave", second)):
        hand(circle, "bob", name, post)
    circle.run(30)
    a_round(circle, ("alice", "carol", "dave"))
    assert [warned(circle, name) for name in ("alice", "carol", "dave")] == [1, 1, 1]


def test_it_is_found_after_its_author_was_put_out(club):
    first, second = posts_of_one_number(club, "yes", "no")
    for name in NAMES:
        hand(club, "bob", name, first if name == "alice" else second)
    club.run(30)
    club.groups("alice").remove(CLUB, "bob", club.now)
    club.run(60)
    a_round(club)
    assert [warned(club, name) for name in NAMES] == [1, 1, 1, 1]


def test_nobody_can_accuse_an_honest_author(club):
    """Whoever names marks that nobody has is asked, and has nothing to show."""
    club.send("alice", "the truth")
    club.run(60)
    group, registry = group_of(club, "bob"), club.groups("bob")._registry
    true = newest(club, "alice")
    forged = posts.write(group.key, group.identifier, true.number, true.floor, true.heads, text="a lie")
    number = registry.take_number(group)
    liar = posts.write(
        *(group.key, group.identifier, number, number, true.heads), text="hm", seen=[_by(true.author, forged)]
    )
    for name in NAMES:
        hand(club, "bob", name, liar)
    club.run(60)
    peers = registry.peers(group)
    carol = peers[key_of(club, "carol")].contact
    for shown in (forged.shown(), forged.shown().replace(group.me, true.author)):
        club["bob"].messenger._core.enqueue(carol, 0, GroupDiffer(group.identifier, (shown,), True), None, club.now)
    a_round(club)
    assert [warned(club, name, who) for name in NAMES for who in ("alice", "bob")] == [0] * 8


def newest(circle, author):
    """The newest post of somebody that bob has."""
    query = "SELECT raw FROM group_posts WHERE author = ? ORDER BY number DESC LIMIT 1"
    return posts.parse_untrusted(bytes(circle["bob"].store.one(query, key_of(circle, author))[0]))


def _by(author, post):
    """A post as if somebody else had written it, without a signature that fits."""
    return dataclasses.replace(post, author=author)


def test_who_names_what_nobody_has_costs_each_member_one_answer_for_each_of_its_posts(club):
    club.send("alice", "the truth")
    club.run(60)
    group, registry = group_of(club, "bob"), club.groups("bob")._registry
    true = newest(club, "alice")
    fake = [
        _by(true.author, posts.write(group.key, group.identifier, true.number, 0, true.heads, text=f"{n}"))
        for n in range(posts.SEEN_LIMIT)
    ]
    number = registry.take_number(group)
    liar = posts.write(group.key, group.identifier, number, number, true.heads, text="hm", seen=fake)
    carol = club["carol"].messenger
    told = []
    enqueue = carol._core.enqueue
    carol._core.enqueue = lambda contact, lane, body, *rest, **more: (
        told.append(body),
        enqueue(contact, lane, body, *rest, **more),
    )
    hand(club, "bob", "carol", liar)
    club.run(60)
    asked = [body for body in told if isinstance(body, GroupDiffer)]
    assert len(asked) == 1 and len(asked[0].posts) == 1
    assert sum(map(len, asked[0].posts)) < 2 * len(true.shown())


def test_what_waits_to_be_compared_is_bounded(club):
    group = group_of(club, "bob")
    (row,) = club["carol"].store.all("SELECT id FROM groups")
    heads = club.groups("bob")._registry.history(group).heads
    for turn in range(4):
        ahead = [
            _by(key_of(club, "erin"), posts.write(group.key, group.identifier, n, 0, heads, text="x"))
            for n in range(1000 + turn * 100, 1100 + turn * 100)
        ]
        number = club.groups("bob")._registry.take_number(group)
        hand(club, "bob", "carol", posts.write(group.key, group.identifier, number, 0, heads, text="hm", seen=ahead))
    club.run(60)
    assert club["carol"].store.one("SELECT count(*) FROM group_claims WHERE grp = ?", row[0]) == (256,)


@pytest.mark.parametrize("shown", [b"", b"\x90", b"\xc1"])
def test_what_is_shown_and_makes_no_sense_is_refused(club, shown):
    carol = club["carol"].messenger
    group = group_of(club, "carol")
    contact = carol.groups._registry.peers(group)[key_of(club, "bob")].contact
    with pytest.raises(RemoteError):
        carol.groups.handle_untrusted(contact, GroupDiffer(group.identifier, (shown,), True), club.now)
