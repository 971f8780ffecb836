"""What both sides do to messages later: edits, deletions for everybody, and messages that disappear.

Promises: only its author changes a message; an edit of what is deleted, disappeared or unknown here does nothing and
brings nothing back; copies and older versions of an edit do nothing. What an edit or a deletion replaces is overwritten
in the store, in its index and in all that waits. Never: the other side's copy; its client does there what it is asked.
"""

from __future__ import annotations

from mixnet.client.arq.sender import USER
from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import (
    EDITS_LIMIT,
    SIGNED_TEXT_LIMIT,
    TEXT_LIMIT,
    VERSIONS_AHEAD,
    Body,
    Disappear,
    Edit,
    Reason,
    SignedEdit,
    SignedText,
    Text,
    WireId,
    Withdraw,
    decode_untrusted,
    encode,
)
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.files.sender import FileSender
from mixnet.client.groups.groups import Groups
from mixnet.client.model.errors import AnonymousOnly, ContactBlocked, NotYours
from mixnet.client.model.failures import CANCELLED
from mixnet.client.model.text_limits import check_text
from mixnet.client.model.views import UNDER_WAY, MessageInfo, MessageKind, MessageState
from mixnet.client.signing.attestations import Attestations
from mixnet.client.storage.contacts import Contact
from mixnet.client.storage.retention import check_period
from mixnet.errors import RemoteError

_LANE = 0
_REMEMBERED = 64  # deletions of a contact that came before what they are about
_IMPORTED = "SELECT 1 FROM imported WHERE message = ?"
_COMPLETE = (MessageState.RECEIVED, MessageState.READ)


def ours(core: Core, number: int, *, deleted: bool = False) -> tuple[MessageInfo, Contact]:
    """A message whose author is the user, and that its receivers know, also if it is `deleted`.

    Errors as of `Revisions.withdraw`.
    """
    message, contact = core.messages.get(number), core.contacts.get(core.messages.contact_of(number))
    if not message.outgoing:
        raise NotYours(f"message {number} came to you: only its author can change it for both")
    if message.withdrawn and not deleted:
        raise NotYours(f"message {number} is deleted for everyone")
    if contact.id in core.anonymous:
        raise AnonymousOnly("messages of an anonymous conversation have no numbers that both sides know")
    if contact.blocked:
        raise ContactBlocked(core.unblock_first(contact))
    if not core.satellite and core.store.has(
        _IMPORTED, number
    ):  # on a satellite all are entered there; its home decides
        raise NotYours(f"message {number} came from an archive file: whom it was sent to can't be told which one it is")
    return message, contact


def editable(core: Core, message: MessageInfo, text: str) -> None:
    """Refuse to give a message of ours this content: NotYours, UnusableText, TextTooLong."""
    if message.kind is MessageKind.FILE:
        raise NotYours(f"message {message.id} is a file: delete it with --for-everyone and send another one")
    if message.state is MessageState.FAILED:
        raise NotYours(f"message {message.id} has failed: nobody may have it, so send the new text instead")
    check_text(text, SIGNED_TEXT_LIMIT if message.signed else TEXT_LIMIT)
    if core.messages.version(message.id) >= EDITS_LIMIT:
        raise NotYours(f"message {message.id} was edited {EDITS_LIMIT} times: send the new text as another message")


