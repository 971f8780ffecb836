"""Signed texts and files, receipts by consent, and what a contact can't make of them, between two messengers."""

from types import SimpleNamespace

import pytest

from mixnet.client.e2e import proof
from mixnet.client.e2e.bodies import (
    CHUNK_SIZE,
    SIGNED_TEXT_LIMIT,
    End,
    NoReceipt,
    Receipt,
    SignedEnd,
    SignedText,
    Text,
    Without,
    encode,
)
from mixnet.client.e2e.statements import ReceiptKind
from mixnet.client.files.disk import START_DIGEST, chain
from mixnet.client.model.errors import ContactBlocked, NotSigned, TextTooLong, UnknownContact
from mixnet.client.model.views import MessageState, MessageStateChanged, ReceiptState
from mixnet.client.signing.attestations import UNSIGNED
from mixnet.client.storage.receipts import DEFAULT_RULE, FIRST_STATE, TRANSITIONS, ReceiptEvent, Rule, after
from tests.client.worlds.channel import Channel
from tests.client.worlds.friends import befriend, write

LAST = "the last word"


@pytest.fixture
def friends(tmp_path):
    channel = Channel(tmp_path, seed=1)
    befriend(channel)
    return channel


def send(friends, text="I owe you ten", rule=None, **options):
    """Alice sends a signed text to bob, who has it; its number there and here."""
    if rule is not None:
        friends["bob"].messenger.attestations.set_rule("alice", rule)
    number = friends["alice"].messenger.send_text("bob", text, friends.now, signed=True, **options)
    assert friends.run(60, friends.settled)
    friends.run(10)
    return SimpleNamespace(alice=number, bob=friends["bob"].messenger.messages()[-1].id)


def states(friends, sent):
    return [friends[name].messenger.message(getattr(sent, name)).receipt for name in ("alice", "bob")]


def test_nothing_is_signed_unless_asked_for(friends):
    number = friends["alice"].messenger.send_text("bob", "hi", friends.now)
    assert friends.run(60, friends.settled)
    for name, at in (("alice", number), ("bob", 1)):
        message = friends[name].messenger.message(at)
        assert (message.signed, message.receipt) == (False, None)
        with pytest.raises(NotSigned, match="--signed"):
            friends[name].messenger.proof(at)


def test_a_signed_text_arrives_as_signed_and_no_receipt_is_given_without_a_word(friends):
    sent = send(friends)
    (came,) = friends["bob"].messenger.messages()
    assert (came.text, came.signed, came.state) == ("I owe you ten", True, MessageState.RECEIVED)
    assert states(friends, sent) == [ReceiptState.AWAITED, ReceiptState.ASKED]
    friends["bob"].messenger.mark_read(sent.bob, friends.now)
    friends.run(30)
    assert friends["alice"].messenger.message(sent.alice).state is MessageState.READ  # the unsigned word for it
    assert states(friends, sent) == [ReceiptState.AWAITED, ReceiptState.ASKED]
    assert friends["alice"].store.all("SELECT * FROM receipts") == []


@pytest.mark.parametrize("rule", Rule)
def test_what_each_rule_does(friends, rule):
    sent = send(friends, rule=rule)
    theirs = {Rule.NEVER: ReceiptState.DECLINED, Rule.ASK: ReceiptState.AWAITED, Rule.ALWAYS: ReceiptState.DELIVERED}
    assert states(friends, sent) == [theirs[rule], FIRST_STATE[rule]]
    friends["bob"].messenger.mark_read(sent.bob, friends.now)
    friends.run(30)
    assert states(friends, sent)[0] is (ReceiptState.READ if rule is Rule.ALWAYS else theirs[rule])
    given = [one.kind for one in proof.verify_untrusted(friends["alice"].messenger.proof(sent.alice)).receipts]
    assert given == (list(ReceiptKind) if rule is Rule.ALWAYS else [])


def test_rules_for_one_contact_and_for_all(friends):
    attesting = friends["bob"].messenger.attestations
    assert attesting.rule(None) is attesting.rule("alice") is DEFAULT_RULE is Rule.ASK
    attesting.set_rule(None, Rule.NEVER)
    assert (attesting.rule(None), attesting.rule("alice")) == (Rule.NEVER, Rule.NEVER)
    attesting.set_rule("alice", Rule.ALWAYS)
    assert (attesting.rule(None), attesting.rule("alice")) == (Rule.NEVER, Rule.ALWAYS)
    friends["bob"].crash()
    attesting = friends["bob"].messenger.attestations
    assert (attesting.rule(None), attesting.rule("alice")) == (Rule.NEVER, Rule.ALWAYS)
    for ask in (attesting.rule, lambda name: attesting.set_rule(name, Rule.ASK)):
        with pytest.raises(UnknownContact):
            ask("nobody")


