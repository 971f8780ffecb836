"""What a provider does as a witness: it signs what it is given and when, and keeps nothing.

See spec/06-providers.md 6.6.
"""

from __future__ import annotations

from mixnet.clock import Clock
from mixnet.crypto import SigningKey
from mixnet.errors import RemoteError
from mixnet.services import Answer, Question
from mixnet.witness import OPERATION, Testimony
from mixnode.services import Handler


class Witness:
    """The witness at one provider."""

    def __init__(self, identity: SigningKey, network_id: bytes, clock: Clock) -> None:
        """Sign as `identity`, the one that the directory lists, by wall time."""
        self._identity, self._network_id, self._clock = identity, network_id, clock

    @property
    def handlers(self) -> dict[int, Handler]:
        """Operation to handler."""
        return {OPERATION: self._testify_untrusted}

    def _testify_untrusted(self, question: Question, _now: float) -> Answer:
        if question.body:
            raise RemoteError("a commitment is all that a witness takes")
        return Testimony.give(self._identity, self._network_id, question.subject, self._clock.now()).answer()
