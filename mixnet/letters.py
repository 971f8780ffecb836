"""What the letters of a text are: which steer a terminal, don't show, stand above others or run from right to left.

Promises: what a text, a name or a file name may have in it depends on tables that never change (what Unicode has set
aside for good) and on the categories of Unicode 18 or later (`unicodedata2`), never on the Python that runs; a letter
that is newer than the tables is a letter. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import unicodedata2

# Controls, halves of pairs, and the codes that are no characters for good.
_STEERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u206a-\u206f\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)
_IGNORABLE = re.compile(  # Default_Ignorable_Code_Point, with what Unicode keeps free for more of them
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANK = frozenset("\u2800\U0001d159")  # they count as signs, and show nothing
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SPACES = re.compile("[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
# Pictures, with what Unicode keeps free for more of them: a superset of Extended_Pictographic.
_PICTURES = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_PICTURE = re.compile(f"[{_PICTURES}]")
_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_ARABIC = "\u0620-\u06d3\u06ee-\u06ff\u070d-\u07ff\u0840-\u08ff"  # and other scripts whose letters join
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u1039\u17d2\u1b44\ua9c0"
_IN_PLACE = re.compile(
    f"(?<=[{_PICTURES}])[\ufe0e\ufe0f]"
    "|(?<=[0-9#*])\ufe0f(?=\u20e3)"
    f"|(?<=[{_PICTURES}\ufe0f])\u200d(?=[{_PICTURES}])"
    f"|(?<=[{_HAN}])[\ufe00-\ufe0d\U000e0100-\U000e01ef]"
    "|(?<=[\u1800-\u18af])[\u180b-\u180d\u180f]"
    f"|(?<=[{_VIRAMAS}])[\u200c\u200d]"
    f"|(?<=[{_ARABIC}])[\u200c\u200d](?=[{_ARABIC}])"
    "|(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,8}\U000e007f"
)
_LOOSE = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")  # marks of no script's own
_LOOSE_MARKS, _MARKS = 4, 8  # in a row; Tibetan stacks up to eight, and what is higher reaches into other lines
RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefe"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_REGIONS = ("\U0001f1e6", "\U0001f1ff")
_SKINS = ("\U0001f3fb", "\U0001f3ff")
_JAMO = ("\u1160", "\u11ff")  # vowels and finals, which join the letter before them
_EMOJI = "\ufe0f"


def composed(text: str) -> str:
    """NFC."""
    return str(unicodedata2.normalize("NFC", text))


def decomposed(text: str) -> str:
    """NFD."""
    return str(unicodedata2.normalize("NFD", text))


def compatible(text: str) -> str:
    """NFKC."""
    return str(unicodedata2.normalize("NFKC", text))


def category(letter: str) -> str:
    """Unicode's general category; `Cn` of what is newer than the tables."""
    return str(unicodedata2.category(letter))


def unicode_name(letter: str) -> str:
    """Unicode's name of a letter; empty if it has none."""
    return str(unicodedata2.name(letter, ""))


def steers(letter: str) -> bool:
    """Whether a terminal may act upon it, or nothing can show it."""
    return _STEERS.match(letter) is not None


def is_ignorable(letter: str) -> bool:
    """Whether it shows nothing and takes no room by itself: it joins, parts or forms its neighbours."""
    return _IGNORABLE.match(letter) is not None


def is_hidden(letter: str) -> bool:
    """Whether it doesn't show, moves others about, or means nothing; spaces are no such ones, but line breaks are."""
    return is_ignorable(letter) or letter in _BLANK or steers(letter) or category(letter) in _HIDDEN


def is_mark(letter: str) -> bool:
    """Whether it stands above, below or around the one before it."""
    return category(letter) in ("Mn", "Me") or _LOOSE.match(letter) is not None


def is_symbol(letter: str) -> bool:
    """Whether it is a sign or a picture, and no letter."""
    return category(letter) in ("So", "Sm", "Sk") or (category(letter) == "Cn" and _PICTURE.match(letter) is not None)


def words(text: str) -> list[str]:
    """What is between spaces of any kind."""
    return [word for word in _SPACES.split(text) if word]


def without_hidden(text: str) -> str:
    """`text` without what doesn't show, unless it does something where it stands: joins letters or forms a picture."""
    kept = {at for found in _IN_PLACE.finditer(text) for at in range(*found.span())}
    return "".join(one for at, one in enumerate(text) if at in kept or _SPACES.match(one) or not is_hidden(one))


def piled(text: str) -> set[int]:
    """Where marks stand that are too many for one letter, or have none; what doesn't show doesn't end a pile."""
    found, loose, marks = set[int](), _LOOSE_MARKS, _MARKS
    for at, one in enumerate(text):
        if is_mark(one):
            loose, marks = loose + (_LOOSE.match(one) is not None), marks + 1
            if loose > _LOOSE_MARKS or marks > _MARKS:
                found.add(at)
        elif not is_ignorable(one):
            loose = marks = 0
    return found


def graphemes(text: str) -> Iterator[str]:
    """What a reader takes for one letter, after the rules of UAX 29: nothing may be cut inside."""
    begun, last, regions = "", "", 0
    for one in text:
        region = _REGIONS[0] <= one <= _REGIONS[1]
        joins = (
            category(one)[0] == "M"
            or is_ignorable(one)
            or _SKINS[0] <= one <= _SKINS[1]
            or _JAMO[0] <= one <= _JAMO[1]
            or (last == "\u200d" and _PICTURE.match(one) is not None)
            or (region and regions % 2 == 1)
        )
        if begun and not joins:
            yield begun
            begun = ""
        begun, last, regions = begun + one, one, regions + 1 if region else 0
    if begun:
        yield begun


def cells(text: str) -> int:
    """How much room a text takes on a terminal, one that joins no pictures too: rather too much than too little."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(letter: str) -> int:
    if letter in ("\xad", _EMOJI):  # a terminal may show the one, and widen what is before the other
        return 1
    if is_mark(letter) or (is_ignorable(letter) and category(letter) != "Lo"):  # the blanks of Hangul take room
        return 0
    wide = unicodedata2.east_asian_width(letter) in "WF" or "\U0001f000" <= letter <= "\U0001faff"
    return 2 if wide else 1
