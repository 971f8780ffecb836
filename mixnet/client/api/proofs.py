"""Signatures, receipts and forgeries: their commands, and `Connection.proofs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from mixnet.client.api.archive import WhoAmI
from mixnet.client.api.command import Access, Asks, Command, Number
from mixnet.client.model.views import MessageInfo
from mixnet.client.storage.receipts import Rule
from mixnet.errors import Unavailable

if TYPE_CHECKING:
    from mixnet.client.api.daemon_api import DaemonApi

PIECE = 1 << 19  # bytes of a proof in one answer
FORGED_TEXTS = 100  # in one request


class ExportProof(Command[tuple[int, bytes]], frozen=True, tag="proof"):
    """-> [size of a message's proof, a piece of it from `start` on in base64]; ask again until all is there."""

    number: Number
    start: Number = 0

    async def run(self, daemon: DaemonApi) -> tuple[int, bytes]:
        raw = await daemon.read(daemon.home.proof, self.number)
        return len(raw), raw[self.start : self.start + PIECE]


class Consent(Command[MessageInfo], frozen=True, tag="consent"):
    """-> the message that came, for which receipts are given from now on, or none."""

    number: Number
    give: bool

    async def run(self, daemon: DaemonApi) -> MessageInfo:
        return await daemon.visit(daemon.home.attestations.consent, self.number, self.give, daemon.now())


class ReceiptRule(Command[Rule], frozen=True, tag="receipt_rule"):
    """-> what is done when a contact's (nil: anybody's) signed message asks for a receipt; set first if given."""

    contact: str | None = None
    rule: Rule | None = None

    async def run(self, daemon: DaemonApi) -> Rule:
        attestations = daemon.home.attestations
        if self.rule is not None:
            await daemon.visit(attestations.set_rule, self.contact, self.rule)
        return await daemon.read(attestations.rule, self.contact)


class Forge(Command[str], frozen=True, tag="forge"):
    """-> a transcript in which a contact has written the texts."""

    contact: str
    texts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=FORGED_TEXTS)]

    async def run(self, daemon: DaemonApi) -> str:
        return await daemon.read(daemon.home.forge, self.contact, self.texts, daemon.now())


class ProofAccess(Access):
    """What a program may ask about proofs. To verify one, nothing need be asked: client/e2e/proof.py."""

    async def export(self, number: int) -> bytes:
        """The file that proves a signed message, with the receipts that came so far; LocalError if it is not signed."""
        raw, size = b"", 1
        while len(raw) < size:
            known, piece = await self._ask(ExportProof(number=number, start=len(raw)))
            if (raw and known != size) or not piece:  # a statement came meanwhile
                raise Unavailable("the proof changed while it was read: try again")
            raw, size = raw + piece, known
        return raw

    identity = Asks(WhoAmI)

    async def consent(self, number: int, *, give: bool = True) -> MessageInfo:
        """Sign receipts for a signed message that came; with `give` false, say that none will come."""
        return await self._ask(Consent(number=number, give=give))

    async def rule(self, contact: str | None = None) -> Rule:
        """What is done when signed messages of a contact ask for receipts (None: where nothing else was said)."""
        return await self._ask(ReceiptRule(contact=contact))

    async def set_rule(self, rule: Rule | str, contact: str | None = None) -> None:
        """Say what is done from now on."""
        await self._ask(ReceiptRule(contact=contact, rule=Rule(rule)))

    async def forge(self, contact: str, texts: Sequence[str]) -> str:
        """A transcript in which a contact has written these texts, as good as one of what they did write."""
        return await self._ask(Forge(contact=contact, texts=list(texts)))
