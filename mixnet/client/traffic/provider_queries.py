"""Anonymous questions to any provider, through the mixnet, and their answers (spec/06-providers.md 6.5).

Promises: a question leaves in a payload slot like any message, and its answer comes as mail, so nobody who watches the
link can tell that one was asked; the provider that answers doesn't learn who asked. A question that is not answered in
time is asked again, with a fresh reply block and over another route, a few times. What is outstanding is bounded.
Never: the same reply block twice.

    answer = await queries.ask(queries.provider_for(name), Question(Operation.READ, slot, bytes([0])))
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from mixnet.errors import Unavailable
from mixnet.pki.document import Document
from mixnet.pki.parameters import Parameters
from mixnet.services import Question, ServiceAnswer, provider_for

TRIES = 6
OUTSTANDING = 32  # questions at a time
SLOT_PATIENCE = 60.0  # seconds in which a question must find a slot: there may be no link
LEAST_PATIENCE = 5.0  # seconds that an answer may take beyond five times what is expected


class NotAnswered(Unavailable):
    """The provider has not answered, or this profile is not connected: try again later."""


class TooManyQuestions(Unavailable):
    """Too many questions to providers are under way already: try again later."""


@dataclass(eq=False)
class OutgoingQuestion:
    """A question that waits for a slot. `packed` must be called with the identifier of its reply block."""

    provider: bytes
    question: Question = field(repr=False)
    left: trio.Event = field(default_factory=trio.Event, repr=False)
    answered: trio.Event = field(default_factory=trio.Event, repr=False)
    blocks: list[bytes] = field(default_factory=list, repr=False)
    answer: ServiceAnswer | None = field(default=None, repr=False)


def patience(rules: Parameters) -> float:
    """The seconds after which a question or its answer counts as lost: far more than both need, and a backlog."""
    slots = sum(1 / rate for rate in (rules.payload_rate, rules.downlink_rate) if rate)
    return LEAST_PATIENCE + 5 * (2 * rules.path_delay + slots)


class ProviderQueries:
    """The questions of one client."""

    def __init__(self, wake: Callable[[], None], document: Callable[[], Document]) -> None:
        """`wake` is called when there is a question to send; `document` gives the directory document in force."""
        self._wake, self._document = wake, document
        self._waiting: deque[OutgoingQuestion] = deque()
        self._awaited: dict[bytes, OutgoingQuestion] = {}
        self._outstanding = 0

    def provider_for(self, name: bytes) -> bytes:
        """The identity of the provider at which all who know `name` meet."""
        return provider_for(name, self._document().providers)

    async def ask(self, provider: bytes, question: Question) -> ServiceAnswer:
        """The answer of `provider` (its identity); NotAnswered after a few tries, TooManyQuestions.

        It may have been asked more than once, so a question must mean the same when it comes again.
        """
        if self._outstanding >= OUTSTANDING:
            raise TooManyQuestions
        self._outstanding += 1
        asked = OutgoingQuestion(provider, question)
        try:
            for _ in range(TRIES):
                answer = await self._try(asked)
                if answer is not None:
                    return answer
            raise NotAnswered
        finally:
            self._outstanding -= 1
            for block in asked.blocks:
                self._awaited.pop(block, None)

    async def _try(self, asked: OutgoingQuestion) -> ServiceAnswer | None:
        """Send it once more; the answer to this or an earlier try, or None when it was waited for long enough."""
        asked.left = trio.Event()
        self._waiting.append(asked)
        self._wake()
        try:
            with trio.move_on_after(SLOT_PATIENCE):
                await asked.left.wait()
        finally:
            if asked in self._waiting:
                self._waiting.remove(asked)
        if not asked.left.is_set():
            raise NotAnswered
        with trio.move_on_after(patience(self._document().parameters)):
            await asked.answered.wait()
        return asked.answer

    def next_question(self) -> OutgoingQuestion | None:
        """What the next payload slot should carry."""
        return self._waiting.popleft() if self._waiting else None

    def packed(self, asked: OutgoingQuestion, block: bytes) -> None:
        """It is in a packet, with the reply block of this identifier (32 bytes)."""
        asked.blocks.append(block)
        self._awaited[block] = asked
        asked.left.set()

    def unsendable(self, asked: OutgoingQuestion) -> None:
        """No packet can be made for it now: it counts as sent and lost."""
        asked.left.set()

    def answered_untrusted(self, block: bytes, message: bytes) -> bool:
        """Take what came through a reply block; whether anybody awaited it. RemoteError if it is malformed."""
        asked = self._awaited.pop(block, None)
        if asked is None:
            return False
        answer = ServiceAnswer.parse_untrusted(message)
        if not asked.answered.is_set():
            asked.answer = answer
            asked.answered.set()
        return True
