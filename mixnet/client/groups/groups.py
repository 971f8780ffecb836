"""The groups of one profile: the user's verbs, and what comes from members (spec/07-client.md 7.17).

Promises: each call is one transaction; what a body does is refused with one RemoteError before anything is changed, or
by its own right change by change; a body about a group that we have nothing to do with is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mixnet.client.contacts.introductions import Introductions
from mixnet.client.core.state import Core
from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_bodies import (
    GroupAnswer,
    GroupBehind,
    GroupBody,
    GroupChanges,
    GroupDiffer,
    GroupHello,
    GroupOffer,
    GroupPass,
    GroupPost,
    GroupReceipts,
    GroupSeen,
    GroupWant,
)
from mixnet.client.e2e.group_changes import Change, ChangeKind
from mixnet.client.groups import posts
from mixnet.client.groups.dispatch import Dispatch
from mixnet.client.groups.membership import Membership
from mixnet.client.groups.offers import Offers
from mixnet.client.groups.posts import Deed, Post, PostAct
from mixnet.client.groups.read_receipts import ReadReceipts
from mixnet.client.groups.refusals import (
    MAYBE,
    RESTORED,
    AllBlocked,
    LastAdmin,
    NobodyThere,
    NoMember,
    NotAllowed,
    NotEstablished,
    UnknownMember,
)
from mixnet.client.groups.registry import Group, Registry
from mixnet.client.groups.rollback import ReusedNumbers
from mixnet.client.groups.roster import MEMBERS_LIMIT, Crowded, GroupFull, GroupHistory, Member, MissingParents, NoRoom
from mixnet.client.model.errors import NotYours
from mixnet.client.model.group_views import GroupInfo, GroupState
from mixnet.client.model.names import check_name, free_for_user, same
from mixnet.client.model.text_limits import check_text
from mixnet.client.model.views import UNDER_WAY, ContactState, MessageState
from mixnet.client.storage.contacts import Contact
from mixnet.errors import RemoteError

_POSTS_A_SECOND = 10  # as a power of two: more than that nobody sends
_OF_GROUP = "messages m ON m.id = x.message JOIN groups g ON g.contact = m.contact"
_KNOWN_AS = f"""
SELECT grp, key FROM group_peers WHERE contact = ? UNION SELECT grp, key FROM group_leavers WHERE contact = ?
UNION SELECT g.id, x.writer FROM group_messages x JOIN {_OF_GROUP} WHERE x.author = ? AND x.writer IS NOT NULL
UNION SELECT g.id, x.member FROM group_reads x JOIN {_OF_GROUP} WHERE x.name = ?
"""  # noqa: S608  # our own names


class Groups:
    """All groups of a profile."""

    def __init__(self, core: Core, introductions: Introductions) -> None:
        self._core = core
        self._registry = Registry(core)
        self._dispatch = Dispatch(core, self._registry, core.jitter)
        self._offers = Offers(core, self._registry, self._dispatch)
        self._membership = Membership(core, self._registry, self._dispatch, introductions)
        self.reading = ReadReceipts(core, self._registry, self._dispatch)
        self._copies = ReusedNumbers(core, self._registry, self._dispatch)
        core.feeders.add(self._dispatch)
        core.feeders.add(self._membership)

    def went_on_elsewhere(self, restored: float) -> None:
        """This profile was made of a backup: number posts anew, since others may have what it did after that.

        What was under way is given up, since nobody here can tell whether it arrived.
        """
        for group in self._registry.all():
            query = (
                "SELECT DISTINCT p.id, p.number, p.message FROM group_posts p JOIN group_awaited a ON a.post = p.id"
                " WHERE p.grp = ? AND p.author = ?"
            )
            for post, number, message in self._core.store.all(query, group.id, group.me):
                self._dispatch.deliveries.taken_back(post, group, number)
                if message is not None:
                    self._core.fail_message(message, MAYBE)
            # More than any copy of it had, and less than one that is restored later begins with.
            self._registry.skip_numbers(group, int(restored) << _POSTS_A_SECOND)
            if group.state is GroupState.MEMBER:
                self._core.warn(group.contact, RESTORED, restored)

    # what the user does

    def create(self, title: str, now: float) -> GroupInfo:
        """A new group, with us as its first admin; BadName."""
        with self._core.change():
            title = check_name(title, self._core.home.name)
            group = self._registry.begin(b"", title, GroupState.MEMBER, None, now)
            first = group_changes.create(group.key, group.agree.public, self._core.home.name, title)
            self._registry.identify(group, first.hash)
            group = self._registry.get(group.id)
            self._registry.take_untrusted(group, first)
            self._registry.changed(group)
        return self._registry.info(group)

    def list(self) -> list[GroupInfo]:
        """All groups, oldest first."""
        return [self._registry.info(group) for group in self._registry.all()]

    def show(self, name: str) -> GroupInfo:
        """One group; UnknownGroup."""
        return self._registry.info(self._registry.named(name))

    def behind(self, contact: int) -> GroupInfo | None:
        """The group of a conversation's row of contacts, if it is one."""
        group = self._registry.of(contact)
        return None if group is None else self._registry.info(group)

    def shares(self, contact: int) -> bool:
        """Whether a contact is a member of a group that we are in."""
        groups = [group for group in self._registry.all() if group.state is GroupState.MEMBER]
        return any(self._registry.member_of(group, contact) is not None for group in groups)

    def known_as(self, contact: Contact) -> Sequence[tuple[int, bytes]]:
        """(group, key) of whatever somebody whose contact is about to be deleted was called by its name in groups."""
        rows = self._core.store.all(_KNOWN_AS, contact.id, contact.id, contact.name, contact.name)
        return [(grp, bytes(key)) for grp, key in rows]

    def call_anew(self, members: Sequence[tuple[int, bytes]], former: str) -> None:
        """What these wrote and read is by who they are called in their groups now: the contact's name is gone."""
        run = self._core.store.run
        for grp, key in members:
            group = self._registry.get(grp)
            name = self._registry.called(group).get(key, "")
            query = "UPDATE messages SET error = ? || substr(error, ?) WHERE contact = ? AND instr(error, ?) = 1"
            run(query, name, len(former) + 1, group.contact, f"{former} ")  # client/groups/agreement.py
            run("UPDATE group_messages SET author = ? WHERE writer = ?", name, key)
            query = "INSERT OR REPLACE INTO group_reads SELECT message, member, ? FROM group_reads WHERE member = ?"
            run(query, name, key)

    def has(self, name: str) -> bool:
        """Whether a group is called so."""
        contact = self._core.contacts.find_named(name)
        return contact is not None and self._registry.of(contact.id) is not None

    def invite(self, name: str, contact: str, now: float) -> GroupInfo:
        """Offer a contact to join; UnknownGroup, NoMember, NotAllowed, UnknownContact, NotEstablished, GroupFull."""
        group, history = self._member(name)
        self._check_admin(group)
        whom = self._core.contacts.person(contact)
        if whom.state in (ContactState.PENDING, ContactState.EXPIRED) or whom.blocked:
            raise NotEstablished
        if len(self._registry.roster(group).members) >= MEMBERS_LIMIT or not history.has_room(group.me):
            raise GroupFull
        with self._core.change():
            self._membership.offer(group, whom.id, now)
        return self._registry.info(group)

    def accept(self, name: str, now: float) -> GroupInfo:
        """Join a group that we were invited to; UnknownGroup, NoMember."""
        group = self._registry.named(name)
        if group.state is GroupState.LEFT:
            raise NoMember
        with self._core.change():
            if group.state is GroupState.INVITED:
                self._offers.answer(group, self._core.home.name, now)
                self._registry.changed(group)
        return self._registry.info(group)

    def leave(self, name: str, now: float) -> GroupInfo:
        """Leave, or turn an invitation down; UnknownGroup, NoMember, LastAdmin."""
        group = self._registry.named(name)
        if group.state in (GroupState.INVITED, GroupState.JOINING):
            with self._core.change():
                self._registry.step(group, GroupState.LEFT)
                self._registry.changed(group)
            return self._registry.info(group)
        group, _ = self._member(name)
        if len(self._registry.roster(group).members) > 1:
            self._check_other_admin(group)
        return self._about(group, ChangeKind.REMOVE, group.me, now)

    def remove(self, name: str, member: str, now: float) -> GroupInfo:
        """Put a member out; UnknownGroup, NoMember, UnknownMember, NotAllowed."""
        return self._on(name, ChangeKind.REMOVE, member, now)

    def promote(self, name: str, member: str, now: float) -> GroupInfo:
        """Make a member an admin; errors as `remove`. Who is one only for want of others stays one by that."""
        group, history = self._member(name)
        if history.is_heir(group.me) and same(self._registry.called(group)[group.me]) != same(member):
            self._about(group, ChangeKind.PROMOTE, group.me, now)
        return self._on(name, ChangeKind.PROMOTE, member, now)

    def demote(self, name: str, member: str, now: float) -> GroupInfo:
        """Make an admin a plain member; errors as `remove`, LastAdmin."""
        return self._on(name, ChangeKind.DEMOTE, member, now)

    def rename(self, name: str, title: str, now: float) -> GroupInfo:
        """Give the group another title, for all, and another name here; UnknownGroup, NoMember, NotAllowed, BadName."""
        group, history = self._member(name)
        self._check_admin(group)
        title, contacts = check_name(title, self._core.home.name), self._core.contacts
        change = group_changes.rename(group.key, group.identifier, history.heads, title)
        with self._core.change():
            self._commit(group, change, now)
            own = contacts.get(group.contact)
            contacts.rename(own, free_for_user(title, contacts.names() - {own.name}))
            self._registry.changed(group)
        return self._registry.info(group)

    def call(self, name: str, new_name: str, now: float) -> GroupInfo:
        """Call a group by another name, on the user's devices only; UnknownGroup, BadName, NameTaken."""
        group, chosen = self._registry.named(name), check_name(new_name, self._core.home.name)
        with self._core.change():
            if self._core.contacts.rename(self._core.contacts.get(group.contact), chosen):
                self._registry.changed(group)
        self._core.store.forget_remnants()
        return self._registry.info(group)

    def send(self, name: str, text: str, now: float, lifetime: float | None = None) -> int:
        """Queue a text for all members, given up after `lifetime` seconds (None: as the network says); its number.

        UnknownGroup, NoMember, NobodyThere, AllBlocked, UnusableText, TextTooLong, BadLifetime, TooManyExpiring.
        """
        self._core.check_lifetime(lifetime)
        group, _ = self._member(name)
        check_text(text, posts.TEXT_LIMIT)
        others = self._registry.roster(group).members.keys() - {group.me}
        if not others:
            raise NobodyThere
        if all(self._registry.is_blocked(group, key) for key in others):
            raise AllBlocked
        with self._core.change():
            period = self._core.contacts.get(group.contact).period
            deed = Deed(PostAct.SAY, 0, period)
            number = self._dispatch.write(group, now, text=text, deed=deed, lifetime=lifetime)
        assert number is not None  # noqa: S101  a text has a message
        return number

    def edit(self, contact: int, message: int, text: str, now: float) -> None:
        """Give a text of ours another content for all members; NoMember, TextTooLong. In the caller's change.

        Where nothing has left yet nobody sees another one.
        """
        core = self._core
        group, number = self._own(contact, message)
        check_text(text, posts.TEXT_LIMIT)
        if core.messages.get(message).sent_at == 0 and core.messages.get(message).state is MessageState.QUEUED:
            self._dispatch.take_back(group, message)
            core.messages.revise(message, 0, text)
            period = core.messages.get(message).period
            self._dispatch.write(group, now, text=text, deed=Deed(PostAct.SAY, 0, period), again=message)
            return
        self._dispatch.take_back_edits(group, message)
        version = core.messages.version(message) + 1
        self._dispatch.write(group, now, text=text, deed=Deed(PostAct.EDIT, number, version), about=message)
        core.messages.revise(message, version, text)

    def withdraw(self, contact: int, message: int, now: float) -> None:
        """Delete a text of ours for all members; NoMember. In the caller's change."""
        group, number = self._own(contact, message)
        before = self._core.messages.get(message)
        if before.sent_at == 0:
            self._core.fail_message(message, "")
            self._dispatch.cancelled(message, now)
            return
        self._dispatch.take_back(group, message)
        if before.state in UNDER_WAY:
            self._core.fail_message(message, "")
        self._dispatch.write(group, now, deed=Deed(PostAct.WITHDRAW, number), about=message)

    def _own(self, contact: int, message: int) -> tuple[Group, int]:
        """The group of a conversation, and the number of the post that a message of ours was."""
        group = self._registry.of(contact)
        number = self._core.store.value(int, "SELECT number FROM group_messages WHERE message = ?", message)
        if group is None or group.state is not GroupState.MEMBER:
            raise NoMember
        if number is None:
            raise NotYours("this message came from an archive file: the members know nothing of it")
        return group, number

    def let_disappear(self, contact: int, version: int, period: int, now: float) -> None:
        """Let new texts disappear for all members; NoMember, NotAllowed. In the caller's change."""
        group, _ = self._member(self._core.contacts.get(contact).name)
        self._check_admin(group)
        self._dispatch.write(group, now, deed=Deed(PostAct.DISAPPEAR, version, period))
        self._registry.let_disappear(group, version, period)
        self._registry.changed(group)

    def cancelled(self, message: int, now: float) -> None:
        """The user has given up a message of ours: if it is a text in a group, what follows it doesn't wait for it."""
        self._dispatch.cancelled(message, now)

    def was_read(self, contact: int, seen: Iterable[tuple[int, int]], now: float) -> None:
        """The user has read these (message, its author's number of it) of a group's conversation."""
        for group in self._registry.all():
            if group.contact == contact and group.state is GroupState.MEMBER:
                self.reading.tell(group, seen, now)

    def _on(self, name: str, kind: ChangeKind, member: str, now: float) -> GroupInfo:
        group, _ = self._member(name)
        names, there = self._registry.called(group), self._registry.roster(group).members
        found = [one for key, one in there.items() if same(names[key]) == same(member)]
        if not found:
            raise UnknownMember
        if kind is not ChangeKind.REMOVE or found[0].key != group.me:
            self._check_admin(group)
        if kind is ChangeKind.DEMOTE and found[0].key == group.me:
            self._check_other_admin(group)
        return self._about(group, kind, found[0].key, now)

    def _check_other_admin(self, group: Group) -> None:
        if [key for key, one in self._registry.roster(group).members.items() if one.admin] == [group.me]:
            raise LastAdmin

    def _about(self, group: Group, kind: ChangeKind, subject: bytes, now: float) -> GroupInfo:
        history = self._registry.history(group)
        assert history is not None  # noqa: S101  members have one
        return self._commit(group, group_changes.about(group.key, group.identifier, history.heads, kind, subject), now)

    def _commit(self, group: Group, change: Change, now: float) -> GroupInfo:
        try:
            with self._core.change():
                self._membership.commit(group, change, now)
        except (NoRoom, Crowded):
            raise GroupFull from None
        except RemoteError:
            raise NotAllowed from None
        return self._registry.info(group)

    def _member(self, name: str) -> tuple[Group, GroupHistory]:
        group = self._registry.named(name)
        history = self._registry.history(group)
        if group.state is not GroupState.MEMBER or history is None:
            raise NoMember
        return group, history

    def _check_admin(self, group: Group) -> Member:
        me = self._registry.roster(group).members[group.me]
        if not me.admin:
            raise NotAllowed
        return me

    def silence(self, contact: int) -> None:
        """Hand on nothing of who is blocked. In the caller's change."""
        self._dispatch.silence(contact)
        self._membership.passes.silence(contact)

    def lost_touch(self, contact: int, now: float) -> None:
        """The session with somebody whom we know by groups only is broken."""
        self._membership.lost_touch(contact, now)

    # what members say

    def handle_untrusted(self, contact: int, body: GroupBody, now: float) -> None:
        """Do what a body says; RemoteError if it is not as it must be."""
        if isinstance(body, GroupOffer):
            self._offers.offered_untrusted(contact, body, now)
            return
        if isinstance(body, GroupPost):
            self._post_untrusted(contact, body, now)
            return
        group = self._registry.known(body.group)
        if group is None or group.state is GroupState.INVITED:
            return
        if group.state is GroupState.LEFT:
            self._after_leaving_untrusted(group, contact, body, now)
            return
        match body:
            case GroupAnswer():
                self._membership.answered_untrusted(group, contact, body, now)
            case GroupHello():
                self._membership.hello_untrusted(group, contact, body, now)
            case GroupChanges():
                self._membership.changes_untrusted(group, contact, body, now)
            case GroupWant():
                self._membership.wanted_untrusted(group, contact, body, now)
            case GroupReceipts():
                self._dispatch.receipts_untrusted(group, body, now)
            case GroupPass():
                self._membership.passes.take_untrusted(group, contact, body, now)
            case GroupSeen():
                self.reading.seen_untrusted(group, contact, body, now)
            case GroupBehind() | GroupDiffer():
                self._copies.heard_untrusted(group, contact, body, now)
        # Any of these may have brought the changes for which posts wait.
        self._take_held(now)

    def _after_leaving_untrusted(self, group: Group, contact: int, body: GroupBody, now: float) -> None:
        """What we wrote before we left is still under way."""
        if isinstance(body, GroupReceipts):
            self._dispatch.receipts_untrusted(group, body, now)
        elif isinstance(body, GroupWant):
            self._membership.wanted_untrusted(group, contact, body, now)
        elif isinstance(body, GroupChanges):
            self._membership.gone_untrusted(group, contact, body)

    def _post_untrusted(self, contact: int, body: GroupPost, now: float) -> None:
        post = posts.parse_untrusted(body.post)
        group = self._registry.known(post.group)
        if group is None or group.state is not GroupState.MEMBER:
            if group is not None and group.state is GroupState.LEFT:
                self._membership.say_gone(group, contact, now)
            return
        post = post.opened_untrusted(group.agree)
        sender = self._dispatch.leavers.admit_untrusted(group, contact, post, now)
        if self._registry.is_blocked(group, post.author):
            # As if we were away, though the group's changes are heard, which are not for its author alone.
            if post.change:
                self._take_change_untrusted(group, contact, post, now)
            return
        if self._copies.is_one(group, post):
            self._copies.tell(group, post, sender, now)
            return
        try:
            self._dispatch.take_untrusted(group, contact, body, post, now)
        except MissingParents:
            self._dispatch.holding.add(group, contact, body, post, now)
            self._membership.ask(group, contact, now)
            return
        if post.change:
            self._take_change_untrusted(group, contact, post, now)

    def _take_change_untrusted(self, group: Group, contact: int, post: Post, now: float) -> None:
        change = group_changes.parse_untrusted(post.change)
        self._membership.take_in_untrusted(group, contact, [change], now)
        self._dispatch.leavers.ended(group, post, change)

    def _take_held(self, now: float) -> None:
        """Try again what waited for changes; what still waits, or is wrong, is gone."""
        for number, contact, body in self._dispatch.holding.all():
            if contact in self._core.blocked:  # its session brings nothing again: they wait for an unblock
                continue
            post = posts.parse_untrusted(body.post)
            group = self._registry.known(post.group)
            history = None if group is None else self._registry.history(group)
            if history is not None and any(head not in history for head in post.heads):
                continue
            self._dispatch.holding.drop(number)
            try:
                self._post_untrusted(contact, body, now)
            except RemoteError:
                continue
