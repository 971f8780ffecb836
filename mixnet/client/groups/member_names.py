"""What the members of a group are called here (spec/07-client.md 7.17).

Promises: a member who is a contact of the user has the name that the user gave it, and nobody else has that; any other
has the name that it chose, cleaned, and numbered if it looks like one of the user's own or of another member. A name
that a member got stays its own for as long as the group is here, so that it never comes to stand for another one.
A roster is the same for all members and doesn't know of this: what somebody is called is a matter of each profile.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.groups.roster import GroupHistory
from mixnet.client.model.names import Names, clean

_CONTACTS = """
SELECT p.key, c.name FROM group_peers p JOIN contacts c ON c.id = p.contact WHERE p.grp = ? AND c.role = 'contact'
"""


class MemberNames:
    """The names of the members of all groups of a profile."""

    def __init__(self, core: Core) -> None:
        self._core, self._store = core, core.store

    def lacks(self, group: int) -> bool:
        """Whether nobody in a group, by its row, has a name yet."""
        return not self._store.has("SELECT 1 FROM group_names WHERE grp = ?", group)

    def give(self, group: int, history: GroupHistory) -> None:
        """Name those who have no name yet, in the caller's change."""
        given, contacts = self._given(group), self._core.contacts
        names = Names([*self._ours(), *given.values()], contacts.was_used)
        for key, wanted in history.everybody():
            if key not in given:
                given[key] = names.free(wanted)
                names.take(given[key])
                self._store.run("INSERT INTO group_names VALUES (?, ?, ?)", group, key, given[key])

    def shown(self, group: int, me: bytes, history: GroupHistory) -> dict[bytes, str]:
        """What everybody who is or was in a group is called; no two alike."""
        given, everybody = self._given(group), history.everybody()
        friends = {bytes(key): name for key, name in self._store.all(_CONTACTS, group)}
        shown = {me: self._core.home.name}
        for key, _ in everybody:  # who is in it twice has the contact's name once
            if key in friends and friends[key] not in shown.values():
                shown.setdefault(key, friends[key])
        names = Names(self._ours())
        for key, wanted in everybody:
            if key not in shown:
                shown[key] = names.unlike(
                    given.get(key) or clean(wanted)
                )  # the user may have called a contact so since
                names.take(shown[key])
        return shown

    def _ours(self) -> list[str]:
        return [self._core.home.name, *self._core.contacts.shown_names()]

    def _given(self, group: int) -> dict[bytes, str]:
        rows = self._store.all("SELECT key, name FROM group_names WHERE grp = ?", group)
        return {bytes(key): name for key, name in rows}