def test_consent_one_by_one(friends):
    sent, bob = send(friends), friends["bob"].messenger
    came = bob.message(sent.bob).received_at
    bob.attestations.consent(sent.bob, True, friends.now + 100)
    friends.run(30)
    assert states(friends, sent) == [ReceiptState.DELIVERED, ReceiptState.GIVEN]
    bob.mark_read(sent.bob, friends.now)
    friends.run(30)
    assert states(friends, sent) == [ReceiptState.READ, ReceiptState.GIVEN]
    proven = proof.verify_untrusted(friends["alice"].messenger.proof(sent.alice))
    assert proven.receipts[0].time == int(came) <= proven.receipts[1].time
    assert proof.verify_untrusted(bob.proof(sent.bob)) == proven  # either side has it
    # Given again, the same is sent again: it may have been lost with an old profile.
    friends["alice"].store.run("DELETE FROM receipts")
    friends.run(1000)
    bob.attestations.consent(sent.bob, True, friends.now)
    friends.run(30)
    assert proof.verify_untrusted(friends["alice"].messenger.proof(sent.alice)) == proven


def test_a_refusal_one_by_one_and_another_mind(friends):
    sent, bob = send(friends), friends["bob"].messenger
    bob.attestations.consent(sent.bob, False, friends.now)
    friends.run(30)
    assert states(friends, sent) == [ReceiptState.DECLINED, ReceiptState.WITHHELD]
    bob.mark_read(sent.bob, friends.now)
    bob.attestations.consent(sent.bob, True, friends.now)
    friends.run(30)
    assert states(friends, sent) == [ReceiptState.READ, ReceiptState.GIVEN]
    bob.attestations.consent(sent.bob, False, friends.now)  # what was given is given
    friends.run(30)
    assert states(friends, sent) == [ReceiptState.READ, ReceiptState.WITHHELD]


def test_consent_where_there_is_nothing_to_consent_to(friends):
    sent = send(friends)
    plain = friends["alice"].messenger.send_text("bob", "hi", friends.now)
    assert friends.run(60, friends.settled)
    for name, number in (("alice", sent.alice), ("alice", plain), ("bob", sent.bob + 1)):
        with pytest.raises(NotSigned):
            friends[name].messenger.attestations.consent(number, True, friends.now)
    friends["bob"].messenger.people.block("alice", friends.now)
    with pytest.raises(ContactBlocked):
        friends["bob"].messenger.attestations.consent(sent.bob, True, friends.now)


def test_signed_files(friends):
    content = write(friends, 150_000, "contract.pdf").read_bytes()
    friends["bob"].messenger.attestations.set_rule(None, Rule.ALWAYS)
    number = friends["alice"].messenger.send_file("bob", friends.tmp / "contract.pdf", friends.now, signed=True)
    with pytest.raises(NotSigned, match="once all of it was read"):
        friends["alice"].messenger.proof(number)
    assert friends.run(600, friends.settled)
    friends.run(10)
    (came,) = friends["bob"].messenger.messages()
    assert (came.signed, came.state, came.receipt) == (True, MessageState.RECEIVED, ReceiptState.GIVEN)
    digest = START_DIGEST
    for at in range(0, len(content), CHUNK_SIZE):
        digest = chain(digest, content[at : at + CHUNK_SIZE])
    for name, at in (("alice", number), ("bob", came.id)):
        proven = proof.verify_untrusted(friends[name].messenger.proof(at))
        assert (proven.name, proven.chain, proven.origin.size) == ("contract.pdf", digest, len(content))
        assert [one.kind for one in proven.receipts] == [ReceiptKind.DELIVERY]


def test_the_longest_signed_text_fits_and_a_longer_one_is_refused(friends):
    send(friends, "x" * SIGNED_TEXT_LIMIT)
    assert friends["bob"].inbox() == ["x" * SIGNED_TEXT_LIMIT]
    with pytest.raises(TextTooLong):
        friends["alice"].messenger.send_text("bob", "x" * (SIGNED_TEXT_LIMIT + 1), friends.now, signed=True)


def wire(person, number):
    """By what the contact knows a message of this person."""
    return person.messenger._core.messages.wire_id(number)


