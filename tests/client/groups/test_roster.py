"""Who is in a group: pure, the same for every order of arrival, and nobody has a right that nobody gave."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_changes import ChangeKind
from mixnet.client.groups import roster
from mixnet.client.groups.roster import MEMBERS_LIMIT, GroupHistory, Member, MissingParents
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from tests.client.worlds.histories import (
    AGREE,
    KEYS,
    about,
    admins,
    founded,
    newcomer,
    replayed,
    take,
    who,
    with_members,
)


def test_a_group_from_its_beginning_to_a_removal():
    history = with_members(3, admins=[1])
    assert who(history) == {0, 1, 2} and admins(history) == {0, 1}
    take(history, about(history, 1, ChangeKind.REMOVE, 2))
    take(history, about(history, 0, ChangeKind.DEMOTE, 1))
    take(history, group_changes.rename(KEYS[0], history.group, history.heads, "new name"))
    assert who(history) == {0, 1} and admins(history) == {0} and history.roster().title == "new name"


@pytest.mark.parametrize("kind", [ChangeKind.REMOVE, ChangeKind.PROMOTE, ChangeKind.DEMOTE])
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
    for kind in (ChangeKind.REMOVE, ChangeKind.DEMOTE):
        for author, subject in [(1, 0), (2, 1)]:
            with pytest.raises(RemoteError):
                history.add_untrusted(about(history, author, kind, subject))
    take(history, about(history, 1, ChangeKind.REMOVE, 2))
    assert who(history) == {0, 1}


@pytest.mark.parametrize("seed", range(4))
def test_what_a_removed_admin_does_beside_its_removal_is_void_everywhere(seed):
    history = with_members(3, admins=[1])
    old = history.heads
    take(history, group_changes.add(KEYS[1], history.group, old, newcomer(KEYS[4])))
    friend = history.heads
    take(history, about(history, 0, ChangeKind.REMOVE, 1, old))
    take(history, group_changes.about(KEYS[1], history.group, friend, ChangeKind.PROMOTE, KEYS[4].public))
    assert who(replayed(history, seed)) == who(history) == {0, 2}


def test_dating_back_doesn_t_undo_a_removal():
    history = with_members(3, admins=[1, 2])
    old = history.heads
    take(history, about(history, 1, ChangeKind.REMOVE, 2))
    for _ in range(3):
        take(history, group_changes.rename(KEYS[0], history.group, history.heads, f"name {len(history)}"))
    take(history, group_changes.add(KEYS[2], history.group, old, newcomer(KEYS[6])))
    assert who(history) == {0, 1}


def test_leaving_stays_even_beside_a_removal():
    history = with_members(2)
    old = history.heads
    take(history, about(history, 1, ChangeKind.REMOVE, 1, old), about(history, 0, ChangeKind.PROMOTE, 1, old))
    assert who(history) == {0}
    with pytest.raises(RemoteError):  # a key that left never comes back
        history.add_untrusted(group_changes.add(KEYS[0], history.group, history.heads, newcomer(KEYS[1])))


def test_who_left_is_told_from_who_was_removed():
    history = with_members(4, admins=[1])
    old = history.heads
    assert not any(history.left(key.public) for key in KEYS)
    take(history, about(history, 1, ChangeKind.REMOVE, 1), about(history, 0, ChangeKind.REMOVE, 2))
    assert [history.left(key.public) for key in KEYS[:4]] == [False, True, False, False]
    take(history, about(history, 0, ChangeKind.REMOVE, 1, old))  # beside it
    assert not history.left(KEYS[1].public)


def test_a_group_has_a_limit():
    first = founded()
    history = GroupHistory(first)
    keys = [SigningKey(number.to_bytes(32, "big")) for number in range(1, MEMBERS_LIMIT)]
    for key in keys:
        take(history, group_changes.add(KEYS[0], first.hash, history.heads, newcomer(key)))
    assert len(history.roster().members) == MEMBERS_LIMIT
    with pytest.raises(RemoteError):
        history.add_untrusted(group_changes.add(KEYS[0], first.hash, history.heads, newcomer(KEYS[5])))


STEP = st.tuples(st.integers(0, 7), st.sampled_from(list(ChangeKind)[1:]), st.integers(0, 7), st.integers(0, 2**20))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=25), st.integers(0, 1000))
def test_all_orders_of_arrival_end_in_one_roster(steps, seed):
    history = with_members(4, admins=[1, 2])
    for author, kind, subject, pick in steps:
        known = [change.hash for change in history.missing(())]
        parents = tuple(sorted({known[pick % len(known)], known[(pick >> 8) % len(known)]}))
        if kind is ChangeKind.ADD:
            made = group_changes.add(KEYS[author], history.group, parents, newcomer(KEYS[subject]))
        elif kind is ChangeKind.RENAME:
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
    assert 0 in who(history) or any(step[0] == 0 and step[1] is ChangeKind.REMOVE and step[2] == 0 for step in steps)


def test_where_all_admins_leave_at_once_the_longest_there_is_one():
    history = with_members(4, admins=[2])
    old = history.heads
    take(history, about(history, 0, ChangeKind.REMOVE, 0, old), about(history, 2, ChangeKind.DEMOTE, 2, old))
    assert who(history) == {1, 2, 3} and admins(history) == {1}
    assert history.is_heir(KEYS[1].public) and not history.is_heir(KEYS[2].public)
    take(
        history,
        group_changes.rename(KEYS[1], history.group, history.heads, "ours"),
        about(history, 1, ChangeKind.PROMOTE, 3),
    )
    assert admins(history) == {3} and history.roster().title == "ours"  # there is one who was made one
    take(history, about(history, 3, ChangeKind.REMOVE, 1))
    assert who(history) == {2, 3}


def test_nobody_is_an_heir_while_an_admin_is_there():
    history = with_members(3, admins=[2])
    old = history.heads
    take(history, about(history, 0, ChangeKind.REMOVE, 0, old))
    for parents in (None, old):
        with pytest.raises(RemoteError):
            history.add_untrusted(about(history, 1, ChangeKind.PROMOTE, 1, parents))
    assert admins(history) == {2}


GOING = st.tuples(
    st.integers(0, 3),
    st.sampled_from([ChangeKind.REMOVE, ChangeKind.DEMOTE, ChangeKind.PROMOTE]),
    st.integers(0, 3),
    st.integers(0, 99),
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


# What a history tells of members.


def test_a_change_is_taken_once_and_known_by_its_hash():
    history = with_members(2)
    again = history.missing(())[1]
    assert history.add_untrusted(again) is False
    assert again.hash in history and b"x" * 32 not in history and len(history) == 2
    assert history.roster().order() == tuple(sorted(key.public for key in KEYS[:2]))


def test_a_change_of_another_group_or_without_its_past_is_refused():
    history, other = with_members(2), with_members(1)
    with pytest.raises(MissingParents):
        history.add_untrusted(about(history, 0, ChangeKind.REMOVE, 1, parents=(b"p" * 32,)))
    foreign = group_changes.create(KEYS[1], AGREE, "founder", "other club")
    stray = group_changes.rename(KEYS[0], foreign.hash, history.heads, "mine")
    with pytest.raises(RemoteError, match="another group"):
        history.add_untrusted(stray)
    with pytest.raises(MissingParents):
        other.roster(history.heads)
    with pytest.raises(RemoteError, match="begins"):
        GroupHistory(about(history, 0, ChangeKind.REMOVE, 1))


def test_who_is_gone_is_known_by_the_name_and_key_that_it_brought():
    history = with_members(2)
    take(history, about(history, 0, ChangeKind.REMOVE, 1))
    assert history.gone(KEYS[1].public) == Member(KEYS[1].public, AGREE, "m1", False)
    assert history.gone(KEYS[0].public) == Member(KEYS[0].public, AGREE, "founder", False)
    assert history.gone(KEYS[5].public) is None
    assert history.adder(KEYS[1].public) == history.adder(KEYS[0].public) == KEYS[0].public
    assert history.adder(KEYS[5].public) is None
    assert history.removal(KEYS[0].public) is None
    removal = history.removal(KEYS[1].public)
    assert removal is not None and removal.kind is ChangeKind.REMOVE and removal.subject == KEYS[1].public


def test_who_came_when_the_other_was_there_is_newer_and_of_two_at_once_one_is():
    history = with_members(2)
    before = history.heads
    take(history, group_changes.add(KEYS[0], history.group, before, newcomer(KEYS[2], "m2")))
    take(history, group_changes.add(KEYS[0], history.group, before, newcomer(KEYS[3], "m3")))
    keys = [key.public for key in KEYS]
    later = max(range(4, 8), key=lambda n: keys[n]), min(range(4, 8), key=lambda n: keys[n])
    for number in later:  # the key that is less comes last: what is known counts, not the keys
        take(history, group_changes.add(KEYS[0], history.group, history.heads, newcomer(KEYS[number], f"m{number}")))
    for newer, older in ((1, 0), (2, 0), (2, 1), (3, 1), later[::-1], (later[0], 2), (later[1], 3)):
        assert history.is_newer(keys[newer], keys[older]) and not history.is_newer(keys[older], keys[newer])
    assert history.is_newer(keys[2], keys[3]) is (keys[2] > keys[3])
    assert history.is_newer(keys[3], keys[2]) is (keys[3] > keys[2])
    assert not history.is_newer(b"x" * 32, b"x" * 32)


def test_members_are_listed_the_longest_there_first_with_what_they_call_themselves():
    history = with_members(2)
    for number in (5, 4):
        take(history, group_changes.add(KEYS[0], history.group, history.heads, newcomer(KEYS[number], "m1")))
    members = list(history.roster().members.values())
    assert [KEYS.index(next(k for k in KEYS if k.public == m.key)) for m in members] == [0, 1, 5, 4]
    assert [(m.name, m.admin, m.agree) for m in members] == [
        ("founder", True, AGREE),
        ("m1", False, AGREE),
        ("m1", False, AGREE),
        ("m1", False, AGREE),
    ]
    assert [name for _, name in history.everybody()] == ["founder", "m1", "m1", "m1"]


def test_of_two_titles_given_at_once_the_same_one_holds_whichever_came_first():
    made = []
    for order in (1, -1):
        history = with_members(2)
        both = [group_changes.rename(KEYS[0], history.group, history.heads, title) for title in ("one", "two")]
        take(history, *both[::order])
        made.append(history.roster().title)
        assert made[-1] == max(both, key=lambda change: change.hash).title
        assert history.heads == tuple(sorted(change.hash for change in both))
        take(history, group_changes.rename(KEYS[0], history.group, history.heads, "after both"))
        assert history.roster().title == "after both" and len(history.heads) == 1
    assert made[0] == made[1]


def test_a_roster_of_the_past_stays_what_it_was():
    history = with_members(3)
    before = history.heads
    take(history, about(history, 0, ChangeKind.REMOVE, 2))
    assert set(history.roster(before).members) == {key.public for key in KEYS[:3]}
    assert set(history.roster().members) == set(history.roster(history.heads).members) == {k.public for k in KEYS[:2]}


def test_what_one_lacks_comes_in_an_order_in_which_it_can_be_taken():
    history = with_members(4, admins=[1])
    everything = history.missing(())
    assert len(everything) == len(history) == 5
    assert history.missing(history.heads) == []
    assert history.missing((everything[2].hash, b"unknown" * 4)) == everything[3:]
    other = GroupHistory(everything[0])
    take(other, *everything[1:])
    assert other.roster() == history.roster()


def test_a_refused_change_leaves_no_trace():
    history = with_members(3)
    heads, members = history.heads, history.roster()
    refused = about(history, 1, ChangeKind.REMOVE, 2)
    for _ in range(2):
        with pytest.raises(RemoteError):
            history.add_untrusted(refused)
    assert history.heads == heads and history.roster() == members and refused.hash not in history and len(history) == 3
    take(history, about(history, 0, ChangeKind.REMOVE, 2))
    assert who(history) == {0, 1}


# What happens side by side: seniority decides, never the order of arrival.


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_a_removal_that_is_void_undoes_nothing_whichever_came_first(order):
    """The founder removes an admin, who removes a third beside that, who adds somebody beside both."""
    history = with_members(3, admins=[1, 2])
    heads = history.heads
    made = [
        about(history, 0, ChangeKind.REMOVE, 1, heads),
        about(history, 1, ChangeKind.REMOVE, 2, heads),
        group_changes.add(KEYS[2], history.group, heads, newcomer(KEYS[5], "m5")),
    ]
    take(history, *(made[number] for number in order))
    assert who(history) == {0, 2, 5} and admins(history) == {0, 2}


def test_members_of_one_name_are_listed_in_the_same_order_everywhere():
    seen = []
    for order in (1, -1):
        history = with_members(1)
        heads = history.heads
        both = [group_changes.add(KEYS[0], history.group, heads, newcomer(KEYS[n], "twin")) for n in (3, 4)]
        take(history, *both[::order])
        seen.append([(member.key, member.name) for member in history.roster().members.values()])
        first, second = (change.subject for change in sorted(both, key=lambda change: change.hash))
        assert seen[-1][1:] == [(first, "twin"), (second, "twin")]
    assert seen[0] == seen[1]


def test_an_admin_has_its_place_before_others_where_too_many_came_at_once(monkeypatch):
    monkeypatch.setattr(roster, "MEMBERS_LIMIT", 3)
    history = with_members(2)
    heads = history.heads
    both = [group_changes.add(KEYS[0], history.group, heads, newcomer(KEYS[n], f"m{n}")) for n in (3, 4)]
    take(history, *both)
    early, late = (change.subject for change in sorted(both, key=lambda change: change.hash))
    assert set(history.roster().members) == {KEYS[0].public, KEYS[1].public, early}
    take(history, group_changes.about(KEYS[0], history.group, history.heads, ChangeKind.PROMOTE, late))
    assert set(history.roster().members) == {KEYS[0].public, KEYS[1].public, late}


@pytest.mark.parametrize("order", [1, -1])
def test_who_left_beside_its_removal_has_left_and_was_removed(order):
    history = with_members(3, admins=[1])
    both = [about(history, author, ChangeKind.REMOVE, 1, history.heads) for author in (0, 1)]
    take(history, *both[::order])
    assert history.removal(KEYS[1].public) == both[::order][0]  # what this side heard first
    assert not history.left(KEYS[1].public) and who(history) == {0, 2}


# What a change may have in it.

GIVEN = {
    ChangeKind.CREATE: {"subject", "agree", "name", "title"},
    ChangeKind.ADD: {"group", "parents", "subject", "agree", "name"},
    ChangeKind.REMOVE: {"group", "parents", "subject"},
    ChangeKind.PROMOTE: {"group", "parents", "subject"},
    ChangeKind.DEMOTE: {"group", "parents", "subject"},
    ChangeKind.RENAME: {"group", "parents", "title"},
}


def signed(kind, given, **others):
    """A change of this kind with these fields, signed as it should be."""
    full = {
        "group": b"g" * 32,
        "parents": (b"p" * 32,),
        "subject": KEYS[0].public if kind is ChangeKind.CREATE else b"s" * 32,
        "agree": AGREE,
        "name": "somebody",
        "title": "club",
    }
    empty = {"group": b"", "parents": (), "subject": b"", "agree": b"", "name": "", "title": ""}
    fields = empty | {name: full[name] for name in given} | others
    core = group_changes._Core(author=KEYS[0].public, kind=kind, **fields)
    return group_changes._sign(KEYS[0], core).raw


@pytest.mark.parametrize("kind", ChangeKind)
def test_a_change_has_the_fields_of_its_kind_and_no_others(kind):
    assert set(GIVEN) == set(ChangeKind)
    assert group_changes.parse_untrusted(signed(kind, GIVEN[kind])).kind is kind
    for name in ("group", "parents", "subject", "agree", "name", "title"):
        with pytest.raises(RemoteError):
            group_changes.parse_untrusted(signed(kind, GIVEN[kind] ^ {name}))


def test_parents_are_named_once_in_their_order():
    one, two = b"1" * 32, b"2" * 32
    given = GIVEN[ChangeKind.RENAME]
    assert group_changes.parse_untrusted(signed(ChangeKind.RENAME, given, parents=(one, two))).parents == (one, two)
    for wrong in ((two, one), (one, one)):
        with pytest.raises(RemoteError, match="order"):
            group_changes.parse_untrusted(signed(ChangeKind.RENAME, given, parents=wrong))


def test_nobody_begins_a_group_for_somebody_else():
    with pytest.raises(RemoteError, match="somebody else"):
        group_changes.parse_untrusted(signed(ChangeKind.CREATE, GIVEN[ChangeKind.CREATE], subject=KEYS[1].public))
