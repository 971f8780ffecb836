"""The PyPI package sphinxmix with our parameters: the oracle of the tests, and an engine that a node may choose.

Promises: the same packets as `SphinxEngine`, byte for byte, so that both kinds of node share a network; every failure
inside sphinxmix that hostile bytes can cause becomes a RemoteError.
Never: needed to run. Of sphinxmix it uses `create_header`, `sphinx_process`, `pad_body`, `package_surb` and
`receive_surb`; what goes through `petlib.pack` fails beside msgpack 1 and stays untouched. Two promises of our engine
fail here: MACs are compared with `!=`, and a forged packet is refused early. The last hop's padding comes from
`os.urandom`, so on routes of fewer than 6 hops one seed gives packets that differ in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixnet import crypto
from mixnet.crypto import Label, SphinxSecret, chacha20, derive
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import keys, payload
from mixnet.sphinx.geometry import GEOMETRY
from mixnet.sphinx.packet import Hop, Layer, Peeled, interpret_untrusted
from mixnet.sphinx.route import FINAL, FINAL_OF_REPLY, SEED_SIZE, SURB_SEED_SIZE, check_route
from mixnet.sphinx.surb import Surb, SurbKeys

try:
    from sphinxmix import SphinxException
    from sphinxmix.SphinxClient import create_header, package_surb, pad_body, receive_surb
    from sphinxmix.SphinxNode import sphinx_process
except ImportError:
    raise LocalError(
        "the engine `sphinxmix` isn't installed: `pip install --no-deps petlib==0.0.45 sphinxmix==0.0.7` "
        "(needs gcc and OpenSSL's headers), or choose the engine `mixnet`"
    ) from None

_BETA_END = GEOMETRY.alpha_size + GEOMETRY.beta_size


class Curve:
    """X25519 as a sphinxmix group: elements and exponents are 32 bytes, several exponents multiply one by one."""

    def __init__(self, secret: bytes = b"") -> None:
        """Let the next header be made with `secret`; peeling needs none."""
        self._secret = secret

    def gensecret(self) -> bytes:
        """The scalar of the header that is being made."""
        return self._secret

    def expon(self, base: bytes, exponents: Sequence[bytes]) -> bytes:
        """`base` times each exponent, one multiplication each."""
        for exponent in exponents:
            base = crypto.x25519(exponent, base)
        return base

    def expon_base(self, exponents: Sequence[bytes]) -> bytes:
        """The generator times each exponent."""
        return self.expon(crypto.x25519_base(exponents[0]), exponents[1:])

    def in_group(self, alpha: bytes) -> bool:
        """Every 32 bytes are a point; `expon` refuses those of low order."""
        return len(alpha) == GEOMETRY.alpha_size


class Parameters:
    """What sphinxmix asks its `SphinxParams` for: our lengths, keys, cipher, MAC and permutation."""

    k = GEOMETRY.gamma_size
    m = GEOMETRY.body_size
    max_len = GEOMETRY.alpha_size + GEOMETRY.beta_size
    assoc_len = 0

    xor_rho = staticmethod(chacha20)
    mu = staticmethod(crypto.mac)
    pi = staticmethod(payload.permute)
    pii = staticmethod(payload.unpermute)
    hb = staticmethod(keys.blind)
    hrho = staticmethod(keys.rho)
    hmu = staticmethod(keys.mu)
    hpi = staticmethod(keys.pi)
    htau = staticmethod(keys.tau)

    def __init__(self, secret: bytes = b"") -> None:
        """Parameters for peeling, or for one header made with `secret`."""
        self.group = Curve(secret)

    @staticmethod
    def get_aes_key(shared: bytes) -> bytes:
        """The shared secret itself: all keys are derived from it."""
        return shared


class ReferenceEngine:
    """sphinxmix behind the interface of every engine."""

    name = "sphinxmix"

    def create(self, hops: Sequence[Hop], message: bytes, *, seed: bytes) -> bytes:
        """See `Engine.create`."""
        check_route(hops, FINAL, seed, SEED_SIZE)
        _check_message(message)
        header, keys = _create_header(hops, seed)
        padded = pad_body(GEOMETRY.body_size - GEOMETRY.gamma_size, message)
        body = crypto.mac(keys[-1], padded) + padded
        return header + payload.permute_all(reversed(keys), body)

    def create_surb(self, first_hop: bytes, hops: Sequence[Hop], *, seed: bytes) -> tuple[Surb, SurbKeys]:
        """See `Engine.create_surb`."""
        check_route(hops, FINAL_OF_REPLY, seed, SURB_SEED_SIZE)
        header, keys = _create_header(hops, seed[:SEED_SIZE])
        key = derive(Label.SURB, seed[SEED_SIZE:], GEOMETRY.surb_key_size)
        return Surb(first_hop, header, key), SurbKeys.join(key, keys)

    def use_surb(self, surb: Surb, message: bytes) -> bytes:
        """See `Engine.use_surb`."""
        _check_message(message)
        header, body = package_surb(Parameters(), (surb.first_hop, surb.header, surb.key), message)
        return bytes(header + body)

    def open_reply_untrusted(self, keys: SurbKeys, body: bytes) -> bytes:
        """See `Engine.open_reply_untrusted`."""
        if len(body) != GEOMETRY.body_size:
            raise RemoteError("a reply of the wrong size")
        try:
            message = bytes(receive_surb(Parameters(), [keys.key, *keys.hop_keys], body))
        except SphinxException:
            raise RemoteError("a body that was altered") from None
        if not message and body != _empty_reply(keys):  # sphinxmix takes a missing end for an empty message
            raise RemoteError("a message without an end")
        return message

    def peel_untrusted(self, secret: SphinxSecret, packet: bytes) -> Peeled:
        """See `Engine.peel_untrusted`, except for the same work."""
        return interpret_untrusted(unwrap_untrusted(secret, packet))


def unwrap_untrusted(secret: SphinxSecret, packet: bytes) -> Layer:
    """Take the outer layer off `packet`; RemoteError unless it is a genuine one of 3,072 bytes for this key."""
    if len(packet) != GEOMETRY.packet_size:
        raise RemoteError("a packet of the wrong size")
    try:
        peeled: tuple[bytes, bytes, Any, bytes] = sphinx_process(
            Parameters(), secret.expose(), split_header(packet), packet[GEOMETRY.header_size :]
        )
    except (SphinxException, AssertionError):
        raise RemoteError("a header that is not genuine") from None
    tag, command, (header, body), key = peeled
    return Layer(tag, command, b"".join(header), body, key)


def split_header(packet: bytes) -> tuple[bytes, bytes, bytes]:
    """(alpha, beta, gamma) of a packet or header, as sphinxmix takes them."""
    return (
        packet[: GEOMETRY.alpha_size],
        packet[GEOMETRY.alpha_size : _BETA_END],
        packet[_BETA_END : GEOMETRY.header_size],
    )


def _create_header(hops: Sequence[Hop], seed: bytes) -> tuple[bytes, list[bytes]]:
    """(header of 356 bytes, each hop's pi key). In sphinxmix hop i reads the name of node i + 1, the last `dest`."""
    secret = chacha20(seed, bytes(SEED_SIZE))
    commands = [hop.command.serialize() for hop in hops]
    names = [b"", *commands[:-1]]
    parts, secrets = create_header(Parameters(secret), names, [hop.public for hop in hops], commands[-1])
    return b"".join(parts), [keys.pi(shared) for shared in secrets]


def _empty_reply(keys: SurbKeys) -> bytes:
    """The body in which an empty message comes back: encryption here has no randomness, so there is one."""
    body = payload.permute(keys.key, payload.pack(keys.key, b""))
    for key in keys.hop_keys:
        body = payload.unpermute(key, body)
    return body


def _check_message(message: bytes) -> None:
    if len(message) > GEOMETRY.message_size:
        raise LocalError(f"a packet carries {GEOMETRY.message_size} bytes: split the message")
