"""Sums over the last seconds. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Window(Generic[K]):
    """Counts of the last `seconds`, or since the begin."""

    def __init__(self, seconds: float) -> None:
        """Nothing yet."""
        self.seconds = seconds
        self._parts: deque[tuple[float, Mapping[K, int]]] = deque()
        self._total: Counter[K] = Counter()
        self._begun: float | None = None

    def add(self, at: float, counts: Mapping[K, int]) -> None:
        """What was counted since the last call; of the first call only its time counts."""
        if self._begun is None:
            self._begun = at
            return
        self._parts.append((at, counts))
        self._total.update(counts)
        while self._parts[0][0] <= at - self.seconds:
            self._begun, old = self._parts.popleft()
            self._total.subtract(old)

    def __getitem__(self, key: K) -> int:
        return self._total[key]

    @property
    def span(self) -> float:
        """Seconds that the counts are from."""
        return self._parts[-1][0] - self._begun if self._parts and self._begun is not None else 0.0

    def rate(self, key: K) -> float:
        """A second."""
        return self._total[key] / self.span if self.span > 0 else 0.0

    def total(self) -> dict[K, int]:
        """All that isn't 0."""
        return {key: count for key, count in self._total.items() if count}

    def spread(self, key: K) -> float:
        """Variance over mean of the counts of one call, 1 for a Poisson process; 0 without any."""
        counts = [part.get(key, 0) for _, part in self._parts]
        mean = sum(counts) / len(counts) if counts else 0.0
        return sum((count - mean) ** 2 for count in counts) / len(counts) / mean if mean else 0.0
