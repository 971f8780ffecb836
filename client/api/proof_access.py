"""Signatures, receipts and forgeries, from Python: `Connection.proofs`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from client.api import proof_commands
from client.api.archive import WhoAmI
from client.model.views import MessageInfo
from client.storage.receipts import Rule
from mixnet.errors import RemoteError, Unavailable


class ProofAccess:
    """What a program may ask about proofs. To verify one, nothing need be asked: client/proofs.py."""

    def __init__(self, asker: Callable[..., Awaitable[Any]]) -> None:
        """Ask through a connection."""
        self._ask = asker

    async def export(self, number: int) -> bytes:
        """The file that proves a signed message, with the receipts that came so far; LocalError if it is not signed."""
        raw, size = b"", 1
        while len(raw) < size:
            known, piece = _as(
                tuple[int, bytes], await self._ask(proof_commands.ExportProof, number=number, start=len(raw))
            )
            if (raw and known != size) or not piece:  # a statement came meanwhile
                raise Unavailable("the proof changed while it was read: try again")
            raw, size = raw + piece, known
        return raw

    async def identity(self) -> str:
        """The key that our signatures are verified with, in hexadecimal."""
        return str(await self._ask(WhoAmI))

    async def consent(self, number: int, *, give: bool = True) -> MessageInfo:
        """Sign receipts for a signed message that came; with `give` false, say that none will come."""
        return _as(MessageInfo, await self._ask(proof_commands.Consent, number=number, give=give))

    async def rule(self, contact: str | None = None) -> Rule:
        """What is done when signed messages of a contact ask for receipts (None: where nothing else was said)."""
        return _as(Rule, await self._ask(proof_commands.ReceiptRule, contact=contact, rule=None))

    async def set_rule(self, rule: Rule | str, contact: str | None = None) -> None:
        """Say what is done from now on."""
        await self._ask(proof_commands.ReceiptRule, contact=contact, rule=Rule(rule))

    async def forge(self, contact: str, texts: Sequence[str]) -> str:
        """A transcript in which a contact has written these texts, as good as one of what they did write."""
        return str(await self._ask(proof_commands.Forge, contact=contact, texts=list(texts)))


T = TypeVar("T")
_OTHER = "the daemon is of another version: stop it and start it again"


def _as(kind: type[T], value: Any) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise RemoteError(_OTHER) from None
