"""What a contact learns of a user's other conversations by the identifiers of messages: nothing."""

from itertools import pairwise

import pytest

from client.e2e import bodies
from client.model.views import MessageState, ReceiptState
from client.storage.receipts import Rule
from client.storage.schema import _WIRE_IDS, MIGRATIONS
from tests.client.worlds.channel import Channel
from tests.client.worlds.friends import befriend, write


def three(tmp_path, seed=1) -> Channel:
    channel = Channel(tmp_path, seed, names=("victim", "mallory", "friend"))
    for name in ("mallory", "friend"):
        befriend(channel, "victim", name)
    return channel


def test_a_contact_cannot_count_what_the_user_exchanges_with_others(tmp_path):
    channel = three(tmp_path)
    victim = channel["victim"].messenger
    victim.send_text("mallory", "good morning", channel.now)
    for n in range(20):
        victim.send_text("friend", f"{n}", channel.now)
        channel["friend"].messenger.send_text("victim", f"re {n}", channel.now)
    assert channel.run(300, channel.settled)
    victim.send_text("mallory", "good evening", channel.now)
    assert channel.run(60, channel.settled)
    seen = [
        row[0] for row in channel["mallory"].store.all("SELECT remote FROM messages WHERE NOT outgoing ORDER BY id")
    ]
    rows = [row[0] for row in channel["victim"].store.all("SELECT id FROM messages WHERE outgoing")]
    assert len(seen) == 2 and not set(seen) & set(rows)
    assert all(one > 1 << 32 for one in seen)  # of 62 random bits: less once in 2^30
    assert abs(seen[1] - seen[0]) > 1 << 32


def test_each_message_has_an_identifier_of_its_own(tmp_path):
    channel = three(tmp_path)
    victim = channel["victim"]
    for n in range(50):
        victim.messenger.send_text("mallory", f"{n}", channel.now)
    drawn = [row[0] for row in victim.store.all("SELECT wire FROM messages ORDER BY id")]
    assert len(set(drawn)) == 50 and all(0 <= one < 1 << 62 for one in drawn)
    rises = sum(first < second for first, second in pairwise(drawn))
    assert 10 < rises < 40  # 24.5 expected, by a standard deviation of 2: no order


@pytest.mark.parametrize("kind", ["text", "file"])
def test_what_a_contact_names_is_looked_up_among_its_own_messages(tmp_path, kind):
    """By the archive's number, or by the identifier of a message to somebody else, a contact touches nothing."""
    channel = three(tmp_path)
    victim, mallory = channel["victim"], channel["mallory"]
    channel["friend"].online = False
    if kind == "text":
        number = victim.messenger.send_text("friend", "hi", channel.now, signed=True)
    else:
        number = victim.messenger.send_file("friend", write(channel, 100), channel.now, signed=True)
    channel.run(30)
    before = victim.messenger.message(number)
    core = mallory.messenger._core
    contact = core.contacts.named("victim").id
    for named in (bodies.WireId(number), victim.messenger._core.messages.wire_id(number)):
        for body in (
            bodies.Seen((named,)),
            bodies.Refuse(named, bodies.Reason.DAMAGED),
            bodies.Receipt(named, bodies.ReceiptKind.READING, 1, bytes(64)),
            bodies.NoReceipt(named, bodies.Without.DECLINED),
        ):
            core.enqueue(contact, 0, body, None, channel.now)
    channel.run(60)
    assert core.store.all("SELECT * FROM waiting") == []  # all of it left
    assert victim.messenger.message(number) == before


def test_receipts_still_find_their_message(tmp_path):
    channel = three(tmp_path)
    victim, mallory = channel["victim"].messenger, channel["mallory"].messenger
    mallory.attestations.set_rule(None, Rule.ALWAYS)
    for n in range(5):
        victim.send_text("friend", f"{n}", channel.now)
    numbers = [
        victim.send_text("mallory", "signed", channel.now, signed=True),
        victim.send_file("mallory", write(channel, 100_000), channel.now, signed=True),
    ]
    assert channel.run(300, channel.settled)
    mallory.mark_read(mallory.messages()[-1].id, channel.now)
    channel.run(60)
    assert [victim.message(number).state for number in numbers] == [MessageState.READ] * 2
    assert [victim.message(number).receipt for number in numbers] == [ReceiptState.READ] * 2
    assert victim.proof(numbers[0])


def test_what_left_before_identifiers_were_random_is_still_found(tmp_path):
    """A profile of before: its contacts know a message by the number of its row."""
    channel = three(tmp_path)
    victim = channel["victim"]
    number = victim.messenger.send_text("mallory", "hi", channel.now)
    victim.store.run("DELETE FROM waiting")
    victim.store.run("DROP INDEX messages_of_wire")
    victim.store.run("ALTER TABLE messages DROP COLUMN wire")
    for later in ("TABLE used_names", "TABLE group_names", "TRIGGER device_log_contacts_named"):
        victim.store.run(f"DROP {later}")
    core, contact = victim.messenger._core, victim.messenger._core.contacts.named("mallory").id
    core.enqueue(contact, 0, bodies.Text(bodies.WireId(number), "hi"), number, channel.now)
    victim.store.run(f"PRAGMA user_version = {MIGRATIONS.index(_WIRE_IDS)}")
    victim.crash()
    assert channel.run(60, channel.settled)
    mallory = channel["mallory"].messenger
    mallory.mark_read(mallory.messages()[-1].id, channel.now)
    channel.run(60)
    assert victim.messenger.message(number).state is MessageState.READ
    later = victim.messenger.send_text("mallory", "and now", channel.now)
    assert victim.messenger._core.messages.wire_id(later) > 1 << 32
