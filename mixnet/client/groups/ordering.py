"""Stores the posts of others in their authors' order (spec/07-client.md 7.17).

Promises: a post is filed once, after all that its author wrote before it for us, but for what was given up or expired;
what came when its time was over, or from somebody blocked, has its place in that order and is not shown. Once it is
filed, what it says can be read in its message and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial

from mixnet.client.core.state import Core
from mixnet.client.groups import posts
from mixnet.client.groups.leavers import Leavers
from mixnet.client.groups.posts import Post, PostAct
from mixnet.client.groups.registry import Group, Registry
from mixnet.client.model.views import MessageKind, MessageReceived, MessageState
from mixnet.client.storage.messages import NewMessage

# The first one that waits is looked at again, and all behind it with it.
_WAITS = "UPDATE group_posts SET retry = iif(id = ?, ?, NULL) WHERE grp = ? AND author = ? AND delivered = 0"

_ITS = (
    "SELECT m.id FROM messages m JOIN group_messages g ON g.message = m.id"
    " WHERE m.contact = ? AND g.writer = ? AND m.remote = ? AND NOT m.outgoing"
)
_HELD_COPIES = "DELETE FROM group_held WHERE grp = ? AND author = ? AND number = ?"


class Filing:
    """Shows received posts of all groups in order."""

    def __init__(self, core: Core, registry: Registry, leavers: Leavers) -> None:
        self._core, self._store, self._registry, self._leavers = core, core.store, registry, leavers

    def file(self, group: Group, author: bytes, now: float, floor: int = 0) -> None:
        """File what is next in an author's order."""
        expected = self._leavers.expected(group, author)
        if expected is None:  # its hello, which says where we begin, is still to come; or it was removed
            self._store.run("UPDATE group_posts SET retry = NULL WHERE grp = ? AND author = ?", group.id, author)
            return
        query = (
            "SELECT id, number, raw, plans FROM group_posts WHERE grp = ? AND author = ? AND delivered = 0"
            " ORDER BY number"
        )
        held = [
            (stored, plans, posts.parse_untrusted(bytes(raw)))
            for stored, _, raw, plans in self._store.all(query, group.id, author)
        ]
        floor = max([floor, *(post.floor for _, _, post in held)])
        ends = ends_of(post for _, _, post in held)
        shown = self._leavers.contact(group, author) not in self._core.blocked
        for stored, plans, post in held:
            waits, retry = passed_over(max(expected, floor), post.number, ends, now)
            if post.number > waits:
                self._store.run(_WAITS, stored, retry, group.id, author)
                break
            if post.number >= expected:  # even below the floor: it was delivered, and had to wait here
                if plans and shown:  # without: it came when its time was over
                    self._file(group, post, now)
                expected = post.number + 1
            # What it says is a message now, or nothing: from here on only the receivers of its copies can read it.
            query = "UPDATE group_posts SET delivered = 1, retry = NULL, raw = ? WHERE id = ?"
            self._store.run(query, post.closed(), stored)
            self._store.run(_HELD_COPIES, group.id, author, post.number)
        self._leavers.expect(group, author, max(expected, floor))

    def look_again(self, now: float) -> None:
        """File what need not wait any more, since something before it expired or since it was here for so long.

        Its author was told that we have it, so in the end it is shown even if what it waits for never came.
        """
        attempt = self._core.attempt
        for grp, author in self._store.all("SELECT DISTINCT grp, author FROM group_posts WHERE retry <= ?", now):
            if attempt(partial(self.file, self._registry.get(grp), bytes(author), now)) is not None:
                self._store.run("UPDATE group_posts SET retry = NULL WHERE grp = ? AND author = ?", grp, author)
        held = "SELECT grp, author, max(number), min(number) FROM group_posts WHERE delivered = 0 AND expires <= ?"
        for grp, author, newest, oldest in self._store.all(held + " GROUP BY grp, author", now):
            # Where that fails they are given up, as all that expires.
            attempt(partial(self._file_late, self._registry.get(grp), bytes(author), (oldest, newest), now))

    def _file_late(self, group: Group, author: bytes, waiting: tuple[int, int], now: float) -> None:
        oldest, newest = waiting
        if self._leavers.expected(group, author) is None:  # its hello never came
            self._leavers.expect(group, author, oldest)
        self.file(group, author, now, newest)

    def _file(self, group: Group, post: Post, now: float) -> None:
        if post.deed.act is not PostAct.SAY:
            self._change(group, post)
            return
        if not post.text:
            return
        said = (MessageKind.TEXT, MessageState.RECEIVED, post.text)
        entry = NewMessage(group.contact, *said, received_at=now, remote=post.number, period=post.deed.value)
        number = self._core.messages.add(entry, now)
        name = self._registry.called(group)[post.author]
        self._store.run("INSERT INTO group_messages VALUES (?, ?, 0, 0, ?, NULL)", number, name, post.author)
        self._core.emit(MessageReceived(self._core.messages.get(number)))

    def _change(self, group: Group, post: Post) -> None:
        """Do to a text of its author's own what a post says; or change the period, if its author was an admin."""
        messages, deed = self._core.messages, post.deed
        if deed.act is PostAct.DISAPPEAR:
            there = self._registry.roster_at(group, post.heads).members
            if there[post.author].admin and self._registry.let_disappear(group, deed.target, deed.value):
                self._registry.changed(group)
            return
        number = self._store.value(int, _ITS, group.contact, post.author, deed.target)
        if number is None or messages.get(number).withdrawn:
            return
        if deed.act is PostAct.WITHDRAW:
            self._core.own_devices.messages_deleted([number])
            messages.withdraw(number)
        elif messages.version(number) >= deed.value or not messages.revise(number, deed.value, post.text):
            return
        self._core.message_changed(number)


def ends_of(posts: Iterable[Post]) -> dict[int, int]:
    """When nobody waits any more for what these posts of one author say it of, by number: the earliest that is said."""
    ends: dict[int, int] = {}
    for post in posts:
        for number, end in post.lapsing:
            ends[number] = min(end, ends.get(number, end))
    return ends


def passed_over(expected: int, number: int, ends: Mapping[int, int], now: float) -> tuple[int, float | None]:
    """What post `number` waits for, without what expired; and when to look again, if that expires too."""
    while expected < number and ends.get(expected, math.inf) <= now:
        expected += 1
    return expected, ends.get(expected)
