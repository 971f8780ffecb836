"""Whether too many of a node's loops are lost, or come late: CUSUM tests with a stated false-alarm rate.

See spec/04-mixing.md 4.4.

Promises: an alarm begins when one of two tests fires, and ends when both are at rest, at most 391 good loops later.
Both take a share of `HARMLESS` for what an honest network may have; one is the fastest against a share of a fifth, the
other against a twentieth. For independent outcomes of a true share of at most `HARMLESS`, each takes
`OUTCOMES_BETWEEN_FALSE_ALARMS` outcomes or more on average to a false alarm, so both together half as many: with a loop
every two seconds, 116 days. At a share of 20 % an alarm takes about 38 outcomes, at 5 % about 390: the thresholds
divided by the relative entropies .429 and .0413.
Pure: it counts, and knows neither time nor loops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mixnet.cusum import Cusum

HARMLESS = 0.01  # the share that an honest network may have: restarts, full queues, busy machines
HARMFUL = (0.2, 0.05)
OUTCOMES_BETWEEN_FALSE_ALARMS = 1e7  # of each test


def at_rest() -> tuple[Cusum, ...]:
    """A test for each harmful share."""
    return tuple(Cusum(HARMLESS, share, math.log(OUTCOMES_BETWEEN_FALSE_ALARMS)) for share in HARMFUL)


@dataclass(slots=True)
class Detector:
    """Decides from one outcome after another whether one kind of harm (loops lost, or late) is too frequent."""

    alarmed: bool = False
    _tests: tuple[Cusum, ...] = field(default_factory=at_rest)

    def add(self, harm: bool) -> None:
        """Record the next outcome: whether that loop was lost, or was late."""
        for test in self._tests:
            test.add(harm)
        if any(test.fired for test in self._tests):
            self.alarmed = True
        elif all(test.at_rest for test in self._tests):
            self.alarmed = False
