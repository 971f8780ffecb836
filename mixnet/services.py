"""Questions of clients to a provider through the mixnet, and the answers, byte by byte (spec/06-providers.md 6.5).

Promises: every question has one size and so has every answer, whatever they are about; each has one encoding only. A
question carries the reply block of its answer and nothing else that could tell who asks. Pure.

    question = kind 1 · operation 1 · reply block 404 · subject 32 · length 2 · body, then zeros: 2,200
    answer   = kind 1 · status 1 · length 2 · body, then zeros: 2,200
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from mixnet.crypto import Label, digest
from mixnet.errors import LocalError, RemoteError
from mixnet.pki.document import Node
from mixnet.sphinx import GEOMETRY, Surb

QUESTION = 8  # the first byte of a plaintext says what it is
ANSWER = 9
SUBJECT_SIZE = 32
BODY_LIMIT = 2200
_QUESTION = struct.Struct(f">BB{GEOMETRY.surb_size}s{SUBJECT_SIZE}sH")
_ANSWER = struct.Struct(">BBH")


class Operation(IntEnum):
    """What is asked for. A provider that doesn't know an operation says so."""

    PUT = 1  # into a slot of an hour; the answer is the place, 1 byte
    READ = 2  # what is at a place, 1 byte, of such a slot
    PUT_DAY = 3  # the same for slots of a day
    READ_DAY = 4


class ServiceStatus(IntEnum):
    """How a question ended."""

    DONE = 0
    NOTHING = 1  # there is nothing of that name or place
    FULL = 2  # no room for it now
    UNKNOWN = 3  # no operation of this provider, or one that was asked for wrongly


@dataclass(frozen=True, slots=True)
class Question:
    """`operation` on `subject` (32 bytes) with up to 2,200 bytes of `body`."""

    operation: int
    subject: bytes = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Refuse parts of other lengths."""
        if not 0 <= self.operation <= 255 or len(self.subject) != SUBJECT_SIZE or len(self.body) > BODY_LIMIT:
            raise LocalError("a question takes an operation of 1 byte, a subject of 32 and a body of at most 2,200")

    def encode(self, surb: bytes) -> bytes:
        """The plaintext of a packet, whose answer comes through the reply block `surb` (404 bytes)."""
        if len(surb) != GEOMETRY.surb_size:
            raise LocalError("a reply block of the wrong size")
        head = _QUESTION.pack(QUESTION, self.operation, surb, self.subject, len(self.body))
        return head + self.body.ljust(BODY_LIMIT, b"\0")

    @classmethod
    def parse_untrusted(cls, raw: bytes) -> tuple[Self, Surb]:
        """The question, and the reply block for its answer; RemoteError for anything else."""
        if len(raw) != _QUESTION.size + BODY_LIMIT or raw[0] != QUESTION:
            raise RemoteError("not a question to a provider")
        _, operation, surb, subject, length = _QUESTION.unpack_from(raw)
        return cls(operation, subject, _body_untrusted(raw[_QUESTION.size :], length)), Surb.parse_untrusted(surb)


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """How it ended, and up to 2,200 bytes of `body`."""

    status: ServiceStatus
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Refuse a body that is too long."""
        if len(self.body) > BODY_LIMIT:
            raise LocalError("an answer has a body of at most 2,200 bytes")

    def encode(self) -> bytes:
        """What goes back through the reply block."""
        return _ANSWER.pack(ANSWER, self.status, len(self.body)) + self.body.ljust(BODY_LIMIT, b"\0")

    @classmethod
    def parse_untrusted(cls, raw: bytes) -> Self:
        """The answer in `raw`; RemoteError for anything else."""
        if len(raw) != _ANSWER.size + BODY_LIMIT or raw[0] != ANSWER:
            raise RemoteError("not an answer of a provider")
        _, status, length = _ANSWER.unpack_from(raw)
        if status not in _STATUSES:
            raise RemoteError("an answer of an unknown status")
        return cls(ServiceStatus(status), _body_untrusted(raw[_ANSWER.size :], length))


_STATUSES = frozenset(ServiceStatus)


def _body_untrusted(padded: bytes, length: int) -> bytes:
    if length > BODY_LIMIT or any(padded[length:]):
        raise RemoteError("a body of the wrong length")
    return padded[:length]


def provider_for(name: bytes, providers: Iterable[Node]) -> bytes:
    """The identity of the provider at which those who know `name` meet: few names move when a provider comes or goes.

    Whoever knows the directory document and the name finds the same one. LocalError without any provider.
    """
    identities = [provider.identity for provider in providers]
    if not identities:
        raise LocalError("there is no provider to meet at")
    return max(identities, key=lambda identity: digest(Label.RENDEZVOUS, b"provider", name, identity))
