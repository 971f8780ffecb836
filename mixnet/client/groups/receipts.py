"""Receipts for others' posts, gathered from below and handed to the session up their tree (spec/07-client.md 7.17).

Promises: each is handed over once, and one that can't be stops no other. They are gathered only for a tree that is
served here, and no more than a hundred for one.
"""

from __future__ import annotations

from functools import partial

from mixnet.client.core.state import Core
from mixnet.client.e2e.group_bodies import RECEIPT_SIZE, GroupReceipts
from mixnet.client.groups.multicast import SPARE_PLAN, TreeTiming
from mixnet.client.groups.registry import Registry
from mixnet.client.groups.relay import OpenPost
from mixnet.client.groups.roster import Roster
from mixnet.errors import RemoteError

_LANE = 0
_LIMIT = 100 * RECEIPT_SIZE  # bytes that are gathered for a tree


class Receipts:
    """The receipts of all groups that wait to be handed on."""

    def __init__(self, core: Core, registry: Registry, timing: TreeTiming) -> None:
        self._core, self._store, self._registry, self._timing = core, core.store, registry, timing

    def begin(self, way: OpenPost, plan: int, parent: int, then: Roster | None, now: float) -> None:
        """Gather those for a tree that came from `parent`. `then`: its author's members, if ours is among them."""
        own, due = (b"", None) if then is None else (self._own(way, then), now + self._timing.gather)
        query = "INSERT OR REPLACE INTO group_receipts VALUES (?, ?, ?, ?, ?)"
        self._store.run(query, way.id, plan, parent, own, due)

    def _own(self, way: OpenPost, then: Roster) -> bytes:
        post, pair = way.post, self._registry.pair(way.group, then.members[way.post.author])
        return bytes([then.order().index(way.group.me)]) + pair.receipt(post.number, post.identity, ours=True)

    def gather_untrusted(self, post: int, body: GroupReceipts, now: float) -> None:
        """Put receipts from below to those that wait. RemoteError if the tree isn't served here, or has too many."""
        # Who had the message by a tree before it sent spare copies has no other way up for their receipts.
        query = (
            "SELECT receipts, due, plan FROM group_receipts WHERE post = ? AND (plan = ? OR ?)"
            " ORDER BY plan = ? DESC, plan LIMIT 1"
        )
        up = self._store.one(query, post, body.plan, body.plan == SPARE_PLAN, body.plan)
        if up is None or len(up[0]) + len(body.receipts) > _LIMIT:
            raise RemoteError("receipts for a tree that is not served here")
        due = now + self._timing.gather if up[1] is None else up[1]
        query = "UPDATE group_receipts SET receipts = ?, due = ? WHERE post = ? AND plan = ?"
        self._store.run(query, bytes(up[0]) + body.receipts, due, post, up[2])

    def send(self, now: float) -> None:
        """Send those whose time has come. In the caller's change."""
        rows = self._store.all(
            "SELECT r.post, r.plan, r.parent, r.receipts, g.identifier, p.author, p.number, g.id FROM group_receipts r"
            " JOIN group_posts p ON p.id = r.post JOIN groups g ON g.id = p.grp WHERE r.due <= ?",
            now,
        )
        for post, plan, parent, receipts, identifier, author, number, group in rows:
            query = "UPDATE group_receipts SET receipts = x'', due = NULL WHERE post = ? AND plan = ?"
            self._store.run(query, post, plan)
            body = GroupReceipts(bytes(identifier), bytes(author), number, plan, bytes(receipts))
            self._core.attempt(partial(self._core.enqueue, parent, _LANE, body, None, now, account=group))
