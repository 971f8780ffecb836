"""The message bodies that contacts send each other inside a session, and the states of a message.

Promises: a body decodes to one of the types below with every limit checked, or raises RemoteError; what may become of a
message is read from one table. Never: I/O; what is stored of a message is in client/storage/messages.py.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NewType

import msgspec

from mixnet.client.arq.delivery_tags import KEPT, TAG_SIZE
from mixnet.client.arq.fragments import MESSAGE_LIMIT
from mixnet.client.e2e.group_bodies import GroupBody
from mixnet.client.e2e.ratchet import OVERHEAD
from mixnet.client.e2e.statements import ReceiptKind, Seconds
from mixnet.client.model.views import MessageState
from mixnet.errors import RemoteError

_FRAMING = 32  # more than the msgpack around a text or a chunk
BODY_LIMIT = MESSAGE_LIMIT - OVERHEAD
TEXT_LIMIT = BODY_LIMIT - _FRAMING  # bytes of UTF-8
CHUNK_SIZE = BODY_LIMIT - _FRAMING  # bytes of a file in one message, which then fills its fragments
SIGNED_TEXT_LIMIT = TEXT_LIMIT - 96  # a signature and its time go with it
SEEN_LIMIT = 500
EDITS_LIMIT = 100  # of one message
VERSIONS_AHEAD = 1000  # of a period that one change skips at most
SHORTEST_PERIOD, PERIOD_LIMIT = 60, 100 * 365 * 86_400  # seconds after which messages may be said to disappear
_NAME_LIMIT = 1024

Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
# By what both sides know a message: drawn at random by its sender, so that it tells nothing of others. Never the number
# of its row in an archive, which counts the messages with all contacts; mypy tells the two apart.
WireId = NewType("WireId", int)
_WireId = Annotated[WireId, msgspec.Meta(ge=0, lt=1 << 62)]
Version = Annotated[int, msgspec.Meta(ge=1, le=EDITS_LIMIT)]
Period = Annotated[int, msgspec.Meta(ge=0, le=PERIOD_LIMIT)]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Reason(StrEnum):
    """Why a file did not get across: `REASONS` says it to who sends it, `REASONS_HERE` to whom it was coming."""

    VANISHED = "vanished"
    CHANGED = "changed"
    EXPIRED = "expired"
    TOO_LARGE = "too large"
    NO_ROOM = "no room"
    DAMAGED = "damaged"
    CANCELLED = "cancelled"


REASONS = {
    Reason.VANISHED: "the file vanished while it was sent: send it again from where it is now",
    Reason.CHANGED: "the file changed while it was sent: send it again",
    Reason.EXPIRED: "the receiver gave it up, since the rest of it did not come in time: send it again",
    Reason.TOO_LARGE: "the file is larger than the receiver accepts: send it in parts",
    Reason.NO_ROOM: "the receiver has no room for the file now: ask there, and send it again later",
    Reason.DAMAGED: "the file did not arrive as it was sent: send it again",
    Reason.CANCELLED: "it was cancelled, and the receiver does not have it: send it again if you still want to",
}
SURE = frozenset(REASONS.values())  # a message of ours that failed so is not with its receiver, and will not be
REASONS_HERE = {
    Reason.VANISHED: "the file vanished while it was sent: ask its sender for it again",
    Reason.CHANGED: "the file changed while it was sent: ask its sender for it again",
    Reason.EXPIRED: "the rest of it did not come in time: ask its sender for it again",
    Reason.TOO_LARGE: "the file is larger than is taken here: ask its sender for it in parts",
    Reason.NO_ROOM: "there is no room for the file now: make some, then ask its sender for it again",
    Reason.DAMAGED: "the file did not arrive as it was sent: ask its sender for it again",
    Reason.CANCELLED: "the sender cancelled it: ask for it if you still want it",
}


class _Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One message's content: a msgpack array, the tag first."""


class Greeting(_Body, frozen=True, tag=0):
    """The first message to an inviter: how the sender calls itself, and where it is reached."""

    name: Annotated[str, msgspec.Meta(max_length=64)]
    provider: Digest
    mailbox: Digest
    sphinx_public: Digest


class Confirm(_Body, frozen=True, tag=1):
    """The inviter's first message: the session works in both directions, and both its ratchets have turned."""


class Text(_Body, frozen=True, tag=2):
    """A text; by `id` receipts name it. It disappears `period` seconds after it was read; 0: it stays."""

    id: _WireId
    text: Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]
    period: Period = 0


class Offer(_Body, frozen=True, tag=3):
    """A file of `size` bytes follows; `period` as of a text."""

    id: _WireId
    name: Annotated[str, msgspec.Meta(max_length=_NAME_LIMIT)]
    size: Number
    period: Period = 0


class Chunk(_Body, frozen=True, tag=4):
    """The bytes of a file from `position` on."""

    id: _WireId
    position: Number
    content: Annotated[bytes, msgspec.Meta(max_length=CHUNK_SIZE)]


class End(_Body, frozen=True, tag=5):
    """The file is complete; `digest` is the chain over its chunks (client/files/disk.py)."""

    id: _WireId
    digest: Digest


class Abort(_Body, frozen=True, tag=6):
    """The sender can't go on with a file."""

    id: _WireId
    reason: Reason


class Refuse(_Body, frozen=True, tag=7):
    """The receiver can't take a file."""

    id: _WireId
    reason: Reason


