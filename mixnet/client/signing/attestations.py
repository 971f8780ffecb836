"""Signed messages and their receipts: both sides.

Promises: a message is called signed only if its sender's signature on just this message to us verified as it came; one
that claims to be and isn't is refused whole, since whoever asks for a signature may act on the strength of it. No
receipt is signed without the user's consent, by a rule or one by one. A receipt is taken only from the message's
receiver. Nothing here raises for what a contact sent: the session goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import Body, NoReceipt, Receipt, SignedEdit, SignedEnd, SignedText, WireId, Without
from mixnet.client.e2e.statements import Origin, ReceiptKind, file_digest, text_digest, verify_receipt_untrusted
from mixnet.client.files.receiver import FileReceiver
from mixnet.client.model.errors import ContactBlocked, NotSigned
from mixnet.client.model.views import (
    MessageInfo,
    MessageKind,
    MessageReceived,
    MessageState,
    ReadReceiptChoice,
    ReceiptState,
)
from mixnet.client.storage.messages import NewMessage
from mixnet.client.storage.receipts import FIRST_STATE, ReceiptEvent, Rule
from mixnet.client.storage.signatures import StoredReceipt
from mixnet.errors import RemoteError

LANE = 0
UNSIGNED = (
    "it claims to be signed and its signature does not verify, so it was refused: ask the contact to send it again"
)
_EVENTS = {ReceiptKind.DELIVERY: ReceiptEvent.DELIVERY, ReceiptKind.READING: ReceiptEvent.READING}
_WITHOUT = {Without.DECLINED: ReceiptEvent.DECLINE, Without.UNSIGNED: ReceiptEvent.REFUSE}


class Attestations:
    """Signed messages of one profile, and their receipts."""

    def __init__(self, core: Core, receiving: FileReceiver) -> None:
        """Use the messenger's shared state; files come through `receiving`."""
        self._core, self._receiving = core, receiving
        self._signatures = core.signatures

    def take(self, contact: int, body: Body, now: float) -> None:
        """Do what a message says, if it is about signatures."""
        match body:
            case SignedText():
                self._text(contact, body, now)
            case SignedEnd():
                self._ended(contact, body, now)
            case Receipt():
                self._receipt(contact, body)
            case NoReceipt():
                self._no_receipt(contact, body)
            case _:
                return

    # signed messages that come

    def _text(self, contact: int, body: SignedText, now: float) -> None:
        """File a signed text, or that one was refused."""
        core = self._core
        size, digest = len(body.text.encode()), text_digest(body.text)
        origin = self._origin(contact, body, MessageKind.TEXT, size, digest)
        genuine = _verifies(origin, body.signature)
        state = MessageState.RECEIVED if genuine else MessageState.FAILED
        text = body.text if genuine else ""
        entry = NewMessage(contact, MessageKind.TEXT, state, text, received_at=now, remote=body.id, period=body.period)
        number = core.messages.add(entry, now)
        if genuine:
            self._signatures.keep(number, origin, body.signature, b"", self._first_state(contact))
            self._answer(contact, number, origin, now)
            core.emit(MessageReceived(core.messages.get(number)))
        else:
            core.messages.explain(number, UNSIGNED)
            core.message_changed(number)
            self._say(contact, NoReceipt(body.id, Without.UNSIGNED), now)

    def edited_untrusted(self, contact: int, number: int, body: SignedEdit, now: float) -> None:
        """A signed text has another content: its statement takes the place of the one of before; RemoteError."""
        origin = self._origin(contact, body, MessageKind.TEXT, len(body.text.encode()), text_digest(body.text))
        origin.verify_untrusted(body.signature)
        self._signatures.forget(number)
        self._signatures.keep(number, origin, body.signature, b"", self._first_state(contact))
        self._answer(contact, number, origin, now)

    def _ended(self, contact: int, body: SignedEnd, now: float) -> None:
        """The end of a signed file: show the file, or refuse it."""
        core = self._core
        number = self._receiving.number_of(contact, body.id)
        if number is None:
            return
        offered = core.messages.get(number)
        digest = file_digest(offered.text, body.digest)
        origin = self._origin(contact, body, MessageKind.FILE, offered.size, digest)
        if not _verifies(origin, body.signature):
            self._receiving.reject(number, UNSIGNED)
            self._say(contact, NoReceipt(body.id, Without.UNSIGNED), now)
            return
        # The statement is stored first, so that whoever hears of the file hears that it is signed.
        self._signatures.keep(number, origin, body.signature, body.digest, self._first_state(contact))
        self._receiving.ended(contact, body, now)
        if core.messages.get(number).state is MessageState.RECEIVED:
            self._answer(contact, number, origin, now)
        else:
            self._signatures.forget(number)

    def _origin(
        self, contact: int, body: SignedText | SignedEdit | SignedEnd, kind: MessageKind, size: int, digest: bytes
    ) -> Origin:
        """What the contact must have signed: of `body` only its number and time are the contact's to say."""
        core = self._core
        sender, receiver = core.contacts.get(contact).identity, core.identity_public
        return Origin(core.home.network_id, sender, receiver, body.id, body.time, kind.value, size, digest)

    def _first_state(self, contact: int) -> ReceiptState:
        return FIRST_STATE[self._signatures.rule(contact)]

    def _answer(self, contact: int, number: int, origin: Origin, now: float) -> None:
        """Do at arrival what the contact's rule says."""
        match self._first_state(contact):
            case ReceiptState.GIVEN:
                self._say(contact, self._signatures.give(number, ReceiptKind.DELIVERY, origin, now), now)
            case ReceiptState.WITHHELD:
                self._say(contact, NoReceipt(WireId(origin.number), Without.DECLINED), now)

    # receipts of ours

    def read(self, contact: int, numbers: Sequence[int], now: float) -> None:
        """The user has read these messages of a contact: say so under those for which receipts are given."""
        for number in numbers:
            signed = self._signatures.signed(number)
            if signed is not None and signed.receipt is ReceiptState.GIVEN:
                time = self._core.read_at(contact, now)
                receipt = self._signatures.give(number, ReceiptKind.READING, signed.origin, time)
                self._say(contact, receipt, now, held=self._core.hides_reading(contact))

    def consent(self, number: int, give: bool, now: float) -> MessageInfo:
        """Give receipts for a signed message that came, or give none; UnknownMessage, NotSigned, ContactBlocked.

        Given again, they are sent again. What was given can't be taken back, but nothing more is given then.
        """
        core = self._core
        contact = core.contacts.get(core.messages.contact_of(number))
        message, signed = core.messages.get(number), self._signatures.signed(number)
        if message.outgoing or signed is None:
            raise NotSigned(f"message {number} is no signed message that came to you: there is no receipt to give")
        if contact.blocked:
            raise ContactBlocked(core.unblock_first(contact))
        with core.change():
            self._signatures.decide(number, ReceiptState.GIVEN if give else ReceiptState.WITHHELD)
            if give:
                give_one = partial(self._signatures.give, number, origin=signed.origin)
                self._say(contact.id, give_one(ReceiptKind.DELIVERY, time=message.received_at), now)
                off = core.contacts.reading(contact.id) is ReadReceiptChoice.OFF
                if message.state is MessageState.READ and not off:
                    receipt = give_one(ReceiptKind.READING, time=core.read_at(contact.id, now))
                    self._say(contact.id, receipt, now, held=core.hides_reading(contact.id))
            elif not self._signatures.receipts(number):
                self._say(contact.id, NoReceipt(WireId(signed.origin.number), Without.DECLINED), now)
            core.message_changed(number)
        return core.messages.get(number)

    def rule(self, contact: str | None) -> Rule:
        """What is done about receipts for a contact's messages, or (None) in general; UnknownContact."""
        return self._signatures.rule(None if contact is None else self._core.contacts.named(contact).id)

    def set_rule(self, contact: str | None, rule: Rule) -> None:
        """Say what is done from now on; UnknownContact."""
        whom = None if contact is None else self._core.contacts.named(contact).id
        with self._core.change():
            self._signatures.set_rule(whom, rule)

    def _say(self, contact: int, body: Receipt | NoReceipt, now: float, *, held: bool | None = None) -> None:
        self._core.enqueue(contact, LANE, body, None, now, held=held)

    # receipts for messages of ours

    def _receipt(self, contact: int, body: Receipt) -> None:
        """Store a receipt that verifies; say so if it doesn't."""
        number = self._core.messages.ours(body.id, contact)
        signed = None if number is None else self._signatures.signed(number)
        if number is None or signed is None:
            return
        event = _EVENTS[body.kind]
        try:
            verify_receipt_untrusted(body.kind, signed.origin, body.time, body.signature)
        except RemoteError:
            event = ReceiptEvent.FORGE
        else:
            self._signatures.add(number, StoredReceipt(body.kind, body.time, body.signature))
        self._step(number, event)

    def _no_receipt(self, contact: int, body: NoReceipt) -> None:
        """The contact gives no receipt."""
        number = self._core.messages.ours(body.id, contact)
        if number is not None and self._signatures.signed(number) is not None:
            self._step(number, _WITHOUT[body.why])

    def _step(self, number: int, event: ReceiptEvent) -> None:
        if self._signatures.step(number, event):
            self._core.message_changed(number)


def _verifies(origin: Origin, signature: bytes) -> bool:
    try:
        origin.verify_untrusted(signature)
    except RemoteError:
        return False
    return True
