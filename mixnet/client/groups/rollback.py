"""Detects members who continue from an old copy of their profile and reuse numbers of posts (spec/07-client.md 7.17).

Promises: a post that has another's number is neither shown, passed on nor acknowledged; its author learns of it, goes
on with numbers that nobody has, and gives its post one of them if nobody has it yet. If somebody has, it fails and says
so: nothing is lost in silence or shown twice.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_bodies import GroupBehind, GroupDiffer
from mixnet.client.groups import posts
from mixnet.client.groups.dispatch import Dispatch
from mixnet.client.groups.posts import SAYS, Post
from mixnet.client.groups.registry import Group, Registry
from mixnet.client.model.failures import EXPIRED
from mixnet.client.storage.database import Row
from mixnet.errors import RemoteError

_LANE = 0
DOUBTFUL = "this profile is an old copy, so some members have it and others don't: ask who has it"


class ReusedNumbers:
    """Posts with a number that their author has used before."""

    def __init__(self, core: Core, registry: Registry, dispatch: Dispatch) -> None:
        self._core, self._store, self._registry, self._dispatch = core, core.store, registry, dispatch

    def is_one(self, group: Group, post: Post) -> bool:
        """Whether a post has the number of another one, or one below what its author's others have."""
        query = "SELECT raw FROM group_posts WHERE grp = ? AND author = ? AND number = ?"
        row = self._store.one(query, group.id, post.author, post.number)
        if row is not None:
            taken = posts.parse_untrusted(bytes(row[0]))
            return taken.identity != post.identity
        peer = self._registry.peers(group).get(post.author)
        return peer is not None and peer.expected is not None and post.number < peer.expected

    def tell(self, group: Group, post: Post, sender: bytes, now: float) -> None:
        """Tell its author, if it can be reached, by a post of its own that shows it: of this number, or the newest.

        If another member passed it on, that one has it under this number: the two of us were told different things.
        """
        if sender != post.author:
            for taken in self._dispatch.agreement.others(group, post):
                self._dispatch.agreement.proven(group, taken, post, now)
        peer = self._registry.peers(group).get(post.author)
        if peer is None or peer.contact is None or not self._registry.reachable(peer.contact):
            return
        if self._core.crowded(peer.contact):  # old posts can ask for this for ever
            return
        query = "SELECT raw FROM group_posts WHERE grp = ? AND author = ? ORDER BY number = ? DESC, number DESC LIMIT 1"
        row = self._store.one(query, group.id, post.author, post.number)
        if row is not None:
            body = GroupBehind(group.identifier, post.number, posts.parse_untrusted(bytes(row[0])).shown())
            self._core.enqueue(peer.contact, _LANE, body, None, now)

    def heard_untrusted(self, group: Group, contact: int, body: GroupBehind | GroupDiffer, now: float) -> None:
        """A member has another post than we have, of ours or of somebody else. RemoteError."""
        if isinstance(body, GroupBehind):
            self._told_untrusted(group, contact, body, now)
        else:
            self._dispatch.agreement.differ_untrusted(group, contact, body, now)

    def _told_untrusted(self, group: Group, contact: int, body: GroupBehind, now: float) -> None:
        """A member has others of our posts: go on after them. RemoteError unless one that we signed shows it."""
        member, shown = self._registry.member_of(group, contact), posts.parse_untrusted(body.post)
        if member is None or (shown.author, shown.group) != (group.me, group.identifier):
            raise RemoteError("what is said of a group's numbers isn't shown by a post of ours")
        query = (
            "SELECT p.id, p.message, p.raw, p.ends FROM group_posts p JOIN group_awaited a ON a.post = p.id"
            " WHERE p.grp = ? AND p.author = ? AND p.number = ? AND a.member = ?"
        )
        row = self._store.one(query, group.id, group.me, body.number, member.key)
        post = None if row is None else posts.parse_untrusted(bytes(row[2]))
        behind = shown.number >= max(group.next_number, body.number)
        twice = post is not None and shown.number == post.number and shown.identity != post.identity
        if behind:
            self._registry.skip_numbers(group, shown.number + 1)
        if row is not None and post is not None and (behind or twice):
            self._number_again(group, post, row, now)

    def _number_again(self, group: Group, post: Post, row: Row, now: float) -> None:
        stored, message, _, ends = row
        lifetime = None if ends is None else ends - now
        about = self._store.value(int, "SELECT about FROM group_posts WHERE id = ?", stored)
        nobody = self._dispatch.deliveries.taken_back(stored, group, post.number)
        over = lifetime is not None and lifetime <= 0
        if not nobody or over:
            if message is not None:
                self._core.fail_message(message, EXPIRED if nobody else DOUBTFUL)
        elif post.change:
            self._dispatch.write(group, now, change=group_changes.parse_untrusted(post.change))
        elif post.text or post.deed != SAYS:
            self._dispatch.write(
                group, now, text=post.text, deed=post.deed, about=about, lifetime=lifetime, again=message
            )