class Seen(_Body, frozen=True, tag=8):
    """The receiver's user has read these messages."""

    ids: Annotated[tuple[_WireId, ...], msgspec.Meta(max_length=SEEN_LIMIT)]


class Edit(_Body, frozen=True, tag=9):
    """The text `id` of the sender's own has another content from now on; the highest `version` holds."""

    id: _WireId
    version: Version
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LIMIT)]


class Withdraw(_Body, frozen=True, tag=10):
    """The sender's own message `id` is to be deleted by its receiver, too."""

    id: _WireId


class Disappear(_Body, frozen=True, tag=11):
    """Messages of this conversation disappear after `period` from now on; 0: they stay. The highest `version` holds."""

    version: Number
    period: Period


Channel = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Tags = Annotated[bytes, msgspec.Meta(max_length=KEPT * TAG_SIZE)]


class Resume(_Body, frozen=True, tag=90):
    """The sender has given an older session up: what it had delivered of each lane in it, by number and by tags.

    `heard` is the channel in which the sender of this listened, `spoke` the other; `asks` for the same of the reader.
    """

    heard: Channel
    spoke: Channel
    expected: tuple[Number, Number]
    tags: tuple[Tags, Tags]
    asks: bool


class SignedText(_Body, frozen=True, tag=40):
    """A text with its sender's signature on the statement of its origin (statements.py), made at `time`."""

    id: _WireId
    text: Annotated[str, msgspec.Meta(max_length=SIGNED_TEXT_LIMIT)]
    time: Seconds
    signature: Signature
    period: Period = 0


class SignedEnd(_Body, frozen=True, tag=41):
    """As End, with its sender's signature on the statement of the file's origin."""

    id: _WireId
    digest: Digest
    time: Seconds
    signature: Signature


class Receipt(_Body, frozen=True, tag=42):
    """A signed receipt for the signed message `id` of whom this goes to."""

    id: _WireId
    kind: ReceiptKind
    time: Seconds
    signature: Signature


class Without(StrEnum):
    """Why there is no receipt."""

    DECLINED = "declined"  # the receiver doesn't want to sign one
    UNSIGNED = "unsigned"  # the sender's own signature does not verify


class NoReceipt(_Body, frozen=True, tag=43):
    """No receipt will come for the signed message `id`."""

    id: _WireId
    why: Without


class SignedEdit(_Body, frozen=True, tag=44):
    """As Edit, of a text that was signed: its sender's signature on a statement of the new text under the same id."""

    id: _WireId
    version: Version
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=SIGNED_TEXT_LIMIT)]
    time: Seconds
    signature: Signature


class DevicePiece(_Body, frozen=True, tag=50):
    """A piece of a message between a user's own devices (client/devices/bodies.py); `left` more belong to it."""

    lane: Annotated[int, msgspec.Meta(ge=0, le=1)]
    left: Annotated[int, msgspec.Meta(ge=0, lt=4)]
    content: Annotated[bytes, msgspec.Meta(max_length=BODY_LIMIT)]


Body = (
    Greeting
    | Confirm
    | Text
    | Offer
    | Chunk
    | End
    | Abort
    | Refuse
    | Seen
    | SignedText
    | SignedEnd
    | Receipt
    | NoReceipt
    | Edit
    | Withdraw
    | Disappear
    | SignedEdit
    | Resume
    | DevicePiece
    | GroupBody
)
_DECODER = msgspec.msgpack.Decoder(Body)


def encode(body: Body) -> bytes:
    """The bytes that a session encrypts."""
    return msgspec.msgpack.encode(body)


def decode_untrusted(raw: bytes) -> Body:
    """The body in `raw`; RemoteError for anything else."""
    try:
        body: Body = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise RemoteError("a message whose content is malformed") from None
    if isinstance(body, Text | SignedText | Offer | Disappear) and 0 < body.period < SHORTEST_PERIOD:
        raise RemoteError("a message that would disappear too soon")
    return body


class MessageEvent(StrEnum):
    """What may happen to a message."""

    SEND = "send"  # its first fragment left
    DELIVER = "deliver"  # the other side has it
    SEE = "see"  # a user has read it
    FAIL = "fail"
    REFUSE = "refuse"  # the other side could not keep a file, all pieces of which it may have acknowledged
    COMPLETE = "complete"  # all of an incoming file is here


_OPEN = (MessageState.QUEUED, MessageState.SENT)
TRANSITIONS: dict[tuple[MessageState, MessageEvent], MessageState] = {
    (MessageState.QUEUED, MessageEvent.SEND): MessageState.SENT,
    **{(state, MessageEvent.DELIVER): MessageState.DELIVERED for state in _OPEN},
    **{(state, MessageEvent.SEE): MessageState.READ for state in (*_OPEN, MessageState.DELIVERED)},
    **{(state, MessageEvent.FAIL): MessageState.FAILED for state in (*_OPEN, MessageState.RECEIVING)},
    (MessageState.DELIVERED, MessageEvent.REFUSE): MessageState.FAILED,
    (MessageState.RECEIVING, MessageEvent.COMPLETE): MessageState.RECEIVED,
    (MessageState.RECEIVED, MessageEvent.SEE): MessageState.READ,
}


def after(state: MessageState, event: MessageEvent) -> MessageState:
    """The state that follows; the same one if `event` comes too late to matter."""
    return TRANSITIONS.get((state, event), state)
