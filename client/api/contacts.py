"""Contacts: their commands, and what `Connection` has about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.api.command import Access, Command, wait_for
from client.model.views import AckChoice, ContactInfo, ContactState, ReadReceiptChoice
from mixnet.errors import RemoteError

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi


class Invite(Command[str], frozen=True, tag="invite"):
    """-> the text of a new invitation."""

    async def run(self, daemon: DaemonApi) -> str:
        return (await daemon.visit(daemon.home.create_invitation, daemon.name, daemon.now())).encode()


class Accept(Command[ContactInfo], frozen=True, tag="accept"):
    """-> the contact that the invitation makes."""

    invitation: str
    name: str | None = None

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.accept_invitation, self.invitation, self.name, daemon.now())


class Contacts(Command[list[ContactInfo]], frozen=True, tag="contacts"):
    """-> all contacts."""

    async def run(self, daemon: DaemonApi) -> list[ContactInfo]:
        return await daemon.read(daemon.user.contacts)


class Verify(Command[ContactInfo], frozen=True, tag="verify"):
    """-> the contact, now verified."""

    contact: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.verify, self.contact)


class Rename(Command[ContactInfo], frozen=True, tag="rename"):
    """-> the contact, under its new name."""

    contact: str
    name: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.rename, self.contact, self.name)


class Note(Command[ContactInfo], frozen=True, tag="note"):
    """-> the contact, with the note."""

    contact: str
    note: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.note, self.contact, self.note)


class SetReadReceipts(Command[ContactInfo], frozen=True, tag="read_receipts"):
    """-> the contact, who learns from now on what is read, or doesn't, or after a random pause."""

    contact: str
    choice: ReadReceiptChoice

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.read_receipts, self.contact, self.choice)


class SetAcknowledgements(Command[ContactInfo], frozen=True, tag="acknowledgements"):
    """-> the contact, to whom acknowledgements go at once from now on, or after random pauses."""

    contact: str
    choice: AckChoice

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.acknowledgements, self.contact, self.choice)


class DefaultReadReceipts(Command[ReadReceiptChoice], frozen=True, tag="default_read_receipts"):
    """-> what holds for contacts whose choice is "default"; set first if given."""

    choice: ReadReceiptChoice | None = None

    async def run(self, daemon: DaemonApi) -> ReadReceiptChoice:
        return await daemon.visit(daemon.home.default_read_receipts, self.choice)


class Block(Command[ContactInfo], frozen=True, tag="block"):
    """-> the contact, now blocked."""

    contact: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.block, self.contact, daemon.now())


class Unblock(Command[ContactInfo], frozen=True, tag="unblock"):
    """-> the contact, no longer blocked."""

    contact: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.unblock, self.contact)


class Relink(Command[ContactInfo], frozen=True, tag="relink"):
    """-> the contact, now with the identity of `new`, which is no contact of its own any more."""

    contact: str
    new: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.home.relink, self.contact, self.new, daemon.now())


class DeleteContact(Command[None], frozen=True, tag="delete_contact"):
    """-> nil; the contact is forgotten, with its session, its keys and its conversation."""

    contact: str

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.home.delete_contact, self.contact)


class ContactAccess(Access):
    """What a program may ask about contacts."""

    async def invite(self) -> str:
        """The text of a new single-use invitation, for one person."""
        return await self._ask(Invite())

    async def accept(self, invitation: str, name: str | None = None) -> ContactInfo:
        """Become a contact of the inviter, called `name` here (None: as the invitation says)."""
        return await self._ask(Accept(invitation=invitation, name=name))

    async def contacts(self) -> list[ContactInfo]:
        """All contacts, oldest first."""
        return await self._ask(Contacts())

    async def verify(self, contact: str) -> ContactInfo:
        """Record that both of you compared the safety number, and it matched."""
        return await self._ask(Verify(contact=contact))

    async def rename(self, contact: str, name: str) -> ContactInfo:
        """Call a contact by another name; only this profile knows it."""
        return await self._ask(Rename(contact=contact, name=name))

    async def note(self, contact: str, note: str) -> ContactInfo:
        """Write down a note about a contact; only your devices have it. "" removes it."""
        return await self._ask(Note(contact=contact, note=note))

    async def read_receipts(self, contact: str, choice: ReadReceiptChoice) -> ContactInfo:
        """Say whether a contact learns that you have read what it wrote: "on", "off", "delayed" or "default"."""
        return await self._ask(SetReadReceipts(contact=contact, choice=choice))

    async def default_read_receipts(self, choice: ReadReceiptChoice | None = None) -> ReadReceiptChoice:
        """What holds for contacts whose choice is "default"; set first if given."""
        return await self._ask(DefaultReadReceipts(choice=choice))

    async def acknowledgements(self, contact: str, choice: AckChoice) -> ContactInfo:
        """Send acknowledgements to a contact at once ("prompt"), or after random pauses of minutes ("delayed")."""
        return await self._ask(SetAcknowledgements(contact=contact, choice=choice))

    async def block(self, contact: str) -> ContactInfo:
        """Neither hear from a contact nor send to it: it sees what it would see if you were away."""
        return await self._ask(Block(contact=contact))

    async def unblock(self, contact: str) -> ContactInfo:
        """Hear from a contact again; what it sent while blocked arrives if its client still tries to deliver it."""
        return await self._ask(Unblock(contact=contact))

    async def relink(self, contact: str, new: str) -> ContactInfo:
        """Let a contact be who came back as `new` with another identity, because you know that it is the same person.

        It keeps its name and archive, and is verified only if `new` was. What it did not get goes out again.
        """
        return await self._ask(Relink(contact=contact, new=new))

    async def delete_contact(self, contact: str) -> None:
        """Forget a contact with its session, its keys and all messages; it isn't told. It can be invited again."""
        await self._ask(DeleteContact(contact=contact))

    async def wait_established(self, contact: str) -> ContactInfo:
        """Return once the contact answered, so that messages can be sent; RemoteError if its invitation expired.

        If an invitation of a known contact was accepted: once its new session works.
        """
        while True:
            change = await self._next_change()
            for known in await self.contacts():
                if known.name == contact and known.state is ContactState.EXPIRED:
                    raise RemoteError("the invitation expired before it was answered: ask for a new one")
                if known.name == contact and known.state is not ContactState.PENDING and not known.renewing:
                    return known
            await wait_for(change)
