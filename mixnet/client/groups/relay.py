"""Passes posts on: which member gets a copy next (spec/07-client.md 7.17).

Promises: hops leave one at a time, in the order of their tree, and spare copies when nothing else waits; a copy that
waits can be read by its receiver alone, and not here; what is stored here is stored in the caller's transaction.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from mixnet.client.arq.sender import USER
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import MessageEvent, decode_untrusted
from mixnet.client.e2e.group_bodies import GroupPost
from mixnet.client.groups import posts
from mixnet.client.groups.multicast import SPARE_PLAN, TreeTiming, spare_targets
from mixnet.client.groups.posts import Post
from mixnet.client.groups.registry import Group, GroupPeer, Registry
from mixnet.client.groups.rollercoaster import Branch, split
from mixnet.errors import RemoteError

_LANE = 0
_TEXTS = 4  # places in a session's window that copies leave to texts
_HOPS = 1024  # copies of others' posts that wait in a group: beyond them none is passed on, as if we were away
_SPARE_WAYS = 30  # ways of a packet after which a spare copy is given up: it is for those who are there


@dataclass(frozen=True, slots=True)
class PostCopy:
    """A copy of a post for a contact, and the members to whom that contact passes it on."""

    id: int
    post: int
    contact: int
    plan: int
    onward: bytes
    spares: int
    account: int
    key: bytes


@dataclass(frozen=True, slots=True)
class OpenPost:
    """A post of a group that can be read here still; `order` is what an index of a member means in it."""

    group: Group
    id: int
    post: Post
    order: tuple[bytes, ...]


class CopyQueue:
    """All copies of posts that wait to be sent."""

    def __init__(self, core: Core, registry: Registry, timing: TreeTiming) -> None:
        self._core, self._store, self._registry, self._timing = core, core.store, registry, timing
        self._fed: dict[bool, tuple[int, int]] = {}  # whether of ours → (contact, row) of the hop handed over last

    def reload(self) -> None:
        """Forget what isn't in the store."""
        self._fed = {}

    def add(self, way: OpenPost, plan: int, branch: Branch[bytes], spares: int) -> None:
        """Let a hop wait. From here on its receiver alone can read it, so what it says may be deleted here."""
        member = self._registry.roster(way.group).members.get(branch.child)
        if member is None:
            return
        try:
            key = way.post.key_for_untrusted(member.agree)
        except RemoteError:  # whoever added it gave it a key of which nothing can be made
            return
        onward = bytes(way.order.index(key) for key in branch.onward if key != branch.child)
        query = "INSERT INTO group_hops (post, target, plan, onward, spares, key) VALUES (?, ?, ?, ?, ?, ?)"
        self._store.run(query, way.id, branch.child, plan, onward, spares, key)

    def pass_on(self, way: OpenPost, body: GroupPost) -> None:
        """To those who still are members and whom we can reach; its author sees by the others' silence who isn't."""
        if self._is_full(way.group):
            return
        there = self._there(way.group, (way.order[index] for index in body.onward))
        targets = [key for key in there if key != way.post.author]
        for branch in split(targets, self._timing.latency):
            self.add(way, body.plan, branch, body.spares)

    def spare(self, way: OpenPost, body: GroupPost, sender: bytes, rng: random.Random) -> None:
        """Send copies to a few who may be behind somebody who is away."""
        if self._is_full(way.group):
            return
        served = {way.post.author, sender, *(way.order[index] for index in body.onward)}
        there = self._there(way.group, (key for key in way.order if key not in served))
        others = [key for key, peer in there.items() if not peer.doubted]
        for key in spare_targets(others, body.spares, rng):
            self.add(way, SPARE_PLAN, Branch(key, ()), body.spares)

    def _is_full(self, group: Group) -> bool:
        query = (
            "SELECT count(*) FROM group_hops h JOIN group_posts p ON p.id = h.post"
            " WHERE p.grp = ? AND h.post NOT IN (SELECT post FROM group_awaited)"
        )
        return (self._store.value(int, query, group.id) or 0) >= _HOPS

    def _there(self, group: Group, keys: Iterable[bytes]) -> dict[bytes, GroupPeer]:
        """Those of `keys`, in their order, who still are members and whom we can reach."""
        roster, peers = self._registry.roster(group), self._registry.peers(group)
        known = {key: peers[key] for key in keys if key in roster.members and key in peers}
        return {key: peer for key, peer in known.items() if self._registry.reachable(peer.contact)}

    def supersede(self, post: int, branches: Iterable[Branch[bytes]]) -> None:
        """Copies of earlier trees that have not left are not sent beside those of a new one."""
        for branch in branches:
            for key in (branch.child, *branch.onward):
                self._store.run("DELETE FROM group_hops WHERE post = ? AND target = ?", post, key)

    def forget(self, key: bytes, group: Group) -> None:
        """Send a member of `group` nothing more."""
        hops = "DELETE FROM group_hops WHERE target = ? AND post IN (SELECT id FROM group_posts WHERE grp = ?)"
        self._store.run(hops, key, group.id)

    def expire(self, now: float) -> None:
        """Send nothing of posts whose time is over."""
        self._store.run("DELETE FROM group_hops WHERE post IN (SELECT id FROM group_posts WHERE ends <= ?)", now)

    def next(self, *, ours: bool) -> PostCopy | None:
        """The first hop of a post of ours, or of another's, that can go to a session now; spare copies after others."""
        if ours in self._fed and self._is_next(*self._fed[ours]):
            return None
        rows = self._store.all(
            "SELECT h.id, h.post, q.contact, h.plan, h.onward, h.spares, h.key, p.grp"
            " FROM group_hops h JOIN group_posts p ON p.id = h.post"
            " JOIN group_peers q ON q.grp = p.grp AND q.key = h.target"
            " WHERE (h.post IN (SELECT post FROM group_awaited)) = ? ORDER BY h.plan = ?, h.id",
            *(ours, SPARE_PLAN),
        )
        for hop, post, contact, plan, onward, spares, key, grp in rows:
            if contact is not None and self._has_place(contact):
                return PostCopy(hop, post, contact, plan, bytes(onward), spares, USER if ours else grp, bytes(key))
        return None

    def _is_next(self, contact: int, row: int) -> bool:
        """Whether a hop that was handed over goes into its session next: one behind others holds up no further hop."""
        if (contact, _LANE) not in self._core.waiting or not self._has_place(contact):
            return False
        first = self._core.next_waiting(contact, _LANE)
        return first is not None and first.id == row

    def recall(self, group: Group, number: int) -> None:
        """Let copies of a post of ours that sessions have already go no further."""
        store = self._store
        for row, body in store.all("SELECT id, body FROM waiting WHERE lane = ?", _LANE):
            if _is_copy(bytes(body), group, number):
                store.run("DELETE FROM waiting WHERE id = ?", row)
        for session, place, body in store.all("SELECT session, number, body FROM posted WHERE lane = ?", _LANE):
            if _is_copy(bytes(body), group, number):
                self._core.conversations[session].withdraw(_LANE, place)
        for session, place, body in store.all("SELECT session, number, body FROM stranded WHERE lane = ?", _LANE):
            if body is not None and _is_copy(bytes(body), group, number):
                gone = "DELETE FROM stranded WHERE session = ? AND lane = ? AND number = ?"
                store.run(gone, session, _LANE, place)

    def waits(self, post: int) -> bool:
        """Whether a copy has not left only because others go first: silence says nothing of its receiver then."""
        contacts = (
            "SELECT DISTINCT q.contact FROM group_hops h JOIN group_posts p ON p.id = h.post"
            " JOIN group_peers q ON q.grp = p.grp AND q.key = h.target"
            " WHERE h.post = ? AND h.plan != ? AND q.contact IS NOT NULL"
        )
        return any(self._has_place(contact) for (contact,) in self._store.all(contacts, post, SPARE_PLAN))

    def drop(self, hop: PostCopy) -> None:
        """Send it to nobody: its author sees by the silence that it was not."""
        self._store.run("DELETE FROM group_hops WHERE id = ?", hop.id)

    def _has_place(self, contact: int) -> bool:
        return self._registry.reachable(contact) and self._core.routes[contact].sender.has_window(_LANE, _TEXTS)

    def send(self, hop: PostCopy, now: float) -> None:
        """Hand a hop to its session."""
        row = self._store.one(
            "SELECT raw, message, min(expires, coalesce(ends, expires)) FROM group_posts WHERE id = ?", hop.post
        )
        assert row is not None  # noqa: S101  hops go with their posts
        self._store.run("DELETE FROM group_hops WHERE id = ?", hop.id)
        lifetime = row[2] - now
        if hop.plan == SPARE_PLAN:
            lifetime = min(lifetime, _SPARE_WAYS * (self._timing.one_way + self._timing.slot))
        body = GroupPost(posts.with_key(bytes(row[0]), hop.key), hop.plan, hop.onward, hop.spares)
        place = self._core.enqueue(hop.contact, _LANE, body, None, now, lifetime=lifetime, account=hop.account)
        self._fed[hop.account == USER] = (hop.contact, place)
        if row[1] is not None and self._core.step_message(row[1], MessageEvent.SEND):
            self._core.messages.left(row[1], now, 0.0)


def _is_copy(raw: bytes, group: Group, number: int) -> bool:
    """Whether a body is a copy of our post of this number, whichever tree it is for."""
    if group.identifier not in raw:
        return False
    body = decode_untrusted(raw)
    if not isinstance(body, GroupPost):
        return False
    post = posts.parse_untrusted(body.post)
    return post.author == group.me and post.number == number and post.group == group.identifier
