"""Who is in a group: pure, the same for every order of arrival, and nobody has a right that nobody gave."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.e2e import group_changes
from client.e2e.group_changes import Kind, Newcomer
from client.groups.roster import MEMBERS_LIMIT, History, MissingParents
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError

KEYS = [SigningKey(bytes([number]) * 32) for number in range(1, 9)]
AGREE = b"a" * 32


def newcomer(key, name="m"):
    return Newcomer(key.public, AGREE, name)


def founded():
    return group_changes.create(KEYS[0], AGREE, "founder", "club")


def take(history, *made):
    for change in made:
        assert history.add_untrusted(group_changes.parse_untrusted(change.raw))


def with_members(count, admins=()):
    """A history with members 0..count-1, of whom 0 and `admins` are admins, in this order of seniority."""
    first = founded()
    history = History(first)
    for number in range(1, count):
        take(history, group_changes.add(KEYS[0], first.hash, history.heads, newcomer(KEYS[number], f"m{number}")))
    for number in admins:
        take(history, about(history, 0, Kind.PROMOTE, number))
    return history


def about(history, author, kind, subject, parents=None):
    return group_changes.about(KEYS[author], history.group, parents or history.heads, kind, KEYS[subject].public)


def who(history):
    return {KEYS.index(next(k for k in KEYS if k.public == key)) for key in history.roster().members}


def admins(history):
    members = history.roster().members
    return {n for n, key in enumerate(KEYS) if key.public in members and members[key.public].admin}


def replayed(history, seed):
    """The same changes in another order of arrival."""
    everything = history.missing(())
    rest = everything[1:]
    random.Random(seed).shuffle(rest)
    other = History(everything[0])
    while rest:
        late = []
        for change in rest:
            try:
                other.add_untrusted(change)
            except MissingParents:
                late.append(change)
        assert len(late) < len(rest)
        rest = late
    return other


def test_a_group_from_its_beginning_to_a_removal():
    history = with_members(3, admins=[1])
    assert who(history) == {0, 1, 2} and admins(history) == {0, 1}
    take(history, about(history, 1, Kind.REMOVE, 2))
    take(history, about(history, 0, Kind.DEMOTE, 1))
    take(history, group_changes.rename(KEYS[0], history.group, history.heads, "new name"))
    assert who(history) == {0, 1} and admins(history) == {0} and history.roster().title == "new name"


@pytest.mark.parametrize("kind", [Kind.REMOVE, Kind.PROMOTE, Kind.DEMOTE])
def test_who_is_no_admin_changes_nothing(kind):
    history = with_members(3)
    for author, subject in [(1, 2), (1, 0), (5, 1)]:
        with pytest.raises(RemoteError):
            history.add_untrusted(about(history, author, kind, subject))
    with pytest.raises(RemoteError):
        history.add_untrusted(group_changes.add(KEYS[1], history.group, history.heads, newcomer(KEYS[4])))
    with pytest.raises(RemoteError):
        history.add_untrusted(group_changes.rename(KEYS[1], history.group, history.heads, "mine"))
    assert who(history) == {0, 1, 2} and admins(history) == {0} and len(history) == 3


def test_a_junior_admin_takes_nothing_from_a_senior_one():
    history = with_members(3, admins=[1, 2])
    for kind in (Kind.REMOVE, Kind.DEMOTE):
        for author, subject in [(1, 0), (2, 1)]:
            with pytest.raises(RemoteError):
                history.add_untrusted(about(history, author, kind, subject))
    take(history, about(history, 1, Kind.REMOVE, 2))
    assert who(history) == {0, 1}


@pytest.mark.parametrize("seed", range(4))
def test_what_a_removed_admin_does_beside_its_removal_is_void_everywhere(seed):
    history = with_members(3, admins=[1])
    old = history.heads
    take(history, group_changes.add(KEYS[1], history.group, old, newcomer(KEYS[4])))
    friend = history.heads
    take(history, about(history, 0, Kind.REMOVE, 1, old))
    take(history, group_changes.about(KEYS[1], history.group, friend, Kind.PROMOTE, KEYS[4].public))
    assert who(replayed(history, seed)) == who(history) == {0, 2}


def test_dating_back_doesn_t_undo_a_removal():
    history = with_members(3, admins=[1, 2])
    old = history.heads
    take(history, about(history, 1, Kind.REMOVE, 2))
    for _ in range(3):
        take(history, group_changes.rename(KEYS[0], history.group, history.heads, f"name {len(history)}"))
    take(history, group_changes.add(KEYS[2], history.group, old, newcomer(KEYS[6])))
    assert who(history) == {0, 1}


def test_leaving_stays_even_beside_a_removal():
    history = with_members(2)
    old = history.heads
    take(history, about(history, 1, Kind.REMOVE, 1, old), about(history, 0, Kind.PROMOTE, 1, old))
    assert who(history) == {0}
    with pytest.raises(RemoteError):  # a key that left never comes back
        history.add_untrusted(group_changes.add(KEYS[0], history.group, history.heads, newcomer(KEYS[1])))


def test_who_left_is_told_from_who_was_removed():
    history = with_members(4, admins=[1])
    old = history.heads
    assert not any(history.left(key.public) for key in KEYS)
    take(history, about(history, 1, Kind.REMOVE, 1), about(history, 0, Kind.REMOVE, 2))
    assert [history.left(key.public) for key in KEYS[:4]] == [False, True, False, False]
    take(history, about(history, 0, Kind.REMOVE, 1, old))  # beside it
    assert not history.left(KEYS[1].public)


def test_a_group_has_a_limit():
    first = founded()
    history = History(first)
    keys = [SigningKey(number.to_bytes(32, "big")) for number in range(1, MEMBERS_LIMIT)]
    for key in keys:
        take(history, group_changes.add(KEYS[0], first.hash, history.heads, newcomer(key)))
    assert len(history.roster().members) == MEMBERS_LIMIT
    with pytest.raises(RemoteError):
        history.add_untrusted(group_changes.add(KEYS[0], first.hash, history.heads, newcomer(KEYS[5])))


STEP = st.tuples(st.integers(0, 7), st.sampled_from(list(Kind)[1:]), st.integers(0, 7), st.integers(0, 2**20))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=25), st.integers(0, 1000))
def test_all_orders_of_arrival_end_in_one_roster(steps, seed):
    history = with_members(4, admins=[1, 2])
    for author, kind, subject, pick in steps:
        known = [change.hash for change in history.missing(())]
        parents = tuple(sorted({known[pick % len(known)], known[(pick >> 8) % len(known)]}))
        if kind is Kind.ADD:
            made = group_changes.add(KEYS[author], history.group, parents, newcomer(KEYS[subject]))
        elif kind is Kind.RENAME:
            made = group_changes.rename(KEYS[author], history.group, parents, f"name {pick}")
        else:
            made = about(history, author, kind, subject, parents)
        before = history.roster()
        try:
            history.add_untrusted(made)
        except RemoteError:
            assert history.roster() == before
    for order in range(3):
        other = replayed(history, f"{seed} {order}")
        assert other.roster() == history.roster() and list(other.roster().members) == list(history.roster().members)
        assert other.heads == history.heads
    assert admins(history) or not who(history)
    assert 0 in who(history) or any(step[0] == 0 and step[1] is Kind.REMOVE and step[2] == 0 for step in steps)


def test_where_all_admins_leave_at_once_the_longest_there_is_one():
    history = with_members(4, admins=[2])
    old = history.heads
    take(history, about(history, 0, Kind.REMOVE, 0, old), about(history, 2, Kind.DEMOTE, 2, old))
    assert who(history) == {1, 2, 3} and admins(history) == {1}
    assert history.is_heir(KEYS[1].public) and not history.is_heir(KEYS[2].public)
    take(
        history, group_changes.rename(KEYS[1], history.group, history.heads, "ours"), about(history, 1, Kind.PROMOTE, 3)
    )
    assert admins(history) == {3} and history.roster().title == "ours"  # there is one who was made one
    take(history, about(history, 3, Kind.REMOVE, 1))
    assert who(history) == {2, 3}


def test_nobody_is_an_heir_while_an_admin_is_there():
    history = with_members(3, admins=[2])
    old = history.heads
    take(history, about(history, 0, Kind.REMOVE, 0, old))
    for parents in (None, old):
        with pytest.raises(RemoteError):
            history.add_untrusted(about(history, 1, Kind.PROMOTE, 1, parents))
    assert admins(history) == {2}


GOING = st.tuples(
    st.integers(0, 3), st.sampled_from([Kind.REMOVE, Kind.DEMOTE, Kind.PROMOTE]), st.integers(0, 3), st.integers(0, 99)
)


@settings(max_examples=120, deadline=None)
@given(st.lists(GOING, min_size=2, max_size=14), st.integers(0, 1000))
def test_no_group_that_has_members_is_without_an_admin_who_can_act(steps, seed):
    """Most go by themselves, on branches that know nothing of each other, so that often none is left of those named."""
    history = with_members(4, admins=[1, 2])
    for author, kind, subject, pick in steps:
        known = [change.hash for change in history.missing(())][5:]
        parents = tuple(sorted({known[pick % len(known)], known[pick // 7 % len(known)]}))
        try:
            history.add_untrusted(about(history, author, kind, author if pick % 3 else subject, parents))
        except RemoteError:
            continue
        assert admins(history) or not who(history)
    other = replayed(history, seed)
    assert other.roster() == history.roster()
    for number in admins(history):
        renamed = group_changes.rename(KEYS[number], history.group, history.heads, f"by {number}")
        assert history.add_untrusted(renamed) and history.roster().title == f"by {number}"
    for number in who(history) - admins(history):
        with pytest.raises(RemoteError):
            history.add_untrusted(group_changes.rename(KEYS[number], history.group, history.heads, "no"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_change_with_a_byte_of_difference_is_refused(data):
    raw = bytearray(group_changes.add(KEYS[0], b"g" * 32, (b"p" * 32,), newcomer(KEYS[1])).raw)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RemoteError):
        group_changes.parse_untrusted(bytes(raw))
