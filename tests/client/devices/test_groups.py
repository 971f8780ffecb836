"""Groups on all devices of a user: one history, whatever the network and the processes do."""

from functools import partial

import pytest

from mixnet.client.devices.changelog import ChangeFeed
from mixnet.client.groups import posts
from mixnet.client.groups.posts import TEXT_LIMIT
from mixnet.client.groups.refusals import NoMember, UnknownMember
from mixnet.client.groups.registry import UnknownGroup
from mixnet.client.model.errors import (
    BadName,
    DeviceRevoked,
    NotInGroups,
    RefusedAtHome,
    TextTooLong,
    UnknownContact,
    UnusableText,
)
from mixnet.client.model.group_views import GroupChanged, GroupState
from mixnet.client.storage.database import Store
from mixnet.client.storage.schema import MIGRATIONS
from mixnet.client.storage.schema_devices import DEVICE_GROUPS
from mixnet.client.storage.search import Filter
from tests.client.worlds.circle import CLUB
from tests.client.worlds.crashes import dies
from tests.client.worlds.devices import CONTACTS, DEVICES, HOME, LAPTOP, PHONE, Family, history
from tests.client.worlds.groups import found, group_history, together


def agree(family: Family) -> None:
    home = family[HOME]
    for name in family.satellites:
        assert group_history(family, name) == group_history(family, HOME)
        assert history(family[name]) == history(home)
        assert family.user(name).groups.list() == family.user(HOME).groups.list()


def heard(family: Family, name: str) -> list[str]:
    return [m.text for m in family[name].messenger.messages(CLUB) if not m.outgoing]


def settled(family: Family) -> bool:
    return family.calm() and family.settled()


def live(family: Family, steps: int, story: str) -> None:
    """Everybody says something in the group, reads and deletes, on any device; processes die."""
    rng = family.rng
    for step in range(steps):
        who = rng.choice((*DEVICES, *CONTACTS))
        user = family.user(who)
        came = [m for m in user.messages() if not m.outgoing and m.state.value == "received"]
        match rng.randrange(6):
            case 0 if came:
                user.mark_read(rng.choice(came).id, family.now)
            case 1 if came and who in DEVICES:
                user.archive.delete(rng.choice(came).id)
            case 2:
                family[who].crash()
            case _ if user.groups.has(CLUB):
                user.groups.send(CLUB, f"{story} {step} of {who}", family.now)
        family.run(rng.choice((0.0, 0.3, 3.0)))


def test_all_devices_end_with_the_same_group_history_under_loss_repetition_and_crashes(tmp_path):
    family = Family(tmp_path, 1, loss=0.1, duplication=0.1)
    family.meet()
    found(family)
    live(family, 8, "first")
    family.link(PHONE)
    live(family, 10, "then")
    family.link(LAPTOP)
    for name in DEVICES:
        family.user(name).groups.send(CLUB, f"last -1 of {name}", family.now)
    live(family, 12, "last")
    assert family.run(3000, lambda: settled(family))
    agree(family)
    ours = [m.text for m in family[HOME].messenger.messages(CLUB) if m.outgoing]
    assert {text.split()[-1] for text in ours} == set(DEVICES)
    for name in CONTACTS:
        texts = [text for text in heard(family, name) if text.split()[-1] in DEVICES]
        assert texts == ours  # each once, in the order in which the home took them over
    for device in DEVICES:
        wrote = [text for text in ours if text.endswith(f" {device}")]
        steps = {"first": 0, "then": 100, "last": 200}
        assert wrote == sorted(wrote, key=lambda text: steps[text.split()[0]] + int(text.split()[1]))


