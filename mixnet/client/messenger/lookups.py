"""The user's verbs that show what is stored: the same at home and on a satellite.

Promises: nothing here changes anything, but that events are taken once. On a satellite contacts and messages are its
copy of its home's, and a file's way is the one between the two.
"""

from __future__ import annotations

import msgspec

from mixnet.client.core.state import Core
from mixnet.client.files.transfers import Transfers
from mixnet.client.messenger.drafts import Drafts
from mixnet.client.model.views import ContactInfo, Conversation, Event, MessageInfo, Transfer
from mixnet.client.storage.search import ANY, Filter

ALL = -1
MOST = (1 << 63) - 1


class Lookups:
    """What is shown of contacts, messages and files."""

    def __init__(self, core: Core, transfers: Transfers) -> None:
        self._core, self._transfers = core, transfers
        self.drafts = Drafts(core)  # they stay on the device

    @property
    def identity(self) -> bytes:
        """Our public identity, 32 bytes."""
        return self._core.identity_public

    def contacts(self) -> list[ContactInfo]:
        """All contacts, oldest first, without groups and those who are anonymous."""
        return [
            self._core.contacts.info(contact.id) for contact in self._core.contacts.all() if contact.role == "contact"
        ]

    def estimate(self, number: int) -> float | None:
        """Seconds that a file of ours still takes at the network's rate, as things stand; UnknownMessage.

        None for anything that is not a file on its way out, or if nothing is ever sent.
        """
        return self._transfers.estimate(number)

    def files(self, after: int, limit: int, now: float) -> list[Transfer]:
        """The first `limit` files on their way with numbers above `after`, in and out, oldest first."""
        return self._transfers.under_way(after, limit, now)

    def transfer(self, number: int, now: float) -> Transfer:
        """How far a file is, on its way or not; UnknownMessage, NoFile."""
        return self._transfers.of(number, now)

    def message(self, number: int) -> MessageInfo:
        """One message; UnknownMessage."""
        return self._core.messages.get(number)

    def messages(
        self,
        contact: str | None = None,
        after: int = 0,
        limit: int = ALL,
        since: float | None = None,
        *,
        unread: bool = False,
    ) -> list[MessageInfo]:
        """The first `limit` messages behind the message or the place `after`, in the order of their places.

        `since`: only those written or complete from then on; `unread`: only those that came and are unread.
        UnknownContact.
        """
        messages = self._core.messages
        return messages.after(self._row(contact), messages.place(after), limit, since, unread=unread)

    def history(self, contact: str | None, before: int | None, limit: int) -> list[MessageInfo]:
        """The last `limit` messages with numbers below `before` (None: any), newest first; UnknownContact."""
        last = MOST if before is None else before
        return self._core.messages.before(self._row(contact), last, limit)

    def count(self, contact: str | None) -> tuple[int, int]:
        """How many of the messages that came are unread, and how many came; UnknownContact."""
        return self._core.messages.count(self._row(contact))

    def _row(self, contact: str | None) -> int | None:
        return None if contact is None else self._core.contacts.named(contact).id

    def conversations(self) -> list[Conversation]:
        """With contacts, groups and those who are anonymous, and how much of each is unread."""
        return self._core.messages.conversations()

    def search(self, words: str, limit: int = ALL, where: Filter = ANY) -> list[MessageInfo]:
        """The newest `limit` messages whose text (or file name) matches; SearchTooLong, UnknownContact."""
        if where.contact is not None:
            where = msgspec.structs.replace(where, contact=self._core.contacts.named(where.contact).name)
        return self._core.messages.search(words, limit, where)

    def period(self, contact: str) -> int:
        """After how many seconds new messages of a conversation disappear on both sides, 0: never; UnknownContact."""
        return self._core.contacts.named(contact).period

    def take_events(self) -> list[Event]:
        """Events of calls that return none (such as a message that was sent, or has expired), each of them once."""
        return self._core.take_events()
