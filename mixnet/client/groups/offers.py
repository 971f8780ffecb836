"""Invitations to groups that come from contacts, and our answers (spec/07-client.md 7.17).

Promises: whoever invited us first stays our sponsor, whatever others say of the same group; no contact takes the places
of another's invitations.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.e2e.group_bodies import GroupAnswer, GroupOffer
from mixnet.client.groups.dispatch import Dispatch
from mixnet.client.groups.registry import GROUPS_LIMIT, Group, Registry
from mixnet.client.model.group_views import GroupState
from mixnet.errors import RemoteError

OFFERS, OFFERS_OF_ONE = 256, 8  # that wait for the user, and those of one contact
_LANE = 0


class Offers:
    """All groups that we were invited to."""

    def __init__(self, core: Core, registry: Registry, dispatch: Dispatch) -> None:
        self._core, self._registry, self._dispatch = core, registry, dispatch

    def answer(self, group: Group, name: str, now: float) -> None:
        """Join a group that we were invited to."""
        self._registry.step(group, GroupState.JOINING)
        assert group.sponsor is not None  # noqa: S101  somebody invited us
        body = GroupAnswer(group.identifier, group.me, group.agree.public, name)
        self._core.enqueue(group.sponsor, _LANE, body, None, now)

    def offered_untrusted(self, contact: int, body: GroupOffer, now: float) -> None:
        """A contact invites us; strangers in our groups can't.

        Whoever invited us first stays our sponsor, whatever others say. A group that we have left is offered anew only
        by somebody who is in it as far as we know, or if we never were: what is left of it goes with that.
        """
        known = self._registry.known(body.group)
        if self._core.contacts.get(contact).role != "contact" or not body.title:
            raise RemoteError("an invitation to a group from a stranger")
        if known is None:
            self._begin_untrusted(contact, body, now)
        elif known.state is GroupState.JOINING and known.sponsor == contact:
            if not self._core.crowded(contact):
                self.answer(known, self._core.home.name, now)  # it asks again: our answer was not heard
        elif known.state is GroupState.LEFT:
            history = self._registry.history(known)
            if history is not None and self._registry.member_of(known, contact) is None:
                raise RemoteError("an invitation to a group from one who isn't in it")
            self._dispatch.ended(known)
            self._registry.again(known, contact)
            self._registry.changed(known)
        elif known.sponsor != contact:
            raise RemoteError("an invitation to a group to which another one invited us")

    def _begin_untrusted(self, contact: int, body: GroupOffer, now: float) -> None:
        groups = self._registry.all()
        open_ = [group for group in groups if group.state is GroupState.INVITED]
        own = sum(group.sponsor == contact for group in open_)
        if own >= OFFERS_OF_ONE or len(open_) >= OFFERS or len(groups) >= GROUPS_LIMIT:
            raise RemoteError("an invitation to a group beside too many others")
        if self._core.contacts.known(body.group) is not None:
            raise RemoteError("an invitation to a group that has somebody's key for its identifier")
        self._registry.changed(self._registry.begin(body.group, body.title, GroupState.INVITED, contact, now))