@pytest.mark.parametrize("victim", [HOME, PHONE])
def test_a_text_for_a_group_is_sent_once_whichever_write_was_the_last(tmp_path, monkeypatch, victim):
    """Every few writes a device dies in the middle of a transaction, and comes back."""
    family = Family(tmp_path, 1, loss=0.1, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    found(family)
    family.link(PHONE)
    deaths, wrote = 0, []
    for when in range(2, 100, 9):
        wrote.append(f"text {when}")
        family.user(PHONE).groups.send(CLUB, wrote[-1], family.now)
        family.user("bob").groups.send(CLUB, f"answer {when}", family.now)
        work = partial(family.run, 30, lambda: settled(family))
        deaths += dies(monkeypatch, family[victim].store, when, work, first=bool(when % 3))
        family[victim].crash()
    assert family.run(2000, lambda: settled(family))
    assert deaths > 5
    agree(family)
    assert heard(family, "bob") == wrote
    said = [m.text for m in family["bob"].messenger.messages(CLUB) if m.outgoing]
    assert heard(family, HOME) == heard(family, PHONE) == said
    assert set(family[PHONE].states()) == {"delivered"}


@pytest.fixture
def family(tmp_path):
    made = Family(tmp_path, 3, satellites=(PHONE,))
    made.meet()
    found(made)
    return made


def test_a_satellite_shows_finds_and_exports_what_was_said_before_it(family):
    bob = family.user("bob").groups
    for text in ("the treasure is under the oak", "no, under the elm"):
        bob.send(CLUB, text, family.now)
        assert family.run(60, lambda text=text: text in heard(family, HOME))
    number = family.user(HOME).groups.send(CLUB, "dig", family.now)
    assert family.run(60, lambda: settled_text(family, HOME, number))
    family.link(PHONE)
    phone, home = family.user(PHONE), family.user(HOME)
    agree(family)
    (shown,) = phone.groups.list()
    assert (shown.name, shown.title, shown.state) == (CLUB, CLUB, GroupState.MEMBER)
    assert {(m.name, m.admin, m.you) for m in shown.members} == {
        ("alice", True, True),
        ("bob", False, False),
        ("carol", False, False),
    }
    assert phone.messages(CLUB) == home.messages(CLUB)
    (hit,) = phone.search("treas*", where=Filter(contact=CLUB))
    assert (hit.contact, hit.author) == (CLUB, "bob")
    assert phone.archive.page(Filter(contact=CLUB), 0, 10) == home.archive.page(Filter(contact=CLUB), 0, 10)
    assert [c.name for c in phone.contacts()] == [c.name for c in home.contacts()]


def settled_text(family: Family, name: str, number: int) -> bool:
    return family[name].messenger.message(number).state.value == "delivered"


def test_reading_deleting_clearing_and_keeping_of_a_group_are_the_same_everywhere(family):
    family.link(PHONE)
    bob, phone, home = family.user("bob"), family.user(PHONE), family.user(HOME)
    for n in range(4):
        bob.groups.send(CLUB, f"number {n}", family.now)
    assert family.run(60, lambda: len(heard(family, PHONE)) == 4)
    came = phone.messages(CLUB)
    phone.mark_read(came[1].id, family.now)
    phone.archive.delete(came[3].id)
    phone.archive.retain(CLUB, 1e6)
    assert family.run(60, family.calm)
    assert [m.state.value for m in home.messages(CLUB)] == ["read", "read", "received"]
    assert home.archive.retention(CLUB) == 1e6
    home.mark_read(home.messages(CLUB)[2].id, family.now)
    assert family.run(60, family.calm)
    agree(family)
    assert {m.state.value for m in phone.messages(CLUB)} == {"read"}
    assert bob.groups.reading.readers(bob.messages(CLUB)[0].id) == [HOME]
    assert phone.archive.clear(CLUB) == (3, 0)
    assert family.run(60, family.calm)
    assert home.messages() == phone.messages() == []


def test_who_has_read_a_text_is_seen_on_all_devices(family):
    family.link(PHONE)
    phone, bob = family.user(PHONE), family.user("bob")
    number = phone.groups.send(CLUB, "who reads this?", family.now)
    for name in CONTACTS:
        assert family.run(60, lambda name=name: "who reads this?" in heard(family, name))
    bob.mark_read(bob.messages(CLUB)[0].id, family.now)
    assert family.run(60, lambda: family.calm() and phone.message(number).readers == 1)
    assert phone.groups.reading.readers(number) == ["bob"]
    family.user("carol").mark_read(family.user("carol").messages(CLUB)[0].id, family.now)
    assert family.run(60, lambda: family.calm() and phone.message(number).state.value == "read")
    agree(family)


def test_members_who_come_go_and_change_are_seen_on_a_satellite(family):
    family.link(PHONE)
    home, phone = family.user(HOME).groups, family.user(PHONE).groups
    family[PHONE].events.clear()
    home.promote(CLUB, "bob", family.now)
    home.remove(CLUB, "carol", family.now)
    home.rename(CLUB, "readers", family.now)
    assert family.run(60, lambda: family.calm() and phone.has("readers"))
    agree(family)
    assert {(m.name, m.admin) for m in phone.show("readers").members} == {("alice", True), ("bob", True)}
    assert any(isinstance(event, GroupChanged) for event in family[PHONE].events)
    with pytest.raises(UnknownGroup):
        phone.show(CLUB)
    home.leave("readers", family.now)
    assert family.run(60, lambda: family.calm() and phone.show("readers").state is GroupState.LEFT)
    with pytest.raises(NoMember):
        phone.send("readers", "still here?", family.now)


def test_an_invitation_to_a_group_and_a_group_that_a_contact_made_are_shown(family):
    family.link(PHONE)
    bob, phone = family.user("bob").groups, family.user(PHONE).groups
    bob.create(CLUB + " two", family.now)
    bob.invite(CLUB + " two", HOME, family.now)
    assert family.run(60, lambda: phone.has(CLUB + " two"))
    assert phone.show(CLUB + " two").state is GroupState.INVITED
    family.user(HOME).groups.accept(CLUB + " two", family.now)
    assert family.run(60, lambda: phone.show(CLUB + " two").state is GroupState.MEMBER)
    number = family.user(PHONE).send_text(CLUB + " two", "hello", family.now)  # as to a contact
    assert family.run(60, lambda: settled_text(family, PHONE, number))
    assert [m.text for m in family["bob"].messenger.messages(CLUB + " two")] == ["hello"]


def test_a_text_that_a_group_can_t_have_is_refused_and_one_that_comes_too_late_fails_everywhere(family):
    family.link(PHONE)
    phone = family.user(PHONE)
    for text, error in (("", UnusableText), ("\ud800", UnusableText), ("x" * (TEXT_LIMIT + 1), TextTooLong)):
        with pytest.raises(error):
            phone.groups.send(CLUB, text, family.now)
    with pytest.raises(NotInGroups):
        phone.send_text(CLUB, "signed", family.now, signed=True)
    with pytest.raises(UnknownGroup):
        phone.groups.send("bob", "no group", family.now)
    family[PHONE].online = False
    number = phone.groups.send(CLUB, "too late", family.now)
    family.user(HOME).groups.promote(CLUB, "bob", family.now)
    family.user(HOME).groups.leave(CLUB, family.now)
    family[PHONE].online = True
    assert family.run(900, family.calm)
    assert phone.message(number).state.value == "failed"
    assert "not in this group" in phone.message(number).error
    assert "too late" not in heard(family, "bob")
    agree(family)


def test_messages_stand_in_the_home_s_order_though_earlier_ones_change_before_they_are_told(family):
    family.link(PHONE)
    family[PHONE].online = False
    bob, home = family.user("bob"), family.user(HOME)
    for n in range(6):
        bob.groups.send(CLUB, f"number {n}", family.now)
        assert family.run(60, lambda n=n: f"number {n}" in heard(family, HOME))
        number = home.groups.send(CLUB, f"answer {n}", family.now)
        assert family.run(60, lambda number=number: settled_text(family, HOME, number))
    came = [m.id for m in home.messages(CLUB) if not m.outgoing]
    home.mark_read(came[3], family.now)  # the first ones may be on their way already
    family[PHONE].online = True
    assert family.run(900, family.calm)
    shown = [(m.text, m.state) for m in family.user(PHONE).messages(CLUB)]
    assert shown == [(m.text, m.state) for m in home.messages(CLUB)]
    agree(family)


def test_what_is_not_told_yet_is_told_once(family, monkeypatch):
    family.link(PHONE)
    family[PHONE].online = False
    family.run(5)
    for n in range(3):  # the first ones may be on their way already
        number = family.user(HOME).groups.send(CLUB, f"hello {n}", family.now)
        assert family.run(60, lambda number=number: settled_text(family, HOME, number))
    told = []
    original = ChangeFeed._message
    monkeypatch.setattr(ChangeFeed, "_message", lambda self, item: told.append(item) or original(self, item))
    family[PHONE].online = True
    assert family.run(900, family.calm)
    assert told.count(number) == 1
    assert set(family[PHONE].states()) == {"delivered"}


def before_groups(store: Store) -> None:
    """Make a store as it was when satellites weren't told of groups."""
    new = (
        *(
            "group_reads_insert",
            "group_messages_insert",
            "group_messages_update",
            "groups_update",
            "group_changes_insert",
        ),
        *("group_changes_delete", "group_peers_update", "contacts_reach"),
    )
    for trigger in new:
        store.run(f"DROP TRIGGER device_log_{trigger}")
    store.run("DROP TABLE mirrored_groups")
    store.run("DELETE FROM device_cursors WHERE kind = 'new'")
    store.run("DELETE FROM device_log")
    store.run(f"PRAGMA user_version = {MIGRATIONS.index(DEVICE_GROUPS)}")


def test_a_satellite_of_before_gets_the_groups_when_its_home_is_updated(tmp_path, monkeypatch):
    family = Family(tmp_path, 7, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.user("bob").send_text("alice", "to alice", family.now)
    assert family.run(60, lambda: family[HOME].inbox() == ["to alice"])
    family.link(PHONE)
    with monkeypatch.context() as patch:
        patch.setattr(ChangeFeed, "due", lambda *_: False)
        found(family)
        family.user("bob").groups.send(CLUB, "to all", family.now)
        assert family.run(60, lambda: heard(family, HOME) == ["to all"])
        before_groups(family[HOME].store)
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(DEVICE_GROUPS) + 1])
        family[HOME].crash()
    assert family.run(60, lambda: family.calm() and heard(family, PHONE) == ["to all"])
    family.user("bob").groups.send(CLUB, "again", family.now)
    assert family.run(60, lambda: family.calm() and heard(family, PHONE) == ["to all", "again"])
    agree(family)


