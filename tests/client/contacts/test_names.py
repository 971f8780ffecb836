# ruff: noqa: RUF001  # look-alikes
"""Every door through which a name comes from another: it never stands where a name of the user stands."""

from unicodedata import normalize

import pytest

from mixnet.client.model.destination import Home
from mixnet.client.model.errors import BadName, NameTaken, UnknownContact
from mixnet.client.model.names import alike
from tests.client.worlds.channel import Channel
from tests.client.worlds.names import HOSTILE


@pytest.fixture
def world(tmp_path):
    made = Channel(tmp_path, 6, names=("victim", "alice"))
    made.introduce("victim", "alice")
    made.run(60)
    made["victim"].messenger.people.verify("alice")
    return made


def stranger(world, name, number):
    person = world.join(f"m{number}")
    core = person.messenger._core
    core.home = Home(name, core.home.network_id, core.home.destination)
    return person


def by_greeting(world, person):
    made = world["victim"].messenger.create_invitation("victim", world.now)
    person.messenger.accept_invitation(made.encode(), None, world.now)


def by_invitation(world, person):
    made = person.messenger.create_invitation(person.messenger._core.home.name, world.now)
    world["victim"].messenger.accept_invitation(made.encode(), None, world.now)


DOORS = (by_greeting, by_invitation)


@pytest.mark.parametrize("part", range(8))
def test_no_stranger_takes_a_name_that_is_in_use_or_looks_like_it(world, part):
    door = DOORS[part % 2]
    every = [name for name in HOSTILE if name.isprintable() and name == name.strip() and len(name) <= 64]
    names = every[part::8]
    assert len(names) > 2
    for number, name in enumerate(names):
        door(world, stranger(world, name, number))
        world.run(10)
    shown = [one.name for one in world["victim"].messenger.contacts()]
    assert len(shown) == 1 + len(names)
    assert all(not alike(a, b) for at, a in enumerate(shown) for b in shown[:at])
    assert not any(alike(one, "victim") or alike(one, "you") for one in shown)
    assert world["victim"].messenger.people.verify("alice").verified


@pytest.mark.parametrize("door", DOORS)
def test_a_name_that_somebody_had_is_not_given_to_a_stranger(world, door):
    victim = world["victim"].messenger
    victim.people.rename("alice", "friend")
    door(world, stranger(world, "аlice", 1))
    world.run(20)
    assert sorted(one.name for one in victim.contacts()) == ["friend", "аlice (2)"]
    with pytest.raises(UnknownContact):
        victim.send_text("alice", "to whom?", world.now)
    assert victim.people.rename("аlice (2)", "alice").name == "alice"  # the user may


def test_names_are_found_in_every_form_of_unicode(world):
    victim = world["victim"].messenger
    for typed, other in (("café", "cafe\u0301"), ("cafe\u0301", "café")):
        assert victim.people.rename("alice", typed).name == "café"
        number = victim.send_text(other, "bonjour", world.now)
        assert victim.message(number).contact == "café"
        assert [one.id for one in victim.messages(other)][-1] == number
        victim.people.rename(other, "alice")
    world.join("zoe")
    world.introduce("victim", "zoe")
    world.run(60)
    victim.people.rename("alice", "café")
    with pytest.raises(NameTaken):
        victim.people.rename("zoe", "cafe\u0301")


def test_a_name_from_before_the_rules_is_still_good(world):
    victim = world["victim"]
    victim.store.run("UPDATE contacts SET name = ?", "a/b: cafe\u0301")
    victim.crash()
    number = victim.messenger.send_text("a/b: café", "hello", world.now)
    assert victim.messenger.message(number).contact == "a/b: cafe\u0301"
    assert world.run(60, lambda: [one.text for one in world["alice"].messenger.messages() if not one.outgoing])
    with pytest.raises(BadName):
        victim.messenger.people.rename("a/b: café", "a/c")
    assert victim.messenger.people.rename("a/b: café", "ac").name == "ac"


def test_of_a_name_only_a_digest_is_remembered(world):
    world["victim"].messenger.people.rename("alice", "xyzzy-once")
    world["victim"].messenger.people.rename("xyzzy-once", "friend")
    for (table,) in world["victim"].store.all("SELECT name FROM sqlite_master WHERE type = 'table'"):
        assert b"xyzzy" not in repr(world["victim"].store.all(f"SELECT * FROM {table}")).encode(), table


def test_names_from_before_they_were_remembered_are_nobody_elses(world):
    victim = world["victim"]
    victim.store.run("DELETE FROM used_names")
    victim.store.run("DELETE FROM settings WHERE name = 'looks key'")
    victim.crash()
    victim.messenger.people.rename("alice", "friend")
    by_greeting(world, stranger(world, "alice", 1))
    world.run(20)
    assert sorted(one.name for one in victim.messenger.contacts()) == ["alice (2)", "friend"]


def test_search_finds_words_in_every_form_of_unicode(world):
    victim = world["victim"].messenger
    forms = [normalize(form, word) for word in ("Việt", "한국어") for form in ("NFC", "NFD")]
    for text in forms:
        victim.send_text("alice", text, world.now)
    for words in (*forms, '"Việt"', "Vi*"):
        assert len(victim.search(words)) == 2, words
    assert victim.search("Việt 한국어") == []
