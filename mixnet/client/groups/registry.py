"""The tables of groups in the store: keys, changes, and the sessions in which members are reached.

Promises: whatever changes here is written in the caller's transaction; memory is made again from the store when one
fails (spec/07-client.md 7.17).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mixnet.client.core.state import Core
from mixnet.client.e2e import group_changes
from mixnet.client.e2e.bodies import VERSIONS_AHEAD
from mixnet.client.e2e.group_changes import Change
from mixnet.client.groups.member_names import MemberNames
from mixnet.client.groups.pair_keys import Pair
from mixnet.client.groups.roster import GroupHistory, Member, Roster
from mixnet.client.model.group_views import GroupChanged, GroupInfo, GroupMember, GroupState
from mixnet.client.model.names import clean, free_for_user
from mixnet.client.model.views import ContactState
from mixnet.client.storage.database import Row
from mixnet.crypto import SigningKey, SphinxSecret
from mixnet.errors import LocalError, RemoteError
from mixnet.near import near

_SELECT = "SELECT id, identifier, contact, state, key, agree, sponsor, next_number FROM groups "
GROUPS_LIMIT = 1000


class UnknownGroup(LocalError):
    """There is no group of this name: `mixnet group list PROFILE` shows those there are."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group's row."""

    id: int
    identifier: bytes
    contact: int
    state: GroupState
    key: SigningKey
    agree: SphinxSecret
    sponsor: int | None
    next_number: int

    @property
    def me(self) -> bytes:
        """Our key in it."""
        return self.key.public


@dataclass(frozen=True, slots=True)
class GroupPeer:
    """Another member's row; `contact` is None as long as there is no session with it."""

    key: bytes
    contact: int | None
    greeted: bool
    tries: int
    introduced: float
    first: int
    expected: int | None
    doubted: bool
    answered: float


