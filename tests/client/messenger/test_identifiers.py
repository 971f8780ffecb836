"""What a contact learns of a user's other conversations by the identifiers of messages: nothing."""

from collections import defaultdict
from itertools import pairwise

import msgspec
import pytest

from mixnet.client.e2e import bodies
from mixnet.client.messenger.inbox import Inbox
from mixnet.client.model.views import MessageState, ReceiptState
from mixnet.client.storage.receipts import Rule
from mixnet.client.storage.schema import _WIRE_IDS, MIGRATIONS
from tests.client.worlds.channel import START, Channel
from tests.client.worlds.fields import FIELDS, MOMENT, RANDOM
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


def heard_by_mallory(tmp_path, monkeypatch, busy: int) -> dict[tuple[str, str], list[int]]:
    """Every number in every body that mallory's client opens, while the victim has `busy` other messages."""
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    original = Inbox._read_untrusted

    def listen(self, session, plaintext, now):
        if self._core.home.name == "mallory":
            body = bodies.decode_untrusted(plaintext)
            for name, value in msgspec.structs.asdict(body).items():
                told = value if isinstance(value, tuple) else (value,)
                numbers[type(body).__name__, name] += [one for one in told if isinstance(one, int)]
        original(self, session, plaintext, now)

    channel = three(tmp_path)
    victim, mallory, friend = (channel[name].messenger for name in ("victim", "mallory", "friend"))
    victim.attestations.set_rule(None, Rule.ALWAYS)
    steps = [
        lambda: victim.send_text("mallory", "good morning", channel.now),
        lambda: victim.send_text("mallory", "signed", channel.now, signed=True),
        lambda: victim.send_file("mallory", write(channel, 100_000, "a.bin"), channel.now, signed=True),
        lambda: mallory.send_text("victim", "and you?", channel.now, signed=True),
        lambda: victim.mark_read(victim.messages("mallory")[-1].id, channel.now),
        lambda: victim.revisions.let_disappear("mallory", 3600, channel.now),
        lambda: victim.revisions.edit(victim.messages("mallory")[0].id, "good evening", channel.now),
        lambda: victim.revisions.edit(victim.messages("mallory")[1].id, "signed again", channel.now),
        lambda: victim.revisions.withdraw(victim.messages("mallory")[0].id, channel.now),
        lambda: victim.groups.create("club", channel.now),
        lambda: victim.groups.invite("club", "mallory", channel.now),
        lambda: mallory.groups.accept("club", channel.now),
        lambda: victim.groups.send("club", "to all", channel.now),
        lambda: mallory.groups.send("club", "and back", channel.now),
        lambda: victim.mark_read(victim.messages("club")[-1].id, channel.now),
        lambda: victim.send_text("mallory", "good night", channel.now),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(Inbox, "_read_untrusted", listen)
        for at, step in enumerate(steps):
            channel.run(START + 60 + 20 * at - channel.now)
            step()
            for n in range(busy):
                number = victim.send_text("friend", f"{at} {n}", channel.now)
                friend.send_text("victim", f"re {at} {n}", channel.now)
                victim.revisions.edit(number, f"edited {at} {n}", channel.now)
                victim.revisions.let_disappear("friend", 7200 + at, channel.now)
        channel.run(60)
    assert channel.settled()
    return numbers


def test_no_number_that_a_contact_gets_depends_on_what_the_user_does_with_others(tmp_path, monkeypatch):
    calm = heard_by_mallory(tmp_path / "calm", monkeypatch, 0)
    busy = heard_by_mallory(tmp_path / "busy", monkeypatch, 7)
    assert set(calm) == set(busy)
    assert {"Text", "SignedText", "Offer", "Chunk", "SignedEnd", "Seen", "Receipt"} < {name for name, _ in calm}
    assert {"Edit", "SignedEdit", "Withdraw", "Disappear"} < {name for name, _ in calm}
    assert {"GroupPost", "GroupHello", "GroupSeen"} < {name for name, _ in calm}
    drawn = []
    for (name, field), values in calm.items():
        why = FIELDS[name][field]
        if why is RANDOM:
            drawn += [*values, *busy[name, field]]
        elif why is MOMENT:
            assert all(abs(one - other) < 30 for one, other in zip(values, busy[name, field], strict=True))
        else:
            assert sorted(values) == sorted(busy[name, field]), (name, field)
    assert len(drawn) > 10
    assert all(one > 1 << 32 for one in drawn)


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


def test_what_left_before_identifiers_were_random_is_still_found(tmp_path, monkeypatch):
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
    with monkeypatch.context() as patch:
        patch.setattr("mixnet.client.storage.database.MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(_WIRE_IDS) + 1])
        victim.crash()
    victim.store.run(f"PRAGMA user_version = {len(MIGRATIONS)}")
    assert channel.run(60, channel.settled)
    mallory = channel["mallory"].messenger
    mallory.mark_read(mallory.messages()[-1].id, channel.now)
    channel.run(60)
    assert victim.messenger.message(number).state is MessageState.READ
    later = victim.messenger.send_text("mallory", "and now", channel.now)
    assert victim.messenger._core.messages.wire_id(later) > 1 << 32
