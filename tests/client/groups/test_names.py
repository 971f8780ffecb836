"""Names in groups: what a member calls itself is shown beside what the user calls people, never in its place."""

import pytest

from mixnet.client.e2e.group_bodies import GroupOffer
from mixnet.client.groups.refusals import UnknownMember
from mixnet.client.model.destination import Home
from mixnet.client.model.names import alike
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import CLUB
from tests.client.worlds.names import HOSTILE


def calls_itself(person, name):
    """The person's client says that it is called `name`."""
    core = person.messenger._core
    core.home = Home(name, core.home.network_id, core.home.destination)


def members(world, who, group=CLUB):
    return {one.name: one for one in world[who].messenger.groups.show(group).members}


def join(world, admin, who, group=CLUB):
    world[admin].messenger.groups.invite(group, who, world.now)
    world.run(30)
    assert world.run(60, world[who].messenger.groups.list)
    for one in world[who].messenger.groups.list():
        world[who].messenger.groups.accept(one.name, world.now)
    before = len(members(world, admin, group))
    assert world.run(120, lambda: len(members(world, admin, group)) > before)
    world.run(30)


@pytest.fixture
def world(tmp_path):
    """Alice knows bob, carol and dave, and has a group."""
    made = Channel(tmp_path, 5, names=("alice", "bob", "carol", "dave"))
    for name in ("bob", "carol", "dave"):
        made.introduce("alice", name)
    made.run(60)
    made["alice"].messenger.groups.create(CLUB, made.now)
    return made


def test_a_contact_is_called_what_the_user_calls_it_whatever_it_calls_itself(world):
    calls_itself(world["bob"], "carol")
    join(world, "alice", "bob")
    assert set(members(world, "alice")) == {"alice", "bob"}
    world["bob"].messenger.groups.send(CLUB, "pay me", world.now)
    world.run(60)
    assert [(one.author, one.text) for one in world["alice"].messenger.messages(CLUB)] == [("bob", "pay me")]
    with pytest.raises(UnknownMember):
        world["alice"].messenger.groups.remove(CLUB, "carol", world.now)
    join(world, "alice", "carol")
    assert set(members(world, "alice")) == {"alice", "bob", "carol"}
    # Carol and bob don't know each other: what he calls himself is her own name.
    world.run(120)
    assert set(members(world, "carol")) == {"alice", "carol", "carol (2)"}


def test_a_name_in_a_group_never_comes_to_stand_for_another_member(world):
    for name in ("bob", "carol"):
        calls_itself(world[name], "twin")
        join(world, "alice", name)
    join(world, "alice", "dave")
    assert set(members(world, "dave")) == {"alice", "twin", "twin (2)", "dave"}
    world["alice"].messenger.groups.remove(CLUB, "bob", world.now)
    world.run(60)
    assert set(members(world, "dave")) == {"alice", "twin (2)", "dave"}
    join(world, "alice", "bob")
    assert set(members(world, "dave")) == {"alice", "twin (2)", "twin (3)", "dave"}
    world["dave"].crash()
    assert set(members(world, "dave")) == {"alice", "twin (2)", "twin (3)", "dave"}


@pytest.mark.parametrize("name", HOSTILE[::3])
def test_whatever_a_joiner_calls_itself_it_looks_like_nobody_else(tmp_path, name):
    world = Channel(tmp_path, 6, names=("alice", "bob", "carol"))
    for one in ("bob", "carol"):
        world.introduce("alice", one)
    world.run(60)
    world["alice"].messenger.groups.create(CLUB, world.now)
    join(world, "alice", "carol")
    calls_itself(world["bob"], name.strip())
    join(world, "alice", "bob")
    world.run(120)
    for who in ("alice", "carol"):
        shown = list(members(world, who))
        assert len(shown) == 3 and all(not alike(a, b) for a in shown for b in shown if a != b)
        assert who in shown and "alice" in shown


def test_a_group_that_others_name_keeps_the_name_it_has_here(tmp_path):
    world = Channel(tmp_path, 7, names=("victim", "mallory", "boss"))
    for one in ("mallory", "boss"):
        world.introduce("victim", one)
    world.run(60)
    groups = {name: world[name].messenger.groups for name in ("victim", "mallory", "boss")}
    for admin, title in (("mallory", "chess"), ("boss", "work")):
        groups[admin].create(title, world.now)
        groups[admin].invite(title, "victim", world.now)
        world.run(30)
        groups["victim"].accept(title, world.now)
        world.run(60)
    groups["boss"].rename("work", "work 2026", world.now)
    world.run(60)
    groups["mallory"].rename("chess", "work", world.now)
    world.run(60)
    assert [(one.name, one.title) for one in groups["victim"].list()] == [("chess", "work"), ("work", "work 2026")]
    world["victim"].messenger.send_text("work", "the plan is ...", world.now)
    world.run(60)
    assert [one.text for one in world["mallory"].messenger.messages() if not one.outgoing] == []
    assert [one.text for one in world["boss"].messenger.messages() if not one.outgoing] == ["the plan is ..."]


@pytest.mark.parametrize("title", ["boss", "b0ss", "victim", "\u200bboss", "boss/mallory", "you"])
def test_a_group_that_a_contact_offers_takes_no_name_in_use(tmp_path, title):
    world = Channel(tmp_path, 8, names=("victim", "boss"))
    world.introduce("victim", "boss")
    world.run(60)
    groups = world["boss"].messenger.groups
    made = groups._registry.named(groups.create("club", world.now).name)
    with world["boss"].messenger._core.change():
        contact = world["boss"].messenger._core.contacts.named("victim").id
        world["boss"].messenger._core.enqueue(contact, 0, GroupOffer(made.identifier, title), None, world.now)
    world.run(60)
    (offered,) = world["victim"].messenger.groups.list()
    assert not any(alike(offered.name, one) for one in ("boss", "victim"))
    assert "/" not in offered.name and offered.name.isprintable()


def test_members_from_before_they_had_names_get_them(world):
    for name in ("bob", "carol"):
        calls_itself(world[name], "twin")
        join(world, "alice", name)
    join(world, "alice", "dave")
    world["dave"].store.run("DELETE FROM group_names")
    world["dave"].crash()
    assert set(members(world, "dave")) == {"alice", "twin", "twin (2)", "dave"}
    assert world["dave"].store.one("SELECT count(*) FROM group_names") == (4,)
