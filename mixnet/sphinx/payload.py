"""The body of a packet: an authenticated, padded message under a wide-block permutation a hop (spec/02-sphinx.md 2.5).

Promises: one changed bit of a body makes all of it random at the next hop, and the last one refuses it; bodies have one
length whatever the message.
"""

from __future__ import annotations

from collections.abc import Iterable

from mixnet.crypto import KEY_SIZE, Label, chacha20, deriver, equal, keyed_hash, mac
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx.geometry import GEOMETRY

_MARKER = b"\x7f"
_FILL = b"\xff"
_PADDED_SIZE = GEOMETRY.body_size - GEOMETRY.gamma_size

_lion12 = deriver(Label.LION12, 2 * KEY_SIZE)
_lion34 = deriver(Label.LION34, 2 * KEY_SIZE)


def permute(key: bytes, body: bytes) -> bytes:
    """pi: LIONESS over the first 32 bytes (L) and the rest (R), by ChaCha20 and keyed BLAKE2b."""
    k12, k34 = _lion12(key), _lion34(key)
    left, right = int.from_bytes(body[:KEY_SIZE]), body[KEY_SIZE:]  # L is a number, which is added fastest
    right = chacha20((left ^ int.from_bytes(k12[:KEY_SIZE])).to_bytes(KEY_SIZE), right)
    left ^= int.from_bytes(keyed_hash(k12[KEY_SIZE:], right))
    right = chacha20((left ^ int.from_bytes(k34[:KEY_SIZE])).to_bytes(KEY_SIZE), right)
    left ^= int.from_bytes(keyed_hash(k34[KEY_SIZE:], right))
    return left.to_bytes(KEY_SIZE) + right


def unpermute(key: bytes, body: bytes) -> bytes:
    """The inverse of `permute`: the same four steps, last first."""
    k12, k34 = _lion12(key), _lion34(key)
    left, right = int.from_bytes(body[:KEY_SIZE]), body[KEY_SIZE:]
    left ^= int.from_bytes(keyed_hash(k34[KEY_SIZE:], right))
    right = chacha20((left ^ int.from_bytes(k34[:KEY_SIZE])).to_bytes(KEY_SIZE), right)
    left ^= int.from_bytes(keyed_hash(k12[KEY_SIZE:], right))
    right = chacha20((left ^ int.from_bytes(k12[:KEY_SIZE])).to_bytes(KEY_SIZE), right)
    return left.to_bytes(KEY_SIZE) + right


def permute_all(keys: Iterable[bytes], body: bytes) -> bytes:
    """`body` with a layer for each key, in the order given."""
    for key in keys:
        body = permute(key, body)
    return body


def pack(key: bytes, message: bytes) -> bytes:
    """MAC under `key` · message · 0x7f · 0xff…: a whole body; LocalError for a message over 2,699 bytes."""
    if len(message) > GEOMETRY.message_size:
        raise LocalError(f"a packet carries {GEOMETRY.message_size} bytes: split the message")
    padded = (message + _MARKER).ljust(_PADDED_SIZE, _FILL)
    return mac(key, padded) + padded


def unpack_untrusted(key: bytes, body: bytes) -> bytes:
    """The message that `pack` put into `body`; RemoteError if a bit was changed or its sender padded it wrongly."""
    received, padded = body[: GEOMETRY.gamma_size], body[GEOMETRY.gamma_size :]
    if len(body) != GEOMETRY.body_size or not equal(received, mac(key, padded)):
        raise RemoteError("a body that was altered")
    marked = padded.rstrip(_FILL)
    if not marked.endswith(_MARKER):
        raise RemoteError("a message without an end")
    return marked[:-1]
