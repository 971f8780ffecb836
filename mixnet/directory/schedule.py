"""When the steps of a voting round begin and end, alike for all authorities (spec/05-directory.md 5.7).

Pure. Promises: every time follows from the network's epochs, so that no authority needs to agree on one with another.
The regular round for an epoch runs in the second half of the one before. While an epoch has begun without a document,
as the very first does, late rounds for it follow one another at a fixed pace until one succeeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixnet.clock import Epochs

_REGULAR_FROM, _REGULAR_UNTIL = 0.5, 0.9  # shares of the epoch before
_REGULAR_COLLECTING = 0.25  # share of a round that is for descriptors, the rest for the steps, equally
_LATE_COLLECTING = 2 / 3
_LATE_SIGNING = 1 / 4  # share of a round for which signatures are waited for after it
_LATE_SHARE = 1 / 40  # length of a late round as a share of an epoch,
_LATE_LEAST = 10.0  # but not less than these seconds,
_LATE_MOST_SHARE = 1 / 2  # nor more than this share

REGULAR = 0  # the number of the regular attempt; late ones count from 1


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """One attempt at the document for `epoch`: times in seconds since the Unix epoch."""

    epoch: int
    attempt: int
    opens: float
    collect_until: float
    step_ends: tuple[float, ...]

    @property
    def sign_until(self) -> float:
        """Until when one that signed waits for the others' signatures, should those that came in time be too few."""
        return self.step_ends[-1] + _LATE_SIGNING * (self.step_ends[-1] - self.opens)


def regular(epochs: Epochs, epoch: int, steps: int) -> RoundPlan:
    """The round of `steps` steps for `epoch`, in the epoch before."""
    start = epochs.start(epoch - 1)
    opens = start + _REGULAR_FROM * epochs.length
    length = (_REGULAR_UNTIL - _REGULAR_FROM) * epochs.length
    return _plan((epoch, REGULAR), opens, length, _REGULAR_COLLECTING, steps)


def late(epochs: Epochs, now: float, steps: Callable[[int], int], after: RoundPlan | None = None) -> RoundPlan:
    """The next late round that one can still join at `now`; for the next epoch if none is left in this one.

    `steps` tells how many a round for an epoch has, which depends on who its authorities are. `after` is the last one
    that this authority took part in: it never joins one twice.
    """
    length = min(_LATE_MOST_SHARE * epochs.length, max(_LATE_SHARE * epochs.length, _LATE_LEAST))
    epoch = max(epochs.at(now), 0 if after is None else after.epoch)
    start = epochs.start(epoch)
    index = max(int((now - start) // length), 0)
    if now >= start + (index + _LATE_COLLECTING) * length:
        index += 1
    if after is not None and after.epoch == epoch:
        index = max(index, after.attempt)  # attempts count from 1, so this is the one after it
    if start + (index + 1) * length > epochs.end(epoch):
        epoch, index, start = epoch + 1, 0, epochs.end(epoch)
    return _plan((epoch, index + 1), start + index * length, length, _LATE_COLLECTING, steps(epoch))


def _plan(which: tuple[int, int], opens: float, length: float, collecting: float, steps: int) -> RoundPlan:
    collect_until = opens + collecting * length
    step = (opens + length - collect_until) / steps
    return RoundPlan(*which, opens, collect_until, tuple(collect_until + step * (n + 1) for n in range(steps)))
