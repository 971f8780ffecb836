"""Creating and peeling packets: all of Sphinx behind five methods (spec/02-sphinx.md 2.6 to 2.8).

Promises: the same seed gives the same packet; peeling costs two scalar multiplications, whatever the bytes, and refuses
all that is malformed with one kind of error.
Never: randomness, time or I/O of its own. A seed is fresh from `os.urandom` and never used twice: a second packet from
it would share its keys with the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mixnet.crypto import KEY_SIZE, Label, SphinxSecret, chacha20, derive, equal, mac, x25519
from mixnet.errors import RemoteError
from mixnet.sphinx import header, payload
from mixnet.sphinx.geometry import GEOMETRY
from mixnet.sphinx.keys import SharedSecret, establish
from mixnet.sphinx.packet import Hop, Layer, Peeled, interpret_untrusted
from mixnet.sphinx.route import FINAL, FINAL_OF_REPLY, SEED_SIZE, SURB_SEED_SIZE, check_route
from mixnet.sphinx.surb import Surb, SurbKeys

_BETA_END = GEOMETRY.alpha_size + GEOMETRY.beta_size
_NO_SEED = bytes(KEY_SIZE + GEOMETRY.padding_size(1))
_GENERATOR = (9).to_bytes(KEY_SIZE, "little")


class Engine(Protocol):
    """Whatever makes and reads packets of spec/02-sphinx.md 2.6 to 2.8; engines differ in speed, never in a byte."""

    name: str

    def create(self, hops: Sequence[Hop], message: bytes, *, seed: bytes) -> bytes:
        """A packet of 3,072 bytes for 1 to 6 hops, the last of which delivers `message` (0 to 2,699 bytes) or drops it.

        `seed` is 32 bytes. Raises LocalError for a route, message or seed that can't be, and RemoteError for a public
        key of low order.
        """

    def create_surb(self, first_hop: bytes, hops: Sequence[Hop], *, seed: bytes) -> tuple[Surb, SurbKeys]:
        """A reply block for 1 to 6 hops, of which the last has a reply command, and the keys that open its reply.

        `first_hop` is the 32-byte identity of whom the replier sends to; `seed` is 64 bytes. Raises as `create`.
        """

    def use_surb(self, surb: Surb, message: bytes) -> bytes:
        """A packet of 3,072 bytes that brings `message` (0 to 2,699 bytes) to the owner of `surb`; to be sent once."""

    def open_reply_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        """The message in the `body` (2,716 bytes) of a reply; RemoteError if anything was altered."""

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """What `packet` tells the hop that has `secret`; RemoteError for all that is malformed, after the same work."""


class SphinxEngine:
    """Our own engine."""

    name = "mixnet"

    def create(self, hops: Sequence[Hop], message: bytes, *, seed: bytes) -> bytes:
        """See `Engine.create`. Costs a scalar multiplication a hop and one of the generator."""
        check_route(hops, FINAL, seed, SEED_SIZE)
        head, secrets = _build_header(hops, seed)
        keys = [secret.pi() for secret in reversed(secrets)]
        return head + payload.permute_all(keys, payload.pack(keys[0], message))

    def create_surb(self, first_hop: bytes, hops: Sequence[Hop], *, seed: bytes) -> tuple[Surb, SurbKeys]:
        """See `Engine.create_surb`. The first half of the seed makes the header, the second the key."""
        check_route(hops, FINAL_OF_REPLY, seed, SURB_SEED_SIZE)
        head, secrets = _build_header(hops, seed[:SEED_SIZE])
        key = derive(Label.SURB, seed[SEED_SIZE:], GEOMETRY.surb_key_size)
        return Surb(first_hop, head, key), SurbKeys.join(key, (secret.pi() for secret in secrets))

    def use_surb(self, surb: Surb, message: bytes) -> bytes:
        """See `Engine.use_surb`."""
        return surb.header + payload.permute(surb.key, payload.pack(surb.key, message))

    def open_reply_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        """See `Engine.open_reply_untrusted`. The hops took layers off, so their inverse puts them on again."""
        if len(body) != GEOMETRY.body_size:
            raise RemoteError("a reply of the wrong size")
        layered = payload.permute_all(reversed(keys.hop_keys), body)
        return payload.unpack_untrusted(keys.key, payload.unpermute(keys.key, layered))

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """See `Engine.peel_untrusted`."""
        return interpret_untrusted(unwrap_untrusted(secret, packet))


def unwrap_untrusted(secret: SphinxSecret, packet: bytes) -> Layer:
    """Take the outer layer off `packet`; RemoteError unless it is a genuine one of 3,072 bytes for this key.

    A forged packet costs as much as a genuine one: who times us learns nothing of why one was refused. Only its length,
    which everybody sees, is refused at the door.
    """
    if len(packet) != GEOMETRY.packet_size:
        raise RemoteError("a packet of the wrong size")
    alpha, beta = packet[: GEOMETRY.alpha_size], packet[GEOMETRY.alpha_size : _BETA_END]
    gamma, body = packet[_BETA_END : GEOMETRY.header_size], packet[GEOMETRY.header_size :]
    exposed = secret.expose()
    try:
        shared, in_group = SharedSecret(x25519(exposed, alpha)), True
    except RemoteError:
        # libsodium refuses low order at once: do its work with the generator. That secret is our public key, with which
        # anybody could make a MAC, so `in_group` decides.
        alpha, in_group = _GENERATOR, False
        shared = SharedSecret(x25519(exposed, alpha))
    genuine = equal(gamma, mac(shared.mu(), beta)) and in_group
    command, beta, gamma = header.open_layer(shared.rho(), beta)
    key = shared.pi()
    following = x25519(shared.blind(), alpha) + beta + gamma
    layer = Layer(shared.tau(), command[1:], following, payload.unpermute(key, body), key)
    if not genuine or command[:1] != header.LENGTH:
        raise RemoteError("a header that is not genuine")
    return layer


def _build_header(hops: Sequence[Hop], seed: bytes) -> tuple[bytes, list[SharedSecret]]:
    """(header of 356 bytes, secrets shared with the hops): scalar and padding are the seed's stream."""
    stream = chacha20(seed, _NO_SEED)
    alpha, secrets = establish(stream[:KEY_SIZE], (hop.public for hop in hops))
    padding = stream[KEY_SIZE : KEY_SIZE + GEOMETRY.padding_size(len(hops))]
    beta, gamma = header.build(secrets, [hop.command.serialize() for hop in hops], padding)
    return alpha + beta + gamma, secrets
