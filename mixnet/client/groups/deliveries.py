"""The deliveries of our own posts: who of the members has each, and what is sent again (spec/07-client.md 7.17).

Promises: a post is under way until all who are still members have it, or until its time is over; how far that is stands
in the store, and the trees, which are in memory only, begin anew after a restart with those who are left.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from mixnet import crypto
from mixnet.client.arq.fragments import spans
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import MessageEvent
from mixnet.client.e2e.group_bodies import RECEIPT_SIZE, GroupReceipts
from mixnet.client.groups import posts
from mixnet.client.groups.multicast import Delivery, TreePlan, TreeTiming
from mixnet.client.groups.registry import Group, Registry
from mixnet.client.groups.relay import CopyQueue, OpenPost
from mixnet.client.groups.rollercoaster import Branch
from mixnet.client.model.failures import ALL_LEFT, GivenUp
from mixnet.client.model.views import MessageState
from mixnet.errors import RemoteError

_LATELY = 3600.0  # seconds for which a member that answered is taken to be there
_AROUND = 256  # bytes that a body and its encryption add to a post


class Deliveries:
    """All posts of ours that are under way."""

    def __init__(self, core: Core, registry: Registry, out: CopyQueue, timing: TreeTiming, rng: random.Random) -> None:
        self._core, self._store, self._registry, self._rng = core, core.store, registry, rng
        self._out, self._timing = out, timing
        self._under_way: dict[int, Delivery[bytes]] = {}
        self._fresh: set[int] = set()  # deliveries that were made again from the store and have no tree yet
        core.memories.append(self)

    def remember(self) -> Callable[[], object]:
        """See `Memory`."""
        deliveries, fresh = {post: one.copy() for post, one in self._under_way.items()}, set(self._fresh)

        def take_back() -> None:
            self._under_way, self._fresh = deliveries, fresh

        return take_back

    def reload(self) -> None:
        """See `Memory`."""
        self._under_way, self._fresh = {}, set()
        self._out.reload()
        ours = "SELECT DISTINCT p.id, p.grp, p.plans, p.raw FROM group_posts p JOIN group_awaited a ON a.post = p.id"
        for number, grp, plans, raw in self._store.all(ours):
            awaited = self._store.all("SELECT member FROM group_awaited WHERE post = ?", number)
            members = [bytes(row[0]) for row in awaited]
            with suppress(RemoteError), self._core.refusing():  # one that fails waits until it expires, alone
                self._under_way[number] = self._delivery(self._registry.get(grp), members, bytes(raw), plans)
                self._fresh.add(number)

    def _delivery(self, group: Group, members: Iterable[bytes], raw: bytes, plans: int = 0) -> Delivery[bytes]:
        peers = self._registry.peers(group)
        doubted = {key for key, peer in peers.items() if peer.doubted or not self._registry.reachable(peer.contact)}
        packets = len(spans(len(raw) + _AROUND))
        return Delivery(members, doubted, self._timing, self._rng, packets=packets, plans=plans)

    def begin(self, group: Group, post: int, targets: Iterable[bytes], raw: bytes, now: float) -> None:
        """Let a post of ours begin its way to these members; in a change."""
        for key in targets:
            self._store.run("INSERT INTO group_awaited VALUES (?, ?)", post, key)
        self._under_way[post] = self._delivery(group, targets, raw)
        self._start(group, post, now)

    def _start(self, group: Group, post: int, now: float) -> None:
        """Let the first tree of a post of ours begin."""
        peers = self._registry.peers(group).items()
        unheard = {key for key, peer in peers if not max(0.0, now - _LATELY) < peer.answered <= now}
        self._queue(group, post, self._under_way[post].start(now, unheard))

    def _queue(self, group: Group, post: int, plan: TreePlan[bytes]) -> None:
        """Let a tree of ours begin; who has no session with us gets it through one who has."""
        peers = self._registry.peers(group)
        able = sorted(key for key, peer in peers.items() if self._registry.reachable(peer.contact))
        had = [key for key in able if key not in self._under_way[post].missing]
        own = posts.parse_untrusted(self._raw(post))
        way = OpenPost(group, post, own, self._registry.roster_at(group, own.heads).order())
        for branch in plan.branches:
            hop = branch
            peer = peers.get(branch.child)
            if (peer is None or not self._registry.reachable(peer.contact)) and able:
                hop = Branch(self._rng.choice(had or able), (branch.child, *branch.onward))
            self._out.add(way, plan.number, hop, plan.spares)
        self._store.run("UPDATE group_posts SET plans = ? WHERE id = ?", plan.number + 1, post)

    def _raw(self, post: int) -> bytes:
        return self._store.value(bytes, "SELECT raw FROM group_posts WHERE id = ?", post) or b""

    # who has them

    def note_untrusted(self, group: Group, post: int, body: GroupReceipts, now: float) -> None:
        """Whose proofs are right has the post."""
        delivery = self._under_way.get(post)
        if delivery is None:
            return
        own, roster, refused = posts.parse_untrusted(self._raw(post)), self._registry.roster(group), 0
        order = self._registry.roster_at(group, own.heads).order()
        for at in range(0, len(body.receipts), RECEIPT_SIZE):
            index, proof = body.receipts[at], body.receipts[at + 1 : at + RECEIPT_SIZE]
            member = roster.members.get(order[index]) if index < len(order) else None
            if member is None or member.key not in delivery.missing:
                continue
            if not crypto.equal(
                self._registry.pair(group, member).receipt(body.number, own.identity, ours=False), proof
            ):
                refused += 1
                continue
            self._reached(group, post, member.key, now)
        if refused == len(body.receipts) // RECEIPT_SIZE > 0:
            raise RemoteError("receipts that were not made by their members")

    def has_it(self, group: Group, number: int, key: bytes, now: float) -> None:
        """A member has our post of this number, as something else than a receipt says."""
        query = "SELECT id FROM group_posts WHERE grp = ? AND author = ? AND number = ?"
        row = self._store.one(query, group.id, group.me, number)
        if row is not None and row[0] in self._under_way and key in self._under_way[row[0]].missing:
            self._reached(group, row[0], key, now)

    def _reached(self, group: Group, post: int, key: bytes, now: float) -> None:
        self._under_way[post].acknowledged(key)
        self._store.run("DELETE FROM group_awaited WHERE post = ? AND member = ?", post, key)
        self._registry.set_peer(group, key, doubted=0, answered=now)
        message = self._store.value(int, "SELECT message FROM group_posts WHERE id = ?", post)
        if message is not None:
            self._store.run("UPDATE group_messages SET reached = reached + 1 WHERE message = ?", message)
        self._finish(post, message)

    def _finish(self, post: int, message: int | None) -> None:
        """All who are still members have it, or news of how many."""
        done = post not in self._under_way or not self._under_way[post].missing
        if done:
            self.forget(post)
        if message is None or not self._store.has("SELECT 1 FROM messages WHERE id = ?", message):
            return
        had = self._store.one("SELECT reached, members FROM group_messages WHERE message = ?", message)
        if done and had is not None and tuple(had) == (0, 0):
            self._core.fail_message(message, ALL_LEFT)
        elif not done or not self._core.step_message(message, MessageEvent.DELIVER):
            self._core.message_changed(message)

    def removed(self, group: Group, keys: Iterable[bytes]) -> None:
        """Send nothing more to those who are no members any more, and wait for nothing from them."""
        for key in keys:
            self._out.forget(key, group)
            rows = (
                "SELECT a.post, p.message FROM group_awaited a JOIN group_posts p ON p.id = a.post"
                " WHERE a.member = ? AND p.grp = ?"
            )
            for post, message in self._store.all(rows, key, group.id):
                self._store.run("DELETE FROM group_awaited WHERE post = ? AND member = ?", post, key)
                if post in self._under_way:
                    self._under_way[post].drop(key)
                if message is not None:
                    self._store.run("UPDATE group_messages SET members = members - 1 WHERE message = ?", message)
                self._finish(post, message)

    # giving up

    def give_up(self, post: int, error: str | GivenUp) -> None:
        """Send no more of a post, whose message has failed; in a change."""
        message = self._store.value(int, "SELECT message FROM group_posts WHERE id = ?", post)
        self.forget(post)
        if message is not None:
            self._core.fail_message(message, error)

    def forget(self, post: int) -> None:
        """Send no more of a post; in a change."""
        self._store.run("DELETE FROM group_posts WHERE id = ?", post)
        self._under_way.pop(post, None)
        self._fresh.discard(post)

    def taken_back(self, post: int, group: Group, number: int) -> bool:
        """Send no more of a post of ours, without a word on its message; whether nobody has answered for it."""
        awaited = self._store.value(int, "SELECT count(*) FROM group_awaited WHERE post = ?", post) or 0
        among = self._registry.roster_at(group, posts.parse_untrusted(self._raw(post)).heads)
        self.forget(post)
        self._out.recall(group, number)
        return awaited >= len(among.members.keys() & self._registry.roster(group).members.keys()) - 1

    # time passes

    def next_due(self) -> float:
        """When `look_after` has something to do: 0.0 for at once, infinite for never."""
        if self._fresh:
            return 0.0
        return min((one.next_due for one in self._under_way.values()), default=math.inf)

    def look_after(self, now: float) -> None:
        """Begin trees again, and plan around those who don't answer; in a change."""
        failed = "SELECT p.id FROM group_posts p JOIN messages m ON m.id = p.message WHERE m.state = ?"
        over = {row[0] for row in self._store.all(failed, MessageState.FAILED.value)} | self._fresh
        due = [post for post, delivery in self._under_way.items() if post in over or delivery.next_due <= now]
        for post in sorted(due):
            if self._core.attempt(partial(self._look_after_one, post, now)) is not None:
                self.forget(post)  # it would fail again, and no other post shall wait for it

    def _look_after_one(self, post: int, now: float) -> None:
        delivery = self._under_way[post]
        row = self._store.one(
            "SELECT p.grp, m.state FROM group_posts p LEFT JOIN messages m ON m.id = p.message WHERE p.id = ?", post
        )
        if row is None or row[1] == MessageState.FAILED.value:
            self.give_up(post, "")
            return
        group = self._registry.get(row[0])
        # Before it is asked who is late: nobody can answer for a copy that still waits for a slot here.
        if delivery.next_due <= now and self._out.waits(post):
            delivery.held_up(now)
        plans = [] if post in self._fresh else delivery.due(now)
        if post in self._fresh:  # its deadlines were in memory only, so it begins anew with those who are left
            self._fresh.discard(post)
            self._start(group, post, now)
        for plan in plans:
            self._out.supersede(post, plan.branches)
            self._queue(group, post, plan)
        for key in delivery.doubted if plans else ():
            self._registry.set_peer(group, key, doubted=1)
