"""Search: the user's words as an expression of FTS5, and the other conditions on messages.

Promises: whatever the user types is words, "a phrase in quotes" or the beginning of a word* to be found, all of them;
nothing in it is an operator of FTS5. Pure.
"""

from __future__ import annotations

import re
from typing import Annotated
from unicodedata import normalize

import msgspec

from client.model.errors import SearchTooLong
from client.model.views import MessageKind

FOUND_LIMIT = 200  # messages in one answer
WORDS_LIMIT = 32
LETTERS_LIMIT = 1000
TIME = "max(m.created_at, m.received_at)"  # when a message was written here, or was complete
_TERM = re.compile(r'"(?P<phrase>[^"]*)"(?P<open>\*?)(?!\S)|(?P<word>\S+)')

Moment = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lets messages through: of one contact, direction or kind; from `since` on, and before `until` (seconds)."""

    contact: str | None = None
    outgoing: bool | None = None
    kind: MessageKind | None = None
    since: Moment | None = None
    until: Moment | None = None

    def condition(self) -> tuple[str, tuple[object, ...]]:
        """SQL over `messages m` and `contacts c`, and its values."""
        kind = None if self.kind is None else self.kind.value
        parts = {
            "c.name = ?": self.contact,
            "m.outgoing = ?": self.outgoing,
            "m.kind = ?": kind,
            f"{TIME} >= ?": self.since,
            f"{TIME} < ?": self.until,
        }
        given = {sql: value for sql, value in parts.items() if value is not None}
        return " AND ".join(given) or "1", tuple(given.values())


ANY = Filter()


def expression(text: str) -> str:
    """What FTS5 is asked for; empty if there is nothing to find. SearchTooLong.

    A text is kept in the form of Unicode in which its writer's keyboard made it, so each word is looked for in both.
    """
    text = text.replace("\0", " ")
    if len(text) > LETTERS_LIMIT or len(text.split(maxsplit=WORDS_LIMIT)) > WORDS_LIMIT:
        raise SearchTooLong
    forms = [[_term(found) for found in _TERM.finditer(normalize(form, text))] for form in ("NFC", "NFD")]
    if forms[0] == forms[1]:
        return " ".join(forms[0])
    return " AND ".join(f"({one} OR {other})" for one, other in zip(*forms, strict=True))


def _term(found: re.Match[str]) -> str:
    """One string of FTS5: between its quotes only a quote means something, and it is doubled."""
    if found["word"] is None:
        return f'"{found["phrase"]}"{" *" if found["open"] else ""}'
    word = found["word"].rstrip("*")
    beginning = " *" if word and word != found["word"] else ""
    return '"' + word.replace('"', '""') + '"' + beginning
