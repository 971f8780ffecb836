"""Hands an invitation over under a key from a spoken code, through slots that anybody may write to.

See spec/07-client.md 7.12.

    inviter                       slots                          guest
    offer: SPAKE2 message    ──▶  first                     ──▶
                             ◀──  second (of the offer)     ◀──  reply: SPAKE2 message, confirmation
    answer: the invitation,  ──▶  third (of offer, reply)   ──▶
      sealed; or noise

Promises: whoever doesn't know the words has one guess for each pair of offer and reply, and both sides learn that it
was wrong; an answer looks the same whether it is an invitation or noise. Each step is a type that offers only the next.
Never: I/O or time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from mixnet import crypto
from mixnet.client.model.errors import WrongCode
from mixnet.client.pairing.spake2 import MESSAGE_SIZE, Side
from mixnet.crypto import MAC_SIZE, TAG_SIZE, Label, SymmetricKey
from mixnet.errors import LocalError, RemoteError
from mixnet.services import BODY_LIMIT

_LENGTH_SIZE = 2
_NONCE = bytes(crypto.NONCE_SIZE)  # each key seals once
TEXT_LIMIT = BODY_LIMIT - TAG_SIZE - _LENGTH_SIZE


def _hash(purpose: bytes, *parts: bytes) -> bytes:
    return crypto.digest(Label.RENDEZVOUS, purpose, *parts)


@dataclass(frozen=True, slots=True)
class Meeting:
    """What names an exchange: the network (32 bytes), what it is for, and a name that both know."""

    network_id: bytes
    purpose: bytes
    name: bytes = field(repr=False)

    @property
    def context(self) -> bytes:
        """32 bytes that both sides bind all they do to."""
        return _hash(b"context", self.network_id, self.purpose, self.name)

    @property
    def slot(self) -> bytes:
        """Where the offer is."""
        return _hash(b"first", self.context)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Offer and reply, and what follows from them with the shared key."""

    context: bytes = field(repr=False)
    offer: bytes = field(repr=False)
    reply: bytes = field(repr=False)  # the guest's SPAKE2 message
    key: SymmetricKey = field(repr=False)

    def _derived(self, purpose: bytes) -> bytes:
        return _hash(purpose, self.key.expose(), self.context, self.offer, self.reply)

    @property
    def confirmation(self) -> bytes:
        """By which the guest shows that it has the key: 16 bytes."""
        return self._derived(b"confirmation")[:MAC_SIZE]

    @property
    def slot(self) -> bytes:
        """Where the answer is. Both must find it whether their keys agree or not."""
        return answer_slot(self.context, self.offer, self.reply)

    def seal(self, text: bytes) -> bytes:
        """The answer: `text` (at most `TEXT_LIMIT` bytes), sealed and of one size."""
        if len(text) > TEXT_LIMIT:
            raise LocalError("an answer is one packet")
        padded = (len(text).to_bytes(_LENGTH_SIZE, "big") + text).ljust(_LENGTH_SIZE + TEXT_LIMIT, b"\0")
        return crypto.seal(self._derived(b"answer"), _NONCE, padded, self.context)

    def open_untrusted(self, answer: bytes) -> bytes:
        """The text of `seal`; WrongCode for anything else."""
        try:
            padded = crypto.unseal_untrusted(self._derived(b"answer"), _NONCE, answer, self.context)
        except RemoteError:
            raise WrongCode from None
        length = int.from_bytes(padded[:_LENGTH_SIZE], "big")
        return padded[_LENGTH_SIZE : _LENGTH_SIZE + length]


def reply_slot(context: bytes, offer: bytes) -> bytes:
    """Where the reply to an offer is."""
    return _hash(b"second", context, offer)


def answer_slot(context: bytes, offer: bytes, reply: bytes) -> bytes:
    """Where the answer to a reply is."""
    return _hash(b"third", context, offer, reply)


def noise() -> bytes:
    """An answer that opens for nobody: the words were wrong."""
    return os.urandom(BODY_LIMIT)


class Offered:
    """The inviter's side, until a reply comes."""

    def __init__(self, context: bytes, side: Side) -> None:
        self._context, self._side = context, side

    @classmethod
    def offer(cls, meeting: Meeting, password: bytes) -> Offered:
        """Begin; CodesMissing."""
        return cls(meeting.context, Side.first(password, meeting.context))

    @property
    def body(self) -> bytes:
        """What goes into the meeting's slot."""
        return self._side.message

    @property
    def slot(self) -> bytes:
        """Where the reply comes."""
        return reply_slot(self._context, self.body)

    def serialize(self) -> bytes:
        """For a protected store."""
        return self._side.serialize()

    @classmethod
    def restore(cls, meeting: Meeting, raw: bytes) -> Offered:
        """What `serialize` gave."""
        return cls(meeting.context, Side.restore(raw))

    def refusal_slot(self, body: bytes) -> bytes:
        """Where the guest who wrote `body` waits, right or wrong."""
        return answer_slot(self._context, self.body, body[:MESSAGE_SIZE])

    def agree_untrusted(self, body: bytes) -> Exchange:
        """What follows from a reply; WrongCode unless it shows that its writer has the password. Works once."""
        message, confirmation = body[:MESSAGE_SIZE], body[MESSAGE_SIZE:]
        try:
            key = self._side.key_untrusted(message)
        except RemoteError:
            raise WrongCode from None
        exchange = Exchange(self._context, self.body, message, key)
        if not crypto.equal(exchange.confirmation, confirmation):
            raise WrongCode
        return exchange

    def try_untrusted(self, body: bytes) -> Exchange | None:
        """The same, with None for WrongCode: there is something to do then."""
        try:
            return self.agree_untrusted(body)
        except WrongCode:
            return None


@dataclass(frozen=True, slots=True)
class Joined:
    """The guest's side: `body` goes into `slot`, and the answer comes in `exchange.slot`."""

    slot: bytes = field(repr=False)
    body: bytes = field(repr=False)
    exchange: Exchange = field(repr=False)

    @classmethod
    def join_untrusted(cls, meeting: Meeting, password: bytes, offer: bytes) -> Joined:
        """Reply to an offer; WrongCode if it is none."""
        context = meeting.context
        side = Side.second(password, context)
        try:
            key = side.key_untrusted(offer)
        except RemoteError:
            raise WrongCode from None
        exchange = Exchange(context, offer, side.message, key)
        return cls(reply_slot(context, offer), side.message + exchange.confirmation, exchange)
