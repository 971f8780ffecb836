"""Puts the proof of a stored message together, for export."""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.e2e.proof import FORMAT, Proof, Stated, verify_untrusted
from mixnet.client.e2e.statements import NAME_LIMIT
from mixnet.client.model.errors import NotSigned
from mixnet.client.model.views import MessageKind
from mixnet.client.storage.timestamps import TimestampTable


def proof_of(core: Core, submissions: TimestampTable, number: int) -> bytes:
    """The file that proves a message, with all that was signed of it so far; UnknownMessage, NotSigned.

    Either side may have it: the sender to show delivery, the receiver to show origin. It is verified here before
    anybody relies on it.
    """
    message, signed = core.messages.get(number), core.signatures.signed(number)
    if signed is None:
        later = message.signed and message.kind is MessageKind.FILE
        raise NotSigned("this file is signed once all of it was read: try again then" if later else _unsigned(number))
    if message.kind is MessageKind.TEXT:
        content: tuple[bytes, ...] = (message.text.encode(),)
    else:  # the archive has the whole name of a file of ours, of which so much was told
        name = message.text[:NAME_LIMIT] if message.outgoing else message.text
        content = (name.encode(), signed.chain)
    receipts = tuple(Stated(one.kind, one.time, one.signature) for one in core.signatures.receipts(number))
    submission = submissions.of(number)
    raw = Proof(FORMAT, signed.origin, signed.signature, content, submission, receipts).encode()
    verify_untrusted(raw)
    return raw


def _unsigned(number: int) -> str:
    return f"message {number} is not signed, so that nobody can prove it: ask its sender to send it with --signed"
