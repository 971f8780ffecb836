"""What the API shows of groups (spec/07-client.md 7.17)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GroupState(StrEnum):
    """How far we are in a group."""

    INVITED = "invited"
    JOINING = "joining"
    MEMBER = "member"
    LEFT = "left"  # or removed


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member: `connected` if it can be written to from here."""

    name: str
    admin: bool
    you: bool
    connected: bool


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group: `name` is what it is called here, `title` what its admins call it.

    New texts disappear for all `period` seconds after they were read; 0: they stay.
    """

    name: str
    title: str
    state: GroupState
    identifier: str
    members: tuple[GroupMember, ...]
    period: int = 0


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """A group appeared, or its name, its members or our state in it changed."""

    group: GroupInfo


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request about a group, whose identifier is None as long as it has to be made, waits for its answer."""

    number: int
    group: bytes | None = None
