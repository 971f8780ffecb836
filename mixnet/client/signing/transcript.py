"""A transcript: the most that the receiver of unsigned messages can show of them.

Promises: it has everything that a receiver's client ever had of these messages: the session's keys before the first of
them, each message as it was encrypted, and the archive's record of it. `verify_untrusted` does what that client did
when they came: it turns the real ratchet and checks every message's authenticator. It is just no evidence: all keys in
it are the receiver's as much as the sender's, so the receiver may have made it alone (forgery.py). Pure.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import doubleratchet
import msgspec

from mixnet.client.arq.fragments import MESSAGE_LIMIT
from mixnet.client.e2e.bodies import SignedText, Text, decode_untrusted
from mixnet.client.e2e.ratchet import Session
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.export_jsonl import Identity, Moment, Record, check_untrusted
from mixnet.errors import MixnetError, RemoteError

FORMAT = "mixnet-transcript/1"
MOST_MESSAGES = 100
TRANSCRIPT_LIMIT = 16 << 20  # bytes
_SESSION_LIMIT = 1 << 20

Base64 = Annotated[str, msgspec.Meta(max_length=4 * (_SESSION_LIMIT // 3 + 1))]


class BadTranscript(RemoteError):
    """This is no transcript, or its messages do not open with its keys: it was altered or is incomplete."""


class TranscriptStart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="transcript"):
    """The first line: whose conversation, and the receiver's session before the first message, secret keys and all."""

    format: str
    receiver: Identity
    sender: Identity
    exported_at: Moment
    session: Base64


class TranscriptMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="sealed"):
    """After each message's record: the message as the session encrypted it."""

    ciphertext: Annotated[str, msgspec.Meta(max_length=4 * (MESSAGE_LIMIT // 3 + 1))]


class TranscriptEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="end"):
    """The last line."""

    messages: int


class Transcript(NamedTuple):
    """What a transcript shows: identities in hexadecimal, and the records, each of which its ciphertext confirms."""

    receiver: str
    sender: str
    records: tuple[Record, ...]


# What hostile bytes in the place of a session make the ratchet's package raise, besides our own errors.
_HOSTILE = (
    MixnetError,
    msgspec.MsgspecError,
    doubleratchet.InconsistentSerializationException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)
_LINE = msgspec.json.Decoder(TranscriptStart | Record | TranscriptMessage | TranscriptEnd)


def write(session: Session, receiver: bytes, now: float, shown: Sequence[tuple[Record, bytes]]) -> str:
    """The transcript of messages that came after `session`: records of one conversation, and their ciphertexts."""
    sender = shown[0][0].identity
    opening = TranscriptStart(FORMAT, receiver.hex(), sender, now, _base64(session.serialize()))
    lines: list[TranscriptStart | Record | TranscriptMessage | TranscriptEnd] = [opening]
    for record, ciphertext in shown:
        lines += [record, TranscriptMessage(_base64(ciphertext))]
    lines.append(TranscriptEnd(len(shown)))
    return "".join(msgspec.json.encode(line).decode() + "\n" for line in lines)


def verify_untrusted(raw: bytes) -> Transcript:
    """What the transcript shows, if every message opens in the session as its record says; BadTranscript."""
    try:
        return _verify_untrusted(raw)
    except _HOSTILE:
        raise BadTranscript from None


def _verify_untrusted(raw: bytes) -> Transcript:
    if len(raw) > TRANSCRIPT_LIMIT:
        raise BadTranscript
    *lines, rest = raw.split(b"\n")
    if rest or not 4 <= len(lines) <= 2 * MOST_MESSAGES + 2:
        raise BadTranscript
    opening, *pairs, closing = (_LINE.decode(line) for line in lines)
    if (
        not isinstance(opening, TranscriptStart)
        or opening.format != FORMAT
        or closing != TranscriptEnd(len(pairs) // 2)
    ):
        raise BadTranscript
    session = Session.restore(base64.b64decode(opening.session, validate=True))
    records = []
    for record, sealed in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(record, Record) or not isinstance(sealed, TranscriptMessage):
            raise BadTranscript
        opened = session.decrypt_untrusted(base64.b64decode(sealed.ciphertext, validate=True))
        _check_untrusted(check_untrusted(record), opening, opened.plaintext)
        session = opened.session
        records.append(record)
    return Transcript(opening.receiver, opening.sender, tuple(records))


def _check_untrusted(record: Record, opening: TranscriptStart, plaintext: bytes) -> None:
    """BadTranscript unless the record is that of an incoming text, which the plaintext is."""
    body = decode_untrusted(plaintext)
    came = (MessageState.RECEIVED, MessageState.READ)
    same_people = (record.origin, record.identity) == (opening.receiver, opening.sender)
    a_text = not record.outgoing and record.kind is MessageKind.TEXT and record.state in came
    if not (same_people and a_text and isinstance(body, Text | SignedText) and body.text == record.text):
        raise BadTranscript


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
