"""The protocols of the user's verbs, which the API calls: a home does them itself, a satellite asks its home.

Promises: `Messenger` and `Satellite` both have every verb that stands here, and the type checker compares them with it;
a verb that a satellite doesn't have raises HomeOnly there. `now` is seconds since the Unix epoch. What else a verb
raises is said where it is done: client/messenger/messenger.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from client.e2e.invitation import Invitation
from client.groups.read_receipts import ReadReceipts
from client.messenger.contact_verbs import ContactVerbs
from client.model.group_views import GroupInfo, PendingRequest
from client.model.views import (
    AddressInfo,
    ContactInfo,
    CorrespondentInfo,
    Event,
    MessageInfo,
    ReadReceiptChoice,
    Transfer,
)
from client.storage.export_jsonl import Record
from client.storage.receipts import Rule
from client.storage.search import ANY, Filter
from client.storage.timestamps import TimestampTable


class ArchiveVerbs(Protocol):
    """What is done with many messages at once."""

    @property
    def limited(self) -> bool:
        """Whether some conversation is not kept for ever."""

    def page(self, where: Filter, after: int, limit: int) -> list[tuple[int, Record]]:
        """(number here, record) of the first messages above `after` that `where` lets through."""

    def strangers(self, identities: Sequence[bytes]) -> list[bytes]:
        """Those of the identities that no contact has."""

    def take_in(self, records: Sequence[Record]) -> int:
        """File past messages; how many were new."""

    def delete(self, number: int) -> None:
        """Delete one message."""

    def clear(self, contact: str) -> tuple[int, int]:
        """Delete the first messages of a conversation: how many, and how many are left."""

    def sweep(self, now: float) -> bool:
        """Delete the first messages that are past their conversation's period; whether there may be more."""

    def retention(self, contact: str) -> float | None:
        """For how many seconds messages with a contact are kept; None: for ever."""

    def retain(self, contact: str, seconds: float | None) -> None:
        """Keep messages with a contact for so long."""


class AnonymousVerbs(Protocol):
    """Public addresses, and conversations without a name."""

    def create_address(self, now: float, lifetime: float | None = None) -> AddressInfo:
        """A new address, good for `lifetime` seconds (None: until it is retired)."""

    def addresses(self) -> list[AddressInfo]:
        """All of them, oldest first."""

    def retire_address(self, id_: str) -> AddressInfo:
        """Take nothing more at this address."""

    def correspondents(self) -> list[CorrespondentInfo]:
        """All conversations, oldest first."""

    def end(self, name: str) -> None:
        """End a conversation here."""


class AttestationVerbs(Protocol):
    """Receipts for signed messages."""

    def consent(self, number: int, give: bool, now: float) -> MessageInfo:
        """Give receipts for a signed message that came, or none."""

    def rule(self, contact: str | None) -> Rule:
        """What is done about receipts of a contact; None: of all who have no rule of their own."""

    def set_rule(self, contact: str | None, rule: Rule) -> None:
        """Do this about receipts from now on."""


class GroupVerbs(Protocol):
    """Groups. A home changes one at once; a satellite gives the request that its home has to answer first."""

    @property
    def reading(self) -> ReadReceipts:
        """Who has read what."""

    def list(self) -> list[GroupInfo]:
        """All groups, oldest first."""

    def show(self, name: str) -> GroupInfo:
        """One group."""

    def create(self, title: str, now: float) -> GroupInfo | PendingRequest:
        """A new group."""

    def invite(self, name: str, contact: str, now: float) -> GroupInfo | PendingRequest:
        """Offer a contact to join."""

    def accept(self, name: str, now: float) -> GroupInfo | PendingRequest:
        """Join a group that we were invited to."""

    def leave(self, name: str, now: float) -> GroupInfo | PendingRequest:
        """Leave, or turn an invitation down."""

    def remove(self, name: str, member: str, now: float) -> GroupInfo | PendingRequest:
        """Put a member out."""

    def promote(self, name: str, member: str, now: float) -> GroupInfo | PendingRequest:
        """Make a member an admin."""

    def demote(self, name: str, member: str, now: float) -> GroupInfo | PendingRequest:
        """Make an admin a plain member."""

    def rename(self, name: str, title: str, now: float) -> GroupInfo | PendingRequest:
        """Give the group another title, for all, and another name here."""

    def call(self, name: str, new_name: str, now: float) -> GroupInfo | PendingRequest:
        """Call a group by another name, on the user's devices only."""

    def send(self, name: str, text: str, now: float, lifetime: float | None = None) -> int:
        """Queue a text for all members; its number."""


