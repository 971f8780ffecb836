"""The messages that the devices of one user send each other inside their session.

Promises: a message decodes to one of the types below with every limit checked, or raises RemoteError; a record or a
request of a kind that is not known here is told from a broken message, so that a newer device and an older one get
along. Never: I/O. A message may be longer than a body: it travels in pieces, in order.

    home → satellite: Welcome · Sync · Answer · Revoked          satellite → home: Ask
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from mixnet.client.devices.contacts import (
    AnyContactRequest,
    ContactRecord,
    GoneContactRecord,
    Name,
    Seconds,
    Tagged,
    Time,
)
from mixnet.client.e2e.bodies import (
    BODY_LIMIT,
    EDITS_LIMIT,
    SEEN_LIMIT,
    TEXT_LIMIT,
    DevicePiece,
    Digest,
    Number,
    Period,
)
from mixnet.client.groups.roster import MEMBERS_LIMIT
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.names import NAME_LIMIT
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.errors import LocalError, RemoteError

PIECE_SIZE: Final = BODY_LIMIT - 16  # bytes of a message in one body
PIECES: Final = 3  # of a message
MESSAGE_SIZE: Final = PIECE_SIZE * PIECES
RECORDS_SIZE: Final = PIECE_SIZE - 64  # bytes of records in one message: more than one only as far as they fit
RECORDS: Final = 2000  # in one message
ERROR_LIMIT = 1000
READERS_LIMIT: Final = 1000  # of a text in a group: members come and go
_INVITATION_LIMIT = 4096

Content = Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]
Explanation = Annotated[str, msgspec.Meta(max_length=ERROR_LIMIT)]


# what is so at home, as it is when the record is made


class MessageRecord(Tagged, frozen=True, tag=1):
    """A message; `number` is the home's number of it, the other fields those of `MessageInfo`."""

    number: Number
    identity: Digest
    outgoing: bool
    kind: MessageKind
    state: MessageState
    text: Content
    size: Number
    done: Number
    error: Explanation
    created_at: Time
    sent_at: Time
    drawn_delay: Time
    received_at: Time
    news: bool
    edited: Annotated[int, msgspec.Meta(ge=0, le=EDITS_LIMIT)] = 0
    withdrawn: bool = False
    period: Period = 0
    disappears: Time | None = None


class GoneRecord(Tagged, frozen=True, tag=2):
    """The home has deleted this message."""

    number: Number


class GroupMemberRecord(msgspec.Struct, frozen=True, array_like=True):
    """A member, as `GroupMember` has it."""

    name: Name
    admin: bool
    you: bool
    connected: bool


class GroupRecord(Tagged, frozen=True, tag=3):
    """A group; `identity` is its identifier, `retention` as of a contact."""

    identity: Digest
    name: Name
    title: Name
    state: GroupState
    added_at: Time
    retention: Seconds | None
    members: Annotated[tuple[GroupMemberRecord, ...], msgspec.Meta(max_length=MEMBERS_LIMIT)]
    period: Period = 0


class GroupMessageRecord(MessageRecord, frozen=True, tag=4):
    """A message in a group, whose identifier `identity` is; `readers`: the names of those who have read ours."""

    author: Annotated[str, msgspec.Meta(max_length=NAME_LIMIT)] = ""
    members: Number = 0
    reached: Number = 0
    readers: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=NAME_LIMIT)], ...], msgspec.Meta(max_length=READERS_LIMIT)
    ] = ()


Record = ContactRecord | GoneContactRecord | MessageRecord | GoneRecord | GroupRecord | GroupMessageRecord


# what a satellite's user wants done


class SendText(Tagged, frozen=True, tag=0):
    """Send a text; it is given up at `expires` (None: as the network says, from when the home takes it over)."""

    identity: Digest
    text: Content
    expires: Time | None


class MarkRead(Tagged, frozen=True, tag=1):
    """These messages were read: they alone, since what comes meanwhile is not."""

    numbers: Annotated[tuple[Number, ...], msgspec.Meta(max_length=SEEN_LIMIT)]


class Accept(Tagged, frozen=True, tag=5):
    """Accept an invitation."""

    identity: Digest
    invitation: Annotated[str, msgspec.Meta(max_length=_INVITATION_LIMIT)]
    name: Name | None


class Cancel(Tagged, frozen=True, tag=6):
    """Give up a message: the one of a number at home, or the one that a request made (`request` > 0)."""

    number: Number
    request: Number


class Delete(Tagged, frozen=True, tag=7):
    """Delete a message."""

    number: Number


class Clear(Tagged, frozen=True, tag=8):
    """Delete what is settled of a conversation."""

    identity: Digest


class Retain(Tagged, frozen=True, tag=9):
    """Keep messages with a contact for so many seconds; None: for ever."""

    identity: Digest
    seconds: Seconds | None


class SendFile(Tagged, frozen=True, tag=10):
    """Send the file that came across under this request's number."""

    identity: Digest
    expires: Time | None


class Fetch(Tagged, frozen=True, tag=11):
    """Bring the file of a message across."""

    number: Number


