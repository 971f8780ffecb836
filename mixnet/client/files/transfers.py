"""The progress of all files under way: bytes, rate, time left.

Promises: what is told of both directions is the same; rates are measured in this process, kept in memory only, and
forgotten with their files. On a satellite it is the way between it and its home that is told.
"""

from __future__ import annotations

from collections import Counter

from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import CHUNK_SIZE
from mixnet.client.files.throughput import Throughput, seconds
from mixnet.client.model.errors import NoFile
from mixnet.client.model.views import UNDER_WAY, FileProgress, Leg, MessageInfo, MessageKind, Transfer

_FILE_LANE = 1
_REMEMBERED = 1024  # files
_FILES = (
    "SELECT id FROM messages WHERE kind = 'file' AND id > ? AND"
    " (state IN ('queued', 'sent', 'receiving') OR id IN (SELECT r.message FROM mirrored r JOIN device_incoming i"
    " ON i.number = r.number JOIN devices d ON d.contact = i.device WHERE d.role = 'home' AND i.complete = 0))"
    " ORDER BY id LIMIT ?"
)
_FETCHED = (
    "SELECT i.position FROM device_incoming i JOIN devices d ON d.contact = i.device"
    " JOIN mirrored r ON r.number = i.number WHERE d.role = 'home' AND i.complete = 0 AND r.message = ?"
)
_HANDED = (
    "SELECT o.position, d.contact FROM device_outgoing o JOIN devices d ON d.contact = o.device"
    " JOIN device_asks a ON a.number = o.number WHERE d.role = 'home' AND a.message = ?"
)
_UNSENT = (
    "SELECT id, contact, size - done FROM messages WHERE outgoing AND kind = 'file' AND state IN ('queued', 'sent')"
)
_TEXTS = (
    "SELECT contact, sum(length(body)) FROM waiting WHERE lane = 0 GROUP BY contact"
    " UNION ALL SELECT s.contact, sum(o.length) FROM outbound o JOIN sessions s ON s.id = o.session WHERE o.lane = 0"
    " GROUP BY s.contact"
)
_AHEAD = "SELECT size - done FROM messages WHERE contact = ? AND kind = 'file' AND state = 'receiving' AND id <> ?"


class Transfers:
    """All files on their way."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._throughputs: dict[int, Throughput] = {}

    def came(self, message: int, done: int, now: float) -> None:
        """`done` bytes of a file are with the contact, or here: keep it and say so. In a change."""
        self.note(message, done, now)
        self._core.emit(FileProgress(self._core.messages.progress(message, done)))

    def note(self, message: int, done: int, now: float) -> None:
        """`done` bytes of a file are across."""
        if message in self._throughputs:
            self._throughputs[message].note(done, now)
            return
        while len(self._throughputs) >= _REMEMBERED:
            del self._throughputs[next(iter(self._throughputs))]
        self._throughputs[message] = Throughput(done, now)

    def under_way(self, after: int, limit: int, now: float) -> list[Transfer]:
        """The first `limit` files on their way with numbers above `after`, oldest first."""
        rows = self._core.store.all(_FILES, after, limit)
        return [self.of(number, now) for (number,) in rows]

    def of(self, number: int, now: float) -> Transfer:
        """How far one file is, on its way or not; UnknownMessage, NoFile."""
        core = self._core
        message = core.messages.get(number)
        if message.kind is not MessageKind.FILE:
            raise NoFile
        leg, done = self._where(message)
        if message.state not in UNDER_WAY and leg is Leg.CONTACT:
            self._throughputs.pop(number, None)
            return Transfer(message, leg, message.done, 0.0, None, 0.0)
        throughput = self._throughputs.get(number)
        if leg is Leg.ELSEWHERE or throughput is None:
            return Transfer(message, leg, done, 0.0, self._expected(message, leg), 0.0)
        rate = throughput.rate(now)
        left = (message.size - done) / rate if rate else self._expected(message, leg)
        return Transfer(message, leg, done, rate, left, throughput.heard_at)

    def estimate(self, number: int) -> float | None:
        """Seconds that a file of ours still takes at the network's rate; UnknownMessage, None if nothing is left."""
        core, settings = self._core, self._core.settings
        file = core.messages.get(number)
        if not file.outgoing or file.kind is not MessageKind.FILE or file.state not in UNDER_WAY:
            return None
        contact = core.messages.contact_of(number)
        lanes: Counter[tuple[int, int]] = Counter()
        same = []
        for message, whom, left in core.store.all(_UNSENT):
            if message == number:
                continue
            if whom == contact:
                same.append(left)
            else:
                lanes[whom, _FILE_LANE] += left
        for whom, size in core.store.all(_TEXTS):
            lanes[whom, 0] += size
        left = file.size - file.done
        return seconds(left, same, lanes.values(), settings.payload_rate, settings.round_trip)

    def _where(self, message: MessageInfo) -> tuple[Leg, int]:
        """Which way is told, and how many bytes have gone it."""
        core = self._core
        if not core.satellite:
            return Leg.CONTACT, message.done
        fetched = core.store.value(int, _FETCHED, message.id)
        if fetched is not None:
            return Leg.HOME, fetched
        row = core.store.one(_HANDED, message.id)
        if row is not None:
            return Leg.HOME, max(0, int(row[0]) - CHUNK_SIZE * self._going(row[1]))
        return (Leg.ELSEWHERE if message.state in UNDER_WAY else Leg.CONTACT), message.done

    def _going(self, home: int) -> int:
        """Parts of a file that were read and are not at home yet, about."""
        value, route = self._core.store.value, self._core.routes.get(home)
        waiting = value(int, "SELECT count(*) FROM waiting WHERE contact = ? AND lane = 1", home) or 0
        if route is None:
            return waiting
        return waiting + (value(int, "SELECT count(*) FROM outbound WHERE session = ? AND lane = 1", route.id) or 0)

    def _expected(self, message: MessageInfo, leg: Leg) -> float | None:
        """Seconds at the network's rate, before anything was measured."""
        core, settings = self._core, self._core.settings
        if leg is not Leg.CONTACT:
            return None
        if message.outgoing:
            return self.estimate(message.id)
        same = [row[0] for row in core.store.all(_AHEAD, core.messages.contact_of(message.id), message.id)]
        return seconds(message.size - message.done, same, (), settings.payload_rate, settings.round_trip)
