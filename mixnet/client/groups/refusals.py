"""Why something is not done in a group, each with what to do instead."""

from __future__ import annotations

from mixnet.errors import LocalError

MAYBE = "this profile was restored from a backup, so some members may have it and others not: ask who has it"
RESTORED = (
    "this profile was restored from a backup: what was written in this group after the backup, by you or others, and"
    " had been delivered, does not come again"
)


class NobodyThere(LocalError):
    """You are alone in this group: ask somebody with `mixnet group invite PROFILE GROUP CONTACT` first."""


class AllBlocked(LocalError):
    """You blocked all others in this group: unblock one with `mixnet contacts PROFILE --unblock CONTACT` first."""


class NoMember(LocalError):
    """You are not in this group (any more): an admin of it can invite you."""


class NotAllowed(LocalError):
    """Only admins of the group may do this, and only to admins who came after them: ask one of the others."""


class UnknownMember(LocalError):
    """The group has no member of this name: `mixnet group show PROFILE GROUP` shows those there are."""


class LastAdmin(LocalError):
    """You are the group's only admin: make somebody else one first with `mixnet group promote PROFILE GROUP MEMBER`."""


class NotEstablished(LocalError):
    """This contact has not answered yet: wait until `mixnet contacts PROFILE` shows it as established."""
