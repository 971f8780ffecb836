"""Whether a cost grows as a straight line, and how steeply (spec/13-measurements.md 13.10).

Pure. Promises: the slope has the interval of least squares, which is infinitely wide for two points; straightness is
judged by the same points: how far the best parabola departs from its own chord, as a share of the rise (or of the
level, for what hardly rises), with the interval of its curvature. What is flat is straight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixnet.benchmarks.base.statistics import LEVEL, Estimate, magnitude, student

STRAIGHT = 0.1  # of the rise, that a straight line may bend; a square that begins at 0 bends by a quarter
_LEAST_RISE = 0.05  # of the level: what rises by less is compared with this much, or noise alone would bend it


class FittedLine(NamedTuple):
    """A fitted line: `slope` and `start` in units of y (per x), `bend` a share, `residual` a share of the rise."""

    slope: Estimate
    start: Estimate
    bend: Estimate
    residual: float

    def at(self, x: float) -> float:
        """What the line says at `x`."""
        return self.start.value + self.slope.value * x

    @property
    def least_bend(self) -> float:
        """The smallest bend, either way, that the points allow."""
        return magnitude(self.bend).low

    def bent(self) -> Estimate:
        """The least bend, either way, and how far the points allow it to go."""
        return Estimate(self.least_bend, *magnitude(self.bend)[1:])


def fit(x: Sequence[float], y: Sequence[float]) -> FittedLine:
    """The line through the points, three or more of them at different places."""
    places, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    scale = float(np.ptp(places))
    unit = (places - places.min()) / scale
    straight, about = _solve(unit, values, 1)
    curved, further = _solve(unit, values, 2)
    rise = max(abs(straight[1]), _LEAST_RISE * float(np.abs(values).mean()), 1e-300)
    start = straight[0] - straight[1] * float(places.min()) / scale
    bend = curved[2] / 4 / rise  # a parabola's middle lies a quarter of its square term off its chord
    width = further[2] / 4 / rise
    left = values - straight[0] - straight[1] * unit
    return FittedLine(
        Estimate(straight[1] / scale, (straight[1] - about[1]) / scale, (straight[1] + about[1]) / scale),
        Estimate(start, start - about[0], start + about[0]),
        Estimate(bend, bend - width, bend + width),
        float(np.sqrt((left**2).mean())) / rise,
    )


def _solve(unit: NDArray[np.float64], values: NDArray[np.float64], degree: int) -> tuple[list[float], list[float]]:
    """Coefficients from the constant one up, and half the width of their intervals."""
    matrix = np.vander(unit, degree + 1, increasing=True)
    found, _, rank, _ = np.linalg.lstsq(matrix, values, rcond=None)
    free = len(values) - degree - 1
    if free < 1 or rank <= degree:
        return [float(one) for one in found] + [0.0] * (degree + 1 - len(found)), [math.inf] * (degree + 1)
    variance = float(((values - matrix @ found) ** 2).sum()) / free
    spread = np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)) * variance)
    times = student(0.5 + LEVEL / 2, free)
    return [float(one) for one in found], [float(times * one) for one in spread]
