"""Slots at providers, as a client reads and writes them (spec/06-providers.md 6.5).

Promises: whoever knows the name of a slot finds the same provider; both calls may be repeated.
"""

from __future__ import annotations

from mixnet.client.traffic.provider_queries import ProviderQueries
from mixnet.errors import RemoteError
from mixnet.services import Operation, Question, ServiceStatus


class Rendezvous:
    """Reads and writes the slots of an hour, or of a day."""

    def __init__(self, provider_queries: ProviderQueries, *, day: bool = False) -> None:
        self._queries = provider_queries
        self._put, self._read = (Operation.PUT_DAY, Operation.READ_DAY) if day else (Operation.PUT, Operation.READ)

    def provider_for(self, slot: bytes) -> bytes:
        """Where the slots of a meeting are, whose first one is `slot`."""
        return self._queries.provider_for(slot)

    async def put(self, provider: bytes, slot: bytes, body: bytes) -> int | None:
        """Put `body` into a slot; its place, or None if there is no room. NotAnswered, RemoteError."""
        answer = await self._queries.ask(provider, Question(self._put, slot, body))
        if answer.status is ServiceStatus.FULL:
            return None
        if answer.status is not ServiceStatus.DONE or len(answer.body) != 1:
            raise RemoteError("this provider keeps no slots: ask its operator for a newer version")
        return answer.body[0]

    async def read(self, provider: bytes, slot: bytes, place: int = 0) -> bytes | None:
        """What is at a place of a slot, or None. NotAnswered."""
        answer = await self._queries.ask(provider, Question(self._read, slot, bytes([place])))
        return answer.body if answer.status is ServiceStatus.DONE else None
