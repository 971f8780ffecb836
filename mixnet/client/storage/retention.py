"""Retention periods: for how long messages are kept.

Promises: a period is parsed or refused with a sentence; what is under way is never too old. Pure: the daemon's sweeper
is in client/api/archive.py, what it deletes in client/messenger/archive.py.
"""

from __future__ import annotations

from typing import Final

from mixnet.client.model.durations import BadDuration, seconds, spoken
from mixnet.errors import LocalError

SWEEP_EVERY: Final = 60.0  # seconds
SHORTEST: Final = 60.0
LONGEST: Final = 100 * 365 * 86_400.0


class BadPeriod(LocalError):
    """A period is a number and s, m, h, d or w, from 1m to 36500d, or `off`: for example 7d."""


def period(text: str) -> float | None:
    """Seconds of "30m", "12h", "7d" or "4w"; None for "off". BadPeriod."""
    if text == "off":
        return None
    try:
        return check_period(float(seconds(text)))
    except BadDuration:
        raise BadPeriod from None


def check_period(length: float) -> float:
    """`length` itself, in seconds; BadPeriod unless it is between SHORTEST and LONGEST."""
    if not SHORTEST <= length <= LONGEST:  # which NaN is not either
        raise BadPeriod
    return length


def shown(length: float | None) -> str:
    """A period as a user writes it, in its largest whole unit."""
    return "off" if length is None else spoken(length)
