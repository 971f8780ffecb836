"""The rate at which a file makes progress, from the times of its parts. Pure.

Promises: what is told is measured, never guessed; while nothing comes the rate falls, and after a pause it is that of
what comes now. A clock that is set back makes no rate infinite or negative.
"""

from __future__ import annotations

from collections import deque

SAMPLES = 32
_TICK = 1e-6  # seconds: what came in less than this tells no rate
LATELY = 600.0  # seconds that a rate is taken over, if something came in them; the last two parts count in any case


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
