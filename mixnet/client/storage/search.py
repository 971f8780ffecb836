"""Search: the user's words as an expression of FTS5, and the other conditions on messages.

Promises: whatever the user types is words, "a phrase in quotes" or the beginning of a word* to be found, all of them;
nothing in it is an operator of FTS5. Of scripts that are written without spaces, and of Hangul, each letter is a word
of its own in the index, so that any part of a text is found, by one letter too. Pure.
"""

from __future__ import annotations

import re
from typing import Annotated
from unicodedata import normalize

import msgspec

from mixnet.client.model.errors import SearchTooLong
from mixnet.client.model.views import MessageKind

FOUND_LIMIT = 200  # messages in one answer
WORDS_LIMIT = 32
LETTERS_LIMIT = 1000
TIME = "max(m.created_at, m.received_at)"  # when a message was written here, or was complete
# Letters that stand for themselves in the index. A change of this table needs a migration that makes the index anew:
# what was put in by another table is not taken out, so it must not follow the version of Unicode either.
_ALONE = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1100, 0x11FF),  # Hangul, in parts
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19FF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1B7F),  # Tai Tham, Balinese
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # marks that stand for a Chinese letter
    (0x3041, 0x30FA),  # Hiragana, Katakana
    (0x30FC, 0x31BF),  # Katakana, Bopomofo, Hangul
    (0x31F0, 0x31FF),  # Katakana of Ainu
    (0x3400, 0x4DBF),  # Chinese
    (0x4E00, 0xA4CF),  # Chinese, Yi
    (0xA960, 0xA97F),  # Hangul, in parts
    (0xA980, 0xA9FF),  # Javanese, Burmese
    (0xAA60, 0xAADF),  # Burmese, Tai Viet
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),  # Chinese
    (0xFF66, 0xFFDC),  # Katakana and Hangul of half a width
    (0x1AFF0, 0x1B16F),  # Kana
    (0x20000, 0x3FFFD),  # Chinese
)
_LETTERS = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _ALONE) + "]+")
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


def separated(text: str) -> str:
    """The text as it goes into the index: each letter that stands for itself is a word, made of letters of no script.

    FTS5 itself takes vowel signs and newer letters for spaces. These letters are put in the form NFC, which later
    versions of Unicode don't change.
    """
    return _LETTERS.sub(_one_by_one, text)


def _one_by_one(found: re.Match[str]) -> str:
    return " " + "".join(f"\ue000{ord(letter):06x} " for letter in normalize("NFC", found[0]))


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
        return f'"{separated(found["phrase"])}"{" *" if found["open"] else ""}'
    word = found["word"].rstrip("*")
    beginning = " *" if word and word != found["word"] else ""
    return '"' + separated(word.replace('"', '""')) + '"' + beginning
