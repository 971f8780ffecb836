"""The sizes of a run: quick, standard or full.

Promises: a size changes how much is run, and so how wide the intervals are, never what is computed from it.
"""

from __future__ import annotations

from enum import StrEnum


class Size(StrEnum):
    """QUICK: all measurements together take minutes. STANDARD: one takes minutes. FULL: hours, if need be."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"
