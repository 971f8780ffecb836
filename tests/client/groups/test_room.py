"""A group that somebody fills with changes: others have room, all come to the same members, and removals always go."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_bodies import GroupChanges
from mixnet.client.e2e.group_changes import ChangeKind
from mixnet.client.groups import roster
from mixnet.client.groups.roster import Crowded, GroupFull, GroupHistory, NoRoom
from mixnet.errors import RemoteError
from tests.client.worlds.circle import CLUB, Circle
from tests.client.worlds.histories import KEYS, about, admins, newcomer, replayed, take, who, with_members

LIMIT = 60


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(roster, "CHANGES_LIMIT", LIMIT)


def rename(history, author, parents=None):
    return group_changes.rename(KEYS[author], history.group, parents or history.heads, f"by {author}")


def flood(history, author):
    """As many changes as somebody has room for; how many."""
    for count in range(LIMIT + 1):
        try:
            history.add_untrusted(rename(history, author))
        except NoRoom:
            return count
    raise AssertionError("no end")


def test_a_junior_admin_fills_no_more_than_half_of_what_is_left(small):
    history = with_members(5, admins=[1, 2])
    before = len(history)
    assert flood(history, 2) == (LIMIT - before) // 2 + (LIMIT - before) % 2
    assert not history.has_room(KEYS[2].public) and history.has_room(KEYS[0].public)
    take(history, rename(history, 0), group_changes.add(KEYS[0], history.group, history.heads, newcomer(KEYS[6])))
    take(history, about(history, 0, ChangeKind.REMOVE, 2))
    assert who(history) == {0, 1, 3, 4, 6} and admins(history) == {0, 1}


def test_after_each_who_fills_it_as_much_room_is_left_as_he_took(small):
    history = with_members(6, admins=[1, 2, 3])
    left = LIMIT - len(history)
    for author in (3, 2):
        took = flood(history, author)
        left -= took
        assert left >= took - 1 and history.has_room(KEYS[0].public)
    take(history, rename(history, 0))


def test_where_nobody_has_room_any_more_people_are_put_out_demoted_and_leave(small):
    history = with_members(6, admins=[1, 2, 3])
    for _ in range(4):
        for author in (3, 2, 1, 0):
            flood(history, author)
    for author in range(4):
        with pytest.raises(NoRoom):
            history.add_untrusted(rename(history, author))
    take(history, about(history, 0, ChangeKind.DEMOTE, 3), about(history, 0, ChangeKind.REMOVE, 3))
    take(history, about(history, 1, ChangeKind.REMOVE, 2), about(history, 5, ChangeKind.REMOVE, 5))
    take(history, about(history, 0, ChangeKind.DEMOTE, 1))
    assert who(history) == {0, 1, 4} and admins(history) == {0}


@settings(max_examples=15)
@given(st.integers(0, 1 << 30))
def test_in_every_order_of_arrival_the_same_changes_have_room(seed):
    """Also where branches that don't know of each other fill it together."""
    rng, limit = random.Random(seed), roster.CHANGES_LIMIT
    roster.CHANGES_LIMIT = 24
    try:
        history = with_members(4, admins=[1, 2])
        views = [history.heads] * 3
        offered = []
        for _ in range(30):
            author = rng.randrange(3)
            change = rng.choice(
                (rename(history, author, views[author]), about(history, author, ChangeKind.DEMOTE, 2, views[author]))
            )
            offered.append(change)
            try:
                history.add_untrusted(change)
            except RemoteError:
                continue
            views[author] = (change.hash,)
            if rng.random() < 0.3:
                views[author] = history.heads
        taken = {change.hash for change in history.missing(())}
        other = replayed(history, seed)
        for change in offered:  # what one refuses all refuse
            if change.hash not in taken:
                with pytest.raises(RemoteError):
                    other.add_untrusted(change)
        assert {change.hash for change in other.missing(())} == taken and other.roster() == history.roster()
    finally:
        roster.CHANGES_LIMIT = limit


def test_changes_that_an_author_hides_from_itself_wait_until_others_build_on_them():
    history = with_members(3, admins=[1, 2])
    heads = history.heads
    beside = [group_changes.rename(KEYS[1], history.group, heads, f"t{n}") for n in range(roster.BESIDE_LIMIT + 1)]
    take(history, *beside[:-1])
    with pytest.raises(Crowded):
        history.add_untrusted(beside[-1])
    assert history.add_untrusted(beside[-1], needed=True)


def test_a_removal_is_told_in_few_ways(small):
    """One who signs the same removal again and again beside itself fills nothing."""
    history = with_members(4, admins=[1])
    views = history.missing(())
    refused = 0
    for change in views[1:]:
        for kind in (ChangeKind.REMOVE, ChangeKind.DEMOTE):
            try:
                history.add_untrusted(about(history, 0, kind, 1, (change.hash,)))
            except RemoteError:
                refused += 1
    before = len(history)
    for number in range(20):
        base = rename(history, 0, (views[-1].hash,)) if number % 2 else rename(history, 0)
        history.add_untrusted(base)
        try:
            history.add_untrusted(about(history, 0, ChangeKind.REMOVE, 1, tuple(sorted({base.hash, views[-1].hash}))))
        except RemoteError:
            refused += 1
    removals = [one for one in history.missing(()) if one.kind is ChangeKind.REMOVE]
    assert len(removals) <= 4 and refused > 10 and before


