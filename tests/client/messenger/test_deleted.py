"""What is deleted is nowhere in a decrypted store: for each kind of message, at each of those who had it."""

import random
import re

import pytest

from client.e2e.group_bodies import GroupPost
from client.model.views import MessageState
from client.storage.database import Store
from mixnet.crypto import SymmetricKey
from tests.client.worlds.channel import Channel
from tests.client.worlds.circle import CLUB, Circle
from tests.client.worlds.devices import HOME, PHONE, Family

MARK = "zqvmarkerx"


def holds(person):
    """Whether a piece of the mark is in any page, free ones too, or an older page is still in the journal."""
    journal = person.folder / "store.db-wal"
    image = person.store._connection.serialize("main")
    return any(MARK[at : at + 7].encode() in image for at in range(len(MARK) - 6)) or journal.stat().st_size > 0


def delete_all(person, user=None):
    messenger = user or person.messenger
    for message in person.messenger.messages():
        if MARK in message.text:
            messenger.archive.delete(message.id)


def retain_nothing(person, now):
    for contact in person.messenger.contacts():
        person.messenger.archive.retain(contact.name, 60.0)
    while person.messenger.archive.sweep(now + 10_000):
        pass


def clear_all(person):
    for contact in person.messenger.contacts():
        person.messenger.archive.clear(contact.name)


WAYS = {
    "delete": lambda person, _now: delete_all(person),
    "clear": lambda person, _now: clear_all(person),
    "retention": retain_nothing,
}


def text(channel):
    channel["alice"].messenger.send_text("bob", f"{MARK} one", channel.now)


def signed_text(channel):
    channel["alice"].messenger.send_text("bob", f"{MARK} two", channel.now, signed=True)


def cancelled_text(channel):
    channel["bob"].online = False
    number = channel["alice"].messenger.send_text("bob", f"{MARK} three", channel.now)
    channel.run(5)
    channel["alice"].messenger.cancel(number, channel.now)
    channel["bob"].online = True


def expired_text(channel):
    channel["bob"].online = False
    channel["alice"].messenger.send_text("bob", f"{MARK} four", channel.now, 30.0)
    channel.run(60)
    channel["bob"].online = True


def file(channel, *, signed=False):
    path = channel.tmp / f"{MARK}.txt"
    path.write_bytes(b"x" * 100_000)
    channel["alice"].messenger.send_file("bob", path, channel.now, signed=signed)


def signed_file(channel):
    file(channel, signed=True)


def cancelled_file(channel):
    file(channel)
    channel.run(1)
    channel["alice"].messenger.cancel(channel["alice"].messenger.messages()[-1].id, channel.now)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "kind",
    [text, signed_text, cancelled_text, expired_text, file, signed_file, cancelled_file],
    ids=lambda k: k.__name__,
)
def test_a_message_to_a_contact(tmp_path, kind, way):
    channel = Channel(tmp_path, seed=3)
    channel.introduce()
    channel.run(30)
    kind(channel)
    channel.run(120)
    assert MARK.encode() in channel["alice"].store._connection.serialize("main"), "it was there"
    for name in ("alice", "bob"):
        WAYS[way](channel[name], channel.now)
        assert not holds(channel[name]), name


@pytest.mark.parametrize("when", ["while copies wait", "when all have it"])
@pytest.mark.parametrize("way", ["delete", "clear"])
def test_a_text_in_a_group(tmp_path, way, when):
    """Bob passes it on to those who are behind him; they are away at first."""
    circle = Circle(tmp_path, 6, seed=5)
    circle.found()
    waiting = when == "while copies wait"
    away = ("dave", "erin", "frank") if waiting else ()
    for name in away:
        circle[name].online = False
    number = circle.send("alice", f"{MARK} to all")
    assert circle.run(60, lambda: all(circle.texts(name) for name in ("bob", "carol")))
    if waiting:
        bring_to_bob_for(circle, number, away)
    circle.run(5)
    copies = "SELECT 1 FROM group_hops UNION ALL SELECT 1 FROM waiting UNION ALL SELECT 1 FROM posted"
    assert not waiting or circle["bob"].store.one(copies)

    def delete(name):
        delete_all(circle[name]) if way == "delete" else circle[name].messenger.archive.clear(CLUB)
        assert not holds(circle[name]), name

    delete("bob")
    delete("carol")
    circle["bob"].crash()
    for name in away:
        circle[name].online = True
    assert circle.run(600, lambda: circle.delivered("alice", number)), "it is passed on all the same"
    for name in sorted({*circle.names} - {"bob", "carol"}):
        delete(name)
    assert not any(MARK.encode() in circle[name].store._connection.serialize("main") for name in circle.names)


