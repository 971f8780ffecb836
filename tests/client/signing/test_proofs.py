"""Proofs, transcripts and testimonies as bytes from anybody: verified, or refused with one kind of error."""

import base64
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixnet import timestamp
from mixnet.client.cli import render_proof
from mixnet.client.e2e.bodies import Text, encode
from mixnet.client.e2e.proof import FORMAT, BadProof, Proof, Stated, verify_untrusted
from mixnet.client.e2e.ratchet import Session
from mixnet.client.e2e.statements import (
    Origin,
    ReceiptKind,
    file_digest,
    sign_receipt,
    text_digest,
    verify_receipt_untrusted,
)
from mixnet.client.e2e.timestamp import Consensus, Timestamp, check_untrusted, commitment
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.signing import transcript
from mixnet.client.signing.forgery import forge_next, forge_turn
from mixnet.client.signing.transcript import BadTranscript
from mixnet.client.storage.export_jsonl import Record
from mixnet.crypto import SigningKey, SphinxSecret, SymmetricKey
from mixnet.errors import RemoteError
from mixnet.services import BODY_LIMIT, Question, ServiceAnswer, ServiceStatus
from mixnode.timestamps import timestamp_handler
from tests.client.worlds.town import START, Town

ALICE, BOB = SigningKey(b"a" * 32), SigningKey(b"b" * 32)
SALT = b"s" * 32
TIMES = st.integers(0, (1 << 40) - 1)
TOWN = Town()
NETWORK = TOWN.bootstrap.network_id


def origin(text="I owe you ten", **changes):
    fields = {
        "network": NETWORK,
        "sender": ALICE.public,
        "receiver": BOB.public,
        "number": 7,
        "time": int(START),
        "kind": "text",
        "size": len(text.encode()),
        "digest": text_digest(text),
    }
    return Origin(**{**fields, **changes})


def proof(text="I owe you ten", times=(1, 2), submission=None):
    said = origin(text)
    receipts = tuple(
        Stated(kind, time, sign_receipt(BOB, kind, said, time)) for kind, time in zip(ReceiptKind, times, strict=False)
    )
    return Proof(FORMAT, said, said.sign(ALICE), (text.encode(),), submission, receipts)


def consensus(town=TOWN, epoch=0):
    root = town.bootstrap
    return Consensus(root.genesis, root.epoch_length, root.identities, root.required, (), town.document(epoch))


def submission(time=START, key=None, said=None, whole=None):
    said = said or origin()
    committed = commitment(said, said.sign(ALICE), SALT)
    key = key or TOWN.providers[0]
    token = timestamp.TimestampToken.issue(key, NETWORK, committed, time)
    return Timestamp(key.public, token.time, token.signature, SALT, whole or consensus())


WHOLE = proof(submission=submission()).encode()


@given(st.text(max_size=300), st.lists(TIMES, max_size=2))
@settings(max_examples=30, deadline=None)
def test_a_proof_comes_back(text, times):
    made = proof(text, times)
    proven = verify_untrusted(made.encode())
    assert (proven.text, proven.origin, proven.receipts) == (text, made.origin, made.receipts)
    assert render_proof.as_map(proven)["text"] == text
    assert len([one for one in render_proof.sentences(proven) if one.startswith("proven")]) == 1 + len(times)


@given(st.binary(max_size=400))
def test_garbage_is_no_proof(raw):
    with pytest.raises(BadProof):
        verify_untrusted(raw)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_proof_with_a_part_replaced_is_refused(data):
    raw = WHOLE
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, len(raw)))
    changed = raw[:start] + data.draw(st.binary(max_size=40)) + raw[end:]
    if changed != raw:
        with pytest.raises(BadProof):
            verify_untrusted(changed)