def test_what_was_taken_in_is_taken_back():
    history = with_members(4, admins=[1])
    before = (len(history), history.heads, history.roster(), history.has_room(KEYS[1].public))
    for change in (rename(history, 0), rename(history, 1), about(history, 1, ChangeKind.REMOVE, 3)):
        history.add_untrusted(change)
    history.cut(before[0])
    assert (len(history), history.heads, history.roster(), history.has_room(KEYS[1].public)) == before
    take(history, rename(history, 1))


def test_what_was_taken_before_is_restored_without_being_judged_again():
    history = with_members(4, admins=[1])
    take(history, rename(history, 1), about(history, 1, ChangeKind.REMOVE, 3))
    first, *rest = history.missing(())
    other = GroupHistory(first)
    for change in rest:
        other.restore(change)
    assert (other.heads, other.roster(), len(other)) == (history.heads, history.roster(), len(history))


@pytest.fixture
def circle(tmp_path, monkeypatch):
    monkeypatch.setattr(roster, "CHANGES_LIMIT", LIMIT)
    made = Circle(tmp_path, 3)
    made.found()
    made.groups("alice").promote(CLUB, "bob", made.now)
    made.run(60)
    return made


def hand(circle, sender, receiver, changes):
    core = circle[sender].messenger._core
    known = core.contacts.known(circle[receiver].messenger._core.identity_public)
    group = circle.groups(sender)._registry.named(CLUB)
    for at in range(0, len(changes), 40):
        raws = tuple(change.raw for change in changes[at : at + 40])
        core.enqueue(known.id, 0, GroupChanges(group.identifier, raws), None, circle.now)


def test_a_group_that_an_admin_has_filled_goes_on_without_him(circle):
    """Every member takes what there is room for; nothing ends a messenger, and the admin is put out."""
    bob = circle.groups("bob")._registry
    group = bob.named(CLUB)
    heads, made = bob.history(group).heads, []
    for number in range(LIMIT + 5):
        made.append(group_changes.rename(group.key, group.identifier, heads, f"{CLUB} {number}"))
        heads = (made[-1].hash,)
    for name in ("alice", "carol"):
        hand(circle, "bob", name, made)
    circle.run(120)
    sizes = {len(circle.groups(n)._registry.history(circle.groups(n)._registry.all()[0])) for n in ("alice", "carol")}
    assert len(sizes) == 1 and LIMIT // 2 < sizes.pop() < LIMIT
    name = circle.groups("alice").list()[0].name
    circle.groups("alice").rename(name, CLUB, circle.now)
    circle.groups("alice").remove(CLUB, "bob", circle.now)
    assert circle.run(120, lambda: circle.groups("carol").list()[0].title == CLUB)
    assert circle.run(120, lambda: circle.members("carol") == {"alice", "carol"})
    number = circle.send("carol", "without him")
    assert circle.run(120, lambda: circle.delivered("carol", number))


def test_the_user_of_a_full_group_is_told_so(circle):
    with pytest.raises(GroupFull):
        for number in range(LIMIT):
            circle.groups("alice").rename(
                CLUB if number == 0 else circle.groups("alice").list()[0].name, f"n{number}", circle.now
            )
    with pytest.raises(GroupFull):
        circle.groups("alice").promote(circle.groups("alice").list()[0].name, "carol", circle.now)
    circle.groups("alice").demote(circle.groups("alice").list()[0].name, "bob", circle.now)


def test_who_is_told_different_branches_comes_to_the_same_group(circle, monkeypatch):
    """An admin hands each member other changes than the rest, more than any takes at a time."""
    monkeypatch.setattr(roster, "BESIDE_LIMIT", 4)
    bob = circle.groups("bob")._registry
    group = bob.named(CLUB)
    heads = bob.history(group).heads
    made = [group_changes.rename(group.key, group.identifier, heads, f"{CLUB} {number}") for number in range(12)]
    hand(circle, "bob", "alice", made[:8])
    hand(circle, "bob", "carol", made[4:])
    circle.run(60)
    rosters = [
        registry.roster(registry.all()[0]) for registry in (circle.groups(n)._registry for n in ("alice", "carol"))
    ]
    assert rosters[0] != rosters[1]
    circle.groups("alice").send(circle.groups("alice").list()[0].name, "hi", circle.now)
    circle.groups("carol").send(circle.groups("carol").list()[0].name, "hi", circle.now)
    circle.run(600)
    histories = [r.history(r.all()[0]) for r in (circle.groups(n)._registry for n in ("alice", "carol"))]
    assert {c.hash for c in histories[0].missing(())} == {c.hash for c in histories[1].missing(())}
    for name, other in (("alice", "carol"), ("carol", "alice")):
        assert "hi" in [m.text for m in circle[name].messenger.messages() if m.author == other]
