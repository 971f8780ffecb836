"""Every cryptographic primitive, and the only importer of nacl and cryptography (spec/02-sphinx.md 2.1).

Promises: lengths are checked before a byte reaches C (libsodium's bindings check none); comparisons of secret bytes
take constant time; a secret prints as `<redacted>`, can be neither hashed nor pickled, and gives its bytes only through
`.expose()`; each use of a hash or signature has a label of its own, and no label is a prefix of another.
Never: random numbers from anywhere but `os.urandom`. Python can't promise to wipe memory: a secret may outlive its use.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os
from collections.abc import Callable
from enum import Enum
from functools import cache, cached_property
from typing import ClassVar, NoReturn, Self

import nacl.bindings as sodium
from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from mixnet.errors import LocalError, RemoteError

KEY_SIZE = 32
SIGNATURE_SIZE = 64
MAC_SIZE = 16
TAG_SIZE = 16  # of the AEAD
NONCE_SIZE = 12  # of the AEAD
KEM_PUBLIC_SIZE = 1184
KEM_CIPHERTEXT_SIZE = 1088
_ZERO_NONCE = bytes(NONCE_SIZE)
_ZERO_POINT = bytes(KEY_SIZE)


class Label(bytes, Enum):
    """Domain separation: what a key, hash or signature is for. BLAKE2b takes 16 bytes of it at most."""

    BLIND = b"mixnet/1 blind"
    RHO = b"mixnet/1 rho"
    MU = b"mixnet/1 mu"
    PI = b"mixnet/1 pi"
    TAU = b"mixnet/1 tau"
    LION12 = b"mixnet/1 lion12"
    LION34 = b"mixnet/1 lion34"
    DESCRIPTOR = b"mixnet/1 descr"
    DOCUMENT = b"mixnet/1 docmnt"
    VOTE = b"mixnet/1 vote"
    COMMIT = b"mixnet/1 commit"
    REVEAL = b"mixnet/1 reveal"
    ROUND = b"mixnet/1 round"
    SHARED_RANDOM = b"mixnet/1 shared"
    LAYERS = b"mixnet/1 layers"
    NETWORK = b"mixnet/1 netwrk"
    CHANNEL = b"mixnet/1 channl"
    INVITATION = b"mixnet/1 invite"
    SAFETY = b"mixnet/1 safety"
    X3DH = b"mixnet/1 x3dh"
    HYBRID = b"mixnet/1 hybrid"
    ROOT = b"mixnet/1 root"
    CHAIN = b"mixnet/1 chain"
    MESSAGE = b"mixnet/1 messag"
    STORE = b"mixnet/1 store"
    LOOP = b"mixnet/1 loop"
    FILE = b"mixnet/1 file"
    SURB = b"mixnet/1 surb"
    CONTENT = b"mixnet/1 contnt"
    ORIGIN = b"mixnet/1 origin"
    SUBMISSION = b"mixnet/1 submit"
    DELIVERY = b"mixnet/1 delvry"
    READING = b"mixnet/1 recept"
    RENDEZVOUS = b"mixnet/1 rendez"
    MATCH = b"mixnet/1 match"
    GROUP_CHANGE = b"mixnet/1 grpchg"
    GROUP_POST = b"mixnet/1 grppst"
    GROUP_PAIR = b"mixnet/1 grpair"
    ADDRESS = b"mixnet/1 addres"
    NAME = b"mixnet/1 name"
    BACKUP = b"mixnet/1 backup"


class Secret:
    """Bytes that must not leak: fixed length, redacted when printed, compared in constant time."""

    SIZE: ClassVar[int] = KEY_SIZE
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, raw: bytes) -> None:
        """Take `SIZE` bytes; raises LocalError for any other length."""
        if len(raw) != self.SIZE:
            raise LocalError(f"{type(self).__name__} takes {self.SIZE} bytes")
        self._raw = bytes(raw)

    @classmethod
    def generate(cls) -> Self:
        """A new one from the operating system's generator."""
        return cls(os.urandom(cls.SIZE))

    def expose(self) -> bytes:
        """The bytes themselves: for primitives and for writing to a protected store, nothing else."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        """Equal in type and bytes, found out in constant time."""
        return type(other) is type(self) and hmac.compare_digest(self._raw, other.expose())

    def __repr__(self) -> str:
        """The type's name without a byte of the key."""
        return f"{type(self).__name__}(<redacted>)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into another process."""
        raise LocalError("a secret can't be pickled: write what .expose() gives to a protected store")


