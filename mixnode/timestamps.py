"""Timestamps by a provider: it signs what it is given and when, and keeps nothing.

See spec/06-providers.md 6.6.
"""

from __future__ import annotations

from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from mixnet.services import Question, ServiceAnswer
from mixnet.timestamp import OPERATION, TimestampToken
from mixnode.services import Handler


class TimestampService:
    """Answers who asks one provider for a timestamp."""

    def __init__(self, identity: SigningKey, network_id: bytes, clock: Clock) -> None:
        """Sign as `identity`, the one that the directory lists, by wall time."""
        self._identity, self._network_id, self._clock = identity, network_id, clock

    @property
    def handlers(self) -> dict[int, Handler]:
        """Operation to handler."""
        return {OPERATION: self._issue_untrusted}

    def _issue_untrusted(self, question: Question, _now: float) -> ServiceAnswer:
        if question.body:
            raise RemoteError("a commitment is all that a timestamp is for")
        return TimestampToken.issue(self._identity, self._network_id, question.subject, self._clock.now()).answer()