# changes that a satellite asks for


def answered(family: Family, asked):
    """The group after what a satellite asked for; what the home said against it is raised."""
    pending = family[PHONE].devices.pending
    found = []

    def look() -> bool:
        group = pending.outcome(asked)
        found.extend([] if group is None else [group])
        return group is not None

    assert family.run(900, look)
    return found[0]


def test_a_group_is_made_filled_changed_and_left_from_a_satellite(tmp_path):
    family = Family(tmp_path, 5, satellites=(PHONE,), loss=0.1)
    family.meet()
    family.link_all()
    phone = family.user(PHONE).groups
    made = answered(family, phone.create(CLUB, family.now))
    assert (made.name, made.state, [m.you for m in made.members]) == (CLUB, GroupState.MEMBER, [True])
    for name in CONTACTS:
        answered(family, phone.invite(CLUB, name, family.now))
        assert family.run(300, lambda name=name: bool(family[name].messenger.groups.list()))
        family[name].messenger.groups.accept(CLUB, family.now)
    names = {HOME, *CONTACTS}
    assert family.run(900, lambda: all(together(family, name, names) for name in names) and family.calm())
    agree(family)
    after = answered(family, phone.promote(CLUB, "bob", family.now))
    assert {m.name for m in after.members if m.admin} == {"alice", "bob"}
    after = answered(family, phone.demote(CLUB, "bob", family.now))
    assert {m.name for m in after.members if m.admin} == {"alice"}
    after = answered(family, phone.remove(CLUB, "carol", family.now))
    assert {m.name for m in after.members} == {"alice", "bob"}
    assert answered(family, phone.rename(CLUB, "readers", family.now)).name == "readers"
    answered(family, phone.promote("readers", "bob", family.now))
    assert answered(family, phone.leave("readers", family.now)).state is GroupState.LEFT
    bob = family.user("bob").groups
    assert family.run(60, lambda: {m.name for m in bob.show(CLUB).members} == {"bob"})
    bob.invite(CLUB, HOME, family.now)
    assert family.run(60, lambda: phone.show("readers").state is GroupState.INVITED)
    joining = (GroupState.JOINING, GroupState.MEMBER)
    assert answered(family, phone.accept("readers", family.now)).state in joining
    assert family.run(300, lambda: family.calm() and phone.show("readers").state is GroupState.MEMBER)
    agree(family)
    assert family[PHONE].devices.all()[0].problem == ""


