"""How long loops took, beside what was drawn for them: two histograms (spec/07-client.md 7.9). Pure.

Promises: counts of what came back, which only rise, by steps of `WIDTH`; no time at which anything happened. Loops are
cover: nobody's message is in here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WIDTH = 0.025  # seconds
BINS = 60  # the last one has all that is longer


@dataclass(slots=True)
class LoopTimes:
    """The loops of one daemon that came back."""

    drawn: list[int] = field(default_factory=lambda: [0] * BINS)
    took: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, drawn: float, took: float) -> None:
        """A loop came back `took` seconds after it left; `drawn` of these are its delays."""
        for counts, seconds in ((self.drawn, drawn), (self.took, took)):
            counts[min(BINS - 1, int(max(0.0, seconds) / WIDTH))] += 1

    def figures(self) -> dict[str, list[int]]:
        """Both, up to the last bin that has any."""
        used = max((number for number in range(BINS) if self.drawn[number] or self.took[number]), default=-1) + 1
        return {"drawn": self.drawn[:used], "took": self.took[:used]}