class Registry:
    """All groups of a profile."""

    def __init__(self, core: Core) -> None:
        self._core, self._store = core, core.store
        self._histories: dict[int, GroupHistory] = {}
        self._names = MemberNames(core)
        core.memories.append(self)
        self._name_all()

    def reload(self) -> None:
        """See `Memory`."""
        self._histories.clear()

    def remember(self) -> Callable[[], object]:
        """See `Memory`."""
        lengths = {number: len(history) for number, history in self._histories.items()}
        kept = dict(self._histories)

        def take_back() -> None:
            self._histories.clear()
            self._histories.update(kept)
            for number, length in lengths.items():
                kept[number].cut(length)

        return take_back

    def _name_all(self) -> None:
        """In groups from before members had names here."""
        for group in self.all():
            history = self.history(group) if self._names.lacks(group.id) else None
            if history is not None:
                with self._core.change():
                    self._names.give(group.id, history)

    # groups

    def begin(self, identifier: bytes, title: str, state: GroupState, sponsor: int | None, now: float) -> Group:
        """A new group, with new keys; its title is the user's, or that of a `sponsor`."""
        core = self._core
        own = sponsor is None
        name = free_for_user(title, core.contacts.names()) if own else core.free_name(clean(title, "group"))
        contact = core.contacts.add(name, identifier, ContactState.ESTABLISHED, now)
        core.contacts.set_role(contact.id, "group")
        key, agree = SigningKey.generate(), SphinxSecret.generate()
        query = (
            "INSERT INTO groups (identifier, contact, state, key, agree, sponsor, next_number)"
            " VALUES (?, ?, ?, ?, ?, ?, 0)"
        )
        number = self._store.insert(query, identifier, contact.id, state.value, key.expose(), agree.expose(), sponsor)
        return self.get(number)

    def identify(self, group: Group, identifier: bytes) -> None:
        """A group that we make gets its identifier: the hash of its first change, which has our key in it."""
        self._store.run("UPDATE groups SET identifier = ? WHERE id = ?", identifier, group.id)
        self._store.run("UPDATE contacts SET identity = ? WHERE id = ?", identifier, group.contact)

    def again(self, group: Group, sponsor: int) -> None:
        """Forget what was before we left: another invitation came. Keys are new, since old ones never come back."""
        for table in (
            *("group_changes", "group_peers", "group_leavers", "group_passes", "group_posts", "group_offers"),
            *("group_held", "group_claims", "group_proofs"),
        ):
            self._store.run(f"DELETE FROM {table} WHERE grp = ?", group.id)  # noqa: S608  # our own names
        query = "UPDATE groups SET state = ?, key = ?, agree = ?, sponsor = ?, next_number = 0 WHERE id = ?"
        keys = SigningKey.generate().expose(), SphinxSecret.generate().expose()
        self._store.run(query, GroupState.INVITED.value, *keys, sponsor, group.id)
        self._histories.pop(group.id, None)

    def get(self, number: int) -> Group:
        """The group of a row."""
        group = self._store.row(_group, _SELECT + "WHERE id = ?", number)
        if group is None:
            raise UnknownGroup
        return group

    def named(self, name: str) -> Group:
        """The group of a name; UnknownGroup."""
        contact = self._core.contacts.find_named(name)
        group = None if contact is None else self.of(contact.id)
        if group is None:
            meant = near(name, [self._core.contacts.get(one.contact).name for one in self.all()])
            raise UnknownGroup(
                f"there is no group named {name!r}{meant}: `mixnet group list PROFILE` shows those there are"
            )
        return group

    def known(self, identifier: bytes) -> Group | None:
        """The group of an identifier, if we have anything to do with it."""
        return self._store.row(_group, _SELECT + "WHERE identifier = ?", identifier)

    def of(self, contact: int) -> Group | None:
        """The group whose conversation a contact's row is."""
        return self._store.row(_group, _SELECT + "WHERE contact = ?", contact)

    def all(self) -> list[Group]:
        """All of them, oldest first."""
        return [_group(row) for row in self._store.all(_SELECT + "ORDER BY id")]

    def step(self, group: Group, state: GroupState) -> None:
        """We are in another state."""
        self._store.run("UPDATE groups SET state = ? WHERE id = ?", state.value, group.id)

    def let_disappear(self, group: Group, version: int, period: int) -> bool:
        """New texts disappear after `period`, if that was said last; whether that changes anything."""
        known = self._core.contacts.get(group.contact)
        sound = version <= known.period_version + VERSIONS_AHEAD  # nobody shall make the last one there is
        return sound and self._core.contacts.let_disappear(known, version, period)

    def take_number(self, group: Group) -> int:
        """The number of our next post, given once."""
        number = self.get(group.id).next_number
        self._store.run("UPDATE groups SET next_number = ? WHERE id = ?", number + 1, group.id)
        return number

    def skip_numbers(self, group: Group, following: int) -> None:
        """The number of our next post is `following` at least."""
        query = "UPDATE groups SET next_number = max(next_number, ?) WHERE id = ?"
        self._store.run(query, following, group.id)

    # changes

    def history(self, group: Group) -> GroupHistory | None:
        """All changes; None before the first came."""
        if group.id not in self._histories:
            made: GroupHistory | None = None
            for (raw,) in self._store.all("SELECT raw FROM group_changes WHERE grp = ? ORDER BY position", group.id):
                with suppress(RemoteError):  # what an older version took, and nobody takes any more
                    change = group_changes.parse_untrusted(bytes(raw))
                    if made is None:
                        made = GroupHistory(change)
                    else:
                        made.restore(change)
            if made is None:
                return None
            self._histories[group.id] = made
        return self._histories[group.id]

    def take_untrusted(self, group: Group, change: Change, *, needed: bool = False) -> bool:
        """Take a change in; whether it is new. MissingParents, NoRoom, Crowded unless `needed`, RemoteError."""
        history = self.history(group)
        if history is None:
            if change.hash != group.identifier:
                raise RemoteError("the beginning of another group")
            self._histories[group.id] = GroupHistory(change)
        elif not history.add_untrusted(change, needed=needed):
            return False
        query = "INSERT INTO group_changes SELECT ?, coalesce(max(position) + 1, 0), ? FROM group_changes WHERE grp = ?"
        self._store.run(query, group.id, change.raw, group.id)
        if change.name:
            self._names.give(group.id, history or self._histories[group.id])
        return True

    def roster(self, group: Group) -> Roster:
        """Who is in it now, as far as we know."""
        history = self.history(group)
        return Roster("", {}) if history is None else history.roster()

    def roster_at(self, group: Group, heads: tuple[bytes, ...]) -> Roster:
        """Who was in it by the changes up to `heads`; MissingParents, RemoteError."""
        history = self.history(group)
        if history is None:
            raise RemoteError("a message of a group that has no beginning yet")
        return history.roster(heads)

    # members

    def called(self, group: Group) -> dict[bytes, str]:
        """What everybody who is or was in the group is called here, by key."""
        history = self.history(group)
        return {} if history is None else self._names.shown(group.id, group.me, history)

    def peers(self, group: Group) -> dict[bytes, GroupPeer]:
        """The other members that we know of."""
        rows = self._store.all(
            "SELECT key, contact, greeted, tries, introduced, first, expected, doubted, answered"
            " FROM group_peers WHERE grp = ?",
            group.id,
        )
        return {bytes(row[0]): _peer(row) for row in rows}

    def set_peer(self, group: Group, key: bytes, **values: object) -> None:
        """Change some columns of a member's row."""
        for column, value in values.items():
            self._store.run(f"UPDATE group_peers SET {column} = ? WHERE grp = ? AND key = ?", value, group.id, key)  # noqa: S608

    def member_of(self, group: Group, contact: int) -> Member | None:
        """Which member of the group a contact is known to be."""
        key = self.key_of(group, contact)
        return None if key is None else self.roster(group).members.get(key)

    def key_of(self, group: Group, contact: int) -> bytes | None:
        """The key under which a contact is, or was when we left, in the group."""
        return self._store.value(bytes, "SELECT key FROM group_peers WHERE grp = ? AND contact = ?", group.id, contact)

    def reachable(self, contact: int | None) -> bool:
        """Whether something can be sent to a contact now."""
        return contact is not None and self._core.reaches(contact) and contact not in self._core.blocked

    def is_blocked(self, group: Group, key: bytes) -> bool:
        """Whether the member, or former member, of a key is a contact whom the user has blocked."""
        if not self._core.blocked:
            return False
        rows = self._store.all(
            "SELECT contact FROM group_peers WHERE grp = ? AND key = ?"
            " UNION ALL SELECT contact FROM group_leavers WHERE grp = ? AND key = ?",
            *(group.id, key, group.id, key),
        )
        return any(contact in self._core.blocked for (contact,) in rows)

    def pair(self, group: Group, other: Member) -> Pair:
        """What we share with another member."""
        return Pair(group.identifier, group.key, group.agree, other)

    # views

    def info(self, group: Group) -> GroupInfo:
        """What a user sees of a group."""
        group = self.get(group.id)
        peers, roster, names = self.peers(group), self.roster(group), self.called(group)
        members = tuple(
            GroupMember(names[key], one.admin, key == group.me, key == group.me or self._connected(peers.get(key)))
            for key, one in roster.members.items()
        )
        own = self._core.contacts.get(group.contact)
        title = clean(roster.title, own.name)
        return GroupInfo(own.name, title, group.state, group.identifier.hex(), members, own.period)

    def _connected(self, peer: GroupPeer | None) -> bool:
        return peer is not None and self.reachable(peer.contact)

    def changed(self, group: Group) -> None:
        """Tell of it."""
        self._core.emit(GroupChanged(self.info(group)))


def _peer(row: Row) -> GroupPeer:
    key, contact, greeted, tries, introduced, first, expected, doubted, answered = row
    return GroupPeer(bytes(key), contact, bool(greeted), tries, introduced, first, expected, bool(doubted), answered)


def _group(row: Row) -> Group:
    number, identifier, contact, state, key, agree, sponsor, next_number = row
    keys = SigningKey(bytes(key)), SphinxSecret(bytes(agree))
    return Group(number, bytes(identifier), contact, GroupState(state), *keys, sponsor, next_number)
