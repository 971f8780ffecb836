"""What a proof proves, and what it does not, in words and for programs. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mixnet.client.e2e.proof import Proven
from mixnet.client.e2e.statements import ReceiptKind
from mixnet.client.e2e.timestamp import Timestamp
from mixnet.client.signing.transcript import Transcript
from mixnet.pki.document import Document

NOT_PROVEN = (
    "who owns the keys: compare them with those that you have from the people themselves",
    "which network it was: compare its fingerprint with that of a bootstrap file that you trust (--bootstrap)",
    "that the clocks of those who signed were right: a time is what the signer's clock said",
    "that nobody else had the keys, or that a signer was not made to sign",
    "that what the message says is true",
    "anything of statements that are not in this file: whoever exported it may have left some out",
)
_DELIVERED = {
    ReceiptKind.DELIVERY: "the client of receiver {receiver} had the message by {time}",
    ReceiptKind.READING: "the user of receiver {receiver} had read the message by {time}",
}


def as_map(proven: Proven) -> dict[str, Any]:
    """For programs; keys in hexadecimal, times in seconds since the Unix epoch, what is not there is null."""
    origin = proven.origin
    times = {one.kind: one.time for one in proven.receipts}
    return {
        "valid": True,
        "evidence": True,
        "kind": origin.kind,
        "network": origin.network.hex(),
        "sender": origin.sender.hex(),
        "receiver": origin.receiver.hex(),
        "number": origin.number,
        "size": origin.size,
        "text": proven.text,
        "name": proven.name,
        "chain": None if proven.chain is None else proven.chain.hex(),
        "origin": origin.time,
        "submission": _submission_map(proven),
        "delivery": times.get(ReceiptKind.DELIVERY),
        "reading": times.get(ReceiptKind.READING),
        "not_proven": list(NOT_PROVEN),
    }


def _submission_map(proven: Proven) -> dict[str, Any] | None:
    one, document = proven.submission, proven.document
    if one is None or document is None:
        return None
    consensus = one.consensus
    return {
        "time": one.time,
        "witness": one.witness.hex(),
        "epoch": document.epoch,
        "authorities": [identity.hex() for identity in document.authorities],
        "first_authorities": [identity.hex() for identity in consensus.authorities],
        "successions": len(consensus.introductions),
    }


def sentences(proven: Proven) -> list[str]:
    """For people, one statement a line: what is proven of what is `said`."""
    origin = proven.origin
    lines = [
        f"network: {origin.network.hex()} (the fingerprint of the authorities that it began with)",
        f"proven: origin: sender {origin.sender.hex()} signed on {moment(origin.time)} that it sends this "
        f"({origin.size:,} bytes) to receiver {origin.receiver.hex()} as its message {origin.number}",
    ]
    if proven.submission is None:
        lines.append("not proven: submission: no such statement is in this file")
    else:
        lines.append(_submitted(proven.submission, proven.document))
    for one in proven.receipts:
        signed = _DELIVERED[one.kind].format(receiver=origin.receiver.hex(), time=moment(one.time))
        lines.append(f"proven: {one.kind.value}: {signed}, and signed that")
    given = {one.kind for one in proven.receipts}
    lines += [
        f"not proven: {kind.value}: no such statement is in this file" for kind in ReceiptKind if kind not in given
    ]
    return lines + [f"not proven: {one}" for one in NOT_PROVEN]


def said(proven: Proven) -> tuple[str, str]:
    """What it is, and the text or the name of the file."""
    return ("file: ", proven.name or "") if proven.text is None else ("text: ", proven.text)


def _submitted(one: Timestamp, document: Document | None) -> str:
    listed = "" if document is None else f" in epoch {document.epoch}"
    return (
        f"proven: submission: by {moment(one.time)} this message, signed, was in a sealed envelope that provider "
        f"{one.witness.hex()} of the network{listed} has signed; the network is known by the fingerprint above"
    )


def transcript_map(shown: Transcript) -> dict[str, Any]:
    """A transcript, for programs: it is consistent, and no evidence."""
    return {
        "valid": True,
        "evidence": False,
        "sender": shown.sender,
        "receiver": shown.receiver,
        "texts": [record.text for record in shown.records],
    }


def transcript_sentences(shown: Transcript) -> list[str]:
    """A transcript, for people."""
    return [
        f"consistent: every message opens with the keys that {shown.sender} and {shown.receiver} share",
        f"not proven: who wrote it: {shown.receiver} has all of these keys and may have made it alone (`mixnet forge`)",
    ]


def moment(seconds: int) -> str:
    """A time in UTC; one beyond all calendars as it is."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds} since 1970"
