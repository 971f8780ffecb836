"""A node's signed description of itself (spec/05-directory.md 5.3).

Promises: a parsed descriptor was signed by the identity that it names, for the network that it names; it holds one
Sphinx key for its epoch and each of the two that follow.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Annotated

import msgspec

from mixnet.crypto import Label, SigningKey, verify_untrusted
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.canonical import Epoch, Key, Signature, decode_untrusted, encode
from mixnet.pki.errors import Forged, Malformed

KEY_EPOCHS = 3
MAX_DESCRIPTOR = 1024
_VERSION = 1
_MAX_ADDRESS = 64
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,55}[A-Za-z0-9])?")


class NodeRole(StrEnum):
    """What a node does for the network."""

    MIX = "mix"
    PROVIDER = "provider"


AddressText = Annotated[str, msgspec.Meta(min_length=3, max_length=_MAX_ADDRESS)]


class Descriptor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who a node is, where it listens ("host:port"), and its Sphinx keys for `epoch`, `epoch` + 1 and `epoch` + 2."""

    network_id: Key
    identity: Key
    role: NodeRole
    address: AddressText
    epoch: Epoch
    keys: Annotated[tuple[Key, ...], msgspec.Meta(min_length=KEY_EPOCHS, max_length=KEY_EPOCHS)]

    def __post_init__(self) -> None:
        """Refuse an address that nobody could dial; raises LocalError."""
        check_address(self.address)

    def sign(self, identity: SigningKey) -> bytes:
        """The signed encoding; raises LocalError if `identity` is not the descriptor's."""
        if identity.public != self.identity:
            raise LocalError("a descriptor is signed by the node that it describes")
        body = encode(self)
        return encode(_Signed(_VERSION, body, identity.sign(Label.DESCRIPTOR, body)))

    @classmethod
    def parse_untrusted(cls, raw: bytes) -> Descriptor:
        """The descriptor in `raw`, its signature verified; raises Oversized, Malformed or Forged."""
        signed = decode_untrusted(raw, _Signed, limit=MAX_DESCRIPTOR)
        if signed.version != _VERSION:
            raise Malformed
        descriptor = decode_untrusted(signed.body, cls, limit=MAX_DESCRIPTOR)
        try:
            verify_untrusted(descriptor.identity, Label.DESCRIPTOR, signed.body, signed.signature)
        except RemoteError:
            raise Forged from None
        return descriptor


class _Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    body: bytes
    signature: Signature


def check_address(address: str) -> None:
    """Raise LocalError unless `address` is "name:port", "a.b.c.d:port" or "[v6]:port", with a port to dial."""
    host, colon, port = address.rpartition(":")
    valid_port = colon and port.isascii() and port.isdigit() and port == str(int(port)) and 0 < int(port) < 2**16
    if not (valid_port and (_HOST.fullmatch(host) or _is_ip6(host))):
        raise LocalError(f"{address!r} is not an address: write host:port")


def _is_ip6(host: str) -> bool:
    if not (host.startswith("[") and host.endswith("]")):
        return False
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True
