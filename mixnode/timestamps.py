"""Timestamps by a provider: it signs what it is given and when, and keeps nothing.

See spec/06-providers.md 6.6.
"""

from __future__ import annotations

from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from mixnet.services import Question, ServiceAnswer
from mixnet.timestamp import TimestampToken
from mixnode.services import Handler


def timestamp_handler(identity: SigningKey, network_id: bytes, clock: Clock) -> Handler:
    """What answers who asks for a timestamp: signs as `identity`, the one that the directory lists, by wall time."""

    def issue_untrusted(question: Question, _now: float) -> ServiceAnswer:
        if question.body:
            raise RemoteError("a commitment is all that a timestamp is for")
        return TimestampToken.issue(identity, network_id, question.subject, clock.now()).answer()

    return issue_untrusted
