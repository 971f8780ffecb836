"""The members of a group and their roles, computed from the set of signed changes (spec/07-client.md 7.17).

Promises: pure; two who have the same changes have the same roster, in whatever order these came. A change counts if its
author had the right to it by what it knew (its causal past). A removal or demotion by a more senior admin (one whose
right is older) makes void what its target did without knowing of it, so nobody undoes a removal by dating changes back.
A key that was removed never comes back; a person does, with new keys.

An admin adds and removes members, names the group, promotes, and removes or demotes admins whose right is younger than
its own. Everybody may leave. Where several admins go at once and leave none, the member who is there the longest is
one as long as there is no other: no group that has members is without an admin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mixnet.client.e2e.group_changes import PARENTS_LIMIT, Change, ChangeKind
from mixnet.errors import LocalError, RemoteError

MEMBERS_LIMIT = 100
CHANGES_LIMIT = 1000  # that give: all but removals and demotions, which always have room
BESIDE_LIMIT = 16  # changes of one author that don't know of each other: an honest client makes none such
STORED_LIMIT = 3 * CHANGES_LIMIT  # if several admins flood a group together
_TAKEN_BESIDE = 4  # by one author from one member

_Rank = tuple[int, bytes]  # what is smaller is more senior: depth in the graph, then hash
_TAKING = frozenset({ChangeKind.REMOVE, ChangeKind.DEMOTE})
_JOINING = frozenset({ChangeKind.CREATE, ChangeKind.ADD})


class MissingParents(RemoteError):
    """A group's change builds on others that are not here yet."""


class NoRoom(RemoteError):
    """A group's change that its author has no room for, by what it builds on: nobody takes it."""


class Crowded(RemoteError):
    """A change of a group beside too many others of its author: it is taken once others build on it."""


class GroupFull(LocalError):
    """A group has at most 100 members and 1,000 changes, and nobody makes more than half of them: begin a new one."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member: its keys of this group, and what it calls itself: what it is called here, member_names.py says."""

    key: bytes
    agree: bytes
    name: str
    admin: bool


@dataclass(frozen=True, slots=True)
class Roster:
    """A group at some point: its name and members, the longest there first."""

    title: str
    members: dict[bytes, Member]

    def order(self) -> tuple[bytes, ...]:
        """All keys in an order that everybody with the same roster has: what an index of a member means."""
        return tuple(sorted(self.members))


