"""A deleted contact is gone, whole or not at all, and gets nothing any more; it comes back by a new invitation only."""

import pytest

from mixnet.client.devices.contacts import GoneContactRecord
from mixnet.client.model.errors import UnknownContact
from mixnet.client.model.views import AckChoice, MessageKind, ReadReceiptChoice
from mixnet.client.storage.receipts import Rule
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import Circle
from tests.client.worlds.crashes import copy, dies, restore
from tests.client.worlds.devices import HOME, PHONE, Family

SECRET = "where the boat lies"


def contents(store) -> list[tuple]:
    """Every row of every table, with the table's name; but what SQLite counts by itself."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    return [(table, *row) for (table,) in store.all(query) for row in store.all(f"SELECT * FROM {table}")]


def holds(store, *needles: bytes) -> list[tuple]:
    def raw(value) -> bytes:
        return value if isinstance(value, bytes) else str(value).encode()

    return [row for row in contents(store) for value in row if any(needle in raw(value) for needle in needles)]


def busy(tmp_path) -> Channel:
    """Alice has of bob whatever one can have of a contact: messages of each state, choices, a note, a file in part."""
    channel = Channel(tmp_path, 3)
    channel.join("carol")
    channel.introduce("alice", "bob")
    channel.introduce("alice", "carol")
    assert channel.run(60, lambda: all(len(channel[name].messenger.contacts()) for name in ("bob", "carol")))
    channel.run(30)
    alice, bob = channel["alice"], channel["bob"]
    people = alice.messenger.people
    people.note("bob", SECRET)
    people.read_receipts("bob", ReadReceiptChoice.DELAYED)
    alice.messenger.attestations.set_rule("bob", Rule.ALWAYS)
    alice.messenger.archive.retain("bob", 1e6)
    alice.messenger.send_text("carol", "hello carol", channel.now)
    for signed in (False, True):
        alice.messenger.send_text("bob", SECRET, channel.now, signed=signed)
        bob.messenger.send_text("alice", SECRET, channel.now, signed=signed)
    assert channel.run(120, channel.settled)
    again = alice.messenger.create_invitation("alice", channel.now)
    bob.messenger.accept_invitation(again.encode(), None, channel.now)  # a retired session, too
    channel.run(60)
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    bob.messenger.send_file("alice", tmp_path / "file", channel.now)
    alice.messenger.send_file("bob", tmp_path / "file", channel.now)
    partial = lambda: any((tmp_path / "alice" / "downloads").glob(".*.part"))  # noqa: E731
    assert channel.run(60, partial)
    people.acknowledgements("bob", AckChoice.DELAYED)
    bob.online = False
    alice.messenger.send_text("bob", SECRET, channel.now)
    for number in [m.id for m in alice.messenger.messages("bob") if not m.outgoing and m.kind is MessageKind.TEXT][:1]:
        alice.messenger.mark_read(number, channel.now)
    channel.run(0.5)
    alice.messenger.send_text("bob", SECRET, channel.now)
    return channel


def test_nothing_of_a_deleted_contact_is_left(tmp_path):
    channel = busy(tmp_path)
    alice = channel["alice"]
    core = alice.messenger._core
    contact = core.contacts.named("bob")
    channels = [
        bytes(one)
        for row in alice.store.all(
            "SELECT incoming, outgoing, incoming_key, outgoing_key, ratchet FROM sessions WHERE contact = ?", contact.id
        )
        for one in row
    ]
    needles = (SECRET.encode(), contact.identity, b"bob", *channels)
    assert len(channels) >= 10 and len({row[0] for row in holds(alice.store, *needles)}) > 5
    alice.messenger.delete_contact("bob")
    assert holds(alice.store, *needles) == []
    assert not any((tmp_path / "alice" / "downloads").glob(".*"))
    assert [one.name for one in alice.messenger.contacts()] == ["carol"]
    with pytest.raises(UnknownContact):
        alice.messenger.delete_contact("bob")
    for _, *row in alice.store.all("SELECT 1, contact FROM sessions"):
        assert core.contacts.find(row[0]) is not None
    assert alice.store.all("PRAGMA foreign_key_check") == []


def test_it_gets_nothing_any_more_and_comes_back_by_an_invitation_only(tmp_path):
    channel = busy(tmp_path)
    alice, bob = channel["alice"], channel["bob"]
    channel.run(60)
    alice.messenger.delete_contact("bob")
    channel["carol"].online = False
    channel.run(10)
    sent, refused = (alice.fragments, alice.replies), alice.refused
    bob.online = True
    bob.messenger.send_text("alice", "are you there?", channel.now, signed=True)
    channel.run(200)
    assert (alice.fragments, alice.replies) == sent and alice.refused > refused
    assert [one.name for one in alice.messenger.contacts()] == ["carol"]
    alice.crash()
    channel.introduce("bob", "alice")
    assert channel.run(200, lambda: "are you there?" in alice.inbox())
    (name,) = (one.name for one in alice.messenger.contacts() if one.name != "carol")  # no name is given twice
    alice.messenger.send_text(name, "again", channel.now)
    assert channel.run(200, lambda: "again" in bob.inbox())
    assert alice.messenger.contacts()[-1].note == "" and alice.messenger.contacts()[-1].acknowledgements == "prompt"


def test_it_can_accept_an_invitation_of_ours_again(tmp_path):
    channel = busy(tmp_path)
    alice, bob = channel["alice"], channel["bob"]
    bob.online = True
    alice.messenger.delete_contact("bob")
    channel.introduce("alice", "bob")
    assert channel.run(200, lambda: len(alice.messenger.contacts()) == 2)
    bob.messenger.send_text("alice", "again", channel.now)
    assert channel.run(300, lambda: "again" in alice.inbox())


def test_a_process_that_dies_leaves_it_whole_or_deleted(tmp_path, monkeypatch):
    channel = busy(tmp_path)
    alice = channel["alice"]
    saved, before = copy(alice), contents(alice.store)
    when, deaths = 1, 0
    while True:
        died = dies(monkeypatch, alice.store, when, lambda: alice.messenger.delete_contact("bob"), first=bool(when % 2))
        if not died:
            break
        deaths, when = deaths + 1, when + 1
        alice.crash()
        names = [one.name for one in alice.messenger.contacts()]
        assert names in (["bob", "carol"], ["carol"])
        if "bob" in names:
            assert [row for row in contents(alice.store) if row[0] != "waiting"] == [
                row for row in before if row[0] != "waiting"
            ]
        else:
            assert not any((tmp_path / "alice" / "downloads").glob(".*"))
            assert holds(alice.store, SECRET.encode()) == []
        restore(alice, saved)
    assert deaths > 20


@pytest.mark.parametrize("blocked", [False, True])
def test_in_a_group_it_stays_a_member_and_no_more(tmp_path, blocked):
    circle = Circle(tmp_path, 3, seed=11)
    circle.found()
    assert circle.run(300, lambda: circle["alice"].store.one("SELECT 1 FROM group_awaited") is None)
    alice = circle["alice"]
    other = next(one.name for one in alice.messenger.contacts())
    group = alice.messenger.groups.list()[0].name
    alice.messenger.send_text(other, SECRET, circle.now)
    circle[other].messenger.send_text("alice", SECRET, circle.now)
    circle.run(60)
    alice.messenger.people.note(other, SECRET)
    if blocked:  # which nobody could take back of whom is no contact
        alice.messenger.people.block(other, circle.now)
    alice.messenger.delete_contact(other)
    assert holds(alice.store, SECRET.encode()) == []
    assert other not in [one.name for one in alice.messenger.contacts()]
    circle[other].messenger.send_text("alice", "private", circle.now)
    number = alice.messenger.groups.send(group, "to all", circle.now)
    assert circle.run(300, lambda: alice.messenger.message(number).state == "delivered")
    circle[other].messenger.groups.send(group, "from the deleted one", circle.now)
    assert circle.run(300, lambda: "from the deleted one" in alice.inbox())
    assert "private" not in alice.inbox()
    circle.introduce(other, "alice")
    assert circle.run(300, lambda: len(alice.messenger.contacts()) == 2)
    assert alice.store.all("PRAGMA foreign_key_check") == []


def test_all_devices_forget_it(tmp_path):
    family = Family(tmp_path, satellites=(PHONE,), contacts=("bob",))
    family.meet()
    family.link_all()
    family.user(HOME).send_text("bob", SECRET, family.now)
    assert family.run(300, lambda: any(m.text == SECRET for m in family.user(PHONE).messages()))
    family.user(HOME).delete_contact("bob")
    assert family.run(300, lambda: family.user(PHONE).contacts() == []) and family.run(300, family.calm)
    for device in (HOME, PHONE):
        assert holds(family[device].store, SECRET.encode()) == []
    assert GoneContactRecord.__struct_fields__ == ("identity",)
