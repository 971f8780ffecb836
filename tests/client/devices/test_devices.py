"""Several devices of one user: one history on all of them, whatever the network and the processes do."""

import itertools
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from mixnet.client.devices import contacts, files, request_handler
from mixnet.client.devices.bodies import DeviceRequest, GoneRecord, Revoked, SendText, Sync, raw, split
from mixnet.client.devices.channel import post, tell
from mixnet.client.e2e.bodies import TEXT_LIMIT, DevicePiece
from mixnet.client.messenger import inbox
from mixnet.client.model.errors import (
    DeviceNameTaken,
    ExpiredInvitation,
    HomeOnly,
    MalformedInvitation,
    NoContactInvitation,
    NoDeviceInvitation,
    NotFresh,
    OwnInvitation,
    TooManyDevices,
    UnknownDevice,
)
from mixnet.client.model.text_limits import check_text
from mixnet.client.model.views import DeviceChanged, MessageKind
from mixnet.client.storage import messages as message_table
from mixnet.errors import LocalError, RemoteError
from tests.client.worlds.crashes import Killed, dies, dying
from tests.client.worlds.devices import CONTACTS, DEVICES, HOME, LAPTOP, PHONE, Family, history, people


def live(family: Family, steps: int, story: str) -> None:
    """Everybody does something, on any device."""
    rng, wrote = family.rng, 0
    for step in range(steps):
        who = rng.choice((*DEVICES, *CONTACTS))
        user = family.user(who)
        came = [m for m in user.messages() if not m.outgoing and m.state.value == "received"]
        known = [contact.name for contact in user.contacts()]
        match rng.randrange(9):
            case 0 if came:
                user.mark_read(rng.choice(came).id, family.now)
            case 1 if came and who in DEVICES:
                user.archive.delete(rng.choice(came).id)
            case 2 if known and who in DEVICES:
                user.people.rename(rng.choice(known), f"name {step}")
            case 3 if known and who in DEVICES:
                user.archive.retain(rng.choice(known), rng.choice((None, 1e6)))
            case 4 if known and who in DEVICES:
                user.people.note(rng.choice(known), f"note {step}")
            case _ if known:
                user.send_text(rng.choice(known), f"{story} {wrote}", family.now)
                wrote += 1
        family.run(rng.choice((0.0, 0.3, 3.0)))


def agree(family: Family) -> None:
    home = family[HOME]
    for name in family.satellites:
        assert history(family[name]) == history(home)
        assert people(family[name]) == people(home)
    for name in family.contacts:
        mine = [m.text for m in family[name].messenger.messages()]
        assert len(mine) == len(set(mine))


@pytest.mark.parametrize("seed", range(2))
def test_all_devices_end_with_the_same_history_under_loss_and_repetition(tmp_path, seed):
    family = Family(tmp_path, seed, loss=0.15, duplication=0.1)
    family.meet()
    family.link(PHONE)
    live(family, 20, "first")
    family.link(LAPTOP)
    live(family, 20, "then")
    assert family.run(2000, family.calm)
    agree(family)
    sent = {m.text for name in CONTACTS for m in family[name].messenger.messages() if m.outgoing}
    assert sent
    for name in CONTACTS:
        assert set(family[name].states()) <= {"delivered", "read"}


