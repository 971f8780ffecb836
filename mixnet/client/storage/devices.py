"""The tables of the user's other devices.

Promises: a device is a contact's row that is shown among no contacts, and the session behind it; at home there are at
most LIMIT satellites, on a satellite there is the home alone. When a device was last heard of is kept to the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mixnet.client.model.errors import DeviceNameTaken, TooManyDevices, UnknownDevice
from mixnet.client.model.names import same
from mixnet.client.model.views import ContactState, DeviceInfo, DeviceRole, DeviceState
from mixnet.client.storage.database import Row, Store
from mixnet.near import near

LIMIT: Final = 5  # satellites of a home
DAY: Final = 86_400.0
PROBLEM_LIMIT = 1000
# Kinds of things in the log, in the order in which they must be known: messages that came or were written since, then
# those of them, or of before, that have changed.
LOGGED: Final = ("contact", "new", "message")

_SELECT = """
SELECT d.contact, d.name, d.role, d.linked_at, d.seen, d.history, d.floor, d.revoked, d.problem, c.identity, c.state
FROM devices d JOIN contacts c ON c.id = d.contact
"""


class Broken(StrEnum):
    """What is wrong between two devices; `PROBLEMS` has the sentence that a user reads."""

    MALFORMED = "malformed"
    NEWER = "newer"


PROBLEMS = {
    Broken.MALFORMED: "the other device sent what makes no sense: update both, or revoke it and link it again",
    Broken.NEWER: "the other device is newer than this one, and some of what it sent is missing here: update this one",
}


@dataclass(frozen=True, slots=True)
class Device:
    """A row; `contact` is the row of the session's contact, `identity` the device's own (32 bytes)."""

    contact: int
    name: str
    role: DeviceRole
    linked_at: float
    seen: float
    history: int
    floor: int
    revoked: bool
    problem: str
    identity: bytes
    state: ContactState


class DeviceTable:
    """All other devices of a profile."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[Device]:
        """All of them, oldest first."""
        return [_device(row) for row in self._store.all(_SELECT + "ORDER BY d.contact")]

    def satellites(self) -> list[Device]:
        """Those that hear of changes."""
        return [one for one in self.all() if one.role is DeviceRole.SATELLITE and not one.revoked]

    def home(self) -> Device | None:
        """The home of this satellite; None if this profile is none: it never was, or the link has expired."""
        known = (one for one in self.all() if one.state is not ContactState.EXPIRED)
        return next((one for one in known if one.role is DeviceRole.HOME), None)

    def get(self, contact: int) -> Device | None:
        """The device of a contact's row."""
        return self._store.row(_device, _SELECT + "WHERE d.contact = ?", contact)

    def named(self, name: str) -> Device:
        """The device of a name; UnknownDevice."""
        device = self._store.row(_device, _SELECT + "WHERE d.name = ?", name) or next(
            (one for one in self.all() if same(one.name) == same(name)), None
        )
        if device is None:
            meant = near(name, [one.name for one in self.all()])
            raise UnknownDevice(
                f"there is no device named {name!r}{meant}: `mixnet device list PROFILE` shows those there are"
            )
        return device

    def names(self) -> set[str]:
        """All names in use."""
        return {row[0] for row in self._store.all("SELECT name FROM devices")}

    def has_name(self, name: str) -> bool:
        """Whether a device is called so."""
        return any(same(one) == same(name) for one in self.names())

    def check_room(self) -> None:
        """TooManyDevices if no other satellite may be linked."""
        if len(self.satellites()) >= LIMIT:
            raise TooManyDevices

    def add(self, contact: int, name: str, role: DeviceRole, now: float, history: int = 0) -> None:
        """A new device behind a contact's row; its log begins here."""
        values = (contact, name, role.value, now, _day(now) if role is DeviceRole.SATELLITE else 0.0, history)
        self._store.run("INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?, 0, 0, '')", *values)
        if role is DeviceRole.SATELLITE:
            newest = "(SELECT coalesce(max(position), 0) FROM device_log)"
            for kind in LOGGED:
                self._store.run(f"INSERT INTO device_cursors VALUES (?, ?, {newest})", contact, kind)  # noqa: S608

    def remove(self, contact: int) -> None:
        """Forget a device; the log too, if nobody is left to read it."""
        self._store.run("DELETE FROM devices WHERE contact = ?", contact)
        if not self.satellites():
            self._store.run("DELETE FROM device_log")

    def rename(self, device: Device, name: str) -> None:
        """Call a device by another name; DeviceNameTaken."""
        if same(name) != same(device.name) and self.has_name(name):
            raise DeviceNameTaken
        self._store.run("UPDATE devices SET name = ? WHERE contact = ?", name, device.contact)

    def heard(self, device: Device, now: float) -> None:
        """Something came from it today."""
        if device.seen != _day(now):
            self._store.run("UPDATE devices SET seen = ? WHERE contact = ?", _day(now), device.contact)

    def trouble(self, contact: int, problem: str) -> None:
        """Keep what is wrong, for the user; the newest replaces the one before."""
        self._store.run("UPDATE devices SET problem = ? WHERE contact = ?", problem[:PROBLEM_LIMIT], contact)

    def set_history(self, contact: int, history: int) -> None:
        """How far the history has come."""
        self._store.run("UPDATE devices SET history = ? WHERE contact = ?", history, contact)

    def revoke(self, contact: int) -> None:
        """Nothing of it is heard any more."""
        self._store.run("UPDATE devices SET revoked = 1 WHERE contact = ?", contact)

    def asked(self) -> int:
        """How many requests of this satellite are not answered."""
        return self._store.value(int, "SELECT count(*) FROM device_asks") or 0

    def info(self, device: Device) -> DeviceInfo:
        """What a user sees of a device."""
        at_home = device.role is DeviceRole.SATELLITE
        return DeviceInfo(
            name=device.name,
            role=device.role,
            state=_state(device),
            linked_at=device.linked_at,
            last_seen=device.seen,
            waiting=self._behind(device) if at_home else self.asked(),
            history=self._older(device) if at_home else device.history,
            problem=device.problem,
        )

    def _behind(self, device: Device) -> int:
        """How many changes it was not sent yet."""
        query = (
            "SELECT count(*) FROM device_log l JOIN device_cursors c ON c.kind = l.kind"
            " WHERE c.device = ? AND l.position > c.position"
        )
        return self._store.value(int, query, device.contact) or 0

    def _older(self, device: Device) -> int:
        """How many messages of the history it was not sent yet."""
        return self._store.value(int, "SELECT count(*) FROM messages WHERE id < ?", device.history) or 0


def _state(device: Device) -> DeviceState:
    if device.revoked:
        return DeviceState.REVOKED
    if device.state is ContactState.PENDING:
        return DeviceState.LINKING
    return DeviceState.EXPIRED if device.state is ContactState.EXPIRED else DeviceState.LINKED


def _day(now: float) -> float:
    return now // DAY * DAY


def _device(row: Row) -> Device:
    contact, name, role, linked_at, seen, history, floor, revoked, problem, identity, state = row
    role, identity, state = DeviceRole(role), bytes(identity), ContactState(state)
    return Device(contact, name, role, linked_at, seen, history, floor, bool(revoked), problem, identity, state)
