"""A restored client's request for a new session: all that may leave in the old one (spec/07-client.md 7.20).

Promises: no key of the old session's ratchet is used; each request has a key of its own, made of the channel's and of
32 random bytes, so none encrypts twice; whoever has not the channel's key can neither read nor make one. Pure.

    request = kind 5 · channel 16 · MAC 16 · zeros 4 · random 32 · encryption of [made, invitation]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import msgspec

from mixnet import crypto
from mixnet.client.arq.fragments import (
    MAC_END,
    PREFIX_SIZE,
    ChannelKey,
    PlaintextKind,
    ReplyBlock,
    check_mac_untrusted,
    seal,
)
from mixnet.crypto import Label
from mixnet.errors import LocalError, RemoteError
from mixnet.sphinx import GEOMETRY

_RANDOM = 32
_INVITATION_LIMIT = 2048  # bytes
_Time = Annotated[int, msgspec.Meta(ge=0, le=10**11)]  # what any clock can show


class _Content(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    made: _Time
    invitation: Annotated[bytes, msgspec.Meta(max_length=_INVITATION_LIMIT)]


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """`made` is when the backup was made (whole seconds since the Unix epoch), `invitation` a packed one.

    It is empty between a user's own devices, whose sessions are not renewed.
    """

    made: int
    invitation: bytes

    def seal(self, channel: ChannelKey, random: bytes) -> bytes:
        """The plaintext of a packet; `random` has 32 bytes that were never used before."""
        raw = msgspec.msgpack.encode(_Content(self.made, self.invitation))
        sealed = crypto.seal(_key(channel, random), bytes(crypto.NONCE_SIZE), raw, channel.channel)
        return seal(channel, PlaintextKind.RENEWAL, 0, random + sealed)

    @classmethod
    def open_untrusted(cls, channel: ChannelKey, raw: bytes) -> Self:
        """What `seal` gave; RemoteError."""
        check_mac_untrusted(channel, raw)
        rest = raw[PREFIX_SIZE:]
        if any(raw[MAC_END:PREFIX_SIZE]) or len(rest) < _RANDOM:
            raise RemoteError("a request for another session that is malformed")
        sealed = crypto.unseal_untrusted(
            _key(channel, rest[:_RANDOM]), bytes(crypto.NONCE_SIZE), rest[_RANDOM:], channel.channel
        )
        try:
            content = msgspec.msgpack.decode(sealed, type=_Content)
        except (msgspec.MsgspecError, RecursionError):
            raise RemoteError("a request for another session that is malformed") from None
        if msgspec.msgpack.encode(content) != sealed:
            raise RemoteError("a request for another session in another encoding")
        return cls(content.made, content.invitation)


@dataclass(frozen=True, slots=True)
class RequestToSend:
    """A sealed request, as a slot takes it."""

    raw: bytes

    def encode(self, block: ReplyBlock | None) -> bytes:
        """The plaintext of a packet; nothing comes back by a reply block, the answer is a first message."""
        if block is not None or len(self.raw) > GEOMETRY.message_size:
            raise LocalError("a request for another session has no room for a reply block")
        return self.raw


def _key(channel: ChannelKey, random: bytes) -> bytes:
    return crypto.digest(Label.CHANNEL, b"renewal", channel.key.expose(), random)
