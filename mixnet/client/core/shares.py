"""Shares out the payload slots between the user's own messages and what peers order. Pure.

Promises: as long as the user has something to send, three quarters of the slots are the user's, whatever others order;
in the rest, and in all slots that the user leaves, each peer has its fair share. Who ordered little lately goes first.
"""

from __future__ import annotations

from collections.abc import Iterable

_SLOT, _BURST = 3, 9  # slots of the user that give peers one, and the most that are saved up for them
_LEAD = 2  # slots by which a peer that ordered nothing is before the others at most


class Shares:
    """Who may have the next slot. A peer is any number."""

    def __init__(self) -> None:
        self._saved = _BURST
        self._used: dict[int, int] = {}  # peer → slots, counted from a common beginning
        self._level = 0  # of the peer that had a slot last

    @property
    def peers_first(self) -> bool:
        """Whether a slot is due to what peers ordered, even if the user has something to send."""
        return self._saved >= _SLOT

    def taken_by_user(self) -> None:
        """The user's own message takes a slot."""
        self._saved = min(self._saved + 1, _BURST)

    def taken_by(self, peer: int) -> None:
        """Something that a peer ordered takes one, whether the user left it or not."""
        self._saved = max(self._saved - _SLOT, 0)
        self._level = max(self._level, self._at(peer))
        self._used[peer] = self._at(peer) + 1
        self._used = {one: used for one, used in self._used.items() if used > self._level - _LEAD}

    def left_over(self) -> None:
        """Nobody has anything to send."""
        self._saved = _BURST

    def in_turn(self, peers: Iterable[int]) -> list[int]:
        """In which order peers have a right to a slot."""
        return sorted(peers, key=self._at)

    def _at(self, peer: int) -> int:
        return max(self._used.get(peer, 0), self._level - _LEAD)
