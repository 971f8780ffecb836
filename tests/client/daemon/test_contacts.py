"""What a user decides about contacts, on any device, holds on all of them; and the commands."""

import json

import pytest

from mixnet.client.cli import contacts
from mixnet.client.messenger.contact_verbs import NOTE_LIMIT
from mixnet.client.model.errors import TextTooLong, UnknownContact, UnusableText
from mixnet.client.model.views import AckChoice, ContactChanged, ReadReceiptChoice
from mixnet.errors import LocalError
from tests.client.worlds.daemons import daemon_of
from tests.client.worlds.devices import HOME, PHONE, Family


@pytest.fixture
def family(tmp_path):
    family = Family(tmp_path, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    return family


def notes(family: Family) -> list[str]:
    return [one.note for name in (HOME, PHONE) for one in family[name].messenger.contacts()]


@pytest.mark.parametrize("where", [HOME, PHONE])
def test_a_note_is_on_all_devices_and_nowhere_else(family, where):
    people = family.user(where).people
    family.user(where).take_events()
    assert people.note("bob", "met in Oslo").note == "met in Oslo"
    assert people.note("bob", "met in Oslo").note == "met in Oslo"  # again: nothing changes
    (event,) = family.user(where).take_events()
    assert isinstance(event, ContactChanged) and event.contact.note == "met in Oslo"
    assert family.run(300, lambda: notes(family) == ["met in Oslo"] * 2) and family.run(300, family.calm)
    assert [one.note for one in family["bob"].messenger.contacts()] == [""]
    people.rename("bob", "robert")
    people.note("robert", "")
    assert family.run(300, lambda: notes(family) == [""] * 2) and family.run(300, family.calm)
    family[where].crash()
    assert notes(family) == [""] * 2


@pytest.mark.parametrize("where", [HOME, PHONE])
def test_what_is_no_note_changes_nothing(family, where):
    people = family.user(where).people
    people.note("bob", "\u00e9" * (NOTE_LIMIT // 2))
    for name, note, error in (
        ("bob", "x" * (NOTE_LIMIT + 1), TextTooLong),
        ("bob", "\ud800", UnusableText),
        ("nobody", "x", UnknownContact),
    ):
        with pytest.raises(error):
            people.note(name, note)
    assert family.run(300, family.calm)
    assert notes(family) == ["\u00e9" * (NOTE_LIMIT // 2)] * 2


def choices(family: Family) -> list[tuple[str, str]]:
    return [
        (one.read_receipts, one.acknowledgements) for name in (HOME, PHONE) for one in family[name].messenger.contacts()
    ]


@pytest.mark.parametrize("where", [HOME, PHONE])
def test_what_contacts_learn_is_chosen_for_all_devices(family, where):
    people = family.user(where).people
    family.user(where).take_events()
    assert people.read_receipts("bob", ReadReceiptChoice.OFF).read_receipts == "off"
    assert people.acknowledgements("bob", AckChoice.DELAYED).acknowledgements == "delayed"
    assert people.acknowledgements("bob", AckChoice.DELAYED).acknowledgements == "delayed"  # again: nothing changes
    assert len(family.user(where).take_events()) == 2
    assert family.run(300, lambda: choices(family) == [("off", "delayed")] * 2)
    assert family[HOME].messenger._core.hushed
    family[where].crash()
    assert choices(family) == [("off", "delayed")] * 2


async def test_what_contacts_learn_at_the_command_line(network, capsys):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite(), "bob")
        capsys.readouterr()
        chosen = {"read_receipts": ("bob", "off"), "acknowledgements": ("bob", "delayed")}
        await contacts.contacts("alice", **chosen, default_read_receipts="on", folder=network)
        assert "read receipts off, delayed acknowledgements" in capsys.readouterr().out
        assert await alice.default_read_receipts() == "on"


async def test_notes_at_the_command_line(network, capsys):
    async with daemon_of(network, "alice") as alice, daemon_of(network, "bob") as bob:
        await alice.accept(await bob.invite(), "bob")
        capsys.readouterr()
        await contacts.contacts("alice", note=("bob", "met in\nOslo"), folder=network)
        assert capsys.readouterr().out.endswith("\tmet in\\nOslo\n")  # one record a line, whatever is in it
        await contacts.contacts("alice", folder=network, as_json=True)
        assert json.loads(capsys.readouterr().out)[0]["note"] == "met in\nOslo"
        await contacts.contacts("alice", note=("bob", ""), folder=network)
        assert len(capsys.readouterr().out.split("\t")) == 3
        with pytest.raises(LocalError, match="shorten it"):
            await contacts.contacts("alice", note=("bob", "x" * (NOTE_LIMIT + 1)), folder=network)


@pytest.mark.parametrize("choice", [{"delete": "bob"}, {"relink": ("bob", "bob")}])
async def test_what_cannot_be_undone_wants_a_yes(network, choice):
    """Nobody is there to ask."""
    async with daemon_of(network, "alice") as me, daemon_of(network, "bob") as bob:
        await me.accept(await bob.invite(), "bob")
        with pytest.raises(LocalError, match=r"nothing was (erased|changed).*'bob'.*Add --yes"):
            await contacts.contacts("alice", **choice, folder=network)
        assert [one.name for one in await me.contacts()] == ["bob"]
