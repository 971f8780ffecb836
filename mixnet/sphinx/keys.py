"""The keys that a packet shares with each hop, and their blinding (spec/02-sphinx.md 2.4).

Promises: each key comes from the shared secret under a label of its own; a sender spends one scalar multiplication a
hop and one for alpha, where blinding step by step would spend a growing number.
Never: a clear copy of a shared secret in a printed object. Python's integers don't compute in constant time: whoever
measures a sender's processor to the nanosecond learns about its blinding scalars; over a network nobody can.
"""

from __future__ import annotations

from collections.abc import Iterable

from mixnet.crypto import MAC_SIZE, Label, Secret, deriver, x25519, x25519_base

_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493  # L of RFC 7748, a prime
_TOP_BIT = 1 << 254
_CLAMP = (1 << 254) - 8  # the bits of a scalar that clamping leaves alone

# Each key of a hop, from the shared secret of 32 bytes.
blind = deriver(Label.BLIND)
rho = deriver(Label.RHO)
mu = deriver(Label.MU)
pi = deriver(Label.PI)
tau = deriver(Label.TAU, MAC_SIZE)


class SharedSecret(Secret):
    """The 32 bytes that sender and hop agree on (s), and the keys made of them."""

    def blind(self) -> bytes:
        """The scalar by which the hop multiplies alpha for the next one: 32 bytes, clamped by X25519."""
        return blind(self._raw)

    def rho(self) -> bytes:
        """The key of the header's stream cipher: 32 bytes."""
        return rho(self._raw)

    def mu(self) -> bytes:
        """The key of the header's MAC: 32 bytes."""
        return mu(self._raw)

    def pi(self) -> bytes:
        """The key of the body's permutation, and of the message's MAC at the last hop: 32 bytes."""
        return pi(self._raw)

    def tau(self) -> bytes:
        """The replay tag: 16 bytes, safe to keep, since nothing else can be derived from it."""
        return tau(self._raw)


def establish(scalar: bytes, publics: Iterable[bytes]) -> tuple[bytes, list[SharedSecret]]:
    """(alpha for the first hop, what each hop will share), for a fresh secret `scalar` of 32 bytes.

    The paper multiplies each public key by `scalar` and by the blinding of every hop before, one after the other. We
    multiply the scalars first, modulo the group order and each clamped as X25519 would clamp it, and then the key once.
    Raises RemoteError if a public key is a point of low order.
    """
    eighth = _clamped(scalar) // 8  # of the product: clamping made it a multiple of 8
    secrets: list[SharedSecret] = []
    for public in publics:
        if secrets:
            eighth = eighth * _clamped(secrets[-1].blind()) % _GROUP_ORDER
        secrets.append(SharedSecret(x25519(_as_scalar(eighth), public)))
    return x25519_base(scalar), secrets


def _clamped(scalar: bytes) -> int:
    """The integer by which X25519 multiplies when it is given these 32 bytes (RFC 7748 section 5)."""
    return int.from_bytes(scalar, "little") & _CLAMP | _TOP_BIT


def _as_scalar(eighth: int) -> bytes:
    """32 bytes that clamping leaves alone and that give a point the x-coordinate which the product p would give it.

    `eighth` is p/8 modulo L. X25519 only multiplies by multiples of 8 with bit 254 set. t = 8·(p/8 mod L) is a multiple
    of 8 and congruent to p modulo L; if it lacks bit 254, its negative 8L - t has it, and a point and its negative have
    one x. This holds for every point of the curve (a multiple of 8 clears what is outside the subgroup of order L);
    keys on the twist aren't honest ones. Since 8L is 2**255 + 2**127.4, t needs a 256th bit with a chance of 2**-126.
    """
    scalar = 8 * eighth
    if scalar < _TOP_BIT:
        scalar = 8 * _GROUP_ORDER - scalar
    return scalar.to_bytes(32, "little")
