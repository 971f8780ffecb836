"""Who has a place at a server, and who gives one up (spec/03-links.md 3.6). Pure.

Promises: what a peer may have follows from the identity that it proved, never from the role that it says it has: an
authority's place is never taken by a member's link, a member's never by a stranger's. Among strangers places are
shared by origin: one more link of an origin only takes the place of an origin that has at least two more. Whoever has
the one place of an origin keeps it, however many others come, unless the server lets the newest in (`turnover`). Never:
an origin that is kept after its last link, or that leaves this object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Standing(IntEnum):
    """What a proven identity is to a server, from the least to the most."""

    STRANGER = 0
    MEMBER = 1  # a node that the directory lists, or that its operator approved
    AUTHORITY = 2


@dataclass(frozen=True, slots=True)
class Acquaintances:
    """Whom a server knows, as of now: the standing of a proven identity, and at which origins members are expected."""

    standing: Callable[[bytes], Standing] = lambda _identity: Standing.STRANGER
    familiar: Callable[[str], bool] = lambda _origin: False


@dataclass(frozen=True, slots=True)
class Room:
    """Numbers of links: in all, of those that no stranger takes, and of one identity."""

    connections: int
    reserved: int
    per_peer: int
    turnover: bool = False  # whether a stranger takes the place of the oldest one, where all origins have as many


class _Holder(NamedTuple):
    identity: bytes
    origin: str


class Entry(NamedTuple, Generic[T]):
    """Whether somebody gets a place, and who loses one to that: older links of the same peer, and others."""

    admitted: bool
    replaced: tuple[T, ...] = ()
    displaced: tuple[T, ...] = ()


class Places(Generic[T]):
    """The links of one server, oldest first; what stands for a link is any hashable thing."""

    def __init__(self, room: Room, standing: Callable[[bytes], Standing]) -> None:
        """`standing` is asked whenever places are scarce, so that who joins or leaves the network counts at once."""
        self._room = room
        self._standing = standing
        self._holders: dict[T, _Holder] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def __contains__(self, link: T) -> bool:
        return link in self._holders

    def leave(self, link: T) -> None:
        """The link is over, or gives its place up."""
        self._holders.pop(link, None)

    def enter(self, link: T, identity: bytes, origin: str) -> Entry[T]:
        """Find a place for a link; whoever is replaced or displaced has none any more."""
        older = [one for one, holder in self._holders.items() if holder.identity == identity]
        standing = self._standing(identity)
        replaced = older[: max(0, len(older) + 1 - self._room.per_peer)]
        displaced: list[T] = []
        if not replaced and len(self._holders) >= self._room.connections - self._room.reserved:
            ranks = {one: self._standing(holder.identity) for one, holder in self._holders.items()}
            if not self._has_room(standing, ranks):
                loser = self._loser(standing, ranks, identity, origin)
                if loser is not None:
                    displaced = [loser]
                elif older:
                    replaced = older
                else:
                    return Entry(admitted=False)
        for one in (*replaced, *displaced):
            del self._holders[one]
        self._holders[link] = _Holder(identity, origin)
        return Entry(True, tuple(replaced), tuple(displaced))

    def _has_room(self, standing: Standing, ranks: Mapping[T, Standing]) -> bool:
        """Whether a place is free for such a newcomer; `ranks` are the standings of those who are here."""
        room = self._room
        if standing is not Standing.STRANGER:
            return len(ranks) < room.connections
        strangers = sum(rank is Standing.STRANGER for rank in ranks.values())
        return len(ranks) < room.connections and strangers < room.connections - room.reserved

    def _loser(self, standing: Standing, ranks: Mapping[T, Standing], identity: bytes, origin: str) -> T | None:
        """Who gives way to a newcomer: the lowest below it, or else who has more than its share among its equals."""
        lowest = min(ranks.values(), default=None)
        if lowest is None or lowest > standing:
            return None
        shares = [(one, self._share(one, lowest)) for one, rank in ranks.items() if rank is lowest]
        held = Counter(share for _, share in shares)
        most = max(held.values())
        if lowest is standing:
            mine = origin if standing is Standing.STRANGER else identity
            if most <= held[mine] + 1:  # nobody has more than a fair share
                turns = self._room.turnover and standing is Standing.STRANGER
                return next((one for one, share in shares if share == mine or not held[mine]), None) if turns else None
        return next(one for one, share in shares if held[share] == most)

    def _share(self, link: T, rank: Standing) -> str | bytes:
        """Among whom a link counts: strangers by origin, since identities cost them nothing; others by identity."""
        holder = self._holders[link]
        return holder.origin if rank is Standing.STRANGER else holder.identity
