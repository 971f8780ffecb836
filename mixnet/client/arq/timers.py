"""Round-trip estimate and retransmission time-outs, from acknowledgements (RFC 6298).

Promises: pure arithmetic of times that come in as arguments (seconds); nothing measured outlives the process. The
estimator is that of RFC 6298, begun from the network's parameters; the rules for what is lost follow RFC 9002 (QUIC),
which also faces reordering.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_JITTER = 0.25  # every wait is up to a quarter longer, so that retransmissions of many senders never fall in step
_PATIENT = 6  # timeouts at full speed before waits grow: slots that carry nothing would carry drops anyway
_GROWTH = 1.25
_LONGEST = 600.0
_LONGEST_PAUSE = 1800.0  # whatever a contact makes of its pauses: more is taken for absence


@dataclass(frozen=True, slots=True)
class Path:
    """What the network's parameters tell of a round trip: its mean, the spread of one way, and the receiver's pause."""

    round_trip: float
    spread: float
    ack_delay: float


class RoundTripTimer:
    """The round-trip estimate for one contact's path."""

    def __init__(self, path: Path, jitter: random.Random) -> None:
        self._path, self._jitter = path, jitter
        self._smooth = path.round_trip
        self._deviation = 2 * path.spread  # the parameters tell it better than half of one sample does
        self._measured = False
        self._pause = 0.0  # of a receiver that answers at random moments and doesn't tell how long it waited

    @property
    def reordering(self) -> float:
        """How much later than another a packet sent before it may still arrive: six deviations of the mixing."""
        return 6 * self._path.spread

    def measured(self, sample: float) -> None:
        """Take one round trip, without the receiver's pause, into account."""
        self._pause = 0.0
        if not self._measured:
            self._smooth, self._measured = sample, True
            return
        self._deviation += 0.25 * (abs(self._smooth - sample) - self._deviation)
        self._smooth += 0.125 * (sample - self._smooth)

    def paused(self, sample: float) -> None:
        """An answer took so long of which nobody says how much was the receiver's pause."""
        pause = min(max(0.0, sample - self._smooth), _LONGEST_PAUSE)
        self._pause += (pause - self._pause) / (4 if self._pause else 1)

    def timeout(self, unanswered: int) -> float:
        """How long to wait for an answer after `unanswered` timeouts in a row, in seconds, jitter included."""
        wait = self._smooth + max(4 * self._deviation, 4 * self._path.spread) + self._path.ack_delay
        wait += 2 * self._pause  # six of seven exponential pauses are shorter
        growth = _GROWTH ** max(0, min(unanswered, 64) - _PATIENT)
        longest = max(_LONGEST, wait)
        return float(min(wait * growth, longest) * (1 + _JITTER * self._jitter.random()))
