"""The statements that people sign about a message, byte for byte.

Promises: a statement has one encoding, is signed under a label that nothing else is signed under, and names network,
sender, receiver and message, so that it can't be used for another one. Pure. Ed25519 keys of 32 bytes are who people
are here; times are whole seconds since the Unix epoch, by the clock of whoever signs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from mixnet import crypto
from mixnet.client.model.views import MessageKind
from mixnet.crypto import Label, SigningKey
from mixnet.errors import RemoteError
from mixnet.pki.canonical import Key, decode_untrusted, encode

STATEMENT_LIMIT = 512  # bytes, more than the longest
NAME_LIMIT = 255  # letters of a file's name that are told and signed

Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
Seconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]


class ReceiptKind(StrEnum):
    """What a receiver may state: that the message is stored there, and that its user has read it."""

    DELIVERY = "delivery"
    READING = "reading"


_LABELS = {ReceiptKind.DELIVERY: Label.DELIVERY, ReceiptKind.READING: Label.READING}


class Origin(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a sender signs: that it sends this to `receiver` on this network, as its message `number`, at `time`.

    `size` is that of the text in UTF-8 or of the file, in bytes; `digest` is a text_digest or file_digest.
    """

    network: Key
    sender: Key
    receiver: Key
    number: Count
    time: Seconds
    kind: Literal["text", "file"]
    size: Count
    digest: Key

    def encode(self) -> bytes:
        """The bytes that are signed."""
        return encode(self)

    def sign(self, identity: SigningKey) -> bytes:
        """The sender's signature, 64 bytes."""
        return identity.sign(Label.ORIGIN, self.encode())

    def verify_untrusted(self, signature: bytes) -> None:
        """RemoteError unless `signature` is the sender's."""
        crypto.verify_untrusted(self.sender, Label.ORIGIN, self.encode(), signature)

    @classmethod
    def decode_untrusted(cls, raw: bytes) -> Origin:
        """The statement in `raw`; RemoteError for any but its only encoding."""
        return decode_untrusted(raw, cls, limit=STATEMENT_LIMIT)


def text_digest(text: str) -> bytes:
    """What a statement calls a text by, 32 bytes."""
    return crypto.digest(Label.CONTENT, b"text", text.encode())


def file_digest(name: str, chain: bytes) -> bytes:
    """What a statement calls a file by, 32 bytes: its name, and the chain over its chunks (client/files/disk.py)."""
    return crypto.digest(Label.CONTENT, b"file", name.encode(), chain)


def content_fits(origin: Origin, kind: MessageKind, size: int, digest: bytes) -> bool:
    """Whether a statement is about this content."""
    return (origin.kind, origin.size) == (kind.value, size) and crypto.equal(origin.digest, digest)


def sign_receipt(identity: SigningKey, kind: ReceiptKind, origin: Origin, time: int) -> bytes:
    """The receiver's signature on "this message came here", or "was read here", at `time`; 64 bytes."""
    return identity.sign(_LABELS[kind], _receipt(origin, time))


def verify_receipt_untrusted(kind: ReceiptKind, origin: Origin, time: int, signature: bytes) -> None:
    """RemoteError unless the receiver that `origin` names has signed that."""
    if not 0 <= time < 1 << 40:
        raise RemoteError("a receipt of an impossible time")
    crypto.verify_untrusted(origin.receiver, _LABELS[kind], _receipt(origin, time), signature)


def _receipt(origin: Origin, time: int) -> bytes:
    """The whole statement of origin is in it: a receipt is for one message, sender, receiver and network only."""
    return encode((origin, time))