class UserVerbs(Protocol):
    """All verbs of a user."""

    @property
    def people(self) -> ContactVerbs:
        """What the user decides about contacts."""

    @property
    def archive(self) -> ArchiveVerbs:
        """The archive as a whole."""

    @property
    def anonymous(self) -> AnonymousVerbs:
        """Public addresses and anonymous conversations."""

    @property
    def attestations(self) -> AttestationVerbs:
        """Receipts for signed messages."""

    @property
    def groups(self) -> GroupVerbs:
        """Groups."""

    @property
    def timestamps(self) -> TimestampTable:
        """What witnesses said of signed messages, and which still need one."""

    @property
    def identity(self) -> bytes:
        """Our public identity, 32 bytes."""

    def create_invitation(self, name: str, now: float) -> Invitation:
        """A single-use invitation that shows `name` as ours."""

    def accept_invitation(self, text: str, name: str | None, now: float) -> ContactInfo:
        """Become a contact of the inviter, called `name` here (None: as the invitation says)."""

    def contacts(self) -> list[ContactInfo]:
        """All contacts, oldest first."""

    def relink(self, name: str, new_name: str, now: float) -> ContactInfo:
        """Let a contact be who came back under another name, with another identity."""

    def delete_contact(self, name: str) -> None:
        """Forget a contact with its session, its keys and its conversation."""

    def default_read_receipts(self, choice: ReadReceiptChoice | None = None) -> ReadReceiptChoice:
        """Whether contacts learn what was read of whom nothing else was said; set first, if given."""

    def send_text(
        self, contact: str, text: str, now: float, lifetime: float | None = None, *, signed: bool = False
    ) -> int:
        """Queue a text, given up after `lifetime` seconds (None: as the network says); its number."""

    def send_file(
        self, contact: str, path: Path, now: float, lifetime: float | None = None, *, signed: bool = False
    ) -> int:
        """Queue a file; its number."""

    def send_anonymous(
        self, address: str, text: str, now: float, answers: float | None = None, lifetime: float | None = None
    ) -> int:
        """Begin an anonymous conversation with a public address; the number of its first text."""

    def cancel(self, number: int, now: float) -> MessageInfo:
        """Give up a message of ours that is queued or under way."""

    def estimate(self, number: int) -> float | None:
        """Seconds that a file of ours still takes at the network's rate; None if there is nothing to tell."""

    def files(self, after: int, limit: int, now: float) -> list[Transfer]:
        """The first `limit` files on their way with numbers above `after`, oldest first."""

    def transfer(self, number: int, now: float) -> Transfer:
        """How far a file is, on its way or not."""

    def message(self, number: int) -> MessageInfo:
        """One message."""

    def messages(self, contact: str | None = None, after: int = 0, limit: int = -1) -> list[MessageInfo]:
        """The first `limit` messages with numbers above `after`, oldest first; -1: all."""

    def search(self, words: str, limit: int = -1, where: Filter = ANY) -> list[MessageInfo]:
        """The newest `limit` messages whose text (or file name) matches; -1: all."""

    def mark_read(self, number: int, now: float) -> None:
        """Tell the sender of an incoming message that it, and what came before it, was read."""

    def proof(self, number: int) -> bytes:
        """The file that proves a signed message to anybody."""

    def forge(self, contact: str, texts: Sequence[str], now: float) -> str:
        """A transcript in which the contact has written `texts`."""

    def take_events(self) -> list[Event]:
        """What has happened since the last call."""
