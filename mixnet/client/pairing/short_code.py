"""A short code under which an invitation lies at two providers for a day, sealed (spec/07-client.md 7.12).

Promises: 144 random bits name the slots and make the keys, so that whoever doesn't have the code finds nothing, and a
provider that holds an invitation can neither read it nor tell it from noise, nor its two copies from those of others.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from typing import Self

from mixnet import crypto
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.model.errors import MalformedShortCode, NothingLeft
from mixnet.client.pairing.exchange import TEXT_LIMIT
from mixnet.client.pairing.rendezvous import Rendezvous
from mixnet.client.traffic.provider_queries import NotAnswered
from mixnet.crypto import Label
from mixnet.errors import MixnetError, RemoteError

PREFIX = "MIXNET:"
COPIES = 2  # at as many providers, if there are: each forgets all when it restarts
_SIZE, _CHECK_SIZE, _GROUP = 18, 2, 4
_DRAWS = 32
_LOOK_ALIKE = str.maketrans("018", "OIB")  # Base32 has the letters alone
_LONGEST = 200
_NONCE = bytes(crypto.NONCE_SIZE)  # each key seals once
_LENGTH_SIZE = 2


def _hash(purpose: bytes, *parts: bytes) -> bytes:
    return crypto.digest(Label.RENDEZVOUS, purpose, *parts)


@dataclass(frozen=True, slots=True)
class ShortCode:
    """18 random bytes. Its text has only what a QR code holds in its mode for capitals and digits."""

    secret: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """A new one."""
        return cls(os.urandom(_SIZE))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The code in what was typed or read, in any case, with hyphens and spaces anywhere; MalformedShortCode."""
        plain = re.sub(r"[\s-]", "", text[:_LONGEST]).upper().removeprefix(PREFIX)
        try:
            raw = base64.b32decode(plain.translate(_LOOK_ALIKE))
        except (binascii.Error, ValueError):
            raise MalformedShortCode from None
        found = cls(raw[:_SIZE])
        if len(text) > _LONGEST or raw != found._checked:
            raise MalformedShortCode
        return found

    @property
    def text(self) -> str:
        """How it is shown."""
        plain = base64.b32encode(self._checked).decode()
        return PREFIX + "-".join(plain[at : at + _GROUP] for at in range(0, len(plain), _GROUP))

    @property
    def _checked(self) -> bytes:
        return self.secret + _hash(b"short code", self.secret)[:_CHECK_SIZE]

    def slot(self, network_id: bytes, copy: int) -> bytes:
        """Where a copy lies."""
        return _hash(b"left", network_id, self.secret, bytes([copy]))

    def seal(self, network_id: bytes, copy: int, invitation: Invitation) -> bytes:
        """What is put there; each is of one size."""
        raw = bytes([invitation.device]) + invitation.pack()
        padded = (len(raw).to_bytes(_LENGTH_SIZE, "big") + raw).ljust(_LENGTH_SIZE + TEXT_LIMIT, b"\0")
        return crypto.seal(self._key(network_id, copy), _NONCE, padded, b"")

    def open_untrusted(self, network_id: bytes, copy: int, body: bytes) -> Invitation:
        """What `seal` was given; RemoteError for anything else."""
        padded = crypto.unseal_untrusted(self._key(network_id, copy), _NONCE, body, b"")
        end = _LENGTH_SIZE + int.from_bytes(padded[:_LENGTH_SIZE], "big")
        kind, raw = padded[_LENGTH_SIZE : _LENGTH_SIZE + 1], padded[_LENGTH_SIZE + 1 : end]
        return Invitation.unpack_untrusted(raw, device=kind == b"\x01")

    def _key(self, network_id: bytes, copy: int) -> bytes:
        return _hash(b"key of left", network_id, self.secret, bytes([copy]))


@dataclass(frozen=True, slots=True)
class ShortCodes:
    """Leaves invitations and fetches them; `home` is our own provider, where none is left if others exist.

    Never: anything in memory or in the store; who was given a code needs none of our programs to run.
    """

    rendezvous: Rendezvous
    network_id: bytes
    home: bytes

    async def leave(self, text: str) -> str:
        """Leave an invitation, and return the code; MalformedInvitation, NotAnswered."""
        invitation = Invitation.parse_untrusted(text)
        code = max((ShortCode.make() for _ in range(_DRAWS)), key=self._rank)
        trouble: MixnetError = NotAnswered()
        left = 0
        for copy in range(COPIES):
            slot = code.slot(self.network_id, copy)
            body = code.seal(self.network_id, copy, invitation)
            try:
                left += await self.rendezvous.put(self.rendezvous.provider_for(slot), slot, body) == 0
            except (NotAnswered, RemoteError) as error:
                trouble = error
        if not left:
            raise trouble
        return code.text

    async def fetch(self, text: str) -> str:
        """The invitation that lies under a code; MalformedShortCode, NothingLeft, NotAnswered."""
        code = ShortCode.parse(text)
        trouble: MixnetError = NothingLeft()
        for copy in range(COPIES):
            slot = code.slot(self.network_id, copy)
            try:
                body = await self.rendezvous.read(self.rendezvous.provider_for(slot), slot)
                if body is not None:
                    return code.open_untrusted(self.network_id, copy, body).encode()
            except NotAnswered as error:
                trouble = error
            except RemoteError:
                continue  # a provider that lies costs this copy
        raise trouble

    def _rank(self, code: ShortCode) -> tuple[bool, int]:
        """Not at home, if possible, since it could tell what comes back to us; and at several providers."""
        where = {self.rendezvous.provider_for(code.slot(self.network_id, copy)) for copy in range(COPIES)}
        return self.home not in where, len(where)
