"""Page's CUSUM test: whether a share is larger than it may be, one outcome at a time (spec/04-mixing.md 4.4).

Promises: the value is the sum of the log-likelihood ratios of the outcomes, between a harmful share p1 and a harmless
one p0, never below 0; the test fires when it reaches h. From rest, and for independent outcomes of any true share up to
p0, it takes e^h outcomes or more on average to a false alarm (Lorden 1971, theorem 2). At a true share p it takes about
h / (p·ln(p1/p0) + (1-p)·ln((1-p1)/(1-p0))) outcomes if that is positive; at p1, where this is h by the relative
entropy, no test with this bound is faster as h grows (the same paper). Pure: it knows neither time nor what an
outcome is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Cusum:
    """Page's test of the share `harmless` against the share `harmful`, both probabilities above 0 and below 1."""

    harmless: float
    harmful: float
    threshold: float
    value: float = 0.0

    def add(self, harm: bool) -> None:
        """Take one more outcome; the value stays between 0 and the threshold, which bounds how long recovery takes."""
        ratio = self.harmful / self.harmless if harm else (1 - self.harmful) / (1 - self.harmless)
        self.value = min(max(0.0, self.value + math.log(ratio)), self.threshold)

    @property
    def fired(self) -> bool:
        """Whether the evidence reached the threshold."""
        return self.value >= self.threshold

    @property
    def at_rest(self) -> bool:
        """Whether there is no evidence left."""
        return self.value == 0.0
