"""Which posts of members who have left are still accepted (spec/07-client.md 7.17).

Promises: what somebody wrote before it left by its own will is taken from it, and from those who pass it on, whoever
told of the leaving first; for as long as messages wait, and at most LATE posts of it. From who was removed nothing is.
Whatever changes here is written in the caller's transaction.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.e2e.group_changes import Change, ChangeKind
from mixnet.client.groups.posts import Post
from mixnet.client.groups.registry import Group, GroupPeer, Registry
from mixnet.client.groups.roster import Member
from mixnet.errors import RemoteError

LATE = 64  # posts after the last one that was filed when the leaving became known


class Leavers:
    """Those who left any group lately."""

    def __init__(self, core: Core, registry: Registry) -> None:
        self._core, self._store, self._registry = core, core.store, registry

    def keep(self, group: Group, peer: GroupPeer, now: float) -> None:
        """Remember a member that is gone, if it left."""
        if not self._has_left(group, peer.key):
            return
        last = (peer.expected or 0) + LATE - 1
        until = now + self._core.settings.message_lifetime
        query = "INSERT OR REPLACE INTO group_leavers VALUES (?, ?, ?, ?, ?, ?)"
        self._store.run(query, group.id, peer.key, peer.contact, peer.expected, last, until)

    def ended(self, group: Group, post: Post, change: Change) -> None:
        """A post came with this change: if that is its author's leaving, the author wrote nothing after it."""
        if change.kind is ChangeKind.REMOVE and change.subject == change.author == post.author:
            query = "UPDATE group_leavers SET last = min(last, ?) WHERE grp = ? AND key = ?"
            self._store.run(query, post.number, group.id, post.author)

    def admit_untrusted(self, group: Group, contact: int, post: Post, now: float) -> bytes:
        """The key of the member or leaver that a post comes from; RemoteError if it may not come, or not from there.

        A change that a post brings has its own right, whatever has become of the post's author.
        """
        sender = self._registry.member_of(group, contact)
        if post.author in self._registry.roster(group).members or (sender is not None and post.change):
            if sender is None:
                raise RemoteError("a message of a group from one who isn't in it")
            return sender.key
        row = self._store.one(
            "SELECT contact, last FROM group_leavers WHERE grp = ? AND key = ? AND until > ?",
            *(group.id, post.author, now),
        )
        if row is None or post.number > row[1] or not self._has_left(group, post.author):
            raise RemoteError("a message of a group whose author isn't in it")
        if sender is None and contact != row[0]:
            raise RemoteError("a message of a group from one who isn't in it")
        return post.author if sender is None else sender.key

    def member(self, group: Group, key: bytes, now: float) -> Member | None:
        """Who left lately under a key."""
        history = self._registry.history(group)
        query = "SELECT 1 FROM group_leavers WHERE grp = ? AND key = ? AND until > ?"
        known = self._store.one(query, group.id, key, now)
        return None if history is None or known is None else history.gone(key)

    def knows(self, group: Group, contact: int) -> bool:
        """Whether a contact is one who left."""
        query = "SELECT 1 FROM group_leavers WHERE grp = ? AND contact = ?"
        return self._store.has(query, group.id, contact)

    def greeted(self, group: Group, key: bytes, contact: int, first: int) -> None:
        """The greeting of one who left comes after the news of that: it says with which post we begin."""
        query = (
            "UPDATE group_leavers SET contact = ?, expected = ?, last = iif(last = ?, ?, last)"
            " WHERE grp = ? AND key = ? AND expected IS NULL"
        )
        self._store.run(query, contact, first, LATE - 1, first + LATE - 1, group.id, key)

    def _has_left(self, group: Group, key: bytes) -> bool:
        """An admin may have removed it before it was known that it had left."""
        history = self._registry.history(group)
        return history is not None and history.left(key)

    def expected(self, group: Group, author: bytes) -> int | None:
        """The number of the next post of a member or leaver; None as long as it has not said with which it begins."""
        return self._of(group, author)[0]

    def contact(self, group: Group, author: bytes) -> int | None:
        """In whose sessions a member or leaver is heard."""
        return self._of(group, author)[1]

    def _of(self, group: Group, author: bytes) -> tuple[int | None, int | None]:
        """(the number of its next post, in whose sessions it is heard) of a member or leaver, as far as it is known."""
        query = (
            "SELECT expected, contact FROM group_peers WHERE grp = ? AND key = ?"
            " UNION ALL SELECT expected, contact FROM group_leavers WHERE grp = ? AND key = ?"
        )
        row = self._store.one(query, group.id, author, group.id, author)
        return (None, None) if row is None else (row[0], row[1])

    def expect(self, group: Group, author: bytes, number: int) -> None:
        """All posts of a member or leaver below `number` are filed, or not waited for."""
        for table in ("group_peers", "group_leavers"):
            query = f"UPDATE {table} SET expected = ? WHERE grp = ? AND key = ?"  # noqa: S608  # our own names
            self._store.run(query, number, group.id, author)

    def expire(self, now: float) -> None:
        """Forget those whose time is over."""
        self._store.run("DELETE FROM group_leavers WHERE until <= ?", now)
