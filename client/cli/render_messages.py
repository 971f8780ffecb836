"""How messages, public addresses and anonymous conversations are shown.

Promises: as client/cli/render.py: one record a line in a pipe, and nothing that a contact chose acts on a terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from client.cli.render import harmless, moment, table
from client.model.views import (
    AddressInfo,
    CorrespondentInfo,
    MessageInfo,
    MessageKind,
    MessageState,
    ReceiptState,
    Role,
)

_ARROWS = {True: "→", False: "←"}
_RECEIPTS = {
    ReceiptState.AWAITED: "no receipt yet: the contact decides",
    ReceiptState.DECLINED: "the contact gives no receipt",
    ReceiptState.REFUSED: "refused: the contact's client says that the signature does not verify",
    ReceiptState.INVALID: "a receipt came that does not verify: don't rely on it",
    ReceiptState.DELIVERED: "receipt of delivery",
    ReceiptState.READ: "receipt of reading",
    ReceiptState.ASKED: "asks for a receipt: `mixnet proof consent NAME {}`",
    ReceiptState.WITHHELD: "no receipt given",
    ReceiptState.GIVEN: "receipt given",
}


def addresses(known: Sequence[AddressInfo]) -> None:
    """Addresses by their ids."""
    if not known:
        sys.stderr.write("no addresses yet: make one with `mixnet address create NAME`\n")
        return
    rows = [(one.id, _address_state(one), moment(one.created_at)) for one in known]
    table(("id", "state", "made"), rows)


def _address_state(one: AddressInfo) -> str:
    if one.retired or 0 < one.expires_at <= time.time():
        return "retired"
    return f"open until {moment(one.expires_at)}" if one.expires_at else "open"


def correspondents(known: Sequence[CorrespondentInfo]) -> None:
    """Anonymous conversations, and until when each can be answered."""
    if not known:
        sys.stderr.write("no anonymous conversations: begin one with `mixnet send NAME ADDRESS TEXT --anonymous`\n")
        return
    rows = [(one.name, _side(one), one.address, _answers(one)) for one in known]
    table(("name", "who is anonymous", "address", "answers"), rows)


def _side(one: CorrespondentInfo) -> str:
    return "you" if one.role is Role.WRITER else "they"


def _answers(one: CorrespondentInfo) -> str:
    if not one.open:
        return "ended"
    if one.role is Role.READER:
        return answerable(one.answer_until)
    return f"taken until {moment(one.listens_until)}" if one.listens_until > time.time() else "no longer taken"


def answerable(until: float) -> str:
    """Whether somebody anonymous can be answered."""
    if until > time.time():
        return f"can be answered until {moment(until)}"
    return "can't be answered now: all reply blocks are used or have expired; the sender's client may send new ones"


def as_line(one: MessageInfo) -> str:
    """One message on one line: number, time, who, what, and for our own what became of it."""
    when = moment(one.received_at or one.created_at)
    state = f"  [{one.state}]" if one.outgoing or one.state is MessageState.FAILED else ""
    if one.error:
        state = f"  [{one.state}: {harmless(one.error)}]"
    # In front of all that a contact can have chosen: whoever writes "signed" into a text or a name is not believed.
    signed = "  signed" if one.signed else ""
    receipt = "" if one.receipt is None else f"  [{_RECEIPTS[one.receipt].format(one.id)}]"
    if one.outgoing and one.members:
        state = f"{state}  {one.reached} of {one.members} have it, {one.readers} have read it"
    if one.answer_until is not None:
        state += f"  [{answerable(one.answer_until)}]"
    author = f"/{harmless(one.author)}" if one.author else ""
    who = f"{_ARROWS[one.outgoing]} {harmless(one.contact)}{author}"
    return f"{one.id}  {when}{signed}  {who}: {_content(one)}{state}{receipt}"


def _content(one: MessageInfo) -> str:
    if one.kind is MessageKind.TEXT:
        return harmless(one.text)
    where = f", {harmless(one.path)}" if one.path and not one.outgoing else ""
    return f"file {harmless(one.text)} ({one.size:,} bytes{where})"
