"""The user's verbs on contacts: verify, rename, block, unblock, and what they learn of reading and presence.

Promises: nothing of it goes to the contact; a name or a note that another one replaces is nowhere any more. A blocked
contact sees what it would see if the user were away, since nothing leaves for it: what it sends while blocked comes
after an unblock, if its client still tries then; what was on its way to it has failed, with the reason. A satellite
decides the same way and asks its home to follow (client/devices/contacts.py): a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mixnet.client.core.state import Core
from mixnet.client.model.contact_states import ContactEvent, ContactVerdict
from mixnet.client.model.errors import AnonymousOnly
from mixnet.client.model.names import check_name
from mixnet.client.model.text_limits import check_text
from mixnet.client.model.views import AckChoice, ContactInfo, ReadReceiptChoice
from mixnet.client.storage.contacts import Contact

NOTE_LIMIT = 1000  # bytes of UTF-8


class UnderWay(Protocol):
    """What is on its way from contacts and to them."""

    def stop(self, contact: int, now: float) -> None:
        """Give up all of a contact's, inside of a change."""

    def sweep(self) -> None:
        """Remove what was given up from the disk, after the change."""


class ContactVerbs:
    """Verifies, renames and blocks contacts. Each verb raises UnknownContact for a name that no contact has."""

    def __init__(self, core: Core, under_way: UnderWay) -> None:
        """`under_way` is asked to stop what comes from a contact and goes to it when it is blocked."""
        self._core, self._under_way = core, under_way

    def verify(self, name: str) -> ContactInfo:
        """Record that the safety numbers match; WrongStep before the contact is established, AnonymousOnly."""
        contact = self._core.contacts.person(name)
        if contact.id in self._core.anonymous:
            raise AnonymousOnly
        return self._decide(contact, lambda: self._core.contacts.step(contact, ContactEvent.VERIFY))

    def rename(self, name: str, new_name: str) -> ContactInfo:
        """Call a contact by another name, on the user's devices only; BadName, NameTaken."""
        contact = self._core.contacts.person(name)
        chosen = check_name(new_name, self._core.home.name)
        info = self._decide(contact, lambda: self._core.contacts.rename(contact, chosen))
        self._core.store.forget_remnants()
        return info

    def note(self, name: str, note: str) -> ContactInfo:
        """Write down a note about a contact, on the user's devices only; "" removes it.

        TextTooLong, UnusableText, AnonymousOnly.
        """
        contact = self._core.contacts.person(name)
        if contact.id in self._core.anonymous:
            raise AnonymousOnly("a note stands in the list of contacts, where nobody anonymous is: name a contact")
        if note:
            check_text(note, NOTE_LIMIT, f"a note has at most {NOTE_LIMIT} bytes: shorten it")
        info = self._decide(contact, lambda: self._core.contacts.annotate(contact, note))
        self._core.store.forget_remnants()
        return info

    def read_receipts(self, name: str, choice: ReadReceiptChoice) -> ContactInfo:
        """Say whether a contact learns that what it wrote was read; AnonymousOnly."""
        contact = self._named(name)
        return self._decide(contact, lambda: self._core.contacts.tell_reading(contact, choice))

    def acknowledgements(self, name: str, choice: AckChoice) -> ContactInfo:
        """Say when acknowledgements, and all that leaves by itself, go to a contact; AnonymousOnly."""
        contact = self._named(name)

        def choose() -> bool:
            changed = self._core.contacts.acknowledge(contact, choice)
            self._core.hush_contact(contact.id, hushed=choice is AckChoice.DELAYED)
            return changed

        return self._decide(contact, choose)

    def _named(self, name: str) -> Contact:
        """A contact that has a name: nobody anonymous gets receipts, or is in the list."""
        contact = self._core.contacts.person(name)
        if contact.id in self._core.anonymous:
            raise AnonymousOnly("nobody anonymous is in the list of contacts: name a contact")
        return contact

    def block(self, name: str, now: float) -> ContactInfo:
        """Hear nothing from a contact and send nothing to it, as if the user were away."""
        contact = self._core.contacts.person(name)

        def judge() -> bool:
            blocked = self._core.contacts.judge(contact, ContactVerdict.BLOCK)
            if blocked:
                self._core.blocked.add(contact.id)
                self._under_way.stop(contact.id, now)
            return blocked

        info = self._decide(contact, judge)
        self._under_way.sweep()
        return info

    def unblock(self, name: str) -> ContactInfo:
        """Hear from a contact again, and what its client still tries to deliver."""
        contact = self._core.contacts.person(name)

        def judge() -> bool:
            if contact.id in self._core.blocked:
                self._core.blocked.discard(contact.id)
                self._core.hold_back(contact.id)  # else what waited would show the moment
            return self._core.contacts.judge(contact, ContactVerdict.UNBLOCK)

        return self._decide(contact, judge)

    def _decide(self, contact: Contact, change: Callable[[], bool]) -> ContactInfo:
        """Make a change of a contact's row in one transaction, and tell of it if it changed anything."""
        core = self._core
        with core.change():
            if change():
                core.contact_changed(contact.id)
        return core.contacts.info(contact.id)
