"""Public addresses: what anybody needs to write to their owner without a name, as one line of text.

See spec/07-client.md 7.18.

Promises: the text names its format and ends in a checksum, so a mistyped or cut one is refused and never half-used; the
keys are those of this address alone, so it shows no identity of its owner. Never: a secret. What it does show, because
packets must get there, is the owner's provider and mailbox.

    "mixnet-address1:" base64url( msgpack[network, provider, mailbox, sphinx, identity, prekey, signature,
                                          second prekey, kem, expires] · digest 8 )
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Self

import msgspec

from mixnet import crypto
from mixnet.client.arq.fragments import ChannelKey
from mixnet.client.e2e.x3dh import PublicKeys, invitation_channel
from mixnet.client.model.destination import Destination
from mixnet.client.model.errors import MalformedAddress
from mixnet.crypto import Label, SymmetricKey
from mixnet.errors import RemoteError

PREFIX = "mixnet-address1:"
_CHECKSUM_SIZE = 8
_LIMIT = 4096
_SIZES = (32, 32, 32, 32, 32, 32, crypto.SIGNATURE_SIZE, 32, crypto.KEM_PUBLIC_SIZE)
_Fields = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, float]


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """`expires` is in seconds since the Unix epoch, 0.0 for never."""

    network_id: bytes
    destination: Destination
    keys: PublicKeys
    expires: float

    def encode(self) -> str:
        """One line of text, about 2,000 characters."""
        body = self._body()
        return PREFIX + _armour(body + _checksum(body))

    @property
    def id(self) -> str:
        """What people call it: 8 hexadecimal digits."""
        return self.transcript.hex()[:8]

    @property
    def transcript(self) -> bytes:
        """What both sides hash into the first secret."""
        return crypto.digest(Label.ADDRESS, self._body())

    @property
    def channel(self) -> ChannelKey:
        """Where first messages go. Whoever has the address has its key, so its MAC only keeps noise away."""
        return invitation_channel(SymmetricKey(crypto.digest(Label.ADDRESS, b"channel", self._body())))

    def _body(self) -> bytes:
        where = self.destination
        fields: _Fields = (
            self.network_id,
            where.provider,
            where.mailbox,
            where.sphinx_public,
            *self.keys.fields(),  # type: ignore[assignment]
            self.expires,
        )
        return msgspec.msgpack.encode(fields)

    @classmethod
    def parse_untrusted(cls, text: str) -> Self:
        """Read the text of `encode`, with white space anywhere; MalformedAddress."""
        compact = "".join(text.split())
        if not compact.startswith(PREFIX) or not compact.isascii() or len(compact) > _LIMIT:
            raise MalformedAddress
        encoded = compact.removeprefix(PREFIX)
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            body, checksum = raw[:-_CHECKSUM_SIZE], raw[-_CHECKSUM_SIZE:]
            if not crypto.equal(checksum, _checksum(body)) or _armour(raw) != encoded:
                raise MalformedAddress
            fields = msgspec.msgpack.decode(body, type=_Fields)
        except (binascii.Error, msgspec.MsgspecError):
            raise MalformedAddress from None
        return cls._from_fields_untrusted(fields, body)

    @classmethod
    def _from_fields_untrusted(cls, fields: _Fields, body: bytes) -> Self:
        network, provider, mailbox, sphinx, identity, prekey, signature, second, kem, expires = fields
        if tuple(len(part) for part in fields[:-1] if isinstance(part, bytes)) != _SIZES:
            raise MalformedAddress
        keys = PublicKeys(identity, prekey, signature, second, kem)
        made = cls(network, Destination(provider, mailbox, sphinx), keys, expires)
        if made._body() != body or not 0 <= expires < float("inf"):
            raise MalformedAddress
        try:
            made.destination.check_untrusted()
        except RemoteError:
            raise MalformedAddress from None
        return made


def _armour(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _checksum(body: bytes) -> bytes:
    return crypto.digest(Label.ADDRESS, b"checksum", body)[:_CHECKSUM_SIZE]
