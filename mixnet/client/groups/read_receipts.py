"""Read receipts in groups: who has read a text, told to its author alone (spec/07-client.md 7.17).

Promises: nobody is told by whom the user doesn't mark as read, nor an author that the user has blocked or lets know
nothing of it; a member counts
once for a text, and only if the text was for it. Whoever has no session with the author tells nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import MessageEvent
from mixnet.client.e2e.group_bodies import GroupSeen
from mixnet.client.groups.dispatch import Dispatch
from mixnet.client.groups.registry import Group, Registry
from mixnet.client.groups.roster import Member
from mixnet.client.model.views import ReadReceiptChoice
from mixnet.errors import RemoteError

_LANE = 0


class ReadReceipts:
    """The read receipts of all groups."""

    def __init__(self, core: Core, registry: Registry, dispatch: Dispatch) -> None:
        self._core, self._store, self._registry, self._dispatch = core, core.store, registry, dispatch

    def tell(self, group: Group, seen: Iterable[tuple[int, int]], now: float) -> None:
        """Tell the authors of (message, its author's number of it) that the user has read these."""
        core = self._core
        told: defaultdict[bytes, list[int]] = defaultdict(list)
        for message, number in seen:
            writer = self._store.value(bytes, "SELECT writer FROM group_messages WHERE message = ?", message)
            if writer is not None and number >= 0:
                told[writer].append(number)
        peers = self._registry.peers(group)
        for key, numbers in told.items():
            contact = peers[key].contact if key in peers else None
            if contact is None or not self._registry.reachable(contact):
                continue
            if core.contacts.reading(contact) is not ReadReceiptChoice.OFF:
                body, held = GroupSeen(group.identifier, tuple(numbers)), core.hides_reading(contact)
                core.enqueue(contact, _LANE, body, None, now, held=held)

    def seen_untrusted(self, group: Group, contact: int, body: GroupSeen, now: float) -> None:
        """A member has read texts of ours; RemoteError from anybody else."""
        member = self._registry.member_of(group, contact)
        if member is None:
            raise RemoteError("a read receipt of a group from one who isn't in it")
        first = self._registry.peers(group)[member.key].first
        for number in body.numbers:
            query = (
                "SELECT g.message FROM group_messages g JOIN messages m ON m.id = g.message"
                " WHERE m.contact = ? AND m.outgoing AND g.number = ?"
            )
            row = self._store.one(query, group.contact, number)
            if row is not None and number >= first:
                self._note(group, row[0], member, number, now)

    def _note(self, group: Group, message: int, member: Member, number: int, now: float) -> None:
        if self._store.has("SELECT 1 FROM group_reads WHERE message = ? AND member = ?", message, member.key):
            return
        name = self._registry.called(group)[member.key]
        self._store.run("INSERT INTO group_reads VALUES (?, ?, ?)", message, member.key, name)
        self._dispatch.deliveries.has_it(group, number, member.key, now)
        query = (
            "SELECT members, (SELECT count(*) FROM group_reads WHERE message = ?) FROM group_messages WHERE message = ?"
        )
        row = self._store.one(query, message, message)
        done = row is not None and row[1] >= row[0]
        if not done or not self._core.step_message(message, MessageEvent.SEE):
            self._core.message_changed(message)

    def readers(self, message: int) -> list[str]:
        """Who has told us that it has read a text of ours, by name; UnknownMessage."""
        self._core.messages.get(message)
        rows = self._store.all("SELECT name FROM group_reads WHERE message = ? ORDER BY name, member", message)
        return [name for (name,) in rows]
