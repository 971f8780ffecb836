"""Posts: written, received, stored in order, passed on and acknowledged (spec/07-client.md 7.17).

Promises: a post is filed once, in its author's order, and only if its author and we were members by what the author
knew, and its author still is; what is stored of it is stored with the transaction that lets its packet be acknowledged;
a tree is served once. Nothing is passed on to who was removed.
"""

from __future__ import annotations

import math
import random
from functools import partial

from mixnet.client.core.state import Core
from mixnet.client.e2e.group_bodies import RECEIPT_SIZE, GroupPost, GroupReceipts
from mixnet.client.e2e.group_changes import Change, ChangeKind
from mixnet.client.groups import posts, sequence
from mixnet.client.groups.agreement import Agreement
from mixnet.client.groups.deliveries import Deliveries
from mixnet.client.groups.leavers import LATE, Leavers
from mixnet.client.groups.missing_parents import HeldPosts
from mixnet.client.groups.multicast import SPARE_PLAN, TreeTiming
from mixnet.client.groups.older_posts import take_over
from mixnet.client.groups.ordering import Filing
from mixnet.client.groups.posts import SAYS, Deed, Post, PostAct
from mixnet.client.groups.receipts import Receipts
from mixnet.client.groups.registry import Group, Registry
from mixnet.client.groups.relay import CopyQueue, OpenPost
from mixnet.client.model.failures import EXPIRED, expired_in_group
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.views import MessageKind, MessageState
from mixnet.client.storage.messages import NewMessage
from mixnet.errors import LocalError, RemoteError

_LANE = 0
_HELD_LIMIT = LATE  # posts of one author that wait for earlier ones


class TooManyExpiring(LocalError):
    """16 texts with a time of their own are on their way in this group: wait, or send without `--expires`."""


