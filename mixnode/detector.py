"""Whether too few of a node's loops return: a binomial test with a stated false-alarm rate (SPEC.md section 4).

Promises: in a network that loses each loop independently with a chance of at most `TOLERATED`, a window of `WINDOW`
loops raises an alarm with a probability of at most `FALSE_ALARM`; with a loop every two seconds that is less than one
false alarm in five years. An alarm is raised as soon as the window's losses suffice and ends with the first whole
window whose losses don't. What it detects: a share of 30 % of loops blocked, within one window, with a chance above
95 %; all blocked, after `Detector.threshold` loops. Pure: it counts, and knows neither time nor loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

WINDOW = 50  # loops
TOLERATED = 0.02  # the share that an honest network may lose: restarts, full rooms, crashed neighbours
FALSE_ALARM = 1e-6  # a window


def binomial_tail(trials: int, chance: float, least: int) -> float:
    """The probability of at least `least` successes in `trials` of probability `chance`."""
    return sum(comb(trials, hits) * chance**hits * (1 - chance) ** (trials - hits) for hits in range(least, trials + 1))


def alarm_threshold(trials: int, chance: float, false_alarm: float) -> int:
    """The fewest losses of `trials` that chance alone would give with a probability of at most `false_alarm`."""
    return next(least for least in range(trials + 2) if binomial_tail(trials, chance, least) <= false_alarm)


@dataclass(slots=True)
class Detector:
    """Counts settled loops, window after window."""

    window: int = WINDOW
    threshold: int = alarm_threshold(WINDOW, TOLERATED, FALSE_ALARM)
    alarmed: bool = False
    _settled: int = 0
    _lost: int = 0

    def returned(self, loops: int = 1) -> None:
        """Record loops that came back in time."""
        for _ in range(loops):
            self._settle(0)

    def lost(self, loops: int = 1) -> None:
        """Record loops that did not."""
        for _ in range(loops):
            self._settle(1)

    def _settle(self, lost: int) -> None:
        self._settled += 1
        self._lost += lost
        if self._lost >= self.threshold:
            self.alarmed = True
        if self._settled == self.window:
            self.alarmed = self._lost >= self.threshold
            self._settled = self._lost = 0
