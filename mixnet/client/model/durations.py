"""Durations as a person writes them: 90s, 10m, 2h, 3d, 1w (spec/09-command.md). Pure."""

from __future__ import annotations

import re

from mixnet.errors import LocalError

DAY = 86_400.0
UNITS = {"w": 7 * 86_400, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"([0-9]{1,9})([wdhms])", re.ASCII)


class BadDuration(LocalError):
    """A duration is a whole number and a unit (s, m, h, d or w), like 10m, 2h or 3d: write it so."""


def seconds(written: str) -> int:
    """The seconds of a duration; BadDuration."""
    found = _WRITTEN.fullmatch(written)
    if found is None:
        raise BadDuration
    return int(found[1]) * UNITS[found[2]]


def spoken(duration: float) -> str:
    """A number of seconds, rounded down, in the largest unit that says it exactly."""
    whole = int(duration)
    unit, size = next((unit, size) for unit, size in UNITS.items() if whole % size == 0 and (whole or size == 1))
    return f"{whole // size}{unit}"


def about(duration: float) -> str:
    """A number of seconds, rounded up, as a person tells how long something takes: two digits or so, in one unit."""
    unit, size = next((unit, size) for unit, size in UNITS.items() if duration >= 2 * size or size == 1)
    return f"{-int(-duration // size)}{unit}"
