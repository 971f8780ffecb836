"""What one asks an authority, or one's provider, about the directory; and the answers (spec/05-directory.md 5.9).

Pure. Promises: every question and answer is one msgpack map whose key "op" names it; what can't be parsed is a
RemoteError. Answers carry signed objects only: whoever gives them can withhold, but not alter.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from mixnet.errors import RemoteError
from mixnet.pki.canonical import Key

NEWEST = -1  # as an epoch: the newest document that is valid now
_Number = Annotated[int, msgspec.Meta(ge=0, lt=2**48)]
_ENCODER = msgspec.msgpack.Encoder()


class AskDocument(msgspec.Struct, frozen=True, tag_field="op", tag="document", forbid_unknown_fields=True):
    """The document for `epoch`, or the newest; anybody may ask. A provider answers its clients too."""

    epoch: Annotated[int, msgspec.Meta(ge=NEWEST, lt=2**48)] = NEWEST


class Upload(msgspec.Struct, frozen=True, tag_field="op", tag="descriptor", forbid_unknown_fields=True):
    """Take my signed descriptor; for approved nodes."""

    descriptor: bytes


class AskStep(msgspec.Struct, frozen=True, tag_field="op", tag="step", forbid_unknown_fields=True):
    """What you say in a step of a voting round; for authorities."""

    epoch: _Number
    attempt: _Number
    step: _Number


class AskValue(msgspec.Struct, frozen=True, tag_field="op", tag="value", forbid_unknown_fields=True):
    """The vote or secret with this fingerprint, of which your bundle in a round tells; for authorities."""

    epoch: _Number
    attempt: _Number
    fingerprint: Key


class AskEvidence(msgspec.Struct, frozen=True, tag_field="op", tag="evidence", forbid_unknown_fields=True):
    """Your proofs that an authority contradicted itself, all of them; anybody may ask."""


class AskDigest(msgspec.Struct, frozen=True, tag_field="op", tag="digest", forbid_unknown_fields=True):
    """The digest of the document that you give out for `epoch`; anybody may compare."""

    epoch: _Number


class AskNode(msgspec.Struct, frozen=True, tag_field="op", tag="node", forbid_unknown_fields=True):
    """What do you know about this node? Anybody may ask why one is absent."""

    identity: Key


class AskHistory(msgspec.Struct, frozen=True, tag_field="op", tag="history", forbid_unknown_fields=True):
    """How did the rounds for `epoch` end, as you saw them? Anybody may ask."""

    epoch: _Number


class AskIntroduction(msgspec.Struct, frozen=True, tag_field="op", tag="introduction", forbid_unknown_fields=True):
    """Which document introduces the authorities that followed those who took over in `first_epoch`? Anybody may ask."""

    first_epoch: _Number


Request = AskDocument | Upload | AskStep | AskValue | AskEvidence | AskNode | AskHistory | AskDigest | AskIntroduction
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)


class DocumentAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="document", forbid_unknown_fields=True):
    """The signed document, or None if there is none."""

    document: bytes | None


class UploadAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="descriptor", forbid_unknown_fields=True):
    """Whether the descriptor will stand in the authority's vote."""

    taken: bool


class StepAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="step", forbid_unknown_fields=True):
    """The bundle of that step, or None if the authority hasn't reached it yet: ask again."""

    bundle: bytes | None


class ValueAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="value", forbid_unknown_fields=True):
    """The value, or None if the authority doesn't hold it."""

    value: bytes | None


class EvidenceAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="evidence", forbid_unknown_fields=True):
    """Encoded contradictions (directory/evidence.py), for the one who asks to verify."""

    evidence: tuple[bytes, ...]


class DigestAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="digest", forbid_unknown_fields=True):
    """The digest, or None if there is no document for that epoch."""

    digest: Key | None


class IntroductionAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="introduction", forbid_unknown_fields=True):
    """The signed document, or None if nobody has followed them, as far as the authority knows."""

    document: bytes | None


class NodeAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="node", forbid_unknown_fields=True):
    """The role in which the authority approved the node, if it did, and the epochs for which it holds a descriptor.

    `refused` is the name of the error with which it refused the last one; empty if it took it.
    """

    role: str | None
    epochs: tuple[int, ...]
    refused: str


class RoundReport(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One round as one authority saw it: `problem` is empty if it ended with a document."""

    attempt: _Number
    problem: str
    heard: tuple[Key, ...]
    voted: tuple[Key, ...]
    revealed: tuple[Key, ...]
    signed: tuple[Key, ...]


class HistoryAnswer(msgspec.Struct, frozen=True, tag_field="op", tag="history", forbid_unknown_fields=True):
    """The authority's last rounds for the epoch."""

    rounds: tuple[RoundReport, ...]


Answers = (
    DocumentAnswer
    | UploadAnswer
    | StepAnswer
    | ValueAnswer
    | EvidenceAnswer
    | NodeAnswer
    | HistoryAnswer
    | DigestAnswer
    | IntroductionAnswer
)
Answer = TypeVar("Answer", bound=Answers)


def encode(message: Request | Answers) -> bytes:
    """A question or an answer as it travels."""
    return _ENCODER.encode(message)


def parse_request_untrusted(raw: bytes) -> Request:
    """The question in `raw`; raises RemoteError."""
    try:
        return _REQUESTS.decode(raw)
    except (ValueError, RecursionError):
        raise RemoteError("a malformed question") from None


def parse_answer_untrusted(raw: bytes, kind: type[Answer]) -> Answer:
    """The answer of type `kind` in `raw`; raises RemoteError."""
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (ValueError, RecursionError):
        raise RemoteError("a malformed answer") from None
