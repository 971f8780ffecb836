"""The estimate of how long a file will take, from the network's rates and what else waits. Pure.

Lanes of contacts share the slots evenly, and so do the files of a contact: what is shorter ends earlier, and what is
longer gets its share. Losses, acknowledgements that we owe, and a contact that is away come on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from client.arq.fragments import MAX_FRAGMENTS
from client.e2e.bodies import CHUNK_SIZE

PER_SLOT = CHUNK_SIZE / MAX_FRAGMENTS  # bytes of a file in one packet
_AROUND = 3  # messages around the chunks of a file: its offer, its end, and a request for an answer


def slots(size: float) -> int:
    """The packets that so many bytes of a file take."""
    return math.ceil(size / PER_SLOT) + _AROUND


def seconds(
    mine: float, same: Sequence[float], others: Iterable[float], rate: float, round_trip: float
) -> float | None:
    """Seconds until a file of `mine` bytes is across, at `rate` packets a second; None if nothing is ever sent.

    `same`: bytes of other files to the same contact; `others`: bytes of each other lane.
    """
    if not rate:
        return None
    lane = mine + sum(min(one, mine) for one in same)
    ahead = lane + sum(min(one, lane) for one in others)
    return slots(ahead) / rate + round_trip
