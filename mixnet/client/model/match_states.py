"""The states of matching for one entry of the address book (spec/07-client.md 7.13).

    Looking ──▶ Met ──▶ Found
       ▲         │└───▶ Known (a contact already)
       └─────────┘ the day is over

Promises: plain values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MatchState(StrEnum):
    """What is known of an entry."""

    LOOKING = "looking"
    MET = "met"  # somebody who holds both entries is there; the invitation is on its way
    FOUND = "found"
    KNOWN = "known"


TRANSITIONS: dict[MatchState, frozenset[MatchState]] = {
    MatchState.LOOKING: frozenset({MatchState.LOOKING, MatchState.MET}),
    MatchState.MET: frozenset({MatchState.LOOKING, MatchState.MET, MatchState.FOUND, MatchState.KNOWN}),
    MatchState.FOUND: frozenset(),
    MatchState.KNOWN: frozenset(),
}


@dataclass(frozen=True, slots=True)
class MatchInfo:
    """An entry as its user sees it: `contact` is the name of the contact that it led to."""

    address: str
    label: str
    state: MatchState
    contact: str
    error: str


@dataclass(frozen=True, slots=True)
class MatchStatus:
    """All entries; `me` is the user's own address, empty while matching is off; `visits` are of each entry, a day."""

    me: str
    visits: float
    entries: list[MatchInfo]