class SymmetricKey(Secret):
    """32 bytes for a cipher or a hash."""


class SigningKey(Secret):
    """An Ed25519 identity (RFC 8032): the 32-byte seed."""

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._raw)

    @cached_property
    def public(self) -> bytes:
        """The 32-byte verifying key, which is the identity that others know."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, label: Label, message: bytes) -> bytes:
        """A 64-byte signature of `message` for the purpose `label`."""
        return self._key.sign(label.value.ljust(16, b"\0") + message)


class SphinxSecret(Secret):
    """An X25519 private key (RFC 7748) of a Sphinx hop."""

    @cached_property
    def public(self) -> bytes:
        """The 32-byte public key, always of the prime-order subgroup."""
        return x25519_base(self._raw)


class KemSecret(Secret):
    """An ML-KEM-768 private key (FIPS 203): the 64-byte seed."""

    SIZE: ClassVar[int] = 64

    @cached_property
    def _key(self) -> MLKEM768PrivateKey:
        return MLKEM768PrivateKey.from_seed_bytes(self._raw)

    @cached_property
    def public(self) -> bytes:
        """The 1,184-byte encapsulation key."""
        return self._key.public_key().public_bytes_raw()

    def decapsulate_untrusted(self, ciphertext: bytes) -> bytes:
        """The 32-byte shared secret; RemoteError unless `ciphertext` has 1,088 bytes."""
        if len(ciphertext) != KEM_CIPHERTEXT_SIZE:
            raise RemoteError("a key encapsulation of the wrong size")
        return self._key.decapsulate(ciphertext)


def encapsulate_untrusted(public: bytes) -> tuple[bytes, bytes]:
    """(shared secret of 32 bytes, ciphertext of 1,088 bytes) for an ML-KEM-768 key; RemoteError if it is malformed."""
    try:
        return MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except ValueError:
        raise RemoteError("a malformed key encapsulation key") from None


def verify_untrusted(public: bytes, label: Label, message: bytes, signature: bytes) -> None:
    """Raise RemoteError unless `signature` is that of `public` (Ed25519, 32 bytes) on `message` for `label`."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, label.value.ljust(16, b"\0") + message)
    except (InvalidSignature, ValueError):
        raise RemoteError("a signature that does not verify") from None


def x25519(scalar: bytes, point: bytes) -> bytes:
    """Scalar multiplication of RFC 7748, 32 bytes each; RemoteError for a low-order `point` (all-zero result)."""
    if len(scalar) != KEY_SIZE or len(point) != KEY_SIZE:
        raise LocalError("X25519 takes 32 bytes and 32 bytes")
    try:
        shared = sodium.crypto_scalarmult(scalar, point)
    except RuntimeError:  # libsodium itself refuses the all-zero result
        raise RemoteError("a point of low order") from None
    if shared == _ZERO_POINT:
        raise RemoteError("a point of low order")
    return shared


def check_point_untrusted(point: bytes) -> None:
    """RemoteError if nobody can agree with anybody on a secret by this X25519 key, since it is of low order."""
    x25519(bytes(KEY_SIZE), point)  # X25519 makes a scalar of it that only points of low order turn into nothing


def x25519_base(scalar: bytes) -> bytes:
    """The public key of a 32-byte scalar."""
    if len(scalar) != KEY_SIZE:
        raise LocalError("X25519 takes 32 bytes")
    return sodium.crypto_scalarmult_base(scalar)


def chacha20(key: bytes, data: bytes) -> bytes:
    """`data` XOR the ChaCha20 stream of RFC 8439 (zero nonce, counter from 1); its own inverse.

    The AEAD's ciphertext is just that stream, and the AEAD is the fastest call there is: its tag is dropped. A zero
    nonce is sound because each key is used for one stream only.
    """
    return ChaCha20Poly1305(key).encrypt(_ZERO_NONCE, data, None)[:-TAG_SIZE]


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """ChaCha20-Poly1305 of RFC 8439: ciphertext and a 16-byte tag. `nonce` has 12 bytes and is never used twice."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated)


def unseal_untrusted(key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    """The plaintext of `seal`; RemoteError if anything was altered."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, associated)
    except (InvalidTag, ValueError):
        raise RemoteError("a ciphertext that was altered") from None


