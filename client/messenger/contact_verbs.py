"""What a user decides about contacts: what to call them, and whether to hear from them.

Promises: nothing of it goes over the network; a blocked contact can't tell, since what it sends is acknowledged as
before. What it sends while blocked is lost for good; what was on its way to it has failed, with the reason.
"""

from __future__ import annotations

from client.core.state import Core
from client.e2e.bodies import Reason
from client.files.receiver import FileReceiver
from client.messenger.outbox import Outbox
from client.model.contact_states import Verdict, check_name
from client.model.errors import ContactBlocked
from client.model.views import ContactInfo
from client.storage.contacts import Contact

TO_BLOCKED = "you blocked the contact before this was delivered: unblock it and send it again"
FROM_BLOCKED = "you blocked the contact before this was complete: unblock it and ask for it again"
_UNDELIVERED = "SELECT id FROM messages WHERE contact = ? AND outgoing AND state IN ('queued', 'sent') ORDER BY id"


class ContactVerbs:
    """The user's say over contacts."""

    def __init__(self, core: Core, outbox: Outbox, receiving: FileReceiver) -> None:
        """Use the messenger's shared state and the parts that stop at a block."""
        self._core = core
        self._outbox = outbox
        self._receiving = receiving

    def reached(self, name: str) -> Contact:
        """The contact of a name, to write to; UnknownContact, ContactBlocked."""
        contact = self._core.contacts.person(name)
        if contact.blocked:
            raise ContactBlocked(self._core.unblock_first(contact))
        return contact

    def rename(self, name: str, new_name: str) -> ContactInfo:
        """Call a contact by another name; UnknownContact, BadName, NameTaken."""
        core = self._core
        contact = core.contacts.person(name)
        check_name(new_name)
        with core.change():
            if core.contacts.rename(contact, new_name):
                core.contact_changed(contact.id)
        return core.contacts.info(contact.id)

    def block(self, name: str, now: float) -> ContactInfo:
        """Hear nothing more from a contact, and send nothing more to it; UnknownContact."""
        core = self._core
        contact = core.contacts.person(name)
        with core.change():
            if core.contacts.judge(contact, Verdict.BLOCK):
                core.blocked.add(contact.id)
                for (message,) in core.store.all(_UNDELIVERED, contact.id):
                    self._outbox.give_up(message, Reason.CANCELLED, now, TO_BLOCKED)
                self._receiving.give_up(contact.id, FROM_BLOCKED)
                core.contact_changed(contact.id)
        self._receiving.sweep()
        return core.contacts.info(contact.id)

    def unblock(self, name: str) -> ContactInfo:
        """Hear from a contact again, from now on; UnknownContact."""
        core = self._core
        contact = core.contacts.person(name)
        with core.change():
            if core.contacts.judge(contact, Verdict.UNBLOCK):
                core.blocked.discard(contact.id)
                core.contact_changed(contact.id)
        return core.contacts.info(contact.id)
