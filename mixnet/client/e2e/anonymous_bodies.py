"""The message bodies of anonymous conversations, and their limits.

Promises: a body decodes to one of the types below with every limit checked, or raises RemoteError; none of them has a
number, a name or a place of its sender. A text bears no number here: one that counts all messages of a sender would
tell which conversations are his. Pure.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from mixnet.client.arq.fragments import MAX_FRAGMENTS, NUMBER_LIMIT, REPLY_SIZE, WINDOW, ReplyBlock
from mixnet.client.e2e.ratchet import OVERHEAD
from mixnet.errors import RemoteError

LETTER_LIMIT = 8192  # bytes of UTF-8
MESSAGE_LIMIT = LETTER_LIMIT + 32 + OVERHEAD  # bytes of an encrypted message, at most
FIRST_BLOCKS = 2  # the first message fits into one fragment with so many
SUPPLY_BLOCKS = 5  # and this many into a later one

Block = Annotated[bytes, msgspec.Meta(min_length=REPLY_SIZE, max_length=REPLY_SIZE)]
_Ahead = Annotated[int, msgspec.Meta(ge=0, lt=WINDOW)]
_Bitmap = Annotated[int, msgspec.Meta(ge=0, lt=1 << MAX_FRAGMENTS)]


class _Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A msgpack array, the tag first."""


class Opening(_Body, frozen=True, tag=70):
    """The first message to an address: reply blocks and nothing else."""

    blocks: Annotated[tuple[Block, ...], msgspec.Meta(max_length=FIRST_BLOCKS)]


class AnonymousText(_Body, frozen=True, tag=71):
    """A text, of either side."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=LETTER_LIMIT)]


class Supply(_Body, frozen=True, tag=72):
    """Of the writer: fresh reply blocks, and which answers have come (all below `next_number`, and `partial`)."""

    blocks: Annotated[tuple[Block, ...], msgspec.Meta(max_length=SUPPLY_BLOCKS)]
    next_number: Annotated[int, msgspec.Meta(ge=0, lt=NUMBER_LIMIT)]
    partial: Annotated[tuple[tuple[_Ahead, _Bitmap], ...], msgspec.Meta(max_length=WINDOW)]


AnonymousBody = Opening | AnonymousText | Supply
_DECODER = msgspec.msgpack.Decoder(AnonymousBody)


def encode(body: AnonymousBody) -> bytes:
    """The bytes that a session encrypts."""
    return msgspec.msgpack.encode(body)


def decode_untrusted(raw: bytes) -> AnonymousBody:
    """The body in `raw`; RemoteError for anything else."""
    try:
        body: AnonymousBody = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RemoteError("an anonymous message whose content is malformed") from None
    if isinstance(body, AnonymousText) and len(body.text.encode()) > LETTER_LIMIT:
        raise RemoteError("an anonymous text that is too long")
    return body


def blocks_untrusted(raw: tuple[bytes, ...], ends: frozenset[int]) -> list[ReplyBlock]:
    """The reply blocks that may be used in one of the epochs that end at `ends` (whole seconds); others are dropped.

    Whoever gives blocks for odd times only marks its own answers; used outside of its epoch a block would show our
    provider that the packet is no cover.
    """
    return [block for block in map(ReplyBlock.parse_untrusted, raw) if block.until in ends]