def derive(label: Label, secret: bytes, size: int = KEY_SIZE) -> bytes:
    """`BLAKE2b(secret, digest_size=size, person=label)`: a key of `size` (1 to 64) bytes for one purpose."""
    return hashlib.blake2b(secret, digest_size=size, person=label.value).digest()


def deriver(label: Label, size: int = KEY_SIZE) -> Callable[[bytes], bytes]:
    """`derive` for one label and size, for what runs with every packet: copying a prepared state halves the cost."""
    prepared = hashlib.blake2b(digest_size=size, person=label.value)

    def derived(secret: bytes) -> bytes:
        state = prepared.copy()
        state.update(secret)
        return state.digest()

    return derived


def mac(key: bytes, data: bytes) -> bytes:
    """A 16-byte authenticator: keyed BLAKE2b. `key` has 64 bytes at most."""
    return hashlib.blake2b(data, digest_size=MAC_SIZE, key=key).digest()


def keyed_hash(key: bytes, data: bytes) -> bytes:
    """32 bytes of keyed BLAKE2b, the pseudo-random function of a wide-block permutation. `key` has 64 bytes at most."""
    return hashlib.blake2b(data, digest_size=KEY_SIZE, key=key).digest()


def xor(left: bytes, right: bytes) -> bytes:
    """The bitwise sum of two byte strings of one length, as integers: the fastest way there is without an extension."""
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")


def digest(label: Label, *parts: bytes) -> bytes:
    """A 32-byte hash of the parts, each preceded by its length, so that no two lists of parts hash alike."""
    state = hashlib.blake2b(digest_size=KEY_SIZE, person=label.value)
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()


def equal(left: bytes, right: bytes) -> bool:
    """Whether two byte strings are the same, in time that depends on their lengths only."""
    return hmac.compare_digest(left, right)


def password_key(passphrase: bytes, salt: bytes) -> SymmetricKey:
    """The key of a store, by Argon2id (RFC 9106) with libsodium's moderate cost; `salt` has 16 bytes."""
    raw = sodium.crypto_pwhash_alg(
        KEY_SIZE,
        passphrase,
        salt,
        sodium.crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
        sodium.crypto_pwhash_argon2id_MEMLIMIT_MODERATE,
        sodium.crypto_pwhash_ALG_ARGON2ID13,
    )
    return SymmetricKey(raw)


def certificate(identity: SigningKey) -> tuple[bytes, bytes]:
    """(private key, self-signed certificate), both DER, that show `identity` on a TLS link.

    Every field is constant but the key and the signature: all certificates have one size and tell nothing else.
    """
    key = Ed25519PrivateKey.from_private_bytes(identity.expose())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mixnet")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
        .sign(key, None)
    )
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, built.public_bytes(serialization.Encoding.DER)


def certificate_identity_untrusted(der: bytes) -> bytes:
    """The 32-byte Ed25519 key that a peer's certificate shows; RemoteError unless it is laid out as `certificate` does.

    Its signature isn't looked at: TLS itself proves that the peer has the key. Comparing with a template instead of
    parsing keeps X.509, whose parser has errors and warnings of many kinds, away from hostile bytes.
    """
    before, after = _certificate_template()
    start, end = len(before), len(before) + KEY_SIZE
    if len(der) != end + len(after) + SIGNATURE_SIZE or der[:start] != before or der[end:-SIGNATURE_SIZE] != after:
        raise RemoteError("a certificate that is not one of ours")
    return der[start:end]


@cache
def _certificate_template() -> tuple[bytes, bytes]:
    """What stands before the key in every certificate, and what between key and signature."""
    identity = SigningKey(bytes(KEY_SIZE))
    before, _, after = certificate(identity)[1].partition(identity.public)
    return before, after[:-SIGNATURE_SIZE]


def credentials(identity: SigningKey) -> tuple[Ed25519PrivateKey, x509.Certificate]:
    """What `certificate` gives, as the objects that a TLS library takes."""
    return identity._key, x509.load_der_x509_certificate(certificate(identity)[1])
