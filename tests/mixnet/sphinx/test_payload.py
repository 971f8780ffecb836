"""The permutation against a textbook version on other primitives, and bodies there and back."""

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given
from hypothesis import strategies as st

from mixnet import crypto
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY, payload
from tests.mixnet.sphinx.strategies import messages

KEYS = st.sampled_from([16, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
BODIES = st.binary(max_size=64).map(lambda start: hashlib.shake_256(start).digest(GEOMETRY.body_size))


def chacha20(key, data):
    """The plain stream cipher with its 32-bit counter at 1 and a zero nonce, not by way of the AEAD."""
    return Cipher(algorithms.ChaCha20(key, (1).to_bytes(4, "little") + bytes(12)), None).encryptor().update(data)


def xor(left, right):
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def lioness(key, body):
    """Anderson and Biham's four rounds, written for reading."""
    k12 = hashlib.blake2b(key, digest_size=64, person=b"mixnet/1 lion12").digest()
    k34 = hashlib.blake2b(key, digest_size=64, person=b"mixnet/1 lion34").digest()
    left, right = body[:32], body[32:]
    for stream_key, hash_key in ((k12[:32], k12[32:]), (k34[:32], k34[32:])):
        right = chacha20(xor(left, stream_key), right)
        left = xor(left, hashlib.blake2b(right, digest_size=32, key=hash_key).digest())
    return left + right


@given(KEYS, BODIES)
def test_the_permutation_is_the_textbook_one(key, body):
    assert payload.permute(key, body) == lioness(key, body)


@given(KEYS, BODIES)
def test_the_permutation_has_its_inverse(key, body):
    assert payload.unpermute(key, payload.permute(key, body)) == body
    assert payload.permute(key, payload.unpermute(key, body)) == body


@given(KEYS, BODIES, st.integers(0, GEOMETRY.body_size * 8 - 1))
def test_one_flipped_bit_changes_half_of_all(key, body, bit):
    flipped = bytearray(payload.permute(key, body))
    flipped[bit // 8] ^= 1 << bit % 8
    damaged = int.from_bytes(crypto.xor(payload.unpermute(key, bytes(flipped)), body), "little").bit_count()
    assert 0.45 < damaged / (GEOMETRY.body_size * 8) < 0.55  # 15 standard deviations


@given(KEYS, messages)
def test_a_message_is_unpacked_as_it_was_packed(key, message):
    body = payload.pack(key, message)
    assert len(body) == GEOMETRY.body_size
    assert payload.unpack_untrusted(key, body) == message


def test_the_bytes_of_a_body():
    key = bytes(range(32))
    body = payload.pack(key, b"message")
    assert body[16:] == b"message\x7f" + b"\xff" * (2700 - 8)
    assert body[:16] == hashlib.blake2b(body[16:], digest_size=16, key=key).digest()


@given(KEYS, messages, st.integers(0, GEOMETRY.body_size * 8 - 1))
def test_an_altered_body_is_refused(key, message, bit):
    body = bytearray(payload.pack(key, message))
    body[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RemoteError):
        payload.unpack_untrusted(key, bytes(body))


@pytest.mark.parametrize("padded", [b"\xff" * 2700, bytes(2700), b"message" + bytes(2693), b"\x7f" + b"\xfe" * 2699])
def test_an_authentic_body_without_an_end_is_refused(padded):
    with pytest.raises(RemoteError):
        payload.unpack_untrusted(bytes(32), crypto.mac(bytes(32), padded) + padded)


@pytest.mark.parametrize("size", [0, 15, 16, 17, 2715, 2717])
def test_a_body_of_another_size_is_refused_even_if_authentic(size):
    rest = (b"\x7f" + b"\xff" * size)[: max(size - 16, 0)]
    with pytest.raises(RemoteError):
        payload.unpack_untrusted(bytes(32), (crypto.mac(bytes(32), rest) + rest)[:size])


def test_a_message_that_does_not_fit_is_refused():
    assert len(payload.pack(bytes(32), bytes(2699))) == GEOMETRY.body_size
    with pytest.raises(LocalError):
        payload.pack(bytes(32), bytes(2700))
