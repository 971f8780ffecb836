"""The requests of the local protocol about signatures, receipts and forgeries."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from client.api.command import Command, Number
from client.storage.receipts import Rule

if TYPE_CHECKING:
    from client.api.daemon_api import DaemonApi

FORGED_TEXTS = 100  # in one request


class ExportProof(Command[Any], frozen=True, tag="proof"):
    """-> [size of a message's proof, a piece of it from `start` on in base64]; ask again until all is there."""

    number: Number
    start: Number = 0

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        size, piece = await service.proofs.proof(self.number, self.start)
        return [size, base64.b64encode(piece).decode()]


class Consent(Command[Any], frozen=True, tag="consent"):
    """-> the message that came, for which receipts are given from now on, or none."""

    number: Number
    give: bool

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return msgspec.to_builtins(await service.proofs.consent(self.number, self.give))


class ReceiptRule(Command[Any], frozen=True, tag="receipt_rule"):
    """-> what is done when a contact's (nil: anybody's) signed message asks for a receipt; set first if given."""

    contact: str | None = None
    rule: Rule | None = None

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return (await service.proofs.rule(self.contact, self.rule)).value


class Forge(Command[Any], frozen=True, tag="forge"):
    """-> a transcript in which a contact has written the texts."""

    contact: str
    texts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=FORGED_TEXTS)]

    async def run(self, service: DaemonApi) -> Any:  # as the class says
        return await service.proofs.forge(self.contact, self.texts)


AnyProofCommand = ExportProof | Consent | ReceiptRule | Forge