def test_another_encoding_of_the_same_is_refused():
    made = proof()
    assert verify_untrusted(made.encode()).origin == made.origin
    spelled = made.encode().replace(b"\x07\xce", b"\xcc\x07\xce")  # the number in two bytes instead of one
    assert msgspec.msgpack.decode(spelled, type=Proof) == made
    with pytest.raises(BadProof):
        verify_untrusted(spelled)


def test_a_proof_of_a_file_is_of_its_name_and_content():
    said = origin(kind="file", size=3, digest=file_digest("a.txt", b"c" * 32))
    made = Proof(FORMAT, said, said.sign(ALICE), (b"a.txt", b"c" * 32), None, ())
    proven = verify_untrusted(made.encode())
    assert (proven.text, proven.name, proven.chain) == (None, "a.txt", b"c" * 32)
    for content in ((b"b.txt", b"c" * 32), (b"a.txt", b"d" * 32), (b"a.txt",), (b"a.txtc", b"c" * 31)):
        with pytest.raises(BadProof):
            verify_untrusted(msgspec.structs.replace(made, content=content).encode())


def test_a_proof_has_the_parts_of_its_kind_and_no_more():
    text, file = proof(), origin(kind="file", size=3, digest=file_digest("a.txt", b"c" * 32))
    parts = (b"a.txt", b"c" * 32)
    for made, wrong in (
        (text, (*text.content, b"more")),
        (text, ()),
        (Proof(FORMAT, file, file.sign(ALICE), parts, None, ()), (*parts, b"more")),
        (Proof(FORMAT, file, file.sign(ALICE), parts, None, ()), parts[:1]),
    ):
        assert verify_untrusted(made.encode()).origin == made.origin
        with pytest.raises(BadProof):
            verify_untrusted(msgspec.structs.replace(made, content=wrong).encode())


def test_statements_of_one_kind_are_none_of_another():
    said = origin()
    for kind, other in (ReceiptKind, list(ReceiptKind)[::-1]):
        signature = sign_receipt(BOB, kind, said, 5)
        verify_receipt_untrusted(kind, said, 5, signature)
        with pytest.raises(RemoteError):
            verify_receipt_untrusted(other, said, 5, signature)
        with pytest.raises(RemoteError):
            said.verify_untrusted(signature)
    own = origin(sender=BOB.public)  # whoever writes to himself has still to sign twice
    with pytest.raises(RemoteError):
        verify_receipt_untrusted(ReceiptKind.DELIVERY, own, own.time, own.sign(BOB))


@pytest.mark.parametrize("time", [-1, 1 << 40, 1 << 70])
def test_impossible_times_are_refused(time):
    with pytest.raises(RemoteError):
        verify_receipt_untrusted(ReceiptKind.DELIVERY, origin(), time, bytes(64))
    with pytest.raises(RemoteError):
        timestamp.TimestampToken(time, bytes(64)).verify_untrusted(BOB.public, NETWORK, SALT)


def test_a_time_beyond_all_calendars_can_be_shown():
    assert "second" in "".join(render_proof.sentences(verify_untrusted(proof(times=((1 << 40) - 1,)).encode())))


# submission


def test_a_timestamp_counts_in_the_time_of_its_document_only():
    length = TOWN.parameters.epoch_length
    for time, fine in (
        (START, True),
        (START + 2 * length, True),
        (START - 10, False),
        (START + 2 * length + 10, False),
    ):
        made = proof(submission=submission(time)).encode()
        if fine:
            assert verify_untrusted(made).submission.time == int(time)
        else:
            with pytest.raises(BadProof):
                verify_untrusted(made)


@pytest.mark.parametrize("key", [TOWN.mixes[0], ALICE, BOB, TOWN.authority])
def test_only_providers_are_witnesses(key):
    with pytest.raises(BadProof):
        verify_untrusted(proof(submission=submission(key=key)).encode())