@pytest.mark.parametrize("victim", [HOME, PHONE])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_doubled_whichever_write_was_the_last(tmp_path, monkeypatch, victim, seed):
    """Every few writes a device dies in the middle of a transaction, and comes back."""
    family = Family(tmp_path, seed, loss=0.1, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.user(HOME).send_text("bob", "before", family.now)
    text = family[HOME].devices.linking.invite(None, family.now).encode()
    family[PHONE].devices.linking.accept(text, family.now)
    deaths, wrote = 0, ["before"]
    for when in range(2 + seed, 90, 5):
        if family.user(PHONE).contacts():
            wrote.append(f"text {when}")
            family.user(PHONE).send_text("bob", wrote[-1], family.now)
            family.user("bob").send_text("alice", f"answer {when}", family.now)
        work = partial(family.run, 30, family.calm)
        deaths += dies(monkeypatch, family[victim].store, when, work, first=bool(when % 3))
        family[victim].crash()
    assert family.run(2000, family.calm)
    assert deaths > 5
    assert len(wrote) > 5
    agree(family)
    assert family["bob"].inbox() == wrote
    assert set(family[PHONE].states()) == {"delivered"}
    came = [text for text in family[HOME].inbox() if text.startswith("answer")]
    assert came == [m.text for m in family["bob"].messenger.messages() if m.outgoing]


def test_a_satellite_shows_and_finds_what_was_before_it(tmp_path):
    family = Family(tmp_path, 1, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    numbers = [family.user(HOME).send_text("bob", f"number {n}", family.now) for n in range(40)]
    family.run(60, family.settled)
    family.link(PHONE)
    phone = family[PHONE].messenger
    assert [m.id for m in phone.messages()] == numbers
    assert [m.text for m in phone.search('"number 7"')] == ["number 7"]
    assert history(family[PHONE]) == history(family[HOME])
    assert phone.identity == family[HOME].messenger.identity
    family.user("bob").send_text("alice", "new", family.now)
    assert family.run(60, lambda: "new" in family[PHONE].inbox())
    assert phone.messages()[-1].id > numbers[-1]


def test_history_comes_newest_first_and_in_several_messages(tmp_path):
    family = Family(tmp_path, 2, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    for n in range(8):
        family.user(HOME).send_text("bob", f"{n}" * 30_000, family.now)
    family.run(200, family.settled)
    text = family[HOME].devices.linking.invite(None, family.now).encode()
    family[PHONE].devices.linking.accept(text, family.now)
    came: list[str] = []
    left: list[int] = []
    while not came or len(came) < 8:
        before = len(came)
        assert family.run(60, lambda n=before: len(family[PHONE].messenger.messages()) > n)
        came += sorted({m.text[0] for m in family[PHONE].messenger.messages()} - set(came), reverse=True)
        left.append(family[PHONE].devices.all()[0].history)
    assert came == [f"{n}" for n in reversed(range(8))]
    assert left == sorted(left, reverse=True)
    assert left[0] > 0 == left[-1]


def test_a_text_of_any_length_gets_across_both_ways(tmp_path):
    family = Family(tmp_path, 3, satellites=(PHONE,), contacts=("bob",), loss=0.1)
    family.meet()
    family.link_all()
    family.user(PHONE).send_text("bob", "x" * TEXT_LIMIT, family.now)
    family.user("bob").send_text("alice", "y" * TEXT_LIMIT, family.now)
    assert family.run(300, lambda: "y" * TEXT_LIMIT in family[PHONE].inbox())
    assert family.run(300, family.calm)
    assert "x" * TEXT_LIMIT in family["bob"].inbox()
    agree(family)


def test_while_the_home_is_off_requests_wait_and_fail_in_time(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    family[HOME].online = False
    kept = family.user(PHONE).send_text("bob", "kept", family.now)
    late = family.user(PHONE).send_text("bob", "late", family.now, 30.0)
    family.run(60)
    assert family[PHONE].messenger.message(kept).state.value == "queued"
    assert family[PHONE].devices.all()[0].waiting == 2
    assert family[PHONE].messenger.message(late).state.value == "failed"
    assert "home device" in family[PHONE].messenger.message(late).error
    family[HOME].online = True
    assert family.run(900, family.calm)
    assert family[PHONE].messenger.message(kept).state.value == "delivered"
    assert family[PHONE].messenger.message(late).state.value == "failed"
    assert family["bob"].inbox() == ["kept"]


def test_what_the_home_refuses_is_undone_and_explained(tmp_path):
    family = Family(tmp_path, 5, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[HOME].online = False
    family.user(PHONE).people.rename("bob", "robert")
    family.user(PHONE).send_text("carol", "blocked meanwhile", family.now)
    family.user(HOME).people.rename("carol", "robert")
    family.user(HOME).people.block("robert", family.now)
    family[HOME].online = True
    assert family.run(900, family.calm)
    agree(family)
    assert {c.name for c in family[PHONE].messenger.contacts()} == {"bob", "robert"}
    failed = [m for m in family[PHONE].messenger.messages() if m.text == "blocked meanwhile"]
    assert [m.state.value for m in failed] == ["failed"]
    assert "you blocked" in failed[0].error
    assert family[PHONE].devices.all()[0].problem


@pytest.mark.parametrize("first", [HOME, PHONE])
def test_of_two_notes_written_at_once_all_devices_keep_the_one_that_the_home_had_last(tmp_path, first):
    family = Family(tmp_path, 6)
    family.meet()
    family.link_all()
    family.user(HOME).people.note("bob", "of before")
    assert family.run(300, family.calm)
    family[PHONE].online = family[first].online = False
    for name in (HOME, PHONE, LAPTOP):
        family.user(name).people.note("bob", f"of {name}")
        family.user(name).people.note("carol", "the same everywhere")
    family[PHONE].online = family[first].online = True
    assert family.run(900, family.calm)
    agree(family)
    assert {c.note for c in family[PHONE].messenger.contacts()} < {"the same everywhere", "of phone", "of laptop"}


@pytest.mark.parametrize("older", [False, True])
def test_a_note_that_the_home_refuses_or_does_not_understand_is_again_the_one_of_before(tmp_path, monkeypatch, older):
    family = Family(tmp_path, 6, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    family.user(HOME).people.note("bob", "of before")
    assert family.run(300, family.calm)
    if older:
        monkeypatch.setattr(request_handler, "request_untrusted", lambda _ask: None)
    else:
        monkeypatch.setattr(contacts.Annotate, "follow", lambda *_: check_text("", 1))
    family.user(PHONE).people.note("bob", "of phone")
    assert people(family[PHONE]) != people(family[HOME])
    assert family.run(300, family.calm)
    agree(family)
    assert family[PHONE].devices.all()[0].problem


def test_names_that_contacts_exchange_arrive(tmp_path):
    family = Family(tmp_path, 6, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[PHONE].online = False
    for old, new in (("bob", "x"), ("carol", "bob"), ("x", "carol")):
        family.user(HOME).people.rename(old, new)
    family[PHONE].online = True
    assert family.run(900, family.calm)
    agree(family)


def test_a_satellite_accepts_blocks_verifies_cancels_and_clears(tmp_path):
    family = Family(tmp_path, 7, satellites=(PHONE,), contacts=("bob",), loss=0.1)
    family.meet()
    family.link_all()
    family.join("dave")
    phone = family.user(PHONE)
    invitation = family["dave"].messenger.create_invitation("dave", family.now).encode()
    assert phone.accept_invitation(invitation, "david", family.now).state.value == "pending"
    assert family.run(300, lambda: [c.state.value for c in phone.contacts()] == ["established"] * 2)
    assert family["dave"].messenger.contacts()[0].name == HOME
    phone.people.verify("david")
    phone.people.block("david", family.now)
    family["bob"].online = False
    number = phone.send_text("bob", "no", family.now)
    phone.cancel(number, family.now)
    phone.archive.retain("bob", 3600.0)
    assert family.run(300, lambda: family[PHONE].devices.all()[0].waiting == 0)
    assert family.run(60, lambda: phone.message(number).state.value == "failed")
    home = family[HOME].messenger
    assert home.archive.retention("bob") == phone.archive.retention("bob") == 3600.0
    assert [(c.verified, c.blocked) for c in home.contacts() if c.name == "david"] == [(True, True)]
    assert phone.archive.clear("bob") == (1, 0)
    family["bob"].online = True
    assert family.run(900, family.calm)
    assert home.messages() == phone.messages() == []


# links


def test_only_a_new_profile_becomes_a_satellite_and_only_by_a_device_invitation(tmp_path):
    family = Family(tmp_path, 8)
    family.meet()
    links = {name: family[name].devices.linking for name in family.people}
    for_device = links[HOME].invite("phone", family.now).encode()
    for_contact = family[HOME].messenger.create_invitation(HOME, family.now).encode()
    with pytest.raises(NoContactInvitation):
        family[PHONE].messenger.accept_invitation(for_device, None, family.now)
    with pytest.raises(NoDeviceInvitation):
        links[PHONE].accept(for_contact, family.now)
    with pytest.raises(NotFresh):
        links["bob"].accept(for_device, family.now)
    with pytest.raises(OwnInvitation):
        links[HOME].accept(for_device, family.now)
    with pytest.raises(ExpiredInvitation):
        links[PHONE].accept(for_device, family.now + 1e9)
    for changed in (for_device.replace("mixnet1-device:", "mixnet1:"), for_contact.replace("1:", "1-device:")):
        with pytest.raises(MalformedInvitation):
            family[PHONE].messenger.accept_invitation(changed, None, family.now)
    assert family[PHONE].devices.all() == []


def test_a_device_invitation_is_used_once(tmp_path):
    family = Family(tmp_path, 9, contacts=())
    core = family[HOME].messenger._core
    core.settings = replace(core.settings, invitation_lifetime=100.0)
    text = family[HOME].devices.linking.invite(None, family.now).encode()
    for name in (PHONE, LAPTOP):
        family[name].devices.linking.accept(text, family.now)
    family.run(60)
    assert [one.name for one in family[HOME].devices.all()] in ([PHONE], [LAPTOP])
    assert family[HOME].messenger.contacts() == []
    family.run(60)
    states = sorted(family[name].devices.all()[0].state.value for name in (PHONE, LAPTOP))
    assert states == ["expired", "linked"]
    lost = next(n for n in (PHONE, LAPTOP) if family[n].devices.all()[0].state == "expired")
    again = family[HOME].devices.linking.invite("again", family.now).encode()
    family[lost].devices.linking.accept(again, family.now)
    assert family.run(300, lambda: family[lost].devices.all()[0].state == "linked")


def test_a_home_has_five_satellites_at_most_with_names_of_their_own(tmp_path):
    family = Family(tmp_path, 10, satellites=tuple(f"d{n}" for n in range(6)), contacts=())
    home = family[HOME].devices
    spare = home.linking.invite("spare", family.now).encode()
    for n in range(5):
        text = home.linking.invite("same" if n == 0 else None, family.now).encode()
        family[f"d{n}"].devices.linking.accept(text, family.now)
        assert family.run(60, lambda n=n: len(home.all()) == n + 1)
    with pytest.raises(TooManyDevices):
        home.linking.invite(None, family.now)
    family["d5"].devices.linking.accept(spare, family.now)
    family.run(5)
    assert [one.name for one in home.all()] == ["same", "d1", "d2", "d3", "d4"]
    with pytest.raises(DeviceNameTaken):
        home.rename("d1", "same")
    assert home.rename("d1", "tablet").name == "tablet"
    with pytest.raises(UnknownDevice):
        home.rename("d1", "again")


def test_devices_are_no_contacts(tmp_path):
    family = Family(tmp_path, 11, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    names = [c.name for name in (HOME, PHONE) for c in family.user(name).contacts()]
    assert names == ["bob", "bob"]
    for row in family[HOME].store.all("SELECT name FROM contacts"):
        if row[0] != "bob":
            with pytest.raises(LocalError):
                family.user(HOME).send_text(row[0], "hi", family.now)
    assert any(isinstance(event, DeviceChanged) for event in family[HOME].events)


def test_a_satellite_refuses_what_only_a_home_can_do(tmp_path):
    family = Family(tmp_path, 12, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    for verb in (
        lambda: family[PHONE].devices.home,
        lambda: family[PHONE].devices.linking.invite(None, family.now),
        lambda: family[PHONE].devices.linking.revoke(HOME, family.now),
    ):
        with pytest.raises(HomeOnly):
            verb()
    with pytest.raises(NotFresh):
        family[PHONE].devices.linking.accept(
            family[HOME].devices.linking.invite("twice", family.now).encode(), family.now
        )


def test_a_request_that_comes_again_is_done_once(tmp_path):
    family = Family(tmp_path, 23, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    core = family[PHONE].messenger._core
    home = core.device_table.home()
    bob = core.contacts.named("bob").identity
    with core.change():
        for number, text in ((7, "once"), (7, "once"), (7, "another"), (8, "next"), (7, "late")):
            tell(core, home.contact, DeviceRequest(number, 7 if number == 7 else 8, raw(SendText(bob, text, None))))
    assert family.run(120, family.calm)
    assert family["bob"].inbox() == ["once", "next"]
    assert family[HOME].store.all("SELECT number FROM device_requests") == [(8,)]


def test_what_a_home_or_a_satellite_should_not_say_is_noted_and_harms_nothing(tmp_path):
    family = Family(tmp_path, 24, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    phone, home = family[PHONE].messenger._core, family[HOME].messenger._core
    record = raw(GoneRecord(1))
    for core, device, bodies in (
        (phone, phone.device_table.home(), [*split(Sync(False, 0, (record,))), *split(Revoked())]),
        (home, home.device_table.satellites()[0], split(DeviceRequest(1, 1, record))),
        (home, home.device_table.satellites()[0], [DevicePiece(0, 3, b"x"), DevicePiece(1, 0, b"no message")]),
        (home, home.device_table.satellites()[0], split(Sync(False, 0, (msgspec.Raw(b"\x92\x63\x01"),)))),
    ):
        with core.change():
            for body in bodies:
                post(core, device.contact, 0, body)
        assert family.run(60, family.calm)
        there = family[PHONE if core is home else HOME].devices.all()[0]
        assert there.problem
        assert there.state == "linked"
    assert "newer" in family[PHONE].devices.all()[0].problem
    family.user(PHONE).send_text("bob", "still works", family.now)
    assert family.run(60, lambda: "still works" in family["bob"].inbox())


# revocation


def test_a_revoked_device_hears_nothing_more_and_what_it_asks_has_no_effect(tmp_path):
    family = Family(tmp_path, 13, contacts=("bob",), loss=0.1)
    family.meet()
    family.link_all()
    family[PHONE].online = False
    pending = family.user(PHONE).send_text("bob", "from a thief", family.now)
    family.user("bob").send_text("alice", "secret before", family.now)
    family.run(30)
    revoked = family[HOME].devices.linking.revoke(PHONE, family.now)
    assert (revoked.name, revoked.state.value) == ("phone (revoked)", "revoked")
    family.user("bob").send_text("alice", "secret after", family.now)
    family.run(30)
    family[PHONE].online = True
    assert family.run(900, lambda: family[PHONE].devices.all()[0].state == "revoked")
    assert family.run(900, lambda: len(family[HOME].devices.all()) == 1)  # the session is cut once the device knows
    family.run(60)
    assert family[PHONE].inbox() == []
    assert "from a thief" not in family["bob"].inbox()
    assert [m.state.value for m in family[PHONE].messenger.messages() if m.id == pending] == ["failed"]
    with pytest.raises(LocalError, match="revoked"):
        family.user(PHONE).send_text("bob", "again", family.now)
    assert "secret after" in family[LAPTOP].inbox()
    assert history(family[LAPTOP]) == history(family[HOME])
    for name in (HOME, PHONE):  # and so after a restart
        family[name].crash()
    with pytest.raises(LocalError, match="revoked"):
        family.user(PHONE).people.rename("bob", "x")
    assert family[HOME].store.one("SELECT 1 FROM device_requests UNION ALL SELECT 1 FROM device_pieces") is None


def test_nothing_of_a_revoked_devices_session_is_kept(tmp_path):
    """Its number may be given again."""
    family = Family(tmp_path, 13, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    family.user(PHONE).send_text("bob", "of the phone", family.now)
    assert family.run(300, lambda: "of the phone" in family["bob"].inbox())
    store = family[HOME].store
    others = "SELECT count(*) FROM taken WHERE session <> (SELECT session FROM contacts WHERE name = 'bob')"
    assert store.one(others)[0] > 0
    family[HOME].devices.linking.revoke(PHONE, family.now)
    assert family.run(900, lambda: not family[HOME].devices.all())
    for table in ("outbound", "sealed", "posted", "taken", "inbound"):
        assert store.one(f"SELECT 1 FROM {table} WHERE session NOT IN (SELECT id FROM sessions)") is None, table


def test_a_thief_who_ignores_the_notice_is_not_heard(tmp_path):
    family = Family(tmp_path, 14, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    family[PHONE].online = False
    family.user(PHONE).send_text("bob", "from a thief", family.now)
    family[PHONE].store.run("CREATE TRIGGER deaf BEFORE UPDATE OF revoked ON devices BEGIN SELECT raise(ignore); END")
    family[HOME].devices.linking.revoke(PHONE, family.now)
    family[PHONE].online = True
    family.run(120)
    family.user(PHONE).send_text("bob", "again", family.now)
    family.run(120)
    assert family["bob"].inbox() == []
    assert family[HOME].refused > 0  # its packets are those of a stranger now


def test_what_is_not_told_in_ninety_days_is_cut_all_the_same(tmp_path):
    family = Family(tmp_path, 15, satellites=(PHONE,), contacts=())
    family.link_all()
    family[PHONE].online = False
    home = family[HOME].messenger
    family[HOME].devices.linking.revoke(PHONE, family.now)
    family.now += 91 * 86_400
    home.next_outgoing(family.now)
    home.next_outgoing(family.now)
    assert family[HOME].devices.all() == []
    assert family[HOME].store.one("SELECT 1 FROM sessions UNION ALL SELECT 1 FROM contacts") is None


# what others see


def views_of_bob(tmp_path, monkeypatch, *, devices: bool) -> list[str]:
    """What Bob's client is told inside the session, in a story in which Alice has other devices or has none."""
    told: list[str] = []
    original = inbox.Inbox._handle

    def listen(self, contact, body, now):
        if self._core.home.name == "bob":
            told.append(repr(body))
        original(self, contact, body, now)

    with monkeypatch.context() as patch:
        patch.setattr(inbox.Inbox, "_handle", listen)
        drawn = itertools.count(1)
        patch.setattr(message_table, "fresh_wire_id", lambda: next(drawn))  # random else, so different in each story
        family = Family(tmp_path, 16, satellites=(PHONE,) if devices else (), contacts=("bob",))
        family.meet()
        if devices:
            family.link_all()
        speaker = family.user(PHONE if devices else HOME)
        for n in range(3):
            speaker.send_text("bob", f"text {n}", family.now)
            assert family.run(120, lambda n=n: f"text {n}" in family["bob"].inbox())
            family.user("bob").send_text("alice", f"answer {n}", family.now)
            assert family.run(120, lambda n=n: any(m.text == f"answer {n}" for m in speaker.messages()))
            speaker.mark_read(speaker.messages()[-1].id, family.now)
            assert family.run(120, family.calm)
    bob = family["bob"].messenger
    safety = [c.safety_number for c in family[HOME].messenger.contacts()]
    assert [c.safety_number for c in bob.contacts()] == safety
    assert len(bob.contacts()) == 1
    return told


def test_a_contact_is_told_the_same_whether_a_user_has_other_devices_or_none(tmp_path, monkeypatch):
    one = views_of_bob(tmp_path / "one", monkeypatch, devices=False)
    several = views_of_bob(tmp_path / "several", monkeypatch, devices=True)
    assert len(one) > 6
    assert one == several


def test_a_contact_has_no_say_over_devices(tmp_path):
    family = Family(tmp_path, 17, satellites=(PHONE,))
    family.meet()
    family.link_all()
    carol = next(c for c in family[HOME].messenger._core.contacts.all() if c.name == "carol")
    core = family["bob"].messenger._core
    with core.change():
        for piece in split(DeviceRequest(1, 1, raw(SendText(carol.identity, "not alice", None)))):
            core.enqueue(1, 0, piece, None, family.now)
    family.run(60)
    assert family["carol"].inbox() == []
    assert family[HOME].messenger.messages() == []


# files


def test_a_file_goes_from_a_satellite_to_a_contact_and_can_be_fetched_by_another(tmp_path):
    family = Family(tmp_path, 18, contacts=("bob",), loss=0.1)
    family.meet()
    family.link_all()
    content = bytes(range(256)) * 600
    (tmp_path / "photo.bin").write_bytes(content)
    number = family.user(PHONE).send_file("bob", tmp_path / "photo.bin", family.now)
    assert family.run(600, lambda: family[PHONE].messenger.message(number).state.value == "delivered")
    assert (tmp_path / "bob" / "downloads" / "photo.bin").read_bytes() == content
    assert family.run(600, family.calm)
    there = family[LAPTOP].messenger.messages()[-1]
    assert (there.kind, there.path) == (MessageKind.FILE, "")
    family[LAPTOP].devices.fetch(there.id)
    assert family.run(600, lambda: family[LAPTOP].messenger.message(there.id).path != "")
    assert (tmp_path / "laptop" / "downloads" / "photo.bin").read_bytes() == content
    family.run(30, family.calm)
    assert not list(tmp_path.rglob("*.part"))
    agree(family)


def test_a_file_that_the_home_may_not_send_leaves_nothing_there(tmp_path):
    family = Family(tmp_path, 22, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    (tmp_path / "photo.bin").write_bytes(bytes(100_000))
    number = family.user(PHONE).send_file("bob", tmp_path / "photo.bin", family.now)
    family.user(HOME).people.block("bob", family.now)
    assert family.run(300, family.calm)
    family.run(5)
    assert family[PHONE].messenger.message(number).state.value == "failed"
    assert "blocked" in family[PHONE].messenger.message(number).error
    assert [path for path in (tmp_path / HOME / "downloads").rglob("*") if path.is_file()] == []
    assert family[HOME].store.one("SELECT 1 FROM device_incoming") is None


@pytest.mark.parametrize("step", ["write_chunk", "finish", "discard"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_file_of_a_satellite_is_sent_once_wherever_the_home_dies(tmp_path, monkeypatch, step, first):
    family = Family(tmp_path, 19, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    content = bytes(range(256)) * 400
    (tmp_path / "photo.bin").write_bytes(content)
    family.user(PHONE).send_file("bob", tmp_path / "photo.bin", family.now)
    with monkeypatch.context() as patch:
        patch.setattr(files, step, dying(getattr(files, step), 1, first=first))
        with pytest.raises(Killed):
            family.run(600, family.calm)
    family[HOME].crash()
    assert family.run(600, family.calm)
    assert family["bob"].inbox(MessageKind.FILE) == ["photo.bin"]
    assert [p.name for p in (tmp_path / HOME / "downloads" / "sent").iterdir()] == ["photo.bin"]
    assert (tmp_path / "bob" / "downloads" / "photo.bin").read_bytes() == content
    agree(family)


def test_a_file_that_is_cancelled_vanishes_or_is_too_large_fails_on_the_satellite(tmp_path):
    family = Family(tmp_path, 20, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    phone = family.user(PHONE)
    (tmp_path / "a.bin").write_bytes(bytes(400_000))
    (tmp_path / "b.bin").write_bytes(bytes(400_000))
    cancelled = phone.send_file("bob", tmp_path / "a.bin", family.now)
    vanished = phone.send_file("bob", tmp_path / "b.bin", family.now)
    family.run(4)
    phone.cancel(cancelled, family.now)
    (tmp_path / "b.bin").unlink()
    assert family.run(600, family.calm)
    assert [phone.message(n).state.value for n in (cancelled, vanished)] == ["failed", "failed"]
    assert "cancelled" in phone.message(cancelled).error
    assert "vanished" in phone.message(vanished).error
    assert family[HOME].messenger.messages() == []
    family.run(30)
    assert not list((tmp_path / HOME).rglob("*.part"))
    with pytest.raises((LocalError, RemoteError)):
        family[PHONE].devices.fetch(cancelled)
