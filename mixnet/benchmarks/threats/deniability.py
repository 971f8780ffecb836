"""P5: whether a receiver can forge what verifies as a message of the sender's (spec/13-measurements.md 13.9).

Promises: the forger has what the receiver of a conversation has, and of the sender nothing but what he told; the
verifier is the code that a receiver's client runs, with the receiver's keys, which is the most that a third party can
be shown. It is a check of what messages prove, not of what else does: a provider that saw packets, or a judge who takes
part while the conversation goes on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import doubleratchet
import x3dh

from mixnet import crypto
from mixnet.benchmarks.base.figures import Finding
from mixnet.benchmarks.threats.shape import never, shown
from mixnet.client.e2e import x3dh as agreement
from mixnet.client.e2e.ratchet import _HEADER, Session, result_of
from mixnet.client.e2e.x3dh import Prekeys, identity_public, start_untrusted
from mixnet.client.signing.forgery import forge_at
from mixnet.crypto import Label, SigningKey, SymmetricKey
from mixnet.errors import LocalError, RemoteError

TRIES = 10
_GENUINE, _FORGED = b"the parcel is under the third oak", b"the parcel is in alice's own cave"
_INVITATION = bytes(32)  # the digest of an invitation's text


@dataclass(frozen=True)
class _Talk:
    """What the receiver has: prekeys, the sender's identity, the session before a genuine message, and that message."""

    prekeys: Prekeys
    sender: bytes
    session: Session
    message: bytes


def deniability() -> Finding:
    """P5: forged first messages and forged later ones, that the receiver's own verification refuses."""
    refused = strangers = genuine = signed = 0
    for _ in range(TRIES):
        talk = _conversation()
        hello = _forged_hello(talk.prekeys, talk.sender, _FORGED)
        refused += _first(talk, hello) != (talk.sender, _FORGED)
        refused += _later(talk, _forged_message(talk, _FORGED)) != _FORGED
        genuine += _later(talk, talk.message) == _GENUINE
        outsider = _conversation()  # who has keys of a conversation, and not of this one
        strangers += _first(talk, _forged_hello(outsider.prekeys, talk.sender, _FORGED)) is None
        strangers += _later(talk, _forged_message(outsider, _FORGED)) is None
        signed += not _signature_forged()
    return Finding(
        "deniability", "Transcripts forged by the receiver", ("P5",), "external, local, active: the contact",
        "messages are authenticated by keys that both have, and nothing is signed unless the sender asks for it",
        f"{TRIES} first messages of somebody who never wrote, and {TRIES} messages in the place of genuine ones; "
        "what a provider saw of packets, and a judge who takes part, are outside",
        (never("forgeries_refused", "forgeries that verify less well than what was sent", refused, 2 * TRIES),),
        (
            shown("the same verification accepts what was sent", genuine, TRIES),
            shown("it refuses what somebody without the receiver's keys forged", strangers, 2 * TRIES),
            shown("if messages were signed: the receiver's forgery is refused", signed, TRIES),
        ),
    )  # fmt: skip


def _conversation() -> _Talk:
    """A genuine one: a greeting, an answer, and a message that the receiver has not opened yet."""
    alice, bob = SymmetricKey.generate(), SymmetricKey.generate()
    prekeys = Prekeys.generate(bob)
    kept = Prekeys.restore(prekeys.serialize())
    started = start_untrusted(alice, prekeys.public, _INVITATION, b"hello")
    answered = prekeys.answer_untrusted(started.hello, _INVITATION)
    confirmed = answered.session.encrypt(b"welcome")
    sender = started.session.decrypt_untrusted(confirmed.message).session
    first = sender.encrypt(b"it is alice")
    second = first.session.encrypt(_GENUINE)
    return _Talk(
        kept, identity_public(alice), confirmed.session.decrypt_untrusted(first.message).session, second.message
    )


def _forged_hello(prekeys: Prekeys, sender: bytes, text: bytes) -> bytes:
    """A first message in the name of `sender`, from the inviter's secrets and the sender's public identity.

    The inviter knows one secret of each Diffie-Hellman pair of X3DH, so he computes what the sender would.
    """
    public, ephemeral = prekeys.public, crypto.x25519_base(os.urandom(crypto.KEY_SIZE))
    header = x3dh.Header(sender, ephemeral, public.prekey, public.one_time)
    secret, associated, _ = result_of(Prekeys.restore(prekeys.serialize())._state.get_shared_secret_passive(header))
    kem, ciphertext = crypto.encapsulate_untrusted(public.kem)
    head = agreement._HELLO.pack(sender, ephemeral, ciphertext)
    transcript = agreement._transcript(associated, public, head, _INVITATION)
    mixed = agreement._mix(secret, kem, transcript)
    return head + Session.start(mixed.ratchet, public.prekey, transcript, text).message


def _forged_message(talk: _Talk, text: bytes) -> bytes:
    """Another text in the place of the genuine message, with the key by which the receiver would open that."""
    return forge_at(talk.session, doubleratchet.Header(*_HEADER.unpack_from(talk.message)), text)


def _first(talk: _Talk, hello: bytes) -> tuple[bytes, bytes] | None:
    """(who wrote, what) as the receiver's client reads a first message."""
    try:
        answered = Prekeys.restore(talk.prekeys.serialize()).answer_untrusted(hello, _INVITATION)
    except RemoteError:
        return None
    return answered.identity, answered.plaintext


def _later(talk: _Talk, message: bytes) -> bytes | None:
    """What the receiver's client reads in a later message."""
    try:
        return talk.session.decrypt_untrusted(message).plaintext
    except RemoteError:
        return None


def _signature_forged() -> bool:
    """Whether the receiver, with a signature of another text and a key of his own, makes one that verifies.

    LocalError if not even the genuine one does: then nothing would be shown.
    """
    alice, bob = SigningKey.generate(), SigningKey.generate()
    had = alice.sign(Label.MESSAGE, _GENUINE)
    if not _verifies(alice.public, _GENUINE, had):
        raise LocalError("a genuine signature does not verify: report it")
    return any(_verifies(alice.public, _FORGED, one) for one in (had, bob.sign(Label.MESSAGE, _FORGED)))


def _verifies(public: bytes, text: bytes, signature: bytes) -> bool:
    try:
        crypto.verify_untrusted(public, Label.MESSAGE, text, signature)
    except RemoteError:
        return False
    return True
