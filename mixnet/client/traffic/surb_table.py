"""The reply blocks that this client gave out, and the keys that open their replies (spec/04-mixing.md 4.5).

Promises: the table is bounded in number and age, the oldest goes first; a reply block opens once.
Pure: time comes in as an argument. It lives in memory: what a restart loses is asked for again by a retransmission.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from mixnet.sphinx import SurbKeys

LIMIT = 8192


class Awaited(NamedTuple):
    """What opens a reply, and the session in whose fragment the block left: what comes back is about that only.

    Without a session it went to a provider with a question, and what comes back is its answer and nothing else.
    """

    keys: SurbKeys
    session: int | None


class ReplyTable:
    """SURB id to what is awaited."""

    def __init__(self, lifetime: float, limit: int = LIMIT) -> None:
        """Forget what is older than `lifetime` seconds, and the oldest beyond `limit`."""
        self._lifetime, self._limit = lifetime, limit
        self._waiting: OrderedDict[bytes, tuple[float, Awaited]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, surb_id: bytes, awaited: Awaited, now: float) -> None:
        """Await a reply through this block."""
        self._waiting[surb_id] = (now, awaited)
        while self._waiting and (len(self._waiting) > self._limit or self._oldest() < now - self._lifetime):
            self._waiting.popitem(last=False)

    def take(self, surb_id: bytes) -> Awaited | None:
        """What is awaited through this block, for the one time that it opens."""
        found = self._waiting.pop(surb_id, None)
        return found[1] if found else None

    def _oldest(self) -> float:
        return next(iter(self._waiting.values()))[0]
