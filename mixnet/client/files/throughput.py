"""How fast a file goes: the rate that was measured, and the time that it will take by the network's rates. Pure.

Promises: what is told of the past is measured, never guessed; while nothing comes the rate falls, and after a pause it
is that of what comes now. A clock that is set back makes no rate infinite or negative.

What is to come follows from what else waits: lanes of contacts share the slots evenly, and so do the files of a
contact; what is shorter ends earlier, and what is longer gets its share. Losses, acknowledgements that we owe, and a
contact that is away come on top.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

from mixnet.client.arq.fragments import MAX_FRAGMENTS
from mixnet.client.e2e.bodies import CHUNK_SIZE

SAMPLES = 32
_TICK = 1e-6  # seconds: what came in less than this tells no rate
LATELY = 600.0  # seconds that a rate is taken over, if something came in them; the last two parts count in any case
PER_SLOT = CHUNK_SIZE / MAX_FRAGMENTS  # bytes of a file in one packet
_AROUND = 3  # messages around the chunks of a file: its offer, its end, and a request for an answer


class Throughput:
    """Parts of one file: how many bytes were across at what times."""

    def __init__(self, done: int, now: float) -> None:
        """`done` bytes are across at `now`."""
        self._seen: deque[tuple[float, int]] = deque([(now, done)], maxlen=SAMPLES)

    def note(self, done: int, now: float) -> None:
        """`done` bytes are across now; fewer than before: it begins anew."""
        if done < self._seen[-1][1] or now < self._seen[-1][0]:
            self._seen.clear()
        self._seen.append((now, done))

    @property
    def heard_at(self) -> float:
        """When the last part came."""
        return self._seen[-1][0]

    def rate(self, now: float) -> float:
        """Bytes a second; 0.0 as long as there is nothing to tell it by."""
        seen = [one for one in self._seen if one[0] > now - LATELY]
        if len(seen) < 2:
            seen = list(self._seen)[-2:]
        (since, before), (_, done) = seen[0], seen[-1]
        return (done - before) / (now - since) if now - since >= _TICK else 0.0


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
