"""Contacts: their commands, and what `Connection` has about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixnet.client.api.command import Access, Asks, Command, wait_for
from mixnet.client.model.names import same
from mixnet.client.model.views import AckChoice, ContactInfo, ContactState, ReadReceiptChoice
from mixnet.errors import RemoteError

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi


class Invite(Command[str], frozen=True, tag="invite"):
    """-> the text of a new single-use invitation, for one person."""

    async def run(self, daemon: DaemonApi) -> str:
        return (await daemon.visit(daemon.home.create_invitation, daemon.name, daemon.now())).encode()


class Accept(Command[ContactInfo], frozen=True, tag="accept"):
    """-> the contact that the invitation makes: the inviter, called `name` here (nil: as the invitation says)."""

    invitation: str
    name: str | None = None

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.accept_invitation, self.invitation, self.name, daemon.now())


class Contacts(Command[list[ContactInfo]], frozen=True, tag="contacts"):
    """-> all contacts, oldest first."""

    async def run(self, daemon: DaemonApi) -> list[ContactInfo]:
        return await daemon.read(daemon.user.contacts)


class Verify(Command[ContactInfo], frozen=True, tag="verify"):
    """-> the contact, now verified: both of you compared the safety number, and it matched."""

    contact: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.verify, self.contact)


class Rename(Command[ContactInfo], frozen=True, tag="rename"):
    """-> the contact, under its new name, which only this profile knows."""

    contact: str
    name: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.rename, self.contact, self.name)


class Note(Command[ContactInfo], frozen=True, tag="note"):
    """-> the contact, with the note, which only your devices have; "" removes it."""

    contact: str
    note: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.note, self.contact, self.note)


class SetReadReceipts(Command[ContactInfo], frozen=True, tag="read_receipts"):
    """-> the contact, who learns from now on that you have read what it wrote ("on"), or doesn't ("off").

    Or it learns that after a random pause ("delayed"), or as is said for all ("default").
    """

    contact: str
    choice: ReadReceiptChoice

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.read_receipts, self.contact, self.choice)


class SetAcknowledgements(Command[ContactInfo], frozen=True, tag="acknowledgements"):
    """-> the contact, to whom acknowledgements go at once from now on ("prompt"), or after random pauses.

    Those are of minutes ("delayed").
    """

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
    """-> the contact, now blocked: nothing is heard from it or sent to it.

    It sees what it would see if you were away.
    """

    contact: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.block, self.contact, daemon.now())


class Unblock(Command[ContactInfo], frozen=True, tag="unblock"):
    """-> the contact, no longer blocked.

    What it sent while blocked arrives if its client still tries to deliver it.
    """

    contact: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.user.people.unblock, self.contact)


class Relink(Command[ContactInfo], frozen=True, tag="relink"):
    """-> the contact, now with the identity of `new`, which is no contact of its own any more.

    So a contact is who came back as `new` with another identity, because you know that it is the same person. It keeps
    its name and archive, and is verified only if `new` was. What it did not get goes out again.
    """

    contact: str
    new: str

    async def run(self, daemon: DaemonApi) -> ContactInfo:
        return await daemon.visit(daemon.home.relink, self.contact, self.new, daemon.now())


class DeleteContact(Command[None], frozen=True, tag="delete_contact"):
    """-> nil; the contact is forgotten, with its session, its keys and all messages.

    It isn't told. It can be invited again.
    """

    contact: str

    async def run(self, daemon: DaemonApi) -> None:
        await daemon.visit(daemon.home.delete_contact, self.contact)


class LeaveInvitation(Command[str], frozen=True, tag="leave_invitation"):
    """-> a short code; the invitation lies under it at two providers, sealed, for a day or until they restart."""

    invitation: str

    async def run(self, daemon: DaemonApi) -> str:
        daemon.devices.check_home()  # what one would leave is made there
        return await daemon.short_codes.leave(self.invitation)


class FetchInvitation(Command[str], frozen=True, tag="fetch_invitation"):
    """-> the invitation that lies under a short code; RemoteError if there is none."""

    code: str

    async def run(self, daemon: DaemonApi) -> str:
        return await daemon.short_codes.fetch(self.code)


class ContactAccess(Access):
    """What a program may ask about contacts."""

    invite = Asks(Invite)
    accept = Asks(Accept)
    contacts = Asks(Contacts)
    verify = Asks(Verify)
    rename = Asks(Rename)
    note = Asks(Note)
    read_receipts = Asks(SetReadReceipts)
    default_read_receipts = Asks(DefaultReadReceipts)
    acknowledgements = Asks(SetAcknowledgements)
    block = Asks(Block)
    unblock = Asks(Unblock)
    relink = Asks(Relink)
    delete_contact = Asks(DeleteContact)
    leave_invitation = Asks(LeaveInvitation)
    fetch_invitation = Asks(FetchInvitation)

    async def wait_established(self, contact: str) -> ContactInfo:
        """Return once the contact answered, so that messages can be sent; RemoteError if its invitation expired.

        If an invitation of a known contact was accepted: once its new session works.
        """
        while True:
            change = await self._next_change()
            for known in await self.contacts():
                if same(known.name) == same(contact) and known.state is ContactState.EXPIRED:
                    raise RemoteError("the invitation expired before it was answered: ask for a new one")
                if same(known.name) == same(contact) and known.state is not ContactState.PENDING and not known.renewing:
                    return known
            await wait_for(change)