class Dispatch:
    """The posts of all groups, until they are delivered."""

    def __init__(self, core: Core, registry: Registry, rng: random.Random) -> None:
        self._core, self._store, self._registry, self._rng = core, core.store, registry, rng
        self._timing = TreeTiming.of(core.settings)
        self.leavers, self.holding = Leavers(core, registry), HeldPosts(core)
        self.filing = Filing(core, registry, self.leavers)
        self.agreement = Agreement(core, registry, self.leavers)
        self._out, self._receipts = CopyQueue(core, registry, self._timing), Receipts(core, registry, self._timing)
        self.deliveries = Deliveries(core, registry, self._out, self._timing, rng)
        self._version, self._due, self._hops = -1, math.inf, False  # what `wake_at` found in the store last
        take_over(core, registry)
        self.deliveries.reload()

    # writing

    def write(
        self,
        group: Group,
        now: float,
        *,
        text: str = "",
        change: Change | None = None,
        deed: Deed = SAYS,
        about: int | None = None,
        lifetime: float | None = None,
        passed: int | None = None,
        again: int | None = None,
    ) -> int | None:
        """Sign a post and begin its way; the number of its message, if it is a text. A change isn't taken in yet.

        After `lifetime` seconds (None: the network's) it expires; `passed`: nobody shall wait for the post of this
        number, with which it may say nothing else; `again`: its message, if it had another number; `about`: the message
        that it changes. TooManyExpiring.
        """
        history = self._registry.history(group)
        assert history is not None  # noqa: S101  only members write
        if lifetime is not None and len(sequence.lapsing(self._store, group)) >= posts.LAPSING_LIMIT:
            raise TooManyExpiring
        number = self._registry.take_number(group)
        post = posts.write(
            group.key,
            group.identifier,
            number,
            sequence.floor(self._store, group, number),
            history.heads,
            text=text,
            change=b"" if change is None else change.raw,
            deed=deed,
            expires=0 if lifetime is None else math.ceil(now + lifetime),
            lapsing=sequence.told(self._store, group, number, passed),
            seen=self.agreement.to_tell(group),
        )
        # The readers are the members by the changes that the post builds on. Who is put out by it hears of that from
        # `Membership.commit`, and has no place in the tree.
        removed = change.subject if change is not None and change.kind is ChangeKind.REMOVE else b""
        targets = [key for key in history.roster(history.heads).order() if key not in (group.me, removed)]
        is_text = bool(text) and deed.act is PostAct.SAY
        message = self._file_own(group, post, len(targets), now, again) if is_text else None
        stored = self._insert(group, post, message, now)
        # Of a post of ours `plans` counts the trees that were begun; of another's it has a bit for each one served.
        self._store.run("UPDATE group_posts SET delivered = 1, plans = 0, about = ? WHERE id = ?", about, stored)
        if targets:
            self.deliveries.begin(group, stored, targets, post.raw, now)
        return message

    def _file_own(self, group: Group, post: Post, members: int, now: float, number: int | None) -> int:
        if number is None:
            said = (MessageKind.TEXT, MessageState.QUEUED, post.text)
            entry = NewMessage(group.contact, *said, period=post.deed.value)
            number = self._core.messages.add(entry, now)
        values = (number, members, post.number)
        self._store.run("INSERT OR REPLACE INTO group_messages VALUES (?, '', ?, 0, NULL, ?)", *values)
        return number

    def _insert(self, group: Group, post: Post, message: int | None, now: float) -> int:
        """A post of ours is given up when it expires; others' are known for longer, so that none is taken twice."""
        expires = now + self._core.settings.message_lifetime
        ends = post.expires or None
        if post.author == group.me:
            expires = min(expires, ends or math.inf)
        query = (
            "INSERT INTO group_posts (grp, author, number, raw, message, delivered, plans, expires, ends, told)"
            " VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?)"
        )
        raw = post.closed() if post.is_over(now) else post.raw
        ours = post.author == group.me
        return self._store.insert(query, group.id, post.author, post.number, raw, message, expires, ends, ours)

    # taking

    def take_untrusted(self, group: Group, contact: int, body: GroupPost, post: Post, now: float) -> None:
        """Store a post that came from `contact`, file what is in order, and pass it on. MissingParents, RemoteError."""
        sender = self.leavers.admit_untrusted(group, contact, post, now)
        # The way on is told by places in the order of the members as the author knew them, not as we know them.
        then = self._registry.roster_at(group, post.heads)
        order = then.order()
        if group.me not in then.members or post.author not in then.members or post.author == group.me:
            raise RemoteError("a message of a group between others")
        if any(index >= len(order) for index in body.onward) or len(set(body.onward)) != len(body.onward):
            raise RemoteError("a message of a group with an impossible way on")
        if body.plan == SPARE_PLAN and body.onward:
            raise RemoteError("a spare copy of a group's message with a way on")
        query = "SELECT id, plans FROM group_posts WHERE grp = ? AND author = ? AND number = ?"
        row = self._store.one(query, group.id, post.author, post.number)
        expected, news = self.leavers.expected(group, post.author), row is None
        if row is None:
            if post.number >= max(expected or 0, post.floor) + _HELD_LIMIT:
                raise RemoteError("a message of a group far ahead of its author's others")
            row = (self._insert(group, post, None, now), 0)
            self.agreement.came(group, post, now)
        # Who sent it here has it: a spare copy that waits for that member is not needed.
        self._store.run("DELETE FROM group_hops WHERE post = ? AND target = ? AND plan = ?", row[0], sender, SPARE_PLAN)
        if post.is_over(now):  # it has its place in its author's order, and no tree that was served
            self.filing.file(group, post.author, now, post.floor)
            return
        # The bit is set in the same change as the hops and the receipt below, so a tree is served whole or not at all.
        if row[1] >> body.plan & 1 or (body.plan == SPARE_PLAN and not news):
            return
        taken = "UPDATE group_posts SET plans = ?, raw = iif(delivered, ?, ?) WHERE id = ?"
        self._store.run(taken, row[1] | 1 << body.plan, post.closed(), post.raw, row[0])
        way = OpenPost(group, row[0], post, order)
        # Without our own if it was on its way already when the first tree came here.
        self._receipts.begin(way, body.plan, contact, then if news or body.plan else None, now)
        self._out.pass_on(way, body)
        if news and body.spares:
            self._out.spare(way, body, sender, self._rng)
        self.filing.file(group, post.author, now, post.floor)

    # receipts

    def silence(self, contact: int) -> None:
        """Hand on no post of who is blocked, and no receipt for one: its author could tell that we are here."""
        theirs = (
            "SELECT p.id FROM group_posts p JOIN group_peers m ON m.grp = p.grp AND m.key = p.author"
            " WHERE m.contact = ? UNION"
            " SELECT p.id FROM group_posts p JOIN group_leavers m ON m.grp = p.grp AND m.key = p.author"
            " WHERE m.contact = ?"
        )
        self._store.run(f"DELETE FROM group_hops WHERE post IN ({theirs})", contact, contact)  # noqa: S608
        receipts = f"UPDATE group_receipts SET receipts = x'', due = NULL WHERE post IN ({theirs})"  # noqa: S608
        self._store.run(receipts, contact, contact)

    def receipts_untrusted(self, group: Group, body: GroupReceipts, now: float) -> None:
        """Take receipts: ours to note, others' to hand on, but not to an author who is blocked. RemoteError."""
        if self._registry.is_blocked(group, body.author):
            return
        query = "SELECT id, raw FROM group_posts WHERE grp = ? AND author = ? AND number = ?"
        row = self._store.one(query, group.id, body.author, body.number)
        if row is None:
            return
        if len(body.receipts) % RECEIPT_SIZE:
            raise RemoteError("receipts of the wrong size")
        if body.author == group.me:
            self.deliveries.note_untrusted(group, row[0], body, now)
            return
        self._receipts.gather_untrusted(row[0], body, now)

    def left(self, group: Group) -> None:
        """We are in it no more: what came and is not shown yet won't be, and what isn't shown isn't kept."""
        self.holding.drop_all(group)
        query = "SELECT id, raw FROM group_posts WHERE grp = ? AND delivered = 0 AND author <> ?"
        for stored, raw in self._store.all(query, group.id, group.me):
            closed = posts.parse_untrusted(bytes(raw)).closed()
            self._store.run("UPDATE group_posts SET delivered = 1, retry = NULL, raw = ? WHERE id = ?", closed, stored)

    def ended(self, group: Group) -> None:
        """We were removed: nothing of ours goes on."""
        for (post,) in self._store.all("SELECT id FROM group_posts WHERE grp = ?", group.id):
            self.deliveries.give_up(post, "you were removed from the group before all had it: ask an admin")

    def cancelled(self, message: int, now: float) -> None:
        """A message of ours is given up by its user, if it is a text in a group: nobody waits for it."""
        row = self._store.one("SELECT id, grp, number FROM group_posts WHERE message = ?", message)
        if row is None:
            return
        group = self._registry.get(row[1])
        self.deliveries.taken_back(row[0], group, row[2])
        if group.state is GroupState.MEMBER and sequence.is_missed(self._store, group, row[2]):
            sequence.sign_again(self._store, group)
            self.write(group, now, passed=row[2])

    def take_back(self, group: Group, message: int) -> None:
        """Send no more of a text of ours and of its edits; the post that is written next says that none waits."""
        query = "SELECT id, number FROM group_posts WHERE grp = ? AND author = ? AND (message = ? OR about = ?)"
        for post, number in self._store.all(query, group.id, group.me, message, message):
            self.deliveries.taken_back(post, group, number)

    def take_back_edits(self, group: Group, message: int) -> None:
        """The same of edits only: a newer one follows."""
        query = "SELECT id, number FROM group_posts WHERE grp = ? AND author = ? AND about = ?"
        for post, number in self._store.all(query, group.id, group.me, message):
            self.deliveries.taken_back(post, group, number)

    # slots

    def feed(self, now: float) -> None:
        """Hand what is due to the sessions: one hop at a time, so that they leave in their order."""
        if self.wake_at() is None or (self.wake_at() or 0.0) > now:
            return
        with self._core.change():
            self._expire(now)
            self._receipts.send(now)
            self.deliveries.look_after(now)
            for ours in (True, False):
                hop = self._out.next(ours=ours)
                if hop is not None and self._core.attempt(partial(self._out.send, hop, now)) is not None:
                    self._out.drop(hop)

    def wake_at(self) -> float | None:
        """When `feed` has something to do: 0.0 for at once."""
        if self._version != self._core.version:
            self._version = self._core.version
            query = (
                "SELECT min(due) FROM group_receipts UNION ALL SELECT min(expires) FROM group_posts"
                " UNION ALL SELECT min(retry) FROM group_posts UNION ALL"
                " SELECT min(p.ends) FROM group_posts p JOIN group_hops h ON h.post = p.id UNION ALL"
                " SELECT min(expires) FROM group_claims UNION ALL SELECT min(expires) FROM group_proofs UNION ALL"
                " SELECT min(expires) FROM group_held UNION ALL SELECT min(until) FROM group_leavers"
            )
            times = [row[0] for row in self._store.all(query) if row[0] is not None]
            self._due = min(times, default=math.inf)
            self._hops = self._store.has("SELECT 1 FROM group_hops")
        if self._hops and any(self._out.next(ours=ours) is not None for ours in (True, False)):
            return 0.0
        due = min(self.deliveries.next_due(), self._due)
        return due if math.isfinite(due) else None

    def _expire(self, now: float) -> None:
        self._out.expire(now)
        self.leavers.expire(now)
        self.holding.expire(now)
        self.agreement.expire(now)
        self.filing.look_again(now)
        over = self._store.all("SELECT id, message, grp, author FROM group_posts WHERE expires <= ?", now)
        for post, message, _, _ in over:
            row = self._store.one("SELECT reached, members FROM group_messages WHERE message = ?", message)
            error = EXPIRED if row is None else expired_in_group(*row)
            if self._core.attempt(partial(self.deliveries.give_up, post, error)) is not None:
                self.deliveries.forget(post)
        for grp in {row[2] for row in over}:
            self._core.attempt(partial(sequence.sign_again, self._store, self._registry.get(grp)))
