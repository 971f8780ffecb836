"""The archive as a file of JSON lines: not encrypted, so that other programs can read it.

Promises: a file is read line by line, each of bounded length and with every limit checked, or refused with one
RemoteError that names the line; one that was cut off is refused too. Pure but for the file that it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, BinaryIO

import msgspec

from mixnet.client.e2e.bodies import TEXT_LIMIT
from mixnet.client.model.views import UNDER_WAY, MessageKind, MessageState
from mixnet.errors import RemoteError

FORMAT = "mixnet-archive/1"
LINE_LIMIT = 1 << 20
LOST = "it was under way when it was exported: what became of it is not known here"
_OUTGOING_ONLY = frozenset({MessageState.QUEUED, MessageState.SENT, MessageState.DELIVERED})
_INCOMING_ONLY = frozenset({MessageState.RECEIVING, MessageState.RECEIVED})

Identity = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
Moment = Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800)]  # the year 10000
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]


class ArchiveHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="archive"):
    """The first line; `profile` is the identity of the profile that wrote it."""

    format: str
    profile: Identity
    exported_at: Moment


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="message"):
    """A message: `origin` and `number` say who filed it first, and as which; `identity` is the contact's."""

    origin: Identity
    number: Number
    identity: Identity
    contact: Annotated[str, msgspec.Meta(max_length=64)]
    outgoing: bool
    kind: MessageKind
    state: MessageState
    text: Text
    size: Number
    done: Number
    error: Annotated[str, msgspec.Meta(max_length=1000)]
    created_at: Moment
    sent_at: Moment
    drawn_delay: Moment
    received_at: Moment
    edited: bool = False
    withdrawn: bool = False


class ArchiveEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="end"):
    """The last line."""

    messages: Number


_LINE = msgspec.json.Decoder(ArchiveHeader | Record | ArchiveEnd)


def line(value: ArchiveHeader | Record | ArchiveEnd) -> bytes:
    """One line of the file."""
    return msgspec.json.encode(value) + b"\n"


def settled(record: Record) -> Record:
    """The same as past: read if it came; what was under way has failed, since it is not sent from here."""
    if record.state in UNDER_WAY:
        return msgspec.structs.replace(record, state=MessageState.FAILED, error=record.error or LOST)
    if record.state is MessageState.RECEIVED:
        return msgspec.structs.replace(record, state=MessageState.READ)
    return record


def read_untrusted(file: BinaryIO) -> Iterator[Record]:
    """The messages of a file; RemoteError at the first line that is not as it must be, or if the end is missing."""
    count, at, ended = 0, 0, False
    while raw := file.readline(LINE_LIMIT + 1):
        at += 1
        value = _line_untrusted(raw, at)
        if ended or (at == 1) is not isinstance(value, ArchiveHeader):
            raise _refused(at, "is out of place")
        if isinstance(value, Record):
            count += 1
            yield check_untrusted(value, at)
        elif isinstance(value, ArchiveEnd):
            ended = True
            if value.messages != count:
                raise _refused(at, f"speaks of {value.messages} messages, there are {count}")
        elif value.format != FORMAT:
            raise _refused(at, "is of another format or version")
    if not ended:
        raise _refused(at + 1, "is missing: the file was cut off")


def check_untrusted(record: Record, at: int = 0) -> Record:
    """The record itself; RemoteError if its fields contradict each other, or its text is too long."""
    if record.state in (_INCOMING_ONLY if record.outgoing else _OUTGOING_ONLY):
        raise _refused(at, "has a state of the other direction")
    if len(record.text.encode(errors="surrogatepass")) > TEXT_LIMIT:
        raise _refused(at, "has a text that is too long")
    if not all(_sound(text) for text in (record.text, record.contact, record.error)):
        raise _refused(at, "has broken letters")
    return record


def _sound(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _line_untrusted(raw: bytes, at: int) -> ArchiveHeader | Record | ArchiveEnd:
    if len(raw) > LINE_LIMIT:
        raise _refused(at, "is too long")
    try:
        value: ArchiveHeader | Record | ArchiveEnd = _LINE.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _refused(at, f"is malformed ({error})") from None
    return value


def _refused(at: int, problem: str) -> RemoteError:
    return RemoteError(f"this is no whole archive, line {at} {problem}: nothing was taken from it, export it again")
