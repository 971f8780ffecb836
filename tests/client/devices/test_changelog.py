"""What a home tells its satellites of: every stored field that a record has, whenever it changes."""

from dataclasses import fields

import pytest

from mixnet.client.devices.bodies import GroupMessageRecord, MessageRecord
from mixnet.client.devices.contacts import CONTACT_COLUMNS, ContactRecord
from mixnet.client.model.views import AckChoice, ContactInfo, DeviceRole, ReadReceiptChoice
from tests.client.worlds.devices import HOME, PHONE, Family

# These never change once a row is there, or change with another one that is told.
FIXED = {"added_at"}
FIXED_IN_MESSAGES = {
    "number": "its row",
    "identity": "its contact",
    "outgoing": "as it was filed",
    "kind": "as it was filed",
    "size": "as it was filed",
    "created_at": "as it was filed",
    "done": "told with the next state: a satellite sees no progress of files at home",
    "drawn_delay": "written with sent_at",
    "news": "written with state",
}
NEW = {"state": "verified", "standing": "blocked"}


@pytest.fixture
def home(tmp_path):
    family = Family(tmp_path, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link(PHONE)
    return family[HOME].messenger._core


def told(core, kind: str) -> int:
    return core.store.one("SELECT coalesce(max(position), 0) FROM device_log WHERE kind = ?", kind)[0]


@pytest.mark.parametrize("column", sorted(set(CONTACT_COLUMNS) - FIXED))
def test_a_change_of_any_field_of_a_contact_is_told(home, column):
    contact = home.contacts.person("bob").id
    before = told(home, "contact")
    home.store.run(f"UPDATE contacts SET {column} = ? WHERE id = ?", NEW.get(column, "another"), contact)
    assert told(home, "contact") > before, f"no trigger on {column}: satellites would not hear of its change"


@pytest.mark.parametrize("column", sorted(set(MessageRecord.__struct_fields__) - FIXED_IN_MESSAGES.keys()))
def test_a_change_of_any_field_of_a_message_is_told(home, column):
    contact = home.contacts.person("bob").id
    query = "INSERT INTO messages (contact, outgoing, kind, state, text, path, size, done, error, created_at, sent_at,"
    query += " drawn_delay, received_at) VALUES (?, 1, 'text', 'queued', 'hi', '', 0, 0, '', 1.0, 0.0, 0.0, 0.0)"
    number = home.store.insert(query, contact)
    home.store.run("UPDATE device_cursors SET position = ? WHERE kind = 'new'", told(home, "new"))  # it was told of
    before = told(home, "message")
    home.store.run(f"UPDATE messages SET {column} = ? WHERE id = ?", 5.0 if column.endswith("_at") else "x", number)
    assert told(home, "message") > before, f"no trigger on {column}: satellites would not hear of its change"


def test_every_field_that_a_user_sees_of_a_contact_is_told_or_follows_from_one_that_is():
    follows = {
        "safety_number": "identity",
        "verified": "state",
        "blocked": "standing",
        "renewing": "",  # a session's, which is the home's: a satellite has none
    }
    seen = set(ContactInfo.__dataclass_fields__)
    assert follows.keys() <= seen
    assert seen - follows.keys() == set(ContactRecord.__struct_fields__) - {
        "identity",
        "standing",
        "retention",
        "former",
    }
    assert set(follows.values()) - {""} <= set(ContactRecord.__struct_fields__)


def test_the_fields_that_are_not_told_by_themselves_are_fields():
    assert set(CONTACT_COLUMNS) >= FIXED
    assert FIXED_IN_MESSAGES.keys() <= set(GroupMessageRecord.__struct_fields__)
    assert DeviceRole.SATELLITE.value == "satellite"  # what the triggers ask for


def test_what_a_satellite_stores_of_a_contact_is_the_record(tmp_path):
    """Whatever field a record has, it is in the satellite's row afterwards."""
    family = Family(tmp_path, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link(PHONE)
    home, phone = family[HOME].messenger._core, family[PHONE].messenger._core
    family[HOME].messenger.people.verify("bob")
    family[HOME].messenger.people.rename("bob", "robert")
    family[HOME].messenger.revisions.let_disappear("robert", 3600, family.now)
    assert family.run(300, family.calm)  # it goes to the contact, too
    family[HOME].messenger.people.block("robert", family.now)
    family[HOME].messenger.people.read_receipts("robert", ReadReceiptChoice.OFF)
    family[HOME].messenger.people.acknowledgements("robert", AckChoice.DELAYED)
    chosen = {"read_receipts", "acknowledgements", "period"}
    for column in set(CONTACT_COLUMNS) - FIXED - chosen - {"name", *NEW}:  # text columns that were added later
        home.store.run(f"UPDATE contacts SET {column} = 'something' WHERE name = 'robert'")
    there = lambda: {c.name for c in family[PHONE].messenger.contacts()} == {"robert"}  # noqa: E731
    assert family.run(300, there) and family.run(300, family.calm)
    here, copy = home.contacts.person("robert"), phone.contacts.person("robert")
    assert not any(
        getattr(here, field.name) == field.default for field in fields(here) if field.name in CONTACT_COLUMNS
    )
    assert [getattr(copy, one) for one in CONTACT_COLUMNS] == [getattr(here, one) for one in CONTACT_COLUMNS]
    assert copy.blocked and copy.state.value == "verified"
