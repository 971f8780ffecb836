"""Several devices, with contacts who are renewed, begin anew, or share groups; devices of unlike speed."""

from mixnet.client.devices.pending_requests import REVOKED, UNTOLD
from mixnet.client.model.views import MessageState
from tests.client.worlds.channel import RATE
from tests.client.worlds.circle import CLUB
from tests.client.worlds.devices import HOME, LAPTOP, PHONE, Family, history, people
from tests.client.worlds.groups import found, group_history


def test_a_contact_is_renewed_while_both_have_satellites(tmp_path):
    """Bob has one, too: he is a home of its own, so both invite and accept while their satellites write."""
    family = Family(tmp_path, 4, satellites=(PHONE,), contacts=("bob",), loss=0.1)
    family.meet()
    family.link_all()
    family.join("tablet")
    text = family["bob"].devices.linking.invite(None, family.now).encode()
    family["tablet"].devices.linking.accept(text, family.now)
    assert family.run(300, lambda: family["tablet"].messenger.contacts() != [])
    wrote = []
    for turn in range(3):
        for name, contact in ((PHONE, "bob"), ("tablet", "alice")):
            wrote.append((name, family.user(name).send_text(contact, f"{turn} of {name}", family.now)))
        family.introduce(*((HOME, "bob") if turn % 2 else ("bob", HOME)))
        family.run(1)
    invitation = family["bob"].messenger.create_invitation("bob", family.now).encode()
    family.user(PHONE).accept_invitation(invitation, None, family.now)  # a satellite renews, too
    wrote.append((PHONE, family.user(PHONE).send_text("bob", "last of phone", family.now)))
    done = lambda: all(family[who].messenger.message(n).state is MessageState.DELIVERED for who, n in wrote)  # noqa: E731
    assert family.run(900, done)
    assert family.run(300, family.calm)
    assert family["bob"].inbox() == [f"{turn} of phone" for turn in range(3)] + ["last of phone"]
    assert family[HOME].inbox() == family[PHONE].inbox() == [f"{turn} of tablet" for turn in range(3)]
    assert family["tablet"].inbox() == family["bob"].inbox()
    assert not any(one.renewing for name in (HOME, "bob") for one in family[name].messenger.contacts())
    assert family[PHONE].devices.all()[0].problem == ""


def test_a_member_of_a_group_who_begins_anew_is_the_same_contact_on_all_devices(tmp_path):
    family = Family(tmp_path, 5)
    family.meet()
    found(family)
    family["bob"].messenger.send_text("alice", "the old me", family.now)
    family.link_all()
    family["bob"].online = False
    family.join("bobby")
    family.introduce(HOME, "bobby")
    family["bobby"].online = True
    assert family.run(60, lambda: any(one.name == "bobby" for one in family[LAPTOP].messenger.contacts()))
    family["bobby"].messenger.send_text("alice", "the new me", family.now)
    assert family.run(60, lambda: "the new me" in family[PHONE].inbox())
    family[PHONE].online = False
    family.user(HOME).relink("bob", "bobby", family.now)
    late = family.user(PHONE).send_text("bob", "to the old identity", family.now)  # the phone doesn't know yet
    family[PHONE].online = True
    there = family.user(LAPTOP).groups.send(CLUB, "is anybody there?", family.now)
    assert family.run(300, lambda: family[PHONE].messenger.message(late).state is MessageState.DELIVERED)
    assert family["bobby"].inbox() == ["to the old identity"]
    assert family.run(300, lambda: family[LAPTOP].messenger.message(there).reached == 1)
    for name in family.satellites:
        assert family.run(60, lambda name=name: family.mirrored(name))
        assert people(family[name]) == people(family[HOME]), "no second bob is left"
        assert history(family[name]) == history(family[HOME])
        assert group_history(family, name) == group_history(family, HOME)
        came = [m.text for m in family[name].messenger.messages("bob") if not m.outgoing]
        assert came == ["the old me", "the new me"]
        assert family[name].devices.all()[0].problem == ""
    groups = [family.user(name).groups.list() for name in (HOME, PHONE, LAPTOP)]
    assert groups[0] == groups[1] == groups[2]
    family[LAPTOP].crash()
    assert people(family[LAPTOP]) == people(family[HOME])


def test_a_device_that_is_revoked_with_requests_under_way_leaves_none_in_the_dark(tmp_path):
    family = Family(tmp_path, 6, contacts=("bob",))
    family.meet()
    family.link_all()
    (tmp_path / "big").write_bytes(bytes(400_000))
    phone = family.user(PHONE)
    wrote = [phone.send_text("bob", f"{n}", family.now) for n in range(60)]
    wrote.append(phone.send_file("bob", tmp_path / "big", family.now))
    assert family.run(60, lambda: "2" in family["bob"].inbox())
    family[HOME].devices.linking.revoke(PHONE, family.now)
    revoked = lambda: family[PHONE].devices.all()[0].state == "revoked"  # noqa: E731
    assert family.run(300, revoked)
    family.run(60)
    shown = [family[PHONE].messenger.message(number) for number in wrote]
    assert {one.state for one in shown} <= {MessageState.DELIVERED, MessageState.FAILED}, "nothing waits for ever"
    assert {one.error for one in shown if one.state is MessageState.FAILED} == {REVOKED, UNTOLD}
    came = family["bob"].inbox()
    assert came == [f"{n}" for n in range(len(came))] and 3 <= len(came) < 60
    undone = [one.text for one in shown if one.error == REVOKED]
    assert not set(undone) & set(came), "what is said not to be done is not done"
    assert family.user(PHONE).files(0, 200, family.now) == []
    assert [path for path in (tmp_path / HOME / "downloads").rglob("*") if path.is_file()] == []
    assert family[HOME].store.one("SELECT 1 FROM device_incoming") is None
    assert history(family[LAPTOP]) == history(family[HOME])


class Unlike(Family):
    """The laptop has a slot where the others have twenty."""

    def _slot(self, name: str) -> None:
        if name == LAPTOP and self.rng.random() < 0.95:
            self._later(self.rng.expovariate(RATE), "slot", name)
        else:
            super()._slot(name)


def test_devices_of_unlike_speed_show_one_order(tmp_path):
    family = Unlike(tmp_path, 7, contacts=("bob",))
    family.meet()
    family.link_all()
    wrote = {PHONE: [], LAPTOP: []}
    for turn in range(10):
        for name in (LAPTOP, PHONE):
            family.user(name).send_text("bob", f"{turn} of {name}", family.now)
            wrote[name].append(f"{turn} of {name}")
        family["bob"].messenger.send_text("alice", f"answer {turn}", family.now)
        family.run(0.5)
    assert family.run(900, lambda: family.calm() and family.settled())
    came = family["bob"].inbox()
    for texts in wrote.values():
        assert [text for text in came if text in texts] == texts, "each device's in its order, and each once"
    assert len(came) == 20
    home = history(family[HOME])
    assert [row[4] for row in home if row[1]] == came, "the order in which the home took them over"
    assert came.index("9 of phone") < came.index("9 of laptop")
    for name in family.satellites:
        assert history(family[name]) == home
        shown = [m.text for m in family[name].messenger.messages() if not m.outgoing]
        assert shown == [f"answer {turn}" for turn in range(10)]
