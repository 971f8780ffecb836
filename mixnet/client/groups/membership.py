"""How people join a group, leave it, and exchange their addresses in it (spec/07-client.md 7.17).

Promises: a change is taken in by everybody by the roster's rules, whoever brought it; a session counts as a member's
only after a proof by that member's key; who is a member only is no contact of the user. Whoever joined later makes the
invitation for a pair of members; it goes through a third who knows both and can't read it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import partial

from mixnet import crypto
from mixnet.client.contacts.introductions import Introductions
from mixnet.client.core.state import Core
from mixnet.client.e2e import group_changes
from mixnet.client.e2e.group_bodies import (
    CHANGES_AT_ONCE,
    GroupAnswer,
    GroupChanges,
    GroupHello,
    GroupOffer,
    GroupPass,
    GroupWant,
)
from mixnet.client.e2e.group_changes import Change, ChangeKind, Newcomer
from mixnet.client.e2e.invitation import Invitation
from mixnet.client.groups.crowded_changes import CrowdedChanges
from mixnet.client.groups.dispatch import Dispatch
from mixnet.client.groups.passes import Passes
from mixnet.client.groups.posts import Deed, PostAct
from mixnet.client.groups.registry import Group, GroupPeer, Registry
from mixnet.client.groups.roster import Crowded, Member, MissingParents, Roster
from mixnet.client.model.errors import MalformedInvitation
from mixnet.client.model.group_views import GroupState
from mixnet.client.model.views import ContactState
from mixnet.client.storage.database import is_of_store
from mixnet.errors import MixnetError, RemoteError

_LANE = 0
_TRIES = 6
_RETRY = 600.0  # seconds after which an introduction goes another way, times the number of tries,
_LOST = -1.0  # for the time of an introduction, of a member with whom another session is to be begun
_ROUND_TRIPS = 10  # and at least so many round trips: it takes some, and where slots are rare each is long


class Membership:
    """Who joins and leaves all groups of a profile, and how members get to know of it."""

    def __init__(self, core: Core, registry: Registry, dispatch: Dispatch, introductions: Introductions) -> None:
        self._core, self._store, self._registry, self._dispatch = core, core.store, registry, dispatch
        self._introductions = introductions
        self._rng: random.Random = core.jitter
        self._pause = max(_RETRY, _ROUND_TRIPS * core.settings.round_trip)
        self._version = -1  # of what `wake_at` found in the store last:
        self._silent: list[tuple[int, bytes, int]] = []  # members whom we know, and who don't know it yet
        self._retry: float | None = None
        self._stuck_until = 0.0  # before that no introduction is tried again for which nobody was there
        self._crowded = CrowdedChanges(registry, dispatch.holding)
        self.passes = Passes(core, registry, self._meet_untrusted)
        self._renewed: dict[int, float] = {}  # when a session with a member was begun again because it asked

    # what we do

    def commit(self, group: Group, change: Change, now: float) -> None:
        """Make a change of ours known to all, and take it in."""
        before = self._registry.roster(group)
        history = self._registry.history(group)
        # Posted before it is taken in: a post goes to the members by the changes that it builds on. A newcomer is told
        # all changes by who adds it, and who leaves could not post afterwards.
        if history is not None and before.members.keys() - {group.me}:
            self._dispatch.write(group, now, change=change)
        self._registry.take_untrusted(group, change)
        for key in before.members.keys() - self._registry.roster(group).members.keys() - {group.me}:
            peer = self._registry.peers(group).get(key)
            if peer is not None and peer.contact is not None:
                self._say(peer.contact, GroupChanges(group.identifier, (change.raw,)), now)
        self.settle(group, before, now)

    def offer(self, group: Group, contact: int, now: float) -> None:
        """Invite a contact."""
        self._store.run("INSERT OR IGNORE INTO group_offers VALUES (?, ?)", group.id, contact)
        self._say(contact, GroupOffer(group.identifier, self._registry.roster(group).title), now)

    # what comes

    def answered_untrusted(self, group: Group, contact: int, body: GroupAnswer, now: float) -> None:
        """Whom we invited wants to join: add it, and tell it all that there is to know."""
        offered = self._store.has("SELECT 1 FROM group_offers WHERE grp = ? AND contact = ?", group.id, contact)
        roster, history = self._registry.roster(group), self._registry.history(group)
        me = roster.members.get(group.me)
        if not offered or history is None or me is None or not me.admin or body.key in roster.members:
            raise RemoteError("an answer to no invitation to a group")
        try:
            who = Newcomer(body.key, body.agree, body.name)
            added = group_changes.add(group.key, group.identifier, history.heads, who)
            # Tried before anything is stored: others must be able to read the change, and we to agree on a secret
            # with the newcomer's key.
            group_changes.parse_untrusted(added.raw)
            self._registry.pair(group, Member(body.key, body.agree, body.name, False)).receipt(0, b"", ours=True)
        except MixnetError:
            raise RemoteError("an answer to an invitation with an impossible name or key") from None
        self._store.run("DELETE FROM group_offers WHERE grp = ? AND contact = ?", group.id, contact)
        self.commit(group, added, now)
        self._tell(group, contact, history.missing(()), now)  # its own addition is among them by now
        self._bind(group, body.key, contact, None, now)
        own = self._core.contacts.get(group.contact)
        if own.period_version:  # what was said before it came
            self._dispatch.write(group, now, deed=Deed(PostAct.DISAPPEAR, own.period_version, own.period))

    def changes_untrusted(self, group: Group, contact: int, body: GroupChanges, now: float) -> None:
        """Changes from our sponsor or another member: each is taken by its own right."""
        joining = group.state is GroupState.JOINING and contact == group.sponsor
        if not joining and self._registry.member_of(group, contact) is None:
            raise RemoteError("changes of a group from one who isn't in it")
        self.take_in_untrusted(group, contact, [group_changes.parse_untrusted(raw) for raw in body.changes], now)

    def take_in_untrusted(self, group: Group, contact: int, made: Sequence[Change], now: float) -> None:
        """Take changes in, as far as they are allowed; ask for what they build on. RemoteError if none is any good."""
        before, useful, refused = self._registry.roster(group), False, list[RemoteError]()
        for change in made:
            try:
                self._registry.take_untrusted(group, change)
                useful = True
            except Crowded as error:
                self._crowded.put_by(group, change)
                refused.append(error)
            except MissingParents:
                if not self._crowded.take_with(group, change):
                    self.ask(group, contact, now)
                    break
                useful = True
            except RemoteError as error:
                refused.append(error)
        useful |= self._crowded.take_for_posts(group)
        self.settle(group, before, now)
        if refused and not useful:
            raise refused[0]

    def wanted_untrusted(self, group: Group, contact: int, body: GroupWant, now: float) -> None:
        """A member asks for changes that it lacks."""
        history = self._registry.history(group)
        if history is None or self._registry.member_of(group, contact) is None:
            raise RemoteError("a question about a group from one who isn't in it")
        if self._may_answer(contact):
            self._tell(group, contact, history.missing(body.heads), now)

    def hello_untrusted(self, group: Group, contact: int, body: GroupHello, now: float) -> None:
        """Somebody proves which member it is."""
        present = self._registry.roster(group).members.get(body.key)
        member = present or self._dispatch.leavers.member(group, body.key, now)
        if member is None or body.key == group.me:
            raise RemoteError("a greeting from one who isn't in the group")
        pair = self._registry.pair(group, member)
        channels = [
            (one.incoming.channel, one.outgoing.channel)
            for one in self._core.conversations.values()
            if one.contact == contact
        ]
        if not any(crypto.equal(pair.proof(pair_of, ours=False), body.tag) for pair_of in channels):
            raise RemoteError("a greeting whose proof is wrong")
        if present is None:
            self._dispatch.leavers.greeted(group, body.key, contact, body.first)
            self._dispatch.filing.file(group, body.key, now)
            return
        self._bind(group, body.key, contact, body.first, now)
        history = self._registry.history(group)
        if history is not None and any(head not in history for head in body.heads):
            self.ask(group, contact, now)

    def say_gone(self, group: Group, contact: int, now: float) -> None:
        """A post came for us, who have left: its author did not know, or left at the same time and can't hear of it."""
        history = self._registry.history(group)
        removal = None if history is None else history.removal(group.me)
        known = self._registry.key_of(group, contact) is not None or self._dispatch.leavers.knows(group, contact)
        if removal is not None and known and self._may_answer(contact):
            self._say(contact, GroupChanges(group.identifier, (removal.raw,)), now)

    def gone_untrusted(self, group: Group, contact: int, body: GroupChanges) -> None:
        """We have left: what we wrote before need not wait for who is gone, too, and is refused if we were removed.

        What a change builds on is of no matter here: it is believed from whom it is about, and from admins of then.
        """
        key, members = self._registry.key_of(group, contact), self._registry.roster(group).members
        for change in [group_changes.parse_untrusted(raw) for raw in body.changes]:
            if key is None or change.group != group.identifier or change.kind is not ChangeKind.REMOVE:
                continue
            if change.subject == key:
                self._dispatch.deliveries.removed(group, [key])
            elif change.subject == group.me and change.author in members and members[change.author].admin:
                self._dispatch.ended(group)

    # what follows from it

    def ask(self, group: Group, contact: int, now: float) -> None:
        """Ask a member for the changes that we lack; nothing is asked of who is blocked, who would wait to hear it."""
        if contact in self._core.blocked:
            return
        history = self._registry.history(group)
        self._say(contact, GroupWant(group.identifier, () if history is None else history.heads), now)

    def settle(self, group: Group, before: Roster, now: float) -> None:
        """Do what new changes ask for: get to know who came, forget who went."""
        group = self._registry.get(group.id)
        roster = self._registry.roster(group)
        if roster == before:
            return
        if group.me in roster.members:
            self._registry.step(group, GroupState.MEMBER)
            # Who came: `first` is the first post of ours that counts for them, and is told in the greeting.
            peers = self._registry.peers(group)
            for key in roster.members.keys() - peers.keys() - {group.me}:
                query = "INSERT INTO group_peers (grp, key, first) VALUES (?, ?, ?)"
                self._store.run(query, group.id, key, group.next_number)
            # Who went: nothing waits for them any more; of those who left by themselves earlier posts may still come.
            gone = peers.keys() - roster.members.keys()
            self._dispatch.deliveries.removed(group, gone)
            for key in sorted(gone):
                self._dispatch.leavers.keep(group, peers[key], now)
                self._store.run("DELETE FROM group_peers WHERE grp = ? AND key = ?", group.id, key)
            if group.sponsor is not None and not peers:
                self._greet_sponsor(group, now)
            # Both look through the rows that were made above.
            self._introduce(group, now)
            self.passes.move(group, now)
        elif group.me in before.members:
            leaves = any(change.author == change.subject == group.me for change in self._last(group))
            self._registry.step(group, GroupState.LEFT)
            self._dispatch.left(group)
            if not leaves:
                self._dispatch.ended(group)
        self._registry.changed(group)

    def _last(self, group: Group) -> list[Change]:
        history = self._registry.history(group)
        return [] if history is None else [one for one in history.missing(()) if one.kind is ChangeKind.REMOVE]

    def _greet_sponsor(self, group: Group, now: float) -> None:
        """Our sponsor knows which session is ours already; it needs our hello for the order of what we write."""
        history = self._registry.history(group)
        by = None if history is None else history.adder(group.me)
        if by is not None and group.sponsor is not None and by in self._registry.roster(group).members:
            self._registry.set_peer(group, by, contact=group.sponsor)
            self._greet(group, by, group.sponsor, now)

    def _bind(self, group: Group, key: bytes, contact: int, first: int | None, now: float) -> None:
        """From now on this member is reached in this contact's sessions."""
        peer = self._registry.peers(group).get(key)
        if peer is None:
            return
        self._registry.set_peer(group, key, contact=contact)
        if peer.expected is None and first is not None:
            self._registry.set_peer(group, key, expected=first)
        if not peer.greeted:
            self._greet(group, key, contact, now)
        self.passes.move(group, now)
        self._dispatch.filing.file(group, key, now)
        self._registry.changed(group)

    def _greet(self, group: Group, key: bytes, contact: int, now: float) -> None:
        """Say who we are, in a session of which the other's proof must be made, so it has to be there first."""
        route = self._core.routes.get(contact)
        if (
            route is None or route.copied or contact in self._core.blocked
        ):  # else it might expire before it is unblocked
            self._registry.set_peer(group, key, greeted=0)
            return
        member, history = self._registry.roster(group).members.get(key), self._registry.history(group)
        if member is None:  # it went while its session was not there
            return
        tag = self._registry.pair(group, member).proof((route.incoming.channel, route.outgoing.channel), ours=True)
        first = self._registry.peers(group)[key].first
        heads = () if history is None else history.heads
        self._say(contact, GroupHello(group.identifier, group.me, tag, first, heads), now)
        self._registry.set_peer(group, key, greeted=1)

    def feed(self, now: float) -> None:
        """Greet those whose sessions have come up, and try introductions again that lead to nothing."""
        if self.wake_at() is None or (self.wake_at() or 0.0) > now:
            return
        with self._core.change():
            for grp, key, contact in self._ungreeted():
                group = self._registry.get(grp)
                if self._core.attempt(partial(self._greet, group, key, contact, now)) is not None:
                    self._registry.set_peer(group, key, greeted=1)  # no more in this session
            for group in self._registry.all():
                if group.state is GroupState.MEMBER:
                    self._core.attempt(partial(self._introduce, group, now))
            retry = self._next_retry()
            if retry is not None and retry <= now:  # whoever comes is greeted, and that is a look at these, too
                self._stuck_until = now + self._pause

    def lost_touch(self, contact: int, now: float) -> None:
        """Begin another session with a member whose session is broken, through others: nobody else would."""
        query = "UPDATE group_peers SET introduced = ? WHERE contact = ? AND introduced <= ?"
        self._store.run(query, _LOST, contact, now - self._pause)
        self._stuck_until = 0.0

    def wake_at(self) -> float | None:
        """When `feed` has something to do: 0.0 for at once."""
        if self._version != self._core.version:
            self._version = self._core.version
            rows = self._store.all(
                "SELECT p.grp, p.key, p.contact FROM group_peers p JOIN groups g ON g.id = p.grp"
                " WHERE p.contact IS NOT NULL AND p.greeted = 0 AND g.state = ?",
                GroupState.MEMBER.value,
            )
            self._silent = [(grp, bytes(key), contact) for grp, key, contact in rows]
            self._retry = self._next_retry()
        if self._ungreeted():
            return 0.0
        return None if self._retry is None else max(self._retry, self._stuck_until)

    def _next_retry(self) -> float | None:
        query = (
            "SELECT min(p.introduced + p.tries * ?) FROM group_peers p JOIN groups g ON g.id = p.grp"
            " WHERE ((p.contact IS NULL AND p.tries BETWEEN 1 AND ?) OR p.introduced = ?) AND g.state = ?"
        )
        return self._store.value(float, query, self._pause, _TRIES - 1, _LOST, GroupState.MEMBER.value)

    def _ungreeted(self) -> list[tuple[int, bytes, int]]:
        return [one for one in self._silent if self._registry.reachable(one[2])]

    def _introduce(self, group: Group, now: float) -> None:
        """Make invitations for the members whom we don't know and who were there before us."""
        history, roster, peers = (
            self._registry.history(group),
            self._registry.roster(group),
            self._registry.peers(group),
        )
        ways = sorted(
            peer.contact
            for peer in peers.values()
            if peer.contact is not None and self._registry.reachable(peer.contact)
        )
        if history is None or not ways:
            return
        for key, peer in peers.items():
            if peer.contact in self._core.blocked:
                continue
            lost = peer.introduced == _LOST
            through = [way for way in ways if way != peer.contact]
            unknown = peer.contact is None and self._is_due(peer, now) and history.is_newer(group.me, key)
            if through and (unknown or lost):
                way = group.sponsor if peer.tries == 0 and group.sponsor in through else self._rng.choice(through)
                failed = self._core.attempt(partial(self._introduce_to, group, roster.members[key], way, now))
                tries = peer.tries + 1 if failed is None else _TRIES  # it would fail again
                self._registry.set_peer(group, key, tries=tries, introduced=now)

    def _introduce_to(self, group: Group, member: Member, way: int, now: float) -> None:
        """Send an invitation that only this member can read."""
        text = self._introductions.create(self._core.home.name, now, hidden=True).encode()
        sealed = self._registry.pair(group, member).seal(text.encode())
        self._say(way, GroupPass(group.identifier, group.me, member.key, sealed), now)

    def _is_due(self, peer: GroupPeer, now: float) -> bool:
        return peer.tries == 0 or (peer.tries < _TRIES and peer.introduced + peer.tries * self._pause <= now)

    def _meet_untrusted(self, group: Group, member: Member, sealed: bytes, now: float) -> None:
        """Use a member's invitation; what is wrong with it is its maker's trouble.

        Whom we know already by groups only, and in whose session we can write, has lost that session: it is renewed.
        """
        peer = self._registry.peers(group).get(member.key)
        if peer is None:
            return
        try:
            text = self._registry.pair(group, member).unseal_untrusted(sealed).decode(errors="replace")
            invitation = Invitation.parse_untrusted(text)
            if invitation.keys.identity == self._core.identity_public:
                raise MalformedInvitation
            known = self._core.contacts.known(invitation.keys.identity)
            if known is not None and known.blocked:
                if peer.contact is None:  # whose posts those of this member are
                    self._registry.set_peer(group, member.key, contact=known.id, greeted=0)
                return
            if peer.contact is not None:
                if known is None or known.id != peer.contact or known.role != "member":
                    return
                if known.id not in self._core.routes:
                    return
                if now < self._renewed.get(peer.contact, -math.inf) + self._pause / 2:
                    return  # it asks more often than a member of ours does
                self._renewed[peer.contact] = now
            if known is None or known.state is ContactState.EXPIRED or peer.contact is not None:
                self._introductions.accept(text, None, now, hidden=True)
                known = self._core.contacts.known(invitation.keys.identity)
        except MixnetError as error:
            if is_of_store(error):
                raise
            return
        if known is not None:
            self._bind(group, member.key, known.id, None, now)

    def _tell(self, group: Group, contact: int, made: Sequence[Change], now: float) -> None:
        for at in range(0, len(made), CHANGES_AT_ONCE):
            raws = tuple(change.raw for change in made[at : at + CHANGES_AT_ONCE])
            self._say(contact, GroupChanges(group.identifier, raws), now)

    def _may_answer(self, contact: int) -> bool:
        return contact not in self._core.blocked and not self._core.crowded(contact)

    def _say(
        self,
        contact: int,
        body: GroupOffer | GroupAnswer | GroupHello | GroupChanges | GroupWant | GroupPass,
        now: float,
    ) -> None:
        self._core.enqueue(contact, _LANE, body, None, now)