def test_a_network_that_somebody_made_up_is_another_one():
    """Anybody can sign documents as authorities of a network of their own; its identifier is what the sender signed."""
    fake = Town(start=START + 1)
    assert fake.bootstrap.network_id != NETWORK
    whole, said = consensus(fake), origin()
    document = whole.verify_untrusted(fake.bootstrap.network_id)
    committed = commitment(said, said.sign(ALICE), SALT)
    token = timestamp.TimestampToken.issue(fake.providers[0], document.network_id, committed, START + 2)
    check_untrusted(token, fake.providers[0].public, document, committed)  # nothing else is wrong with it
    made_up = Timestamp(fake.providers[0].public, token.time, token.signature, SALT, whole)
    with pytest.raises(BadProof):
        verify_untrusted(proof(submission=made_up).encode())
    for changes in ({"genesis": float("nan")}, {"epoch_length": -1.0}, {"required": 0}, {"epoch_length": float("inf")}):
        with pytest.raises(BadProof):
            odd = msgspec.structs.replace(consensus(), **changes)
            verify_untrusted(proof(submission=submission(whole=odd)).encode())


def test_authorities_that_were_introduced_are_believed_and_their_introduction_is_needed():
    town = Town()
    town.lineage.succeed(3, announced=1)
    introduction, later = town.document(1), town.document(4)
    root = town.bootstrap
    whole = Consensus(root.genesis, root.epoch_length, root.identities, root.required, (introduction,), later)
    time = root.epochs.start(4) + 1
    made = proof(submission=submission(time, whole=whole))
    assert verify_untrusted(made.encode()).document.epoch == 4
    for introductions in ((), (introduction, introduction), (town.document(0),), (town.document(2), introduction)):
        odd = msgspec.structs.replace(whole, introductions=introductions)
        with pytest.raises(BadProof):
            verify_untrusted(msgspec.structs.replace(made, submission=submission(time, whole=odd)).encode())


def test_a_witness_signs_what_it_is_given_and_when(monkeypatch):
    class Clock:
        def now(self):
            return START + 0.9

    handler = timestamp_handler(TOWN.providers[1], NETWORK, Clock())
    committed = commitment(origin(), origin().sign(ALICE), SALT)
    answer = handler(timestamp.question(committed), 12.0)
    token = timestamp.TimestampToken.parse_untrusted(ServiceAnswer.parse_untrusted(answer.encode()))
    assert token.time == int(START)
    document = consensus().verify_untrusted(NETWORK)
    check_untrusted(token, TOWN.providers[1].public, document, committed)
    for who, what in ((TOWN.providers[0].public, committed), (TOWN.providers[1].public, b"x" * 32)):
        with pytest.raises(RemoteError):
            check_untrusted(token, who, document, what)
    with pytest.raises(RemoteError):
        handler(Question(timestamp.OPERATION, committed, b"more"), 12.0)


@given(st.sampled_from(ServiceStatus), st.binary(max_size=100))
def test_an_answer_is_a_timestamp_or_refused(status, body):
    try:
        token = timestamp.TimestampToken.parse_untrusted(ServiceAnswer(status, body))
    except RemoteError:
        return
    assert token.answer() == ServiceAnswer(status, body) and len(body) < BODY_LIMIT


def test_a_commitment_tells_nothing_without_its_salt():
    said = origin()
    signature = said.sign(ALICE)
    seen = {commitment(said, signature, bytes([n]) * 32) for n in range(50)}
    assert len(seen) == 50 and commitment(said, signature, SALT) == commitment(said, signature, SALT)
    assert commitment(origin("other"), signature, SALT) != commitment(said, signature, SALT)
    assert commitment(said, bytes(64), SALT) != commitment(said, signature, SALT)


# transcripts


def talk() -> Session:
    """The receiver's session, after one message came."""
    secret, prekey = SymmetricKey(b"k" * 32), SphinxSecret(b"p" * 32)
    sealed = Session.start(secret, prekey.public, b"a" * 32, b"hello")
    return Session.answer_untrusted(secret, prekey.expose(), b"a" * 32, sealed.message).session


