"""Drafts: what the user has begun to write in a conversation, on this device only.

Promises: nothing of a draft is ever sent, and no other device of the user hears of it. There is one of each
conversation, which goes with it: with the contact, with the conversation's messages, and with its period. What was
written over or ended is wiped from the disk by the sweeps, as edited texts are.
"""

from __future__ import annotations

from mixnet.client.core.state import Core
from mixnet.client.e2e.bodies import TEXT_LIMIT
from mixnet.client.model.errors import TooManyDrafts
from mixnet.client.model.text_limits import check_text

DRAFTS_LIMIT = 100
_LIMIT = f"a draft has at most {TEXT_LIMIT:,} bytes, as a text: shorten it"


class Drafts:
    """The drafts of all conversations."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def get(self, contact: str) -> str:
        """What was begun; empty if nothing was. UnknownContact."""
        whom = self._core.contacts.named(contact).id
        return self._core.store.value(str, "SELECT text FROM drafts WHERE contact = ?", whom) or ""

    def set(self, contact: str, text: str, now: float) -> None:
        """Keep what was begun; "" ends it. UnknownContact, UnusableText, TextTooLong, TooManyDrafts."""
        store, whom = self._core.store, self._core.contacts.named(contact).id
        if text:
            check_text(text, TEXT_LIMIT, _LIMIT)
        with self._core.change():
            store.run("DELETE FROM drafts WHERE contact = ?", whom)
            self._core.messages.unclean = True
            if text:
                if (store.value(int, "SELECT count(*) FROM drafts") or 0) >= DRAFTS_LIMIT:
                    raise TooManyDrafts
                store.run("INSERT INTO drafts VALUES (?, ?, ?)", whom, text, now)