class Revisions:
    """Edits, deletions and periods of one profile's conversations, both sides."""

    def __init__(
        self,
        core: Core,
        *,
        sending: FileSender,
        receiving: FileReceiver,
        attesting: Attestations,
        groups: Groups,
    ) -> None:
        self._core, self._sending, self._receiving = core, sending, receiving
        self._attestations, self._groups = attesting, groups

    # what the user does

    def edit(self, number: int, text: str, now: float) -> MessageInfo:
        """Give a text of ours another content, on both sides.

        UnknownMessage, NotYours, AnonymousOnly, ContactBlocked, UnusableText, TextTooLong; in a group NoMember.
        """
        core = self._core
        message, contact = ours(core, number)
        editable(core, message, text)
        if text == message.text and not message.edited:
            return message
        with core.change():
            if contact.role == "group":
                self._groups.edit(contact.id, number, text, now)
            elif not self._rewrite(contact, number, text, now):
                version = core.messages.version(number) + 1
                wire = core.messages.wire_id(number)
                self._forget(contact.id, wire)
                core.enqueue(
                    contact.id, _LANE, self._edit(contact, number, version, text, now), None, now, account=USER
                )
                core.messages.revise(number, version, text)
            core.message_changed(number)
        core.store.forget_remnants()
        return core.messages.get(number)

    def _edit(self, contact: Contact, number: int, version: int, text: str, now: float) -> Edit | SignedEdit:
        core, wire = self._core, self._core.messages.wire_id(number)
        if core.signatures.signed(number) is None:
            return Edit(wire, version, text)
        core.signatures.forget(number)
        signed = core.signatures.sign_text(number, wire, contact.identity, text, now)
        return SignedEdit(wire, version, text, signed.time, signed.signature)

    def _rewrite(self, contact: Contact, number: int, text: str, now: float) -> bool:
        """Nothing of it was encrypted yet: send the new text in its place, of which nobody sees another one."""
        core = self._core
        row = core.store.one("SELECT id FROM waiting WHERE message = ?", number)
        if row is None:
            return False
        wire, period = core.messages.wire_id(number), core.messages.get(number).period
        edit = self._edit(contact, number, 1, text, now)
        body: Body = Text(wire, text, period)
        if isinstance(edit, SignedEdit):
            body = SignedText(wire, text, edit.time, edit.signature, period)
        core.store.run("UPDATE waiting SET body = ? WHERE id = ?", encode(body), row[0])
        return core.messages.revise(number, core.messages.version(number), text)

    def withdraw(self, number: int, now: float) -> MessageInfo:
        """Delete a message of ours on both sides; one that has not left is only cancelled. Again, it is said again.

        UnknownMessage, NotYours, AnonymousOnly, ContactBlocked; in a group NoMember.
        """
        core = self._core
        message, contact = ours(core, number, deleted=True)
        with core.change():
            if contact.role == "group":
                self._groups.withdraw(contact.id, number, now)
            else:
                wire = core.messages.wire_id(number)
                if message.state in UNDER_WAY and message.kind is MessageKind.FILE:
                    self._sending.give_up(number, Reason.CANCELLED, now, CANCELLED)
                elif message.state in UNDER_WAY:
                    core.fail_message(number, CANCELLED)
                self._forget(contact.id, wire)
                if message.sent_at > 0:
                    core.enqueue(contact.id, _LANE, Withdraw(wire), None, now, account=USER)
            self._withdrawn(number)
        self._receiving.sweep()
        core.store.forget_remnants()
        return core.messages.get(number)

    def _forget(self, contact: int, wire: WireId) -> None:
        """Edits of a message that wait or are under way are not sent any more, nor kept."""
        core = self._core

        def about(body: Body) -> bool:
            return isinstance(body, Edit | SignedEdit) and body.id == wire

        waiting = "SELECT id, body FROM waiting WHERE contact = ? AND lane = ? AND account = ? AND message IS NULL"
        for row, body in core.store.all(waiting, contact, _LANE, USER):
            if about(decode_untrusted(bytes(body))):
                core.store.run("DELETE FROM waiting WHERE id = ?", row)
        core.no_longer_waits(contact, _LANE)
        stranded = "SELECT session, number, body FROM stranded WHERE contact = ? AND lane = 0 AND message IS NULL"
        for session, place, body in core.store.all(stranded, contact):
            if about(decode_untrusted(bytes(body))):
                core.store.run("DELETE FROM stranded WHERE session = ? AND lane = 0 AND number = ?", session, place)
        posted = (
            "SELECT p.session, p.number, p.body FROM posted p JOIN outbound o USING (session, lane, number)"
            " JOIN sessions s ON s.id = p.session WHERE s.contact = ? AND o.message IS NULL"
        )
        for session, place, body in core.store.all(posted, contact):
            if about(decode_untrusted(bytes(body))):
                core.conversations[session].withdraw(_LANE, place)

    def _withdrawn(self, number: int) -> None:
        """Leave nothing of it but a mark."""
        core = self._core
        core.own_devices.messages_deleted([number])
        core.signatures.forget(number)
        core.messages.withdraw(number)
        core.message_changed(number)

    # messages that disappear

    def let_disappear(self, name: str, seconds: int, now: float) -> None:
        """Let new messages of a conversation disappear on both sides so long after they were read; 0: they stay.

        UnknownContact, ContactBlocked, AnonymousOnly, BadPeriod; in a group NoMember, NotAllowed.
        """
        core = self._core
        contact = core.contacts.named(name)
        if seconds:
            check_period(seconds)
        if contact.id in core.anonymous:
            raise AnonymousOnly("nobody anonymous can be asked to let messages disappear: name a contact or a group")
        if contact.blocked:
            raise ContactBlocked(core.unblock_first(contact))
        with core.change():
            version = contact.period_version + 1
            if contact.role == "group":
                self._groups.let_disappear(contact.id, version, seconds, now)
                return
            core.contacts.let_disappear(contact, version, seconds)
            core.enqueue(contact.id, _LANE, Disappear(version, seconds), None, now, account=USER)
            core.contact_changed(contact.id)

    # what a contact says

    def take_untrusted(self, contact: int, body: Edit | SignedEdit | Withdraw | Disappear, now: float) -> None:
        """Do to a message of this contact's own what it says; RemoteError if it has no right to it."""
        match body:
            case Disappear():
                self._disappear_untrusted(contact, body)
            case Withdraw():
                self._withdraw(contact, body)
            case _:
                self._edit_untrusted(contact, body, now)

    def _edit_untrusted(self, contact: int, body: Edit | SignedEdit, now: float) -> None:
        core = self._core
        number = core.messages.named(body.id, contact)
        if number is None or core.messages.version(number) >= body.version:
            return
        message = core.messages.get(number)
        if message.withdrawn:
            return
        if message.kind is not MessageKind.TEXT or message.state not in _COMPLETE:
            raise RemoteError("an edit of what is no text")
        if message.signed is not isinstance(body, SignedEdit):
            raise RemoteError("an edit that is signed otherwise than its message")
        if isinstance(body, SignedEdit):
            self._attestations.edited_untrusted(contact, number, body, now)
        if core.messages.revise(number, body.version, body.text):
            core.message_changed(number)

    def _withdraw(self, contact: int, body: Withdraw) -> None:
        core = self._core
        number = core.messages.named(body.id, contact)
        if number is None:  # a file that is still to come, in the other lane; or deleted here already
            run = core.store.run
            run("INSERT OR IGNORE INTO withdrawals (contact, named) VALUES (?, ?)", contact, body.id)
            newest = "SELECT id FROM withdrawals WHERE contact = ? ORDER BY id DESC LIMIT ?"
            run(f"DELETE FROM withdrawals WHERE contact = ? AND id NOT IN ({newest})", contact, contact, _REMEMBERED)  # noqa: S608
            return
        if core.messages.get(number).withdrawn:
            return
        if core.messages.get(number).state is MessageState.RECEIVING:
            self._receiving.reject(number, "")
        self._withdrawn(number)

    def _disappear_untrusted(self, contact: int, body: Disappear) -> None:
        core = self._core
        known = core.contacts.get(contact)
        if body.version > known.period_version + VERSIONS_AHEAD:  # nobody shall make the last one there is
            raise RemoteError("a change of a period far ahead of the others")
        if core.contacts.let_disappear(known, body.version, body.period):
            core.contact_changed(contact)
