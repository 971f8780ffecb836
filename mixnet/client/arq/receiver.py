"""The receiving half of reliable delivery: reassembles messages, and decides when to acknowledge.

Promises: pure; a fragment is taken once and messages of a lane come out in the order of their numbers; at most WINDOW
messages of a lane are held, each of at most MESSAGE_LIMIT bytes, whatever a hostile contact sends; a reply block is
answered at most once and not after its end, and only what the caller has stored is acknowledged.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mixnet.client.arq.acks import Ack, LaneReport
from mixnet.client.arq.fragments import WINDOW, Arrival, Fragment, ReplyBlock, spans
from mixnet.errors import RemoteError

_SPARE = 6  # reply blocks kept; the newest goes first, since its route's keys live longest
_REMEMBERED = 256  # transmissions whose reply blocks were taken
_MOST = 3  # answers owed at most: further ones, over other routes, when the first seems to have been lost


@dataclass(slots=True)
class _Partial:
    length: int
    bitmap: int = 0

    def complete(self) -> bool:
        return self.bitmap == (1 << len(spans(self.length))) - 1


@dataclass(slots=True)
class _Lane:
    expected: int
    partial: dict[int, _Partial] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Solicitation:
    block: ReplyBlock
    transmission: int
    arrived_at: float | None  # None: not to be told


@dataclass(frozen=True, slots=True)
class DueAck:
    """An acknowledgement that is due, and the serialized reply block that it goes through."""

    surb: bytes = field(repr=False)
    ack: Ack


class Receiver:
    """All that is arriving from one contact in one session."""

    def __init__(self, expected: tuple[int, ...], ack_delay: float) -> None:
        """Expect the given message number in each lane; wait `ack_delay` seconds for more before answering."""
        self._lanes = [_Lane(number) for number in expected]
        self._ack_delay = ack_delay
        self._blocks: deque[_Solicitation] = deque(maxlen=_SPARE)
        self._solicitations: deque[int] = deque(maxlen=_REMEMBERED)
        self._owed = 0
        self._due: float | None = None

    def restore(self, lane: int, number: int, length: int, index: int) -> None:
        """Remember a stored fragment after a restart."""
        self._lanes[lane].partial.setdefault(number, _Partial(length)).bitmap |= 1 << index

    def expected(self, lane: int) -> int:
        """The number of the next message to deliver."""
        return self._lanes[lane].expected

    def is_new_untrusted(self, fragment: Fragment) -> bool:
        """Whether the fragment is one to take; RemoteError if it contradicts its message or is beyond the window."""
        lane = self._lanes[fragment.lane]
        expected = max(lane.expected, fragment.floor)
        if fragment.number >= expected + WINDOW:
            raise RemoteError("a fragment beyond the window")
        if fragment.number < expected:
            return False
        partial = lane.partial.get(fragment.number)
        if partial is not None and partial.length != fragment.length:
            raise RemoteError("a fragment that contradicts its message")
        return partial is None or not partial.bitmap >> fragment.index & 1

    def take(self, fragment: Fragment) -> None:
        """Note a new, stored fragment."""
        partial = self._lanes[fragment.lane].partial
        partial.setdefault(fragment.number, _Partial(fragment.length)).bitmap |= 1 << fragment.index

    def skip(self, lane: int, floor: int) -> bool:
        """The sender has given up all messages below `floor`: whatever of them is here is dropped."""
        it = self._lanes[lane]
        if floor <= it.expected:
            return False
        it.expected = floor
        it.partial = {number: partial for number, partial in it.partial.items() if number >= floor}
        return True

    def ready(self, lane: int) -> int | None:
        """The number of the next message, if it is complete."""
        it = self._lanes[lane]
        partial = it.partial.get(it.expected)
        return it.expected if partial is not None and partial.complete() else None

    def deliver(self, lane: int) -> None:
        """The next message was delivered: expect the one after it."""
        it = self._lanes[lane]
        it.partial.pop(it.expected, None)
        it.expected += 1

    def forget(self, lane: int, number: int) -> None:
        """Drop what has arrived of a message, because it does not open."""
        self._lanes[lane].partial.pop(number, None)

    def solicited(self, arrival: Arrival, now: float, *, new: bool, answer_at: float | None = None) -> None:
        """Note the reply block that came along: with something new, or again with what was here before.

        `answer_at`: the answer waits until then, and doesn't tell how long it did.
        """
        if arrival.block is None or arrival.transmission in self._solicitations:
            return  # the same packet again: its reply block is used once
        self._solicitations.append(arrival.transmission)
        arrived_at = now if answer_at is None else None
        self._blocks.append(_Solicitation(arrival.block, arrival.transmission, arrived_at))
        self._owed = max(self._owed, 1) if new else min(self._owed + 1, _MOST)
        due = now + self._ack_delay if answer_at is None else answer_at
        self._due = due if self._due is None else min(self._due, due)

    def report(self, lane: int) -> LaneReport:
        """What of a lane is here."""
        it = self._lanes[lane]
        return LaneReport(it.expected, {number: held.bitmap for number, held in sorted(it.partial.items())})

    def hush(self) -> None:
        """Owe no answer, and keep no reply block: nobody is to hear of what came so far."""
        self._blocks.clear()
        self._owed, self._due = 0, None

    def due_at(self) -> float | None:
        """When an answer is due; None if none is."""
        return self._due

    def answer(self, now: float) -> DueAck | None:
        """The answer that is due, if one is, and if a block is left that may still be used."""
        if self._due is None or now < self._due:
            return None
        self._blocks = deque((one for one in self._blocks if one.block.until >= now), maxlen=_SPARE)
        if not self._blocks:  # the sender asks again, with a fresh one
            self._owed, self._due = 0, None
            return None
        newest = self._blocks.pop()
        self._owed -= 1
        if not self._owed or not self._blocks:
            self._owed, self._due = 0, None
        lanes = tuple(self.report(lane) for lane in range(len(self._lanes)))
        held = None if newest.arrived_at is None else now - newest.arrived_at
        return DueAck(newest.block.surb, Ack(newest.transmission, held, lanes))
