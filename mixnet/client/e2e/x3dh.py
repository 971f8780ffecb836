"""The first secret of two contacts: X3DH (PyPI package `x3dh`), mixed with ML-KEM-768.

Promises: the secret holds as long as either X25519 or ML-KEM-768 does (the pattern of PQXDH): both parts are hashed
together with everything that both sides said, so a changed key on either side ends in different secrets and nothing
opens. One-time keys are made for one invitation and forgotten with it. Nobody can prove to a third person who spoke:
the only signature is on a prekey, and says nothing of any conversation; those on messages are the user's to ask for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Self

import msgspec
import x3dh
import xeddsa
from x3dh.identity_key_pair import IdentityKeyPairSeed

from mixnet import crypto
from mixnet.client.arq.fragments import CHANNEL_SIZE, ChannelKey
from mixnet.client.e2e.ratchet import Decrypted, Encrypted, Session, result_of
from mixnet.crypto import KemSecret, Label, SymmetricKey
from mixnet.errors import LocalError, RemoteError

_INFO = b"mixnet/1 x3dh"
_HELLO = struct.Struct(f">{crypto.KEY_SIZE}s{crypto.KEY_SIZE}s{crypto.KEM_CIPHERTEXT_SIZE}s")
_FORMAT = x3dh.IdentityKeyFormat.ED_25519
# Whatever hostile keys make the two packages raise; none of it may escape as anything but RemoteError.
_HOSTILE = (x3dh.KeyAgreementException, xeddsa.XEdDSAException, ValueError)


class _State(x3dh.BaseState):
    """The package's X3DH with our encoding of public keys: the format in a byte, then the key."""

    @staticmethod
    def _encode_public_key(key_format: x3dh.IdentityKeyFormat, pub: bytes) -> bytes:
        return (b"\x01" if key_format is _FORMAT else b"\x00") + pub


def _new_state(identity: SymmetricKey) -> _State:
    return _State.create(_FORMAT, x3dh.HashFunction.SHA_256, _INFO, IdentityKeyPairSeed(identity.expose()))


def identity_public(identity: SymmetricKey) -> bytes:
    """The 32-byte Ed25519 key of an identity's seed: what a safety number is made of."""
    return _new_state(identity).bundle.identity_key


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What an invitation tells: identity, signed prekey and one-time prekey (32 bytes each), signature, ML-KEM key."""

    identity: bytes
    prekey: bytes
    signature: bytes
    one_time: bytes
    kem: bytes

    def bundle(self) -> x3dh.Bundle:
        """As the package wants it."""
        return x3dh.Bundle(self.identity, self.prekey, self.signature, frozenset({self.one_time}))

    def fields(self) -> tuple[bytes, ...]:
        """All of it, in the order of the transcript."""
        return (self.identity, self.prekey, self.signature, self.one_time, self.kem)


@dataclass(frozen=True, slots=True)
class Channels:
    """Where each side of a session listens, as this side sees it."""

    incoming: ChannelKey
    outgoing: ChannelKey


@dataclass(frozen=True, slots=True)
class Started:
    """The initiator's side: the first message to send, the session after it, and the channels of the session."""

    hello: bytes = field(repr=False)
    session: Session
    channels: Channels


@dataclass(frozen=True, slots=True)
class Answered:
    """The inviter's side: who wrote, what, the session after it, and the channels of the session."""

    identity: bytes
    plaintext: bytes = field(repr=False)
    session: Session
    channels: Channels


