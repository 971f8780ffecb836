"""End-to-end sessions: the Double Ratchet of the package `doubleratchet`, on our primitives.

Promises: a `Session` never changes: to encrypt or decrypt gives the text and the next session, so that the caller
commits (stores the next, then acts) or forgets. Skipped keys are limited in number. A message that was altered, was
seen before or belongs to another session raises RemoteError and costs the session nothing.

    message = ratchet key 32 · previous chain's length 4 · number in chain 4 · ciphertext and tag

The package's functions are coroutines that never wait: `result_of` steps each of them once.
"""

from __future__ import annotations

import copy
import json
import os
import struct
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import doubleratchet
import msgspec

from mixnet import crypto
from mixnet.crypto import Label
from mixnet.errors import LocalError, RemoteError

# A gap this long can arise only from messages that expired while the contact was away: each window of them leaves at
# most sixteen behind. Deriving a thousand keys takes a few hundredths of a second, so a hostile contact gains nothing.
MAX_SKIPPED = 1000
MAX_SKIPPED_STORED = 2000
_HEADER = struct.Struct(f">{crypto.KEY_SIZE}sII")
OVERHEAD = _HEADER.size + crypto.TAG_SIZE
_CHAIN_CONSTANT = b"\x01"

T = TypeVar("T")


