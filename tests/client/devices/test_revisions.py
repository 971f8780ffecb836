"""Edits, deletions for everybody and periods on a satellite: as at home, and for the contact."""

import pytest

from mixnet.client.model.errors import HomeOnly
from tests.client.worlds.devices import HOME, PHONE, Family


@pytest.fixture
def family(tmp_path) -> Family:
    family = Family(tmp_path, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link(PHONE)
    assert family.run(300, family.calm)
    return family


def shown(family: Family) -> list[list[tuple]]:
    everybody = (family[HOME].messenger, family[PHONE].messenger, family["bob"].messenger)
    return [[(m.text, m.edited, m.withdrawn, m.period) for m in one.messages()] for one in everybody]


def test_what_a_satellite_changes_is_changed_on_all_sides(family):
    phone, home, bob = family.user(PHONE), family[HOME].messenger, family["bob"].messenger
    first, second = (phone.send_text("bob", text, family.now) for text in ("firts", "second"))
    assert family.run(300, family.calm)
    phone.revisions.edit(first, "first", family.now)
    phone.revisions.withdraw(second, family.now)
    phone.revisions.let_disappear("bob", 3600, family.now)
    assert phone.period("bob") == 3600
    assert family.run(300, family.calm)
    assert shown(family) == [[("first", True, False, 0), ("", False, True, 0)]] * 3
    assert home.period("bob") == bob.contacts()[0].period == 3600
    bob.send_text("alice", "theirs", family.now)
    assert family.run(300, family.calm)
    came = bob.messages()[-1].id
    bob.revisions.edit(came, "edited", family.now)
    assert family.run(300, family.calm)
    read_at = family.now
    phone.mark_read(phone.messages()[-1].id, read_at)
    assert family.run(300, family.calm)
    assert [one[-1] for one in shown(family)] == [("edited", True, False, 3600)] * 3
    for device in (PHONE, HOME):  # the satellite by itself, since its home may be off
        family.user(device).archive.sweep(read_at + 3600 + 60 * (device == HOME))  # which heard of it later
        assert "edited" not in [m.text for m in family[device].messenger.messages()]


def test_what_the_home_has_not_heard_of_is_never_sent(family):
    phone = family.user(PHONE)
    number = phone.send_text("bob", "never", family.now)
    phone.revisions.withdraw(number, family.now)
    assert family.run(300, family.calm)
    assert family["bob"].messenger.messages() == family[HOME].messenger.messages() == []


def test_a_satellite_signs_nothing(family):
    number = family[HOME].messenger.send_text("bob", "I owe you 10", family.now, signed=True)
    assert family.run(300, family.calm)
    phone = family.user(PHONE)
    (there,) = phone.messages()
    assert number
    if there.signed:
        with pytest.raises(HomeOnly):
            phone.revisions.edit(there.id, "I owe you 20", family.now)
    else:  # a satellite doesn't see that it is signed: its home signs the new text
        phone.revisions.edit(there.id, "I owe you 20", family.now)
        assert family.run(300, family.calm)
        (came,) = family["bob"].messenger.messages()
        assert came.signed
        assert came.text == "I owe you 20"
