"""What a load generator sent and what came back of it (spec/13-measurements.md 13.8).

Pure. Promises: each packet counts once; one that comes twice, spoilt or unasked for is counted as such and never as
delivered. Overhead is the time between send and return without the delays drawn. Times are seconds of one clock.
"""

from __future__ import annotations

from array import array

from mixnet.benchmarks.processes.load.packets import Stock, even

SAMPLES = 50_000  # times that a report holds at most


class PacketLedger:
    """The packets of one stock that are sent from now on."""

    def __init__(self, stock: Stock) -> None:
        """Count from the first packet of `stock` that is left."""
        self._stock = stock
        self._first = stock.taken
        self._sent_at = array("d")
        self._overheads = array("d")  # nan: not back yet
        self.returned = self.doubled = self.spoilt = self.strange = 0

    @property
    def sent(self) -> int:
        """How many left."""
        return len(self._sent_at)

    @property
    def under_way(self) -> int:
        """How many are not back."""
        return self.sent - self.returned

    def send(self, most: int, now: float) -> list[bytes]:
        """The frames of the next packets, which leave now."""
        frames = self._stock.take(most)
        self._sent_at.extend([now] * len(frames))
        self._overheads.extend([float("nan")] * len(frames))
        return frames

    def came_untrusted(self, packet: bytes, now: float) -> None:
        """A packet came."""
        number = self._stock.number_untrusted(packet)
        place = -1 if number is None else number - self._first
        if number is None or place < 0:
            self.strange += 1
        elif self._overheads[place] == self._overheads[place]:
            self.doubled += 1
        else:
            self.spoilt += self._stock.spoilt(number, packet)
            self._overheads[place] = now - self._sent_at[place] - self._stock.delays[number]
            self.returned += 1

    def report(self, since: float) -> dict[str, object]:
        """All counts, and overhead and drawn delay, in seconds, of packets that were sent at `since` or later."""
        places = [
            place
            for place, (when, over) in enumerate(zip(self._sent_at, self._overheads, strict=True))
            if when >= since and over == over  # noqa: PLR0124 -- see above
        ]
        chosen = [places[index] for index in even(len(places), SAMPLES)]
        return {
            "sent": self.sent,
            "returned": self.returned,
            "doubled": self.doubled,
            "spoilt": self.spoilt,
            "strange": self.strange,
            "overheads": [round(self._overheads[place], 7) for place in chosen],
            "delays": [round(self._stock.delays[self._first + place], 6) for place in chosen],
        }
