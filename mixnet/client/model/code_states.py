"""The states of a spoken code (spec/07-client.md 7.12).

    ours:    Opening ──▶ Waiting ──▶ HandedOver ──▶ Done
    theirs:  Joining ──▶ Replied ──▶ Accepted ──▶ Done          and from each but Done ──▶ Failed

Promises: plain values; what is over stays as it is. Times are seconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CodeState(StrEnum):
    """The state of a code."""

    OPENING = "opening"  # a slot is being looked for
    WAITING = "waiting"  # the code can be said
    HANDED_OVER = "handed over"  # the other side has the invitation
    JOINING = "joining"  # the code that was typed is being looked for
    REPLIED = "replied"  # the other side decides whether it is right
    ACCEPTED = "accepted"  # it was; the contact is there, and has not answered yet
    DONE = "done"
    FAILED = "failed"


TRANSITIONS: dict[CodeState, frozenset[CodeState]] = {
    CodeState.OPENING: frozenset({CodeState.WAITING, CodeState.FAILED}),
    CodeState.WAITING: frozenset({CodeState.HANDED_OVER, CodeState.FAILED}),
    CodeState.HANDED_OVER: frozenset({CodeState.DONE, CodeState.FAILED}),
    CodeState.JOINING: frozenset({CodeState.REPLIED, CodeState.FAILED}),
    CodeState.REPLIED: frozenset({CodeState.ACCEPTED, CodeState.FAILED}),
    CodeState.ACCEPTED: frozenset({CodeState.DONE, CodeState.FAILED}),
    CodeState.DONE: frozenset(),
    CodeState.FAILED: frozenset(),
}
SETTLED = frozenset(state for state, following in TRANSITIONS.items() if not following)


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """A code as its user sees it: `ours` was made here, and only then `code` says it; `contact` is there at the end."""

    id: int
    ours: bool
    state: CodeState
    code: str
    contact: str
    error: str
    expires: float


@dataclass(frozen=True, slots=True)
class CodeChanged:
    """The state of a code has changed."""

    code: CodeInfo