def bring_to_bob_for(circle, number, others):
    """One more tree of a text of alice's, in which bob passes it on to these."""
    alice, group = circle["alice"], circle.groups("alice")._registry.named(CLUB)
    (raw,) = alice.store.one("SELECT raw FROM group_posts WHERE message = ?", number)
    members = circle.groups("alice")._registry.roster(group)
    key = {member.name: key for key, member in members.members.items()}
    onward = bytes(members.order().index(key[name]) for name in others)
    contact = circle.groups("alice")._registry.peers(group)[key["bob"]].contact
    alice.messenger._core.enqueue(contact, 0, GroupPost(bytes(raw), 40, onward, 0), None, circle.now)


def test_a_text_in_a_group_that_was_left_before_it_could_be_shown(tmp_path):
    circle = Circle(tmp_path, 3, seed=5)
    circle.found()
    bob = circle["bob"]
    bob.store.run("UPDATE group_peers SET expected = NULL")
    circle.send("alice", f"{MARK} to all")
    circle.run(30)
    assert circle.texts("bob") == []
    circle.groups("bob").leave(CLUB, circle.now)
    bob.store.forget_remnants()
    assert not holds(bob)


def test_messages_of_all_devices(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[HOME].messenger.send_text("bob", f"{MARK} of home", family.now)
    family.user(PHONE).send_text("carol", f"{MARK} of phone", family.now)
    assert family.run(300, family.calm)
    delete_all(family[PHONE], family.user(PHONE))
    assert family.run(300, family.calm)
    for name in (HOME, PHONE):
        family[name].store.forget_remnants()
        assert not holds(family[name]), name


def test_a_text_of_home_that_waits_for_a_satellite(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[PHONE].online = False
    number = family[HOME].messenger.send_text("bob", f"{MARK} of home", family.now)
    assert family.run(60, lambda: family[HOME].messenger.message(number).state is MessageState.DELIVERED)
    family.run(10)
    delete_all(family[HOME])
    assert not holds(family[HOME])
    family[PHONE].online = True
    assert family.run(300, family.calm)
    assert not [m for m in family[PHONE].messenger.messages() if MARK in m.text]


def test_a_text_of_a_satellite_that_its_home_never_took_over(tmp_path):
    family = Family(tmp_path, 4, satellites=(PHONE,))
    family.meet()
    family.link_all()
    family[HOME].online = False
    for turn in range(30):  # more than are encrypted ahead
        family.user(PHONE).send_text("bob", f"{MARK} {turn}", family.now, 60.0)
    family.run(120)
    phone = family[PHONE]
    assert MARK.encode() in b"".join(bytes(row[0]) for row in phone.store.all("SELECT body FROM waiting"))
    delete_all(phone, family.user(PHONE))
    assert not holds(phone)
    family[HOME].online = True
    assert family.run(600, family.calm)
    assert [m for m in family["bob"].messenger.messages() if MARK in m.text] == []


def tens_of_letters(image):
    runs = [run.decode() for run in re.findall(rb"[a-z]{10,}", image)]
    return {run[at : at + 10] for run in runs for at in range(len(run) - 9)}


def test_rows_that_moved_before_they_were_deleted():
    """SQLite leaves copies of rows where they were before their page was divided, whatever `secure_delete` says."""
    rng = random.Random(0)
    store = Store.open(":memory:", SymmetricKey(b"k" * 32))
    store.run("INSERT INTO contacts (id, name, identity, state, added_at) VALUES (1, 'bob', x'01', 'verified', 0)")
    live, gone = {}, []
    for _ in range(3000):
        if live and rng.random() < 0.45:
            number = rng.choice(list(live))
            gone += live.pop(number)
            store.run("DELETE FROM messages WHERE id = ?", number)
            continue
        sizes = rng.choice([1, 2, 5, 20, 200])
        words = ["".join(rng.choice("bcdfghjkmnpqrstvwxz") for _ in range(10)) for _ in range(sizes)]
        query = (
            "INSERT INTO messages (contact, outgoing, kind, state, text, path, size, done, error, created_at, sent_at,"
            " drawn_delay, received_at) VALUES (1, 1, 'text', 'delivered', ?, '', 0, 0, '', 0, 0, 0, 0)"
        )
        live[store.insert(query, " ".join(words))] = words
        if rng.random() < 0.5:  # a row that grows makes its page divide
            values = rng.random(), "e" * rng.randrange(200), rng.choice(list(live))
            store.run("UPDATE messages SET state = 'read', sent_at = ?, error = ? WHERE id = ?", *values)
    image = store._connection.serialize("main")
    left = set(gone) & tens_of_letters(image)
    assert left, "otherwise this shows nothing"
    store.forget_remnants()
    image = store._connection.serialize("main")
    assert not set(gone) & tens_of_letters(image)
    assert dict(store.all("SELECT id, text FROM messages")) == {one: " ".join(words) for one, words in live.items()}
    store.run("INSERT INTO found (found) VALUES ('integrity-check')")
