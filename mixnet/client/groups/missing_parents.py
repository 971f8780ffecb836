"""Holds back posts until the changes of membership on which they build are here (spec/07-client.md 7.17).

Promises: they outlast a restart, since a session doesn't bring again what it has brought; no more than HELD wait, and
none for longer than messages do. For a new one the oldest gives way of those from whom most have come, so that nobody
pushes out others' by sending many. Whatever changes here is written in the caller's transaction.
"""

from __future__ import annotations

import math

import msgspec

from mixnet.client.core.state import Core
from mixnet.client.e2e.group_bodies import GroupPost
from mixnet.client.groups.posts import Post
from mixnet.client.groups.registry import Group

HELD = 64
_SURPLUS = """
DELETE FROM group_held WHERE (SELECT count(*) FROM group_held) > ? AND id = (
    SELECT min(id) FROM group_held GROUP BY contact ORDER BY count(*) DESC, min(id) LIMIT 1
)
"""
_BODY = msgspec.msgpack.Decoder(GroupPost)


class HeldPosts:
    """All posts of all groups that came before the changes that they name."""

    def __init__(self, core: Core) -> None:
        self._core, self._store = core, core.store

    def add(self, group: Group, contact: int, body: GroupPost, post: Post, now: float) -> None:
        """Let a post that came from a contact wait, until it is over."""
        expires = min(now + self._core.settings.message_lifetime, post.expires or math.inf)
        query = "INSERT INTO group_held (contact, body, expires, grp, author, number) VALUES (?, ?, ?, ?, ?, ?)"
        of = group.id, post.author, post.number
        self._store.run(query, contact, msgspec.msgpack.encode(body), expires, *of)
        self._store.run(_SURPLUS, HELD)

    def all(self) -> list[tuple[int, int, GroupPost]]:
        """(its place, whose it is, what came), oldest first."""
        rows = self._store.all("SELECT id, contact, body FROM group_held ORDER BY id")
        return [(number, contact, _BODY.decode(body)) for number, contact, body in rows]

    def drop(self, number: int) -> None:
        """It waits no more."""
        self._store.run("DELETE FROM group_held WHERE id = ?", number)

    def drop_all(self, group: Group) -> None:
        """Nothing of a group waits any more."""
        self._store.run("DELETE FROM group_held WHERE grp = ?", group.id)

    def expire(self, now: float) -> None:
        """Forget what has waited too long."""
        self._store.run("DELETE FROM group_held WHERE expires <= ?", now)
