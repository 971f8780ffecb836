"""Names between the devices of a user: no name of others stands where the user's own stands, on any of them."""

import pytest

from mixnet.client.model.destination import Home
from mixnet.client.model.errors import BadName, DeviceNameTaken, UnknownDevice
from mixnet.client.model.names import alike
from tests.client.worlds.devices import HOME, PHONE, Family


def calls_itself(person, name):
    core = person.messenger._core
    core.home = Home(name, core.home.network_id, core.home.destination)


@pytest.fixture
def family(tmp_path):
    made = Family(tmp_path, 3, satellites=(PHONE,), contacts=("bob",))
    made.meet()
    return made


@pytest.mark.parametrize("name", ["a/b: c", "alice", "аlice", "phone\u3164", "home", "-x", "漢" * 64])  # noqa: RUF001
def test_a_satellite_names_itself_like_nobody_else(family, name):
    calls_itself(family[PHONE], name)
    text = family[HOME].devices.linking.invite(None, family.now).encode()
    family[PHONE].devices.linking.accept(text, family.now)
    assert family.run(300, lambda: any(one.state == "linked" for one in family[HOME].devices.all()))
    (linked,) = family[HOME].devices.all()
    assert not alike(linked.name, HOME) and linked.name.isprintable() and "/" not in linked.name
    assert family[HOME].devices.rename(linked.name, "café").name == "café"
    assert family[HOME].devices.rename("cafe\u0301", "tablet").name == "tablet"
    with pytest.raises(BadName):
        family[HOME].devices.rename("tablet", "a/b")
    with pytest.raises(UnknownDevice):
        family[HOME].devices.rename("café", "x")
    with pytest.raises(DeviceNameTaken):
        family[HOME].devices.linking.invite("tablet", family.now)


def test_a_group_is_called_otherwise_on_all_devices_and_by_nobody_else(family):
    family.link(PHONE)
    bob, phone, home = family["bob"].messenger.groups, family.user(PHONE).groups, family.user(HOME).groups
    bob.create("club", family.now)
    bob.invite("club", HOME, family.now)
    assert family.run(60, lambda: phone.has("club"))
    home.accept("club", family.now)
    assert family.run(60, lambda: phone.show("club").state == "member")
    phone.call("club", "mates", family.now)
    assert family.run(60, lambda: phone.has("mates") and home.has("mates"))
    bob.rename("club", HOME, family.now)
    assert family.run(60, lambda: phone.show("mates").title == home.show("mates").title == HOME)
    with pytest.raises(BadName):
        home.call("mates", "a/b", family.now)
    # A contact's name follows into the groups that it is in.
    family.user(HOME).people.rename("bob", "robert")
    assert family.run(60, lambda: any(one.name == "robert" for one in phone.show("mates").members))
    assert {one.name for one in home.show("mates").members} == {HOME, "robert"}
