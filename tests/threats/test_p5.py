"""P5, non-repudiation used against a user: what nobody signed proves nothing, since its receiver may have made it.

The judge has the most that there is: all that the receiver's client ever had, secret keys included, and the code that
the client itself checked the messages with. Messages come through the real messenger, store and fragments.
"""

import base64
import json
import shutil
from types import SimpleNamespace

import msgspec
import pytest

from mixnet.client.e2e.bodies import SignedText, Text, decode_untrusted, encode
from mixnet.client.e2e.proof import BadProof, Proof, verify_untrusted
from mixnet.client.e2e.ratchet import _HEADER, Session
from mixnet.client.e2e.statements import Origin, text_digest
from mixnet.client.model.errors import NotSigned
from mixnet.client.model.views import MessageState
from mixnet.client.signing import transcript
from mixnet.client.signing.attestations import UNSIGNED
from mixnet.client.signing.forgery import forge_next, forge_turn
from mixnet.client.signing.transcript import BadTranscript
from mixnet.client.storage import messages
from mixnet.client.storage.messages import fresh_wire_id
from mixnet.client.storage.search import ANY
from mixnet.crypto import SigningKey
from tests.client.worlds.channel import Channel
from tests.client.worlds.friends import befriend

SAID, NEVER_SAID = "the parcel is under the third oak", "the parcel is in my own cave"


@pytest.fixture
def friends(tmp_path):
    """Alice and bob, who have talked in both directions already."""
    channel = Channel(tmp_path, seed=7)
    befriend(channel)
    for sender, receiver in (("alice", "bob"), ("bob", "alice"), ("alice", "bob")):
        channel[sender].messenger.send_text(receiver, f"hello, I am {sender}", channel.now)
        assert channel.run(60, channel.settled)
    return channel


def session_of(person) -> Session:
    (conversation,) = person.messenger._core.conversations.values()
    return conversation.session


def recorded(friends, monkeypatch, text, **options) -> SimpleNamespace:
    """Alice writes to bob, whose client keeps what ours forgets: the session before, and the message as it came."""
    bob, sealed, before = friends["bob"], [], session_of(friends["bob"])
    (conversation,) = bob.messenger._core.conversations.values()
    real = type(conversation).open_untrusted

    def keep(self, message):
        if self is conversation:
            sealed.append(message)
        return real(self, message)

    with monkeypatch.context() as patched:
        patched.setattr(type(conversation), "open_untrusted", keep)
        friends["alice"].messenger.send_text("bob", text, friends.now, **options)
        assert friends.run(60, friends.settled)
    last = bob.messenger.messages()[-1].id
    ((_, record),) = bob.messenger.archive.page(ANY, last - 1, 1)
    (message,) = sealed
    written = transcript.write(before, bob.messenger.identity, friends.now, [(record, message)])
    return SimpleNamespace(before=before, sealed=message, record=record, transcript=written)


def forge(friends, *texts) -> str:
    return friends["bob"].messenger.forge("alice", texts, friends.now)


def shape(lines):
    """All that a judge sees of a transcript but what any two differ in: texts, keys, numbers and times."""

    def kind(value):
        return {name: kind(one) for name, one in value.items()} if isinstance(value, dict) else type(value).__name__

    parsed = [json.loads(line) for line in lines.splitlines()]
    associated, model = msgspec.msgpack.decode(base64.b64decode(parsed[0]["session"]), type=tuple[bytes, str])
    parsed[0]["session"] = json.loads(model)
    return [kind(one) for one in parsed], associated


def test_a_forged_transcript_verifies_as_a_genuine_one_does(friends, monkeypatch):
    genuine = recorded(friends, monkeypatch, SAID)
    forged = forge(friends, NEVER_SAID)
    shown = [transcript.verify_untrusted(one.encode()) for one in (genuine.transcript, forged)]
    assert [[record.text for record in one.records] for one in shown] == [[SAID], [NEVER_SAID]]
    alice, bob = (friends[name].messenger.identity.hex() for name in ("alice", "bob"))
    assert {(one.sender, one.receiver) for one in shown} == {(alice, bob)}
    assert shape(genuine.transcript) == shape(forged)  # the same session of the same two people, too