class GroupCreate(Tagged, frozen=True, tag=12):
    """Begin a group."""

    title: Name


class GroupInvite(Tagged, frozen=True, tag=13):
    """Ask a contact to join a group; `identity` is the group's identifier."""

    identity: Digest
    contact: Digest


class GroupVerb(StrEnum):
    """What else a user does with a group."""

    ACCEPT = "accept"
    LEAVE = "leave"
    REMOVE = "remove"
    PROMOTE = "promote"
    DEMOTE = "demote"
    RENAME = "rename"
    CALL = "call"  # only the user's own devices call it so


class GroupDo(Tagged, frozen=True, tag=14):
    """Do so with a group; `argument`: the name of a member, or the group's new one."""

    identity: Digest
    verb: GroupVerb
    argument: Annotated[str, msgspec.Meta(max_length=NAME_LIMIT)]


class EditText(Tagged, frozen=True, tag=18):
    """Give a text of ours another content: the one of a number at home, or the one that a request made."""

    number: Number
    request: Number
    text: Content


class WithdrawMessage(Tagged, frozen=True, tag=19):
    """Delete a message of ours on both sides; named as in EditText."""

    number: Number
    request: Number


class LetDisappear(Tagged, frozen=True, tag=20):
    """New messages of a conversation disappear after so many seconds; 0: they stay."""

    identity: Digest
    seconds: Period


DeviceVerb = (
    AnyContactRequest
    | SendText
    | MarkRead
    | Accept
    | Cancel
    | Delete
    | Clear
    | Retain
    | SendFile
    | Fetch
    | GroupCreate
    | GroupInvite
    | GroupDo
    | EditText
    | WithdrawMessage
    | LetDisappear
)


# messages


class Welcome(Tagged, frozen=True, tag=0):
    """The first message to a satellite: the home's newest message number, below which the history has its numbers."""

    newest: Number


class Sync(Tagged, frozen=True, tag=1):
    """What has changed at home, or (`history`) a part of what there was before, of which `left` messages are to come.

    The records are opaque here: `records_untrusted` reads those that are known.
    """

    history: bool
    left: Number
    records: Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(max_length=RECORDS)]


class DeviceResponse(Tagged, frozen=True, tag=2):
    """A request was done (`error` is empty) or refused; `message` is the home's number of the message it made, or 0.

    `group`: the identifier of the group that it made or changed.
    """

    number: Number
    error: Explanation
    message: Number
    group: Digest | None = None


class Revoked(Tagged, frozen=True, tag=3):
    """The user has revoked this satellite: nothing more comes."""


class DeviceRequest(Tagged, frozen=True, tag=4):
    """A request with the satellite's number of it; all below `floor` were answered."""

    number: Number
    floor: Number
    request: msgspec.Raw


Message = Welcome | Sync | DeviceResponse | Revoked | DeviceRequest

_MESSAGES = msgspec.msgpack.Decoder(Message)
_RECORDS = msgspec.msgpack.Decoder(Record)
_REQUESTS = msgspec.msgpack.Decoder(DeviceVerb)
_BROKEN = (msgspec.MsgspecError, UnicodeError, RecursionError)


def raw(value: Record | DeviceVerb) -> msgspec.Raw:
    """A record or request as it stands in a message."""
    return msgspec.Raw(msgspec.msgpack.encode(value))


def encode(message: Message) -> bytes:
    """The whole message."""
    return msgspec.msgpack.encode(message)


def split(message: Message, lane: int = 0) -> list[DevicePiece]:
    """The bodies that carry a message, in order; LocalError if it is too long."""
    whole = encode(message)
    if len(whole) > MESSAGE_SIZE:
        raise LocalError("a message between devices that is too long")
    parts = [whole[at : at + PIECE_SIZE] for at in range(0, len(whole), PIECE_SIZE)]
    return [DevicePiece(lane, len(parts) - 1 - place, part) for place, part in enumerate(parts)]


def decode_untrusted(whole: bytes) -> Message:
    """The message that pieces make together; RemoteError for anything else."""
    try:
        message: Message = _MESSAGES.decode(whole)
    except _BROKEN:
        raise RemoteError("a message between devices that is malformed") from None
    return message


def records_untrusted(sync: Sync) -> tuple[list[Record], int]:
    """The records that this version understands, and how many it doesn't."""
    known: list[Record] = []
    for one in sync.records:
        try:
            known.append(_RECORDS.decode(one))
        except _BROKEN:
            continue
    return known, len(sync.records) - len(known)


class NewerRequest(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of a request of a newer version: it concerns a contact or a message, as those above do."""

    tag: int
    about: Digest | Number


def newer_untrusted(ask: DeviceRequest) -> NewerRequest | None:
    """What is known of a request that this version doesn't understand; None if it begins otherwise."""
    try:
        return msgspec.msgpack.decode(ask.request, type=NewerRequest)
    except _BROKEN:
        return None


def request_untrusted(ask: DeviceRequest) -> DeviceVerb | None:
    """What is asked for; None if this version doesn't understand it."""
    try:
        request: DeviceVerb = _REQUESTS.decode(ask.request)
    except _BROKEN:
        return None
    return request