class GroupHistory:
    """All changes of one group. Grows only."""

    def __init__(self, first: Change) -> None:
        """Begin with the change that made the group; RemoteError for any other."""
        if first.kind is not ChangeKind.CREATE:
            raise RemoteError("a group that begins with another change than the one that makes it")
        self.group = first.hash
        self._changes: list[Change] = []
        self._past: list[int] = []  # of each change, the set of those that it builds on, as bits
        self._depth: list[int] = []
        self._index: dict[bytes, int] = {}
        self._heads: set[bytes] = set()
        self._giving = 0  # those that give, as bits; of each author; and what each has taken from each member
        self._given_by: dict[bytes, int] = defaultdict(int)
        self._taken_by: dict[tuple[bytes, ChangeKind, bytes], int] = defaultdict(int)
        self._known: dict[tuple[bytes, ...], Roster] = {}
        self._append(first)

    def __len__(self) -> int:
        """How many changes there are."""
        return len(self._changes)

    def __contains__(self, hash_: bytes) -> bool:
        """Whether a change is here."""
        return hash_ in self._index

    @property
    def heads(self) -> tuple[bytes, ...]:
        """The changes on which no other builds, as many as may be named: what a new change builds on."""
        return tuple(sorted(sorted(self._heads, key=lambda h: (-self._depth[self._index[h]], h))[:PARENTS_LIMIT]))

    def add_untrusted(self, change: Change, *, needed: bool = False) -> bool:
        """Take a change in; whether it is new. MissingParents, NoRoom; RemoteError if its author had no right to it.

        Whether a change is taken depends on nothing but its past, so all who have that decide alike. The one exception
        is Crowded, for authors whose changes don't know of each other: then it waits until it is `needed`.
        """
        if change.hash in self._index:
            return False
        if change.group != self.group:
            raise RemoteError("a change of another group")
        if any(parent not in self._index for parent in change.parents):
            raise MissingParents
        self._check_room_untrusted(change, self._closure(change.parents), needed=needed)
        self._append(change)
        number = len(self._changes) - 1
        if not _Judge(self, self._past[number] | 1 << number).counts(number):
            self._forget_last()
            raise RemoteError("a change of a group by one who has no right to it")
        self._build_on(change)
        return True

    def restore(self, change: Change) -> None:
        """Take in what was taken in before; MissingParents."""
        if any(parent not in self._index for parent in change.parents):
            raise MissingParents
        self._append(change)
        self._build_on(change)

    def has_room(self, author: bytes) -> bool:
        """Whether somebody may make a change that gives, after all that is here."""
        return self._has_room(author, self._closure(self._heads))

    def _has_room(self, author: bytes, past: int) -> bool:
        """Nobody has made more than there still is room for, so there always is some for others."""
        own, all_ = (self._given_by[author] & past).bit_count(), (self._giving & past).bit_count()
        return own < CHANGES_LIMIT - all_

    def _check_room_untrusted(self, change: Change, past: int, *, needed: bool) -> None:
        takes = change.kind in _TAKING
        if not takes and not self._has_room(change.author, past):
            raise NoRoom
        others = self._taken_by[_taken(change)] if takes else self._given_by[change.author]
        crowd = (others & ~past).bit_count() >= (_TAKEN_BESIDE if takes else BESIDE_LIMIT)
        full = not takes and self._giving.bit_count() >= STORED_LIMIT
        if full or (crowd and not needed):
            raise Crowded

    def _build_on(self, change: Change) -> None:
        for parent in change.parents:
            self._heads.discard(parent)
        self._known.clear()

    def roster(self, heads: tuple[bytes, ...] | None = None) -> Roster:
        """Who is in the group, by all changes or by those up to `heads`; MissingParents."""
        heads = tuple(sorted(self._index)) if heads is None else heads
        if any(head not in self._index for head in heads):
            raise MissingParents
        if heads not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            self._known[heads] = _Judge(self, self._closure(heads)).roster()
        return self._known[heads]

    def is_heir(self, key: bytes) -> bool:
        """Whether a member is an admin only because nobody else is."""
        judge = _Judge(self, self._closure(self._index))
        return judge.given(key) is None and judge.heir() == key

    def left(self, key: bytes) -> bool:
        """Whether a member is gone because it left, and nobody removed it."""
        judge = _Judge(self, self._closure(self._index))
        authors = {self._changes[number].author for number in judge.removals(key)}
        return authors == {key}

    def removal(self, key: bytes) -> Change | None:
        """The first change by which a member is gone; None if it is not."""
        removals = _Judge(self, self._closure(self._index)).removals(key)
        return self._changes[removals[0]] if removals else None

    def missing(self, heads: Iterable[bytes]) -> list[Change]:
        """What one who names these heads lacks, in an order in which it can be taken."""
        has = self._closure(head for head in heads if head in self._index)
        return [change for number, change in enumerate(self._changes) if not has >> number & 1]

    def gone(self, key: bytes) -> Member | None:
        """Who had a key, with the name that it brought; None if nobody ever did."""
        return next((Member(key, change.agree, change.name, False) for change in self._joining(key)), None)

    def everybody(self) -> list[tuple[bytes, str]]:
        """(key, the name that it brought) of all who ever were in the group, as it became known here."""
        return list({one.subject: (one.subject, one.name) for one in self._changes if one.kind in _JOINING}.values())

    def adder(self, key: bytes) -> bytes | None:
        """Who brought a member in."""
        return next((change.author for change in self._joining(key)), None)

    def is_newer(self, one: bytes, other: bytes) -> bool:
        """Whether one member came when the other was known to be there; a fixed choice if neither knew of the other."""
        for first, second, answer in ((one, other, True), (other, one, False)):
            for change in self._joining(first):
                past = self._past[self._index[change.hash]]
                if any(past >> self._index[earlier.hash] & 1 for earlier in self._joining(second)):
                    return answer
        return one > other

    def _joining(self, key: bytes) -> list[Change]:
        kinds = (ChangeKind.CREATE, ChangeKind.ADD)
        return [change for change in self._changes if change.subject == key and change.kind in kinds]

    def _closure(self, heads: Iterable[bytes]) -> int:
        found = 0
        for head in heads:
            number = self._index[head]
            found |= self._past[number] | 1 << number
        return found

    def _append(self, change: Change) -> None:
        number = len(self._changes)
        self._depth.append(1 + max((self._depth[self._index[parent]] for parent in change.parents), default=-1))
        self._past.append(self._closure(change.parents))
        self._changes.append(change)
        self._index[change.hash] = number
        self._heads.add(change.hash)
        if change.kind in _TAKING:
            self._taken_by[_taken(change)] |= 1 << number
        else:
            self._giving |= 1 << number
            self._given_by[change.author] |= 1 << number

    def _forget_last(self) -> None:
        change = self._changes.pop()
        del self._index[change.hash]
        self._heads.discard(change.hash)
        self._past.pop()
        self._depth.pop()
        others = ~(1 << len(self._changes))
        self._giving &= others
        self._given_by[change.author] &= others
        if change.kind in _TAKING:
            self._taken_by[_taken(change)] &= others

    def cut(self, length: int) -> None:
        """Take back what was taken in after the first `length` changes."""
        if len(self) <= length:
            return
        while len(self) > length:
            self._forget_last()
        self._heads = set(self._index).difference(*(change.parents for change in self._changes))
        self._known.clear()