def test_the_forged_message_is_byte_for_byte_what_the_contact_sends(friends, monkeypatch):
    """The strongest that can be said: bob makes it before alice does, with what he has, and it is the same.

    If he draws the same identifier, which is random in both.
    """
    first = recorded(friends, monkeypatch, "one")
    _, previous, _ = _HEADER.unpack_from(first.sealed)  # which every message of the chain tells in clear
    number = fresh_wire_id()
    forged = forge_next(session_of(friends["bob"]), encode(Text(number, SAID)), previous)
    monkeypatch.setattr(messages, "fresh_wire_id", lambda: number)
    genuine = recorded(friends, monkeypatch, SAID)
    assert forged == genuine.sealed


def test_when_the_contact_turns_the_ratchet_the_forgery_is_drawn_alike(friends, monkeypatch):
    friends["bob"].messenger.send_text("alice", "what news?", friends.now)
    assert friends.run(60, friends.settled)
    forged = forge_turn(session_of(friends["bob"]), encode(Text(fresh_wire_id(), SAID)))
    genuine = recorded(friends, monkeypatch, SAID)
    heads = [_HEADER.unpack_from(message) for message in (forged, genuine.sealed)]
    assert heads[0][1:] == heads[1][1:] and heads[0][0] != heads[1][0]  # but for a key that is random in both
    assert len(forged) == len(genuine.sealed)
    for message in (forged, genuine.sealed):
        assert genuine.before.decrypt_untrusted(message)


