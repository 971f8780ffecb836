"""Entries of address books: e-mail addresses and phone numbers, and the files they are in (spec/07-client.md 7.13).

Promises: one address has one form, however it is written: e-mail in small letters, phone numbers in E.164; what has
none (a number without its country) is counted, never guessed. A number that is already in E.164 keeps its digits,
whichever release of `phonenumbers` is installed: two people match only if both make the same form. Sizes are bounded.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mixnet.client.model.errors import BadAddress, NoEntries, TooManyEntries
from mixnet.letters import is_hidden, without_hidden, words

ENTRY_LIMIT = 500
FILE_LIMIT = 8 << 20  # bytes; vCards may have pictures in them
LABEL_LIMIT = 64
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,190}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_DECORATION = re.compile(r"[\s().\-/\u2010-\u2013]")
_FIELD = re.compile(r"(?:[\w-]+\.)?(EMAIL|TEL|FN)(?:;[^:]*)?:(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A normal address, and what its owner is called in the address book (may be empty)."""

    address: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Entries:
    """Those of a file, each address once, and how many lines had none that is usable."""

    entries: tuple[Entry, ...]
    skipped: int


def normal(text: str) -> str:
    """The one form of an address; BadAddress if it is none."""
    bare = text.strip().casefold()
    bare = bare.removeprefix("mailto:").removeprefix("tel:").partition(";")[0]
    if "@" in bare:
        if _EMAIL.fullmatch(bare) is None or any(map(is_hidden, bare)):
            raise BadAddress
        return bare
    return _phone(bare)


def _phone(written: str) -> str:
    """A number in E.164, without the zero that only callers inside the country dial: +44 (0)20... is +4420...

    The library is loaded here, as only matching needs it. It also drops letters and carrier codes that it only guesses
    at, so it gets bare digits, and what it can't call valid (a new range, say) stays as it is written.
    """
    import phonenumbers  # noqa: PLC0415

    number = _DECORATION.sub("", written)
    if number.startswith("00"):
        number = "+" + number[2:]
    if not number.isascii() or _PHONE.fullmatch(number) is None:
        raise BadAddress
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:  # no such country
        raise BadAddress from None
    valid = phonenumbers.is_valid_number(parsed)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) if valid else number


def read(text: str) -> Entries:
    """The entries of a vCard file, or of a text with one address a line; NoEntries, TooManyEntries."""
    cards = re.search(r"^BEGIN:VCARD\s*$", text, re.IGNORECASE | re.MULTILINE) is not None
    found: dict[str, Entry] = {}
    skipped = 0
    for written, label in _cards(text) if cards else _lines(text):
        try:
            address = normal(written)
        except BadAddress:
            skipped += 1
        else:
            found.setdefault(address, Entry(address, label))
    if not found:
        raise NoEntries
    if len(found) > ENTRY_LIMIT:
        raise TooManyEntries(f"{len(found)} entries: matching looks for {ENTRY_LIMIT} at most, leave some out")
    return Entries(tuple(found.values()), skipped)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        written = line.partition("#")[0].strip()
        if written:
            yield written, ""


def _cards(text: str) -> Iterator[tuple[str, str]]:
    """(address, name) of each card; a card's name may stand after its addresses."""
    label, addresses = "", list[str]()
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        field = _FIELD.fullmatch(line.strip())
        if line.strip().casefold() == "end:vcard":
            yield from ((address, label) for address in addresses)
            label, addresses = "", []
        elif field is None:
            continue
        elif field[1].casefold() == "fn":
            plain = re.sub(r"\\([,;\\])", r"\1", field[2])
            label = " ".join(words(without_hidden(plain)))[:LABEL_LIMIT].strip()
        else:
            addresses.append(field[2])
