"""The states of a contact and the events that change them.

Promises: a contact is verified only by its user, and only once established; what an event may do is read from tables.
Whether a contact is blocked is apart from how far it has come: only its user decides that, at any time, and nothing
that the contact does. Never: I/O; what is stored of a contact is in client/storage/contacts.py.

    an invitation of ours is used ──────────────▶ Established ──verified──▶ Verified
    we accept ──▶ Pending ──answered───────────────────┘
                     └──expired──▶ Expired ──accepted again──▶ Pending

    Open ──block──▶ Blocked ──unblock──▶ Open
"""

from __future__ import annotations

from enum import StrEnum

from mixnet.client.model.views import ContactState
from mixnet.errors import LocalError


class ContactEvent(StrEnum):
    """What may happen to a contact."""

    ACCEPT = "accept"  # the user accepts an invitation of theirs
    ANSWER = "answer"  # their session is proven to work
    EXPIRE = "expire"  # nobody answered as long as the invitation was good
    VERIFY = "verify"  # the user says that the safety numbers match


TRANSITIONS: dict[tuple[ContactState, ContactEvent], ContactState] = {
    (ContactState.PENDING, ContactEvent.ANSWER): ContactState.ESTABLISHED,
    (ContactState.PENDING, ContactEvent.EXPIRE): ContactState.EXPIRED,
    (ContactState.EXPIRED, ContactEvent.ACCEPT): ContactState.PENDING,
    (ContactState.EXPIRED, ContactEvent.ANSWER): ContactState.ESTABLISHED,
    (ContactState.ESTABLISHED, ContactEvent.ANSWER): ContactState.ESTABLISHED,
    (ContactState.ESTABLISHED, ContactEvent.EXPIRE): ContactState.ESTABLISHED,
    (ContactState.ESTABLISHED, ContactEvent.VERIFY): ContactState.VERIFIED,
    (ContactState.VERIFIED, ContactEvent.ANSWER): ContactState.VERIFIED,
    (ContactState.VERIFIED, ContactEvent.EXPIRE): ContactState.VERIFIED,
    (ContactState.VERIFIED, ContactEvent.VERIFY): ContactState.VERIFIED,
}


class Standing(StrEnum):
    """Whether the user hears from a contact and writes to it."""

    OPEN = "open"
    BLOCKED = "blocked"


class ContactVerdict(StrEnum):
    """What the user says about a contact."""

    BLOCK = "block"
    UNBLOCK = "unblock"


STANDINGS: dict[tuple[Standing, ContactVerdict], Standing] = {
    (Standing.OPEN, ContactVerdict.BLOCK): Standing.BLOCKED,
    (Standing.OPEN, ContactVerdict.UNBLOCK): Standing.OPEN,
    (Standing.BLOCKED, ContactVerdict.BLOCK): Standing.BLOCKED,
    (Standing.BLOCKED, ContactVerdict.UNBLOCK): Standing.OPEN,
}


class WrongStep(LocalError):
    """The contact is not ready for this step: `mixnet contacts PROFILE` shows how far it has come."""


def after(state: ContactState, event: ContactEvent) -> ContactState:
    """The state that follows; WrongStep if `event` can't happen in `state`."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise WrongStep from None