def test_what_the_home_refuses_about_a_group_is_said_and_leaves_nothing(family):
    family.link(PHONE)
    family.user(HOME).groups.promote(CLUB, "bob", family.now)
    assert family.run(60, lambda: family.calm() and family.user("bob").groups.show(CLUB).members[0].admin)
    bob, phone = family.user("bob").groups, family.user(PHONE).groups
    bob.create("other", family.now)
    bob.invite("other", HOME, family.now)
    assert family.run(60, lambda: phone.has("other"))
    answered(family, phone.accept("other", family.now))
    assert family.run(300, lambda: family.calm() and phone.show("other").state is GroupState.MEMBER)
    for asked, error in (
        (phone.remove("other", "bob", family.now), "Only admins"),
        (phone.invite("other", "carol", family.now), "Only admins"),
        (phone.rename("other", "mine", family.now), "Only admins"),
    ):
        with pytest.raises(RefusedAtHome, match=error):
            answered(family, asked)
        assert error in family[PHONE].devices.all()[0].problem
    with pytest.raises(UnknownMember):
        phone.remove("other", "nobody", family.now)
    with pytest.raises(UnknownGroup):
        phone.leave("nowhere", family.now)
    with pytest.raises(UnknownContact):
        phone.invite(CLUB, "other", family.now)
    with pytest.raises(BadName):
        phone.create(" ", family.now)
    assert family[HOME].messenger.groups._dispatch.deliveries._under_way == {}
    assert family.run(60, family.calm)
    agree(family)
    number = phone.send("other", "still works", family.now)
    assert family.run(60, lambda: settled_text(family, PHONE, number))