def result_of(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits; LocalError if it does."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    coroutine.close()
    raise LocalError("a coroutine that was to run at once waits for something")


class _Aead(doubleratchet.AEAD):
    """ChaCha20-Poly1305, with key and nonce both derived from the message key.

    Each message key encrypts one message ever, so a constant nonce would do; deriving it as well costs nothing, and
    keeps a key that was used twice by a bug from giving away a keystream unless the whole message key repeats.
    """

    @staticmethod
    def _key_and_nonce(message_key: bytes) -> tuple[bytes, bytes]:
        both = crypto.derive(Label.MESSAGE, message_key, crypto.KEY_SIZE + crypto.NONCE_SIZE)
        return both[: crypto.KEY_SIZE], both[crypto.KEY_SIZE :]

    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        """See the package."""
        return crypto.seal(*_Aead._key_and_nonce(key), plaintext, associated_data)

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        """See the package."""
        try:
            return crypto.unseal_untrusted(*_Aead._key_and_nonce(key), ciphertext, associated_data)
        except RemoteError:
            raise doubleratchet.AuthenticationFailedException from None


class _RootKdf(doubleratchet.KDF):
    """BLAKE2b under a label of its own; the key has a fixed length, so key and data can't be confused."""

    @staticmethod
    async def derive(key: bytes, data: bytes, length: int) -> bytes:
        """See the package."""
        return crypto.derive(Label.ROOT, key + data, length)


class _ChainKdf(doubleratchet.KDF):
    """As the root's, under another label."""

    @staticmethod
    async def derive(key: bytes, data: bytes, length: int) -> bytes:
        """See the package."""
        return crypto.derive(Label.CHAIN, key + data, length)


class _DiffieHellman(doubleratchet.DiffieHellmanRatchet):
    """X25519 that refuses points of low order."""

    @staticmethod
    def _generate_priv() -> bytes:
        return os.urandom(crypto.KEY_SIZE)

    @staticmethod
    def _derive_pub(priv: bytes) -> bytes:
        return crypto.x25519_base(priv)

    @staticmethod
    def _perform_diffie_hellman(own_priv: bytes, other_pub: bytes) -> bytes:
        return crypto.x25519(own_priv, other_pub)


class _Ratchet(doubleratchet.DoubleRatchet):
    """The package's Double Ratchet with our encoding of headers."""

    @staticmethod
    def _build_associated_data(associated_data: bytes, header: doubleratchet.Header) -> bytes:
        # The header has a fixed length and comes first: the pair reads back in one way only.
        return _HEADER.pack(*header) + associated_data


_PRIMITIVES: dict[str, Any] = {
    "diffie_hellman_ratchet_class": _DiffieHellman,
    "root_chain_kdf": _RootKdf,
    "message_chain_kdf": _ChainKdf,
    "message_chain_constant": _CHAIN_CONSTANT,
    "dos_protection_threshold": MAX_SKIPPED,
    "max_num_skipped_message_keys": MAX_SKIPPED_STORED,
    "aead": _Aead,
}


@dataclass(frozen=True, slots=True)
class Encrypted:
    """An encrypted message and the session after it: store the session before the message leaves."""

    message: bytes
    session: Session


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A decrypted message and the session after it: store both together."""

    plaintext: bytes = field(repr=False)
    session: Session


class Session:
    """One conversation's ratchet, which never changes: each step gives the next one."""

    def __init__(self, ratchet: _Ratchet, associated: bytes) -> None:
        self._ratchet, self._associated = ratchet, associated

    @classmethod
    def start(cls, secret: crypto.SymmetricKey, their_ratchet: bytes, associated: bytes, plaintext: bytes) -> Encrypted:
        """The initiator's session and its first message; `their_ratchet` is the other's signed prekey (32 bytes)."""
        ratchet, message = result_of(
            _Ratchet.encrypt_initial_message(
                shared_secret=secret.expose(),
                recipient_ratchet_pub=their_ratchet,
                message=plaintext,
                associated_data=associated,
                **_PRIMITIVES,
            )
        )
        return Encrypted(_encode(message), cls(ratchet, associated))

    @classmethod
    def answer_untrusted(
        cls, secret: crypto.SymmetricKey, own_ratchet: bytes, associated: bytes, message: bytes
    ) -> Decrypted:
        """The responder's session, from the initiator's first message; `own_ratchet` is the signed prekey's secret."""
        ratchet, plaintext = _guard_untrusted(
            _Ratchet.decrypt_initial_message(
                shared_secret=secret.expose(),
                own_ratchet_priv=own_ratchet,
                message=_decode_untrusted(message),
                associated_data=associated,
                **_PRIMITIVES,
            )
        )
        return Decrypted(plaintext, cls(ratchet, associated))

    def encrypt(self, plaintext: bytes) -> Encrypted:
        """OVERHEAD bytes more than `plaintext`."""
        ratchet = copy.deepcopy(self._ratchet)
        message = result_of(ratchet.encrypt_message(plaintext, self._associated))
        return Encrypted(_encode(message), type(self)(ratchet, self._associated))

    def decrypt_untrusted(self, message: bytes) -> Decrypted:
        """RemoteError for whatever the other side's next session, or a skipped key, does not open."""
        decoded = _decode_untrusted(message)
        # The package would warn and go on without the keys of a previous chain that skips too many: refused here.
        if decoded.header.previous_sending_chain_length > (self._ratchet.receiving_chain_length or 0) + MAX_SKIPPED:
            raise RemoteError("a message that skips too many others")
        ratchet = copy.deepcopy(self._ratchet)
        plaintext = _guard_untrusted(ratchet.decrypt_message(decoded, self._associated))
        return Decrypted(plaintext, type(self)(ratchet, self._associated))

    def serialize(self) -> bytes:
        """All of it, secret keys included: for the encrypted store only."""
        return msgspec.msgpack.encode((self._associated, self._ratchet.model.model_dump_json()))

    @classmethod
    def restore(cls, raw: bytes) -> Self:
        """The session that `serialize` gave."""
        associated, model = msgspec.msgpack.decode(raw, type=tuple[bytes, str])
        return cls(_Ratchet.from_json(json.loads(model), **_PRIMITIVES), associated)

    def __repr__(self) -> str:
        """Without a byte of its keys."""
        return "Session(<redacted>)"


def _guard_untrusted(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return result_of(coroutine)
    except (
        doubleratchet.AuthenticationFailedException,
        doubleratchet.DecryptionFailedException,
        doubleratchet.DoSProtectionException,
        doubleratchet.DuplicateMessageException,
    ):
        raise RemoteError("a message that this session does not open") from None


def _encode(message: doubleratchet.EncryptedMessage) -> bytes:
    return _HEADER.pack(*message.header) + message.ciphertext


def _decode_untrusted(raw: bytes) -> doubleratchet.EncryptedMessage:
    if len(raw) < OVERHEAD:
        raise RemoteError("an encrypted message that ends early")
    return doubleratchet.EncryptedMessage(doubleratchet.Header(*_HEADER.unpack_from(raw)), raw[_HEADER.size :])
