"""The key that two members of a group share, and what they seal and authenticate with it (spec/07-client.md 7.17).

Promises: pure but for the nonce of a seal. Either of the two could have made any of it, so none of it proves anything
to a third person.
"""

from __future__ import annotations

import os

from mixnet import crypto
from mixnet.client.groups.roster import Member
from mixnet.crypto import Label, SigningKey, SphinxSecret
from mixnet.errors import RemoteError


class Pair:
    """Us and another member; RemoteError if its key is unusable."""

    def __init__(self, group: bytes, key: SigningKey, agree: SphinxSecret, other: Member) -> None:
        """Agree on a secret by X25519."""
        shared = crypto.x25519(agree.expose(), other.agree)
        self._ours, self._theirs = key.public, other.key
        self._secret = crypto.digest(Label.GROUP_PAIR, shared, group, *sorted((self._ours, self._theirs)))

    def proof(self, channels: tuple[bytes, bytes], *, ours: bool) -> bytes:
        """That the writer in the session of these channels (16 bytes each) is us (`ours`), or the other."""
        return self._mac(b"hello", self._ours if ours else self._theirs, *sorted(channels))

    def receipt(self, number: int, said: bytes, *, ours: bool) -> bytes:
        """That we have the other's post `number`, or (not `ours`) that the other has ours, and what it says (32 bytes).

        An old copy of a profile gives numbers again: what was said for one post is none for another.
        """
        return self._mac(b"receipt", self._ours if ours else self._theirs, number.to_bytes(8, "big"), said)

    def seal(self, plaintext: bytes) -> bytes:
        """Nonce 12 · ciphertext · tag 16. So few are made under one key that random nonces don't meet."""
        nonce = os.urandom(crypto.NONCE_SIZE)
        return nonce + crypto.seal(self._key(self._ours), nonce, plaintext, b"")

    def unseal_untrusted(self, sealed: bytes) -> bytes:
        """What the other sealed; RemoteError."""
        if len(sealed) < crypto.NONCE_SIZE:
            raise RemoteError("a seal that ends early")
        nonce, ciphertext = sealed[: crypto.NONCE_SIZE], sealed[crypto.NONCE_SIZE :]
        return crypto.unseal_untrusted(self._key(self._theirs), nonce, ciphertext, b"")

    def _key(self, writer: bytes) -> bytes:
        return crypto.digest(Label.GROUP_PAIR, self._secret, b"seal", writer)

    def _mac(self, what: bytes, *parts: bytes) -> bytes:
        return crypto.mac(self._secret, crypto.digest(Label.GROUP_PAIR, what, *parts))