def test_with_all_of_the_receivers_secrets_nobody_tells_the_stores_apart(friends, monkeypatch, tmp_path):
    """Bob's whole store after a message that came, and the copy into which he put one that never did."""
    bob = friends["bob"]
    bob.store.truncate_journal()
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "bob" / "store.db", copy / "store.db")
    first = recorded(friends, monkeypatch, SAID)
    _, previous, _ = _HEADER.unpack_from(first.sealed)
    other = type(bob)("bob", copy, bob.settings, bob.rng, bob.surbs, bob.key)  # a second bob, from the copy
    number = decode_untrusted(first.before.decrypt_untrusted(first.sealed).plaintext).id
    forged = forge_next(session_of(other), encode(Text(number, NEVER_SAID)), previous)
    (conversation,) = other.messenger._core.conversations.values()
    with other.messenger._core.change():
        plaintext = conversation.open_untrusted(forged)
        conversation.delivered(0, forged)
        other.messenger._inbox._handle(conversation.contact, decode_untrusted(plaintext), friends.now)
    tables = [row[0] for row in bob.store.all("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert "messages" in tables and "sessions" in tables
    for table in (
        set(tables) - {"messages", "taken"} - {name for name in tables if name.startswith(("found", "sqlite"))}
    ):
        rows = [one.store.all(f"SELECT * FROM {table}") for one in (bob, other)]
        assert rows[0] == rows[1], table  # the ratchets too: both stand after the same message key
    hidden = "id, contact, outgoing, kind, state, size, error, remote"
    assert bob.store.all(f"SELECT {hidden} FROM messages") == other.store.all(f"SELECT {hidden} FROM messages")
    assert [one.inbox()[-1] for one in (bob, other)] == [SAID, NEVER_SAID]


def test_the_verifier_is_one(friends, monkeypatch):
    """Control: it refuses what is altered, what has no keys of the session, and what doesn't fit."""
    genuine = recorded(friends, monkeypatch, SAID)
    for made in (genuine.transcript, forge(friends, NEVER_SAID)):
        lines = [json.loads(line) for line in made.splitlines()]
        for alter in (
            lambda one: one[1].update(text="something else"),
            lambda one: one[1].update(identity="0" * 64),
            lambda one: one[1].update(outgoing=True, state="delivered"),
            lambda one: one[2].update(ciphertext=one[2]["ciphertext"][:-8] + "AAAAAAA="),
            lambda one: one[0].update(sender="0" * 64),
            lambda one: one[0].update(format="mixnet-transcript/2"),
            lambda one: one[-1].update(messages=2),
            lambda one: one.pop(1),
            lambda one: one.pop(),
        ):
            changed = json.loads(json.dumps(lines))
            alter(changed)
            with pytest.raises(BadTranscript):
                transcript.verify_untrusted("".join(json.dumps(one) + "\n" for one in changed).encode())
    friends.join("mallory")  # an outsider, whose session with alice is another one
    befriend(friends, "alice", "mallory")
    outside = forge_turn(session_of(friends["mallory"]), encode(Text(1, NEVER_SAID)))
    with pytest.raises(BadTranscript):
        made = transcript.write(genuine.before, b"b" * 32, 0.0, [(genuine.record, outside)])
        transcript.verify_untrusted(made.encode())


def test_a_forgery_gives_none_of_the_real_conversation_away(friends, monkeypatch):
    """It can be published: no key in it opens what was said before or will be said, not even what is late."""
    forged = forge(friends, NEVER_SAID)
    session = Session.restore(base64.b64decode(json.loads(forged.splitlines()[0])["session"]))
    real = json.loads(session_of(friends["bob"])._ratchet.model.model_dump_json())
    secret = {value for value in _leaves(real) if isinstance(value, str) and len(value) > 20}
    assert len(secret) >= 4
    told = json.loads(session._ratchet.model.model_dump_json())
    assert secret.isdisjoint(_leaves(told)) and told["skipped_message_keys"] == []
    for text in (SAID, "and more"):
        genuine = recorded(friends, monkeypatch, text)
        with pytest.raises(Exception, match="does not open"):
            session.decrypt_untrusted(genuine.sealed)
        assert genuine.before.decrypt_untrusted(genuine.sealed)  # the control


def _leaves(value):
    if isinstance(value, dict | list):
        return {leaf for one in (value.values() if isinstance(value, dict) else value) for leaf in _leaves(one)}
    return {value}


def test_forging_changes_nothing(friends):
    before = friends["bob"].store.all("SELECT * FROM sessions"), friends["bob"].messenger.messages()
    assert len(transcript.verify_untrusted(forge(friends, "one", "two", "three").encode()).records) == 3
    assert (friends["bob"].store.all("SELECT * FROM sessions"), friends["bob"].messenger.messages()) == before
    assert friends["bob"].messenger.wake_at() is None or friends["bob"].messenger.wake_at() > friends.now


def test_signed_messages_can_not_be_forged_that_way(friends, monkeypatch):
    """Control: with the same keys, and a genuine signature to start from, the receiver gets no proof."""
    signed = recorded(friends, monkeypatch, SAID, signed=True)
    bob = friends["bob"]
    last = bob.messenger.messages()[-1].id
    genuine = msgspec.msgpack.decode(bob.messenger.proof(last), type=Proof)
    assert verify_untrusted(genuine.encode()).text == SAID
    lie = msgspec.structs.replace(genuine.origin, size=len(NEVER_SAID), digest=text_digest(NEVER_SAID))
    own = SigningKey(bob.messenger._core.identity.expose())
    for signature in (genuine.signature, lie.sign(own)):
        with pytest.raises(BadProof):
            verify_untrusted(Proof(genuine.format, lie, signature, (NEVER_SAID.encode(),), None, ()).encode())
    assert signed.record.text == SAID


def test_a_forged_signed_message_opens_and_is_refused(friends, monkeypatch):
    """The session's keys let bob forge the message, not the signature in it: his own client refuses it."""
    bob = friends["bob"]
    (conversation,) = bob.messenger._core.conversations.values()
    core, time = bob.messenger._core, int(friends.now)
    origin = Origin(
        network=core.home.network_id,
        sender=friends["alice"].messenger.identity,
        receiver=core.identity_public,
        number=50,
        time=time,
        kind="text",
        size=len(NEVER_SAID),
        digest=text_digest(NEVER_SAID),
    )
    body = SignedText(50, NEVER_SAID, time, origin.sign(SigningKey(core.identity.expose())))
    opened = session_of(bob).decrypt_untrusted(forge_next(session_of(bob), encode(body)))
    bob.messenger._inbox._handle(conversation.contact, decode_untrusted(opened.plaintext), friends.now)
    last = bob.messenger.messages()[-1]
    assert (last.state, last.error, last.signed) == (MessageState.FAILED, UNSIGNED, False)
    with pytest.raises(NotSigned):
        bob.messenger.proof(last.id)