class Prekeys:
    """The secret half of one invitation."""

    def __init__(self, state: _State, kem: KemSecret) -> None:
        self._state, self._kem = state, kem

    @classmethod
    def generate(cls, identity: SymmetricKey) -> Self:
        """Fresh keys, signed by `identity`."""
        state = _new_state(identity)
        state.generate_pre_keys(1)
        return cls(state, KemSecret.generate())

    @property
    def public(self) -> PublicKeys:
        """The half that goes into the invitation."""
        bundle = self._state.bundle
        (one_time,) = bundle.pre_keys
        return PublicKeys(
            bundle.identity_key, bundle.signed_pre_key, bundle.signed_pre_key_sig, one_time, self._kem.public
        )

    def answer_untrusted(self, hello: bytes, invitation: bytes) -> Answered:
        """Open an initiator's first message to the invitation of this secret; RemoteError if it is not genuine."""
        if len(hello) < _HELLO.size:
            raise RemoteError("a first message that ends early")
        identity, ephemeral, ciphertext = _HELLO.unpack_from(hello)
        public = self.public
        header = x3dh.Header(identity, ephemeral, public.prekey, public.one_time)
        try:
            secret, associated, prekey = result_of(self._state.get_shared_secret_passive(header))
        except _HOSTILE:
            raise RemoteError("a first message with unusable keys") from None
        transcript = _transcript(associated, public, hello, invitation)
        mixed = _mix(secret, self._kem.decapsulate_untrusted(ciphertext), transcript)
        opened: Decrypted = Session.answer_untrusted(mixed.ratchet, prekey.priv, transcript, hello[_HELLO.size :])
        channels = Channels(incoming=mixed.forth, outgoing=mixed.back)
        return Answered(identity, opened.plaintext, opened.session, channels)

    def serialize(self) -> bytes:
        """Secret keys included: for the encrypted store only."""
        return msgspec.msgpack.encode((self._state.model.model_dump_json(), self._kem.expose()))

    @classmethod
    def restore(cls, raw: bytes) -> Self:
        """What `serialize` gave."""
        model, kem = msgspec.msgpack.decode(raw, type=tuple[str, bytes])
        state = _State.from_model(
            x3dh.BaseStateModel.model_validate_json(model), _FORMAT, x3dh.HashFunction.SHA_256, _INFO
        )
        return cls(state, KemSecret(kem))


def start_untrusted(identity: SymmetricKey, theirs: PublicKeys, invitation: bytes, plaintext: bytes) -> Started:
    """Begin a session with an inviter by a first message; RemoteError if the invitation's keys are unusable."""
    state = _new_state(identity)
    try:
        secret, associated, header = result_of(state.get_shared_secret_active(theirs.bundle()))
    except _HOSTILE:
        raise RemoteError("an invitation with unusable keys") from None
    kem_secret, ciphertext = crypto.encapsulate_untrusted(theirs.kem)
    head = _HELLO.pack(header.identity_key, header.ephemeral_key, ciphertext)
    transcript = _transcript(associated, theirs, head, invitation)
    mixed = _mix(secret, kem_secret, transcript)
    sealed: Encrypted = Session.start(mixed.ratchet, theirs.prekey, transcript, plaintext)
    return Started(head + sealed.message, sealed.session, Channels(incoming=mixed.back, outgoing=mixed.forth))


def invitation_channel(secret: SymmetricKey) -> ChannelKey:
    """Where the first message to an invitation goes; its secret is known to whoever holds the invitation."""
    return _channel(secret.expose(), b"invitation")


@dataclass(frozen=True, slots=True)
class _Mixed:
    ratchet: SymmetricKey
    forth: ChannelKey
    back: ChannelKey


def _transcript(associated: bytes, inviter: PublicKeys, hello: bytes, invitation: bytes) -> bytes:
    """Both identities and everything that both sides said, in 32 bytes.

    PQXDH signs the ML-KEM key; here it is part of the transcript instead: with another key put in its place the two
    sides hash different transcripts, and the first message does not open.
    """
    return crypto.digest(Label.X3DH, associated, *inviter.fields(), hello[: _HELLO.size], invitation)


def _mix(secret: bytes, kem_secret: bytes, transcript: bytes) -> _Mixed:
    """Both secrets and the transcript into one, and from that one the ratchet's and the channels' keys."""
    if len(secret) != crypto.KEY_SIZE or len(kem_secret) != crypto.KEY_SIZE:
        raise LocalError("both agreements give 32 bytes")
    mixed = crypto.digest(Label.HYBRID, secret, kem_secret, transcript)
    return _Mixed(
        ratchet=SymmetricKey(crypto.digest(Label.HYBRID, mixed, b"ratchet")),
        forth=_channel(mixed, b"initiator to inviter"),
        back=_channel(mixed, b"inviter to initiator"),
    )


def _channel(secret: bytes, direction: bytes) -> ChannelKey:
    name = crypto.digest(Label.CHANNEL, secret, direction, b"name")[:CHANNEL_SIZE]
    return ChannelKey(name, SymmetricKey(crypto.digest(Label.CHANNEL, secret, direction, b"key")))
