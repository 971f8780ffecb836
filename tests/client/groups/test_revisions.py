"""Edits, deletions for everybody and periods in a group: only the author, only admins, alike for all members."""

import pytest

from mixnet.client.groups.posts import Deed, PostAct
from mixnet.client.groups.refusals import NotAllowed
from mixnet.client.model.views import MessageReceived, MessageState
from tests.client.worlds.circle import CLUB, Circle


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    circle = Circle(tmp_path_factory.mktemp("circle"), 4, seed=4)
    circle.found()
    return circle


@pytest.fixture
def circle(world):
    """Each test begins with nothing said."""
    for person in world.people.values():
        for one in person.messenger.messages(CLUB):
            person.messenger.archive.delete(one.id)
        person.events.clear()
    return world


def quiet(circle) -> bool:
    tables = ("waiting", "outbound", "group_hops", "group_awaited")
    return not any(p.store.has(f"SELECT 1 FROM {table}") for p in circle.people.values() for table in tables)


def settle(circle) -> None:
    assert circle.run(900, lambda: quiet(circle))


def shown(circle) -> dict[str, list[tuple]]:
    return {
        name: [(one.text, one.edited, one.withdrawn, one.period) for one in person.messenger.messages(CLUB)]
        for name, person in circle.people.items()
    }


def alike(circle, *expected: tuple) -> bool:
    return all(said == list(expected) for said in shown(circle).values())


def post(circle, name: str, deed: Deed, text: str = "") -> None:
    """What a client of its own making posts."""
    groups = circle.groups(name)
    with circle[name].messenger._core.change():
        groups._dispatch.write(groups._registry.named(CLUB), circle.now, text=text, deed=deed)
    settle(circle)


def test_an_edit_and_a_deletion_reach_all_members(circle):
    number = circle.send("bob", "at eigth")
    settle(circle)
    for person in circle.people.values():
        person.events.clear()
    circle["bob"].messenger.revisions.edit(number, "at eight", circle.now)
    settle(circle)
    assert alike(circle, ("at eight", True, False, 0))
    assert not any(isinstance(event, MessageReceived) for person in circle.people.values() for event in person.events)
    assert [one.text for one in circle["dave"].messenger.search("eight")] == ["at eight"]
    circle["bob"].messenger.revisions.withdraw(number, circle.now)
    settle(circle)
    assert alike(circle, ("", False, True, 0))
    for person in circle.people.values():
        assert person.messenger.search("eight") == []


def test_what_has_not_left_is_written_anew_or_never_sent(circle):
    alice = circle["alice"].messenger
    edited, gone = circle.send("alice", "firts"), circle.send("alice", "never")
    assert not alice.revisions.edit(edited, "first", circle.now).edited
    assert alice.revisions.withdraw(gone, circle.now).state is MessageState.FAILED
    last = circle.send("alice", "last")
    settle(circle)
    assert circle.texts("dave") == ["first", "last"]
    assert {alice.message(number).state for number in (edited, last)} == {MessageState.DELIVERED}


def test_edits_while_somebody_is_away_leave_the_last_one_and_none_of_the_others(circle):
    carol = circle["carol"]
    carol.online = False
    number = circle.send("alice", "one secret")
    assert circle.run(60, lambda: circle["alice"].messenger.message(number).reached == 2)
    for text in ("two secret", "three"):
        circle["alice"].messenger.revisions.edit(number, text, circle.now)
        circle.run(20)
    kept = circle["alice"].store.all("SELECT about FROM group_posts WHERE about IS NOT NULL")
    assert len(kept) == 1  # the older one is taken back
    carol.online = True
    settle(circle)
    assert circle.texts("carol") == ["three"]
    assert alike(circle, ("three", True, False, 0))


def test_nobody_but_its_author_changes_a_text(circle):
    number = circle.send("bob", "mine")
    settle(circle)
    (post_number,) = circle["bob"].store.one("SELECT number FROM group_messages WHERE message = ?", number)
    for deed, text in ((Deed(PostAct.EDIT, post_number, 1), "yours"), (Deed(PostAct.WITHDRAW, post_number), "")):
        post(circle, "carol", deed, text)
        post(circle, "bob", Deed(PostAct.EDIT, 99, 1), "unknown")
    assert alike(circle, ("mine", False, False, 0))
    post(circle, "bob", Deed(PostAct.EDIT, post_number, 5), "five")
    post(circle, "bob", Deed(PostAct.EDIT, post_number, 4), "four")
    assert {tuple(said) for name, said in shown(circle).items() if name != "bob"} == {(("five", True, False, 0),)}


def test_admins_alone_let_texts_disappear_and_a_newcomer_is_told(circle):
    with pytest.raises(NotAllowed):
        circle["bob"].messenger.revisions.let_disappear(CLUB, 60, circle.now)
    post(circle, "bob", Deed(PostAct.DISAPPEAR, 1, 60))
    assert {circle.groups(name).show(CLUB).period for name in circle.names} == {0}
    circle["alice"].messenger.revisions.let_disappear(CLUB, 3600, circle.now)
    settle(circle)
    assert {circle.groups(name).show(CLUB).period for name in circle.names} == {3600}
    circle.send("bob", "soon")
    settle(circle)
    assert alike(circle, ("soon", False, False, 3600))
    read_at = circle.now + 50
    for name, person in circle.people.items():
        if name != "bob":
            person.messenger.mark_read(person.messenger.messages(CLUB)[0].id, read_at)
        person.messenger.archive.sweep(circle.now + 3500)
        assert len(person.messenger.messages(CLUB)) == 1
        person.messenger.archive.sweep(read_at + 3600)
    assert alike(circle)
    circle.join("erin")
    circle.introduce("alice", "erin")
    assert circle.run(300, lambda: any(c.name == "erin" for c in circle["alice"].messenger.contacts()))
    circle.bring("alice", "erin")
    assert circle.run(600, lambda: circle.groups("erin").show(CLUB).period == 3600)
