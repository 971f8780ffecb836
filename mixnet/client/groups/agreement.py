"""Finds out that members were sent different posts under one number of their author (spec/07-client.md 7.17).

Promises: each post names what its author has taken since its last one, so whoever has another post of that number sees
it; the two show each other what was signed, and the user is told only what an author's two signatures show, so nobody
can be accused of it by others. What is kept of them shows no text. All of it is bounded, and goes as posts do.
"""

from __future__ import annotations

from mixnet import crypto
from mixnet.client.core.state import Core
from mixnet.client.e2e.group_bodies import DIFFER_LIMIT, GroupDiffer
from mixnet.client.groups import posts
from mixnet.client.groups.leavers import Leavers
from mixnet.client.groups.posts import Post
from mixnet.client.groups.registry import Group, Registry
from mixnet.errors import RemoteError

_LANE = 0
_CLAIMS = 256  # of a group, of posts that are not here yet; the oldest give way
_PROOFS = 8  # of an author in a group, as long as they are kept: the user knows then
_DIFFERENT = (
    "{name} sent two different messages as one (its number {number}): some of you read the one and some the other, so"
    " compare what you read. A profile that was restored from an old copy does this, too"
)


class Agreement:
    """What others say of the posts that they have, in all groups."""

    def __init__(self, core: Core, registry: Registry, leavers: Leavers) -> None:
        self._core, self._store, self._registry, self._leavers = core, core.store, registry, leavers

    # what we say

    def to_tell(self, group: Group) -> list[Post]:
        """The posts that our next one names, once; in a change that sends it."""
        rows = self._store.all(
            "SELECT id, raw FROM group_posts WHERE grp = ? AND told = 0 ORDER BY id LIMIT ?", group.id, posts.SEEN_LIMIT
        )
        for stored, _ in rows:
            self._store.run("UPDATE group_posts SET told = 1 WHERE id = ?", stored)
        named = [bytes(raw) for _, raw in rows]
        # Of two that an author signed, those who have the first learn of the other.
        query = "SELECT author, number, second FROM group_proofs WHERE grp = ? AND told = 0 LIMIT ?"
        for author, number, second in self._store.all(query, group.id, posts.SEEN_LIMIT - len(named)):
            named.append(bytes(second))
            told = "UPDATE group_proofs SET told = 1 WHERE grp = ? AND author = ? AND number = ?"
            self._store.run(told, group.id, author, number)
        return [posts.parse_untrusted(raw) for raw in named]

    # what others say

    def came(self, group: Group, post: Post, now: float) -> None:
        """A post is here for the first time: hear what it says of others, and think of what others said of it."""
        ours = [one for entry in posts.entries(post.seen) for one in self._other_than(group, post, entry, now)]
        self._ask(group, post.author, list(dict.fromkeys(ours)), now)
        prefix = post.author[: posts.AUTHOR_SIZE]
        said = "SELECT mark, key, claimant FROM group_claims WHERE grp = ? AND author = ? AND number = ?"
        for mark, key, claimant in self._store.all(said, group.id, prefix, post.number):
            if not crypto.equal(post.mark(bytes(key)), bytes(mark)):
                self._ask(group, bytes(claimant), [post.shown()], now)
        gone = "DELETE FROM group_claims WHERE grp = ? AND author = ? AND number = ?"
        self._store.run(gone, group.id, prefix, post.number)

    def _other_than(self, group: Group, post: Post, entry: tuple[bytes, int, bytes], now: float) -> list[bytes]:
        """What we have of a post that another one names, if that is another; what isn't here yet is looked at then."""
        prefix, number, mark = entry
        query = "SELECT raw FROM group_posts WHERE grp = ? AND number = ? AND substr(author, 1, ?) = ? AND author <> ?"
        rows = self._store.all(query, group.id, number, posts.AUTHOR_SIZE, prefix, group.me)
        if rows:
            known = [posts.parse_untrusted(bytes(raw)) for (raw,) in rows]
            return [one.shown() for one in known if not crypto.equal(one.mark(post.digest), mark)]
        awaited = (
            "SELECT 1 FROM (SELECT grp, key, expected FROM group_peers UNION ALL SELECT grp, key, expected FROM"
            " group_leavers) WHERE grp = ? AND substr(key, 1, ?) = ? AND coalesce(expected, 0) <= ?"
        )
        if self._store.has(awaited, group.id, posts.AUTHOR_SIZE, prefix, number):
            expires = now + self._core.settings.message_lifetime
            values = (group.id, prefix, number, mark, post.digest, post.author, expires)
            columns = "grp, author, number, mark, key, claimant, expires"
            self._store.run(f"INSERT INTO group_claims ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", *values)  # noqa: S608
            surplus = (
                "DELETE FROM group_claims WHERE grp = ? AND id <= ("
                "SELECT id FROM group_claims WHERE grp = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"
            )
            self._store.run(surplus, group.id, group.id, _CLAIMS)
        return []

    def _ask(self, group: Group, whom: bytes, ours: list[bytes], now: float) -> None:
        """Show a member what we have, so that it shows us what it has; what is proven already isn't asked for."""
        open_ = [raw for raw in ours if not self._is_proven(group, posts.parse_untrusted(raw))]
        if open_:
            self._say(group, self._leavers.contact(group, whom), open_, now, asks=True)

    def _say(self, group: Group, contact: int | None, shown: list[bytes], now: float, *, asks: bool) -> None:
        if contact is not None and self._registry.reachable(contact) and not self._core.crowded(contact):
            body = GroupDiffer(group.identifier, tuple(shown[:DIFFER_LIMIT]), asks)
            self._core.enqueue(contact, _LANE, body, None, now)

    def differ_untrusted(self, group: Group, contact: int, body: GroupDiffer, now: float) -> None:
        """A member has other posts than we have: RemoteError unless their authors signed them."""
        if self._registry.member_of(group, contact) is None:
            raise RemoteError("what is said of a group's messages by one who isn't in it")
        theirs = [posts.parse_untrusted(raw) for raw in body.posts]
        if any(post.group != group.identifier for post in theirs):
            raise RemoteError("what is said of a group's messages isn't of this group")
        answer = []
        for post in theirs:
            others = self.others(group, post)
            if others and post.author != group.me:
                answer.append(others[0].shown())
                self.proven(group, others[0], post, now)
        if body.asks and answer:
            self._say(group, contact, answer, now, asks=False)

    def others(self, group: Group, post: Post) -> list[Post]:
        """Other posts that are here of a post's number, the one that was taken first."""
        query = (
            "SELECT raw FROM group_posts WHERE grp = ?1 AND author = ?2 AND number = ?3"
            " UNION ALL SELECT second FROM group_proofs WHERE grp = ?1 AND author = ?2 AND number = ?3"
        )
        rows = self._store.all(query, group.id, post.author, post.number)
        known = [posts.parse_untrusted(bytes(raw)) for (raw,) in rows]
        return [one for one in known if one.identity != post.identity]

    def _is_proven(self, group: Group, post: Post) -> bool:
        query = "SELECT 1 FROM group_proofs WHERE grp = ? AND author = ? AND number = ?"
        return self._store.has(query, group.id, post.author, post.number)

    def proven(self, group: Group, ours: Post, other: Post, now: float) -> None:
        """An author signed two posts under one number: keep that, and tell the user once."""
        count = "SELECT count(*) FROM group_proofs WHERE grp = ? AND author = ?"
        many = (self._store.value(int, count, group.id, ours.author) or 0) >= _PROOFS
        if many or self._is_proven(group, ours):
            return
        expires = now + self._core.settings.message_lifetime
        values = (group.id, ours.author, ours.number, ours.shown(), other.shown(), expires)
        self._store.run("INSERT INTO group_proofs VALUES (?, ?, ?, ?, ?, 0, ?)", *values)
        if self._leavers.contact(group, ours.author) in self._core.blocked:  # nothing of it is shown
            return
        name = self._called(group, ours.author)
        self._core.warn(group.contact, _DIFFERENT.format(name=name, number=ours.number), now)

    def _called(self, group: Group, author: bytes) -> str:
        """By the name under which the user sees what it wrote: who was put out is perhaps not known otherwise."""
        query = (
            "SELECT x.author FROM group_messages x JOIN messages m ON m.id = x.message"
            " WHERE m.contact = ? AND x.writer = ? ORDER BY m.id DESC LIMIT 1"
        )
        return self._store.value(str, query, group.contact, author) or self._registry.called(group)[author]

    def expire(self, now: float) -> None:
        """Forget what is as old as messages get."""
        for table in ("group_claims", "group_proofs"):
            self._store.run(f"DELETE FROM {table} WHERE expires <= ?", now)  # noqa: S608  # our own names