def record(text):
    people = {"origin": BOB.public.hex(), "identity": ALICE.public.hex(), "contact": "alice", "outgoing": False}
    what = {"number": 1, "kind": MessageKind.TEXT, "state": MessageState.READ, "text": text, "error": ""}
    figures = dict.fromkeys(("size", "done"), 0) | dict.fromkeys(
        ("created_at", "sent_at", "drawn_delay", "received_at"), 1.0
    )
    return Record(**people, **what, **figures)


def written(text):
    session = talk()
    return transcript.write(session, BOB.public, 1.0, [(record(text), forge_next(session, encode(Text(1, text))))])


WRITTEN = written("the parcel")  # once: its keys are random, and examples must be the same when they are tried again


@given(st.text(min_size=1, max_size=100))
@settings(max_examples=20, deadline=None)
def test_a_transcript_comes_back(text):
    shown = transcript.verify_untrusted(written(text).encode())
    assert [one.text for one in shown.records] == [text]
    assert not render_proof.transcript_map(shown)["evidence"]
    assert any(one.startswith("not proven: who wrote it") for one in render_proof.transcript_sentences(shown))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_transcript_that_was_changed_is_refused_or_says_the_same(data):
    """A session has keys that this conversation doesn't need: only they, and times, can change unnoticed."""
    raw = WRITTEN.encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + data.draw(st.binary(max_size=2)) + raw[at + 1 :]
    try:
        shown = transcript.verify_untrusted(changed)
    except BadTranscript:
        return
    assert [one.text for one in shown.records] == ["the parcel"]


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda one: st.lists(one, max_size=3)), st.data())
@settings(max_examples=100, deadline=None)
def test_a_session_of_nonsense_is_refused(value, data):
    """What stands in the place of secret keys goes through the ratchet's own package: nothing of it escapes."""
    lines = WRITTEN.splitlines()
    opening = json.loads(lines[0])
    associated, model = msgspec.msgpack.decode(base64.b64decode(opening["session"]), type=tuple[bytes, str])
    state = json.loads(model)
    place = data.draw(st.sampled_from(["version", "diffie_hellman_ratchet", "skipped_message_keys", "own", "root"]))
    inner = state["diffie_hellman_ratchet"]
    if place == "own":
        inner["own_ratchet_priv"] = value
    elif place == "root":
        inner["symmetric_key_ratchet"]["receiving_chain"] = value
    else:
        state[place] = value
    opening["session"] = base64.b64encode(msgspec.msgpack.encode((associated, json.dumps(state)))).decode()
    try:
        transcript.verify_untrusted("\n".join([json.dumps(opening), *lines[1:], ""]).encode())
    except BadTranscript:
        return
    assert place in ("version", "own", "skipped_message_keys")


def test_a_ratchet_key_of_the_wrong_size_is_refused():
    session = talk()
    message = forge_turn(session, encode(Text(1, "x")))
    lines = transcript.write(session, BOB.public, 1.0, [(record("x"), message)]).splitlines()
    transcript.verify_untrusted(("\n".join(lines) + "\n").encode())
    opening = json.loads(lines[0])
    associated, model = msgspec.msgpack.decode(base64.b64decode(opening["session"]), type=tuple[bytes, str])
    state = json.loads(model)
    state["diffie_hellman_ratchet"]["own_ratchet_priv"] = state["diffie_hellman_ratchet"]["own_ratchet_priv"][:4]
    opening["session"] = base64.b64encode(msgspec.msgpack.encode((associated, json.dumps(state)))).decode()
    with pytest.raises(BadTranscript):
        transcript.verify_untrusted(("\n".join([json.dumps(opening), *lines[1:]]) + "\n").encode())


@pytest.mark.parametrize("raw", [b"", b"{}", b"\n\n\n\n\n", b"{" * 5000, b"[]\n" * 5])
def test_what_is_no_transcript_is_refused(raw):
    with pytest.raises(BadTranscript):
        transcript.verify_untrusted(raw)
