"""The counters of a process, and how they are published (spec/08-errors-and-figures.md 8.1).

Promises: every counter is a member of the two tables below, so no label can ever come from a packet, a peer or a user;
a counter only rises. What leaves the machine, the Prometheus text, is rounded down to tens and a quarter of a minute
old, so that no reading reveals a single packet; the exact figures are for the node's own operator (status.py).
Never: a label value made at run time.
"""

from __future__ import annotations

from enum import StrEnum

from mixnet.errors import LocalError

COARSENESS = 10  # a published figure is rounded down to a multiple of this
REFRESH = 15.0  # seconds for which a published text stays the same


class Event(StrEnum):
    """What happens in a process that works as it should."""

    PACKETS_IN = "packets_in"
    PACKETS_OUT = "packets_out"
    PACKETS_PEELED = "packets_peeled"
    PACKETS_STORED = "packets_stored"
    PACKETS_FETCHED = "packets_fetched"
    PACKETS_EXPIRED = "packets_expired"
    HELD_LATE = "held_late"
    COVER_ENDED = "cover_ended"
    DUMMIES_IN = "dummies_in"
    DUMMIES_OUT = "dummies_out"
    SLOTS_SKIPPED = "slots_skipped"
    LOOPS_SENT = "loops_sent"
    LOOPS_RETURNED = "loops_returned"
    LOOPS_LATE = "loops_late"
    LOOPS_LOST = "loops_lost"
    LINKS_ACCEPTED = "links_accepted"
    LINKS_REPLACED = "links_replaced"
    LINKS_DIALLED = "links_dialled"
    REQUESTS = "requests"
    DOCUMENTS = "documents"
    QUESTIONS = "questions"
    KEYS_RETIRED = "keys_retired"


class Dropped(StrEnum):
    """Why a packet or a connection was dropped. The peer never learns which."""

    CONNECTION_LIMIT = "connection_limit"
    HANDSHAKE = "handshake"
    NOT_ADMITTED = "not_admitted"
    HOSTILE_LINK = "hostile_link"
    RATE_LIMIT = "rate_limit"
    PEEL_FULL = "peel_full"
    MALFORMED_PACKET = "malformed_packet"
    WORKER_LOST = "worker_lost"
    REPLAY_FULL = "replay_full"
    REPLAYED = "replayed"
    REPLAY_STORE = "replay_store"
    LONG_DELAY = "long_delay"
    HOLD_FULL = "hold_full"
    UNKNOWN_HOP = "unknown_hop"
    LINK_FULL = "link_full"
    LINK_LOST = "link_lost"
    DELIVER_FULL = "deliver_full"
    UNWANTED = "unwanted"
    UNKNOWN_MAILBOX = "unknown_mailbox"
    MAILBOX_FULL = "mailbox_full"
    MAILBOX_LIMIT = "mailbox_limit"
    MAILBOX_STORE = "mailbox_store"
    REQUEST = "request"
    SERVICE_LIMIT = "service_limit"


class Counters:
    """One process's (or one simulated actor's) counters, all starting at 0."""

    def __init__(self) -> None:
        self._events = dict.fromkeys(Event, 0)
        self._dropped = dict.fromkeys(Dropped, 0)

    def add(self, event: Event, number: int = 1) -> None:
        """`number` more of `event`; LocalError if that would make the counter fall."""
        _refuse_fall(number)
        self._events[event] += number

    def drop(self, reason: Dropped, number: int = 1) -> None:
        """`number` more packets or connections dropped for `reason`; LocalError if the counter would fall."""
        _refuse_fall(number)
        self._dropped[reason] += number

    def __getitem__(self, which: Event | Dropped) -> int:
        return self._events[which] if isinstance(which, Event) else self._dropped[which]

    def snapshot(self) -> dict[str, object]:
        """Exact figures for the operator: every event by name, and under "dropped" the reasons that occurred."""
        events: dict[str, object] = {str(event): count for event, count in self._events.items()}
        return events | {"dropped": {str(reason): count for reason, count in self._dropped.items() if count}}

    def prometheus(self) -> str:
        """All counters in Prometheus' text form, each rounded down to a multiple of `COARSENESS`."""
        lines = []
        for event, count in self._events.items():
            lines += [f"# TYPE mixnet_{event}_total counter", f"mixnet_{event}_total {_coarse(count)}"]
        lines.append("# TYPE mixnet_dropped_total counter")
        for reason, count in self._dropped.items():
            lines.append(f'mixnet_dropped_total{{reason="{reason}"}} {_coarse(count)}')
        return "\n".join(lines) + "\n"


class Published:
    """The text that leaves the machine: the same for `REFRESH` seconds, however often it is asked for."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._text = ""
        self._until = float("-inf")

    def text(self, now: float) -> str:
        """The Prometheus text as of the last refresh; `now` in seconds of any clock that doesn't go back."""
        if now >= self._until:
            self._text = self._counters.prometheus()
            self._until = now + REFRESH
        return self._text


def _coarse(count: int) -> int:
    return count - count % COARSENESS


def _refuse_fall(number: int) -> None:
    if number < 0:
        raise LocalError("a counter only rises")
