"""A proof for a third person: what was signed about one message, in one file.

Promises: who verifies needs nothing but the file: no profile, no network, no clock. What comes out was signed by the
keys that it names; a file with any byte altered, added or left out is refused, since every byte is signed, or is
hashed into what is signed, or has one value only. Pure. It says nothing of whose the keys are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from mixnet.client.e2e.statements import (
    Origin,
    ReceiptKind,
    Seconds,
    content_fits,
    file_digest,
    text_digest,
    verify_receipt_untrusted,
)
from mixnet.client.e2e.timestamp import Timestamp
from mixnet.client.model.views import MessageKind
from mixnet.errors import RemoteError
from mixnet.pki.canonical import Signature, decode_untrusted, encode
from mixnet.pki.document import Document

FORMAT: Literal["mixnet-proof/1"] = "mixnet-proof/1"
PROOF_LIMIT = 13 << 20  # bytes

Piece = Annotated[bytes, msgspec.Meta(max_length=1 << 17)]


class BadProof(RemoteError):
    """This is no genuine proof: it was altered, or was never one; ask for the file again, and don't rely on it."""


class Stated(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A receipt: the receiver's signature on the statement of origin and this time."""

    kind: ReceiptKind
    time: Seconds
    signature: Signature


class Proof(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The file. `content`: the text in UTF-8; or a file's name and the chain over its chunks (client/files/disk.py)."""

    format: Literal["mixnet-proof/1"]
    origin: Origin
    signature: Signature
    content: Annotated[tuple[Piece, ...], msgspec.Meta(min_length=1, max_length=2)]
    submission: Timestamp | None
    receipts: Annotated[tuple[Stated, ...], msgspec.Meta(max_length=len(ReceiptKind))]

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode(self)


@dataclass(frozen=True, slots=True)
class Proven:
    """What a genuine proof proves. `text` for a text, else `name` and `chain` (32 bytes) of a file.

    `document` lists the witness of `submission`.
    """

    origin: Origin
    text: str | None
    name: str | None
    chain: bytes | None
    submission: Timestamp | None
    document: Document | None
    receipts: tuple[Stated, ...]


def verify_untrusted(raw: bytes) -> Proven:
    """What the file proves; BadProof if it is not genuine in every byte."""
    try:
        proof = decode_untrusted(raw, Proof, limit=PROOF_LIMIT)
        proof.origin.verify_untrusted(proof.signature)
        kinds = [one.kind for one in proof.receipts]
        if kinds != sorted(set(kinds)):
            raise BadProof
        for one in proof.receipts:
            verify_receipt_untrusted(one.kind, proof.origin, one.time, one.signature)
        document = None
        if proof.submission is not None:
            document = proof.submission.verify_untrusted(proof.origin, proof.signature)
        text, name, chain = _content_untrusted(proof)
        return Proven(proof.origin, text, name, chain, proof.submission, document, proof.receipts)
    except (RemoteError, UnicodeDecodeError):
        raise BadProof from None


def _content_untrusted(proof: Proof) -> tuple[str | None, str | None, bytes | None]:
    """(text, name, chain) of the proof's content; BadProof unless it is what was signed."""
    origin, content = proof.origin, proof.content
    if origin.kind == "text" and len(content) == 1:
        text = content[0].decode()
        if content_fits(origin, MessageKind.TEXT, len(content[0]), text_digest(text)):
            return text, None, None
    elif origin.kind == "file" and len(content) == 2:
        name, chain = content[0].decode(), content[1]
        if content_fits(origin, MessageKind.FILE, origin.size, file_digest(name, chain)):
            return None, name, chain
    raise BadProof
