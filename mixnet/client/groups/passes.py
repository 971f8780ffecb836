"""Invitations between members who have no session yet, on their way through a third (spec/07-client.md 7.17).

Promises: they are taken from members only, and no more of a group than a bounded number waits; each is handed on once,
to the member it is for, and none by whom we block. Who hands one on can't read it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mixnet.client.core.state import Core
from mixnet.client.e2e.group_bodies import GroupPass
from mixnet.client.groups.registry import Group, Registry
from mixnet.client.groups.roster import Member
from mixnet.errors import RemoteError

_LANE = 0
_LIMIT = 200  # of a group, that wait for a session


class Passes:
    """The invitations of all groups that wait for a session with the member they are for."""

    def __init__(
        self, core: Core, registry: Registry, meet_untrusted: Callable[[Group, Member, bytes, float], None]
    ) -> None:
        """`meet_untrusted` uses one that is for us, by the member who made it."""
        self._core, self._store, self._registry = core, core.store, registry
        self._meet_untrusted = meet_untrusted

    def take_untrusted(self, group: Group, contact: int, body: GroupPass, now: float) -> None:
        """One that a member brought: for us, or for somebody whom we may know; none by who is blocked. RemoteError."""
        if self._registry.member_of(group, contact) is None or body.source == body.target:
            raise RemoteError("an introduction from one who isn't in the group")
        if self._registry.is_blocked(group, body.source):
            return
        if self._waiting(group) >= _LIMIT:  # those that lead to nobody here give way
            known = (group.id, *self._registry.roster(group).members)
            marks = ", ".join("?" * (len(known) - 1))
            self._store.run(f"DELETE FROM group_passes WHERE grp = ? AND target NOT IN ({marks})", *known)  # noqa: S608
        if self._waiting(group) < _LIMIT:
            query = "INSERT OR REPLACE INTO group_passes VALUES (?, ?, ?, ?)"
            self._store.run(query, group.id, body.source, body.target, body.sealed)
        self.move(group, now)

    def _waiting(self, group: Group) -> int:
        return self._store.value(int, "SELECT count(*) FROM group_passes WHERE grp = ?", group.id) or 0

    def silence(self, contact: int) -> None:
        """Hand on no invitation of who is blocked."""
        query = "DELETE FROM group_passes WHERE (grp, source) IN (SELECT grp, key FROM group_peers WHERE contact = ?)"
        self._store.run(query, contact)

    def move(self, group: Group, now: float) -> None:
        """Take those that are for us, and hand on those whose receivers we can reach."""
        peers, roster = self._registry.peers(group), self._registry.roster(group)
        rows = self._store.all("SELECT source, target, sealed FROM group_passes WHERE grp = ?", group.id)
        for source, target, sealed in ((bytes(a), bytes(b), bytes(c)) for a, b, c in rows):
            if target == group.me:
                done = source in roster.members
                if done:
                    self._core.attempt(partial(self._meet_untrusted, group, roster.members[source], sealed, now))
            else:
                contact = peers[target].contact if target in peers else None
                done = contact is not None and self._may_send(contact)
                if done and contact is not None:
                    body = GroupPass(group.identifier, source, target, sealed)
                    self._core.enqueue(contact, _LANE, body, None, now, account=group.id)
            if done:
                query = "DELETE FROM group_passes WHERE grp = ? AND source = ? AND target = ?"
                self._store.run(query, group.id, source, target)

    def _may_send(self, contact: int) -> bool:
        free = contact not in self._core.blocked and not self._core.crowded(contact)
        return free and self._registry.reachable(contact)
