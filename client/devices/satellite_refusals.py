"""The verbs that a satellite refuses, since only its home has the keys for them: each raises HomeOnly.

Promises: nothing here does anything else; a verb is refused because it stands here, never because it was forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from client.core.state import Core
from client.model.views import ReadReceiptChoice
from client.storage.export_jsonl import Record
from client.storage.receipts import Rule


class _Refuses:
    """Raises HomeOnly with the name of the home."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def _refuse(self) -> NoReturn:
        raise self._core.home_only()


class RefusedVerbs(_Refuses):
    """Of `UserVerbs` itself: contacts that are made here, and what is signed or anonymous."""

    def create_invitation(self, name: str, now: float) -> NoReturn:
        """HomeOnly: who answers has a session with the home."""
        self._refuse()

    def relink(self, name: str, new_name: str, now: float) -> NoReturn:
        """HomeOnly: sessions are the home's."""
        self._refuse()

    def delete_contact(self, name: str) -> NoReturn:
        """HomeOnly: sessions are the home's."""
        self._refuse()

    def default_read_receipts(self, choice: ReadReceiptChoice | None = None) -> NoReturn:
        """HomeOnly: what was read is told from there."""
        self._refuse()

    def send_anonymous(
        self, address: str, text: str, now: float, answers: float | None = None, lifetime: float | None = None
    ) -> NoReturn:
        """HomeOnly: anonymous conversations stay on one device."""
        self._refuse()

    def proof(self, number: int) -> NoReturn:
        """HomeOnly: signatures are kept at home."""
        self._refuse()

    def forge(self, contact: str, texts: Sequence[str], now: float) -> NoReturn:
        """HomeOnly: it takes the keys of a session."""
        self._refuse()


class RefusedAnonymous(_Refuses):
    """All of `AnonymousVerbs`: anonymous conversations stay on one device."""

    def create_address(self, now: float, lifetime: float | None = None) -> NoReturn:
        """HomeOnly."""
        self._refuse()

    def addresses(self) -> NoReturn:
        """HomeOnly."""
        self._refuse()

    def retire_address(self, id_: str) -> NoReturn:
        """HomeOnly."""
        self._refuse()

    def correspondents(self) -> NoReturn:
        """HomeOnly."""
        self._refuse()

    def end(self, name: str) -> NoReturn:
        """HomeOnly."""
        self._refuse()


class RefusedAttestations(_Refuses):
    """All of `AttestationVerbs`: a satellite has no key to sign with."""

    def consent(self, number: int, give: bool, now: float) -> NoReturn:
        """HomeOnly."""
        self._refuse()

    def rule(self, contact: str | None) -> NoReturn:
        """HomeOnly."""
        self._refuse()

    def set_rule(self, contact: str | None, rule: Rule) -> NoReturn:
        """HomeOnly."""
        self._refuse()


class RefusedArchive(_Refuses):
    """Of `ArchiveVerbs`."""

    def take_in(self, records: Sequence[Record]) -> NoReturn:
        """HomeOnly: what is here is a copy of the home's archive."""
        self._refuse()
