"""Slots: a few bytes under a name, kept for a limited time for whoever knows the name (spec/06-providers.md 6.5).

Promises: what was put is never replaced and stays for its time, then it is gone; slots, what is in one, and bytes in
all are bounded, and what finds no room is refused, so that nobody can push out what others have put. The same bytes put
twice are there once, since whoever missed an answer asks again. Pure: time is an argument. Nothing is written to a
disk: a restart forgets all.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from mixnet.services import ServiceAnswer, ServiceStatus

PLACES = 4  # in a slot
OVERHEAD = 256  # bytes of memory that a slot takes beside what is in it, counted among those that are bounded
_NOTHING = ServiceAnswer(ServiceStatus.NOTHING)


@dataclass(slots=True)
class _Slot:
    until: float
    bodies: list[bytes] = field(default_factory=list)


class Slots:
    """Slots that live for `lifetime` seconds and take `limit` bytes at most."""

    def __init__(self, lifetime: float, limit: int) -> None:
        """Start empty."""
        self._lifetime = lifetime
        self._limit = limit
        self._slots: OrderedDict[bytes, _Slot] = OrderedDict()  # in the order in which they end
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, name: bytes, body: bytes, now: float) -> ServiceAnswer:
        """Put `body` into the slot `name` (32 bytes): its place, 1 byte, or FULL."""
        self.sweep(now)
        slot = self._slots.get(name)
        if slot is not None and body in slot.bodies:
            return ServiceAnswer(ServiceStatus.DONE, bytes([slot.bodies.index(body)]))
        cost = len(body) + (OVERHEAD if slot is None else 0)
        if self._bytes + cost > self._limit or (slot is not None and len(slot.bodies) >= PLACES):
            return ServiceAnswer(ServiceStatus.FULL)
        if slot is None:
            slot = self._slots[name] = _Slot(now + self._lifetime)
        slot.bodies.append(body)
        self._bytes += cost
        return ServiceAnswer(ServiceStatus.DONE, bytes([len(slot.bodies) - 1]))

    def read(self, name: bytes, place: int, now: float) -> ServiceAnswer:
        """What is at `place`, from 0, of the slot `name`; NOTHING if there is nothing."""
        self.sweep(now)
        slot = self._slots.get(name)
        if slot is None or place >= len(slot.bodies):
            return _NOTHING
        return ServiceAnswer(ServiceStatus.DONE, slot.bodies[place])

    def sweep(self, now: float) -> None:
        """Forget the slots whose time is over."""
        while self._slots:
            name, slot = next(iter(self._slots.items()))
            if slot.until > now:
                return
            del self._slots[name]
            self._bytes -= OVERHEAD + sum(map(len, slot.bodies))