def forged(person, body):
    """Let a client say what ours never would: the next body that is encrypted is this one."""
    (row,) = person.store.all("SELECT id FROM waiting ORDER BY id DESC LIMIT 1")
    person.store.run("UPDATE waiting SET body = ? WHERE id = ?", encode(body), row[0])


SPOILED = {
    "another signature": lambda body: SignedText(body.id, body.text, body.time, bytes(64)),
    "another text": lambda body: SignedText(body.id, "I owe you a thousand", body.time, body.signature),
    "another time": lambda body: SignedText(body.id, body.text, body.time + 1, body.signature),
    "another number": lambda body: SignedText(body.id + 1, body.text, body.time, body.signature),
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_claims_to_be_signed_and_is_not_is_refused_and_its_sender_told(friends, how):
    alice = friends["alice"]
    number = alice.messenger.send_text("bob", "I owe you ten", friends.now, signed=True)
    signed = alice.messenger._core.signatures.signed(number)
    genuine = SignedText(wire(alice, number), "I owe you ten", signed.origin.time, signed.signature)
    forged(alice, SPOILED[how](genuine))
    assert friends.run(60, friends.settled)
    friends.run(10)
    (came,) = friends["bob"].messenger.messages()
    assert (came.state, came.text, came.signed, came.error) == (MessageState.FAILED, "", False, UNSIGNED)
    if how != "another number":
        assert alice.messenger.message(number).receipt is ReceiptState.REFUSED
    send(friends)  # the conversation goes on
    assert friends["bob"].messenger.messages()[-1].signed


def test_a_signature_for_somebody_else_or_another_network_is_refused(friends):
    friends.join("carol")
    befriend(friends, "alice", "carol")
    alice = friends["alice"]
    for receiver, network in (
        (friends["carol"].messenger.identity, None),
        (friends["bob"].messenger.identity, b"M" * 32),
    ):
        number = alice.messenger.send_text("bob", "I owe you ten", friends.now)
        signatures = alice.messenger._core.signatures
        signatures._network_id, kept = network or signatures._network_id, signatures._network_id
        forged(alice, signatures.sign_text(number, wire(alice, number), receiver, "I owe you ten", friends.now))
        signatures._network_id = kept
        assert friends.run(60, friends.settled)
        assert friends["bob"].messenger.messages()[-1].error == UNSIGNED


def test_a_signed_file_with_a_wrong_signature_leaves_nothing(friends, monkeypatch):
    write(friends, 100_000, "contract.pdf")
    spoiled = lambda self, message, end, *rest: SignedEnd(end.id, end.digest, 1, bytes(64))  # noqa: E731
    monkeypatch.setattr(type(friends["alice"].messenger._core.signatures), "end", spoiled)
    friends["alice"].messenger.send_file("bob", friends.tmp / "contract.pdf", friends.now, signed=True)
    assert friends.run(600, friends.settled)
    friends.run(10)
    (came,) = friends["bob"].messenger.messages()
    assert (came.state, came.signed, came.error) == (MessageState.FAILED, False, UNSIGNED)
    assert list((friends.tmp / "bob" / "downloads").iterdir()) == []


def test_a_damaged_file_is_not_called_signed(friends, monkeypatch):
    signatures = type(friends["alice"].messenger._core.signatures)
    genuine = signatures.end
    damaged = lambda self, message, end, *rest: genuine(self, message, End(end.id, b"d" * 32), *rest)  # noqa: E731
    monkeypatch.setattr(signatures, "end", damaged)
    write(friends, 100_000, "contract.pdf")
    friends["alice"].messenger.send_file("bob", friends.tmp / "contract.pdf", friends.now, signed=True)
    assert friends.run(600, friends.settled)
    friends.run(10)
    (came,) = friends["bob"].messenger.messages()
    assert (came.state, came.signed) == (MessageState.FAILED, False)


def test_receipts_that_do_not_verify_are_said_to_be_false(friends):
    sent, bob = send(friends), friends["bob"]
    other = send(friends, "I owe you twenty")
    origin = bob.messenger._core.signatures.signed(sent.bob).origin
    genuine = bob.messenger._core.signatures.give(sent.bob, ReceiptKind.DELIVERY, origin, friends.now)
    first, second = (wire(friends["alice"], one.alice) for one in (sent, other))
    for body, number in (
        (Receipt(first, ReceiptKind.DELIVERY, genuine.time + 1, genuine.signature), sent.alice),
        (Receipt(first, ReceiptKind.READING, genuine.time, genuine.signature), sent.alice),
        (Receipt(second, ReceiptKind.DELIVERY, genuine.time, genuine.signature), other.alice),
    ):
        bob.messenger.send_text("alice", "x", friends.now)
        forged(bob, body)
        friends.run(30)
        assert friends["alice"].messenger.message(number).receipt is ReceiptState.INVALID
    assert friends["alice"].store.all("SELECT * FROM receipts") == []
    bob.messenger.send_text("alice", "x", friends.now)
    forged(bob, genuine)
    friends.run(30)
    assert friends["alice"].messenger.message(sent.alice).receipt is ReceiptState.DELIVERED


@pytest.mark.parametrize("number", [1, 2, 99])
def test_receipts_for_what_was_not_signed_or_never_sent_change_nothing(friends, number):
    friends["alice"].messenger.send_text("bob", "hi", friends.now)
    friends["bob"].messenger.send_text("alice", "hi", friends.now)
    assert friends.run(60, friends.settled)
    if number == 1:  # known to bob, and not signed
        number = wire(friends["alice"], number)
    for body in (Receipt(number, ReceiptKind.READING, 1, bytes(64)), NoReceipt(number, Without.DECLINED)):
        friends["bob"].messenger.send_text("alice", "x", friends.now)
        forged(friends["bob"], body)
        friends.run(30)
    assert all(message.receipt is None for message in friends["alice"].messenger.messages())


def test_a_blocked_contact_gets_no_receipt(friends):
    sent = send(friends, rule=Rule.ALWAYS)
    friends["bob"].messenger.people.block("alice", friends.now)
    friends["bob"].messenger.mark_read(sent.bob, friends.now)
    friends["alice"].messenger.send_text("bob", "and ten more", friends.now, signed=True)
    friends.run(60)
    assert states(friends, sent)[0] is ReceiptState.DELIVERED
    assert friends["alice"].messenger.messages()[-1].receipt is ReceiptState.AWAITED


def test_a_crash_between_loses_and_repeats_nothing(friends):
    friends.loss = 0.2
    friends["bob"].messenger.attestations.set_rule(None, Rule.ALWAYS)
    numbers = [friends["alice"].messenger.send_text("bob", str(n), friends.now, signed=True) for n in range(5)]
    for _ in range(4):
        friends.run(1)
        friends["bob"].crash()
        friends["alice"].crash()
    assert friends.run(600, friends.settled)
    friends.run(60)
    assert friends["bob"].inbox() == [str(n) for n in range(5)]
    alice = friends["alice"].messenger
    assert {alice.message(number).receipt for number in numbers} == {ReceiptState.DELIVERED}
    assert all(proof.verify_untrusted(alice.proof(number)).receipts for number in numbers)


def test_statements_go_with_the_message(friends):
    sent = send(friends, rule=Rule.ALWAYS)
    known = wire(friends["alice"], sent.alice)
    for name in ("alice", "bob"):
        store = friends[name].store
        assert store.all("SELECT 1 FROM signed") and store.all("SELECT 1 FROM receipts")
        friends[name].messenger.archive.delete(getattr(sent, name))
        assert not store.all("SELECT 1 FROM signed") and not store.all("SELECT 1 FROM receipts")
    friends["bob"].messenger.send_text("alice", "x", friends.now)
    forged(friends["bob"], Receipt(known, ReceiptKind.READING, 1, bytes(64)))
    assert friends.run(60, friends.settled)
    assert friends["alice"].messenger.messages() == [] and friends["alice"].store.all("SELECT 1 FROM receipts") == []


def test_events_tell_of_receipts(friends):
    sent = send(friends, rule=Rule.ALWAYS)
    told = [one.message.receipt for one in friends["alice"].events if isinstance(one, MessageStateChanged)]
    assert told[-1] is ReceiptState.DELIVERED and friends["alice"].messenger.message(sent.alice).receipt is told[-1]


def test_receipts_go_forward_only():
    for (state, event), reached in TRANSITIONS.items():
        assert after(state, event) is reached
    for event in ReceiptEvent:
        assert after(ReceiptState.READ, event) is ReceiptState.READ
        for ours in FIRST_STATE.values():
            assert after(ours, event) is ours
        if event is not ReceiptEvent.READING:
            assert after(ReceiptState.DELIVERED, event) is ReceiptState.DELIVERED


def test_a_text_and_a_signed_text_are_not_each_other():
    assert encode(Text(1, "x")) != encode(SignedText(1, "x", 1, bytes(64)))
