"""A provider's timestamp: its signature that something was submitted by a certain time (spec/06-providers.md 6.6).

Promises: the provider sees 32 bytes that are random to whoever doesn't know what was hashed into them, and the time; so
it can put a timestamp on a message of which it learns nothing, of somebody it doesn't know. Pure.

    question = operation 16, subject: the commitment, no body
    answer   = time 8 (whole seconds since the Unix epoch) · signature 64
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from mixnet import crypto
from mixnet.crypto import Label, SigningKey
from mixnet.errors import RemoteError
from mixnet.services import Question, ServiceAnswer, ServiceStatus

OPERATION = 16
_ANSWER = struct.Struct(f">Q{crypto.SIGNATURE_SIZE}s")
_LATEST = 1 << 40  # seconds


@dataclass(frozen=True, slots=True)
class TimestampToken:
    """A provider has signed that it was given a commitment at `time`, in whole seconds by its clock."""

    time: int
    signature: bytes

    @classmethod
    def issue(cls, provider: SigningKey, network: bytes, commitment: bytes, now: float) -> Self:
        """Sign it now; `network` and `commitment` have 32 bytes."""
        time = max(0, int(now))
        return cls(time, provider.sign(Label.SUBMISSION, _statement(network, commitment, time)))

    def verify_untrusted(self, provider: bytes, network: bytes, commitment: bytes) -> None:
        """RemoteError unless the identity `provider` (32 bytes) has signed it."""
        if not 0 <= self.time < _LATEST:
            raise RemoteError("a timestamp of an impossible time")
        crypto.verify_untrusted(provider, Label.SUBMISSION, _statement(network, commitment, self.time), self.signature)

    def answer(self) -> ServiceAnswer:
        """As it travels."""
        return ServiceAnswer(ServiceStatus.DONE, _ANSWER.pack(self.time, self.signature))

    @classmethod
    def parse_untrusted(cls, answer: ServiceAnswer) -> Self:
        """The token in an answer, unverified; RemoteError for anything else."""
        if answer.status is not ServiceStatus.DONE or len(answer.body) != _ANSWER.size:
            raise RemoteError("no timestamp")
        return cls(*_ANSWER.unpack(answer.body))


def question(commitment: bytes) -> Question:
    """What to ask a provider; the same again gets a later time, which is as true."""
    return Question(OPERATION, commitment)


def _statement(network: bytes, commitment: bytes, time: int) -> bytes:
    return network + commitment + time.to_bytes(8, "big")
