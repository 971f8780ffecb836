"""The numbers of an author's posts, and which of them nobody has to wait for (spec/07-client.md 7.17).

Promises: what is given up holds nothing back: neither what is under way, which is signed again, nor what is at its
receivers already and waits there.
"""

from __future__ import annotations

from mixnet.client.groups import posts
from mixnet.client.groups.registry import Group
from mixnet.client.storage.database import Store

GIVEN_UP = 0  # when the time of a post was over that is given up: before any clock's present
_OURS = " FROM group_posts p JOIN group_awaited a ON a.post = p.id WHERE p.grp = ? AND p.author = ?"


def floor(store: Store, group: Group, number: int) -> int:
    """The lowest number of a post of ours that is under way; `number`, of the next one, if none is."""
    lowest = store.value(int, "SELECT min(p.number)" + _OURS, group.id, group.me)
    return number if lowest is None else lowest


def lapsing(store: Store, group: Group) -> tuple[tuple[int, int], ...]:
    """(number, end) of our posts under way that have a time of their own."""
    query = "SELECT DISTINCT p.number, p.ends" + _OURS + " AND p.ends IS NOT NULL ORDER BY p.number"
    return tuple((number, int(ends)) for number, ends in store.all(query, group.id, group.me))


def told(store: Store, group: Group, number: int, passed: int | None) -> tuple[tuple[int, int], ...]:
    """What post `number` says of those before it: when they are over, and which of the last ones above the floor are.

    Some of these may be at a receiver, which loses nothing by that: it passes over what it lacks only. `passed` is one
    that is given up now.
    """
    open_ = {row[0] for row in store.all("SELECT DISTINCT p.number" + _OURS, group.id, group.me)}
    first = max(min(open_, default=number), number - posts.PASSED_LIMIT)
    over = {one for one in range(first, number) if one not in open_}
    over |= set() if passed is None else {passed}
    return tuple(sorted([*((one, GIVEN_UP) for one in over), *lapsing(store, group)]))


def is_missed(store: Store, group: Group, number: int) -> bool:
    """Whether somebody may wait for a post of ours that is given up: there are later ones, or others under way."""
    return group.next_number > number + 1 or store.has("SELECT 1" + _OURS, group.id, group.me)


def sign_again(store: Store, group: Group) -> None:
    """Let our posts that are under way say what is under way now: who gets one from now on waits for nothing else."""
    lowest = floor(store, group, 0)
    for stored, raw in store.all("SELECT DISTINCT p.id, p.raw" + _OURS, group.id, group.me):
        post = posts.parse_untrusted(bytes(raw))
        if post.floor < lowest:
            again = posts.with_floor(group.key, post, lowest)
            store.run("UPDATE group_posts SET raw = ? WHERE id = ?", again.raw, stored)
