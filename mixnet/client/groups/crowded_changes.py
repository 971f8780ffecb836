"""Changes that are put by because their author has signed too many beside each other (spec/07-client.md 7.17).

Promises: what another member's change or post builds on is taken in with it, so that nobody who builds on what one took
is lost for those who took others; what nobody builds on is kept in memory only, and not for long.
"""

from __future__ import annotations

from contextlib import suppress

from mixnet.client.e2e.group_changes import Change
from mixnet.client.groups import posts
from mixnet.client.groups.missing_parents import HeldPosts
from mixnet.client.groups.registry import Group, Registry
from mixnet.errors import RemoteError

_KEPT = 64  # of a group


class CrowdedChanges:
    """The crowded changes of all groups."""

    def __init__(self, registry: Registry, holding: HeldPosts) -> None:
        """`holding` has the posts that build on changes that aren't here."""
        self._registry, self._holding = registry, holding
        self._waiting: dict[int, dict[bytes, Change]] = {}

    def put_by(self, group: Group, change: Change) -> None:
        """Keep a change that is taken only if another member's builds on it."""
        waiting = self._waiting.setdefault(group.id, {})
        waiting[change.hash] = change
        while len(waiting) > _KEPT:
            del waiting[next(iter(waiting))]

    def take_with(self, group: Group, change: Change) -> bool:
        """Take a change in with those put by on which it builds; whether it is in now."""
        waiting, needed, behind = self._waiting.get(group.id, {}), set[bytes](), list(change.parents)
        while behind:
            one = waiting.get(behind.pop())
            if one is not None and one.author != change.author and one.hash not in needed:
                needed.add(one.hash)
                behind += one.parents
        with suppress(RemoteError):
            for one in waiting.values():
                if one.hash in needed:
                    self._registry.take_untrusted(group, one, needed=True)
            self._registry.take_untrusted(group, change)
            return True
        return False

    def take_for_posts(self, group: Group) -> bool:
        """Take in what was put by and is built on by others' posts; whether that was any."""
        waiting, taken = self._waiting.get(group.id), False
        if not waiting:
            return False
        for _, _, body in self._holding.all():
            post = posts.parse_untrusted(body.post)
            for head in post.heads if post.group == group.identifier else ():
                one = waiting.get(head)
                if one is not None and one.author != post.author:
                    with suppress(RemoteError):
                        taken = self._registry.take_untrusted(group, one, needed=True) or taken
        return taken
