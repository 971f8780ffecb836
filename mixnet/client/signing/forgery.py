"""Forges a conversation with its receiver's keys alone, which shows that unsigned messages are deniable.

Promises: what comes out was made with the receiver's own keys alone, and is distributed as what the contact would send:
in the chain that the contact uses now, the very bytes. A transcript for export holds no key that protects anything of
the real conversation: its session is one in which a fresh key has turned the ratchet, and the real one's keys lie
before a hash. Nothing is stored or sent. Signed messages can't be made so: a signature needs the contact's own key.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence

import doubleratchet
import msgspec

from mixnet import crypto
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import Confirm, Text, encode
from mixnet.client.e2e.ratchet import _HEADER, Session, _Aead, result_of
from mixnet.client.model.errors import NoSession
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.signing import transcript
from mixnet.client.storage.contacts import Contact
from mixnet.client.storage.export_jsonl import Record
from mixnet.client.storage.messages import fresh_wire_id

FORGED_LIMIT = 1 << 17  # letters in one transcript: it must fit into an answer of the local protocol


def forge_transcript(core: Core, contact: str, texts: Sequence[str], now: float) -> str:
    """A transcript in which a contact has written these texts just now; UnknownContact, NoSession."""
    known = core.contacts.named(contact)
    conversation = core.routes.get(known.id)
    if conversation is None:
        raise NoSession
    session = opening = _departed(conversation.session)
    shown = []
    for place, text in enumerate(texts, 1):
        ciphertext = forge_next(session, encode(Text(fresh_wire_id(), text)))
        session = session.decrypt_untrusted(ciphertext).session
        shown.append((_record(core, place, known, text, now), ciphertext))
    return transcript.write(opening, core.identity_public, now, shown)


def forge_next(session: Session, plaintext: bytes, previous_length: int = 0) -> bytes:
    """The contact's next message in the chain that it uses now; NoSession if none of it ever came.

    Key, nonce and header all follow from what both sides have, so this is, byte for byte, what the contact's client
    sends if it says the same. `previous_length` is that of the contact's chain before: every message tells it in clear.
    """
    now = session._ratchet.model.diffie_hellman_ratchet
    chain = now.symmetric_key_ratchet.receiving_chain
    if chain is None:
        raise NoSession
    return forge_at(session, doubleratchet.Header(now.other_ratchet_pub, previous_length, chain.length), plaintext)


def forge_turn(session: Session, plaintext: bytes) -> bytes:
    """A message with which the contact turns the ratchet, by a key that is drawn here as it would be there."""
    fresh = crypto.x25519_base(os.urandom(crypto.KEY_SIZE))
    return forge_at(session, doubleratchet.Header(fresh, session._ratchet.receiving_chain_length or 0, 0), plaintext)


def forge_at(session: Session, header: doubleratchet.Header, plaintext: bytes) -> bytes:
    """A message of the contact's with this header: sealed with the key with which the receiver would open it."""
    ratchet = copy.deepcopy(session._ratchet)
    keys = ratchet._DoubleRatchet__diffie_hellman_ratchet  # type: ignore[attr-defined]
    key, _ = result_of(keys.next_decryption_key(header))
    associated = ratchet._build_associated_data(session._associated, header)
    return _HEADER.pack(*header) + result_of(_Aead.encrypt(plaintext, key, associated))


def _departed(session: Session) -> Session:
    """The session after a turn that the contact never made, without the keys of genuine messages that are awaited."""
    turned = session.decrypt_untrusted(forge_turn(session, encode(Confirm()))).session
    associated, model = msgspec.msgpack.decode(turned.serialize(), type=tuple[bytes, str])
    emptied = json.dumps({**json.loads(model), "skipped_message_keys": []})
    return Session.restore(msgspec.msgpack.encode((associated, emptied)))


def _record(core: Core, place: int, contact: Contact, text: str, now: float) -> Record:
    """As the archive would export it, but for its number, which would count all messages here: its place instead."""
    return Record(
        origin=core.identity_public.hex(),
        number=place,
        identity=contact.identity.hex(),
        contact=contact.name,
        outgoing=False,
        kind=MessageKind.TEXT,
        state=MessageState.RECEIVED,
        text=text,
        size=0,
        done=0,
        error="",
        created_at=now,
        sent_at=0.0,
        drawn_delay=0.0,
        received_at=now,
    )
