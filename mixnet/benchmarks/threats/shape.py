"""What checks share: findings made of a count and its positive control, and pieces to search for.

Pure. Promises: a count of what must not happen has the bound 0, and of nothing tried it is an error.
"""

from __future__ import annotations

from collections.abc import Iterable

from mixnet.benchmarks.base.figures import Bound, Control, Figure, at_least
from mixnet.benchmarks.base.statistics import rate
from mixnet.errors import LocalError

PIECE = 12  # bytes: as many as no two unrelated ciphertexts share by chance
_NEVER = Bound(0)


def never(key: str, what: str, happened: int, tries: int) -> Figure:
    """What must not happen; LocalError if it was not tried."""
    if not tries:
        raise LocalError(f"{key}: nothing was tried")
    return Figure(key, f"{what}, of {tries:,}", rate(happened, tries), must=_NEVER)


def shown(what: str, happened: int, tries: int) -> Control:
    """What must happen each time; LocalError if it was not tried."""
    if not tries:
        raise LocalError(f"{what}: nothing was tried")
    return Control.positive(what, rate(happened, tries), at_least(1))


def pieces(secrets: Iterable[bytes]) -> list[bytes]:
    """Pieces of these secrets, PIECE bytes each, none beside another's bytes."""
    return [secret[at : at + PIECE] for secret in secrets for at in range(0, len(secret) - PIECE + 1, PIECE)]
