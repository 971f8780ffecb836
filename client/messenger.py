"""The heart of a client: contacts, conversations and reliable delivery, without any input or output but its store.

Promises: whatever a call changes is in the store, whole, before the call returns; each message is delivered exactly
once and in order, or its sender learns that it failed; a failed call changes nothing. Never: a socket, a packet, a
clock or a task: time and bytes come in as arguments. Calls must not overlap: the daemon makes one at a time.
"""

from __future__ import annotations

import random
from pathlib import Path

from client.invitation import Invitation
from client.outgoing import Destination, Home, MessengerSettings, Outgoing, OutgoingFragment, OutgoingReply
from client.store import Store
from client.views import (
    ContactChanged,
    ContactInfo,
    ContactState,
    Event,
    FileProgress,
    MessageInfo,
    MessageKind,
    MessageReceived,
    MessageState,
    MessageStateChanged,
)

__all__ = [
    "ContactChanged",
    "ContactInfo",
    "ContactState",
    "Destination",
    "Event",
    "FileProgress",
    "Home",
    "Invitation",
    "MessageInfo",
    "MessageKind",
    "MessageReceived",
    "MessageState",
    "MessageStateChanged",
    "Messenger",
    "MessengerSettings",
    "Outgoing",
    "OutgoingFragment",
    "OutgoingReply",
]


class Messenger:
    """One profile's conversations. `now` is always seconds since the Unix epoch; a repeated `now` is fine."""

    def __init__(self, store: Store, settings: MessengerSettings, jitter: random.Random, home: Home) -> None:
        """Take up where the store left off; `home` is what invitations say about us."""
        raise NotImplementedError

    def create_invitation(self, name: str, now: float) -> Invitation:
        """A single-use invitation that shows `name` as ours; `.encode()` gives the text to hand over."""
        raise NotImplementedError

    def accept_invitation(self, text: str, name: str | None, now: float) -> ContactInfo:
        """Become a contact of the inviter, called `name` here (None: as the invitation says)."""
        raise NotImplementedError

    def contacts(self) -> list[ContactInfo]:
        """All contacts, oldest first."""
        raise NotImplementedError

    def mark_verified(self, name: str) -> ContactInfo:
        """Record that the safety numbers match; UnknownContact."""
        raise NotImplementedError

    def send_text(self, contact: str, text: str, now: float) -> int:
        """Queue a text and return its number; UnknownContact, TextTooLong."""
        raise NotImplementedError

    def send_file(self, contact: str, path: Path, now: float) -> int:
        """Queue a file, read only as it is sent, and return its number; UnknownContact, FileMissing, FileTooLarge."""
        raise NotImplementedError

    def message(self, number: int) -> MessageInfo:
        """One message; UnknownMessage."""
        raise NotImplementedError

    def messages(self, contact: str | None = None, after: int = 0) -> list[MessageInfo]:
        """Messages with numbers above `after`, oldest first, sent and received."""
        raise NotImplementedError

    def search(self, words: str) -> list[MessageInfo]:
        """Messages whose text has all the words, newest first."""
        raise NotImplementedError

    def mark_read(self, number: int, now: float) -> None:
        """Tell the sender of an incoming message that it, and what came before it, was read."""
        raise NotImplementedError

    def next_outgoing(self, now: float) -> Outgoing | None:
        """What the next payload slot should carry, or None."""
        raise NotImplementedError

    def transmitted(self, outgoing: Outgoing, slot_time: float, drawn_delay: float) -> None:
        """It left at `slot_time` (wall seconds) with `drawn_delay` seconds of mixing ahead: start its timer."""
        raise NotImplementedError

    def wake_at(self) -> float | None:
        """When `next_outgoing` may have something without any other call before (may be in the past); None: never."""
        raise NotImplementedError

    def delivered_untrusted(self, message: bytes, now: float) -> list[Event]:
        """Take the plaintext of a packet that a contact sent; RemoteError if it is not one."""
        raise NotImplementedError

    def replied_untrusted(self, message: bytes, now: float) -> list[Event]:
        """Take the plaintext that came back through one of our reply blocks; RemoteError if it is not one."""
        raise NotImplementedError

    def take_events(self) -> list[Event]:
        """Events of calls that return none (such as a message that was sent, or has expired), each of them once."""
        raise NotImplementedError