class _Judge:
    """Which changes of a set count. Only a change's past and the set decide, never the order in which they came."""

    def __init__(self, history: GroupHistory, chosen: int) -> None:
        self._changes, self._past = history._changes, history._past  # one module's two halves
        self._chosen = chosen
        self._rank = [(depth, change.hash) for depth, change in zip(history._depth, self._changes, strict=True)]
        self._order = sorted(_bits(chosen), key=self._rank.__getitem__)
        self._void = 0
        self._fold()
        self._settle()

    def given(self, who: bytes) -> _Rank | None:
        return self._given(who, self._chosen)

    def heir(self) -> bytes | None:
        return self._heir(self._chosen)

    def removals(self, who: bytes) -> list[int]:
        return list(_bits(self._events[ChangeKind.REMOVE].get(who, 0)))

    def counts(self, number: int) -> bool:
        return bool(self._applied >> number & 1)

    def roster(self) -> Roster:
        title: tuple[_Rank, str] = ((-1, b""), "")
        joined: dict[bytes, Change] = {}  # the longest there first
        for number in self._order:
            change = self._changes[number]
            if not self.counts(number):
                continue
            if change.title:
                title = max(title, (self._rank[number], change.title))
            if change.kind in _JOINING and self._is_member(change.subject, self._chosen):
                joined.setdefault(change.subject, change)
        admins = {who for who in joined if self._right(who, self._chosen) is not None}
        staying = set(sorted(joined, key=lambda who: who not in admins)[:MEMBERS_LIMIT])  # sorting keeps their order
        members = {
            who: Member(who, change.agree, change.name, who in admins)
            for who, change in joined.items()
            if who in staying
        }
        return Roster(title[1], members)

    def _settle(self) -> None:
        """Let removals make void what their targets did beside them, the most senior author's first."""
        done = 0
        while True:
            open_ = [n for n in self._order if self.counts(n) and not done >> n & 1 and self._takes(n)]
            if not open_:
                return
            number = min(open_, key=lambda n: (self._by[n] or self._rank[n], self._rank[n]))
            done |= 1 << number
            void = 0
            for other in self._order:
                beside = not self._past[number] >> other & 1 and not self._past[other] >> number & 1
                if beside and other != number and self._is_undone(other, number):
                    void |= 1 << other
            if void & ~self._void:
                self._void |= void
                self._fold()

    def _takes(self, number: int) -> bool:
        """Whether it takes something from somebody else."""
        change = self._changes[number]
        return change.kind in _TAKING and change.subject != change.author

    def _is_undone(self, other: int, removal: int) -> bool:
        """What the target did as a junior of who removed it; leaving stays."""
        change, theirs, ours = self._changes[other], self._by[other], self._by[removal]
        if change.author != self._changes[removal].subject or theirs is None or ours is None:
            return False
        return ours < theirs and not (change.kind is ChangeKind.REMOVE and change.subject == change.author)

    def _fold(self) -> None:
        """Decide for each change, those that it builds on first."""
        self._applied = 0
        self._by: dict[int, _Rank | None] = {}
        self._heirs: dict[int, bytes | None] = {}
        empty: dict[ChangeKind, dict[bytes, int]] = {kind: defaultdict(int) for kind in ChangeKind}
        self._events = empty
        for number in self._order:
            change = self._changes[number]
            self._by[number] = self._right(change.author, self._past[number])
            if not self._void >> number & 1 and self._may(number, change):
                self._applied |= 1 << number
                self._events[change.kind][change.subject] |= 1 << number

    def _may(self, number: int, change: Change) -> bool:  # noqa: PLR0911  # one for each kind
        past, who = self._past[number], change.subject
        if change.kind is ChangeKind.CREATE:
            return not past
        if change.kind is ChangeKind.REMOVE and who == change.author:
            return self._is_member(who, past)
        ours = self._by[number]
        if ours is None:
            return False
        match change.kind:
            case ChangeKind.RENAME:
                return True
            case ChangeKind.ADD:
                return not self._joined(who, past) and self._count(past) < MEMBERS_LIMIT
            case ChangeKind.PROMOTE:
                return self._is_member(who, past)
            case _:
                theirs = self._right(who, past)
                demotable = change.kind is ChangeKind.REMOVE or theirs is not None
                junior = theirs is None or ours < theirs or who == change.author
                return self._is_member(who, past) and demotable and junior

    def _joined(self, who: bytes, among: int) -> int:
        return (self._events[ChangeKind.ADD].get(who, 0) | self._events[ChangeKind.CREATE].get(who, 0)) & among

    def _is_member(self, who: bytes, among: int) -> bool:
        return bool(self._joined(who, among)) and not self._events[ChangeKind.REMOVE].get(who, 0) & among

    def _count(self, among: int) -> int:
        joined = self._events[ChangeKind.ADD].keys() | self._events[ChangeKind.CREATE].keys()
        return sum(self._is_member(who, among) for who in joined)

    def _right(self, who: bytes, among: int) -> _Rank | None:
        """Since when `who` is an admin by these changes (its seniority), or None if it is none."""
        given = self._given(who, among)
        return given if given is not None or self._heir(among) != who else self._since(who, among)

    def _given(self, who: bytes, among: int) -> _Rank | None:
        """`_right`, if somebody gave it."""
        if not self._is_member(who, among):
            return None
        given = (self._events[ChangeKind.CREATE].get(who, 0) | self._events[ChangeKind.PROMOTE].get(who, 0)) & among
        taken = self._events[ChangeKind.DEMOTE].get(who, 0) & among
        return min((self._rank[n] for n in _bits(given) if not taken & ~self._past[n]), default=None)

    def _heir(self, among: int) -> bytes | None:
        """Who is an admin because nobody else is: the member who is there the longest."""
        if among not in self._heirs:
            given = self._events[ChangeKind.CREATE].keys() | self._events[ChangeKind.PROMOTE].keys()
            heir = None
            if all(self._given(who, among) is None for who in given):
                joined = self._events[ChangeKind.CREATE].keys() | self._events[ChangeKind.ADD].keys()
                members = [who for who in joined if self._is_member(who, among)]
                heir = min(members, key=lambda who: self._since(who, among), default=None)
            self._heirs[among] = heir
        return self._heirs[among]

    def _since(self, who: bytes, among: int) -> _Rank:
        """The rank of the change by which a member came."""
        return min(self._rank[n] for n in _bits(self._joined(who, among)))


def _taken(change: Change) -> tuple[bytes, ChangeKind, bytes]:
    return change.author, change.kind, change.subject


def _bits(number: int) -> Iterator[int]:
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low
