"""The tables of what a session has delivered, and of the texts that it has under way.

Promises: what is remembered is bounded: KEPT messages of a lane (client/arq/delivery_tags.py).
"""

from __future__ import annotations

from mixnet.client.arq.delivery_tags import KEPT, SKIPPED, tag
from mixnet.client.storage.database import Store


class SessionHistory:
    """What one session has delivered here, and sent, in the store."""

    def __init__(self, store: Store, session: int) -> None:
        self._store, self._session = store, session

    def delivered(self, lane: int, number: int, ciphertext: bytes) -> None:
        """Remember a message that was delivered here, and forget the oldest."""
        self._store.run(
            "INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?)", self._session, lane, number, tag(ciphertext)
        )
        old = "DELETE FROM taken WHERE session = ? AND lane = ? AND number <= ?"
        self._store.run(old, self._session, lane, number - KEPT)

    def tags(self, lane: int, next_number: int, limit: int = KEPT) -> tuple[bytes, ...]:
        """The tags of at most `limit` messages right below `next_number`, the newest last."""
        where = "FROM taken WHERE session = ? AND lane = ?"
        oldest = self._store.value(int, f"SELECT min(number) {where}", self._session, lane)
        if oldest is None:
            return ()
        first = max(oldest, next_number - limit)
        query = f"SELECT number, tag {where} AND number >= ? AND number < ?"
        known: dict[int, bytes] = dict(self._store.all(query, self._session, lane, first, next_number))
        return tuple(bytes(known.get(number, SKIPPED)) for number in range(first, next_number))

    def posted(self, number: int, body: bytes) -> None:
        """Remember what is under way in lane 0, until it is delivered."""
        self._store.run("INSERT INTO posted VALUES (?, 0, ?, ?)", self._session, number, body)
