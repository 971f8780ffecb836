"""Groups on a satellite: what is here is shown, what shall happen the home is asked (SPEC.md section 7.16).

Promises: as client/satellite.py.
"""

from __future__ import annotations

from client import device_messages as wanted
from client.archive import Entry
from client.core import Core
from client.device_asking import Asking
from client.group_mirror import GroupMirror
from client.groups.groups import NoMember
from client.groups.posts import TEXT_LIMIT
from client.groups.views import GroupInfo, GroupState
from client.texts import check_text
from client.views import MessageKind, MessageState


class SatelliteGroups:
    """Stands for the groups of the messenger where the user's programs ask."""

    def __init__(self, core: Core, asking: Asking, mirror: GroupMirror) -> None:
        """Show what is in `mirror`, ask through `asking`."""
        self._core, self._asking, self._mirror = core, asking, mirror

    def list(self) -> list[GroupInfo]:
        """All groups, oldest first."""
        return self._mirror.all()

    def show(self, name: str) -> GroupInfo:
        """One group; UnknownGroup."""
        return self._mirror.named(name)[1]

    def has(self, name: str) -> bool:
        """Whether a group is called so."""
        return any(group.name == name for group in self._mirror.all())

    def send(self, name: str, text: str, now: float, lifetime: float | None = None) -> int:
        """Let the home send a text; its number here. Errors as `Groups.send`, DeviceRevoked, HomeAway."""
        core, home = self._core, self._asking.home()
        contact, group = self._mirror.named(name)
        if group.state is not GroupState.MEMBER:
            raise NoMember
        check_text(text, TEXT_LIMIT)
        expires = now + (core.settings.message_lifetime if lifetime is None else lifetime)
        with core.change():
            message = core.archive.add(Entry(contact, MessageKind.TEXT, MessageState.QUEUED, text), now)
            others = sum(not member.you for member in group.members)
            core.store.run("INSERT INTO group_messages VALUES (?, '', ?, 0)", message, others)
            number = self._asking.number("send", message=message, expires=expires)
            self._asking.ask(home, number, wanted.SendText(bytes.fromhex(group.identifier), text, expires))
        return message
