"""The sentences about messages of ours that were given up: what has left may still arrive (spec/07-client.md 7.7).

Promises: nobody is told to send again what may have arrived. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from mixnet.client.model.views import MessageInfo


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why a message was given up: as it is told if nothing of it had left, and if something had."""

    unsent: str
    sent: str


EXPIRED = GivenUp(
    "its time was over before anything of it had left: send it again",
    "its time was over before anybody confirmed it, and what of it had left may still arrive: ask whether it came",
)
CANCELLED = GivenUp(
    "cancelled by you, before anything of it had left",
    "cancelled by you: what of it had left by then may still arrive",
)
TO_BLOCKED = GivenUp(
    "you blocked the contact before anything of this had left: unblock it and send it again",
    "you blocked the contact before this was confirmed, and what of it had left may still arrive: ask whether it came",
)
ENDED = GivenUp(
    "the anonymous conversation ended before anything of this had left: write to the address again",
    "the anonymous conversation ended before this was confirmed, and what of it had left may still arrive",
)
ALL_LEFT = GivenUp(
    "all others have left the group or were removed, and nothing of this had left: nobody has it",
    "all others have left the group or were removed, and none of them confirmed this; what of it had left may have"
    " arrived",
)
LATE_AT_HOME = GivenUp(
    "nothing of it had left for your home device when its time was over: start both daemons, then send it again",
    "your home device has not said in time that it took this over, and may have: ask it once its daemon runs",
)


def expired_in_group(reached: int, members: int) -> GivenUp:
    """Why a post to a group was given up, of which `reached` of `members` others are known to have it."""
    return GivenUp(
        EXPIRED.unsent,
        f"its time was over before all members confirmed it ({reached} of {members} have it), and others may have it,"
        " too: ask before you repeat it",
    )


def given_up(message: MessageInfo) -> str:
    """What became of a message that has failed, after its name."""
    return f"{'is not confirmed' if message.may_arrive else 'was not delivered'}: {message.error}"
