"""For how long messages are kept (SPEC.md section 7).

Promises: a period is parsed or refused with a sentence; what is under way is never too old. Pure: the daemon's sweeper
is in archive_service.py, what it deletes in archivist.py.
"""

from __future__ import annotations

import math
import re
from typing import Final

from mixnet.errors import LocalError

SWEEP_EVERY: Final = 60.0  # seconds
SHORTEST: Final = 60.0
LONGEST: Final = 100 * 365 * 86_400.0
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_PERIOD = re.compile(r"([0-9]{1,8})([mhdw])", re.ASCII)


class BadPeriod(LocalError):
    """A period is a number and m, h, d or w, from 1m to 36500d, or `off`: for example 7d."""


def period(text: str) -> float | None:
    """Seconds of "30m", "12h", "7d" or "4w"; None for "off". BadPeriod."""
    if text == "off":
        return None
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise BadPeriod
    return check_period(int(found[1]) * _UNITS[found[2]])


def check_period(seconds: float) -> float:
    """`seconds` itself; BadPeriod unless it is between SHORTEST and LONGEST."""
    if not SHORTEST <= seconds <= LONGEST:  # which NaN is not either
        raise BadPeriod
    return seconds


def shown(seconds: float | None) -> str:
    """A period as a user writes it, in its largest whole unit."""
    if seconds is None:
        return "off"
    for unit, length in sorted(_UNITS.items(), key=lambda item: -item[1]):
        if seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{math.ceil(seconds / _UNITS['m'])}m"


def too_old(time: float, now: float, seconds: float) -> bool:
    """Whether a message of `time` is past its period at `now`; the store asks the same in SQL (archivist.py)."""
    return time < now - seconds