def test_a_refused_change_leaves_no_trace_in_memory(family):
    """A demotion of a senior admin is only found out when it is half made."""
    family.link(PHONE)
    bob = family.user("bob").groups
    bob.create("other", family.now)
    bob.invite("other", HOME, family.now)
    phone = family.user(PHONE).groups
    assert family.run(60, lambda: phone.has("other"))
    answered(family, phone.accept("other", family.now))
    assert family.run(300, lambda: family.calm() and phone.show("other").state is GroupState.MEMBER)
    bob.promote("other", "alice", family.now)
    assert family.run(60, lambda: family.calm() and all(m.admin for m in phone.show("other").members))
    with pytest.raises(RefusedAtHome, match="Only admins"):
        answered(family, phone.demote("other", "bob", family.now))
    groups = family[HOME].messenger.groups
    assert groups._dispatch.deliveries._under_way == {}
    assert family[HOME].store.one("SELECT 1 FROM group_hops UNION ALL SELECT 1 FROM group_awaited") is None
    assert family.run(60, family.calm)
    agree(family)


@pytest.mark.parametrize("victim", [HOME, PHONE])
def test_a_group_is_made_once_whichever_write_was_the_last(tmp_path, monkeypatch, victim):
    family = Family(tmp_path, 6, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link(PHONE)
    deaths = 0
    for turn, when in enumerate(range(2, 40, 8)):
        family.user(PHONE).groups.create(f"group {turn}", family.now)
        work = partial(family.run, 30, family.calm)
        deaths += dies(monkeypatch, family[victim].store, when, work, first=bool(turn % 2))
        family[victim].crash()
    assert family.run(900, family.calm)
    assert deaths > 2
    assert [group.name for group in family.user(HOME).groups.list()] == [f"group {turn}" for turn in range(5)]
    agree(family)


def test_nothing_is_asked_by_a_revoked_device_and_who_waits_learns_of_it(family):
    family.link(PHONE)
    family[PHONE].online = False
    asked = family.user(PHONE).groups.leave(CLUB, family.now)
    family[HOME].devices.linking.revoke(PHONE, family.now)
    family[PHONE].online = True
    with pytest.raises(RefusedAtHome, match="revoked"):
        answered(family, asked)
    with pytest.raises(DeviceRevoked):
        family.user(PHONE).groups.create("mine", family.now)
    assert family.user(HOME).groups.show(CLUB).state is GroupState.MEMBER


def test_two_texts_under_one_number_are_shown_by_the_members_name_here_as_long_as_it_has_it(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    found(family)
    home, registry = family[HOME].messenger, family["bob"].messenger.groups._registry
    home.people.rename("bob", "robert")
    group = registry.named(CLUB)
    number, heads = registry.take_number(group), registry.history(group).heads
    one, other = (posts.write(group.key, group.identifier, number, number, heads, text=text) for text in ("yes", "no"))
    ours = home.groups._registry.named(CLUB)
    with home._core.change():
        home.groups._dispatch.agreement.proven(ours, one, other, family.now)
    assert family.run(120, family.calm)
    said = "sent two different messages as one"
    for name in (HOME, PHONE):
        assert [f"robert {said}" in m.error for m in family[name].messenger.messages(CLUB)] == [True], name
    home.delete_contact("robert")
    assert family.run(120, family.calm)
    for name in (HOME, PHONE):
        (error,) = [m.error for m in family[name].messenger.messages(CLUB)]
        assert said in error and "robert" not in error, name
