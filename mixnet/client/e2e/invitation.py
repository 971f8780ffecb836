"""Single-use invitations: the keys and addresses that a new contact needs, as one line of text.

Promises: the text names its format and ends in a checksum, so a mistyped or cut one is refused and never half-used.
Never: a secret key. Its 32-byte `secret` only opens the channel of the first message; whoever sees an invitation before
its use can take the contact's place, which is what the safety number is compared for. One that links a device of the
same user begins with "mixnet1-device:"; checksum and transcript say so too, so neither kind can be used as the other.

    "mixnet1:" base64url( msgpack[name, network, provider, mailbox, sphinx, identity, prekey, signature, one-time,
                                  kem, secret, expires] · digest 8 )
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Self

import msgspec

from mixnet import crypto
from mixnet.client.e2e.x3dh import PublicKeys, invitation_channel
from mixnet.client.model.destination import Destination
from mixnet.client.model.errors import BadName, MalformedInvitation
from mixnet.client.model.names import check_sent
from mixnet.crypto import Label, SymmetricKey
from mixnet.errors import RemoteError

PREFIX = "mixnet1:"
DEVICE_PREFIX = "mixnet1-device:"
_CHECKSUM_SIZE = 8
_LIMIT = 4096
_SIZES = (32, 32, 32, 32, 32, 32, crypto.SIGNATURE_SIZE, 32, crypto.KEM_PUBLIC_SIZE, 32)
_Fields = tuple[str, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, float]


@dataclass(frozen=True, slots=True)
class Invitation:
    """`name` is how the inviter calls itself; `expires` is in seconds since the Unix epoch."""

    name: str
    network_id: bytes
    destination: Destination
    keys: PublicKeys
    secret: SymmetricKey = field(repr=False)
    expires: float
    device: bool = False

    def encode(self) -> str:
        """One line of text, about 2,000 characters."""
        body = self._body()
        return _prefix(self.device) + _armour(body + _checksum(body, self.device))

    def pack(self) -> bytes:
        """The same in fewer bytes, for a program."""
        body = self._body()
        return body + _checksum(body, self.device)

    @classmethod
    def unpack_untrusted(cls, raw: bytes, *, device: bool = False) -> Self:
        """Read what `pack` gave; MalformedInvitation."""
        return cls.parse_untrusted(_prefix(device) + _armour(raw))

    @property
    def channel(self) -> bytes:
        """The channel of the first message, 16 bytes."""
        return invitation_channel(self.secret).channel

    @property
    def transcript(self) -> bytes:
        """What both sides hash into the first secret."""
        return crypto.digest(Label.INVITATION, *_purpose(self.device), self._body())

    def _body(self) -> bytes:
        where = self.destination
        fields: _Fields = (
            self.name,
            self.network_id,
            where.provider,
            where.mailbox,
            where.sphinx_public,
            *self.keys.fields(),  # type: ignore[assignment]
            self.secret.expose(),
            self.expires,
        )
        return msgspec.msgpack.encode(fields)

    @classmethod
    def parse_untrusted(cls, text: str) -> Self:
        """Read the text of `encode`, with white space anywhere; MalformedInvitation."""
        compact = "".join(text.split())
        device = compact.startswith(DEVICE_PREFIX)
        prefix = _prefix(device)
        if not compact.startswith(prefix) or not compact.isascii() or len(compact) > _LIMIT:
            raise MalformedInvitation
        encoded = compact.removeprefix(prefix)
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            body, checksum = raw[:-_CHECKSUM_SIZE], raw[-_CHECKSUM_SIZE:]
            if not crypto.equal(checksum, _checksum(body, device)) or _armour(raw) != encoded:
                raise MalformedInvitation
            fields = msgspec.msgpack.decode(body, type=_Fields)
            check_sent(fields[0])
        except (binascii.Error, msgspec.MsgspecError, BadName):
            raise MalformedInvitation from None
        return cls._from_fields_untrusted(fields, body, device)

    @classmethod
    def _from_fields_untrusted(cls, fields: _Fields, body: bytes, device: bool) -> Self:
        name, network, provider, mailbox, sphinx, identity, prekey, signature, one_time, kem, secret, expires = fields
        if tuple(len(part) for part in fields[1:-1] if isinstance(part, bytes)) != _SIZES:
            raise MalformedInvitation
        where, keys = Destination(provider, mailbox, sphinx), PublicKeys(identity, prekey, signature, one_time, kem)
        made = cls(name, network, where, keys, SymmetricKey(secret), expires, device)
        if made._body() != body or not 0 <= expires < float("inf"):
            raise MalformedInvitation
        try:
            made.destination.check_untrusted()
        except RemoteError:
            raise MalformedInvitation from None
        return made


def _armour(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _prefix(device: bool) -> str:
    return DEVICE_PREFIX if device else PREFIX


def _purpose(device: bool) -> tuple[bytes, ...]:
    """What is hashed before all else, so that an invitation is good for one purpose."""
    return (b"device",) if device else ()


def _checksum(body: bytes, device: bool = False) -> bytes:
    return crypto.digest(Label.INVITATION, *_purpose(device), b"checksum", body)[:_CHECKSUM_SIZE]
