"""A packet codec without public-key operations, for large studies of traffic: it protects nobody.

See spec/12-simulated-world.md 12.2.

Promises: the interface, the sizes and the outcomes of the real engine. All of its symmetric cryptography is the real
one; only what scalar multiplications give (the secret shared with a hop, and the next alpha) is a hash of alpha and of
the hop's *public* key. It draws nothing from any random stream, so one seed gives one trace with either codec.
Never: secrecy. Whoever knows the public keys opens everything. That is why it lives in benchmarks, which no node may
import, and no configuration can name it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from mixnet.crypto import SphinxSecret, equal, mac
from mixnet.errors import RemoteError
from mixnet.sphinx import GEOMETRY, Engine, Hop, Peeled, SphinxEngine, Surb, SurbKeys, header, payload
from mixnet.sphinx.keys import SharedSecret
from mixnet.sphinx.packet import Layer, interpret_untrusted

_BETA_END = GEOMETRY.alpha_size + GEOMETRY.beta_size


class PlainEngine(SphinxEngine):
    """Packets that look and behave like Sphinx packets in a simulation, and hide nothing.

    Replies are opened and blocks are used without public keys: the real engine does that.
    """

    name = "plain"

    def create(self, hops: Sequence[Hop], message: bytes, *, seed: bytes) -> bytes:
        """A packet of 3,072 bytes for 1 to 6 hops, as `Engine.create`."""
        head, secrets = _build_header(hops, seed)
        keys = [secret.pi() for secret in reversed(secrets)]
        return head + payload.permute_all(keys, payload.pack(keys[0], message))

    def create_surb(self, first_hop: bytes, hops: Sequence[Hop], *, seed: bytes) -> tuple[Surb, SurbKeys]:
        """A reply block and the keys that open its reply, as `Engine.create_surb`."""
        head, secrets = _build_header(hops, seed[:32])
        key = seed[-GEOMETRY.surb_key_size :]
        return Surb(first_hop, head, key), SurbKeys.join(key, (secret.pi() for secret in secrets))

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """What `packet` tells the hop that has `secret`; RemoteError if it is malformed or another's."""
        if len(packet) != GEOMETRY.packet_size:
            raise RemoteError("a packet of the wrong size")
        alpha, beta = packet[: GEOMETRY.alpha_size], packet[GEOMETRY.alpha_size : _BETA_END]
        gamma, body = packet[_BETA_END : GEOMETRY.header_size], packet[GEOMETRY.header_size :]
        shared = _agree(alpha, secret.public)
        command, next_beta, next_gamma = header.open_layer(shared.rho(), beta)
        if not equal(gamma, mac(shared.mu(), beta)) or command[:1] != header.LENGTH:
            raise RemoteError("a header that is not genuine")
        key = shared.pi()
        following = _next_alpha(alpha, shared) + next_beta + next_gamma
        layer = Layer(shared.tau(), command[1:], following, payload.unpermute(key, body), key)
        return interpret_untrusted(layer)


def codec(name: Literal["sphinx", "plain"]) -> Engine:
    """The packet codec of a simulation: `sphinx` is the real engine, `plain` the one without public keys."""
    return SphinxEngine() if name == "sphinx" else PlainEngine()


def _build_header(hops: Sequence[Hop], seed: bytes) -> tuple[bytes, list[SharedSecret]]:
    """(header of 356 bytes, secrets shared with the hops); alpha of the first hop is a hash of the seed."""
    alpha = first = hashlib.blake2b(seed, digest_size=GEOMETRY.alpha_size, person=b"plain first").digest()
    secrets = []
    for hop in hops:
        secrets.append(_agree(alpha, hop.public))
        alpha = _next_alpha(alpha, secrets[-1])
    size = GEOMETRY.padding_size(len(hops))
    padding = hashlib.shake_128(seed).digest(size)
    beta, gamma = header.build(secrets, [hop.command.serialize() for hop in hops], padding)
    return first + beta + gamma, secrets


def _agree(alpha: bytes, public: bytes) -> SharedSecret:
    """What stands in for the scalar multiplication by which a hop and the sender come to share a secret."""
    return SharedSecret(hashlib.blake2b(alpha, digest_size=32, key=public, person=b"plain agree").digest())


def _next_alpha(alpha: bytes, shared: SharedSecret) -> bytes:
    """What stands in for blinding."""
    return hashlib.blake2b(alpha, digest_size=GEOMETRY.alpha_size, key=shared.blind(), person=b"plain blind").digest()
